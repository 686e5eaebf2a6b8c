//! The suite that any store is held to, on MariaDB and MySQL with each of its schemas.

mod support;

mod native {
    use crate::support::harness::NativeMariaDb;
    session_conformance::suite!(NativeMariaDb, without: [server_ttl, skew]);
}

mod express_mysql_session {
    use crate::support::harness::ExpressMysqlSession;
    session_conformance::suite!(ExpressMysqlSession, without: [server_ttl, skew]);
}

mod native_on_mysql {
    use crate::support::harness::NativeMySql;
    session_conformance::suite!(NativeMySql, without: [server_ttl, skew]);
}

mod express_mysql_session_on_mysql {
    use crate::support::harness::ExpressMysqlSessionOnMySql;
    session_conformance::suite!(ExpressMysqlSessionOnMySql, without: [server_ttl, skew]);
}
