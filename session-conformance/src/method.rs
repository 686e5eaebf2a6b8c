//! The methods of a store, for what is demanded of each of them.

use std::fmt;

use crate::{Level, Need};

/// A method of [`Store`](session_core::Store) that works on records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// [`Store::all`](session_core::Store::all).
    All,
    /// [`Store::clear`](session_core::Store::clear).
    Clear,
    /// [`Store::create`](session_core::Store::create).
    Create,
    /// [`Store::destroy`](session_core::Store::destroy).
    Destroy,
    /// [`Store::get`](session_core::Store::get).
    Get,
    /// [`Store::ids`](session_core::Store::ids).
    Ids,
    /// [`Store::length`](session_core::Store::length).
    Length,
    /// [`Store::replace`](session_core::Store::replace).
    Replace,
    /// [`Store::set`](session_core::Store::set).
    Set,
    /// [`Store::sweep`](session_core::Store::sweep).
    Sweep,
    /// [`Store::touch`](session_core::Store::touch).
    Touch,
}

impl Method {
    /// Every method, in the order of their names.
    pub const EVERY: [Self; 11] = [
        Self::All,
        Self::Clear,
        Self::Create,
        Self::Destroy,
        Self::Get,
        Self::Ids,
        Self::Length,
        Self::Replace,
        Self::Set,
        Self::Sweep,
        Self::Touch,
    ];

    /// Its name in the trait.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Clear => "clear",
            Self::Create => "create",
            Self::Destroy => "destroy",
            Self::Get => "get",
            Self::Ids => "ids",
            Self::Length => "length",
            Self::Replace => "replace",
            Self::Set => "set",
            Self::Sweep => "sweep",
            Self::Touch => "touch",
        }
    }

    /// The capability with which a store declares it; `None` for what every store has.
    #[must_use]
    pub const fn need(self) -> Option<Need> {
        match self {
            Self::Destroy | Self::Get | Self::Set => None,
            Self::All | Self::Ids => Some(Need::All),
            Self::Clear => Some(Need::Clear),
            Self::Create => Some(Need::Create),
            Self::Length => Some(Need::Length),
            Self::Replace => Some(Need::Replace),
            Self::Sweep => Some(Need::Sweep),
            Self::Touch => Some(Need::Touch),
        }
    }

    /// How much a rule for it weighs that holds for every store.
    pub(crate) const fn level(self, durable: bool) -> Level {
        match self.need() {
            None if !durable => Level::Must,
            _ => Level::Capability,
        }
    }

    /// Whether it works on one id.
    pub(crate) const fn takes_an_id(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Destroy | Self::Get | Self::Replace | Self::Set | Self::Touch
        )
    }

    pub(crate) const fn is(self, other: Self) -> bool {
        self as u8 == other as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
