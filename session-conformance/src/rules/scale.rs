//! As many records as a small site has.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use session_core::Record;

use crate::Rule;
use crate::backend::Offer;
use crate::context::{Context, data};
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::need::Need;
use crate::rules::all::exactly;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SCL-01",
        name: "twenty_thousand_records",
        sentence: "20,000 live records of 8 MiB in all are each there, counted once, listed once by \
                   `all` and `ids`, and all gone after `clear`; where writing them takes long and \
                   `--scale` is not given, as many as there is time for.",
        why: "A store that makes room for new visitors signs old ones out; a page of a megabyte is \
              filled long after one of a thousand rows.",
        hint: "Never let go of a live record; follow the cursor until it says that there is no more.",
        catches: &["EvictsLive", "ListsAMegabyte", "ClearsAPage"],
        run: |ctx| Box::pin(twenty_thousand_records(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SCL-02",
        name: "sweep_of_ten_thousand",
        needs: &[Need::Sweep],
        sentence: "Of as many records, half of which have ended, sweeping in portions removes those \
                   that have ended, and leaves each live one.",
        why: "A sweep that falls behind fills the disk; one that stops at its first full page never \
              comes to the rest.",
        hint: "An index of expiries, and `more` as long as a portion was full.",
        catches: &["SweepsAPage"],
        run: |ctx| Box::pin(sweep_of_ten_thousand(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SCL-03",
        name: "streams_on_one_connection",
        needs: &[Need::All],
        sentence: "While `all` and `ids` are read on a pool of one connection, reads and writes \
                   between two of their items end.",
        why: "A tool that lists the sessions and ends some of them waits for itself.",
        hint: "Fetch a page, give the connection back, then hand out its items.",
        catches: &["StreamKeepsConnection"],
        run: |ctx| Box::pin(streams_on_one_connection(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SCL-04",
        name: "a_broken_stream_is_an_error",
        needs: &[Need::All, Need::Fault],
        sentence: "When the backend goes away while `all` or `ids` is read, the stream gives an \
                   `Err`, unless it has all records already; it does not end as if they were all.",
        why: "A tool that ends each session of somebody would miss some, and say that it is done.",
        hint: "Hand the error out as an item; an end is what the cursor says, not what the socket does.",
        catches: &["StreamEndsOnError"],
        run: |ctx| Box::pin(a_broken_stream_is_an_error(ctx)),
        ..Rule::CAPABILITY
    },
];

/// How many records there are to be.
const RECORDS: usize = 20_000;
/// So many there are in any case.
const LEAST: usize = 1_500;
/// Each so many-th one is a long one; together they make most of 8 MiB.
const LONG: usize = 20;
const LONG_BYTES: usize = 8 * 1024;
/// How long they are written, without `--scale`, by a store here and by one behind a connection.
const BUDGET: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(1)];
/// How many calls are under way at the same time.
const AT_ONCE: usize = 16;
/// More than one page of most stores.
const PAGES: usize = 1_200;

/// The records of a rule.
struct Crowd {
    ids: Vec<Id>,
    short: Record,
    long: Record,
}

impl Crowd {
    fn record(&self, n: usize) -> &Record {
        if n.is_multiple_of(LONG) {
            &self.long
        } else {
            &self.short
        }
    }

    /// Each id with its number.
    fn each(&self) -> impl Iterator<Item = (usize, &Id)> {
        self.ids.iter().enumerate()
    }
}

/// A call, and what is demanded of it.
type Work<'a> = BoxFuture<'a, Result<(), Failure>>;

/// Does the work, some of it at the same time; how much there was.
async fn at_once(work: Vec<Work<'_>>) -> Result<usize, Failure> {
    let work = stream::iter(work).buffer_unordered(AT_ONCE);
    Ok(work.try_collect::<Vec<()>>().await?.len())
}

/// Writes them, as many as there is time for.
async fn fill(ctx: &Context, records: [Record; 2]) -> Result<Crowd, Failure> {
    let in_process = matches!(ctx.backend().fault, Offer::Inapplicable(_));
    let (began, budget) = (Instant::now(), BUDGET[usize::from(!in_process)]);
    let [short, long] = records;
    let mut crowd = Crowd {
        ids: Vec::new(),
        short,
        long,
    };
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    while crowd.ids.len() < RECORDS
        && (ctx.scale || crowd.ids.len() < LEAST || began.elapsed() < budget)
    {
        let from = crowd.ids.len();
        crowd
            .ids
            .extend((from..from + 500).map(|n| ctx.id(&n.to_string())));
        let mut writes: Vec<Work<'_>> = Vec::new();
        for (n, id) in crowd.each().skip(from) {
            let (handle, record) = (&handles[n % 2], crowd.record(n));
            writes.push(Box::pin(async move { handle.set(id, record).await.ok() }));
        }
        at_once(writes).await?;
    }
    ctx.remark(format!("{} sets through h1 and h2", crowd.ids.len()));
    Ok(crowd)
}

/// Two texts, a short one and a long one, that end at the same moment.
fn records(ctx: &Context, value: &str, ends: Option<std::time::SystemTime>) -> [Record; 2] {
    let filler = "x".repeat(ctx.fitting(LONG_BYTES).saturating_sub(300));
    let long = data(&[("value", value), ("filler", &filler)]);
    [ctx.record_until(value, ends), ctx.record_of(&long, ends)]
}

/// Demands that those of these numbers are there, whole.
async fn all_there(
    ctx: &Context,
    handle: &Handle,
    crowd: &Crowd,
    wanted: impl Fn(usize) -> bool,
    because: &str,
) -> Result<(), Failure> {
    let quiet = handle.quiet();
    let mut reads: Vec<Work<'_>> = Vec::new();
    for (n, id) in crowd.each() {
        if wanted(n) {
            let (quiet, record) = (&quiet, crowd.record(n));
            reads.push(Box::pin(async move {
                quiet.get(id).await.text(record, because)
            }));
        }
    }
    let read = at_once(reads).await?;
    ctx.remark(format!("{read} gets through {}", handle.name));
    Ok(())
}

async fn twenty_thousand_records(ctx: &Context) -> Result<(), Failure> {
    let crowd = fill(ctx, records(ctx, "one of many", Some(ctx.late()))).await?;
    let because = "it is live, and a store lets go of no live record";
    all_there(ctx, &ctx.h1, &crowd, |_| true, because).await?;
    let many = u64::try_from(crowd.ids.len()).unwrap_or(u64::MAX);
    if ctx.has(Need::Length) {
        let answer = ctx.h2.length().await;
        answer.is(many, "so many were written")?;
    }
    if ctx.has(Need::All) {
        let found = ctx.h1.all().await.ok()?;
        exactly("h1.all()", found.iter().map(|(id, _)| id), &crowd.ids)?;
        let found = ctx.h2.ids().await.ok()?;
        exactly("h2.ids()", &found, &crowd.ids)?;
    }
    if ctx.has(Need::Clear) {
        ctx.h1.clear().await.ok()?;
        if ctx.has(Need::Length) {
            ctx.h2.length().await.is(0, "all was cleared")?;
        }
        let quiet = ctx.h2.quiet();
        let mut reads: Vec<Work<'_>> = Vec::new();
        for id in &crowd.ids {
            let quiet = &quiet;
            reads.push(Box::pin(async move {
                quiet.get(id).await.none("all was cleared")
            }));
        }
        at_once(reads).await?;
        if ctx.has(Need::Count) {
            let left = ctx.space.hooks.count().await?;
            ensure(left == 0, "nothing to be left after `clear`", left)?;
        }
    }
    Ok(())
}

async fn sweep_of_ten_thousand(ctx: &Context) -> Result<(), Failure> {
    const PORTION: usize = 700;
    let crowd = fill(ctx, records(ctx, "one of many", Some(ctx.late()))).await?;
    let manual = ctx.timing.is_manual();
    let ends = match manual {
        true => ctx.ticks(1),
        // They would end while they are written.
        false => ctx.now() - Duration::from_secs(3_600),
    };
    let ended = |n: usize| n % 2 == 1;
    let [over, _] = records(ctx, "over", Some(ends));
    let quiet = ctx.h1.quiet();
    let mut writes: Vec<Work<'_>> = Vec::new();
    for (n, id) in crowd.each() {
        if ended(n) {
            let (quiet, over) = (&quiet, &over);
            writes.push(Box::pin(async move { quiet.set(id, over).await.ok() }));
        }
    }
    let over = at_once(writes).await?;
    ctx.remark(format!("{over} of them were set to end"));
    if manual {
        ctx.wait_until_gone(ends).await;
    }
    let (mut removed, mut sweeps) = (0, 0);
    loop {
        let swept = ctx.h2.quiet().sweep(PORTION).await.ok()?;
        sweeps += 1;
        removed += swept.removed;
        ensure(
            swept.removed <= PORTION && removed <= over,
            format_args!("at most {PORTION} removed at once, and {over} in all"),
            format_args!("{swept:?}, {removed} so far"),
        )?;
        if !swept.more {
            break;
        }
        ensure(
            swept.removed > 0 && sweeps <= over + 1,
            "sweeping to come to its end",
            format_args!("{swept:?} after {sweeps} sweeps"),
        )?;
    }
    ctx.remark(format!("{sweeps} sweeps removed {removed}"));
    ensure(
        removed == over || !manual || ctx.capabilities().server_ttl,
        format_args!("the sweeps to remove the {over} that have ended"),
        format_args!("{removed}"),
    )?;
    let because = "it has not ended";
    all_there(ctx, &ctx.h2, &crowd, |n| !ended(n), because).await?;
    let live = u64::try_from(crowd.ids.len() - over).unwrap_or(u64::MAX);
    if ctx.has(Need::Length) {
        ctx.h1
            .length()
            .await
            .is(live, "sweep removes no live one")?;
    }
    if ctx.has(Need::Count) && !ctx.capabilities().server_ttl {
        let left = ctx.space.hooks.count().await?;
        ensure(
            left == live,
            format_args!("{live} to be physically there: all others have ended and were swept"),
            left,
        )?;
    }
    Ok(())
}

async fn streams_on_one_connection(ctx: &Context) -> Result<(), Failure> {
    let mut opening = ctx.opening();
    opening.connections = Some(1);
    let space = ctx.open_space("one", opening).await?;
    let ids = crate::rules::len::fill(ctx, &space, PAGES).await?;
    let (handle, other) = (space.h1.quiet(), ctx.id("written between"));
    let record = ctx.record("one of many");
    let call = |work: &str| format!("h1.{work} between two items of h1's stream");
    ctx.remark("h1.all() and h1.ids() are read; between their items h1 reads and writes");
    let mut all = space.h1.store().all().map_ok(|(id, _)| id);
    let mut listed = Vec::new();
    while let Some(next) = all.next().await {
        listed.push(next.map_err(|error| {
            Failure::new(
                "each item of `h1.all()` to be a record",
                describe::error(&error),
            )
        })?);
        // At the beginning, within a page, and where one ends, wherever that is.
        if listed.len() < 4 || listed.len() % 50 == 0 {
            ended(handle.get(&ids[0]), &call("get"))
                .await?
                .text(&record, "it is live")?;
            ended(handle.set(&ids[1], &record), &call("set"))
                .await?
                .ok()?;
        }
        if listed.len() > 2 * PAGES {
            break;
        }
    }
    exactly("h1.all()", &listed, &ids)?;
    let mut named = space.h1.store().ids();
    let mut first = Vec::new();
    while let Some(next) = named.next().await {
        first.push(next.map_err(|error| {
            Failure::new(
                "each item of `h1.ids()` to be an id",
                describe::error(&error),
            )
        })?);
        if first.len() % 50 == 1 {
            ended(handle.set(&other, &record), &call("set"))
                .await?
                .ok()?;
            ended(handle.destroy(&other), &call("destroy"))
                .await?
                .ok()?;
        }
        if first.len() > 2 * PAGES {
            break;
        }
    }
    first.retain(|id| *id != other.id);
    exactly("h1.ids()", &first, &ids)
}

/// The answer of a call that must not wait for a stream that is open.
async fn ended<T>(call: impl Future<Output = T>, name: &str) -> Result<T, Failure> {
    const PATIENCE: Duration = Duration::from_secs(15);
    tokio::time::timeout(PATIENCE, call).await.map_err(|_| {
        Failure::new(
            format_args!("{name} to end"),
            "it waits for the connection that the stream holds",
        )
    })
}

async fn a_broken_stream_is_an_error(ctx: &Context) -> Result<(), Failure> {
    let ids = crate::rules::len::fill(ctx, &ctx.space, PAGES).await?;
    for name in ["all", "ids"] {
        let mut items = match name {
            "all" => ctx.h1.store().all().map_ok(|(id, _)| id).boxed(),
            _ => ctx.h1.store().ids(),
        };
        let first = items.next().await;
        let started = matches!(first, Some(Ok(_)));
        ctx.space.hooks.break_backend().await?;
        ctx.remark(format!(
            "the backend is broken after the first item of h1.{name}()"
        ));
        let (mut found, mut errors) = (usize::from(started), usize::from(!started));
        let reading = async {
            while let Some(next) = items.next().await {
                match next {
                    Ok(_) => found += 1,
                    Err(_) => errors += 1,
                }
                // An error need not be the end, but it is enough.
                if errors > 0 || found > 2 * PAGES {
                    break;
                }
            }
        };
        let end = ended(reading, &format!("h1.{name}() on a broken connection")).await;
        drop(items);
        ctx.space.hooks.heal_backend().await?;
        ctx.remark("the backend is healed");
        end?;
        ctx.remark(format!("it gave {found} items and {errors} errors"));
        ensure(
            errors > 0 || found == ids.len(),
            format_args!(
                "`h1.{name}()` to give an `Err`, or all {} records that it had begun to list",
                ids.len()
            ),
            format_args!("an end after {found} of them"),
        )?;
        let recovery = crate::rules::err::Recovery::of(ctx);
        recovery.call(|| ctx.h1.get(&ids[0])).await.ok()?;
    }
    Ok(())
}
