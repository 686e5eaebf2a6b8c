//! The command line of a `harness = false` test, and libtest's and nextest's protocol on it.

use std::process::ExitCode;
use std::time::Duration;

use crate::need::Standing;
use crate::options::Rerun;
use crate::report::RuleResult;
use crate::subject::Subject;
use crate::{CATALOGUE, Harness, Options, Report, Rule, Stand, catalogue_markdown, runner};

const HELP: &str = "\
Holds a session store to the rules of session-conformance.

Usage: [FILTER]... [OPTIONS]

A filter is a part of a rule's id or test name: GET, get_01, expir.

  --exact              filters are whole names
  --skip PART          leave out rules whose name contains PART
  --store PART         of several stores, those whose name contains PART
  --list               list the rules that the filters select instead of running them
  --ignored            only those that cannot run on this store or here
  --include-ignored    as without it: what cannot run says so
  --strict             a broken `should` is a failure
  --allow-incomplete   what was not run does not make the run fail
  --repeat N           run each rule N times, with another seed each time
  --seed N             the seed of everything random
  --programs N         how many random programs the rules of MOD run, however long it takes
  --scale              all of the records of the rules of SCL, however long it takes
  --limit SECONDS      how long a step may take before its rule counts as hanging (20)
  --jobs N             how many rules work at the same time (8)
  --format FORMAT      text, json, junit, markdown
  --quiet              no progress on standard error
  --help               this page

Exit status: 0 if every rule that binds passed and nothing was left not run, 1 for a failure,
2 for an incomplete run, 64 for a wrong command line.
";

/// Exit status for a command line that makes no sense (`EX_USAGE` of BSD's sysexits).
const USAGE: u8 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    /// What `--list` prints for cargo-nextest and libtest's clients.
    Terse,
    Json,
    Junit,
    Markdown,
}

#[derive(Debug)]
struct Arguments {
    options: Options,
    format: Format,
    list: bool,
    ignored: bool,
    help: bool,
    /// Parts of the names of the stores to run.
    stores: Vec<String>,
}

/// The `main` of a test target with `harness = false`.
///
/// ```no_run
/// # use session_conformance::__doc::Maps;
/// fn main() -> std::process::ExitCode {
///     session_conformance::main(Maps)
/// }
/// ```
///
/// `cargo test --test conformance -- --help` lists the options. The target also speaks as much of
/// libtest's command line as `cargo nextest` uses; rules that cannot run are ignored tests there.
pub fn main<H: Harness>(harness: H) -> ExitCode {
    main_of([Stand::of(harness)])
}

/// The same for several stores, one after the other; `--store` selects some of them. The exit
/// status is the worst: a failure, then an incomplete run.
///
/// ```no_run
/// # use session_conformance::{Stand, __doc::Maps};
/// fn main() -> std::process::ExitCode {
///     session_conformance::main_of([Stand::of(Maps), Stand::of(Maps)])
/// }
/// ```
///
/// A list of several stores names a rule once for each of them; whoever runs one rule of one store
/// says so by `--store`.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]
pub fn main_of(stands: impl IntoIterator<Item = Stand>) -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    if arguments.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| {
        let name = name.to_lowercase();
        let mut parts = arguments.stores.iter();
        arguments.stores.is_empty() || parts.any(|part| name.contains(&part.to_lowercase()))
    };
    let stands: Vec<_> = stands
        .into_iter()
        .filter(|stand| wanted(stand.name()))
        .collect();
    if stands.is_empty() {
        eprintln!("no store has such a name");
        return ExitCode::from(USAGE);
    }
    let mut codes = Vec::new();
    for Stand(subject) in stands {
        if arguments.list {
            print!("{}", list(&subject, &arguments));
            continue;
        }
        let report = runner::run(subject.clone(), &selected(&subject, &arguments));
        match arguments.format {
            Format::Text | Format::Terse => print!("{}", report.to_text()),
            Format::Json => println!("{}", report.to_json()),
            Format::Junit => print!("{}", report.to_junit()),
            Format::Markdown => print!("{}", report.to_markdown()),
        }
        codes.push(report.exit_code());
    }
    ExitCode::from(worst(&codes))
}

/// A failure is worse than an incomplete run.
fn worst(codes: &[u8]) -> u8 {
    let mut known = [1, 2].into_iter();
    known.find(|code| codes.contains(code)).unwrap_or(0)
}

