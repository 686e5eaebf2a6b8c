//! One schedule: requests of one browser at the same time, and in which order their steps are taken.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::scripts::{Deed, Report, act};
use super::store::{Answer, StepStore};
use crate::{
    Capabilities, Clock, Connection, CookieOptions, Data, Lifecycle, OnConflict, Record,
    RequestHead, Secrets, SessionCookie, SessionId, SessionOptions, Unset,
};

pub(super) const MAX_AGE: Duration = Duration::from_secs(600);

/// What several requests do at the same time.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) deeds: Vec<Deed>,
    pub(super) capabilities: Capabilities,
    pub(super) on_conflict: OnConflict,
    /// Whether the session's cookie ends with the browser.
    pub(super) browser_session: bool,
    /// Whether the session's time runs out at some moment, too.
    pub(super) expires: bool,
    /// Whether requests begin at some moment, with the cookie that the browser then has, rather than
    /// all at once.
    pub(super) in_turn: bool,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A request's call takes place.
    Step { request: usize, answer: Answer },
    /// A request is dropped in the middle of its call, which takes place or does not.
    Drop { request: usize, answer: Answer },
    /// A request begins.
    Begin { request: usize },
    /// The session's time runs out.
    Expire,
}

impl Choice {
    pub(super) fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::Step {
                answer: Answer::Given,
                ..
            } | Self::Begin { .. }
                | Self::Expire
        )
    }
}

