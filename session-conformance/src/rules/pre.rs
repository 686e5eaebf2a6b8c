//! The harness and the handles keep what the other rules rely on.

use crate::Rule;
use crate::absent;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::{Need, Standing};
use crate::parallel::race;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "PRE-01",
        name: "fresh_namespace_is_empty",
        sentence: "A freshly opened namespace is empty.",
        why: "Rules that find the leavings of others blame the wrong store.",
        hint: "`Harness::open` must use its `namespace` as prefix, table or directory, and must \
               not fill it.",
        catches: &["ReusesData", "SeedsData"],
        run: |ctx| Box::pin(fresh_namespace_is_empty(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "PRE-02",
        name: "namespaces_are_apart",
        sentence: "Two namespaces do not see each other's records.",
        why: "Two applications on one server would read each other's sessions.",
        hint: "Put the prefix before each key, in each operation, `destroy` and `clear` included.",
        catches: &["IgnoresPrefix", "DestroyIgnoresPrefix"],
        run: |ctx| Box::pin(namespaces_are_apart(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "PRE-03",
        name: "handles_share_one_namespace",
        needs: &[Need::SecondHandle],
        sentence: "Two handles on one namespace see each other's records.",
        why: "Behind a load balancer, the next request of a visitor reaches another process.",
        hint: "Both handles of a `Namespace` must lead to the same backend; a store that allows \
               one only says so with `Backend::lacks(Need::SecondHandle, ..)`.",
        catches: &["PerHandleMap"],
        run: |ctx| Box::pin(handles_share_one_namespace(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "PRE-04",
        name: "undeclared_capabilities_are_unsupported",
        sentence: "The store declares what the harness says, and what it does not declare \
                   answers `Unsupported` and changes nothing.",
        why: "The request lifecycle chooses its calls by the declaration; a call that half works \
              loses sessions.",
        hint: "Leave the trait's own bodies in place for what is not declared.",
        catches: &[
            "LyingManifest",
            "SilentUnsupported",
            "UnsupportedButWrites",
            "WrongRefusal",
        ],
        run: |ctx| Box::pin(undeclared_capabilities_are_unsupported(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "PRE-05",
        name: "usable_from_any_thread",
        sentence: "One handle works from several threads at once, behind `Arc<dyn Store>`.",
        why: "A multi-threaded runtime moves a request's task between threads.",
        hint: "Keep no state in thread-locals; share one pool behind an `Arc`.",
        catches: &["ThreadBound"],
        run: |ctx| Box::pin(usable_from_any_thread(ctx)),
        ..Rule::MUST
    },
];

async fn fresh_namespace_is_empty(ctx: &Context) -> Result<(), Failure> {
    // The same id in every run, so that a harness which hands out old data is found out.
    let marker = ctx.odd_id("id marker", "conformance-pre-01-marker");
    let first = (&ctx.h1, &ctx.h2);
    let second = ctx.open_other("second").await?;
    for (h1, h2) in [first, (&second.h1, &second.h2)] {
        for handle in [h1, h2] {
            handle
                .get(&marker)
                .await
                .none("nobody wrote to this namespace")?;
            if ctx.has(Need::Length) {
                handle
                    .length()
                    .await
                    .is(0, "nobody wrote to this namespace")?;
            }
            if ctx.has(Need::All) {
                let all = handle.all().await.ok()?;
                ensure(
                    all.is_empty(),
                    "no record at all",
                    format_args!("{} records", all.len()),
                )?;
            }
        }
        h1.set(&marker, &ctx.record("left over")).await.ok()?;
    }
    Ok(())
}

async fn namespaces_are_apart(ctx: &Context) -> Result<(), Failure> {
    let other = ctx.open_other("other").await?;
    let (shared, only) = (ctx.id("shared"), ctx.id("only here"));
    let (here, there) = (ctx.record("here"), ctx.record("there"));
    ctx.h1.set(&shared, &here).await.ok()?;
    ctx.h1.set(&only, &here).await.ok()?;
    other
        .h1
        .get(&only)
        .await
        .none("it was written to another namespace")?;
    other.h1.set(&shared, &there).await.ok()?;
    ctx.h1
        .get(&shared)
        .await
        .record(&here, "the other namespace has its own")?;
    other
        .h1
        .get(&shared)
        .await
        .record(&there, "each namespace has its own")?;
    other.h1.destroy(&shared).await.ok()?;
    other.h1.destroy(&only).await.ok()?;
    let because = "it was destroyed in another namespace only";
    ctx.h1.get(&shared).await.record(&here, because)?;
    ctx.h1.get(&only).await.record(&here, because)
}

async fn handles_share_one_namespace(ctx: &Context) -> Result<(), Failure> {
    for (writer, reader) in [(&ctx.h1, &ctx.h2), (&ctx.h2, &ctx.h1)] {
        let id = ctx.id(&writer.name);
        let record = ctx.record("shared");
        writer.set(&id, &record).await.ok()?;
        reader
            .get(&id)
            .await
            .record(&record, "the other handle wrote it")?;
    }
    Ok(())
}

async fn undeclared_capabilities_are_unsupported(ctx: &Context) -> Result<(), Failure> {
    for handle in [&ctx.h1, &ctx.h2] {
        let (declared, answered) = (ctx.capabilities(), handle.store().capabilities());
        ctx.remark(format!("{}.capabilities() -> {answered:?}", handle.name));
        ensure(
            answered == *declared,
            format_args!("what the harness declares: {declared:?}"),
            format_args!("{answered:?}"),
        )?;
    }
    for need in Need::EVERY {
        let standing = need.standing(ctx.capabilities(), ctx.backend());
        if need.is_capability() && matches!(standing, Standing::Absent(_)) {
            absent::verify(ctx, *need).await?;
        }
    }
    Ok(())
}

async fn usable_from_any_thread(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("moved"), ctx.record("moved"));
    ctx.h1.set(&id, &record).await.ok()?;
    let ids: Vec<_> = (0..4).map(|n| ctx.id(&format!("thread {n}"))).collect();
    let (handle, moved, own, written) = (ctx.h1.clone(), id, ids.clone(), record.clone());
    race(ids.len(), move |n| {
        let (handle, moved, own, record) = (
            handle.clone(),
            moved.clone(),
            own[n].clone(),
            written.clone(),
        );
        async move {
            handle
                .get(&moved)
                .await
                .record(&record, "another thread wrote it")?;
            handle.set(&own, &record).await.ok()
        }
    })
    .await?;
    for id in &ids {
        ctx.h1
            .get(id)
            .await
            .record(&record, "another thread wrote it")?;
    }
    Ok(())
}
