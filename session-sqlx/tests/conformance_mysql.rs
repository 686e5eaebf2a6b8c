//! The suite that any store is held to, on MariaDB with each of its schemas.

mod support;

mod native {
    use crate::support::harness::NativeMariaDb;
    session_conformance::suite!(NativeMariaDb, without: [server_ttl, skew]);
}

mod express_mysql_session {
    use crate::support::harness::ExpressMysqlSession;
    session_conformance::suite!(ExpressMysqlSession, without: [server_ttl, skew]);
}
