//! What the layer costs on top of a trivial service, with the in-memory store: nanoseconds and
//! allocations per request.
//!
//! `cargo bench -p session-tower --bench overhead`. Compare the rows of one run with `bare` of the
//! same run; `empty` requests have no extensions, `served` ones have the map of extensions that a
//! server such as hyper or axum has put something into.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::convert::Infallible;
use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use http::{Request, Response};
use session_memory::MemoryStore;
use session_tower::{CookieOptions, Secrets, SessionHandle, SessionLayer, SessionOptions};
use tower::{Layer, Service, service_fn};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// What the inner service does with its session.
#[derive(Clone, Copy, Debug)]
enum Act {
    Nothing,
    Get,
    GetInsert,
}

async fn act(request: Request<()>, act: Act) -> Result<Response<()>, Infallible> {
    if !matches!(act, Act::Nothing) {
        let handle = request.extensions().get::<SessionHandle>().unwrap();
        let session = handle.session().await.unwrap().unwrap();
        let views: u32 = session.get("views").unwrap().unwrap_or(0);
        if matches!(act, Act::GetInsert) {
            session.insert("views", &(views + 1)).unwrap();
        }
        divan::black_box(views);
    }
    Ok(Response::new(()))
}

fn options() -> SessionOptions {
    let cookie = CookieOptions::new().max_age(Duration::from_secs(3_600));
    SessionOptions::new(MemoryStore::new(), Secrets::new("keyboard cat").unwrap()).cookie(cookie)
}

/// A request as a server makes it: with something in its extensions already.
fn request(cookie: Option<&str>, served: bool) -> Request<()> {
    let mut request = Request::new(());
    if served {
        request.extensions_mut().insert(Served);
    }
    if let Some(cookie) = cookie {
        request
            .headers_mut()
            .insert("cookie", cookie.parse().unwrap());
    }
    request
}

#[derive(Clone)]
struct Served;

/// The layer around a service that does this, and the cookie of a session of 200 bytes of JSON.
fn layered(
    change: impl FnOnce(SessionOptions) -> SessionOptions,
    what: Act,
) -> (
    impl Service<Request<()>, Response = Response<()>, Error = Infallible>,
    String,
) {
    let layer = SessionLayer::new(change(options())).unwrap();
    let mut login = layer.layer(service_fn(async |request: Request<()>| {
        let handle = request.extensions().get::<SessionHandle>().unwrap();
        let session = handle.session().await.unwrap().unwrap();
        session.insert("views", &1).unwrap();
        session
            .insert("user", "0123456789abcdef0123456789abcdef")
            .unwrap();
        session.insert("theme", "dark").unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let response = pollster::block_on(login.call(Request::new(()))).unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    (
        layer.layer(service_fn(move |request| act(request, what))),
        cookie,
    )
}

fn run<S>(bencher: Bencher<'_, '_>, mut service: S, cookie: Option<&str>, served: bool)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    bencher
        .with_inputs(|| request(cookie, served))
        .bench_local_values(|request| pollster::block_on(service.call(request)).unwrap());
}

const SERVED: [bool; 2] = [false, true];

#[divan::bench(args = SERVED)]
fn bare(bencher: Bencher<'_, '_>, served: bool) {
    let service = service_fn(|request| act(request, Act::Nothing));
    run(bencher, service, None, served);
}

#[divan::bench(args = SERVED)]
fn no_cookie_untouched(bencher: Bencher<'_, '_>, served: bool) {
    let (service, _) = layered(|options| options, Act::Nothing);
    run(bencher, service, None, served);
}

#[divan::bench(args = SERVED)]
fn lazy_cookie_untouched(bencher: Bencher<'_, '_>, served: bool) {
    let (service, cookie) = layered(|options| options.lazy(true), Act::Nothing);
    run(bencher, service, Some(&cookie), served);
}

/// One read; the session is loaded and touched.
#[divan::bench(args = SERVED)]
fn get(bencher: Bencher<'_, '_>, served: bool) {
    let (service, cookie) = layered(|options| options, Act::Get);
    run(bencher, service, Some(&cookie), served);
}

/// One read with a touch now and then.
#[divan::bench(args = SERVED)]
fn get_touch_after(bencher: Bencher<'_, '_>, served: bool) {
    let minute = Duration::from_secs(60);
    let (service, cookie) = layered(|options| options.touch_after(minute), Act::Get);
    run(bencher, service, Some(&cookie), served);
}

/// One read and one change: the session is loaded, written, and its cookie set.
#[divan::bench(args = SERVED)]
fn get_insert(bencher: Bencher<'_, '_>, served: bool) {
    let (service, cookie) = layered(|options| options, Act::GetInsert);
    run(bencher, service, Some(&cookie), served);
}
