//! The pairs, and how one round of a pair is set up and judged.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::model::{Call, Deed, During, Held, Model, Said, perform};
use crate::need::Need;
use crate::random::Random;

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Get,
    Set,
    Destroy,
    Touch,
    Create,
    Replace,
    Length,
    Clear,
    All,
    Ids,
    Sweep,
}

const METHODS: &[(Method, &str, Option<Need>)] = &[
    (Method::Get, "get", None),
    (Method::Set, "set", None),
    (Method::Destroy, "destroy", None),
    (Method::Touch, "touch", Some(Need::Touch)),
    (Method::Create, "create", Some(Need::Create)),
    (Method::Replace, "replace", Some(Need::Replace)),
    (Method::Length, "length", Some(Need::Length)),
    (Method::Clear, "clear", Some(Need::Clear)),
    (Method::All, "all", Some(Need::All)),
    (Method::Ids, "ids", Some(Need::All)),
    (Method::Sweep, "sweep", Some(Need::Sweep)),
];

/// What is under the id when the two calls begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Live,
    Ended,
}

/// One cell of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    first: (Method, &'static str),
    second: (Method, &'static str),
    pub(super) before: Before,
    /// Whether both go through the first handle.
    one_handle: bool,
}

impl Case {
    /// The handle of B.
    pub(super) fn second<'a>(&self, ctx: &'a Context) -> &'a Handle {
        if self.one_handle { &ctx.h1 } else { &ctx.h2 }
    }

    /// The case in words.
    pub(super) fn text(&self) -> String {
        let before = match self.before {
            Before::Nothing => "no record",
            Before::Live => "a live record",
            Before::Ended => "a record that has ended",
        };
        let (first, second) = (self.first.1, self.second.1);
        let handle = if self.one_handle { "h1" } else { "h2" };
        format!("A is h1.{first}, B is {handle}.{second}, over {before}")
    }
}

/// Every pair that the store has, over everything, in an order of the seed's.
pub(super) fn cases(ctx: &Context, random: &mut Random) -> Vec<Case> {
    let methods: Vec<_> = METHODS
        .iter()
        .filter(|(_, _, need)| need.is_none_or(|need| ctx.has(need)))
        .map(|(method, name, _)| (*method, *name))
        .collect();
    let reads = |method| {
        matches!(
            method,
            Method::Get | Method::Length | Method::All | Method::Ids
        )
    };
    let mut cases = Vec::new();
    for first in &methods {
        // Which handle has which makes no difference: each pair once.
        for second in methods.iter().filter(|second| first.0 <= second.0) {
            // While `clear` runs, each other record may be there or not.
            let looks = |method| reads(method) && method != Method::Get;
            let partly = |one, other| one == Method::Clear && looks(other);
            if reads(first.0) && reads(second.0)
                || partly(first.0, second.0)
                || partly(second.0, first.0)
            {
                continue;
            }
            for before in [Before::Nothing, Before::Live, Before::Ended] {
                for one_handle in [false, true] {
                    cases.push(Case {
                        first: *first,
                        second: *second,
                        before,
                        one_handle,
                    });
                }
            }
        }
    }
    for place in (1..cases.len()).rev() {
        cases.swap(place, random.below(place + 1));
    }
    cases
}

/// The ids and texts of this group.
pub(super) struct Scene {
    /// The one that both calls are about, and one that stands beside it.
    pub(super) ids: Arc<Vec<Id>>,
    old: Arc<str>,
    new: [Arc<str>; 2],
}

/// A call's answer, and when it began and ended.
pub(super) type Heard = (Answer<Said>, (Instant, Instant));

impl Scene {
    pub(super) fn new(ctx: &Context) -> Self {
        let text = |value: &str| -> Arc<str> {
            format!(
                r#"{{"cookie":{{"originalMaxAge":60000,"expires":"2026-01-02T03:05:05.678Z"}},"value":"{value}"}}"#
            )
            .into()
        };
        Self {
            ids: Arc::new(vec![ctx.id("shared"), ctx.id("beside")]),
            old: text("old"),
            new: [text("of A"), text("of B")],
        }
    }

