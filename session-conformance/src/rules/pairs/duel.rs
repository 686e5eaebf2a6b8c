//! Two threads that start together, round after round.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::BUDGET;
use super::table::{Case, Heard, Scene, cases};
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::model::{Call, perform};

/// How often each case comes at most.
const TURNS: usize = 20;
/// So many cases are tried, however long it takes.
const LEAST: usize = 20;
/// If no round has met by then, this machine will not show any.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the two threads share: the second one waits for its call.
struct Duel {
    barrier: Barrier,
    awake: AtomicUsize,
    over: AtomicBool,
    /// The second one's call, and how long it waits before it makes it.
    call: Mutex<Option<(Handle, Call, usize)>>,
    heard: Mutex<Option<Result<Heard, Failure>>>,
}

impl Duel {
    /// Both are awake when they go on.
    fn meet(&self) {
        const LOOKS: usize = 2_000;
        if self.barrier.wait().is_leader() {
            self.awake.store(0, Ordering::SeqCst);
        }
        self.barrier.wait();
        self.awake.fetch_add(1, Ordering::SeqCst);
        for _ in 0..LOOKS {
            if self.awake.load(Ordering::SeqCst) == 2 {
                break;
            }
            std::hint::spin_loop();
        }
    }

    /// The second thread: one call for each meeting.
    async fn second(&self, ids: &[Id]) {
        loop {
            self.meet();
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let call = lock(&self.call).take();
            if let Some((handle, call, delay)) = call {
                let heard = made(&handle, ids, &call, delay).await;
                *lock(&self.heard) = Some(heard);
            }
            self.barrier.wait();
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a call after a moment; a panic is a failure, and the other thread does not wait for ever.
async fn made(handle: &Handle, ids: &[Id], call: &Call, delay: usize) -> Result<Heard, Failure> {
    for _ in 0..delay {
        std::hint::spin_loop();
    }
    let began = Instant::now();
    let answer = AssertUnwindSafe(perform(handle, ids, call)).catch_unwind();
    let answer = answer
        .await
        .map_err(|payload| Failure::panicked("the store", &*payload))??;
    Ok((answer, (began, Instant::now())))
}

pub(super) async fn same_time(ctx: &Context) -> Result<(), Failure> {
    let (mark, started) = (ctx.mark(), ctx.now());
    let mut random = ctx.random("cases");
    let scene = Scene::new(ctx);
    let duel = Arc::new(Duel {
        barrier: Barrier::new(2),
        awake: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        call: Mutex::default(),
        heard: Mutex::default(),
    });
    let (runtime, other) = (tokio::runtime::Handle::current(), Arc::clone(&duel));
    let ids = Arc::clone(&scene.ids);
    let thread = std::thread::spawn(move || runtime.block_on(async { other.second(&ids).await }));
    let cases = cases(ctx, &mut random);
    let began = Instant::now();
    let (mut rounds, mut met) = (0, 0);
    let goes_on = |rounds: usize, met: usize| match met {
        0 => began.elapsed() < PATIENCE,
        _ => rounds < LEAST || (began.elapsed() < BUDGET && rounds < TURNS * cases.len()),
    };
    let mut result = Ok(());
    while result.is_ok() && goes_on(rounds, met) {
        let case = &cases[rounds % cases.len()];
        rounds += 1;
        ctx.rewind(mark, started);
        ctx.remark(case.text());
        let delays = [random.below(2_000), random.below(2_000)];
        match round(ctx, &scene, case, &duel, delays).await {
            Ok(overlapped) => met += usize::from(overlapped),
            Err(failure) => result = Err(failure),
        }
    }
    duel.over.store(true, Ordering::SeqCst);
    duel.meet();
    let _ = thread.join();
    let counted = format!("{rounds} rounds, {met} of them at the same time");
    if result.is_ok() {
        ctx.rewind(mark, started);
    }
    ctx.remark(counted);
    result?;
    if met == 0 {
        return Err(Failure::inconclusive(format_args!(
            "no two calls were ever under way at the same time, in {rounds} rounds"
        )));
    }
    Ok(())
}

/// One round; whether both calls were under way at the same time.
async fn round(
    ctx: &Context,
    scene: &Scene,
    case: &Case,
    duel: &Duel,
    delays: [usize; 2],
) -> Result<bool, Failure> {
    let model = scene.set(ctx, case).await?;
    let calls = scene.calls(ctx, case);
    *lock(&duel.call) = Some((case.second(ctx).clone(), calls[1].clone(), delays[1]));
    duel.meet();
    let first = made(&ctx.h1, &scene.ids, &calls[0], delays[0]).await;
    duel.barrier.wait();
    let second = lock(&duel.heard).take();
    let lost = || Err(Failure::inconclusive("a thread was lost"));
    let (first, second) = (first?, second.unwrap_or_else(lost)?);
    let ((_, a), (_, b)) = (&first, &second);
    let met = a.0 < b.1 && b.0 < a.1;
    scene.judge(ctx, model, &calls, [first, second]).await?;
    Ok(met)
}
