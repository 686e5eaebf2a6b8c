//! What a rule needs from the store or from its harness beyond `get`, `set` and `destroy`.

use session_core::Capabilities;

use crate::backend::{Backend, Offer};

macro_rules! needs {
    ($($(#[$doc:meta])* $variant:ident $name:literal $kind:ident $what:literal;)*) => {
        /// What a rule needs beyond `get`, `set` and `destroy`: a capability that the store
        /// declares in its [`Capabilities`], or a hook that the harness declares in its
        /// [`Backend`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Need {
            $($(#[$doc])* $variant,)*
        }

        impl Need {
            /// Every need, capabilities first.
            pub const EVERY: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it in [`suite!`](crate::suite) and in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether the store declares it (otherwise the harness does).
            #[must_use]
            pub const fn is_capability(self) -> bool {
                match self { $(Self::$variant => needs!(@$kind),)* }
            }

            /// What has to be there.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }
        }
    };
    (@capability) => { true };
    (@hook) => { false };
}

needs! {
    /// [`Capabilities::touch`].
    Touch "touch" capability "the store declares `touch`";
    /// [`Capabilities::length`].
    Length "length" capability "the store declares `length`";
    /// [`Capabilities::clear`].
    Clear "clear" capability "the store declares `clear`";
    /// [`Capabilities::all`].
    All "all" capability "the store declares `all`";
    /// [`Capabilities::create`].
    Create "create" capability "the store declares `create`";
    /// [`Capabilities::replace`].
    Replace "replace" capability "the store declares `replace`";
    /// [`Capabilities::sweep`].
    Sweep "sweep" capability "the store declares `sweep`";
    /// [`Capabilities::server_ttl`].
    ServerTtl "server_ttl" capability "the store declares `server_ttl`";
    /// [`Capabilities::durable`].
    Durable "durable" capability "the store declares `durable`";
    /// [`Capabilities::max_record_bytes`].
    MaxRecordBytes "max_record_bytes" capability "the store declares `max_record_bytes`";
    /// [`Backend::second_handle`].
    SecondHandle "second_handle" hook "two handles can be open on one namespace";
    /// [`Backend::undecodable`].
    Undecodable "undecodable" hook "the harness can write bytes that are no record";
    /// [`Backend::fault`].
    Fault "fault" hook "the harness can break and heal the backend";
    /// [`Backend::round_trips`].
    RoundTrips "round_trips" hook "the harness counts round trips to the backend";
    /// [`Backend::foreign`].
    Foreign "foreign" hook "the harness can put foreign things next to the sessions";
    /// [`Backend::count`].
    Count "count" hook "the harness counts what is physically stored";
    /// [`Backend::schema`].
    Schema "schema" hook "the harness can run the store's migration";
    /// [`Backend::crash`].
    Crash "crash" hook "the harness can kill a process that has just written";
    /// [`Backend::fixture`].
    Fixture "fixture" hook "the harness can load what an older version wrote";
    /// [`Backend::skew`].
    Skew "skew" hook "the backend expires by a clock that is not the store's";
}

/// Whether a need is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is there.
    Met,
    /// Declared absent: rules that need it are NOT SUPPORTED.
    Absent(&'static str),
    /// It would apply, but is out of reach: rules that need it are NOT RUN.
    Missing(&'static str),
}

impl Need {
    pub(crate) const fn standing(self, store: &Capabilities, backend: &Backend) -> Standing {
        let declared = match self {
            Self::Touch => store.touch,
            Self::Length => store.length,
            Self::Clear => store.clear,
            Self::All => store.all,
            Self::Create => store.create,
            Self::Replace => store.replace,
            Self::Sweep => store.sweep,
            Self::ServerTtl => store.server_ttl,
            Self::Durable => store.durable,
            Self::MaxRecordBytes => store.max_record_bytes.is_some(),
            _ => {
                return match backend.offer(self) {
                    Offer::Offered => Standing::Met,
                    Offer::Inapplicable(why) => Standing::Absent(why),
                    Offer::Missing(why) => Standing::Missing(why),
                };
            }
        };
        if declared {
            Standing::Met
        } else {
            Standing::Absent("the store does not declare it")
        }
    }
}
