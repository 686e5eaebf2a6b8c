//! How many allocations the layer adds to a request, so that none comes back unnoticed.

use std::convert::Infallible;
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use session_memory::MemoryStore;
use session_tower::{CookieOptions, Secrets, SessionHandle, SessionLayer, SessionOptions};
use tower::{Layer, Service, service_fn};

async fn act(request: Request<()>) -> Result<Response<()>, Infallible> {
    if request.uri().path() != "/untouched" {
        let handle = request
            .extensions()
            .get::<SessionHandle>()
            .expect("the layer is there");
        let session = handle.session().await.expect("memory").expect("a session");
        let views: u32 = session.get("views").expect("a number").unwrap_or(0);
        if request.uri().path() == "/write" {
            session.insert("views", &(views + 1)).expect("a number");
        }
    }
    Ok(Response::new(()))
}

fn allocations(
    service: &mut impl Service<Request<()>, Response = Response<()>, Error = Infallible>,
    path: &str,
    cookie: Option<&str>,
) -> u64 {
    let mut counted = 0;
    // The first request fills what is filled once, such as the random seed of a map.
    for _ in 0..2 {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            // As a server has it: a piece of a buffer that others share already.
            let value = HeaderValue::from_str(cookie).expect("ASCII");
            request = request.header("cookie", value.clone());
        }
        let request = request.body(()).expect("a request");
        counted = allocation_counter::measure(|| {
            pollster::block_on(service.call(request)).expect("infallible");
        })
        .count_total;
    }
    counted
}

/// Stores a session and returns its cookie.
fn login(
    service: &mut impl Service<Request<()>, Response = Response<()>, Error = Infallible>,
) -> String {
    let request = Request::get("/write").body(()).expect("a request");
    let response = pollster::block_on(service.call(request)).expect("infallible");
    let cookie = response.headers()["set-cookie"].to_str().expect("ASCII");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[test]
fn a_request_allocates_no_more_than_it_did() {
    let layer = |lazy: bool| {
        let cookie = CookieOptions::new().max_age(Duration::from_secs(3_600));
        let secrets = Secrets::new("keyboard cat").expect("a secret");
        let options = SessionOptions::new(MemoryStore::new(), secrets)
            .cookie(cookie)
            .lazy(lazy);
        SessionLayer::new(options)
            .expect("good options")
            .layer(service_fn(act))
    };
    let bare = allocations(&mut service_fn(act), "/untouched", None);

    let (mut eager, mut lazy) = (layer(false), layer(true));
    let cookie = login(&mut eager);
    let added = |service: &mut _, path, cookie| allocations(service, path, cookie) - bare;
    let counts = [
        added(&mut eager, "/untouched", None),
        added(&mut eager, "/read", Some(&cookie)),
        added(&mut eager, "/write", Some(&cookie)),
        added(&mut lazy, "/untouched", Some(&cookie)),
    ];
    // Three of each are the first entry in the request's extensions, where a server has one
    // already; two more of a write are the first entry in the response's headers, and one makes its cookie fit.
    assert_eq!(counts, [4, 10, 18, 4]);

    let secrets = Secrets::new("keyboard cat").expect("a secret");
    let options = SessionOptions::new(MemoryStore::new(), secrets);
    let sessions = SessionLayer::new(options).expect("good options");
    let mut finishing = sessions.finish_on(drop).layer(service_fn(act));
    let untouched = allocations(&mut finishing, "/untouched", None) - bare;
    assert_eq!(untouched, counts[0] + 1, "the box to hand over");
}
