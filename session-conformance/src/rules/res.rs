//! What was destroyed stays so: conditional writes and records that are not there.

use std::time::Duration;

use session_core::{Created, Replaced};

use super::len::counted;
use crate::Rule;
use crate::context::{Context, data};
use crate::failure::Failure;
use crate::need::Need;

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "RES-01",
        name: "replace_creates_nothing",
        needs: &[Need::Replace],
        sentence: "`replace` of an unknown id is `Missing` and creates nothing.",
        why: "An upsert in its place makes a session out of any id that a client makes up.",
        hint: "UPDATE with a condition; SET .. XX; a script that looks first.",
        catches: &[
            "UpsertUpdate",
            "ReplaceMissingFails",
            "ReplaceMissingConflicts",
        ],
        run: |ctx| Box::pin(replace_creates_nothing(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-02",
        name: "logout_wins_over_a_slow_request",
        needs: &[Need::Replace],
        sentence: "`replace` of a record that was destroyed after it was read is `Missing`, and \
                   the record stays gone.",
        why: "OWASP ASVS 3.3.1: a request that was under way during the logout would log the \
              visitor in again when it saves.",
        hint: "Compare with what the backend holds, in the statement that writes.",
        catches: &["Resurrect", "UpsertUpdate"],
        run: |ctx| Box::pin(logout_wins_over_a_slow_request(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-03",
        name: "old_id_stays_gone_after_regenerate",
        needs: &[Need::Replace],
        sentence: "After a session has moved to a new id, `replace` under the old one is \
                   `Missing`, and the old id never comes back.",
        why: "Session fixation (CWE-384): an attacker who knows the id from before the login \
              waits for a slow request to bring it back.",
        hint: "Compare with what the backend holds, in the statement that writes.",
        catches: &["ResurrectOld", "UpsertUpdate", "Resurrect"],
        run: |ctx| Box::pin(old_id_stays_gone_after_regenerate(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-04",
        name: "replace_does_not_revive_expired",
        needs: &[Need::Replace],
        sentence: "`replace` of an expired record is `Missing` and does not revive it, swept or \
                   not.",
        why: "OWASP ASVS 3.3.2: a session that has timed out is over; swept or not is chance.",
        hint: "Add the live check to the UPDATE's condition.",
        catches: &["UpdateRevives", "UpdateRevivesEndless"],
        run: |ctx| Box::pin(replace_does_not_revive_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-05",
        name: "create_leaves_what_is_there",
        needs: &[Need::Create],
        sentence: "`create` of an id with a live record is `Exists`, and leaves data and expiry as \
                   they are.",
        why: "Two visitors with one id: the second one would be let into the first one's session.",
        hint: "INSERT .. ON CONFLICT DO NOTHING, SET .. NX; a duplicate key is an answer, no error.",
        catches: &[
            "CreateOverwrites",
            "CreateOverwritesSilently",
            "CreateMerges",
            "CreateExistsFails",
            "CreateTouches",
        ],
        run: |ctx| Box::pin(create_leaves_what_is_there(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-06",
        name: "create_over_expired",
        needs: &[Need::Create],
        sentence: "`create` of an id whose record has expired succeeds, swept or not, and keeps \
                   nothing of the old one.",
        why: "A row that is waiting for the sweep would keep its visitor out.",
        hint: "ON CONFLICT DO UPDATE .. WHERE the old row has expired, with each column.",
        catches: &["CreateBlockedByGhost", "CreateOverGhostMerges"],
        run: |ctx| Box::pin(create_over_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-07",
        name: "replace_by_expired",
        needs: &[Need::Replace],
        sentence: "`replace` by a record that has already expired ends the session, under the same \
                   condition as any other: `Conflict` and `Missing` change nothing.",
        why: "Where it means DELETE, the comparison is easily forgotten; where it means PX 0, it \
              is an error or no expiry.",
        hint: "The condition first; then, instead of writing what is over, remove.",
        catches: &[
            "ReplacePastForever",
            "ReplacePastUnchecked",
            "ReplacePastIgnored",
        ],
        run: |ctx| Box::pin(replace_by_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-08",
        name: "create_of_expired",
        needs: &[Need::Create],
        sentence: "`create` of a record that has already expired leaves no live record where none \
                   was, and is `Exists` where one is.",
        why: "Where it means DELETE, the live record goes; where it means PX 0, it is an error or \
              no expiry.",
        hint: "The condition first; then write nothing.",
        catches: &["CreatePastForever", "CreatePastRemoves", "CreateOverwrites"],
        run: |ctx| Box::pin(create_of_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-09",
        name: "create_writes_the_whole_record",
        needs: &[Need::Create],
        sentence: "`create` writes text and expiry as `set` does: later, sooner or none.",
        why: "SETNX takes no expiry; the EXPIRE after it is lost with the connection.",
        hint: "SET .. NX PX in one command.",
        catches: &["CreateLosesTtl", "CreateDefaultsTtl"],
        run: |ctx| Box::pin(create_writes_the_whole_record(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "RES-10",
        name: "create_again_after_destroy",
        needs: &[Need::Create],
        sentence: "An id that was created and destroyed can be created again, as often as one \
                   likes.",
        why: "A tombstone that was to keep a slow request out keeps the visitor out.",
        hint: "Let the backend's own row decide.",
        catches: &["CreateOnce", "NegativeCache"],
        run: |ctx| Box::pin(create_again_after_destroy(ctx)),
        ..Rule::CAPABILITY
    },
];

async fn replace_creates_nothing(ctx: &Context) -> Result<(), Failure> {
    let unknown = ctx.id("unknown");
    let old = ctx.record("old");
    for (handle, new) in [
        (&ctx.h1, ctx.record("new")),
        (&ctx.h2, ctx.record_until("endless", None)),
        // The same text: not even that is there.
        (&ctx.h1, old.clone()),
    ] {
        let replaced = handle.replace(&unknown, &old, &new).await;
        for reader in [&ctx.h1, &ctx.h2] {
            reader.get(&unknown).await.none("replace creates nothing")?;
        }
        replaced.is(Replaced::Missing, "nobody wrote it")?;
    }
    counted(ctx, 0, "replace creates nothing").await
}

async fn logout_wins_over_a_slow_request(ctx: &Context) -> Result<(), Failure> {
    for (slow, quick) in [(&ctx.h1, &ctx.h2), (&ctx.h2, &ctx.h1), (&ctx.h1, &ctx.h1)] {
        let id = ctx.id(&format!(
            "read by {}, destroyed by {}",
            slow.name, quick.name
        ));
        slow.set(&id, &ctx.record("logged in")).await.ok()?;
        let read = slow.get(&id).await.some("it was written")?;
        quick.destroy(&id).await.ok()?;
        for _ in 0..2 {
            let late = ctx.record("saved late");
            let replaced = slow.replace(&id, &read, &late).await;
            // What has happened says more than what the answer says of it.
            for handle in [&ctx.h1, &ctx.h2] {
                handle.get(&id).await.none("logging out is final")?;
            }
            replaced.is(Replaced::Missing, "it was destroyed after it was read")?;
        }
    }
    counted(ctx, 0, "all were destroyed").await
}

async fn old_id_stays_gone_after_regenerate(ctx: &Context) -> Result<(), Failure> {
    let (old_id, new_id) = (ctx.id("before login"), ctx.id("after login"));
    let anonymous = ctx.record("anonymous");
    ctx.h1.set(&old_id, &anonymous).await.ok()?;
    let read = ctx.h1.get(&old_id).await.some("it was written")?;
    // Another request logs in: same session, new id.
    let moved = ctx.h2.get(&old_id).await.some("it was written")?;
    ctx.h2.destroy(&old_id).await.ok()?;
    let logged_in = ctx.record("logged in");
    if ctx.has(Need::Create) {
        ctx.h2
            .create(&new_id, &moved)
            .await
            .is(Created::Created, "nothing is there")?;
        ctx.h2
            .replace(&new_id, &moved, &logged_in)
            .await
            .is(Replaced::Replaced, "it is as it was created")?;
    } else {
        ctx.h2.set(&new_id, &logged_in).await.ok()?;
    }
    for slow in [&ctx.h1, &ctx.h2] {
        let late = ctx.record("saved late");
        let replaced = slow.replace(&old_id, &read, &late).await;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "the session has another id now";
            handle.get(&old_id).await.none(because)?;
            let because = "nobody wrote to the new id since";
            handle.get(&new_id).await.record(&logged_in, because)?;
        }
        replaced.is(Replaced::Missing, "the session has another id now")?;
    }
    counted(ctx, 1, "the session has one id").await
}

async fn replace_does_not_revive_expired(ctx: &Context) -> Result<(), Failure> {
    let soon = ctx.ticks(1);
    let old = ctx.record_until("over", Some(soon));
    let (late, endless) = (ctx.id("by a later expiry"), ctx.id("by none"));
    for id in [&late, &endless] {
        ctx.h1.set(id, &old).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    for (id, expires) in [(&late, Some(ctx.late())), (&endless, None)] {
        let new = ctx.record_until("revived", expires);
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .replace(id, &old, &new)
                .await
                .is(Replaced::Missing, "it has expired")?;
            // Nor is an expired record in the way of a comparison.
            handle
                .replace(id, &ctx.record("another"), &new)
                .await
                .is(Replaced::Missing, "it has expired")?;
        }
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it has expired, and replace does not revive";
            handle.get(id).await.none(because)?;
        }
    }
    counted(ctx, 0, "both have expired").await
}

async fn create_leaves_what_is_there(ctx: &Context) -> Result<(), Failure> {
    let created = ctx.id("created");
    let old = ctx.record_of(&data(&[("user", "alice")]), Some(ctx.now() + HOUR));
    let new = ctx.record_of(
        &data(&[("user", "mallory"), ("admin", "yes")]),
        Some(ctx.now() + 2 * HOUR),
    );
    ctx.h1
        .create(&created, &old)
        .await
        .is(Created::Created, "nothing is there")?;
    let (set, endless) = (ctx.id("set"), ctx.id("without an expiry"));
    let lasting = ctx.record_until("endless", None);
    ctx.h2.set(&set, &old).await.ok()?;
    ctx.h2.set(&endless, &lasting).await.ok()?;
    for (id, there) in [(&created, &old), (&set, &old), (&endless, &lasting)] {
        for (handle, record) in [(&ctx.h1, &new), (&ctx.h2, &new), (&ctx.h1, there)] {
            handle
                .create(id, record)
                .await
                .is(Created::Exists, "a live record is there")?;
            for reader in [&ctx.h1, &ctx.h2] {
                let because = "create leaves a live record alone";
                reader.get(id).await.record(there, because)?;
            }
        }
    }
    counted(ctx, 3, "three ids were written").await
}

async fn create_over_expired(ctx: &Context) -> Result<(), Failure> {
    let soon = ctx.ticks(1);
    let old = ctx.record_of(&data(&[("user", "alice"), ("admin", "yes")]), Some(soon));
    let ids = [ctx.id("later"), ctx.id("endless")];
    ctx.h1.set(&ids[0], &old).await.ok()?;
    let _: Created = ctx.h1.create(&ids[1], &old).await.ok()?;
    ctx.wait_until_gone(soon).await;
    for (id, expires) in ids.iter().zip([Some(ctx.late()), None]) {
        let new = ctx.record_of(&data(&[("user", "bob")]), expires);
        ctx.h2
            .create(id, &new)
            .await
            .is(Created::Created, "the record that was there has expired")?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it is all that was written since the old one expired";
            handle.get(id).await.record(&new, because)?;
        }
        ctx.h1
            .create(id, &old)
            .await
            .is(Created::Exists, "it was created again")?;
    }
    Ok(())
}

async fn replace_by_expired(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("ended");
    let (old, other) = (ctx.record("old"), ctx.record("other"));
    let over = ctx.record_until("over", Some(ctx.now() - HOUR));
    ctx.h1.set(&id, &other).await.ok()?;
    ctx.h1
        .replace(&id, &old, &over)
        .await
        .is(Replaced::Conflict, "another record is there")?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "replace leaves a record alone with which it conflicts";
        handle.get(&id).await.record(&other, because)?;
    }
    ctx.h2
        .replace(&id, &other, &over)
        .await
        .is(Replaced::Replaced, "the record is the old one")?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "it was replaced by a record that has expired";
        handle.get(&id).await.none(because)?;
    }
    counted(ctx, 0, "what was written has expired").await?;
    ctx.h1
        .replace(&id, &over, &old)
        .await
        .is(Replaced::Missing, "what was written has expired")?;
    ctx.h1
        .replace(&id, &over, &over)
        .await
        .is(Replaced::Missing, "what was written has expired")?;
    ctx.wait_until_gone(ctx.ticks(1)).await;
    ctx.h2.get(&id).await.none("it has expired long ago")
}

async fn create_of_expired(ctx: &Context) -> Result<(), Failure> {
    let (free, taken) = (ctx.id("free"), ctx.id("taken"));
    let (live, over) = (
        ctx.record("live"),
        ctx.record_until("over", Some(ctx.now() - HOUR)),
    );
    ctx.h1.set(&taken, &live).await.ok()?;
    ctx.h1
        .create(&taken, &over)
        .await
        .is(Created::Exists, "a live record is there")?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "create leaves a live record alone";
        handle.get(&taken).await.record(&live, because)?;
    }
    for _ in 0..2 {
        ctx.h1
            .create(&free, &over)
            .await
            .is(Created::Created, "no live record is there")?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .get(&free)
                .await
                .none("what was created has expired")?;
        }
    }
    counted(ctx, 1, "what was created has expired").await?;
    ctx.h2
        .create(&free, &live)
        .await
        .is(Created::Created, "what was created has expired")?;
    ctx.h1.get(&free).await.record(&live, "it was created last")
}

async fn create_writes_the_whole_record(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    let cases = [("soon", Some(soon)), ("late", Some(late)), ("none", None)];
    for (name, expires) in cases {
        let (id, record) = (ctx.id(name), ctx.record_until(name, expires));
        let created = ctx.h1.create(&id, &record).await;
        created.is(Created::Created, "nothing is there")?;
        let found = ctx.h2.get(&id).await;
        ctx.before(soon, found.record(&record, "it was created so"))?;
    }
    ctx.wait_until_gone(soon).await;
    let because = "the expiry that it was created with has passed";
    ctx.h1.get(&ctx.id("soon")).await.none(because)?;
    let because = "the expiry that it was created with is yet to come";
    let late = ctx.record_until("late", Some(late));
    ctx.h1.get(&ctx.id("late")).await.record(&late, because)?;
    if forever {
        let endless = ctx.record_until("none", None);
        let because = "it was created without an expiry";
        ctx.h1
            .get(&ctx.id("none"))
            .await
            .record(&endless, because)?;
    }
    Ok(())
}

async fn create_again_after_destroy(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("again");
    for round in 0..3 {
        let record = ctx.record(&round.to_string());
        let (creator, killer) = match round {
            1 => (&ctx.h2, &ctx.h1),
            _ => (&ctx.h1, &ctx.h2),
        };
        creator
            .create(&id, &record)
            .await
            .is(Created::Created, "nothing is there")?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&record, "it was created")?;
        }
        killer.destroy(&id).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.none("it was destroyed")?;
        }
    }
    Ok(())
}
