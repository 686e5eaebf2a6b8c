//! The suite on servers in containers, where the environment does not name any.

mod support;

use session_conformance::{Harness, Options, run};
use support::harness::{NativeMariaDb, NativeMySql, NativePostgres};
use test_servers::{Kind, Server};

fn passes(harness: impl Harness, kind: Kind) {
    let server = Server::contained(kind).unwrap_or_else(|why| panic!("{why}"));
    server.share().unwrap_or_else(|why| panic!("{why}"));
    let report = run(harness, Options::new());
    assert_eq!(report.exit_code(), 0, "\n{}", report.to_text());
}

#[test]
fn the_suite_passes_on_postgres() {
    passes(NativePostgres, Kind::Postgres);
}

#[test]
fn the_suite_passes_on_mariadb() {
    passes(NativeMariaDb, Kind::MariaDb);
}

#[test]
fn the_suite_passes_on_mysql() {
    passes(NativeMySql, Kind::MySql);
}
