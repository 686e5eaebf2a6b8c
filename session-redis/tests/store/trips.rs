//! Every operation is one round trip.

use futures_util::StreamExt;
use session_conformance::Proxy;
use session_core::Store;
use session_redis::RedisStore;

use crate::{HOUR, cookie, id, prefix, private, record};
use test_servers::Kind;

#[tokio::test]
async fn every_operation_is_one_round_trip() {
    // Alone on its server, so that SCAN ends with its first page.
    let private = private(Kind::Redis);
    let proxy = Proxy::start(private.address()).unwrap();
    let endless = RedisStore::builder().prefix(prefix()).ttl(None);
    let store = endless
        .trust_idle(HOUR)
        .connect(&private.url_at(proxy.address()))
        .await
        .unwrap();
    let (a, b) = (record("a", HOUR), record("b", None));
    let x = id("x");
    // Once to make the server know the scripts, once to count.
    for counted in [false, true] {
        let mut before = proxy.round_trips();
        let mut check = |operation: &str| {
            let trips = proxy.round_trips() - before;
            assert!(trips == 1 || !counted, "{operation}: {trips} round trips");
            before = proxy.round_trips();
        };
        store.set(&x, &a).await.unwrap();
        check("set");
        store.get(&x).await.unwrap();
        check("get");
        let _ = store.create(&x, &a).await.unwrap();
        check("create");
        let _ = store.replace(&x, &a, &b).await.unwrap();
        check("replace");
        let _ = store.touch(&x, &cookie(HOUR)).await.unwrap();
        check("touch");
        let _ = store.touch(&x, &cookie(None)).await.unwrap();
        check("touch without an expiry");
        store.length().await.unwrap();
        check("length");
        store.ids().collect::<Vec<_>>().await;
        check("ids");
        store.destroy(&x).await.unwrap();
        check("destroy");
        store.all().collect::<Vec<_>>().await;
        check("all of nothing");
        store.clear().await.unwrap();
        check("clear of nothing");
    }
}
