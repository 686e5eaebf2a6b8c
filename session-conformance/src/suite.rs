//! What [`suite!`](crate::suite) expands to needs at compile time and at run time.

use std::path::Path;

use crate::need::Standing;
use crate::options::Rerun;
use crate::subject::Subject;
use crate::{Harness, Need, Options, Verdict, record, runner};

/// Runs one rule as a test: returns if it passed, panics with the report otherwise. Nothing that
/// did not run is ok.
///
/// # Panics
///
/// Unless the rule passed, and if its result cannot be written down where that was asked for.
#[expect(
    clippy::print_stderr,
    reason = "a warning that libtest shows with the test's output"
)]
pub fn check<H: Harness>(harness: H, test_name: &str) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut options = Options::new()
        .filter(test_name)
        .exact(true)
        .strict(variable("SESSION_CONFORMANCE_STRICT").is_some_and(|value| value != "0"))
        .rerun(Rerun::Suite);
    if let Some(seed) = variable("SESSION_CONFORMANCE_SEED").and_then(|seed| seed.parse().ok()) {
        options = options.seed(seed);
    }
    let programs = variable("SESSION_CONFORMANCE_PROGRAMS");
    if let Some(programs) = programs.and_then(|programs| programs.parse().ok()) {
        options = options.programs(programs);
    }
    options =
        options.scale(variable("SESSION_CONFORMANCE_SCALE").is_some_and(|value| value != "0"));
    let subject = Subject::new(harness);
    let report = runner::run(subject.clone(), &options);
    if let Some(directory) = variable("SESSION_CONFORMANCE_RESULTS")
        && let Err(error) = record::write(Path::new(&directory), &subject, &report)
    {
        panic!("SESSION_CONFORMANCE_RESULTS={directory}: not writable: {error}");
    }
    assert!(report.exit_code() == 0, "\n{}", report.to_text());
    if report.count(Verdict::Fail) > 0 {
        eprintln!("{}", report.to_text());
    }
}

/// One `#[test]` for each rule of the catalogue, named after it.
///
/// ```
/// # fn main() {}
/// # mod conformance {
/// # use session_conformance::__doc::Maps;
/// session_conformance::suite!(
///     Maps,
///     without: [hooks, touch, length, clear, all, create, replace, sweep, server_ttl,
///         durable, max_record_bytes],
/// );
/// # }
/// ```
///
/// The first word is the harness, a unit struct; what it has to keep (a server that was started)
/// belongs in a `static`. Libtest decides at compile time which tests are
/// ignored, so the lists name the [needs](crate::Need) that cannot be met: `without` those that
/// the harness declares absent, `not_run` those that it cannot reach; `hooks` stands for all hooks
/// but `second_handle`. Lists that differ from what the harness declares do not compile, and the
/// error says what to write:
///
/// ```compile_fail
/// # fn main() {}
/// # use session_conformance::__doc::Maps;
/// session_conformance::suite!(Maps, without: [hooks, touch]);
/// ```
///
/// Rules that need something of `without` or `not_run` are ignored tests with that reason, and
/// PRE-04 checks live that the store answers `Unsupported`. Each test runs on a tokio runtime of
/// its own. `SESSION_CONFORMANCE_SEED=N` in the environment sets the seed,
/// `SESSION_CONFORMANCE_PROGRAMS=N` how many random programs the rules of MOD run,
/// `SESSION_CONFORMANCE_SCALE=1` lets the rules of SCL write all of their records, and
/// `SESSION_CONFORMANCE_STRICT=1` makes a broken *should* fail its test.
///
/// If `SESSION_CONFORMANCE_RESULTS` names a directory, each rule that ran leaves a line like
/// `{"store":"memory","rule":"GET-01","verdict":"pass"}` (or `fail`, `not supported`, `not run`) in
/// a file there that no other process writes to. The lines of the ignored rules come from PRE-04:
/// `not supported` once it has seen that the store answers `Unsupported`, otherwise `not run`.
#[macro_export]
macro_rules! suite {
    ($harness:path $(, without: [$($without:ident),* $(,)?])? $(, not_run: [$($not_run:ident),* $(,)?])? $(,)?) => {
        const _: () = $crate::__private::check_lists::<$harness>(
            &[$($(stringify!($without)),*)?],
            &[$($(stringify!($not_run)),*)?],
        );
        $crate::__suite_tests!($harness, [$($($without)*)?], [$($($not_run)*)?]);
    };
}

