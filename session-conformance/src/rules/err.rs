//! Errors: of the right kind, never instead of an answer, and without secrets.

use std::error::Error as _;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use session_core::{Created, Error, ErrorKind, Record, Replaced};

use super::con::one_of;
use super::siz::record_of_size;
use crate::Rule;
use crate::answer::Answer;
use crate::context::{Context, data};
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::need::Need;
use crate::secret::gives_away;
use crate::space::Space;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "ERR-01",
        name: "an_unreachable_backend_is_an_error",
        needs: &[Need::Fault],
        sentence: "While the backend cannot be reached, every call is `Unavailable` or `Timeout`, \
                   and soon: not `None`, not `Ok`, not 0.",
        why: "As `None` it logs everybody out for a network's hiccup, and the new sessions \
              overwrite the old ones; as `Ok` it loses what was written.",
        hint: "Pass the client's error on, with a timeout of your own; no `unwrap_or_default`.",
        catches: &[
            "DownAsNone",
            "DownAsOk",
            "DownDestroyOk",
            "DownIsEmpty",
            "DownIsOther",
            "DownHangs",
            "DownAsMissing",
        ],
        run: |ctx| Box::pin(an_unreachable_backend_is_an_error(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-02",
        name: "a_backend_that_comes_back_is_used",
        needs: &[Need::Fault],
        sentence: "When the backend is back, the same handles work within two seconds, and find \
                   what was there.",
        why: "A restart of the database would need a restart of every application.",
        hint: "Connect anew when a connection is dead; remember no failure for good.",
        catches: &["NoReconnect", "CachesTheOutage"],
        run: |ctx| Box::pin(a_backend_that_comes_back_is_used(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-03",
        name: "errors_hold_no_secrets",
        sentence: "No text of an error (its own, its `Debug`, those of its sources) has a session \
                   id, session data or the backend's password in it.",
        why: "OWASP ASVS 7.1.1: errors are logged, logs are read by many, and an id is a login.",
        hint: "Look at the source's texts: database clients quote the statement with its \
               parameters, parsers the place in the text, connectors the URL.",
        catches: &[
            "LeakInError",
            "LeakInSource",
            "LeakDataInSource",
            "LeakUrl",
            "LeakInDebug",
            "LeakTruncatedId",
        ],
        run: |ctx| Box::pin(errors_hold_no_secrets(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-04",
        name: "errors_have_their_kind",
        sentence: "Each error has the kind by which a caller decides, names what failed, and a \
                   chain of sources that ends.",
        why: "A client's mistake answered with 503, or an outage with 500, wakes the wrong people.",
        hint: "Map the client's errors in one place, each to its `ErrorKind`; `Other` is for what \
               nobody expected.",
        catches: &["StringError", "EverythingUnavailable"],
        run: |ctx| Box::pin(errors_have_their_kind(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-05",
        name: "a_lost_answer_is_no_answer",
        needs: &[Need::Fault],
        sentence: "A call whose answer is lost is an error, or `Ok` with just that effect; \
                   afterwards there is the old record or the new one, whole, and a store that \
                   works.",
        why: "`Ok` for what was rolled back loses data; `None` for what was not heard logs out; a \
              conditional write that is blindly tried again meets its own first attempt.",
        hint: "Pass the error on. Try again only what may be done twice: `get`, `set`, `destroy`.",
        catches: &["AmbiguousOk", "LostGetIsNone", "TornOnLoss", "BlindRetry"],
        run: |ctx| Box::pin(a_lost_answer_is_no_answer(ctx)),
        ..Rule::MUST
    },
];

/// How long a call may take to find out that nobody is there.
const PATIENCE: Duration = Duration::from_secs(10);

fn is_outage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// Demands that a call finds the backend gone; a `get` may know the record still.
async fn out<T: std::fmt::Debug>(
    call: impl Future<Output = Answer<T>>,
    fine: impl Fn(&T) -> bool,
) -> Result<(), Failure> {
    let Ok(answer) = tokio::time::timeout(PATIENCE, call).await else {
        return Err(Failure::new(
            format_args!("an answer within {}", describe::duration(PATIENCE)),
            "none: the call waits for a backend that is not there",
        ));
    };
    let expected = format!(
        "`{}` to be refused with Unavailable or Timeout: the backend cannot be reached",
        answer.call
    );
    match answer.result {
        Err(error) if is_outage(error.kind()) => Ok(()),
        Err(error) => Err(Failure::new(expected, describe::error(&error))),
        Ok(value) if fine(&value) => Ok(()),
        Ok(value) => Err(Failure::new(expected, format_args!("Ok({value:?})"))),
    }
}

async fn an_unreachable_backend_is_an_error(ctx: &Context) -> Result<(), Failure> {
    let [kept, set, gone, touched, made, swapped, unknown] = [
        "kept",
        "set",
        "destroyed",
        "touched",
        "created",
        "replaced",
        "unknown",
    ]
    .map(|name| ctx.id(name));
    let (old, new) = (ctx.record("old"), ctx.record("new"));
    for id in [&kept, &set, &gone, &touched, &swapped] {
        ctx.h1.set(id, &old).await.ok()?;
    }
    let h1 = &ctx.h1;
    // A connection that has worked, for the handles to lose.
    ctx.h2.get(&kept).await.record(&old, "it was written")?;
    ctx.remark("the backend is broken");
    ctx.space.hooks.break_backend().await?;
    let cookie = ctx.cookie(Some(ctx.ticks(60)));
    let known = |found: &Option<Record>| found.as_ref().is_some_and(|found| found.same_json(&old));
    let mut calls: Vec<BoxFuture<'_, Result<(), Failure>>> = vec![
        Box::pin(out(h1.get(&kept), known)),
        Box::pin(out(ctx.h2.get(&kept), known)),
        Box::pin(out(h1.get(&unknown), |_| false)),
        Box::pin(out(h1.set(&set, &new), |()| false)),
        Box::pin(out(h1.destroy(&gone), |()| false)),
    ];
    if ctx.has(Need::Touch) {
        calls.push(Box::pin(out(h1.touch(&touched, &cookie), |_| false)));
    }
    if ctx.has(Need::Create) {
        calls.push(Box::pin(out(h1.create(&made, &new), |_| false)));
    }
    if ctx.has(Need::Replace) {
        calls.push(Box::pin(out(h1.replace(&swapped, &old, &new), |_| false)));
    }
    if ctx.has(Need::Length) {
        calls.push(Box::pin(out(h1.length(), |_| false)));
    }
    if ctx.has(Need::All) {
        calls.push(Box::pin(out(h1.all(), |_| false)));
        calls.push(Box::pin(out(h1.ids(), |_| false)));
    }
    if ctx.has(Need::Sweep) {
        calls.push(Box::pin(out(h1.sweep(10), |_| false)));
    }
    if ctx.has(Need::Clear) {
        calls.push(Box::pin(out(h1.clear(), |()| false)));
    }
    // All at once, so that their timeouts pass at the same time.
    let results = join_all(calls).await;
    ctx.remark("the backend is healed");
    ctx.space.hooks.heal_backend().await?;
    results.into_iter().collect()
}

/// How long the handles may take to find a backend that is back.
const RECOVERY: Duration = Duration::from_secs(2);

/// The time after an outage in which a pool may still find dead connections, one call after the
/// other.
pub(super) struct Recovery<'a> {
    ctx: &'a Context,
    until: Instant,
}

impl<'a> Recovery<'a> {
    /// Begins now: the backend is back.
    pub(super) fn of(ctx: &'a Context) -> Self {
        let until = Instant::now() + RECOVERY;
        Self { ctx, until }
    }

    /// No time at all: there was no outage.
    pub(super) fn none(ctx: &'a Context) -> Self {
        let until = Instant::now();
        Self { ctx, until }
    }

    /// Calls until it works; in between, and until the time is over, only an outage is an answer.
    pub(super) async fn call<T, Fut>(&self, mut call: impl FnMut() -> Fut) -> Answer<T>
    where
        Fut: Future<Output = Answer<T>>,
    {
        let mut tries = 1;
        loop {
            let answer = call().await;
            let again = answer
                .result
                .as_ref()
                .is_err_and(|error| is_outage(error.kind()));
            if !again || Instant::now() >= self.until {
                if tries > 1 {
                    self.ctx.remark(format!("it took {tries} attempts"));
                }
                return answer;
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Demands that a handle writes, reads and destroys, each after as many attempts as there is
    /// time for.
    async fn works(&self, handle: &Handle, name: &str) -> Result<(), Failure> {
        let (id, record) = (self.ctx.id(name), self.ctx.record(name));
        let because = "the backend is back";
        self.call(|| handle.set(&id, &record)).await.ok()?;
        let found = self.call(|| handle.get(&id)).await;
        found.record(&record, because)?;
        self.call(|| handle.destroy(&id)).await.ok()?;
        self.call(|| handle.get(&id)).await.none(because)
    }
}

async fn a_backend_that_comes_back_is_used(ctx: &Context) -> Result<(), Failure> {
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let record = ctx.record("kept");
    ctx.h1.set(&kept, &record).await.ok()?;
    for round in 0..2 {
        ctx.remark("the backend is broken");
        ctx.space.hooks.break_backend().await?;
        let known = |found: &Option<Record>| found.as_ref().is_some_and(|f| f.same_json(&record));
        let results =
            join_all([out(ctx.h1.get(&kept), known), out(ctx.h2.get(&kept), known)]).await;
        ctx.remark("the backend is healed");
        ctx.space.hooks.heal_backend().await?;
        results.into_iter().collect::<Result<(), _>>()?;
        let recovery = Recovery::of(ctx);
        for handle in [&ctx.h1, &ctx.h2] {
            let found = recovery.call(|| handle.get(&kept)).await;
            found.record(&record, "the backend is back, with all that it had")?;
            let found = recovery.call(|| handle.get(&unknown)).await;
            found.none("it was never written")?;
            let again = ctx.id(&format!("written after outage {round}"));
            recovery.call(|| handle.set(&again, &record)).await.ok()?;
            recovery.works(handle, "after the outage").await?;
        }
    }
    Ok(())
}

/// An error with what must not be in it, and the kind that it must have.
struct Provoked {
    call: String,
    error: Error,
    wanted: &'static [ErrorKind],
    secrets: Vec<(&'static str, String)>,
}

const OUTAGE: &[ErrorKind] = &[ErrorKind::Unavailable, ErrorKind::Timeout];
const SECRET: &str = "Zm9yYmlkZGVuLXZhbHVl";

impl Provoked {
    fn new(call: String, error: Error, wanted: &'static [ErrorKind], id: &Id) -> Self {
        Self {
            call,
            error,
            wanted,
            secrets: vec![
                ("session id", id.id.as_str().to_owned()),
                ("session data", SECRET.to_owned()),
            ],
        }
    }
}

async fn error_of<T>(call: impl Future<Output = Answer<T>>) -> (String, Option<Error>) {
    let answer = call.await;
    (answer.call, answer.result.err())
}

fn provoked<T>(
    provoked: &mut Vec<Provoked>,
    answer: Answer<T>,
    wanted: &'static [ErrorKind],
    id: &Id,
) {
    if let Err(error) = answer.result {
        provoked.push(Provoked::new(answer.call, error, wanted, id));
    }
}

/// Makes the store fail in every way that can be had.
async fn provoke(ctx: &Context, space: &Space) -> Result<Vec<Provoked>, Failure> {
    let mut found = Vec::new();
    let h1 = &space.h1;
    let id = ctx.id("asked for");
    let record = ctx.record_of(&data(&[("password", SECRET)]), ctx.record("").expires());
    let unsupported: &[ErrorKind] = &[ErrorKind::Unsupported];
    h1.set(&id, &record).await.ok()?;
    let capabilities = ctx.capabilities();
    if !capabilities.touch {
        provoked(
            &mut found,
            h1.touch(&id, &ctx.cookie(None)).await,
            unsupported,
            &id,
        );
    }
    if !capabilities.create {
        provoked(&mut found, h1.create(&id, &record).await, unsupported, &id);
    }
    if !capabilities.replace {
        provoked(
            &mut found,
            h1.replace(&id, &record, &record).await,
            unsupported,
            &id,
        );
    }
    let invalid: &[ErrorKind] = &[ErrorKind::InvalidId];
    let text = id.id.as_str().to_owned();
    let mut odd = vec![
        ("an id with a NUL", format!("{text}\0")),
        ("an id with a quote", format!("{text}'\"")),
        ("an id with a path", format!("../{text}")),
        ("an id of 10 KiB", text.repeat(320)),
    ];
    if let Some(limit) = capabilities.max_id_bytes.filter(|limit| *limit < 1 << 20) {
        odd.push((
            "an id that is too long",
            text.repeat(limit / text.len() + 1),
        ));
    }
    for (label, odd) in &odd {
        let mut odd = ctx.odd_id(*label, odd);
        let (get, set, gone) = (
            h1.get(&odd).await,
            h1.set(&odd, &record).await,
            h1.destroy(&odd).await,
        );
        odd.id = id.id.clone();
        provoked(&mut found, get, invalid, &odd);
        provoked(&mut found, set, invalid, &odd);
        provoked(&mut found, gone, invalid, &odd);
    }
    if let Some(limit) = capabilities
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20)
    {
        let large = record_of_size(ctx, limit + 1, SECRET, record.expires());
        let large_set = h1.set(&id, &large).await;
        provoked(&mut found, large_set, &[ErrorKind::TooLarge], &id);
    }
    if ctx.has(Need::Undecodable) {
        let broken = ctx.id("undecodable");
        space.h1.wrote(&broken);
        space.hooks.write_undecodable(&broken.id).await?;
        let get = h1.get(&broken).await;
        provoked(&mut found, get, &[ErrorKind::Decode], &broken);
        h1.destroy(&broken).await.ok()?;
    }
    if ctx.has(Need::Fault) {
        ctx.remark("the backend is broken");
        space.hooks.break_backend().await?;
        // All at once, so that their timeouts pass at the same time.
        let calls: Vec<BoxFuture<'_, (String, Option<Error>)>> = vec![
            Box::pin(error_of(h1.get(&id))),
            Box::pin(error_of(h1.set(&id, &record))),
            Box::pin(error_of(h1.destroy(&id))),
            Box::pin(async {
                if ctx.has(Need::Touch) {
                    error_of(h1.touch(&id, &ctx.cookie(None))).await
                } else {
                    (String::new(), None)
                }
            }),
            Box::pin(async {
                if ctx.has(Need::Replace) {
                    error_of(h1.replace(&id, &record, &record)).await
                } else {
                    (String::new(), None)
                }
            }),
        ];
        let errors = tokio::time::timeout(PATIENCE, join_all(calls)).await;
        ctx.remark("the backend is healed");
        space.hooks.heal_backend().await?;
        let Ok(errors) = errors else {
            return Err(Failure::new(
                format_args!(
                    "the calls to be refused within {} while the backend is broken",
                    describe::duration(PATIENCE)
                ),
                "no answer: there is no error to look at",
            ));
        };
        let before = found.len();
        for (call, error) in errors {
            found.extend(error.map(|error| Provoked::new(call, error, OUTAGE, &id)));
        }
        ensure(
            found.len() > before,
            "an error of at least one call while the backend is broken",
            "all of them succeeded: there is no error to look at",
        )?;
    }
    ctx.remark(format!("{} errors were provoked", found.len()));
    Ok(found)
}

/// All texts of an error and of what it comes from.
fn texts(error: &Error) -> Vec<(String, String)> {
    let mut texts = vec![
        ("its text".to_owned(), error.to_string()),
        ("its Debug".to_owned(), format!("{error:?} {error:#?}")),
    ];
    let mut source = error.source();
    let mut depth = 0;
    while let Some(cause) = source.filter(|_| depth < 100) {
        depth += 1;
        texts.push((format!("the text of its source {depth}"), cause.to_string()));
        texts.push((
            format!("the Debug of its source {depth}"),
            format!("{cause:?} {cause:#?}"),
        ));
        source = cause.source();
    }
    texts
}

async fn errors_hold_no_secrets(ctx: &Context) -> Result<(), Failure> {
    let found = provoke(ctx, &ctx.space).await?;
    for Provoked {
        call,
        error,
        secrets,
        ..
    } in &found
    {
        let passwords = ctx
            .space
            .secrets
            .iter()
            .map(|secret| ("secret of the harness", secret));
        let secrets = secrets.iter().map(|(what, secret)| (*what, secret));
        for (what, secret) in secrets.chain(passwords) {
            for (place, text) in texts(error) {
                ensure(
                    !gives_away(&text, secret),
                    format_args!("no {what} in the error of `{call}`"),
                    format_args!("it stands in {place}: {text}"),
                )?;
            }
        }
    }
    Ok(())
}

async fn errors_have_their_kind(ctx: &Context) -> Result<(), Failure> {
    fn portable<T: std::error::Error + Send + Sync + 'static>(_: &T) {}
    for Provoked {
        call,
        error,
        wanted,
        ..
    } in provoke(ctx, &ctx.space).await?
    {
        portable(&error);
        ensure(
            wanted.contains(&error.kind()),
            format_args!("the error of `{call}` to be of kind {wanted:?}"),
            describe::error(&error),
        )?;
        ensure(
            !error.operation().is_empty(),
            format_args!("the error of `{call}` to name its operation"),
            describe::error(&error),
        )?;
        ensure(
            texts(&error).len() < 200,
            format_args!("the sources of the error of `{call}` to come to an end"),
            "100 of them and more",
        )?;
    }
    Ok(())
}

/// Waits out what is left of an outage, then demands a working store.
async fn settles(ctx: &Context, handle: &Handle, name: &str) -> Result<(), Failure> {
    let id = ctx.id(&format!("settling {name}"));
    let recovery = Recovery::of(ctx);
    let found = recovery.call(|| handle.get(&id)).await;
    found.none("it was never written")?;
    recovery.works(handle, &format!("after {name}")).await
}

/// What a call whose answer was lost says: an outage, or a value.
fn heard<T>(answer: Answer<T>) -> Result<Option<T>, Failure> {
    match answer.result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_outage(error.kind()) => Ok(None),
        Err(error) => Err(Failure::new(
            format_args!(
                "`{}`, whose answer was lost, to be refused with Unavailable or Timeout",
                answer.call
            ),
            describe::error(&error),
        )),
    }
}

async fn a_lost_answer_is_no_answer(ctx: &Context) -> Result<(), Failure> {
    let until = |hours: u64| Some(ctx.now() + Duration::from_secs(hours * 3_600));
    let old = ctx.record_until("old", until(1));
    let new = ctx.record_until("new", until(2));
    let h1 = &ctx.h1;
    let lose = || async {
        ctx.remark("the next answer is lost");
        ctx.space.hooks.lose_next_answer().await
    };
    for call in ["get", "set", "destroy", "create", "replace"] {
        let skipped = (call == "create" && !ctx.has(Need::Create))
            || (call == "replace" && !ctx.has(Need::Replace));
        if skipped {
            continue;
        }
        let id = ctx.id(&format!("of {call}"));
        if call != "create" {
            h1.set(&id, &old).await.ok()?;
        }
        lose().await?;
        // What may be there afterwards: only what was answered, if there was an answer.
        let (said, left): (String, Vec<Option<&Record>>) = match call {
            "get" => match heard(h1.get(&id).await)? {
                None => ("an error".into(), vec![Some(&old)]),
                Some(found) => {
                    ensure(
                        found.as_ref().is_some_and(|found| found.same_json(&old)),
                        "`h1.get`, whose answer was lost, to be an error or the record",
                        describe::optional_record(found.as_ref(), ctx.now()),
                    )?;
                    ("the record".into(), vec![Some(&old)])
                }
            },
            "set" => match heard(h1.set(&id, &new).await)? {
                None => ("an error".into(), vec![Some(&old), Some(&new)]),
                Some(()) => ("Ok".into(), vec![Some(&new)]),
            },
            "destroy" => match heard(h1.destroy(&id).await)? {
                None => ("an error".into(), vec![Some(&old), None]),
                Some(()) => ("Ok".into(), vec![None]),
            },
            "create" => match heard(h1.create(&id, &new).await)? {
                None => ("an error".into(), vec![None, Some(&new)]),
                Some(Created::Created) => ("Created".into(), vec![Some(&new)]),
                Some(other) => (format!("{other:?}"), Vec::new()),
            },
            _ => match heard(h1.replace(&id, &old, &new).await)? {
                None => ("an error".into(), vec![Some(&old), Some(&new)]),
                Some(Replaced::Replaced) => ("Replaced".into(), vec![Some(&new)]),
                Some(other) => (format!("{other:?}"), Vec::new()),
            },
        };
        ensure(
            !left.is_empty(),
            format_args!(
                "`h1.{call}`, which nobody else was in the way of, to succeed or to be an error"
            ),
            format_args!("{said}: it met its own first attempt"),
        )?;
        settles(ctx, h1, call).await?;
        let because = format!("{call} was answered with {said} when its answer was lost");
        for handle in [h1, &ctx.h2] {
            one_of(ctx, handle, &id, &left, &because).await?;
        }
    }
    Ok(())
}