/// What has happened in one schedule.
pub(super) struct Outcome {
    pub(super) store: StepStore,
    pub(super) reports: Vec<Report>,
    pub(super) choices: Vec<Choice>,
    /// Each step in words.
    pub(super) story: Vec<String>,
    pub(super) start: SessionId,
    /// The id in the browser's cookie, as the responses arrived.
    pub(super) jar: Option<SessionId>,
    pub(super) lifecycle: Lifecycle,
    pub(super) faults: usize,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Request {
    begun: bool,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    flag: Arc<Flag>,
    waits_with: Option<(&'static str, SessionId)>,
    report: Rc<RefCell<Report>>,
}

impl Request {
    fn new() -> Self {
        Self {
            begun: false,
            future: None,
            flag: Arc::new(Flag(AtomicBool::new(false))),
            waits_with: None,
            report: Rc::default(),
        }
    }
}

thread_local! {
    static SECRETS: Secrets = Secrets::new("keyboard cat").unwrap();
}

/// What a browser that has this id's cookie sends.
pub(super) fn head_of(id: &SessionId) -> HeaderMap {
    let value = SECRETS
        .with(|secrets| secrets.sign(id))
        .replacen(':', "%3A", 1);
    let value = value.replace('/', "%2F").replace('+', "%2B");
    let mut headers = HeaderMap::new();
    let cookie = HeaderValue::from_str(&format!("connect.sid={value}")).unwrap();
    headers.insert("cookie", cookie);
    headers
}

fn id_in(cookie: &HeaderValue) -> Option<SessionId> {
    let text = cookie.to_str().unwrap().strip_prefix("connect.sid=s%3A")?;
    SessionId::new(text.split('.').next()?).ok()
}

async fn serve(
    lifecycle: Lifecycle,
    headers: HeaderMap,
    deed: Deed,
    number: usize,
    report: Rc<RefCell<Report>>,
) {
    let exchange = lifecycle
        .begin(&RequestHead {
            method: &Method::GET,
            uri: &Uri::from_static("/"),
            headers: &headers,
            connection: Connection::Plain,
        })
        .unwrap();
    let Ok(Some(session)) = exchange.session().await else {
        return;
    };
    if !session.is_new() {
        report.borrow_mut().found = Some(session.id());
    }
    let acted = act(deed, number, &session, &report).await;
    drop(session);
    let (outcome, finished) = match exchange.finish().await {
        Ok(outcome) => (outcome, true),
        Err(unfinished) => (unfinished.outcome, false),
    };
    let mut report = report.borrow_mut();
    for cookie in outcome.cookies() {
        match id_in(cookie) {
            Some(id) => report.cookie = Some(id),
            None => report.dropped_cookie = true,
        }
    }
    report.succeeded = finished && acted.is_ok();
    if finished && !outcome.edits_dropped() {
        report.counted += std::mem::take(&mut report.waiting);
        report.key_is_set = report.sets_key;
    }
    if finished && report.unset {
        report.ended = report.found.clone();
    }
}

pub(super) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

/// Plays a script: `choose` takes one of what may happen next.
pub(super) fn play(script: &Script, mut choose: impl FnMut(&[Choice]) -> Option<usize>) -> Outcome {
    let clock = Clock::manual(start());
    let store = StepStore::new(script.capabilities, clock.clone());
    let max_age = (!script.browser_session).then_some(MAX_AGE);
    let mut cookie_options = CookieOptions::new();
    if let Some(max_age) = max_age {
        cookie_options = cookie_options.max_age(max_age);
    }
    let options = SessionOptions::new(store.clone(), SECRETS.with(Clone::clone))
        .clock(clock.clone())
        .cookie(cookie_options)
        .on_conflict(script.on_conflict)
        .unset(Unset::Destroy)
        .touch_limit(Duration::from_secs(3_600))
        .touch_after(Duration::ZERO);
    let lifecycle = Lifecycle::new(options).unwrap();

    let first = SessionId::random();
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(max_age, clock.now());
    let mut data = Data::new();
    data.insert("n", &0).unwrap();
    store.put(&first, Record::new(cookie, &data));

    let mut world = Outcome {
        store: store.clone(),
        reports: Vec::new(),
        choices: Vec::new(),
        story: Vec::new(),
        start: first.clone(),
        jar: Some(first),
        lifecycle,
        faults: 0,
    };
    let mut requests: Vec<Request> = script.deeds.iter().map(|_| Request::new()).collect();
    if !script.in_turn {
        for number in 0..requests.len() {
            begin(&mut requests, number, &mut world, script);
        }
    }
    let mut expires = script.expires;
    let mut options = Vec::new();
    loop {
        options.clear();
        for (request, it) in requests.iter().enumerate() {
            if !it.begun {
                options.push(Choice::Begin { request });
            }
            if it.waits_with.is_none() {
                continue;
            }
            let step = |answer| Choice::Step { request, answer };
            let drop = |answer| Choice::Drop { request, answer };
            options.extend([
                step(Answer::Given),
                step(Answer::LostBefore),
                step(Answer::LostAfter),
                drop(Answer::LostBefore),
                drop(Answer::LostAfter),
            ]);
        }
        if options.is_empty() {
            break;
        }
        if expires {
            options.push(Choice::Expire);
        }
        let Some(chosen) = choose(&options) else {
            break;
        };
        let choice = options[chosen];
        world.choices.push(choice);
        world.faults += usize::from(choice.is_fault());
        match choice {
            Choice::Expire => {
                expires = false;
                clock.advance(MAX_AGE);
                world.story.push("the session's time runs out".into());
            }
            Choice::Begin { request } => {
                let words = script.deeds[request].words();
                world
                    .story
                    .push(format!("request {} ({words}) begins", request + 1));
                begin(&mut requests, request, &mut world, script);
            }
            Choice::Step { request, answer } => {
                tell(&mut world, script, request, &requests[request], choice);
                store.grant(answer);
                advance(&mut requests, request, &mut world);
            }
            Choice::Drop { request, answer } => {
                tell(&mut world, script, request, &requests[request], choice);
                if answer == Answer::LostAfter {
                    // The call takes place; nobody is there to hear of it.
                    store.grant(Answer::LostAfter);
                    poll_once(&mut requests[request]);
                    store.take_waiting();
                }
                requests[request].future = None;
                requests[request].waits_with = None;
            }
        }
        // Whoever waited for another request of this process may go on now.
        let mut woken = true;
        while std::mem::take(&mut woken) {
            for number in 0..requests.len() {
                let request = &requests[number];
                let ready = request.waits_with.is_none()
                    && request.future.is_some()
                    && request.flag.0.load(Ordering::Relaxed);
                if ready {
                    woken = true;
                    advance(&mut requests, number, &mut world);
                }
            }
        }
    }
    for request in requests {
        drop(request.future);
        world.reports.push(request.report.take());
    }
    store.set_free();
    world
}

/// A request begins, with the cookie that the browser has.
fn begin(requests: &mut [Request], number: usize, world: &mut Outcome, script: &Script) {
    let headers = world.jar.as_ref().map(head_of).unwrap_or_default();
    let request = &mut requests[number];
    let future = serve(
        world.lifecycle.clone(),
        headers,
        script.deeds[number],
        number,
        Rc::clone(&request.report),
    );
    request.begun = true;
    request.future = Some(Box::pin(future));
    advance(requests, number, world);
}

fn tell(world: &mut Outcome, script: &Script, number: usize, request: &Request, choice: Choice) {
    let (call, id) = request.waits_with.as_ref().unwrap();
    let whose = if *id == world.start {
        "the first id"
    } else {
        "another id"
    };
    let how = match choice {
        Choice::Step {
            answer: Answer::Given,
            ..
        } => "",
        Choice::Step {
            answer: Answer::LostBefore,
            ..
        } => ", which never arrives",
        Choice::Step {
            answer: Answer::LostAfter,
            ..
        } => ", whose answer is lost",
        Choice::Drop {
            answer: Answer::LostAfter,
            ..
        } => " and is dropped after it took place",
        Choice::Drop { .. } => " and is dropped before it takes place",
        Choice::Expire | Choice::Begin { .. } => "",
    };
    world.story.push(format!(
        "request {} ({}): {call} of {whose}{how}",
        number + 1,
        script.deeds[number].words(),
    ));
}

fn poll_once(request: &mut Request) -> bool {
    request.flag.0.store(false, Ordering::Relaxed);
    let waker = Waker::from(Arc::clone(&request.flag));
    let Some(future) = &mut request.future else {
        return false;
    };
    let done = matches!(
        future.as_mut().poll(&mut Context::from_waker(&waker)),
        Poll::Ready(())
    );
    if done {
        request.future = None;
    }
    done
}

/// Polls a request until it waits with its next call, for another request, or is done.
fn advance(requests: &mut [Request], number: usize, world: &mut Outcome) {
    let request = &mut requests[number];
    request.waits_with = None;
    if poll_once(request) {
        let report = request.report.borrow();
        if let Some(id) = &report.cookie {
            world.jar = Some(id.clone());
        } else if report.dropped_cookie {
            world.jar = None;
        }
        return;
    }
    request.waits_with = world.store.take_waiting();
}
