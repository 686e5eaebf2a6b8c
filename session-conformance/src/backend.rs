//! What a harness can do with the backend behind the store's back.

use crate::Need;

/// Whether a harness offers a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The method of [`Hooks`](crate::Hooks) is there; its rules run.
    Offered,
    /// The backend has nothing of the kind (a map in memory has no connection to cut), and why.
    /// Its rules are NOT SUPPORTED.
    Inapplicable(&'static str),
    /// It would apply, but this harness cannot reach it, and why. Its rules are NOT RUN, and the
    /// run is incomplete.
    Missing(&'static str),
}

/// What kind of backend the store has, and which [`Hooks`](crate::Hooks) the harness offers.
///
/// Start from the constant that fits and say what differs:
///
/// ```
/// use session_conformance::{Backend, Need};
///
/// const BACKEND: Backend = Backend::SERVER
///     .offers(Need::Fault)
///     .offers(Need::RoundTrips)
///     .lacks(Need::Schema, "Redis has no schema");
/// ```
///
/// | hook | [`IN_PROCESS`](Self::IN_PROCESS) | [`EMBEDDED`](Self::EMBEDDED) | [`SERVER`](Self::SERVER) | for |
/// |---|---|---|---|---|
/// | `second_handle` | offered | offered | offered | PRE-03, SET-08, DES-07 |
/// | `undecodable` | inapplicable | missing | missing | GET-06 |
/// | `fault` | inapplicable | inapplicable | missing | ERR-01, ERR-02, ERR-03, ERR-05, LOS, OUT, SEC |
/// | `round_trips` | inapplicable | inapplicable | missing | TCH-07, OBS-02 |
/// | `foreign` | inapplicable | missing | missing | LEN-06, CLR-07 |
/// | `count` | inapplicable | missing | missing | EXP-12 |
/// | `schema` | inapplicable | missing | missing | CON-09 |
/// | `crash` | inapplicable | missing | missing | DUR-02, DUR-04, KIL |
/// | `fixture` | inapplicable | missing | missing | DUR-03 |
/// | `skew` | inapplicable | inapplicable | missing | EXP-13 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backend {
    /// Two independently opened handles work on one namespace.
    pub second_handle: Offer,
    /// [`Hooks::write_undecodable`](crate::Hooks::write_undecodable).
    pub undecodable: Offer,
    /// [`Hooks::break_backend`](crate::Hooks::break_backend),
    /// [`heal_backend`](crate::Hooks::heal_backend) and
    /// [`lose_next_answer`](crate::Hooks::lose_next_answer).
    pub fault: Offer,
    /// [`Hooks::round_trips`](crate::Hooks::round_trips).
    pub round_trips: Offer,
    /// [`Hooks::write_foreign`](crate::Hooks::write_foreign) and
    /// [`foreign_intact`](crate::Hooks::foreign_intact).
    pub foreign: Offer,
    /// [`Hooks::count`](crate::Hooks::count).
    pub count: Offer,
    /// [`Hooks::migrate`](crate::Hooks::migrate).
    pub schema: Offer,
    /// [`Hooks::write_and_crash`](crate::Hooks::write_and_crash).
    pub crash: Offer,
    /// [`Hooks::load_fixture`](crate::Hooks::load_fixture).
    pub fixture: Offer,
    /// [`Opening::clock`](crate::Opening::clock) reaches the store although the backend expires
    /// by its own; no hook.
    pub skew: Offer,
}

const NO_BACKEND: Offer = Offer::Inapplicable("the store lives in this process's memory");
const NO_SERVER: Offer = Offer::Inapplicable("there is no server to be apart from");
const NOT_OFFERED: Offer = Offer::Missing("the harness does not offer it");

impl Backend {
    /// A structure in this process's memory: nothing to decode, to cut off or to keep.
    pub const IN_PROCESS: Self = Self {
        second_handle: Offer::Offered,
        undecodable: NO_BACKEND,
        fault: NO_BACKEND,
        round_trips: NO_BACKEND,
        foreign: NO_BACKEND,
        count: NO_BACKEND,
        schema: NO_BACKEND,
        crash: NO_BACKEND,
        fixture: NO_BACKEND,
        skew: NO_BACKEND,
    };

    /// Files or a database library in this process: bytes on a disk, no server.
    pub const EMBEDDED: Self = Self {
        fault: NO_SERVER,
        round_trips: NO_SERVER,
        skew: NO_SERVER,
        ..Self::SERVER
    };

    /// A server on the other side of a connection: everything applies.
    pub const SERVER: Self = Self {
        second_handle: Offer::Offered,
        undecodable: NOT_OFFERED,
        fault: NOT_OFFERED,
        round_trips: NOT_OFFERED,
        foreign: NOT_OFFERED,
        count: NOT_OFFERED,
        schema: NOT_OFFERED,
        crash: NOT_OFFERED,
        fixture: NOT_OFFERED,
        skew: NOT_OFFERED,
    };

    /// The harness offers this hook.
    #[must_use]
    pub const fn offers(self, hook: Need) -> Self {
        self.with(hook, Offer::Offered)
    }

    /// The backend has nothing of the kind.
    #[must_use]
    pub const fn lacks(self, hook: Need, why: &'static str) -> Self {
        self.with(hook, Offer::Inapplicable(why))
    }

    /// It would apply, but the harness cannot reach it.
    #[must_use]
    pub const fn cannot_reach(self, hook: Need, why: &'static str) -> Self {
        self.with(hook, Offer::Missing(why))
    }

    /// Sets one hook.
    ///
    /// # Panics
    ///
    /// For a capability: the store declares those itself. In a `const`, where this belongs, that
    /// is a compile error.
    #[must_use]
    pub const fn with(mut self, hook: Need, offer: Offer) -> Self {
        match hook {
            Need::SecondHandle => self.second_handle = offer,
            Need::Undecodable => self.undecodable = offer,
            Need::Fault => self.fault = offer,
            Need::RoundTrips => self.round_trips = offer,
            Need::Foreign => self.foreign = offer,
            Need::Count => self.count = offer,
            Need::Schema => self.schema = offer,
            Need::Crash => self.crash = offer,
            Need::Fixture => self.fixture = offer,
            Need::Skew => self.skew = offer,
            _ => panic!("a capability is declared by the store, not by the harness"),
        }
        self
    }

    /// What the harness says of `hook`.
    ///
    /// # Panics
    ///
    /// For a capability.
    #[must_use]
    pub const fn offer(&self, hook: Need) -> Offer {
        match hook {
            Need::SecondHandle => self.second_handle,
            Need::Undecodable => self.undecodable,
            Need::Fault => self.fault,
            Need::RoundTrips => self.round_trips,
            Need::Foreign => self.foreign,
            Need::Count => self.count,
            Need::Schema => self.schema,
            Need::Crash => self.crash,
            Need::Fixture => self.fixture,
            Need::Skew => self.skew,
            _ => panic!("a capability is declared by the store, not by the harness"),
        }
    }
}
