//! What was aimed at, and whether the results reach it.

use crate::options::Options;
use crate::results::Results;
use crate::table::{Cell, Table, readable};

const SECTIONS: [&str; 5] = ["counts", "http", "memory", "safety", "growth"];
const CPU: &str = "server CPU, µs/request";
const SERVERS: [&str; 3] = ["redis", "postgres", "mysql"];
const OTHERS: [&str; 5] = ["redis", "postgres", "mysql", "sqlite", "sled"];
const SCENARIOS: [&str; 4] = ["read", "read and extend", "read and modify", "new session"];
const PEERS: [&str; 4] = [
    "tower-sessions",
    "axum_session",
    "actix-session",
    "express-session",
];

/// How a value is held against what was aimed at.
#[derive(Clone, Copy)]
enum Aim {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
    /// What is to be known, not to be reached.
    Stated,
}

impl Aim {
    fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(value <= most),
            Self::AtLeast(least) => Some(value >= least),
            Self::Below(limit) => Some(value < limit),
            Self::Stated => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", readable(most)),
            Self::AtLeast(least) => format!("≥ {}", readable(least)),
            Self::Below(limit) => format!("< {}", readable(limit)),
            Self::Stated => "stated".to_owned(),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, String> {
    let Some(directory) = &options.results else {
        return Ok(Vec::new());
    };
    let mut targets = Targets {
        results: Results::read(directory, &SECTIONS)?,
        rows: Vec::new(),
        met: 0,
        missed: 0,
    };
    targets.middleware();
    targets.stores();
    targets.rolling();
    targets.express();
    targets.memory();
    targets.growth();
    targets.safety();
    let about = format!(
        "The targets of this project, held against the results beside this file: {} of {} that were \
         measured are met. Ratios are of medians, or medians of ratios within a round where the tables \
         have those.",
        targets.met,
        targets.met + targets.missed,
    );
    let columns = ["target", "what", "aimed at", "measured", "met"];
    let mut table = Table::new("Targets", &about, &columns);
    table.rows = targets.rows;
    Ok(vec![table])
}

struct Targets {
    results: Results,
    rows: Vec<Vec<Cell>>,
    met: usize,
    missed: usize,
}

impl Targets {
    fn hold(&mut self, target: &str, what: String, aim: Aim, measured: Option<f64>) {
        let met = match measured.map(|value| aim.is_met(value)) {
            None => "not measured",
            Some(None) => "–",
            Some(Some(true)) => {
                self.met += 1;
                "yes"
            }
            Some(Some(false)) => {
                self.missed += 1;
                "**no**"
            }
        };
        self.rows.push(vec![
            Cell::Text(target.to_owned()),
            Cell::Text(what),
            Cell::Text(aim.text()),
            measured.map_or(Cell::None, Cell::Number),
            Cell::Text(met.to_owned()),
        ]);
    }

    /// A value of the sections that have a table for each scenario.
    fn stack(&self, section: &str, scenario: &str, stack: &str, column: &str) -> Option<f64> {
        let row = [("stack", stack)];
        self.results.median([section, scenario, column], &row)
    }

    fn middleware(&mut self) {
        for (scenario, most) in [
            ("cookie, untouched", 0.5),
            ("read", 1.5),
            ("read and modify", 3.0),
        ] {
            let above = self.stack("http", scenario, "ours, memory", "above the bare app, µs");
            let what = format!("CPU above the bare app, memory, {scenario}, µs");
            self.hold("1 middleware", what, Aim::AtMost(most), above);
        }
    }

    fn stores(&mut self) {
        for store in OTHERS {
            let own = format!("ours, {store}");
            for scenario in SCENARIOS {
                let cpu = self.stack("http", scenario, &own, "CPU against by hand");
                let what = format!("{store}, {scenario}: CPU against by hand");
                self.hold("2 stores", what, Aim::AtMost(1.15), cpu);

                let p50 = |stack: &str| self.stack("http", scenario, stack, "p50, µs");
                let limit = p50(&format!("by hand, {store}"));
                let ratio = p50(&own).zip(limit).map(|(own, limit)| own / limit);
                let what = format!("{store}, {scenario}: p50 against by hand");
                self.hold("2 stores", what, Aim::AtMost(1.15), ratio);
            }
        }
        for store in ["memory"].iter().chain(&OTHERS) {
            for scenario in SCENARIOS {
                self.best_peer(store, scenario);
            }
        }
        self.pipelining();
        for store in SERVERS {
            for (scenario, most) in [
                ("cookie, untouched", 0.0),
                ("read", 1.0),
                ("read and modify", 2.0),
                ("new session", 1.0),
            ] {
                let own = format!("ours, {store}");
                let trips = self.stack("counts", scenario, &own, "round trips");
                let what = format!("{store}, {scenario}: round trips");
                self.hold("2 stores", what, Aim::AtMost(most), trips);
            }
        }
    }

    /// Against the peer that needs the least. Rows with a cache are not among them: they do less.
    fn best_peer(&mut self, store: &str, scenario: &str) {
        let cpu = |program: &str| {
            let stack = format!("{program}, {store}");
            self.stack("http", scenario, &stack, CPU)
        };
        let peers = PEERS.iter().filter_map(|peer| Some((peer, cpu(peer)?)));
        let best = peers.min_by(|(_, one), (_, other)| one.total_cmp(other));
        if let Some((peer, best)) = best {
            let ratio = cpu("ours").map(|own| own / best);
            let what = format!("{store}, {scenario}: CPU against {peer}, the best peer");
            self.hold("2 stores", what, Aim::Below(1.0), ratio);
        }
    }

