//! What operations cost with few sessions and with many, and what a sweep costs the others.

use serde_json::Value;

use crate::child;
use crate::options::Options;
use crate::plot::{Line, Plot};
use crate::sections::Results;
use crate::servers::Place;
use crate::stack::{Program, Stack, Store};
use crate::table::{Cell, Spread, Table};

const SESSIONS: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Takes minutes, and gigabytes.
const MANY: usize = 10_000_000;
const OPERATIONS: [&str; 5] = ["get", "set", "touch", "length", "sweep"];

pub(crate) fn run(options: &Options) -> Result<Results, String> {
    let mut results = Results::default();
    let stores: Vec<_> = options.stores.clone();
    for &store in &stores {
        let found = sizes(store, options)
            .map(|sessions| Ok((sessions, measure(options, store, "growth", sessions)?)))
            .collect::<Result<Vec<_>, String>>()?;
        results.tables.push(table(store, &found));
        results.plots.push(plot(store, &found));
    }
    let most = options.growth_most(SESSIONS[SESSIONS.len() - 1]);
    let mut sweeps = Table::new(
        "While sessions expire",
        "Without and with a sweep at the same time; three rounds, medians (least–most). `memory`: the \
         longest that any of the reads and writes took while all sessions but 10,000 \
         were removed on another thread, and while that thread only computed; time that the \
         two threads waited for a CPU is not counted. `postgres`: the 99th \
         percentile of reads, 1,000 in a second, while 100,000 expired rows were removed.",
        &[
            "store",
            "sessions",
            "without, µs",
            "with, µs",
            "ratio",
            "sweep, ms",
        ],
    );
    for (store, operation) in [
        (Store::Memory, "stall"),
        (Store::Postgres, "reads-while-sweeping"),
    ] {
        if stores.contains(&store) {
            let found = measure(options, store, operation, most)?;
            let ratios = numbers(&found, "sweeping").into_iter();
            let ratios = ratios
                .zip(numbers(&found, "quiet"))
                .map(|(own, other)| own / other);
            sweeps.rows.push(vec![
                Cell::Text(store.name().to_owned()),
                Cell::Number(most as f64),
                Cell::spread(numbers(&found, "quiet")),
                Cell::spread(numbers(&found, "sweeping")),
                Cell::spread(ratios.collect()),
                Cell::spread(numbers(&found, "sweep")),
            ]);
        }
    }
    if !sweeps.rows.is_empty() {
        results.tables.push(sweeps);
    }
    Ok(results)
}

fn sizes(store: Store, options: &Options) -> impl Iterator<Item = usize> {
    let many = options.many && matches!(store, Store::Memory | Store::Sled);
    let most = options.growth_most(if many { MANY } else { usize::MAX });
    let sizes = SESSIONS.into_iter().chain(many.then_some(MANY));
    sizes.filter(move |sessions| *sessions <= most)
}

fn measure(
    options: &Options,
    store: Store,
    operation: &str,
    sessions: usize,
) -> Result<Value, String> {
    eprintln!("{operation}: {}, {sessions} sessions", store.name());
    let place = Place::new(store)?;
    let stack = Stack::new(Program::Ours, store);
    let micro = [operation, &sessions.to_string(), "1"];
    child::micro(options.pinning, stack, &place.url(), micro)
}

fn numbers(found: &Value, field: &str) -> Vec<f64> {
    let numbers = found[field].as_array().into_iter().flatten();
    numbers.filter_map(Value::as_f64).collect()
}

fn table(store: Store, found: &[(usize, Value)]) -> Table {
    let bytes = match store {
        Store::Memory => "that this process has grown by",
        Store::Redis => "that the server has grown by",
        _ => "on the disk",
    };
    let sweep = match store {
        Store::Redis => "Redis removes what has expired by itself.",
        _ => "`sweep`: for each of 10,000 sessions that have expired, in turns of 1,000.",
    };
    let about = format!(
        "This project's store, one operation after the other on a session at random, without HTTP. \
         Nanoseconds for an operation, for `length` as a whole; three samples, medians (least–most). \
         {sweep} Bytes: {bytes}, for a session."
    );
    let columns: Vec<_> = ["sessions"]
        .into_iter()
        .chain(OPERATIONS)
        .chain(["bytes"])
        .collect();
    let mut table = Table::new(&format!("Growth, {}", store.name()), &about, &columns);
    for (sessions, found) in found {
        let mut row = vec![Cell::Number(*sessions as f64)];
        row.extend(OPERATIONS.map(|operation| Cell::spread(numbers(found, operation))));
        row.push(Cell::Number(
            found["bytes"].as_f64().unwrap_or(f64::NAN).round(),
        ));
        table.rows.push(row);
    }
    table
}

fn plot(store: Store, found: &[(usize, Value)]) -> Plot {
    let lines = OPERATIONS.into_iter().map(|operation| Line {
        name: operation.to_owned(),
        points: found
            .iter()
            .filter_map(|(sessions, found)| {
                let median = Spread::of(numbers(found, operation))?.median;
                Some((*sessions as f64, median / 1e3))
            })
            .collect(),
    });
    Plot {
        file: format!("growth-{}", store.name()),
        title: format!("Time of an operation, {} store", store.name()),
        x: "sessions".to_owned(),
        y: "µs".to_owned(),
        lines: lines.filter(|line| !line.points.is_empty()).collect(),
    }
}
