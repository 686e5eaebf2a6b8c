//! Runs rules: each in a namespace and on a thread of its own, watched from outside.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::context::{Context, Trial};
use crate::failure::Failure;
use crate::need::{Need, Standing};
use crate::pace::Pace;
use crate::report::{Report, RuleResult, Verdict};
use crate::space::CLEANUP_LIMIT;
use crate::steps::Log;
use crate::subject::Subject;
use crate::{CATALOGUE, NotRun, Options, Rule, absent, describe, random};

/// How often a rule that did not come to the point is tried before it is INCONCLUSIVE.
const TRIES: u32 = 4;
/// A rule that always gets its answers may take so many times as long as the wait for one.
const ENDLESS: u32 = 6;
/// How many times as long as for an answer it may take from one call to the next.
const BETWEEN: u32 = 3;
/// How often rules are looked at that may hang.
const WATCH: Duration = Duration::from_millis(50);

/// What is known of a running rule from outside.
struct Trace {
    seed: u64,
    namespace: String,
    log: Log,
    pace: Arc<Pace>,
    /// How many steps had ended when one was last seen to end, and how long the rule had worked.
    progress: Mutex<(usize, Duration)>,
    /// The verdict, and since when the rule is cleaning up after itself.
    judged: Mutex<Option<(RuleResult, Instant)>>,
}

/// The current attempt of a rule; `None` before it has begun.
type Watch = Arc<Mutex<Option<Arc<Trace>>>>;

/// A rule at work.
struct Job {
    rule: &'static Rule,
    subject: Arc<Subject>,
    absent: Option<(Need, &'static str)>,
    namespace: String,
    seed: u64,
    programs: Option<u32>,
    scale: bool,
    repeat: u32,
    places: Arc<Semaphore>,
    watch: Watch,
    limit: Duration,
}

pub(crate) fn run(subject: Subject, options: &Options) -> Report {
    let started = Instant::now();
    let seed = options.seed.unwrap_or_else(random::fresh);
    let subject = Arc::new(subject);
    let selected: Vec<_> = CATALOGUE
        .iter()
        .filter(|rule| options.selects(rule))
        .collect();
    let mut results: Vec<Option<RuleResult>> = selected.iter().map(|_| None).collect();
    match Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            run_on(&runtime, &subject, &selected, seed, options, &mut results);
            // A store that hangs must not keep the run from ending.
            runtime.shutdown_background();
        }
        Err(error) => {
            for (rule, result) in selected.iter().zip(&mut results) {
                *result = Some(RuleResult::not_run(rule, format!("no runtime: {error}")));
            }
        }
    }
    Report::new(
        &subject,
        options,
        seed,
        results.into_iter().flatten().collect(),
        started.elapsed(),
    )
}

fn run_on(
    runtime: &Runtime,
    subject: &Arc<Subject>,
    selected: &[&'static Rule],
    seed: u64,
    options: &Options,
    results: &mut [Option<RuleResult>],
) {
    let run = format!("sc{:08x}", random::fresh() & 0xffff_ffff);
    let places = Arc::new(Semaphore::new(options.jobs));
    let (sender, receiver) = mpsc::channel();
    let mut watches = Vec::with_capacity(selected.len());
    for (index, rule) in selected.iter().copied().enumerate() {
        let watch = Watch::default();
        watches.push(Arc::clone(&watch));
        let absent = match rule.unmet(&subject.capabilities, &subject.backend) {
            Some((need, Standing::Missing(why))) => {
                let reason = format!("needs that {}: {why}", need.what());
                let _ = sender.send((index, RuleResult::not_run(rule, reason)));
                continue;
            }
            Some((need, Standing::Absent(why))) => Some((need, why)),
            _ => None,
        };
        let job = Job {
            rule,
            subject: Arc::clone(subject),
            absent,
            namespace: format!("{run}_{}", rule.id.to_ascii_lowercase().replace('-', "_")),
            seed,
            programs: options.programs,
            scale: options.scale,
            repeat: options.repeat,
            places: Arc::clone(&places),
            watch,
            limit: options.limit,
        };
        spawn(runtime, index, job, &sender);
    }
    let mut done = 0;
    while done < selected.len() {
        let mut finished = |index: usize, result: RuleResult| {
            // The late answer of a rule that counted as hanging is of no interest any more.
            if results[index].is_none() {
                done += 1;
                if options.progress {
                    crate::cli::progress(done, selected.len(), &result);
                }
                results[index] = Some(result);
            }
        };
        match receiver.recv_timeout(WATCH) {
            Ok((index, result)) => finished(index, result),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                for (index, watch) in watches.iter().enumerate() {
                    let trace = watch.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let Some(trace) = trace else { continue };
                    if let Some(result) = trace.stuck_after(options.limit) {
                        finished(index, result);
                    } else if let Some(failure) = trace.hangs(options) {
                        trace.pace.rest();
                        finished(index, trace.result(selected[index], failure));
                    }
                }
            }
        }
    }
}

