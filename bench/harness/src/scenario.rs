//! What a visitor does again and again.

use crate::stack::{Stack, Store};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scenario {
    /// No cookie, and the handler does not ask for the session.
    Stranger,
    /// A cookie, and the handler does not ask for the session.
    Untouched,
    /// The handler reads, and the session ends when it would have.
    Read,
    /// The handler reads, and the session ends later.
    Extend,
    /// The handler reads and writes.
    Edit,
    /// The handler fills a new session.
    New,
}

impl Scenario {
    pub(crate) const ALL: [Self; 6] = [
        Self::Stranger,
        Self::Untouched,
        Self::Read,
        Self::Extend,
        Self::Edit,
        Self::New,
    ];

    /// What a stack is asked for when it is set up to extend sessions that are read, or not to.
    pub(crate) fn of(stack: Stack, extend: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |&scenario| {
            let has_sessions = stack.store != Store::None;
            (scenario == Self::Extend) == extend && (has_sessions || scenario == Self::Stranger)
        })
    }

    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stranger => "no cookie, untouched",
            Self::Untouched => "cookie, untouched",
            Self::Read => "read",
            Self::Extend => "read and extend",
            Self::Edit => "read and modify",
            Self::New => "new session",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Stranger | Self::Untouched => "/none",
            Self::Read | Self::Extend => "/read",
            Self::Edit => "/edit",
            Self::New => "/new",
        }
    }

    pub(crate) fn has_cookie(self) -> bool {
        !matches!(self, Self::Stranger | Self::New)
    }

    /// The least number of views in a right answer, for sessions with one view.
    pub(crate) fn least_views(self) -> u64 {
        match self {
            Self::Stranger | Self::Untouched => 0,
            Self::Read | Self::Extend | Self::New => 1,
            Self::Edit => 2,
        }
    }
}

/// What a program is told for its sessions to be extended by each request, or not.
pub(crate) fn flags(extend: bool) -> &'static [&'static str] {
    if extend { &["--extend"] } else { &[] }
}
