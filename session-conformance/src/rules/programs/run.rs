//! Runs a program on a store and on the model side by side.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use session_core::ErrorKind;

use super::program::{By, End, Fault, From, Kind, Step, What};
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::model::{Call, Deed, During, Held, Model, Reply, Said, perform};
use crate::need::Need;
use crate::parallel::{Polled, poll_n};
use crate::space::Space;

/// Longer than any answer takes on a busy machine; less than the suite waits for a step.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long handles may take to find a backend that has lost an answer; ERR-02 is stricter.
const RECOVERY: Duration = Duration::from_secs(10);
/// Of how many calls on an id nobody knows at the same time whether they have taken effect: each
/// makes the worlds of the model twice as many.
const PENDING: usize = 3;
/// How often a sweep without a limit is called again.
const SWEEPS: usize = 100;

/// A namespace and what the model knows of it.
struct Side {
    name: &'static str,
    space: Space,
    model: Model,
}

impl Side {
    /// The same after all handles were closed and opened anew.
    async fn reopened(self, ctx: &Context) -> Result<Self, Failure> {
        let Self { name, space, model } = self;
        let opening = ctx.close(space);
        let space = ctx.open_space(name, opening).await?;
        Ok(Self { name, space, model })
    }
}

/// A program that runs.
pub(super) struct Run<'a> {
    ctx: &'a Context,
    ids: Arc<Vec<Id>>,
    own: Side,
    neighbour: Option<Side>,
    soon: SystemTime,
    /// An answer was lost: until when a pool may find dead connections.
    lossy: bool,
}

impl<'a> Run<'a> {
    /// Opens fresh namespaces.
    pub(super) async fn open(
        ctx: &'a Context,
        kind: Kind,
        ids: &Arc<Vec<Id>>,
        soon: SystemTime,
    ) -> Result<Self, Failure> {
        let opening = ctx.opening();
        let model = || Model::new(Arc::clone(ids), ctx.timing.clone(), ctx.capabilities());
        let mut beside = opening.clone();
        // With an id of the program's own, it makes an id of the other one's.
        beside.namespace.push_str("_b");
        let own = Side {
            name: "own",
            space: ctx.open_space("own", opening).await?,
            model: model(),
        };
        let neighbour = match kind.neighbour {
            true => Some(Side {
                name: "beside",
                space: ctx.open_space("beside", beside).await?,
                model: model(),
            }),
            false => None,
        };
        Ok(Self {
            ctx,
            ids: Arc::clone(ids),
            own,
            neighbour,
            soon,
            lossy: false,
        })
    }

    /// The same namespaces for another program, where opening them takes longer than a program
    /// does; `None` where something may still come of the last one.
    pub(super) async fn again(
        mut self,
        ids: &Arc<Vec<Id>>,
        soon: SystemTime,
    ) -> Result<Option<Self>, Failure> {
        let pending = self.sides().any(|side| side.model.is_pending());
        if pending || self.lossy {
            self.discard().await;
            return Ok(None);
        }
        let (ctx, used) = (self.ctx, Arc::clone(&self.ids));
        for side in self.sides() {
            let handle = side.space.h1.quiet();
            for id in used.iter() {
                handle.destroy(id).await.unless(ErrorKind::InvalidId)?;
            }
            side.model = Model::new(Arc::clone(ids), ctx.timing.clone(), ctx.capabilities());
        }
        let ids = Arc::clone(ids);
        Ok(Some(Self { ids, soon, ..self }))
    }