/// What is to run of one store.
fn selected(subject: &Subject, arguments: &Arguments) -> Options {
    let mut options = arguments.options.clone();
    if arguments.ignored {
        // What is ignored cannot run: select it, and let it say so.
        let ignored = CATALOGUE
            .iter()
            .filter(|rule| options.selects(rule) && is_ignored(subject, rule));
        let names: Vec<_> = ignored.map(Rule::test_name).collect();
        options.filters = if names.is_empty() {
            vec!["-".into()]
        } else {
            names
        };
        options.exact = true;
        options.skips.clear();
    }
    options
}

/// Runs the rules that `options` select against a store.
///
/// ```
/// # use session_conformance::__doc::Maps;
/// use session_conformance::{Options, run};
///
/// let report = run(Maps, Options::new().filter("GET"));
/// assert_eq!(report.failures().count(), 0, "{}", report.to_text());
/// ```
///
/// Blocks the thread until the last rule has ended; the rules run on a tokio runtime of their own.
#[expect(
    clippy::needless_pass_by_value,
    reason = "options are built for one call"
)]
pub fn run<H: Harness>(harness: H, options: Options) -> Report {
    runner::run(Subject::new(harness), &options)
}

/// Writes a result to standard error as it comes.
#[expect(clippy::print_stderr, reason = "progress of a long run")]
pub(crate) fn progress(done: usize, of: usize, result: &RuleResult) {
    let word = match (result.verdict, result.inconclusive) {
        (_, true) => "NOT RUN (inconclusive)".to_owned(),
        (verdict, _) => verdict.to_string(),
    };
    eprintln!(
        "{done:>4}/{of} {:<52} {word:<13} {:>5} ms",
        result.rule.test_name(),
        result.took.as_millis()
    );
}

/// The command that runs a rule once more with the same seed.
pub(crate) fn rerun_command(rerun: Rerun, rule: &Rule, seed: u64) -> String {
    let name = rule.test_name();
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let package = if package.is_empty() {
        package
    } else {
        format!(" -p {package}")
    };
    match rerun {
        Rerun::Library => format!(
            "session_conformance::run(harness, Options::new().filter({name:?}).seed({seed}))"
        ),
        #[cfg(feature = "self-check")]
        Rerun::Broken(store, method) => {
            let method = method.map_or(String::new(), |method| format!(".{method}"));
            format!(
                "cargo run -p session-conformance --features self-check --example broken -- \
                 {store}{method} {} --seed {seed}",
                rule.id
            )
        }
        Rerun::Suite => {
            format!("SESSION_CONFORMANCE_SEED={seed} cargo test{package} {name}")
        }
        Rerun::Main => {
            let binary = std::env::current_exe().unwrap_or_default();
            let stem = binary.file_stem().unwrap_or_default().to_string_lossy();
            // Cargo puts a hash behind the name of a test target.
            let target = stem.rsplit_once('-').map_or(&*stem, |(target, _)| target);
            let folder = binary.parent().and_then(std::path::Path::file_name);
            let cargo = match folder.and_then(std::ffi::OsStr::to_str) {
                Some("examples") => format!("cargo run{package} --example {stem} --"),
                Some("deps") => format!("cargo test{package} --test {target} --"),
                // A binary of its own, wherever it lies.
                _ => std::env::args()
                    .next()
                    .unwrap_or_else(|| stem.clone().into_owned()),
            };
            format!("{cargo} {name} --exact --seed {seed}")
        }
    }
}

fn is_ignored(subject: &Subject, rule: &Rule) -> bool {
    rule.unmet(&subject.capabilities, &subject.backend)
        .is_some()
}

fn list(subject: &Subject, arguments: &Arguments) -> String {
    let rules = CATALOGUE.iter().filter(|rule| {
        arguments.options.selects(rule) && (!arguments.ignored || is_ignored(subject, rule))
    });
    match arguments.format {
        Format::Terse => rules
            .map(|rule| format!("{}: test\n", rule.test_name()))
            .collect(),
        Format::Markdown => catalogue_markdown(),
        Format::Json => {
            let rules: Vec<_> = rules.map(entry).collect();
            // Texts always have a JSON form.
            serde_json::to_string_pretty(&rules).unwrap_or_default() + "\n"
        }
        Format::Text | Format::Junit => rules
            .map(|rule| {
                let note = match rule.unmet(&subject.capabilities, &subject.backend) {
                    None => "",
                    Some((_, Standing::Missing(_))) => "  [not run here]",
                    Some(_) => "  [not supported]",
                };
                format!(
                    "{}  {:<10}  {}{note}\n",
                    rule.id,
                    rule.level.name(),
                    rule.sentence
                )
            })
            .collect(),
    }
}

