//! Namespaces whose names and ids run into each other.

use session_core::{Created, Record, Replaced, Touched};

use super::HOUR;
use crate::Method;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::property::property;
use crate::rules::all::exactly;
use crate::space::Space;

property! {
    group: "NSP", title: "apart from other namespaces", name: "stays_in_its_namespace",
    says: [
        "",
        " works on its own namespace alone, also beside one whose name begins with the same letters \
         and goes on as this one's ids begin."
    ],
    why: "Two applications on one server would read, end or sweep each other's sessions.",
    hint: "Put a separator that no name contains between the namespace and the id, and match it in \
           every pattern.",
    needs: [],
    run: stays_in_its_namespace,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        JoinsNames [create destroy get replace set touch],
        SameIdElsewhere [create destroy get replace set touch],
        TakesNeighbours [all clear ids length sweep],
    ],
}

async fn stays_in_its_namespace(ctx: &Context, method: Method) -> Result<(), Failure> {
    let mut opening = ctx.opening();
    // The longer name is the shorter one with the first letter of an id.
    let short = ctx.open_space("short", opening.clone()).await?;
    opening.namespace.push('a');
    let long = ctx.open_space("long", opening).await?;
    let end = Some(ctx.late() + HOUR);
    let bare = ctx.id("bare");
    let joined = ctx.odd_id("a and bare", &format!("a{}", bare.id.as_str()));
    let over = ctx.id("over");
    let record = |space: &str, id: &Id| ctx.record_until(&format!("{space} {}", id.label), end);
    for (mine, other, name) in [(&short, &long, "short"), (&long, &short, "long")] {
        let others = if name == "short" { "long" } else { "short" };
        // Everything there in the other one; here half of it.
        for id in [&bare, &joined] {
            other.h1.set(id, &record(others, id)).await.ok()?;
            mine.h1.destroy(id).await.ok()?;
        }
        if method == Method::Sweep {
            let soon = ctx.ticks(1);
            other
                .h1
                .set(&over, &ctx.record_until("over", Some(soon)))
                .await
                .ok()?;
            ctx.wait_until_gone(soon).await;
        }
        let seen = call(mine, method, &bare, &joined).await?;
        ensure(
            seen == 0,
            format_args!("`{method}` to find nothing: only another namespace has something"),
            format_args!("{seen} records"),
        )?;
        let (old, new) = (ctx.record_until("old", end), ctx.record_until("new", end));
        let because = "only another namespace has it";
        for id in [&bare, &joined] {
            let h1 = &mine.h1;
            match method {
                Method::Create => h1.create(id, &new).await.is(Created::Created, because)?,
                Method::Destroy => h1.destroy(id).await.ok()?,
                Method::Replace => {
                    let replaced = h1.replace(id, &old, &new).await;
                    replaced.is(Replaced::Missing, because)?;
                }
                Method::Set => h1.set(id, &new).await.ok()?,
                Method::Touch => {
                    let touched = h1.touch(id, new.cookie()).await;
                    touched.is(Touched::Missing, because)?;
                }
                _ => {}
            }
        }
        if method == Method::Sweep && ctx.has(Need::Count) && !ctx.capabilities().server_ttl {
            let left = other.hooks.count().await?;
            ensure(left == 3, "three records in the other namespace", left)?;
        }
        for id in [&bare, &joined] {
            let found = other.h2.get(id).await;
            let because = format!("`{method}` was called in another namespace");
            found.record(&record(others, id), because)?;
        }
        for space in [mine, other] {
            for id in [&bare, &joined, &over] {
                space.h1.destroy(id).await.ok()?;
            }
        }
    }
    Ok(())
}

/// How many records a method sees that looks at none in particular, and calls those that write.
async fn call(space: &Space, method: Method, bare: &Id, joined: &Id) -> Result<u64, Failure> {
    let found = |found: Option<Record>| u64::from(found.is_some());
    Ok(match method {
        Method::All => {
            let all = space.h1.all().await.ok()?;
            exactly("all()", all.iter().map(|(id, _)| id), [])?;
            0
        }
        Method::Ids => {
            exactly("ids()", &space.h1.ids().await.ok()?, [])?;
            0
        }
        Method::Clear => space.h1.clear().await.ok().map(|()| 0)?,
        Method::Length => space.h1.length().await.ok()?,
        Method::Sweep => space.h1.sweep(100).await.ok()?.removed as u64,
        Method::Get => {
            let [one, other] = [space.h1.get(bare).await, space.h1.get(joined).await];
            found(one.ok()?) + found(other.ok()?)
        }
        _ => 0,
    })
}
