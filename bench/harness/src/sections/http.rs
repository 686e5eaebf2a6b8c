//! Requests over HTTP, stack by stack, in rounds: what they cost the server, and how long they took.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::child::Server;
use crate::machine;
use crate::options::Options;
use crate::scenario::{self, Scenario};
use crate::sections::failures::Failures;
use crate::servers::Place;
use crate::site::{self, SESSIONS, Site};
use crate::stack::{STACKS, Stack};
use crate::table::{Cell, Table};

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(300);

/// One stack under one kind of load, once.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    round: usize,
    /// The server's CPU time for a request, in microseconds.
    pub(super) cpu: f64,
    per_second: f64,
    pub(super) p50: f64,
    p99: f64,
    /// The CPUs that neither the server nor the load used, but somebody: a store's server, or
    /// another program.
    others: f64,
}

type Samples = HashMap<(Stack, Scenario), Vec<Sample>>;

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, String> {
    let runtime = site::runtime()?;
    let mut samples = Samples::new();
    let stacks = STACKS.iter().copied();
    let stacks: Vec<_> = stacks.filter(|stack| options.takes(*stack)).collect();
    let mut failures = Failures::default();
    for round in 0..options.rounds {
        for &stack in &stacks {
            eprintln!("round {}: {}", round + 1, stack.name());
            let measured = runtime.block_on(measure(stack, round, options, &mut samples));
            failures.note(stack, measured)?;
        }
    }
    let mut tables = Vec::new();
    for scenario in Scenario::ALL {
        let mut table = table(scenario, &stacks, &samples, options);
        table.about.push_str(&failures.sentence());
        if !table.rows.is_empty() {
            tables.push(table);
        }
    }
    Ok(tables)
}

/// All that one stack does in one round.
async fn measure(
    stack: Stack,
    round: usize,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), String> {
    let place = Place::new(stack.store)?;
    for extend in [false, true] {
        let scenarios: Vec<_> = Scenario::of(stack, extend).collect();
        if scenarios.is_empty() {
            continue;
        }
        let flags = scenario::flags(extend);
        let server = Server::start(stack, &place.url(), flags, options.pinning, &[])?;
        let site = Site::open(server, stack, SESSIONS).await?;
        for scenario in scenarios {
            site.load(scenario, CONNECTIONS, WARM_UP).await?;
            let sample = sample(&site, scenario, round, options.duration).await?;
            samples.entry((stack, scenario)).or_default().push(sample);
        }
        site.server.stop();
    }
    Ok(())
}

pub(super) async fn sample(
    site: &Site,
    scenario: Scenario,
    round: usize,
    duration: Duration,
) -> Result<Sample, String> {
    let (started, busy) = (Instant::now(), machine::busy_ticks());
    let (server, own) = (site.server.cpu(), machine::own_cpu());
    let load = site.load(scenario, CONNECTIONS, duration).await?;
    let server = (site.server.cpu() - server) as f64;
    let own = (machine::own_cpu() - own) as f64;
    // A tick is 10 ms on every Linux that one meets.
    let busy = (machine::busy_ticks() - busy) as f64 * 1e7;
    let elapsed = started.elapsed().as_nanos() as f64;
    let requests = load.requests as f64;
    Ok(Sample {
        round,
        cpu: server / requests / 1e3,
        per_second: requests / load.elapsed.as_secs_f64(),
        p50: load.latency.value_at_quantile(0.5) as f64 / 1e3,
        p99: load.latency.value_at_quantile(0.99) as f64 / 1e3,
        others: ((busy - server - own) / elapsed).max(0.0),
    })
}

fn table(scenario: Scenario, stacks: &[Stack], samples: &Samples, options: &Options) -> Table {
    let about = format!(
        "`{}`; {CONNECTIONS} connections, {SESSIONS} sessions, {} s in each of {} rounds, the stacks in turn; medians (least–most). \
         Above the bare app, against by hand: both of the same round. Others: CPUs in use that are \
         neither the server's nor the load's.",
        scenario.path(),
        options.duration.as_secs_f64(),
        options.rounds,
    );
    let columns = [
        "stack",
        "server CPU, µs/request",
        "above the bare app, µs",
        "CPU against by hand",
        "requests/s",
        "p50, µs",
        "p99, µs",
        "others",
    ];
    let mut table = Table::new(scenario.name(), &about, &columns);
    for &stack in stacks {
        let Some(own) = samples.get(&(stack, scenario)) else {
            continue;
        };
        let column = |value: fn(&Sample) -> f64| Cell::spread(own.iter().map(value).collect());
        let bare = (stack.bare(), Scenario::Stranger);
        let limit = (stack.limit(), scenario);
        let against = |other, compare: fn(f64, f64) -> f64| {
            if other == (stack, scenario) {
                return Cell::None;
            }
            let others = samples.get(&other).into_iter().flatten();
            let pairs = others.filter_map(|other| {
                let own = own.iter().find(|own| own.round == other.round)?;
                Some(compare(own.cpu, other.cpu))
            });
            Cell::spread(pairs.collect())
        };
        table.rows.push(vec![
            Cell::Text(stack.name()),
            column(|sample| sample.cpu),
            against(bare, |own, bare| own - bare),
            against(limit, |own, limit| own / limit),
            column(|sample| sample.per_second),
            column(|sample| sample.p50),
            column(|sample| sample.p99),
            column(|sample| sample.others),
        ]);
    }
    table
}
