//! The suite that any store is held to, on SQLite with each of its schemas.

mod support;

mod native {
    use crate::support::harness::NativeSqlite;
    session_conformance::suite!(NativeSqlite, without: [get_and_touch, server_ttl, max_record_bytes, fault, round_trips, skew]);
}

mod connect_sqlite3 {
    use crate::support::harness::ConnectSqlite3;
    session_conformance::suite!(ConnectSqlite3, without: [get_and_touch, server_ttl, max_record_bytes, fault, round_trips, skew]);
}

mod better_sqlite3 {
    use crate::support::harness::BetterSqlite3;
    session_conformance::suite!(BetterSqlite3, without: [get_and_touch, server_ttl, max_record_bytes, fault, round_trips, skew]);
}