    /// Sets up what is there before the calls.
    pub(super) async fn set(&self, ctx: &Context, case: &Case) -> Result<Model, Failure> {
        let ids = Arc::clone(&self.ids);
        let mut model = Model::new(ids, ctx.timing.clone(), ctx.capabilities());
        let until = |ends: SystemTime| Held {
            text: Arc::clone(&self.old),
            ends: Some(ends),
        };
        let (now, soon) = (ctx.now(), ctx.ticks(1));
        let manual = ctx.timing.is_manual();
        let own = match case.before {
            Before::Nothing => Deed::Destroy,
            Before::Live => Deed::Set(until(now + HOUR)),
            // It ends while it is there, where nobody has to wait for that.
            Before::Ended if manual => Deed::Set(until(soon)),
            Before::Ended => Deed::Set(until(now - HOUR)),
        };
        for call in [
            Call::One(1, Deed::Set(until(now + HOUR))),
            Call::One(0, own),
        ] {
            self.judged(ctx, &mut model, &ctx.h1, &call).await?;
        }
        if case.before == Before::Ended && manual {
            ctx.wait_until_gone(soon).await;
        }
        Ok(model)
    }

    /// The calls of A and of B.
    pub(super) fn calls(&self, ctx: &Context, case: &Case) -> [Call; 2] {
        let now = ctx.now();
        let call = |method: Method, by: usize| {
            let hours = if by == 0 { 2 } else { 3 };
            let new = || Held {
                text: Arc::clone(&self.new[by]),
                ends: Some(now + HOUR * hours),
            };
            let deed = match method {
                Method::Get => Deed::Get,
                Method::Set => Deed::Set(new()),
                Method::Destroy => Deed::Destroy,
                Method::Touch => Deed::Touch(new().ends),
                Method::Create => Deed::Create(new()),
                Method::Replace => Deed::Replace(Arc::clone(&self.old), new()),
                Method::Length => return Call::Length,
                Method::Clear => return Call::Clear,
                Method::All => return Call::All,
                Method::Ids => return Call::Ids,
                Method::Sweep => return Call::Sweep(10),
            };
            Call::One(0, deed)
        };
        [call(case.first.0, 0), call(case.second.0, 1)]
    }

    async fn judged(
        &self,
        ctx: &Context,
        model: &mut Model,
        handle: &Handle,
        call: &Call,
    ) -> Result<(), Failure> {
        let began = ctx.now();
        let answer = perform(handle, &self.ids, call).await?;
        let name = answer.call.clone();
        let said = answer.ok()?;
        let ended = ctx.now();
        let heard = model.hear(call, &said, During { began, ended });
        heard.map_err(|wanted| {
            Failure::new(
                format_args!("`{name}` to answer {wanted}: it runs alone"),
                said.text(ended),
            )
        })
    }

    /// Demands that one call after the other explains both answers and what is there now.
    pub(super) async fn judge(
        &self,
        ctx: &Context,
        model: Model,
        calls: &[Call; 2],
        heard: [Heard; 2],
    ) -> Result<(), Failure> {
        let began = ctx.now();
        let [(first, (a_began, a_ended)), (second, (b_began, b_ended))] = heard;
        let names = [first.call.clone(), second.call.clone()];
        let said = [first.ok()?, second.ok()?];
        let mut looks = Vec::new();
        for handle in [&ctx.h2, &ctx.h1] {
            for id in 0..self.ids.len() {
                let call = Call::One(id, Deed::Get);
                let answer = perform(handle, &self.ids, &call).await?;
                looks.push((answer.call.clone(), call, answer.ok()?));
            }
        }
        let ended = ctx.now();
        let during = During { began, ended };
        let mut wanted = Vec::new();
        for order in [[0, 1], [1, 0]] {
            let (possible, then) = match order[0] {
                0 => (a_began <= b_ended, "A, then B"),
                _ => (b_began <= a_ended, "B, then A"),
            };
            if !possible {
                continue;
            }
            let mut model = model.clone().racing();
            let answers = order.map(|n| (&names[n], &calls[n], &said[n]));
            let looked = looks.iter().map(|(name, call, said)| (name, call, said));
            let mut all = answers.into_iter().chain(looked);
            let refuted = all.find_map(|(name, call, said)| {
                let wrong = model.hear(call, said, during).err()?;
                Some(format!(
                    "{then}: `{name}` would answer {wrong}, and not {}",
                    said.text(ended)
                ))
            });
            match refuted {
                None => return Ok(()),
                Some(refuted) => wanted.push(refuted),
            }
        }
        Err(Failure::new(
            format_args!(
                "A and B, one after the other, to explain both answers and what is there \
                 afterwards; A is `{}`, B is `{}`",
                names[0], names[1]
            ),
            wanted.join("\n"),
        ))
    }
}
