//! Two futures, polled in each order that there is.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;

/// So many polls of each future are put in order; 4 and 4 have 70 orders.
const POLLS: usize = 4;
/// How long a future that is to be polled next may rest before the other one gets its turn: it may
/// wait for something that the other one holds.
const REST: Duration = Duration::from_millis(2);

/// The orders that are left, one after the other: first all of the first future, then all of the
/// second, and so on, each place in which both could have gone on with either.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Whose turn it is to be, as far as this is decided: `true` for the second one.
    turns: Vec<bool>,
    /// Whose turn it was, where both could have had it.
    taken: Vec<bool>,
    begun: bool,
}

impl Orders {
    /// Whether there is another order, which [`both`] will take.
    pub(crate) fn next(&mut self) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            return true;
        }
        self.turns = std::mem::take(&mut self.taken);
        while self.turns.pop_if(|second| *second).is_some() {}
        match self.turns.last_mut() {
            Some(last) => *last = true,
            None => return false,
        }
        true
    }

    /// The order in letters: whose polls followed one another while both were under way.
    pub(crate) fn text(&self) -> String {
        let letter = |second: &bool| if *second { 'B' } else { 'A' };
        self.taken.iter().map(letter).collect()
    }

    fn turn(&mut self) -> bool {
        let turn = self.turns.get(self.taken.len()).copied().unwrap_or(false);
        self.taken.push(turn);
        turn
    }
}

/// Notes that a future has something to do.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    listener: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        self.listener.wake();
    }
}

/// Polls both futures in the order that is next, until both have ended.
pub(crate) async fn both<A, B>(
    orders: &mut Orders,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
    bells
        .iter()
        .for_each(|bell| bell.rung.store(true, Ordering::SeqCst));
    let wakers = bells.clone().map(Waker::from);
    let (mut one, mut other) = (None, None);
    let mut polls = [0; 2];
    let mut turn = None;
    let mut rest = pin!(tokio::time::sleep(REST));
    std::future::poll_fn(|context| {
        bells
            .iter()
            .for_each(|bell| bell.listener.register(context.waker()));
        loop {
            let which = match (one.is_some(), other.is_some()) {
                (true, true) => return Poll::Ready(()),
                (true, false) => 1,
                (false, true) => 0,
                (false, false) => *turn.get_or_insert_with(|| match polls {
                    [a, b] if a < POLLS && b < POLLS => usize::from(orders.turn()),
                    // Enough is in order; whoever has something to do goes on.
                    [_, _] => usize::from(!bells[0].rung.load(Ordering::SeqCst)),
                }),
            };
            let mut which = which;
            if !bells[which].rung.load(Ordering::SeqCst) {
                if rest.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                // Nothing came: the other one first, if it can.
                let apart = tokio::time::Instant::now() + REST;
                rest.as_mut().reset(apart);
                let left = [one.is_none(), other.is_none()];
                if left[1 - which] && bells[1 - which].rung.load(Ordering::SeqCst) {
                    which = 1 - which;
                } else {
                    continue;
                }
            }
            bells[which].rung.store(false, Ordering::SeqCst);
            polls[which] += 1;
            turn = None;
            let mut context = Context::from_waker(&wakers[which]);
            match which {
                0 => {
                    if let Poll::Ready(value) = first.as_mut().poll(&mut context) {
                        one = Some(value);
                    }
                }
                _ => {
                    if let Poll::Ready(value) = second.as_mut().poll(&mut context) {
                        other = Some(value);
                    }
                }
            }
        }
    })
    .await;
    match (one, other) {
        (Some(one), Some(other)) => (one, other),
        _ => unreachable!("both have ended"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn orders_of(a: usize, b: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut orders = Orders::default();
        let mut seen = Vec::new();
        while orders.next() {
            let trace = Mutex::new(String::new());
            let steps = |letter: char, polls: usize| {
                let trace = &trace;
                async move {
                    for step in 0..polls {
                        trace.lock().unwrap().push(letter);
                        if step + 1 < polls {
                            tokio::task::yield_now().await;
                        }
                    }
                }
            };
            runtime.block_on(both(&mut orders, steps('A', a), steps('B', b)));
            seen.push(trace.into_inner().unwrap());
        }
        seen
    }

    #[test]
    fn each_order_comes_once() {
        for (a, b, orders) in [(1, 1, 2), (2, 1, 3), (2, 2, 6), (3, 3, 20), (4, 4, 70)] {
            let mut seen = orders_of(a, b);
            assert_eq!(seen.len(), orders, "{seen:?}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), orders);
            assert!(seen.iter().all(|order| order.len() == a + b));
        }
    }

    /// The first waits for what the second does.
    #[test]
    fn one_that_waits_for_the_other_is_passed_over() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut orders = Orders::default();
        while orders.next() {
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            let send = async { sender.send(()).unwrap() };
            runtime
                .block_on(both(&mut orders, receiver, send))
                .0
                .unwrap();
        }
    }
}
