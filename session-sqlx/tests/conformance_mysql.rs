//! The suite that any store is held to, on MariaDB with each of its schemas.

mod support;

mod native {
    use crate::support::harness::NativeMariaDb;
    session_conformance::suite!(NativeMariaDb, without: [get_and_touch, server_ttl, skew]);
}

mod express_mysql_session {
    use crate::support::harness::ExpressMysqlSession;
    session_conformance::suite!(ExpressMysqlSession, without: [get_and_touch, server_ttl, skew]);
}
