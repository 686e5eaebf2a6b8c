//! Pages by the real lifecycle, each of which is to extend its session, while the server refuses
//! to write.

use std::time::Duration;

use session_core::{Clock, ErrorKind};
use session_redis::RedisStore;
use test_servers::Kind;

use crate::support::visitor::{Visitor, lifecycle};
use crate::{HOUR, prefix, private, site};

#[tokio::test]
async fn a_page_that_changes_nothing_is_answered_by_a_server_that_refuses_writes() {
    let server = private(Kind::Redis);
    let prefix = prefix();
    let store = RedisStore::builder().prefix(&prefix);
    let store = store.connect(&server.url()).await.unwrap();
    let mut admin = site::admin(&server).await.unwrap();
    for (refuse, accept, extends) in [
        // What extends a session needs no memory.
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", true),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", false),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            false,
        ),
    ] {
        let pages = lifecycle(store.clone(), &Clock::system(), HOUR);
        let visitor = Visitor::with_session(&pages).await;
        let key = format!("{prefix}{}", visitor.id().as_str());
        let is_extended = async |admin: &mut site::Admin| {
            let left: u64 = admin.ask(redis::cmd("PTTL").arg(&key)).await.unwrap();
            Duration::from_millis(left) > HOUR / 2
        };
        let soon = (HOUR / 6).as_secs();
        let expire = format!("EXPIRE {key} {soon}");
        let _: u64 = admin.ask(&site::words(&expire)).await.unwrap();

        let _: String = admin.ask(&site::words(refuse)).await.unwrap();
        for _ in 0..10 {
            assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{refuse}");
            visitor.passes_by(&pages).await.unwrap();
        }
        let missed = if extends { 0 } else { 20 };
        assert_eq!(pages.counts().not_extended, missed, "{refuse}");
        assert_eq!(is_extended(&mut admin).await, extends, "{refuse}");
        let error = visitor.counts(&pages).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{refuse}: {error:?}");
        assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{refuse}");

        let _: String = admin.ask(&site::words(accept)).await.unwrap();
        assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{refuse}");
        assert!(is_extended(&mut admin).await, "{refuse}");
        visitor.counts(&pages).await.unwrap();
        assert_eq!(visitor.reads(&pages).await.unwrap(), 2, "{refuse}");
    }
}
