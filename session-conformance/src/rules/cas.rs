//! Compare and swap: `replace` and `create` among others that write.

use std::time::Duration;

use session_core::{Created, Record, Replaced, StoredExpiry, Touched};

use crate::Rule;
use crate::context::{Context, data};
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::need::Need;
use crate::parallel::{Span, race};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "CAS-01",
        name: "replace_of_a_changed_record_conflicts",
        needs: &[Need::Replace],
        sentence: "`replace` from a record that is not the stored one any more is `Conflict`, and \
                   changes neither data nor expiry; from the stored one it writes.",
        why: "Two requests of one visitor at the same time: the slower one would undo what the \
              quicker one has saved, with neither knowing.",
        hint: "UPDATE .. WHERE data = old; WATCH or a script; compare under the lock.",
        catches: &[
            "LastWriteWins",
            "ConflictButWrites",
            "ConflictIsError",
            "ConflictMovesExpiry",
            "CacheMissesReplace",
        ],
        run: |ctx| Box::pin(replace_of_a_changed_record_conflicts(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-02",
        name: "replace_after_a_new_beginning",
        needs: &[Need::Replace],
        sentence: "A record that was destroyed and written again under the same id, with other \
                   data, is another one: `replace` from the old one changes nothing.",
        why: "A version that begins at 1 again makes a stranger's session look like one's own.",
        hint: "Compare the text; or versions that are never used twice.",
        catches: &["VersionReset", "LastWriteWins"],
        run: |ctx| Box::pin(replace_after_a_new_beginning(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-03",
        name: "no_lost_update",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "Of 8 tasks that increase one counter 25 times each, through `get` and `replace`, \
                   none loses an increment.",
        why: "A shopping cart into which two tabs put something holds both.",
        hint: "One statement, or one transaction at an isolation that notices.",
        catches: &["LostUpdate"],
        run: |ctx| Box::pin(no_lost_update(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-04",
        name: "one_create_wins",
        needs: &[Need::Create],
        probabilistic: true,
        sentence: "Of several `create`s of one id at the same time exactly one is `Created`, and \
                   its record is the one that stays.",
        why: "Two visitors with one id would share a session.",
        hint: "A unique key or SET .. NX; never look first and write then.",
        catches: &["CreateRace", "CreateOverwrites"],
        run: |ctx| Box::pin(one_create_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-05",
        name: "touch_is_no_change",
        needs: &[Need::Replace, Need::Touch],
        sentence: "A `touch` between reading and `replace` is no conflict; the new record's expiry \
                   is the one that counts then.",
        why: "Each request touches: with conflicts, a page with ten images could save nothing.",
        hint: "Compare the JSON alone; keep the expiry out of it.",
        catches: &["TouchBumps", "TouchedMissing", "CompareExpiry"],
        run: |ctx| Box::pin(touch_is_no_change(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-06",
        name: "replace_writes_the_expiry",
        needs: &[Need::Replace],
        sentence: "`replace` gives the record the new one's expiry: an earlier one, a later one, or \
                   none.",
        why: "KEEPTTL, or a SET without PX: the session ends with the old expiry, or never.",
        hint: "Write data and expiry together.",
        catches: &["ReplaceKeepsTtl", "ReplaceLosesTtl", "ReplaceOnlyExtends"],
        run: |ctx| Box::pin(replace_writes_the_expiry(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-07",
        name: "replace_changes_one_id",
        needs: &[Need::Replace],
        sentence: "`replace` changes this id and no other, whatever the others hold.",
        why: "Fresh sessions often have the same text: a condition on it alone writes to all.",
        hint: "The id belongs into the condition, too.",
        catches: &["ReplaceSameText"],
        run: |ctx| Box::pin(replace_changes_one_id(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-08",
        name: "replace_compares_each_byte",
        needs: &[Need::Replace],
        sentence: "`replace` compares each byte of the JSON: texts of the same length, that differ \
                   in case, in spaces, in the form of a letter, in the order of keys or only at \
                   their end are different; texts that are the same are the same, at any length.",
        why: "A collation, a hash or a prefix that calls two texts equal loses an update.",
        hint: "A binary comparison (`BINARY`, `COLLATE \"C\"`, bytea) of the whole text.",
        catches: &[
            "CompareLength",
            "CompareCase",
            "ComparePadded",
            "CompareParsed",
            "ComparePrefix",
            "CompareHash",
            "CompareMaxLength",
        ],
        run: |ctx| Box::pin(replace_compares_each_byte(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-09",
        name: "replace_by_the_same",
        needs: &[Need::Replace],
        sentence: "`replace` by the same text is `Replaced`, and writes the new expiry.",
        why: "MySQL counts the rows that have changed, not those that were found: nothing changed \
              looks like a conflict that no retry resolves.",
        hint: "CLIENT_FOUND_ROWS, or a column that changes with each write.",
        catches: &["SameIsConflict", "SameIsSkipped"],
        run: |ctx| Box::pin(replace_by_the_same(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-10",
        name: "any_handle_can_replace",
        needs: &[Need::Replace],
        sentence: "`replace` works from a record that another handle has read, and from one that \
                   was only written: the text decides.",
        why: "A request may be read by one process and saved by another, or by one that has just \
              been started.",
        hint: "Keep no versions in the process.",
        catches: &["VersionByHandle"],
        run: |ctx| Box::pin(any_handle_can_replace(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-11",
        name: "one_replace_wins",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "Of several `replace`s from one record at the same time exactly one is \
                   `Replaced`, and its record is the one that stays.",
        why: "Two requests that both hear that they have saved, and one of them has not.",
        hint: "One statement, or one transaction at an isolation that notices.",
        catches: &["LostUpdate"],
        run: |ctx| Box::pin(one_replace_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-12",
        name: "replace_undoes_no_concurrent_write",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "A `destroy` or a `set` that runs at the same time as a `replace` has the last \
                   word, whichever comes first.",
        why: "OWASP ASVS 3.3.1: the slow request that logs in again what was logged out.",
        hint: "Write only where the old record is found, in the same step.",
        catches: &["LostUpdate", "ReplaceFallsBack"],
        run: |ctx| Box::pin(replace_undoes_no_concurrent_write(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-13",
        name: "create_undoes_no_concurrent_set",
        needs: &[Need::Create],
        probabilistic: true,
        sentence: "A `set` that runs at the same time as a `create` has the last word, whichever \
                   comes first.",
        why: "A record that was just saved would be overwritten by an empty one.",
        hint: "A unique key or SET .. NX; never look first and write then.",
        catches: &["CreateRace"],
        run: |ctx| Box::pin(create_undoes_no_concurrent_set(ctx)),
        ..Rule::CAPABILITY
    },
];

const HOUR: Duration = Duration::from_secs(3_600);

/// A record of hand-written JSON, with `value` in place of data.
fn written(ctx: &Context, data: &str) -> Result<Record, Failure> {
    let text = format!(r#"{{"cookie":{{"originalMaxAge":null,"expires":null}},{data}"#);
    let expires = StoredExpiry::At(ctx.now() + HOUR);
    Record::decode(text, expires).map_err(|error| {
        Failure::inconclusive(format_args!(
            "cannot make a record: {}",
            describe::error(&error)
        ))
    })
}

async fn replace_of_a_changed_record_conflicts(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("shared");
    ctx.h1.set(&id, &ctx.record("old")).await.ok()?;
    let stale = ctx.h1.get(&id).await.some("it was written")?;
    let current = ctx.record("changed by h2");
    ctx.h2.set(&id, &current).await.ok()?;
    let late = ctx.record_until("saved late", Some(ctx.now() + 2 * HOUR));
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        handle
            .replace(&id, &stale, &late)
            .await
            .is(Replaced::Conflict, "h2 has changed the record since")?;
        for reader in [&ctx.h1, &ctx.h2] {
            let because = "replace leaves a record alone with which it conflicts";
            reader.get(&id).await.record(&current, because)?;
        }
    }
    // Not even the record that was to be written is the stored one.
    ctx.h1
        .replace(&id, &late, &late)
        .await
        .is(Replaced::Conflict, "it was never written")?;
    let read = ctx.h1.get(&id).await.some("h2 wrote it")?;
    for (handle, old, new) in [(&ctx.h1, &read, &late), (&ctx.h2, &late, &current)] {
        handle
            .replace(&id, old, new)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        for reader in [&ctx.h1, &ctx.h2] {
            let because = "it was written by replace";
            reader.get(&id).await.record(new, because)?;
        }
    }
    Ok(())
}

async fn replace_after_a_new_beginning(ctx: &Context) -> Result<(), Failure> {
    for by in ["set", "create"] {
        let id = ctx.id(&format!("begun anew by {by}"));
        let (first, second) = (ctx.record("alice"), ctx.record("bob"));
        ctx.h1.set(&id, &first).await.ok()?;
        let read = ctx.h1.get(&id).await.some("it was written")?;
        ctx.h2.destroy(&id).await.ok()?;
        if by == "create" && ctx.has(Need::Create) {
            let answer = ctx.h2.create(&id, &second).await;
            answer.is(Created::Created, "it was destroyed")?;
        } else {
            ctx.h2.set(&id, &second).await.ok()?;
        }
        let answer = ctx.h1.replace(&id, &read, &ctx.record("saved late")).await;
        answer.is(Replaced::Conflict, "another record is there")?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it was destroyed and written again; the old one is another record";
            handle.get(&id).await.record(&second, because)?;
        }
    }
    Ok(())
}

fn number(record: &Record) -> Option<u64> {
    record.data().get::<String>("value").ok()??.parse().ok()
}

async fn no_lost_update(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 25;
    const TRIES: usize = 2_000;
    let id = ctx.id("counter");
    ctx.h1.set(&id, &ctx.record("0")).await.ok()?;
    let numbers: Vec<_> = (0..=TASKS * ROUNDS)
        .map(|n| ctx.record(&n.to_string()))
        .collect();
    let numbers = std::sync::Arc::new(numbers);
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    let counter = id.clone();
    ctx.remark(format!(
        "{TASKS} tasks, through h1 and h2, read the counter and replace it by the next number, \
         {ROUNDS} times each"
    ));
    let conflicts = race(TASKS, move |task| {
        let (handle, id) = (handles[task % 2].clone(), counter.clone());
        let numbers = std::sync::Arc::clone(&numbers);
        async move {
            let mut conflicts = 0_usize;
            for _ in 0..ROUNDS {
                let before = conflicts;
                loop {
                    let read = handle.get(&id).await.some("nobody destroys the counter")?;
                    let value = number(&read).and_then(|value| usize::try_from(value).ok());
                    let Some(new) = value.and_then(|value| numbers.get(value + 1)) else {
                        return Err(Failure::new(
                            "a counter from 0 to 199 while increments are left",
                            describe::data(&read),
                        ));
                    };
                    // What a request does between reading and saving: others get their turn.
                    std::thread::yield_now();
                    let answer = handle.replace(&id, &read, new).await;
                    let call = answer.call.clone();
                    match answer.ok()? {
                        Replaced::Replaced => break,
                        Replaced::Conflict if conflicts - before < TRIES => conflicts += 1,
                        other => {
                            return Err(Failure::new(
                                format_args!(
                                    "`{call}` to be Replaced, or Conflict for a while: nobody \
                                     destroys the counter"
                                ),
                                format_args!("{other:?} after {} conflicts", conflicts - before),
                            ));
                        }
                    }
                }
            }
            Ok(conflicts)
        }
    })
    .await?;
    let met = conflicts.iter().sum::<usize>();
    ctx.remark(format!(
        "{} rounds of {TASKS} tasks met {} conflicts",
        ROUNDS, met
    ));
    let last = ctx.record(&(TASKS * ROUNDS).to_string());
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "each increment was Replaced";
        handle.get(&id).await.record(&last, because)?;
    }
    if met == 0 {
        return Err(Failure::inconclusive(
            "no task came between another one's `get` and `replace`",
        ));
    }
    Ok(())
}

async fn one_create_wins(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 10;
    for round in 0..ROUNDS {
        let id = ctx.id(&format!("round {round}"));
        let records: Vec<_> = (0..TASKS)
            .map(|task| ctx.record(&format!("of task {task}")))
            .collect();
        let (handles, own) = ([ctx.h1.quiet(), ctx.h2.quiet()], records.clone());
        let created_id = id.clone();
        let created = race(TASKS, move |task| {
            let (handle, id) = (handles[task % 2].clone(), created_id.clone());
            let record = own[task].clone();
            async move { handle.create(&id, &record).await.ok() }
        })
        .await?;
        ctx.remark(format!(
            "round {round}: {TASKS} tasks create one id -> {created:?}"
        ));
        let winners: Vec<_> = (0..TASKS)
            .filter(|task| created[*task] == Created::Created)
            .collect();
        let [winner] = winners[..] else {
            return Err(Failure::new(
                "exactly one of the `create`s to be Created",
                format_args!("{}: tasks {winners:?}", winners.len()),
            ));
        };
        let because = format!("the create of task {winner} was the one that was Created");
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&records[winner], &because)?;
        }
    }
    Ok(())
}

async fn touch_is_no_change(ctx: &Context) -> Result<(), Failure> {
    for (toucher, expires) in [
        (&ctx.h2, Some(ctx.now() + 2 * HOUR)),
        (&ctx.h1, Some(ctx.now() + 3 * HOUR)),
        (&ctx.h2, None),
    ] {
        let id = ctx.id(&format!(
            "touched by {}, {}",
            toucher.name,
            describe::expiry(expires, ctx.now())
        ));
        let (old, new) = (
            ctx.record("old"),
            ctx.record_until("new", Some(ctx.now() + 5 * HOUR)),
        );
        ctx.h1.set(&id, &old).await.ok()?;
        let read = ctx.h1.get(&id).await.some("it was written")?;
        toucher
            .touch(&id, &ctx.cookie(expires))
            .await
            .is(Touched::Touched, "it is live")?;
        let because = "it was touched, and touch is no change";
        ctx.h1
            .replace(&id, &read, &new)
            .await
            .is(Replaced::Replaced, because)?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "replace wrote it, with its own expiry";
            handle.get(&id).await.record(&new, because)?;
        }
        // And from a record that was read after the touch.
        toucher
            .touch(&id, &ctx.cookie(Some(ctx.now() + 6 * HOUR)))
            .await
            .is(Touched::Touched, "it is live")?;
        let read = ctx.h2.get(&id).await.some("it is live")?;
        ctx.h2
            .replace(&id, &read, &old)
            .await
            .is(Replaced::Replaced, "it is the stored record")?;
        let because = "replace wrote it, with its own expiry";
        ctx.h1.get(&id).await.record(&old, because)?;
    }
    Ok(())
}

async fn replace_writes_the_expiry(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.after_many_calls(), ctx.late());
    let changes = [
        ("late to soon", Some(late), Some(soon)),
        ("soon to late", Some(soon), Some(late)),
        ("soon to none", Some(soon), None),
        ("none to soon", None, Some(soon)),
        ("late to none", Some(late), None),
        ("none to late", None, Some(late)),
    ];
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    for (name, before, after) in changes {
        let id = ctx.id(name);
        let (old, new) = (
            ctx.record_until("before", before),
            ctx.record_until("after", after),
        );
        ctx.h1.set(&id, &old).await.ok()?;
        let answer = ctx.h1.replace(&id, &old, &new).await;
        let replaced = answer.is(Replaced::Replaced, "the record is the old one");
        ctx.before(soon, replaced)?;
        let found = ctx.h2.get(&id).await;
        ctx.before(soon, found.record(&new, "replace wrote this expiry"))?;
    }
    ctx.wait_until_gone(soon).await;
    for (name, _, after) in changes {
        let answer = ctx.h1.get(&ctx.id(name)).await;
        if after == Some(soon) {
            answer.none("replace gave it this expiry, and it has passed")?;
        } else if after.is_some() || forever {
            let new = ctx.record_until("after", after);
            answer.text(&new, "replace took the old expiry away")?;
        }
    }
    Ok(())
}

async fn replace_changes_one_id(ctx: &Context) -> Result<(), Failure> {
    let base = ctx.id("base").id.as_str().to_owned();
    let texts = [
        base.clone(),
        base[..31].to_owned(),
        base[1..].to_owned(),
        format!("{base}a"),
        format!("{base}-{base}"),
    ];
    let ids = ctx.odd_ids("id", &texts);
    let (old, new) = (ctx.record("fresh"), ctx.record("logged in"));
    for id in &ids {
        ctx.h1.set(id, &old).await.ok()?;
    }
    let Some((first, others)) = ids.split_first() else {
        return Ok(());
    };
    ctx.h1
        .replace(first, &old, &new)
        .await
        .is(Replaced::Replaced, "the record is the old one")?;
    ctx.h2
        .get(first)
        .await
        .record(&new, "it was written by replace")?;
    for id in others {
        let because = "another id was replaced, which had the same text";
        ctx.h2.get(id).await.record(&old, because)?;
    }
    Ok(())
}

async fn replace_compares_each_byte(ctx: &Context) -> Result<(), Failure> {
    let long = "0123456789".repeat(2_000);
    let pairs = [
        (
            "the last letter",
            r#""a":"same"}"#.into(),
            r#""a":"samf"}"#.into(),
        ),
        (
            "the order of letters",
            r#""a":"ab"}"#.into(),
            r#""a":"ba"}"#.into(),
        ),
        ("case", r#""a":"Text"}"#.into(), r#""a":"text"}"#.into()),
        ("case of a key", r#""Key":1}"#.into(), r#""key":1}"#.into()),
        (
            "a space in a text",
            r#""a":"text "}"#.into(),
            r#""a":"text"}"#.into(),
        ),
        ("a space at the end", "\"a\":1} ".into(), r#""a":1}"#.into()),
        ("a line's end", "\"a\":1}\n".into(), r#""a":1}"#.into()),
        (
            "the order of keys",
            r#""a":1,"b":2}"#.into(),
            r#""b":2,"a":1}"#.into(),
        ),
        (
            "a number's form",
            r#""a":1.0}"#.into(),
            r#""a":1.00}"#.into(),
        ),
        ("an escape", r#""a":"\u0041"}"#.into(), r#""a":"A"}"#.into()),
        (
            "a letter's form",
            "\"a\":\"\u{e9}\"}".into(),
            "\"a\":\"e\u{301}\"}".into(),
        ),
        (
            "an accent",
            "\"a\":\"\u{e9}\"}".into(),
            "\"a\":\"e\"}".into(),
        ),
        (
            "sharp s",
            "\"a\":\"\u{df}\"}".into(),
            "\"a\":\"ss\"}".into(),
        ),
        (
            "the end of a long text",
            format!(r#""a":"{long}1"}}"#),
            format!(r#""a":"{long}2"}}"#),
        ),
    ];
    let new = ctx.record("new");
    for (name, there, stale) in pairs {
        let id = ctx.id(name);
        let (there, stale): (Record, Record) = (written(ctx, &there)?, written(ctx, &stale)?);
        ctx.h1.set(&id, &there).await.ok()?;
        ctx.h2.replace(&id, &stale, &new).await.is(
            Replaced::Conflict,
            format_args!("the texts differ in {name}"),
        )?;
        ctx.h1.get(&id).await.text(
            &there,
            "replace leaves a record alone with which it conflicts",
        )?;
        ctx.h2
            .replace(&id, &there, &new)
            .await
            .is(Replaced::Replaced, "the texts are the same")?;
        ctx.h1
            .get(&id)
            .await
            .record(&new, "it was written by replace")?;
    }
    Ok(())
}

async fn replace_by_the_same(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("unchanged"), ctx.record("unchanged"));
    ctx.h1.set(&id, &record).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        handle
            .replace(&id, &record, &record)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        handle
            .get(&id)
            .await
            .record(&record, "it was replaced by itself")?;
    }
    // The same text with another expiry, as a record has it that was touched.
    for hours in [3, 2] {
        let expires = ctx.now() + hours * HOUR;
        let moved = record
            .clone()
            .with_stored_expires(StoredExpiry::At(expires));
        ctx.h1
            .replace(&id, &record, &moved)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "replace wrote the same text with this expiry";
            handle.get(&id).await.record(&moved, because)?;
        }
    }
    Ok(())
}

async fn any_handle_can_replace(ctx: &Context) -> Result<(), Failure> {
    let (id, first) = (ctx.id("passed on"), ctx.record("0"));
    ctx.h1.set(&id, &first).await.ok()?;
    let read = ctx.h1.get(&id).await.some("it was written")?;
    let because = "the record is the old one, whoever read it";
    // h2 has not seen the record; then h1 has not seen the new one.
    let mut old = read;
    for (n, handle) in [&ctx.h2, &ctx.h1, &ctx.h1, &ctx.h2].into_iter().enumerate() {
        let new = ctx.record(&(n + 1).to_string());
        handle
            .replace(&id, &old, &new)
            .await
            .is(Replaced::Replaced, because)?;
        old = new;
    }
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.record(&old, "it was written last")?;
    }
    Ok(())
}

async fn one_replace_wins(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 10;
    let old = ctx.record("old");
    for round in 0..ROUNDS {
        let id = ctx.id(&format!("round {round}"));
        ctx.h1.quiet().set(&id, &old).await.ok()?;
        let records: Vec<_> = (0..TASKS)
            .map(|task| ctx.record(&format!("of task {task}")))
            .collect();
        let (handles, own) = ([ctx.h1.quiet(), ctx.h2.quiet()], records.clone());
        let (shared_id, shared_old) = (id.clone(), old.clone());
        let replaced = race(TASKS, move |task| {
            let (handle, id) = (handles[task % 2].clone(), shared_id.clone());
            let (old, new) = (shared_old.clone(), own[task].clone());
            async move { handle.replace(&id, &old, &new).await.ok() }
        })
        .await?;
        ctx.remark(format!(
            "round {round}: {TASKS} tasks replace one record -> {replaced:?}"
        ));
        let winners: Vec<_> = (0..TASKS)
            .filter(|task| replaced[*task] == Replaced::Replaced)
            .collect();
        let [winner] = winners[..] else {
            return Err(Failure::new(
                "exactly one of the `replace`s to be Replaced",
                format_args!("{}: tasks {winners:?}", winners.len()),
            ));
        };
        ensure(
            !replaced.contains(&Replaced::Missing),
            "the other `replace`s to be Conflict: the record was there all the time",
            format_args!("{replaced:?}"),
        )?;
        let because = format!("the replace of task {winner} was the one that was Replaced");
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&records[winner], &because)?;
        }
    }
    Ok(())
}

/// How often two calls are let loose on each other at least.
const ROUNDS: usize = 40;
/// How often, if they never meet.
const MOST: usize = 400;

async fn replace_undoes_no_concurrent_write(ctx: &Context) -> Result<(), Failure> {
    let (old, late, set) = (
        ctx.record("old"),
        ctx.record("saved late"),
        ctx.record("set"),
    );
    let mut random = ctx.random("delays");
    for destroys in [true, false] {
        let (mut replaced, other) = (0, if destroys { "destroy" } else { "set" });
        let (mut rounds, mut met) = (0, 0);
        while rounds < ROUNDS || (met == 0 && rounds < MOST) {
            let round = rounds;
            rounds += 1;
            let id = ctx.id(&format!("{other}, round {round}"));
            let [h1, h2] = [ctx.h1.quiet(), ctx.h2.quiet()];
            h1.set(&id, &old).await.ok()?;
            let (shared_id, old, late, set) = (id.clone(), old.clone(), late.clone(), set.clone());
            let written = set.clone();
            // The thread that is made last starts first: take turns.
            let conditional = round % 2;
            let delays = [random.below(4_000), random.below(4_000)];
            let answers = race(2, move |task| {
                let (h1, h2, id) = (h1.clone(), h2.clone(), shared_id.clone());
                let (old, late, set) = (old.clone(), late.clone(), set.clone());
                async move {
                    for _ in 0..delays[task] {
                        std::hint::spin_loop();
                    }
                    if task == conditional {
                        let (answer, span) = Span::of(h1.replace(&id, &old, &late)).await;
                        return Ok((Some(answer.ok()?), span));
                    }
                    let (answer, span) = if destroys {
                        Span::of(h2.destroy(&id)).await
                    } else {
                        Span::of(h2.set(&id, &set)).await
                    };
                    answer.ok()?;
                    Ok((None, span))
                }
            })
            .await?;
            met += usize::from(answers[0].1.meets(answers[1].1));
            let answers = [answers[0].0, answers[1].0];
            ctx.remark(format!(
                "round {round}: h1.replace -> {:?}, while h2.{other} -> Ok",
                answers[conditional]
            ));
            replaced += usize::from(answers.contains(&Some(Replaced::Replaced)));
            let because = format!(
                "{other} has the last word, whether `replace` came before it or after; it was \
                 {:?} in round {round}",
                answers[conditional]
            );
            for handle in [&ctx.h1, &ctx.h2] {
                let found = handle.quiet().get(&id).await;
                if destroys {
                    found.none(&because)?;
                } else {
                    found.record(&written, &because)?;
                }
            }
        }
        ctx.remark(format!(
            "{rounds} rounds of h1.replace and h2.{other}, {met} of them at the same time; \
             replace came first in {replaced}"
        ));
        if met == 0 {
            return Err(never_met("replace", other));
        }
    }
    Ok(())
}

fn never_met(one: &str, other: &str) -> Failure {
    Failure::inconclusive(format_args!(
        "`{one}` and `{other}` were never under way at the same time, in {MOST} rounds"
    ))
}

async fn create_undoes_no_concurrent_set(ctx: &Context) -> Result<(), Failure> {
    let (empty, full) = (ctx.record_of(&data(&[]), None), ctx.record("set"));
    let mut random = ctx.random("delays");
    let (mut created, mut rounds, mut met) = (0, 0, 0);
    while rounds < ROUNDS || (met == 0 && rounds < MOST) {
        let round = rounds;
        rounds += 1;
        let id = ctx.id(&format!("round {round}"));
        let [h1, h2] = [ctx.h1.quiet(), ctx.h2.quiet()];
        let (shared_id, empty, set) = (id.clone(), empty.clone(), full.clone());
        let conditional = round % 2;
        let delays = [random.below(4_000), random.below(4_000)];
        let answers = race(2, move |task| {
            let (h1, h2, id) = (h1.clone(), h2.clone(), shared_id.clone());
            let (empty, set) = (empty.clone(), set.clone());
            async move {
                for _ in 0..delays[task] {
                    std::hint::spin_loop();
                }
                if task == conditional {
                    let (answer, span) = Span::of(h1.create(&id, &empty)).await;
                    return Ok((Some(answer.ok()?), span));
                }
                let (answer, span) = Span::of(h2.set(&id, &set)).await;
                answer.ok()?;
                Ok((None, span))
            }
        })
        .await?;
        met += usize::from(answers[0].1.meets(answers[1].1));
        let answers = [answers[0].0, answers[1].0];
        ctx.remark(format!(
            "round {round}: h1.create -> {:?}, while h2.set -> Ok",
            answers[conditional]
        ));
        created += usize::from(answers.contains(&Some(Created::Created)));
        let because = format!(
            "set has the last word, whether `create` came before it or after; it was {:?} in \
             round {round}",
            answers[conditional]
        );
        for handle in [&ctx.h1, &ctx.h2] {
            handle.quiet().get(&id).await.record(&full, &because)?;
        }
    }
    ctx.remark(format!(
        "{rounds} rounds of h1.create and h2.set, {met} of them at the same time; create came \
         first in {created}"
    ));
    if met == 0 {
        return Err(never_met("create", "set"));
    }
    Ok(())
}
