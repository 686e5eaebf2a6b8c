//! Compares this project with its peers and with the limit, on this machine, in one run.
//!
//! `bench/run --help` says how to use it; `bench/README.md` has what came of it.

mod callgrind;
mod child;
mod load;
mod machine;
mod options;
mod plot;
mod proxy;
mod results;
mod scenario;
mod sections;
mod servers;
mod site;
mod stack;
mod table;

use std::process::ExitCode;

use serde_json::json;

use crate::options::Options;
use crate::plot::Plot;
use crate::sections::Results;
use crate::table::Table;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    options.pinning.pin_load();
    for section in &options.sections {
        eprintln!("== {}", section.name());
        let machine = machine::describe();
        let results = section.run(options)?;
        for table in &results.tables {
            println!("{}", table.markdown());
        }
        if let Some(directory) = &options.results {
            write(directory, section.name(), &machine, &results)
                .and_then(|()| show(directory, section.name(), &results.plots))
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
    }
    Ok(())
}

/// Writes a section's plots and tables, as Markdown to read and as JSON to compare.
fn write(
    directory: &std::path::Path,
    section: &str,
    machine: &serde_json::Value,
    results: &Results,
) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut markdown = format!("# {section}\n\n`bench/run {section}`\n\n");
    for plot in &results.plots {
        let file = format!("{}.svg", plot.file);
        markdown.push_str(&format!("![{}, {}]({file})\n\n", plot.title, plot.y));
        std::fs::write(directory.join(file), plot.svg())?;
    }
    for table in &results.tables {
        markdown.push_str(&table.markdown());
        markdown.push('\n');
    }
    markdown.push_str("## Machine and versions\n\n```json\n");
    markdown.push_str(&serde_json::to_string_pretty(machine)?);
    markdown.push_str("\n```\n");
    std::fs::write(directory.join(format!("{section}.md")), markdown)?;
    let tables: Vec<_> = results.tables.iter().map(Table::json).collect();
    let json = json!({ "machine": machine, "tables": tables });
    let json = serde_json::to_string_pretty(&json)? + "\n";
    std::fs::write(directory.join(format!("{section}.json")), json)
}

/// Shows a section's plots in the README above the results, between the comments that wait for them.
fn show(directory: &std::path::Path, section: &str, plots: &[Plot]) -> std::io::Result<()> {
    let (Some(above), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Ok(());
    };
    let readme = above.join("README.md");
    let Ok(text) = std::fs::read_to_string(&readme) else {
        return Ok(());
    };
    let mut shown = format!("`bench/run {section}`:\n\n");
    for plot in plots {
        let path = format!("{}/{}.svg", name.display(), plot.file);
        shown.push_str(&format!("![{}, {}]({path})\n", plot.title, plot.y));
    }
    match between(&text, section, &shown) {
        Some(text) if !plots.is_empty() => std::fs::write(readme, text),
        _ => Ok(()),
    }
}

/// `text` with something else between `<!-- SECTION -->` and `<!-- /SECTION -->`, if it has these.
fn between(text: &str, section: &str, shown: &str) -> Option<String> {
    let (open, close) = (
        format!("<!-- {section} -->\n"),
        format!("<!-- /{section} -->"),
    );
    let (before, rest) = text.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}{shown}{close}{after}"))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn plots_replace_those_of_an_earlier_run_and_nothing_else() {
        let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n";
        let expected = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n";
        assert_eq!(between(text, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(between(text, "z", "new\n"), None);
    }
}
