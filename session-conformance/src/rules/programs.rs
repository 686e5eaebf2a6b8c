//! Programs against a model: what no rule has thought of.

mod ids;
mod program;
mod run;
mod shrink;
mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Rule;
use crate::backend::Offer;
use crate::context::Context;
use crate::describe;
use crate::failure::Failure;
use crate::handle::Id;
use crate::need::Need;
use program::{By, Kind, Step, What};
use run::Run;

const HINT: &str = "Read the steps: they are the shortest program that was found. The last call is \
                    the one whose answer nothing explains.";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "MOD-01",
        name: "programs_on_one_handle",
        sentence: "Random programs of all methods, on ids that are easily mistaken for one \
                   another, texts that are easily changed and expiries that are easily missed, \
                   answer as a map of id to text and expiry does.",
        why: "A rule tries what its author has thought of; a store fails at what nobody has.",
        hint: HINT,
        catches: &[
            "TouchWraps",
            "TouchByPrefix",
            "ReplaceCuts",
            "CreateTidiesNumbers",
            "SweepByOldIndex",
            "ReplaceFoldsId",
        ],
        run: |ctx| Box::pin(programs(ctx, PLAIN)),
        ..Rule::MUST
    },
    Rule {
        id: "MOD-02",
        name: "programs_on_two_handles",
        needs: &[Need::SecondHandle],
        sentence: "The same through two handles, with another namespace beside: each answer is that \
                   of one map for each namespace.",
        why: "What one process has cached, another one has changed.",
        hint: HINT,
        catches: &[
            "JoinsWithoutSeparator",
            "SkipsWhatItWrote",
            "CacheMissesReplace",
        ],
        run: |ctx| Box::pin(programs(ctx, TWO)),
        ..Rule::MUST
    },
    Rule {
        id: "MOD-03",
        name: "programs_with_dropped_calls",
        sentence: "The same where calls of any method are dropped at any poll: a call that was \
                   dropped takes effect as a whole or not at all, once, and then for every reader.",
        why: "A visitor who closes the tab drops the request, and the next one comes to what it \
              left: a lock, half a write, a cache that has let go of something.",
        hint: HINT,
        catches: &[
            "DroppedReplaceLocks",
            "CreatesInSteps",
            "CancelDestroys",
            "CancelledTouchUnsets",
        ],
        run: |ctx| Box::pin(programs(ctx, DROPS)),
        ..Rule::MUST
    },
    Rule {
        id: "MOD-04",
        name: "programs_with_lost_answers",
        needs: &[Need::Fault],
        sentence: "The same where answers are lost on their way: a call without an answer takes \
                   effect as a whole or not at all, and only once.",
        why: "A store that sends a write again by itself undoes what came in between.",
        hint: HINT,
        catches: &["LostGetIsNone"],
        run: |ctx| Box::pin(programs(ctx, LOSSES)),
        ..Rule::MUST
    },
    Rule {
        id: "MOD-05",
        name: "programs_with_reopenings",
        needs: &[Need::Durable],
        sentence: "The same where all handles are closed and opened anew between the calls: nothing \
                   changes by that.",
        why: "What lives in the process alone is gone after each deployment, or comes back.",
        hint: HINT,
        catches: &["ReplaceStaysInProcess"],
        run: |ctx| Box::pin(programs(ctx, REOPENS)),
        ..Rule::CAPABILITY
    },
];

const PLAIN: Kind = Kind {
    two_handles: false,
    neighbour: false,
    drops: false,
    losses: false,
    reopens: false,
};
const TWO: Kind = Kind {
    two_handles: true,
    neighbour: true,
    ..PLAIN
};
const DROPS: Kind = Kind {
    drops: true,
    ..PLAIN
};
const LOSSES: Kind = Kind {
    losses: true,
    ..PLAIN
};
const REOPENS: Kind = Kind {
    reopens: true,
    ..PLAIN
};

/// How many programs a rule runs, if there is time.
const PROGRAMS: u32 = 250;
/// So many it runs in any case.
const LEAST: u32 = 3;
/// How long a rule makes up new ones for a store in this process, and for one behind a connection.
const BUDGET: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1_500)];
/// How long a program that fails is made shorter, and how often at most.
const SHRINKING: (Duration, usize) = (Duration::from_secs(8), 500);

/// A program on its ids.
struct Program {
    number: u32,
    kind: Kind,
    ids: Arc<Vec<Id>>,
    steps: Vec<Step>,
}

impl Program {
    fn new(ctx: &Context, kind: Kind, number: u32) -> Self {
        let mut random = ctx.random(&format!("program {number}"));
        let kind = Kind {
            // Whatever a rule is about, a second handle sees more.
            two_handles: kind != PLAIN && ctx.has(Need::SecondHandle),
            ..kind
        };
        let ids = ids::family(ctx, kind.neighbour, &mut random);
        let mut steps = program::program(ctx, kind, ids.len(), &mut random);
        steps.extend(looks(ctx, kind, ids.len()));
        Self {
            number,
            kind,
            ids: Arc::new(ids),
            steps,
        }
    }
}

/// A look at everything, which ends each program.
fn looks(ctx: &Context, kind: Kind, ids: usize) -> Vec<Step> {
    let mut looks = Vec::new();
    let mut sides = vec![By::First];
    if kind.two_handles {
        sides.push(By::Second);
    }
    if kind.neighbour {
        sides.push(By::Neighbour);
    }
    for by in sides {
        let mut look = |what| looks.push(Step::Call(by, what, None));
        (0..ids).for_each(|id| look(What::Get(id)));
        for (need, what) in [
            (Need::Length, What::Length),
            (Need::All, What::All),
            (Need::All, What::Ids),
            (Need::Sweep, What::Sweep(None)),
        ] {
            if ctx.has(need) {
                look(what);
            }
        }
    }
    looks
}