fn entry(rule: &Rule) -> serde_json::Value {
    serde_json::json!({
        "id": rule.id,
        "name": rule.test_name(),
        "level": rule.level.name(),
        "needs": rule.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
        "sentence": rule.sentence,
        "why": rule.why,
        "probabilistic": rule.probabilistic,
        "since": rule.since.to_string(),
    })
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        options: Options::new().progress(true).rerun(Rerun::Main),
        format: Format::Text,
        list: false,
        ignored: false,
        help: false,
        stores: Vec::new(),
    };
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        // `--name=value` and `--name value` are the same.
        let (name, mut attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (&*argument, None),
        };
        let mut value = || {
            attached
                .take()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        let options = parsed.options.clone();
        parsed.options = match name {
            "--exact" => options.exact(true),
            "--skip" => options.skip(value()?),
            "--strict" => options.strict(true),
            "--allow-incomplete" => options.allow_incomplete(true),
            "--repeat" => options.repeat(number(name, &value()?)?),
            "--seed" => options.seed(number(name, &value()?)?),
            "--scale" => options.scale(true),
            "--programs" => options.programs(number(name, &value()?)?),
            "--limit" => options.limit(Duration::from_secs(number(name, &value()?)?)),
            "--jobs" | "--test-threads" => options.jobs(number(name, &value()?)?),
            "--quiet" | "-q" => options.progress(false),
            "--store" => {
                parsed.stores.push(value()?);
                options
            }
            "--format" => {
                parsed.format = format(&value()?)?;
                options
            }
            "--list" => {
                parsed.list = true;
                options
            }
            "--ignored" => {
                parsed.ignored = true;
                options
            }
            "--help" | "-h" => {
                parsed.help = true;
                options
            }
            // What libtest's clients pass and what changes nothing here.
            "--nocapture" | "--no-capture" | "--show-output" | "--include-ignored" | "--test"
            | "--bench" => options,
            "--color" => {
                value()?;
                options
            }
            unknown if unknown.starts_with('-') => {
                return Err(format!("there is no option {unknown}"));
            }
            filter => options.filter(filter),
        };
    }
    if parsed.format != Format::Text {
        parsed.options.progress = false;
    }
    Ok(parsed)
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name} needs a whole number, not `{text}`"))
}

fn format(name: &str) -> Result<Format, String> {
    match name {
        "text" | "pretty" => Ok(Format::Text),
        "terse" => Ok(Format::Terse),
        "json" => Ok(Format::Json),
        "junit" => Ok(Format::Junit),
        "markdown" => Ok(Format::Markdown),
        other => Err(format!(
            "there is no format `{other}`: text, json, junit or markdown"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_take_their_value_either_way() {
        for line in ["--seed 7 --format json GET", "GET --format=json --seed=7"] {
            let parsed = parse_all(line).unwrap();
            assert_eq!(parsed.options.seed, Some(7));
            assert_eq!(parsed.format, Format::Json);
            assert_eq!(parsed.options.filters, ["GET"]);
            assert!(!parsed.options.progress);
        }
    }

    #[test]
    fn how_much_and_of_which_store() {
        let parsed = parse_all("--programs 9 --scale --store sled").unwrap();
        assert_eq!(parsed.options.programs, Some(9));
        assert!(parsed.options.scale);
        assert_eq!(parsed.stores, ["sled"]);
        assert_eq!(worst(&[0, 2, 1]), 1);
        assert_eq!(worst(&[0, 2]), 2);
        assert_eq!(worst(&[0]), 0);
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        for (line, message) in [
            ("--seed", "--seed needs a value"),
            ("--seed x", "--seed needs a whole number, not `x`"),
            ("--format xml", "there is no format `xml`"),
            ("--frobnicate", "there is no option --frobnicate"),
        ] {
            assert!(parse_all(line).unwrap_err().contains(message), "{line}");
        }
    }

    #[test]
    fn what_nextest_asks_is_understood() {
        assert!(
            parse_all("--list --format terse --ignored")
                .unwrap()
                .ignored
        );
        let run = parse_all("get_01_unknown_id_is_none --exact --nocapture").unwrap();
        let selected: Vec<_> = CATALOGUE
            .iter()
            .filter(|rule| run.options.selects(rule))
            .map(|rule| rule.id)
            .collect();
        assert_eq!(selected, ["GET-01"]);
    }
}
