//! Each method at the same time as each other one.

mod duel;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Rule;
use crate::context::Context;
use crate::failure::Failure;
use crate::interleave::{Orders, both};
use crate::model::perform;
use table::{Case, Scene, cases};

const HINT: &str = "One statement, one script or one lock for what a method reads and writes; a \
                    condition on what was read where it writes.";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "PAR-01",
        name: "every_pair_in_every_order_of_polls",
        sentence: "Of each method and each other one on one id, through one handle or two, polled in \
                   every order of their first four polls, over no record, a live one and one that \
                   has ended: the answers, and what is there afterwards, are those of one call \
                   after the other.",
        why: "A gap between two awaits is met once in a million requests, and then it logs in \
              again who has logged out.",
        hint: HINT,
        catches: &[
            "TouchWritesBack",
            "GetDeletesLate",
            "SweepDeletesLate",
            "ReplacesLate",
        ],
        run: |ctx| Box::pin(every_order(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "PAR-02",
        name: "every_pair_at_the_same_time",
        probabilistic: true,
        sentence: "The same on two threads that start together, over and over.",
        why: "What lies between two steps of a backend no order of polls can show.",
        hint: HINT,
        catches: &["CreatesLate", "TouchesLate"],
        run: |ctx| Box::pin(duel::same_time(ctx)),
        ..Rule::MUST
    },
];

/// How long the rules of this group go on, as far as they have not tried everything.
const BUDGET: Duration = Duration::from_millis(1_500);

async fn every_order(ctx: &Context) -> Result<(), Failure> {
    let (began, started) = (Instant::now(), ctx.now());
    let (mark, mut random) = (ctx.mark(), ctx.random("cases"));
    let (mut pairs, mut rounds) = (0, 0);
    let scene = Scene::new(ctx);
    for case in cases(ctx, &mut random) {
        if began.elapsed() > BUDGET {
            break;
        }
        pairs += 1;
        let mut orders = Orders::default();
        while orders.next() {
            rounds += 1;
            ctx.rewind(mark, started);
            ctx.remark(case.text());
            round(ctx, &scene, &case, &mut orders).await?;
        }
    }
    ctx.rewind(mark, started);
    ctx.remark(format!("{rounds} orders of {pairs} pairs"));
    Ok(())
}

async fn round(
    ctx: &Context,
    scene: &Scene,
    case: &Case,
    orders: &mut Orders,
) -> Result<(), Failure> {
    let model = scene.set(ctx, case).await?;
    let calls = scene.calls(ctx, case);
    let ids = Arc::clone(&scene.ids);
    let began = Instant::now();
    let (first, second) = both(
        orders,
        perform(&ctx.h1, &ids, &calls[0]),
        perform(case.second(ctx), &ids, &calls[1]),
    )
    .await;
    let span = (began, Instant::now());
    ctx.remark(format!(
        "both at the same time; their polls: {}",
        orders.text()
    ));
    scene
        .judge(ctx, model, &calls, [(first?, span), (second?, span)])
        .await
}