/// One test of [`suite!`]: first the needs are looked up in `without`, then in `not_run`.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite_test {
    ($harness:path, $name:ident, $needs:tt, $without:tt, $not_run:tt) => {
        $crate::__suite_test!(@without $needs $harness, $name, $needs, $without, $not_run);
    };
    (@without [$need:ident $($rest:ident)*] $harness:path, $name:ident, $needs:tt, $without:tt, $not_run:tt) => {
        $crate::__suite_listed!($need $without { absent, $harness, $name } {
            $crate::__suite_test!(@without [$($rest)*] $harness, $name, $needs, $without, $not_run);
        });
    };
    (@without [] $harness:path, $name:ident, $needs:tt, $without:tt, $not_run:tt) => {
        $crate::__suite_test!(@not_run $needs $harness, $name, $not_run);
    };
    (@not_run [$need:ident $($rest:ident)*] $harness:path, $name:ident, $not_run:tt) => {
        $crate::__suite_listed!($need $not_run { missing, $harness, $name } {
            $crate::__suite_test!(@not_run [$($rest)*] $harness, $name, $not_run);
        });
    };
    (@not_run [] $harness:path, $name:ident, $not_run:tt) => {
        #[test]
        fn $name() {
            $crate::__private::check($harness, stringify!($name));
        }
    };
}

/// A test that cannot run. Libtest shows the reason only where it is a literal, so that both are
/// written out for each need.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite_ignored {
    ($absent:literal, $missing:literal, absent, $harness:path, $name:ident) => {
        $crate::__suite_ignored!($absent, $harness, $name);
    };
    ($absent:literal, $missing:literal, missing, $harness:path, $name:ident) => {
        $crate::__suite_ignored!($missing, $harness, $name);
    };
    ($reason:literal, $harness:path, $name:ident) => {
        #[test]
        #[ignore = $reason]
        fn $name() {
            $crate::__private::check($harness, stringify!($name));
        }
    };
}

/// The names of `words` as `suite!` takes them, built at compile time for a compile error.
struct Message {
    bytes: [u8; 1024],
    length: usize,
}

impl Message {
    const fn push(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() && self.length < self.bytes.len() {
            self.bytes[self.length] = bytes[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    const fn text(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "suite!: the lists do not say what the harness declares",
        }
    }
}

/// A compile error with the right lists, unless `without` and `not_run` name just what the harness
/// declares absent and out of reach.
///
/// # Panics
///
/// At compile time, if the lists are wrong.
pub const fn check_lists<H: Harness>(without: &[&str], not_run: &[&str]) {
    let mut right = known(without) && known(not_run);
    let mut at = 0;
    while at < Need::EVERY.len() {
        let need = Need::EVERY[at];
        right = right
            && lists(without, need) == stands::<H>(need, true)
            && lists(not_run, need) == stands::<H>(need, false);
        at += 1;
    }
    if !right {
        let message = Message {
            bytes: [0; 1024],
            length: 0,
        }
        .push("suite! must name what the harness declares absent. Write: suite!(.., without: [");
        let message = names::<H>(message, true).push("]");
        let message = names::<H>(message.push(", not_run: ["), false).push("])");
        panic!("{}", message.text());
    }
}

/// All hooks but the second handle, which nearly every store has.
const fn is_plain_hook(need: Need) -> bool {
    !need.is_capability() && !matches!(need, Need::SecondHandle)
}

const fn lists(words: &[&str], need: Need) -> bool {
    let mut at = 0;
    while at < words.len() {
        if same(words[at], need.name()) || (is_plain_hook(need) && same(words[at], "hooks")) {
            return true;
        }
        at += 1;
    }
    false
}

const fn known(words: &[&str]) -> bool {
    let mut word = 0;
    while word < words.len() {
        let mut known = same(words[word], "hooks");
        let mut at = 0;
        while at < Need::EVERY.len() {
            known = known || same(words[word], Need::EVERY[at].name());
            at += 1;
        }
        if !known {
            return false;
        }
        word += 1;
    }
    true
}

const fn names<H: Harness>(mut message: Message, absent: bool) -> Message {
    let mut first = true;
    let all_hooks = every_hook::<H>(absent);
    if all_hooks {
        message = message.push("hooks");
        first = false;
    }
    let mut at = 0;
    while at < Need::EVERY.len() {
        let need = Need::EVERY[at];
        if stands::<H>(need, absent) && !(all_hooks && is_plain_hook(need)) {
            message = message
                .push(if first { "" } else { ", " })
                .push(need.name());
            first = false;
        }
        at += 1;
    }
    message
}

const fn stands<H: Harness>(need: Need, absent: bool) -> bool {
    match need.standing(&H::CAPABILITIES, &H::BACKEND) {
        Standing::Met => false,
        Standing::Absent(_) => absent,
        Standing::Missing(_) => !absent,
    }
}

const fn every_hook<H: Harness>(absent: bool) -> bool {
    let mut at = 0;
    while at < Need::EVERY.len() {
        let need = Need::EVERY[at];
        if is_plain_hook(need) && !stands::<H>(need, absent) {
            return false;
        }
        at += 1;
    }
    true
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
