//! A property that is demanded of every method that it can hold for: one rule for each.

use crate::Rule;
use crate::method::Method;

/// One row of the table of properties and methods.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Property {
    /// The group of its rules; a rule's id is this and the name of its method.
    pub group: &'static str,
    /// The property in a few words.
    pub title: &'static str,
    /// A rule for each method that it holds for.
    pub rules: &'static [Rule],
    /// The methods that it cannot hold for, and why.
    pub without: &'static [(Method, &'static str)],
}

impl Property {
    /// The rule for `method`, if there is one.
    #[must_use]
    pub fn of(&self, method: Method) -> Option<&'static Rule> {
        self.rules.iter().find(|rule| rule.method == Some(method))
    }
}

/// A broken behaviour with the methods that can have it.
pub(crate) type Catch = (&'static str, &'static [Method]);

/// How many of these behaviours `method` can have.
pub(crate) const fn count(catches: &[Catch], method: Method) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < catches.len() {
        if has(catches[at].1, method) {
            count += 1;
        }
        at += 1;
    }
    count
}

/// The names of those.
pub(crate) const fn names<const N: usize>(catches: &[Catch], method: Method) -> [&'static str; N] {
    let mut names = [""; N];
    let (mut found, mut at) = (0, 0);
    while at < catches.len() {
        if has(catches[at].1, method) {
            names[found] = catches[at].0;
            found += 1;
        }
        at += 1;
    }
    names
}

const fn has(methods: &[Method], method: Method) -> bool {
    let mut at = 0;
    while at < methods.len() {
        if methods[at].is(method) {
            return true;
        }
        at += 1;
    }
    false
}

/// Declares a [`Property`] as `PROPERTY` and its rules as `RULES`.
///
/// `says` is the sentence around the method's name. The methods of `of` have a rule each, those of
/// `without` a reason; `catches` names the behaviours of [`crate::broken`] with their methods.
macro_rules! property {
    (
        group: $group:literal, title: $title:literal, name: $name:literal,
        says: [$before:literal, $after:literal],
        why: $why:literal, hint: $hint:literal,
        needs: $needs:tt,
        run: $run:path,
        of: [$($method:ident)*],
        without: [$($empty:ident: $reason:literal),* $(,)?],
        catches: [$($fault:ident [$($faulty:ident)*]),* $(,)?] $(,)?
    ) => {
        const CATCHES: &[$crate::property::Catch] = &[
            $((stringify!($fault), &[$($crate::property::method!($faulty)),*])),*
        ];

        pub(crate) const RULES: &[$crate::Rule] = &[$($crate::Rule {
            id: concat!($group, "-", $crate::property::capitals!($method)),
            name: $name,
            level: $crate::property::method!($method)
                .level($crate::property::declared($crate::property::needs!(set $needs))),
            needs: $crate::property::needs!($method $needs),
            sentence: concat!($before, "`", stringify!($method), "`", $after),
            why: $why,
            hint: $hint,
            catches: {
                const OF: $crate::Method = $crate::property::method!($method);
                const N: usize = $crate::property::count(CATCHES, OF);
                const NAMES: [&str; N] = $crate::property::names(CATCHES, OF);
                &NAMES
            },
            method: Some($crate::property::method!($method)),
            since: $crate::Version::V0_2,
            run: |ctx| Box::pin($run(ctx, $crate::property::method!($method))),
            ..$crate::Rule::MUST
        }),*];

        pub(crate) const PROPERTY: $crate::Property = $crate::Property {
            group: $group,
            title: $title,
            rules: RULES,
            without: &[$(($crate::property::method!($empty), $reason)),*],
        };
    };
}
pub(crate) use property;

/// Whether a rule with these needs is for stores that declare something.
pub(crate) const fn declared(needs: &[crate::Need]) -> bool {
    let mut at = 0;
    while at < needs.len() {
        if needs[at].is_capability() {
            return true;
        }
        at += 1;
    }
    false
}

macro_rules! method {
    (all) => {
        $crate::Method::All
    };
    (clear) => {
        $crate::Method::Clear
    };
    (create) => {
        $crate::Method::Create
    };
    (destroy) => {
        $crate::Method::Destroy
    };
    (get) => {
        $crate::Method::Get
    };
    (ids) => {
        $crate::Method::Ids
    };
    (length) => {
        $crate::Method::Length
    };
    (replace) => {
        $crate::Method::Replace
    };
    (set) => {
        $crate::Method::Set
    };
    (sweep) => {
        $crate::Method::Sweep
    };
    (touch) => {
        $crate::Method::Touch
    };
}
pub(crate) use method;

macro_rules! capitals {
    (all) => {
        "ALL"
    };
    (clear) => {
        "CLEAR"
    };
    (create) => {
        "CREATE"
    };
    (destroy) => {
        "DESTROY"
    };
    (get) => {
        "GET"
    };
    (ids) => {
        "IDS"
    };
    (length) => {
        "LENGTH"
    };
    (replace) => {
        "REPLACE"
    };
    (set) => {
        "SET"
    };
    (sweep) => {
        "SWEEP"
    };
    (touch) => {
        "TOUCH"
    };
}
pub(crate) use capitals;

macro_rules! needs {
    (all [$($more:ident)*]) => { &[$crate::Need::All, $($crate::Need::$more),*] };
    (clear [$($more:ident)*]) => { &[$crate::Need::Clear, $($crate::Need::$more),*] };
    (create [$($more:ident)*]) => { &[$crate::Need::Create, $($crate::Need::$more),*] };
    (ids [$($more:ident)*]) => { &[$crate::Need::All, $($crate::Need::$more),*] };
    (length [$($more:ident)*]) => { &[$crate::Need::Length, $($crate::Need::$more),*] };
    (replace [$($more:ident)*]) => { &[$crate::Need::Replace, $($crate::Need::$more),*] };
    (sweep [$($more:ident)*]) => { &[$crate::Need::Sweep, $($crate::Need::$more),*] };
    (touch [$($more:ident)*]) => { &[$crate::Need::Touch, $($crate::Need::$more),*] };
    ($method:ident [$($more:ident)*]) => { &[$($crate::Need::$more),*] };
}
pub(crate) use needs;