impl Trace {
    /// What is wrong with a rule that gets no answer, or no end of them. How long all of them take
    /// is no matter: that depends on the machine, and on what else it does.
    fn hangs(&self, options: &Options) -> Option<Failure> {
        let limit = options.limit;
        let (ended, worked) = (self.log.ended(), self.pace.worked());
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.0 != ended {
            *progress = (ended, worked);
        }
        let steps = self.log.steps();
        // Between two calls the rule itself is at work: it makes megabytes up, on a machine that
        // may have other things to do.
        let between = !steps.is_empty() && self.log.open() == 0;
        let patience = if between { limit * BETWEEN } else { limit };
        if worked.saturating_sub(progress.1) > patience {
            let what = match steps.as_slice() {
                [] => "opening the namespace never ended",
                _ => "the last step never returned",
            };
            return Some(Failure::new(
                format_args!("every step to end within {}", describe::duration(limit)),
                format_args!("{what}: a deadlock, or a wait for something that does not come"),
            ));
        }
        let limit = limit * ENDLESS;
        // What was asked for by number takes as long as it takes.
        let asked = options.programs.is_some() || options.scale;
        (worked > limit && !asked).then(|| {
            Failure::new(
                format_args!("the rule to end within {}", describe::duration(limit)),
                "it goes on and on: each step ended, and still there was another one",
            )
        })
    }

    fn result(&self, rule: &'static Rule, failure: Failure) -> RuleResult {
        let mut result = RuleResult::new(rule, self.seed, Err(failure));
        result.steps = self.log.steps();
        result.leftovers = vec![format!("namespace {}", self.namespace)];
        result.took = self.pace.worked();
        result
    }

    /// The verdict of a rule whose clean-up does not end: a hook that blocks its thread must not
    /// keep the run from ending.
    fn stuck_after(&self, limit: Duration) -> Option<RuleResult> {
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, since) = judged.as_ref()?;
        (since.elapsed() > limit + CLEANUP_LIMIT).then(|| {
            let mut result = result.clone();
            result.leftovers = vec![format!(
                "namespace {}: cleaning it up did not end",
                self.namespace
            )];
            result
        })
    }
}

fn spawn(runtime: &Runtime, index: usize, job: Job, sender: &Sender<(usize, RuleResult)>) {
    let handle = runtime.handle().clone();
    let thread_sender = sender.clone();
    let rule = job.rule;
    let spawned = std::thread::Builder::new()
        .name(rule.test_name())
        .spawn(move || {
            let result = handle.block_on(job.rounds());
            // The run may have ended without this rule.
            let _ = thread_sender.send((index, result));
        });
    if let Err(error) = spawned {
        let _ = sender.send((
            index,
            RuleResult::not_run(rule, format!("no thread: {error}")),
        ));
    }
}

impl Job {
    /// Runs the rule as often as asked, until it does not pass.
    async fn rounds(&self) -> RuleResult {
        let mut round = 0;
        loop {
            let result = self.round(round).await;
            round += 1;
            if result.verdict != Verdict::Pass || round == self.repeat {
                return result;
            }
        }
    }

