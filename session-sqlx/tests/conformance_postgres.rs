//! The suite that any store is held to, on PostgreSQL with each of its schemas.

mod support;

mod native {
    use crate::support::harness::NativePostgres;
    session_conformance::suite!(NativePostgres, without: [get_and_touch, server_ttl, max_record_bytes, skew]);
}

mod connect_pg_simple {
    use crate::support::harness::ConnectPgSimple;
    session_conformance::suite!(ConnectPgSimple, without: [get_and_touch, server_ttl, max_record_bytes, skew]);
}
