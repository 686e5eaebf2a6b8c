//! What it costs that no change is lost: the conditional write, and the merge after a conflict.

use std::collections::HashMap;
use std::time::Duration;

use crate::child::Server;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::sections::counts;
use crate::sections::http::{self, Sample};
use crate::servers::Place;
use crate::site::{self, SESSIONS, Site};
use crate::stack::{Program, Stack, Store};
use crate::table::{Cell, Table};

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(300);
/// As `bench-shared` calls them; what a row is compared with comes before it.
const WRITES: [(&str, &str, Option<&str>); 4] = [
    ("plain", "last write wins", None),
    ("safe", "conditional", Some("plain")),
    (
        "company",
        "conditional, and somebody writes another session",
        None,
    ),
    (
        "conflict",
        "conditional, and somebody writes this session",
        Some("company"),
    ),
];

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, String> {
    let runtime = site::runtime()?;
    let mut samples = HashMap::<(Store, &str), Vec<Sample>>::new();
    let mut trips = HashMap::new();
    for round in 0..options.rounds {
        for &store in &options.stores {
            let place = Place::new(store)?;
            for (writes, ..) in WRITES {
                eprintln!("round {}: {}, {writes}", round + 1, store.name());
                let measured = measure(store, &place, writes, round, options);
                let sample = runtime.block_on(measured)?;
                samples.entry((store, writes)).or_default().push(sample);
                if round == 0 {
                    let counted = count(store, &place, writes, options);
                    let counted = runtime.block_on(counted)?;
                    trips.insert((store, writes), counted);
                }
            }
        }
    }
    let about = format!(
        "`/edit`; {CONNECTIONS} connections, {SESSIONS} sessions, {} s in each of {} rounds, in turn; \
         medians (least–most), differences within a round. A conditional write without a conflict is \
         compared with a plain one. With a conflict, each request finds that its session was written \
         since it was read, reads it again, puts its change on top and writes again; it is \
         compared with a server that has the same company but no conflict.",
        options.duration.as_secs_f64(),
        options.rounds,
    );
    let columns = [
        "store",
        "writes",
        "round trips",
        "server CPU, µs/request",
        "ratio",
        "more, µs",
        "p50, µs",
        "p50, ratio",
    ];
    let mut table = Table::new("Writing safely", &about, &columns);
    for &store in &options.stores {
        for (writes, name, against) in WRITES {
            let own = &samples[&(store, writes)];
            let other = against.map_or(&[][..], |other| &samples[&(store, other)][..]);
            let pairs = |compare: fn(&Sample, &Sample) -> f64| {
                let pairs = own.iter().zip(other);
                Cell::spread(pairs.map(|(own, other)| compare(own, other)).collect())
            };
            table.rows.push(vec![
                Cell::Text(store.name().to_owned()),
                Cell::Text(name.to_owned()),
                Cell::Number(trips[&(store, writes)]),
                Cell::spread(own.iter().map(|sample| sample.cpu).collect()),
                pairs(|own, other| own.cpu / other.cpu),
                pairs(|own, other| own.cpu - other.cpu),
                Cell::spread(own.iter().map(|sample| sample.p50).collect()),
                pairs(|own, other| own.p50 / other.p50),
            ]);
        }
    }
    Ok(vec![table])
}

async fn measure(
    store: Store,
    place: &Place,
    writes: &str,
    round: usize,
    options: &Options,
) -> Result<Sample, String> {
    let stack = Stack::new(Program::Ours, store);
    let flags = ["--writes", writes];
    let server = Server::start(stack, &place.url(), &flags, options.pinning, &[])?;
    let site = Site::open(server, stack, SESSIONS).await?;
    site.load(Scenario::Edit, CONNECTIONS, WARM_UP).await?;
    let sample = http::sample(&site, Scenario::Edit, round, options.duration).await?;
    site.server.stop();
    Ok(sample)
}

/// The round trips of one request.
async fn count(
    store: Store,
    place: &Place,
    writes: &str,
    options: &Options,
) -> Result<f64, String> {
    let stack = Stack::new(Program::Ours, store);
    let Some(proxy) = Proxy::before(place).await? else {
        return Ok(0.0);
    };
    let flags = ["--writes", writes];
    let url = place.url_at(proxy.address);
    let server = Server::start(stack, &url, &flags, options.pinning, &[])?;
    let site = Site::open(server, stack, counts::SESSIONS).await?;
    let mut connection = site.connect().await?;
    counts::ask_all(&site, Scenario::Edit, &mut connection).await?;
    let before = proxy.passed();
    let requests = counts::ask_all(&site, Scenario::Edit, &mut connection).await?;
    let passed = proxy.passed() - before;
    site.server.stop();
    Ok(passed.round_trips as f64 / requests as f64)
}
