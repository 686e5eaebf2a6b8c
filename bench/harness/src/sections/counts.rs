//! What can be counted: round trips to the store, bytes on the way, instructions, allocations. Other
//! programs on the machine cannot disturb it.

use std::collections::HashMap;

use crate::callgrind::{self, Counted};
use crate::child::Server;
use crate::load::Connection;
use crate::options::Options;
use crate::proxy::{Passed, Proxy};
use crate::scenario::{self, Scenario};
use crate::servers::Place;
use crate::site::{self, Site, ask};
use crate::stack::{Program, STACKS, Stack, Store};
use crate::table::{Cell, Table};

/// Sessions, each of which is asked for once before and once while things are counted.
pub(super) const SESSIONS: usize = 100;

/// For one request.
#[derive(Clone, Copy, Default)]
struct Count {
    passed: [f64; 3],
    code: Option<[f64; 2]>,
}

type Counts = HashMap<(Stack, Scenario), Count>;

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, String> {
    let runtime = site::runtime()?;
    let mut counts = Counts::new();
    let stacks = STACKS.iter().copied();
    let stacks: Vec<_> = stacks.filter(|stack| options.takes(*stack)).collect();
    for &stack in &stacks {
        eprintln!("counting: {}", stack.name());
        runtime.block_on(count(stack, options, &mut counts))?;
    }
    let tables = Scenario::ALL.map(|scenario| table(scenario, &stacks, &counts));
    let tables = tables.into_iter().filter(|table| !table.rows.is_empty());
    let tables: Vec<_> = tables.collect();
    if options.quick {
        check_budget(&counts).inspect_err(|_| {
            for table in &tables {
                println!("{}", table.markdown());
            }
        })?;
    }
    Ok(tables)
}

async fn count(stack: Stack, options: &Options, counts: &mut Counts) -> Result<(), String> {
    // Node's own instructions would be those of its compiler.
    let is_profiled = !options.quick && stack.program != Program::Express;
    for extend in [false, true] {
        let scenarios: Vec<_> = Scenario::of(stack, extend).collect();
        if scenarios.is_empty() {
            continue;
        }
        let place = Place::new(stack.store)?;
        let proxy = Proxy::before(&place).await?;
        let url = match &proxy {
            None => place.url(),
            Some(proxy) => place.url_at(proxy.address),
        };
        let profiler = is_profiled.then(callgrind::Profiler::new).transpose()?;
        let wrapper = profiler
            .as_ref()
            .map_or(Vec::new(), callgrind::Profiler::command);
        let server = Server::start(
            stack,
            &url,
            scenario::flags(extend),
            options.pinning,
            &wrapper,
        )?;
        let site = Site::open(server, stack, SESSIONS).await?;
        let mut connection = site.connect().await?;
        for scenario in scenarios {
            ask_all(&site, scenario, &mut connection).await?;
            let passed = || proxy.as_ref().map_or(Passed::default(), Proxy::passed);
            if let Some(profiler) = &profiler {
                profiler.reset(&site.server)?;
            }
            let before = passed();
            let requests = ask_all(&site, scenario, &mut connection).await? as f64;
            let passed = passed() - before;
            let code = match &profiler {
                Some(profiler) => Some(profiler.read(&site.server)?),
                None => None,
            };
            let code = code.map(
                |Counted {
                     instructions,
                     allocations,
                 }| {
                    [instructions, allocations].map(|count| count as f64 / requests)
                },
            );
            let passed = [passed.round_trips, passed.sent, passed.received];
            let passed = passed.map(|count| count as f64 / requests);
            counts.insert((stack, scenario), Count { passed, code });
        }
        site.server.stop();
    }
    Ok(())
}

/// Asks for every session once, one after the other, and says how many requests that were.
pub(super) async fn ask_all(
    site: &Site,
    scenario: Scenario,
    connection: &mut Connection,
) -> Result<usize, String> {
    let requests = site.requests(scenario);
    for request in requests.iter().cycle().take(SESSIONS) {
        let answer = ask(connection, request).await?;
        if answer
            .views
            .is_none_or(|views| views < scenario.least_views())
        {
            return Err(format!("{}: {:?} views", scenario.name(), answer.views));
        }
    }
    Ok(SESSIONS)
}

/// This project's stores take no more round trips than its documentation says.
fn check_budget(counts: &Counts) -> Result<(), String> {
    for ((stack, scenario), count) in counts {
        let budget = match scenario {
            Scenario::Stranger | Scenario::Untouched => 0.0,
            Scenario::Read | Scenario::New => 1.0,
            Scenario::Extend | Scenario::Edit => 2.0,
        };
        let [round_trips, ..] = count.passed;
        if stack.program == Program::Ours && round_trips > budget {
            return Err(format!(
                "{}, {}: {round_trips} round trips for a request, not {budget}",
                stack.name(),
                scenario.name(),
            ));
        }
    }
    Ok(())
}

fn table(scenario: Scenario, stacks: &[Stack], counts: &Counts) -> Table {
    let about = format!(
        "`{}`, one request after the other; for each request. Round trips: how often the stack spoke \
         to its store and waited. Instructions: of the program, without the kernel's, as Valgrind \
         counts them; above the bare app, against by hand. Allocations: calls of `malloc`, `calloc`, \
         `realloc` and their like.",
        scenario.path()
    );
    let columns = [
        "stack",
        "round trips",
        "bytes to the store",
        "bytes from it",
        "instructions",
        "above the bare app",
        "against by hand",
        "allocations",
        "above the bare app's",
    ];
    let mut table = Table::new(scenario.name(), &about, &columns);
    for &stack in stacks {
        let Some(own) = counts.get(&(stack, scenario)) else {
            continue;
        };
        let code = own.code;
        let bare = counts.get(&(stack.bare(), Scenario::Stranger));
        let bare = bare.and_then(|bare| bare.code);
        let limit = counts.get(&(stack.limit(), scenario));
        let limit = limit
            .and_then(|limit| limit.code)
            .filter(|_| stack.limit() != stack);
        let number = |value: Option<f64>| value.map_or(Cell::None, Cell::Number);
        let above = |which: usize| {
            let is_bare = stack.store == Store::None;
            code.zip(bare.filter(|_| !is_bare))
                .map(|(own, bare)| own[which] - bare[which])
        };
        let [round_trips, sent, received] = own.passed.map(Cell::Number);
        table.rows.push(vec![
            Cell::Text(stack.name()),
            round_trips,
            sent,
            received,
            number(code.map(|[instructions, _]| instructions.round())),
            number(above(0).map(f64::round)),
            number(code.zip(limit).map(|([own, _], [limit, _])| own / limit)),
            number(code.map(|[_, allocations]| allocations)),
            number(above(1)),
        ]);
    }
    table
}
