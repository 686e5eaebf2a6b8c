//! A panic of somebody else while a method is under way.

use super::{HOUR, make, prepare, works};
use crate::Method;
use crate::context::Context;
use crate::describe;
use crate::failure::Failure;
use crate::property::property;
use crate::rules::con::dies_within;

property! {
    group: "PAN", title: "works after a panic elsewhere", name: "survives_a_panic",
    says: [
        "A task that panics while its ",
        " is under way breaks neither that method nor another one for others."
    ],
    why: "One handler's bug would become everybody's 500 until the next restart.",
    hint: "Take `PoisonError::into_inner`, and leave no state half changed across an await.",
    needs: [],
    run: survives_a_panic,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        PoisonsItself [all clear create destroy get ids length replace set sweep touch],
        PoisonsAll [all clear create destroy get ids length replace set sweep touch],
        LeavesLock [all clear create destroy get ids length replace set sweep touch],
    ],
}

async fn survives_a_panic(ctx: &Context, method: Method) -> Result<(), Failure> {
    for polls in 1..=3 {
        let id = ctx.id(&format!("of the task that panics after {polls}"));
        let (old, new) = (
            ctx.record("old"),
            ctx.record_until("new", Some(ctx.late() + HOUR)),
        );
        prepare(&ctx.h2, method, &id, &old).await?;
        ctx.remark(format!(
            "a task panics while its {method} has been polled {polls} times"
        ));
        let handle = ctx.h1.clone();
        let runtime = tokio::runtime::Handle::current();
        let task = std::thread::spawn(move || {
            runtime.block_on(dies_within(polls, make(&handle, method, &id, &old, &new)));
        });
        // That it panicked is what was asked of it.
        let _ = task.join();
        for (by, reader, name) in [(&ctx.h1, &ctx.h2, "h1"), (&ctx.h2, &ctx.h1, "h2")] {
            for method in [method, Method::Set, Method::Get, Method::Destroy] {
                let name = format!("{name}.{method} after {polls}");
                let work = works(ctx, by, reader, method, &name);
                let worked = tokio::time::timeout(ctx.patience(), work).await;
                worked.map_err(|_| {
                    Failure::new(
                        format_args!(
                            "`{name}` to end within {}",
                            describe::duration(ctx.patience())
                        ),
                        "no answer: it waits for the task that panicked",
                    )
                })??;
            }
        }
    }
    Ok(())
}