    /// Runs the rule once, and again where it did not come to the point.
    async fn round(&self, round: u32) -> RuleResult {
        let mut attempt = 0;
        loop {
            let seed = self
                .seed
                .wrapping_add(u64::from(round))
                .wrapping_add(u64::from(attempt) << 32);
            let result = self
                .attempt(
                    seed,
                    &format!("{}_{round}_{attempt}", self.namespace),
                    attempt,
                )
                .await;
            attempt += 1;
            if !result.inconclusive || attempt == TRIES {
                return result;
            }
        }
    }

    async fn attempt(&self, seed: u64, namespace: &str, attempt: u32) -> RuleResult {
        let limit = self.limit;
        let trial = Trial { limit, attempt };
        let pace = Arc::new(Pace::new(Arc::clone(&self.places)));
        let log = Log::default();
        pace.work().await;
        let trace = Arc::new(Trace {
            seed,
            namespace: namespace.into(),
            log: log.clone(),
            pace: Arc::clone(&pace),
            progress: Mutex::default(),
            judged: Mutex::default(),
        });
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&trace));
        let (mut result, ctx) = self.judge(seed, namespace, trial, &log, &pace).await;
        // Cleaning up is not the rule's work, and counts neither as its time nor as a hang of its.
        pace.rest();
        result.steps = log.steps();
        result.took = pace.worked();
        if let (Verdict::NotRun, false, Some(reason), Some(step)) = (
            result.verdict,
            result.inconclusive,
            &mut result.reason,
            result.steps.last(),
        ) {
            reason.push_str(&format!(
                " (after step {}, `{}`)",
                result.steps.len(),
                step.what
            ));
        }
        *trace.judged.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((result.clone(), Instant::now()));
        if let Some(ctx) = ctx {
            let after = AssertUnwindSafe(async {
                if result.verdict == Verdict::Fail {
                    ctx.leftovers().await
                } else {
                    ctx.clean_up().await;
                    Vec::new()
                }
            });
            // A store that panics while it is cleaned up has had its verdict.
            result.leftovers = after.catch_unwind().await.unwrap_or_default();
        }
        // Whatever comes next, waiting for a place included, is no clean-up.
        *trace.judged.lock().unwrap_or_else(PoisonError::into_inner) = None;
        result
    }

    /// Takes the steps of the rule; the context is there to be cleaned up.
    async fn judge(
        &self,
        seed: u64,
        namespace: &str,
        trial: Trial,
        log: &Log,
        pace: &Arc<Pace>,
    ) -> (RuleResult, Option<Context>) {
        let open = Context::open(
            self.rule,
            Arc::clone(&self.subject),
            seed,
            namespace.into(),
            log.clone(),
            Arc::clone(pace),
            trial,
        );
        let ctx = match AssertUnwindSafe(open).catch_unwind().await {
            Ok(Ok(mut ctx)) => {
                ctx.programs = self.programs;
                ctx.scale = self.scale;
                ctx
            }
            Ok(Err(NotRun(why))) => {
                let failure = Failure::NotRun(format!("opening the namespace: {why}"));
                return (RuleResult::new(self.rule, seed, Err(failure)), None);
            }
            Err(payload) => {
                let failure = Failure::panicked("opening the namespace", &*payload);
                return (RuleResult::new(self.rule, seed, Err(failure)), None);
            }
        };
        let work = async {
            match self.absent {
                Some((need, _)) => absent::verify(&ctx, need).await,
                None => (self.rule.run)(&ctx).await,
            }
        };
        let outcome = AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|payload| Err(Failure::panicked("the store", &*payload)));
        let passed = outcome.is_ok();
        let mut result = RuleResult::new(self.rule, seed, outcome);
        if let (true, Some((need, why))) = (passed, self.absent) {
            result.verdict = Verdict::NotSupported;
            result.reason = Some(format!("needs that {}: {why}", need.what()));
        }
        (result, Some(ctx))
    }
}
