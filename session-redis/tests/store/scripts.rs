//! A server that does not know the scripts (any more).

use std::time::Duration;

use session_core::{Replaced, Store, Touched};
use session_redis::RedisStore;

use crate::{cookie, id, private, record, site};
use test_servers::Kind;

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let private = private(Kind::Redis);
    let store = RedisStore::builder().ttl(None);
    let store = store.connect(&private.url()).await.unwrap();
    let (a, b) = (
        record("a", Duration::from_secs(60)),
        record("b", Duration::from_secs(60)),
    );
    store.set(&id("x"), &a).await.unwrap();
    for (old, new) in [(&a, &b), (&b, &a)] {
        let mut admin = site::admin(&private).await.unwrap();
        let mut flush = redis::cmd("SCRIPT");
        let _: String = admin.ask(flush.arg("FLUSH")).await.unwrap();
        let replaced = store.replace(&id("x"), old, new).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
        let touched = store.touch(&id("x"), &cookie(None)).await.unwrap();
        assert_eq!(touched, Touched::Touched);
    }
}