    /// How far from what another kind of client could do. By hand it is sqlx above: the client that
    /// this project's store is built on.
    fn pipelining(&mut self) {
        for scenario in SCENARIOS {
            for (column, short) in [(CPU, "CPU"), ("p50, µs", "p50")] {
                let [own, limit] = ["ours, postgres", "by hand (pipelining), postgres"]
                    .map(|stack| self.stack("http", scenario, stack, column));
                let ratio = own.zip(limit).map(|(own, limit)| own / limit);
                let what = format!(
                    "postgres, {scenario}: {short} against by hand with a pipelining client"
                );
                self.hold("2 stores", what, Aim::Stated, ratio);
            }
        }
    }

    fn rolling(&mut self) {
        for store in ["redis", "postgres"] {
            let own = format!("ours, {store}");
            let trips = self.stack("counts", "read and extend", &own, "round trips");
            let what = format!("{store}, read and extend: round trips");
            self.hold("3 rolling", what, Aim::AtMost(2.0), trips);
        }
    }

    fn express(&mut self) {
        for (store, least) in [("memory", 15.0), ("redis", 8.0)] {
            for scenario in ["read", "read and modify"] {
                let cpu =
                    |stack: &str| self.stack("http", scenario, &format!("{stack}, {store}"), CPU);
                let ratio = cpu("express-session").zip(cpu("ours"));
                let what = format!("{store}, {scenario}: requests per server CPU second");
                let ratio = ratio.map(|(express, own)| express / own);
                self.hold("4 express-session", what, Aim::AtLeast(least), ratio);
            }
        }
    }

    fn memory(&mut self) {
        let target = "5 memory store";
        for operation in ["get", "set"] {
            let row = [("store", "ours"), ("operation", operation)];
            let time = |column| {
                let place = ["memory", "Time in memory", column];
                self.results.median(place, &row)
            };
            let (against, faster) = (time("against by hand"), time("faster with 2"));
            let boxed = time("against it boxed");
            let what = format!("{operation} against by hand");
            self.hold(target, what, Aim::AtMost(1.3), against);
            let what = format!("{operation} against by hand behind a trait");
            self.hold(target, what, Aim::Stated, boxed);
            let what = format!("{operation}, two threads against one");
            self.hold(target, what, Aim::AtLeast(1.8), faster);
        }
        let place = ["memory", "Bytes in memory", "on top of its JSON"];
        let bytes = |store| self.results.median(place, &[("store", store)]);
        let (own, limit) = (bytes("ours"), bytes("by hand"));
        let what = "bytes for a session on top of its JSON".to_owned();
        self.hold(target, what, Aim::AtMost(150.0), own);
        let what = "the same against by hand".to_owned();
        let against = own.zip(limit).map(|(own, limit)| own / limit);
        self.hold(target, what, Aim::Stated, against);
        let place = ["growth", "While sessions expire", "with, µs"];
        let stall = self.results.median(place, &[("store", "memory")]);
        let what = "longest operation while the sessions expire, µs".to_owned();
        self.hold(target, what, Aim::AtMost(1_000.0), stall);
    }

    fn growth(&mut self) {
        for store in ["memory"].iter().chain(&OTHERS) {
            let title = format!("Growth, {store}");
            for operation in ["get", "set", "touch", "sweep"] {
                let at = |sessions| {
                    let place = ["growth", &title, operation];
                    self.results.median(place, &[("sessions", sessions)])
                };
                let grown = at("1000000").zip(at("10000"));
                // Redis has no sweep.
                if grown.is_some() || operation != "sweep" {
                    let what = format!("{store}, {operation}: 1,000,000 sessions against 10,000");
                    let grown = grown.map(|(many, few)| many / few);
                    self.hold("6 growth", what, Aim::Stated, grown);
                }
            }
        }
        let place = ["growth", "While sessions expire", "ratio"];
        let ratio = self.results.median(place, &[("store", "postgres")]);
        let what = "postgres: p99 of reads during a sweep against without".to_owned();
        self.hold("6 growth", what, Aim::AtMost(1.5), ratio);
    }

    fn safety(&mut self) {
        let place = |column| ["safety", "Writing safely", column];
        for store in ["memory"].iter().chain(&OTHERS) {
            let row = [("store", *store), ("writes", "conditional")];
            let least = self.results.value(place("ratio"), &row);
            // Where a round was as quick as without, nothing more can be measured.
            let least = least.and_then(|ratio| ratio["min"].as_f64());
            let what = format!("{store}: CPU, conditional against plain, the least of the rounds");
            self.hold("7 safety", what, Aim::AtMost(1.0), least);
            let row = [
                ("store", *store),
                ("writes", "conditional, and somebody writes this session"),
            ];
            let price = self.results.median(place("more, µs"), &row);
            let what = format!("{store}: CPU of a conflict, µs");
            self.hold("7 safety", what, Aim::Stated, price);
        }
    }
}
