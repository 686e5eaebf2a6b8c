//! Stores in the memory of a process, without HTTP: time, threads, bytes.

use std::collections::HashMap;

use serde_json::Value;

use crate::child;
use crate::options::Options;
use crate::plot::{Line, Plot};
use crate::sections::Results;
use crate::stack::{Program, Stack, Store, Variant};
use crate::table::{Cell, Table};

const LIMIT: Stack = Stack::new(Program::Limit, Store::Memory);
/// The same as far as a library can have it, whose stores are exchanged.
const BOXED: Stack = LIMIT.with(Variant::Boxed);
const OURS: Stack = Stack::new(Program::Ours, Store::Memory);
const TOWER_SESSIONS: Stack = Stack::new(Program::TowerSessions, Store::Memory);
const SESSIONS: usize = 100_000;
/// How many sessions are weighed; the table has the last.
const WEIGHED: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Bytes of JSON, and those of the cookie's settings in it.
const CONTENTS: usize = 190;
const COOKIE: usize = r#""cookie":{"originalMaxAge":86400000,"expires":"2026-01-01T00:00:00.000Z","httpOnly":true,"path":"/"},"#.len();

pub(crate) fn run(options: &Options) -> Result<Results, String> {
    let (bytes, plot) = bytes(options)?;
    Ok(Results {
        tables: vec![speed(options)?, bytes],
        plots: vec![plot],
    })
}

fn chosen<'a>(options: &Options, stacks: &'a [Stack]) -> impl Iterator<Item = Stack> + 'a {
    let programs = options.programs.clone();
    let stacks = stacks.iter().copied();
    stacks.filter(move |stack| programs.contains(&stack.program))
}

/// A process of its own for each measurement, so that none inherits another's heap.
fn measure(
    options: &Options,
    stack: Stack,
    operation: &str,
    sessions: usize,
    threads: usize,
) -> Result<Value, String> {
    let micro = [operation, &sessions.to_string(), &threads.to_string()];
    child::micro(options.pinning, stack, "", micro)
}

/// A contender, an operation, a number of sessions, a number of threads.
type Case = (Stack, &'static str, usize, usize);

/// Several rounds of several measurements in turn.
fn rounds(
    options: &Options,
    cases: &[Case],
    field: &str,
) -> Result<HashMap<Case, Vec<f64>>, String> {
    let mut samples = HashMap::<_, Vec<_>>::new();
    for round in 0..options.rounds {
        eprintln!("round {}", round + 1);
        for &case in cases {
            let (stack, operation, sessions, threads) = case;
            let found = measure(options, stack, operation, sessions, threads)?;
            let found = found[field].as_f64().unwrap_or(f64::NAN);
            samples.entry(case).or_default().push(found);
        }
    }
    Ok(samples)
}

/// One measurement in the words of another, round by round.
fn ratio(own: Option<&Vec<f64>>, other: Option<&Vec<f64>>) -> Cell {
    let pairs = own.into_iter().flatten().zip(other.into_iter().flatten());
    Cell::spread(pairs.map(|(own, other)| own / other).collect())
}

fn speed(options: &Options) -> Result<Table, String> {
    let about = format!(
        "{SESSIONS} sessions at random. Nanoseconds for an operation of all threads together, so \
         that two threads which do not disturb one another take half the time of one. A get hands \
         out the shared record, a set writes a record that is shared with the caller. Boxed: the same \
         map behind a trait object whose futures are allocated, as every store of a library is; {} \
         rounds in turn, medians (least–most), ratios of the same round.",
        options.rounds
    );
    let columns = [
        "store",
        "operation",
        "1 thread, ns",
        "against by hand",
        "against it boxed",
        "2 threads, ns",
        "faster with 2",
    ];
    let mut table = Table::new("Time in memory", &about, &columns);
    let mut kinds = Vec::new();
    for operation in ["get", "set", "touch"] {
        let stores = chosen(options, &[LIMIT, BOXED, OURS, TOWER_SESSIONS]);
        // tower-sessions has no touch.
        let stores = stores.filter(|&store| operation != "touch" || store != TOWER_SESSIONS);
        kinds.extend(stores.map(|store| (store, operation)));
    }
    let cases = kinds.iter().flat_map(|&(store, operation)| {
        [1, 2].map(|threads| (store, operation, SESSIONS, threads))
    });
    let samples = rounds(options, &cases.collect::<Vec<_>>(), "ns")?;
    for (store, operation) in kinds {
        let of = |store, threads| samples.get(&(store, operation, SESSIONS, threads));
        let spread = |threads| Cell::spread(of(store, threads).cloned().unwrap_or_default());
        table.rows.push(vec![
            Cell::Text(store.program_name()),
            Cell::Text(operation.to_owned()),
            spread(1),
            match store {
                LIMIT => Cell::None,
                _ => ratio(of(store, 1), of(LIMIT, 1)),
            },
            match store {
                LIMIT | BOXED => Cell::None,
                _ => ratio(of(store, 1), of(BOXED, 1)),
            },
            spread(2),
            ratio(of(store, 1), of(store, 2)),
        ]);
    }
    Ok(table)
}

fn bytes(options: &Options) -> Result<(Table, Plot), String> {
    let many = WEIGHED[WEIGHED.len() - 1];
    let about = format!(
        "{many} sessions with {CONTENTS} bytes of contents each; what the process has grown by, for \
         each. This project's records also have the cookie's settings in their JSON, {COOKIE} bytes, \
         as express-session's do."
    );
    let columns = ["store", "bytes for a session", "on top of its JSON"];
    let mut table = Table::new("Bytes in memory", &about, &columns);
    let mut lines = Vec::new();
    for store in chosen(options, &[LIMIT, OURS, TOWER_SESSIONS]) {
        let mut line = Line {
            name: store.program_name(),
            points: Vec::new(),
        };
        for sessions in WEIGHED {
            let found = measure(options, store, "fill", sessions, 1)?;
            let found = found["bytes"].as_f64().unwrap_or(f64::NAN);
            let mebibytes = found * sessions as f64 / 1_048_576.0;
            line.points.push((sessions as f64, mebibytes));
            if sessions == many {
                let json = match store {
                    OURS => CONTENTS + COOKIE,
                    _ => CONTENTS,
                };
                table.rows.push(vec![
                    Cell::Text(store.program_name()),
                    Cell::Number(found.round()),
                    Cell::Number((found - json as f64).round()),
                ]);
            }
        }
        lines.push(line);
    }
    let plot = Plot {
        file: "memory".to_owned(),
        title: format!("Memory for sessions of {CONTENTS} bytes"),
        x: "sessions".to_owned(),
        y: "MiB".to_owned(),
        lines,
    };
    Ok((table, plot))
}