    /// Whether there is another namespace beside its own.
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        self.neighbour.is_some() == kind.neighbour
    }

    /// Removes the namespaces.
    pub(super) async fn discard(self) {
        self.ctx.discard(self.own.space).await;
        if let Some(side) = self.neighbour {
            self.ctx.discard(side.space).await;
        }
    }

    /// Takes these steps.
    pub(super) async fn steps(mut self, steps: &[Step]) -> Result<Self, Failure> {
        for step in steps {
            match *step {
                Step::Call(by, what, fault) => self.what(by, what, fault).await?,
                Step::Pass(millis) => {
                    self.pass_until(self.ctx.now() + Duration::from_millis(millis))
                        .await;
                }
                Step::PassTo(id, before) => {
                    if let Some(ends) = self.own.model.held(id).and_then(|held| held.ends) {
                        let before = Duration::from_millis(before);
                        self.pass_until(self.ctx.timing.gone_at(ends) - before)
                            .await;
                    }
                }
                Step::PassSoon => self.pass_until(self.ctx.timing.gone_at(self.soon)).await,
                Step::Reopen => self = self.reopen().await?,
            }
        }
        Ok(self)
    }

    async fn pass_until(&mut self, moment: SystemTime) {
        let during = self.during(self.ctx.now());
        self.sides().for_each(|side| side.model.passes(during));
        self.ctx.wait_until(moment).await;
    }

    fn sides(&mut self) -> impl Iterator<Item = &mut Side> {
        [Some(&mut self.own), self.neighbour.as_mut()]
            .into_iter()
            .flatten()
    }

    fn during(&self, began: SystemTime) -> During {
        let ended = self.ctx.now();
        During { began, ended }
    }

    async fn reopen(mut self) -> Result<Self, Failure> {
        self.own = self.own.reopened(self.ctx).await?;
        self.neighbour = match self.neighbour {
            Some(side) => Some(side.reopened(self.ctx).await?),
            None => None,
        };
        Ok(self)
    }

    async fn what(&mut self, by: By, what: What, fault: Option<Fault>) -> Result<(), Failure> {
        if by == By::Neighbour && self.neighbour.is_none() {
            return Ok(());
        }
        let began = self.ctx.now();
        let made = self.made(by, what, fault).await;
        // On a clock that runs, what is pending may come while a record lives that has ended when
        // somebody looks at it next.
        let during = self.during(began);
        self.side(by).model.passes(during);
        made
    }

    async fn made(&mut self, by: By, what: What, fault: Option<Fault>) -> Result<(), Failure> {
        let call = self.call_of(by, what);
        let What::Sweep(None) = what else {
            return self.call(by, &call, fault).await.map(drop);
        };
        for _ in 0..SWEEPS {
            match self.call(by, &call, fault).await? {
                Some(Said::Swept(swept)) if swept.more => {}
                Some(_) => return self.count(by).await,
                None => return Ok(()),
            }
        }
        Err(Failure::new(
            "sweeping to come to an end",
            format_args!("`more` after {SWEEPS} sweeps without a limit"),
        ))
    }

    /// After a sweep to the end, what is physically there is live.
    async fn count(&mut self, by: By) -> Result<(), Failure> {
        if !self.ctx.has(Need::Count) {
            return Ok(());
        }
        let began = self.ctx.now();
        let count = self.side(by).space.hooks.count().await?;
        let during = self.during(began);
        let side = self.side(by);
        if !side.model.sweeps_all() {
            return Ok(());
        }
        let (least, most) = side.model.live(during);
        ensure(
            (least..=most).contains(&count),
            format_args!(
                "{least} to {most} records to be physically there: a sweep to the end leaves the \
                 live ones, and nothing else"
            ),
            format_args!("{count}"),
        )
    }

    fn side(&mut self, by: By) -> &mut Side {
        match (by, &mut self.neighbour) {
            (By::Neighbour, Some(side)) => side,
            _ => &mut self.own,
        }
    }

    fn call_of(&mut self, by: By, what: What) -> Call {
        let ctx = self.ctx;
        let held = |value: super::values::Value, end| Held {
            text: value.text(ctx),
            ends: self.end(end),
        };
        match what {
            What::Get(id) => Call::One(id, Deed::Get),
            What::Destroy(id) => Call::One(id, Deed::Destroy),
            What::Set(id, value, end) => Call::One(id, Deed::Set(held(value, end))),
            What::Create(id, value, end) => Call::One(id, Deed::Create(held(value, end))),
            What::Touch(id, end) => Call::One(id, Deed::Touch(self.end(end))),
            What::Replace(id, from, value, end) => {
                let new = held(value, end);
                let old = match from {
                    From::This(value) => value.text(ctx),
                    From::Current => {
                        let current = self.side(by).model.held(id);
                        current.map_or_else(|| Arc::clone(&new.text), |held| held.text)
                    }
                };
                Call::One(id, Deed::Replace(old, new))
            }
            What::Length => Call::Length,
            What::Clear => Call::Clear,
            What::All => Call::All,
            What::Ids => Call::Ids,
            What::Sweep(limit) => Call::Sweep(limit.unwrap_or(usize::MAX)),
        }
    }

    fn end(&self, end: End) -> Option<SystemTime> {
        const HOUR: Duration = Duration::from_secs(3_600);
        let now = self.ctx.now();
        let since_1970 = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        match end {
            End::In(left) => Some(now + Duration::from_millis(left)),
            End::At(step, less) => {
                let next = (millis / step + 2) * step - less;
                Some(SystemTime::UNIX_EPOCH + Duration::from_millis(next))
            }
            End::Soon => Some(self.soon),
            End::Over => Some(now - HOUR),
            End::Never => None,
        }
    }

    fn handle(&mut self, by: By) -> Handle {
        let space = &self.side(by).space;
        match by {
            By::Second => space.h2.clone(),
            By::First | By::Neighbour => space.h1.clone(),
        }
    }

    /// Makes a call and lets the model judge the answer; `None` if nobody heard one.
    async fn call(
        &mut self,
        by: By,
        call: &Call,
        fault: Option<Fault>,
    ) -> Result<Option<Said>, Failure> {
        let handle = self.handle(by);
        let fault = fault.filter(|_| self.side(by).model.pending(call) < PENDING);
        if fault == Some(Fault::Lost) {
            self.side(by).space.hooks.lose_next_answer().await?;
            self.ctx.remark("the next answer will be lost");
            self.lossy = true;
        }
        let patient_until = Instant::now() + RECOVERY;
        loop {
            let began = self.ctx.now();
            let ids = Arc::clone(&self.ids);
            let performed = tokio::time::timeout(PATIENCE, async {
                match fault {
                    Some(Fault::Dropped(polls)) => {
                        poll_n(polls, perform(&handle, &ids, call)).await
                    }
                    _ => Polled::Done(perform(&handle, &ids, call).await),
                }
            })
            .await;
            let Ok(polled) = performed else {
                return Err(Failure::new(
                    format_args!("an answer within {}", describe::duration(PATIENCE)),
                    "none: a deadlock, or a wait for something that does not come",
                ));
            };
            let Polled::Done(answer) = polled else {
                self.ctx.remark("and the call was dropped half way");
                self.side(by).model.lost(call);
                return Ok(None);
            };
            let answer = answer?;
            let during = self.during(began);
            match answer.result {
                Ok(said) => {
                    let judged = self.side(by).model.hear(call, &said, during);
                    judged.map_err(|wanted| self.contradiction(&answer.call, &wanted, &said))?;
                    return Ok(Some(said));
                }
                Err(error) if self.lossy && is_outage(error.kind()) => {
                    self.side(by).model.lost(call);
                    if fault == Some(Fault::Lost) {
                        return Ok(None);
                    }
                    if Instant::now() > patient_until {
                        return Err(Failure::new(
                            format_args!("`{}` to work again after a lost answer", answer.call),
                            describe::error(&error),
                        ));
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => {
                    return Err(Failure::new(
                        format_args!("`{}` to succeed", answer.call),
                        describe::error(&error),
                    ));
                }
            }
        }
    }

    fn contradiction(&self, call: &str, wanted: &str, said: &Said) -> Failure {
        let refused = matches!(said, Said::Reply(Reply::Refused));
        let why = match refused {
            true => "the id was accepted before",
            false => "that is what the calls before it leave",
        };
        Failure::new(
            format_args!("`{call}` to answer {wanted}: {why}"),
            said.text(self.ctx.now()),
        )
    }
}

fn is_outage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout)
}
