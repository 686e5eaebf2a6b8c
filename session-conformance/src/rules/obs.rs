//! What an operator sees: `Debug`, and the load on the backend.

use std::collections::BTreeMap;

use session_core::{Created, Replaced};

use crate::Rule;
use crate::context::{Context, data};
use crate::failure::{Failure, ensure};
use crate::need::Need;
use crate::secret::gives_away;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "OBS-01",
        name: "debug_of_the_store_holds_no_secrets",
        sentence: "The `Debug` of a store has no password, no session id and no session data in \
                   it, before and after calls.",
        why: "OWASP ASVS 7.1.1: an application's state is logged with `{:?}` sooner or later.",
        hint: "Write `Debug` by hand: `derive` shows the URL, the cache and the map.",
        catches: &["LeakDebug", "DebugShowsIds", "DebugShowsData"],
        run: |ctx| Box::pin(debug_of_the_store_holds_no_secrets(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "OBS-02",
        name: "calls_are_one_round_trip",
        needs: &[Need::RoundTrips],
        sentence: "`get`, `set`, `destroy`, `create` and `replace` cost one round trip each, or none.",
        why: "Each request waits for at least one of them.",
        hint: "One statement or one script; a pool that pings before each use pays twice.",
        catches: &["ChattySet", "PingsFirst", "ReplaceInSteps"],
        run: |ctx| Box::pin(calls_are_one_round_trip(ctx)),
        ..Rule::SHOULD
    },
];

async fn debug_of_the_store_holds_no_secrets(ctx: &Context) -> Result<(), Failure> {
    const VALUE: &str = "cGFzc3dvcmQtaW4tc2Vzc2lvbg";
    let id = ctx.id("shown");
    let record = ctx.record_of(&data(&[("password", VALUE)]), ctx.record("").expires());
    let demand = |when: &str| {
        for handle in [&ctx.h1, &ctx.h2] {
            let store = handle.store();
            let text = format!("{store:?} {store:#?}");
            let mut secrets = vec![("session id", id.id.as_str()), ("session data", VALUE)];
            secrets.extend(
                ctx.space
                    .secrets
                    .iter()
                    .map(|s| ("secret of the harness", &**s)),
            );
            for (what, secret) in secrets {
                ensure(
                    !gives_away(&text, secret),
                    format_args!("no {what} in the Debug of {} {when}", handle.name),
                    &text,
                )?;
            }
        }
        Ok::<_, Failure>(())
    };
    ctx.remark("`{:?}` and `{:#?}` of h1 and h2");
    demand("before any call")?;
    ctx.h1.set(&id, &record).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.record(&record, "it was written")?;
    }
    demand("after `set` and `get`")
}

async fn calls_are_one_round_trip(ctx: &Context) -> Result<(), Failure> {
    let (h1, mut counted) = (&ctx.h1, BTreeMap::<_, Vec<u64>>::new());
    let [set, gone, swapped] = ["set", "destroyed", "replaced"].map(|name| ctx.id(name));
    let (old, new) = (ctx.record("old"), ctx.record("new"));
    // The first time may connect, prepare a statement or load a script. In another one, the late
    // answer to what the store asked in passing may count: the middle of three is the call's own.
    for turn in 0..4 {
        let name = |name: &str| ctx.id(&format!("{name}, {turn}"));
        for id in [&set, &gone, &swapped] {
            h1.set(id, &old).await.ok()?;
        }
        for call in [
            "get",
            "get of an unknown id",
            "set",
            "destroy",
            "create",
            "replace",
        ] {
            let before = ctx.space.hooks.round_trips().await?;
            match call {
                "get" => drop(h1.get(&set).await.some("it was written")?),
                "set" => h1.set(&set, &new).await.ok()?,
                "destroy" => h1.destroy(&gone).await.ok()?,
                "create" if ctx.has(Need::Create) => {
                    let _: Created = h1.create(&name("new"), &new).await.ok()?;
                }
                "replace" if ctx.has(Need::Replace) => {
                    let _: Replaced = h1.replace(&swapped, &old, &new).await.ok()?;
                }
                "get of an unknown id" => h1.get(&name("unknown")).await.none("nobody wrote it")?,
                _ => continue,
            }
            let trips = ctx.space.hooks.round_trips().await?.saturating_sub(before);
            if turn > 0 {
                counted.entry(call).or_default().push(trips);
            }
        }
    }
    let dear: Vec<_> = counted
        .into_iter()
        .filter_map(|(call, mut trips)| {
            trips.sort_unstable();
            let middle = trips[trips.len() / 2];
            (middle > 1).then(|| format!("{call}: {middle}"))
        })
        .collect();
    ensure(
        dear.is_empty(),
        "one round trip at most for each call",
        format_args!("more: {}", dear.join(", ")),
    )
}
