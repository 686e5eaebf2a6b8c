//! What the operator is told of, and how often.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{ALL, Recorder, Visitor};
use session_core::{
    Connection, CookieOptions, Counts, ErrorKind, Lifecycle, OnStoreError, Record, SessionOptions,
    StoredExpiry,
};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Keeps each warning as one text: its fields and message.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// The warnings since the last time somebody asked.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What a story makes the lifecycle tell, three times at once and once more a second later.
fn told(
    change: impl FnOnce(SessionOptions) -> SessionOptions,
    prepare: impl FnOnce(&Lifecycle, &Recorder, &mut Visitor),
) -> (Vec<String>, Counts) {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(change(store.options())).unwrap();
    let mut visitor = Visitor {
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(&lifecycle, |session| session.insert("seed", &1).unwrap());
    let id = visitor.id();
    assert_eq!(lifecycle.counts(), Counts::default());
    prepare(&lifecycle, &store, &mut visitor);

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        for pause in [0, 999, 1, 0] {
            store.clock().advance(Duration::from_millis(pause));
            // Each time the same cookie.
            visitor.clone().visit(&lifecycle, |_| ());
        }
    });
    let told = log.take();
    let secrets = [id.as_str(), "keyboard cat"];
    assert!(
        told.iter()
            .all(|text| secrets.iter().all(|secret| !text.contains(secret)))
    );
    (told, lifecycle.counts())
}

/// Two warnings, of the first and of the two that followed, with this in their text.
fn assert_told(told: &[String], what: &str) {
    assert_eq!(told.len(), 2, "{told:?}");
    for (text, count) in told.iter().zip(["count=1 ", "count=2 "]) {
        assert!(text.contains(count) && text.contains(what), "{text}");
    }
}

fn same(options: SessionOptions) -> SessionOptions {
    options
}

#[test]
fn a_wrong_secret_is_told() {
    let (log, counts) = told(same, |_, _, visitor| {
        let cookie = visitor.cookie.as_ref().unwrap();
        visitor.cookie = Some(format!("{cookie}A"));
    });
    assert_told(&log, "none of the secrets");
    assert_eq!((counts.bad_signatures, counts.unknown_ids), (4, 0));
}

#[test]
fn ids_that_are_not_stored_are_told() {
    let (log, counts) = told(same, |_, store, _| store.inner().records.clear());
    assert_told(&log, "not stored");
    assert_eq!((counts.bad_signatures, counts.unknown_ids), (0, 4));
}

#[test]
fn a_withheld_cookie_is_told() {
    let secure = |options: SessionOptions| {
        let cookie = CookieOptions::new().secure(true);
        options.rolling(true).cookie(cookie)
    };
    let (log, counts) = told(secure, |_, _, visitor| {
        visitor.connection = Connection::Plain
    });
    assert_told(&log, "the session cookie was withheld");
    assert_eq!(counts.cookies_withheld, 4);
}

#[test]
fn a_new_session_that_is_not_saved_is_told() {
    let secure = |options: SessionOptions| {
        let cookie = CookieOptions::new().secure(true);
        options.save_uninitialized(true).cookie(cookie)
    };
    let (log, counts) = told(secure, |_, _, visitor| {
        visitor.connection = Connection::Plain;
        visitor.cookie = None;
    });
    assert_told(&log, "a new session was not saved");
    assert_eq!(counts.sessions_not_saved, 4);
}

#[test]
fn failures_that_no_request_fails_with_are_told() {
    let lenient =
        |options: SessionOptions| options.on_store_error(OnStoreError::ServeWithoutSession);
    let (log, counts) = told(lenient, |_, store, _| store.fail("get", ErrorKind::Timeout));
    assert_told(&log, "get: the session store did not answer in time");
    assert_eq!(counts.served_without, 4);

    let (log, counts) = told(lenient, |_, store, _| {
        store.fail("touch", ErrorKind::Timeout)
    });
    assert_told(&log, "a session was not extended");
    assert_eq!(counts.not_extended, 4);

    let (log, counts) = told(same, |_, store, _| store.fail("get", ErrorKind::Decode));
    assert_told(&log, "cannot be read");
    assert_eq!(counts.unreadable, 4);
}

#[test]
fn settings_that_no_browser_would_obey_are_told() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options()).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    let row = r#"{"cookie":{"originalMaxAge":null,"expires":null,"path":"app"}}"#;
    let record = Record::decode(row.to_owned(), StoredExpiry::from(None)).unwrap();
    store.inner().records.insert(visitor.id(), record);
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        visitor.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
    });
    let [text] = &log.take()[..] else {
        panic!("it is told once")
    };
    assert!(text.contains("others were sent in their place"), "{text}");
    assert_eq!(lifecycle.counts().settings_mended, 1);
}
