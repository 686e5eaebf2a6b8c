//! A server that does not know the scripts (any more).

use std::time::Duration;

use session_core::{Replaced, Store, Touched};
use session_redis::RedisStore;

use crate::support::server::Server;
use crate::{cookie, id, record};

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let private = Server::start().unwrap();
    let store = RedisStore::builder().ttl(None);
    let store = store.connect(&private.url()).await.unwrap();
    let (a, b) = (
        record("a", Duration::from_secs(60)),
        record("b", Duration::from_secs(60)),
    );
    store.set(&id("x"), &a).await.unwrap();
    for (old, new) in [(&a, &b), (&b, &a)] {
        let mut admin = private.admin().await.unwrap();
        let mut flush = redis::cmd("SCRIPT");
        flush.arg("FLUSH").exec_async(&mut admin).await.unwrap();
        let replaced = store.replace(&id("x"), old, new).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
        let touched = store.touch(&id("x"), &cookie(None)).await.unwrap();
        assert_eq!(touched, Touched::Touched);
    }
}
