//! What a program does, and how one is made up.

use crate::context::Context;
use crate::need::Need;
use crate::random::Random;
use crate::rules::programs::values::Value;

/// Through which handle: two on the program's namespace, and one on another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    First,
    Second,
    Neighbour,
}

/// The end of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// So many milliseconds from now.
    In(u64),
    /// At the next moment of the clock whose milliseconds are a multiple of this, less so many.
    At(u64, u64),
    /// The moment that ends before the program does.
    Soon,
    Over,
    Never,
}

/// The text that `replace` starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// What is stored, as far as anybody knows.
    Current,
    This(Value),
}

/// What becomes of a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is dropped at this poll.
    Dropped(usize),
    /// Its answer is lost.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Get(usize),
    Set(usize, Value, End),
    Destroy(usize),
    Touch(usize, End),
    Create(usize, Value, End),
    Replace(usize, From, Value, End),
    Length,
    Clear,
    All,
    Ids,
    /// And all that have ended, if there is no limit.
    Sweep(Option<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Call(By, What, Option<Fault>),
    /// So many milliseconds pass.
    Pass(u64),
    /// Time passes to the end of what is stored under this id, or to so many milliseconds before.
    PassTo(usize, u64),
    /// The moment passes at which [`End::Soon`] is.
    PassSoon,
    /// All handles are closed and opened anew.
    Reopen,
}

/// What a program may have in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) two_handles: bool,
    /// And another namespace beside.
    pub(super) neighbour: bool,
    pub(super) drops: bool,
    pub(super) losses: bool,
    pub(super) reopens: bool,
}

/// How many steps a program has.
const STEPS: usize = 40;

/// Makes up a program for `ids` ids.
pub(super) fn program(ctx: &Context, kind: Kind, ids: usize, random: &mut Random) -> Vec<Step> {
    let maker = Maker {
        ctx,
        manual: ctx.timing.is_manual(),
    };
    let mut steps = Vec::with_capacity(STEPS + 1);
    for at in 0..STEPS {
        // A clock that runs cannot be waited for often.
        if !maker.manual && at == STEPS * 2 / 3 {
            steps.push(Step::PassSoon);
        }
        if kind.reopens && random.below(10) == 0 {
            steps.push(Step::Reopen);
            continue;
        }
        if maker.manual && random.below(7) == 0 {
            steps.push(maker.pass(ids, random));
            continue;
        }
        // The same call once more, perhaps after another one's.
        if random.below(8) == 0
            && let Some(step) = calls(&steps, random)
        {
            steps.push(step);
            continue;
        }
        let by = match random.below(if kind.neighbour {
            8
        } else if kind.two_handles {
            7
        } else {
            1
        }) {
            0..=3 => By::First,
            4..=6 => By::Second,
            _ => By::Neighbour,
        };
        let what = maker.what(ids, random);
        let fault = match random.below(4) {
            0 if kind.losses => Some(Fault::Lost),
            0 if kind.drops => Some(Fault::Dropped(1 + random.below(5))),
            _ => None,
        };
        steps.push(Step::Call(by, what, fault));
    }
    steps
}

/// A call that the program has made already.
fn calls(steps: &[Step], random: &mut Random) -> Option<Step> {
    let step = steps.get(random.below(steps.len()))?;
    match *step {
        Step::Call(by, what, _) => Some(Step::Call(by, what, None)),
        _ => None,
    }
}

struct Maker<'a> {
    ctx: &'a Context,
    manual: bool,
}

impl Maker<'_> {
    fn what(&self, ids: usize, random: &mut Random) -> What {
        // A few ids meet more often than many do.
        let id = match random.below(4) {
            0 => random.below(ids),
            2 => random.below(ids.min(2)),
            1 => random.below(ids.min(3)),
            _ => 0,
        };
        loop {
            let (need, what) = match random.below(30) {
                0..=4 => (None, What::Get(id)),
                5..=8 => (None, What::Set(id, Value::any(random), self.end(random))),
                9 | 10 => (None, What::Destroy(id)),
                11..=14 => (Some(Need::Touch), What::Touch(id, self.end(random))),
                15..=17 => {
                    let end = self.end(random);
                    (
                        Some(Need::Create),
                        What::Create(id, Value::any(random), end),
                    )
                }
                18..=22 => (Some(Need::Replace), self.replace(id, random)),
                23 => (Some(Need::Length), What::Length),
                24 => (Some(Need::All), What::All),
                25 => (Some(Need::All), What::Ids),
                26 if random.below(2) == 0 => (Some(Need::Clear), What::Clear),
                27 => {
                    let limit = Some(random.below(4)).filter(|_| random.below(2) == 0);
                    (Some(Need::Sweep), What::Sweep(limit))
                }
                _ => (None, What::Get(id)),
            };
            if need.is_none_or(|need| self.ctx.has(need)) {
                return what;
            }
        }
    }

    fn replace(&self, id: usize, random: &mut Random) -> What {
        let new = Value::any(random);
        let from = match random.below(4) {
            0 => From::This(new.alike()),
            1 => From::This(Value::any(random)),
            _ => From::Current,
        };
        What::Replace(id, from, new, self.end(random))
    }

    fn end(&self, random: &mut Random) -> End {
        const HOUR: u64 = 3_600_000;
        const DAY: u64 = 24 * HOUR;
        if !self.manual {
            return match random.below(8) {
                0 => End::Over,
                1 => End::Never,
                2..=4 => End::Soon,
                _ => End::In(HOUR * (1 + u64::from(random.below(2) == 0) * 48)),
            };
        }
        match random.below(16) {
            0 => End::Over,
            1 | 2 => End::Never,
            3 => End::In(0),
            4 => End::In(1),
            // Whole seconds, and just before them and after.
            5 => End::At(1_000, 0),
            6 => End::At(1_000, 1),
            7 => End::At(500, 0),
            8 => End::At(1_000, 999),
            // Midnight.
            9 => End::At(DAY, 0),
            10 => End::In(60_000),
            // Beyond 31 and 32 bits of milliseconds.
            11 => End::In((1 << 31) + 1_000),
            12 => End::In((1 << 32) + 60_000),
            13 => End::In(30 * DAY),
            _ => End::In(HOUR),
        }
    }

    fn pass(&self, ids: usize, random: &mut Random) -> Step {
        match random.below(6) {
            0 => Step::Pass(1),
            1 => Step::Pass(999),
            2 => Step::Pass(60_000),
            3 => Step::PassTo(random.below(ids.min(3)), 1),
            _ => Step::PassTo(random.below(ids.min(3)), 0),
        }
    }
}
