//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::machine::Pinning;
use crate::sections::Section;
use crate::stack::{Program, Stack, Store};

const USAGE: &str = "\
usage: bench/run [--quick] [--build] [--rounds N] [--seconds S] [--only PROGRAM,..]
                 [--stores STORE,..] [--growth-to N] [--many] [--results DIRECTORY] [SECTION..]

--build builds what is measured, and ends. --growth-to ends the growth there; --many takes it to
10,000,000 sessions in memory and on sled. Measures, prints the tables and writes them to bench/results. The sections, all of them by default:

";

/// What was asked for.
pub(crate) struct Options {
    pub(crate) sections: Vec<Section>,
    /// Checks what no other process can disturb, and measures nothing.
    pub(crate) quick: bool,
    /// Growth goes on to ten million sessions where there is nothing but this machine's memory or
    /// disk.
    pub(crate) many: bool,
    growth_to: Option<usize>,
    pub(crate) rounds: usize,
    /// How long one stack is under one kind of load.
    pub(crate) duration: Duration,
    pub(crate) programs: Vec<Program>,
    pub(crate) stores: Vec<Store>,
    pub(crate) pinning: Pinning,
    /// Where the results are written.
    pub(crate) results: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            sections: Vec::new(),
            quick: false,
            many: false,
            growth_to: None,
            rounds: 3,
            duration: Duration::from_secs(1),
            programs: Program::ALL.to_vec(),
            stores: Store::ALL.to_vec(),
            pinning: Pinning::choose(),
            results: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../results").into()),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--many" => options.many = true,
                "--growth-to" => options.growth_to = Some(number(&word, words.next())?),
                "--results" => options.results = words.next().map(PathBuf::from),
                "--rounds" => options.rounds = number(&word, words.next())?,
                "--seconds" => {
                    options.duration = Duration::from_secs_f64(number(&word, words.next())?)
                }
                "--only" => options.programs = programs(&words.next().unwrap_or_default())?,
                "--stores" => options.stores = stores(&words.next().unwrap_or_default())?,
                name => match Section::ALL
                    .into_iter()
                    .find(|section| section.name() == name)
                {
                    Some(section) => options.sections.push(section),
                    None => return Err(usage(&word)),
                },
            }
        }
        if options.sections.is_empty() {
            options.sections = Section::ALL.to_vec();
        }
        if options.quick {
            // Nothing is measured that could be held against a target.
            options.results = None;
            options
                .sections
                .retain(|section| *section != Section::Targets);
        }
        Ok(options)
    }

    /// How many sessions a growth of so many goes to.
    pub(crate) fn growth_most(&self, sessions: usize) -> usize {
        self.growth_to.map_or(sessions, |most| most.min(sessions))
    }

    pub(crate) fn takes(&self, stack: Stack) -> bool {
        let has_sessions = stack.store != Store::None;
        self.programs.contains(&stack.program)
            && (!has_sessions || self.stores.contains(&stack.store))
    }
}

fn number<T: std::str::FromStr>(option: &str, value: Option<String>) -> Result<T, String> {
    let value = value.unwrap_or_default();
    value
        .parse()
        .map_err(|_| format!("{option} takes a number, not {value:?}"))
}

/// Programs by the name of their package, without `stack-`.
fn programs(names: &str) -> Result<Vec<Program>, String> {
    let found = names.split(',').map(|name| {
        let package = format!("stack-{name}");
        let found = Program::ALL
            .into_iter()
            .find(|program| program.package() == package);
        found.ok_or_else(|| format!("--only: there is no program {name:?}"))
    });
    found.collect()
}

fn stores(names: &str) -> Result<Vec<Store>, String> {
    let found = names.split(',').map(|name| {
        let found = Store::ALL.into_iter().find(|store| store.name() == name);
        found.ok_or_else(|| format!("--stores: there is no store {name:?}"))
    });
    found.collect()
}

fn usage(word: &str) -> String {
    let mut text = match word {
        "--help" | "-h" => String::new(),
        _ => format!("unknown argument {word}\n"),
    };
    text.push_str(USAGE);
    for section in Section::ALL {
        text.push_str(&format!("  {:<8} {}\n", section.name(), section.about()));
    }
    text
}
