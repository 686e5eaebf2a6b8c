//! Throughput and latency against concurrency.

use std::time::Duration;

use crate::child::Server;
use crate::options::Options;
use crate::plot::{Line, Plot};
use crate::scenario::Scenario;
use crate::sections::Results;
use crate::sections::failures::Failures;
use crate::servers::Place;
use crate::site::{self, SESSIONS, Site};
use crate::stack::{STACKS, Stack, Store};
use crate::table::{Cell, Spread, Table};

const CONNECTIONS: [usize; 5] = [1, 4, 16, 64, 256];
const WARM_UP: Duration = Duration::from_millis(200);

/// Requests per second and median latencies in microseconds, one of each a round.
type Samples = (Vec<f64>, Vec<f64>);

/// A stack's samples, for each number of connections.
type Curve = Vec<Samples>;

pub(crate) fn run(options: &Options) -> Result<Results, String> {
    let runtime = site::runtime()?;
    let stacks = STACKS.iter().copied();
    let stacks: Vec<_> = stacks
        .filter(|stack| {
            options.takes(*stack) && matches!(stack.store, Store::Memory | Store::Redis)
        })
        .collect();
    let mut curves = vec![vec![(Vec::new(), Vec::new()); CONNECTIONS.len()]; stacks.len()];
    let mut failures = Failures::default();
    for round in 0..rounds(options) {
        for (&stack, curve) in stacks.iter().zip(&mut curves) {
            eprintln!("round {}: {}", round + 1, stack.name());
            let measured = runtime.block_on(measure(stack, options, curve));
            failures.note(stack, measured)?;
        }
    }
    let mut results = Results::default();
    for store in [Store::Memory, Store::Redis] {
        let curves: Vec<_> = stacks
            .iter()
            .zip(&curves)
            .filter(|(stack, _)| stack.store == store)
            .collect();
        if !curves.is_empty() {
            let mut table = table(store, &curves, options);
            table.about.push_str(&failures.sentence());
            results.tables.push(table);
            results.plots.extend(plots(store, &curves));
        }
    }
    Ok(results)
}

/// A curve shows by its neighbours what is chance.
fn rounds(options: &Options) -> usize {
    options.rounds.div_ceil(2)
}

async fn measure(stack: Stack, options: &Options, curve: &mut Curve) -> Result<(), String> {
    let place = Place::new(stack.store)?;
    let server = Server::start(stack, &place.url(), &[], options.pinning, &[])?;
    let site = Site::open(server, stack, SESSIONS).await?;
    for (connections, (throughput, latency)) in CONNECTIONS.into_iter().zip(curve) {
        site.load(Scenario::Edit, connections, WARM_UP).await?;
        let load = site
            .load(Scenario::Edit, connections, options.duration)
            .await?;
        throughput.push(load.requests as f64 / load.elapsed.as_secs_f64());
        latency.push(load.latency.value_at_quantile(0.5) as f64 / 1e3);
    }
    site.server.stop();
    Ok(())
}

fn table(store: Store, curves: &[(&Stack, &Curve)], options: &Options) -> Table {
    let about = format!(
        "`/edit`: each request reads and modifies one of {SESSIONS} sessions; {} s in each of {} \
         rounds, the stacks in turn; medians (least–most).",
        options.duration.as_secs_f64(),
        rounds(options)
    );
    let title = format!(
        "Throughput and latency against concurrency, {}",
        store.name()
    );
    let columns = ["stack", "connections", "requests/s", "p50, µs"];
    let mut table = Table::new(&title, &about, &columns);
    for (stack, curve) in curves {
        for (connections, (throughput, latency)) in CONNECTIONS.into_iter().zip(*curve) {
            table.rows.push(vec![
                Cell::Text(stack.name()),
                Cell::Number(connections as f64),
                Cell::spread(throughput.clone()),
                Cell::spread(latency.clone()),
            ]);
        }
    }
    table
}

fn plots(store: Store, curves: &[(&Stack, &Curve)]) -> [Plot; 2] {
    let lines = |pick: fn(&Samples) -> &Vec<f64>| {
        let lines = curves.iter().map(|(stack, curve)| Line {
            name: stack.name(),
            points: CONNECTIONS
                .into_iter()
                .zip(*curve)
                .filter_map(|(x, samples)| {
                    Some((x as f64, Spread::of(pick(samples).clone())?.median))
                })
                .collect(),
        });
        lines.collect()
    };
    let plot = |what: &str, y: &str, lines| Plot {
        file: format!("{what}-{}", store.name()),
        title: format!("Read and modify, {} store", store.name()),
        x: "connections".to_owned(),
        y: y.to_owned(),
        lines,
    };
    [
        plot("throughput", "requests/s", lines(|samples| &samples.0)),
        plot("latency", "p50, µs", lines(|samples| &samples.1)),
    ]
}
