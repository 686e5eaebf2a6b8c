//! Concurrency without conditional writes.

mod connections;
mod demands;
mod dropped;
mod parallel;
mod processes;
mod runtimes;

use crate::Rule;
use crate::need::Need;

pub(super) use demands::{one_of, one_of_for_both};
pub(super) use dropped::dies_within;
pub(super) use runtimes::on_own_runtime;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "CON-01",
        name: "parallel_ids_do_not_mix",
        sentence: "32 threads on 32 ids work at the same time: no error, and each reads what it \
                   wrote.",
        why: "redis-py#2624: under load, one visitor was shown another one's session.",
        hint: "Keep nothing that belongs to one call (a buffer, a statement, an answer) in a place \
               that calls share.",
        catches: &["GlobalBuffer", "BusyFails"],
        probabilistic: true,
        run: |ctx| Box::pin(parallel::parallel_ids_do_not_mix(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-02",
        name: "parallel_writes_are_whole",
        sentence: "Of parallel sets of one id one wins as a whole: every read finds one of the \
                   records that were written, never a mixture.",
        why: "session-file-store#2: a reader met a half-written file and logged the visitor out.",
        hint: "Write a record in one statement; write a file beside its place and rename it.",
        catches: &["TornWrite", "TruncatesFirst", "TornExpiry"],
        probabilistic: true,
        run: |ctx| Box::pin(parallel::parallel_writes_are_whole(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-03",
        name: "a_session_is_a_register",
        sentence: "Reads and writes of one id from two handles can be put in one order that \
                   explains every answer.",
        why: "A read that shows what was overwritten brings back a login that was ended.",
        hint: "Look at the calls below: no order of them explains the last reads. Caches that are \
               filled after a write, reads from a replica and writes in two steps do this.",
        catches: &[
            "StaleRead",
            "CacheFillRace",
            "DeleteThenInsert",
            "LateWrite",
        ],
        probabilistic: true,
        run: |ctx| Box::pin(parallel::a_session_is_a_register(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-04",
        name: "a_dropped_call_leaves_old_or_new",
        sentence: "A call that is dropped at any of its awaits leaves the old record or the new \
                   one, expiry included, and a store that works.",
        why: "A visitor who closes the tab drops the request. In March 2023, connections whose \
              calls were dropped gave their late answers to other ChatGPT users (redis-py#2624).",
        hint: "One statement for a write; a connection whose call was dropped is closed, not \
               reused; no lock or flag that only the end of the call gives back.",
        catches: &[
            "CancelPoison",
            "StaleAnswers",
            "SetThenExpire",
            "CancelDestroys",
            "CancelledTouchUnsets",
        ],
        run: |ctx| Box::pin(dropped::a_dropped_call_leaves_old_or_new(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-05",
        name: "one_connection_is_enough",
        sentence: "64 calls at the same time end on a pool of one connection.",
        why: "A call that takes a second connection while it holds one stops the whole process as \
              soon as the pool is used up.",
        hint: "Take one connection in each call, and pass it on.",
        catches: &["NestedAcquire", "ExpiredGetNests"],
        run: |ctx| Box::pin(connections::one_connection_is_enough(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-06",
        name: "a_panicking_caller_poisons_nothing",
        sentence: "A task that panics while its call is under way does not break the store for \
                   others.",
        why: "One handler's bug would become everybody's 500 until the next restart.",
        hint: "Take `PoisonError::into_inner`, and leave no state half changed across an await.",
        catches: &["PoisonedMutex"],
        run: |ctx| Box::pin(dropped::a_panicking_caller_poisons_nothing(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-07",
        name: "works_on_any_runtime",
        sentence: "The store works on a runtime of one thread, and after the runtime of its first \
                   call has ended.",
        why: "Each `#[tokio::test]` has a runtime of its own, and small servers have one thread.",
        hint: "No `block_in_place`, no handle of the first runtime; a connection that is dead is \
               replaced.",
        catches: &["BlockInPlace", "RuntimeBound"],
        run: |ctx| Box::pin(runtimes::works_on_any_runtime(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-08",
        name: "calls_do_not_block_the_executor",
        sentence: "32 calls at the same time do not keep other tasks of their thread waiting for \
                   50 ms.",
        why: "A file or a database in the process that is used on the executor's thread stops all \
              requests of that thread, also those without a session.",
        hint: "Put blocking work into `tokio::task::spawn_blocking`.",
        catches: &["BlockingCall", "BlockingGet"],
        run: |ctx| Box::pin(runtimes::calls_do_not_block_the_executor(ctx)),
        ..Rule::SHOULD
    },
    Rule {
        id: "CON-09",
        name: "migrations_may_meet",
        needs: &[Need::Schema],
        sentence: "Processes that migrate at the same time all succeed; once more changes nothing.",
        why: "A deployment starts several processes at once, and one of them would not come up.",
        hint: "`CREATE TABLE IF NOT EXISTS` is no lock in PostgreSQL: take an advisory lock, or \
               accept that somebody else was first.",
        catches: &["MigrateRace", "MigrateOnce", "MigrateDrops"],
        run: |ctx| Box::pin(processes::migrations_may_meet(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-10",
        name: "a_failed_call_gives_back_what_it_took",
        sentence: "Calls that find nothing, are refused or fail use nothing up: the one connection \
                   of the pool still works after 20 of each.",
        why: "An attacker who sends odd ids, or one broken row, would empty the pool.",
        hint: "Let a guard give back connections and permits, not the last line of the method.",
        catches: &["LeaksOnRefusal", "LeaksOnMiss", "LeaksOnDecode"],
        run: |ctx| Box::pin(connections::a_failed_call_gives_back_what_it_took(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-11",
        name: "conditional_writes_reach_other_handles",
        needs: &[Need::SecondHandle],
        sentence: "What one handle did by `create`, `replace`, `touch` or `clear`, another one \
                   that has read before sees at its next `get`.",
        why: "A cache that hears of `set` and `destroy` alone shows the session of before.",
        hint: "Invalidate in every method that writes, and in other processes, too.",
        catches: &[
            "HandleCacheMissesReplace",
            "CacheMissesTouch",
            "CacheMissesClear",
            "CacheKeepsNone",
        ],
        run: |ctx| Box::pin(processes::conditional_writes_reach_other_handles(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-12",
        name: "a_closed_handle_closes_no_other",
        sentence: "When the handles that another part of the process opened on another namespace \
                   are dropped, these go on working and nothing is lost.",
        why: "A second router in the same process goes down, and takes the sessions with it.",
        hint: "No clean-up in `Drop` that others depend on: no closed pool, no dropped table.",
        catches: &["DropClears", "DropCloses"],
        run: |ctx| Box::pin(connections::a_closed_handle_closes_no_other(ctx)),
        ..Rule::MUST
    },
];