async fn programs(ctx: &Context, kind: Kind) -> Result<(), Failure> {
    let began = Instant::now();
    let started = ctx.now();
    let in_process = matches!(ctx.backend().fault, Offer::Inapplicable(_));
    let budget = BUDGET[usize::from(!in_process)];
    let wanted = ctx.programs.unwrap_or(PROGRAMS);
    let goes_on = |number: u32| {
        number < wanted && (ctx.programs.is_some() || number < LEAST || began.elapsed() < budget)
    };
    let mark = ctx.mark();
    let (mut number, mut used) = (0, None);
    while goes_on(number) {
        if ctx.timing.is_manual() {
            ctx.rewind(mark, started);
            let program = Program::new(ctx, kind, number);
            number += 1;
            let run = opened(ctx, &program, used.take()).await?;
            match run.steps(&program.steps).await {
                // What is in this process is opened at once.
                Ok(run) if in_process => run.discard().await,
                Ok(run) => used = Some(run),
                Err(failure) => return shrink(ctx, program, failure, mark).await,
            }
        } else {
            number = batch(ctx, kind, number, &goes_on, mark).await?;
        }
    }
    if let Some(run) = used {
        run.discard().await;
    }
    ctx.rewind(mark, started);
    ctx.remark(format!("{number} programs"));
    Ok(())
}

/// The namespaces of the program before, if they will do, or new ones.
async fn opened<'a>(
    ctx: &'a Context,
    program: &Program,
    used: Option<Run<'a>>,
) -> Result<Run<'a>, Failure> {
    let soon = ctx.ticks(1);
    if let Some(run) = used {
        if !run.is_of(program.kind) {
            run.discard().await;
        } else if let Some(run) = run.again(&program.ids, soon).await? {
            return Ok(run);
        }
    }
    Run::open(ctx, program.kind, &program.ids, soon).await
}

/// Runs one program from its beginning to its end.
async fn attempt(ctx: &Context, program: &Program) -> Result<(), Failure> {
    let run = Run::open(ctx, program.kind, &program.ids, ctx.ticks(1)).await?;
    let run = run.steps(&program.steps).await?;
    // Those of a program that failed stay, to be looked at.
    run.discard().await;
    Ok(())
}

/// Runs programs side by side that wait for the same moment; how many have run by then.
async fn batch(
    ctx: &Context,
    kind: Kind,
    first: u32,
    goes_on: &impl Fn(u32) -> bool,
    mark: usize,
) -> Result<u32, Failure> {
    /// More namespaces need not be open at the same time.
    const OPEN: u32 = 25;
    let soon = ctx.ticks(2);
    let mut waiting = Vec::new();
    let mut number = first;
    while goes_on(number) && number - first < OPEN {
        ctx.rewind(mark, ctx.now());
        let program = Program::new(ctx, kind, number);
        let until = program
            .steps
            .iter()
            .position(|step| *step == Step::PassSoon);
        let until = until.unwrap_or(program.steps.len());
        number += 1;
        let run = Run::open(ctx, program.kind, &program.ids, soon).await?;
        match run.steps(&program.steps[..until]).await {
            Ok(run) => waiting.push((run, program, until, ctx.steps_since(mark))),
            Err(failure) => return shrink(ctx, program, failure, mark).await.map(|()| number),
        }
    }
    for (run, program, until, steps) in waiting {
        ctx.put_back(mark, steps);
        match run.steps(&program.steps[until..]).await {
            Ok(run) => run.discard().await,
            Err(failure) => return shrink(ctx, program, failure, mark).await.map(|()| number),
        }
    }
    Ok(number)
}

/// Makes a program that failed as short and as plain as there is time for, and fails with that.
async fn shrink(
    ctx: &Context,
    mut program: Program,
    mut failure: Failure,
    mark: usize,
) -> Result<(), Failure> {
    if !matches!(failure, Failure::Broken(_)) {
        return Err(failure);
    }
    let (began, length, started) = (Instant::now(), program.steps.len(), ctx.now());
    let mut attempts = 0;
    let mut spent = || {
        attempts += 1;
        began.elapsed() > SHRINKING.0 || attempts > SHRINKING.1
    };
    let first = ctx.steps_since(mark);
    let mut part = length / 2;
    'shorter: loop {
        let candidates: Vec<_> = match part {
            0 => shrink::plainer(&program.steps).collect(),
            part => shrink::shorter(&program.steps, part).collect(),
        };
        for steps in candidates {
            if spent() {
                break 'shorter;
            }
            ctx.discard_others().await;
            ctx.rewind(mark, started);
            let shorter = Program {
                ids: Arc::clone(&program.ids),
                steps,
                ..program
            };
            if let Err(found @ Failure::Broken(_)) = attempt(ctx, &shorter).await {
                (program, failure) = (shorter, found);
                continue 'shorter;
            }
        }
        match part {
            0 => break,
            _ => part /= 2,
        }
    }
    // Once more, so that its steps are the ones that are shown, and its namespaces what is left.
    ctx.discard_others().await;
    ctx.rewind(mark, started);
    match attempt(ctx, &program).await {
        Err(found @ Failure::Broken(_)) => failure = found,
        _ => {
            // It depends on chance: what was seen first counts.
            ctx.put_back(mark, first);
        }
    }
    ctx.remark(format!(
        "program {} of this seed, shortened from {length} steps to {} in {}",
        program.number + 1,
        program.steps.len(),
        describe::duration(Duration::from_millis(
            u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
        )),
    ));
    Err(failure)
}
