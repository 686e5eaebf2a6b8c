use std::time::Duration;

/// What a store can do beyond [`get`], [`set`] and [`destroy`], and the limits of what it holds.
///
/// A store declares them as a `const`, so that a test suite can read them without opening it:
///
/// ```
/// use std::time::Duration;
/// use session_core::Capabilities;
///
/// const CAPABILITIES: Capabilities = Capabilities::NONE
///     .with_touch()
///     .with_create()
///     .with_replace()
///     .with_max_id_bytes(128)
///     .with_granularity(Duration::from_secs(1));
/// assert!(CAPABILITIES.replace && !CAPABILITIES.all);
/// ```
///
/// [`get`]: crate::Store::get
/// [`set`]: crate::Store::set
/// [`destroy`]: crate::Store::destroy
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`touch`](crate::Store::touch) moves the expiry without rewriting the record.
    pub touch: bool,
    /// [`length`](crate::Store::length) counts the live records.
    pub length: bool,
    /// [`clear`](crate::Store::clear) removes every record of the store.
    pub clear: bool,
    /// [`all`](crate::Store::all) and [`ids`](crate::Store::ids) go through the live records.
    pub all: bool,
    /// [`create`](crate::Store::create) writes only where nothing is, atomically.
    pub create: bool,
    /// [`replace`](crate::Store::replace) compares and swaps, atomically.
    pub replace: bool,
    /// [`sweep`](crate::Store::sweep) removes expired records. A store whose backend drops them
    /// by itself does not need it.
    pub sweep: bool,
    /// The backend drops expired records by itself.
    pub server_ttl: bool,
    /// A record whose `set` returned survives the end of the process.
    pub durable: bool,
    /// The smallest step in which the store keeps an expiry; it may end a record up to this much
    /// later than asked, never earlier.
    pub granularity: Duration,
    /// How long a record without an expiry of its own lives after it was last written or touched;
    /// `None` means until it is destroyed.
    pub default_ttl: Option<Duration>,
    /// The longest id in bytes; a longer one is [`InvalidId`](crate::ErrorKind::InvalidId).
    pub max_id_bytes: Option<usize>,
    /// The largest JSON in bytes; a larger one is [`TooLarge`](crate::ErrorKind::TooLarge).
    pub max_record_bytes: Option<usize>,
}

impl Capabilities {
    /// `get`, `set` and `destroy` alone, with millisecond expiry and no limits.
    pub const NONE: Self = Self {
        touch: false,
        length: false,
        clear: false,
        all: false,
        create: false,
        replace: false,
        sweep: false,
        server_ttl: false,
        durable: false,
        granularity: Duration::from_millis(1),
        default_ttl: None,
        max_id_bytes: None,
        max_record_bytes: None,
    };

    /// Declares [`touch`](Self::touch).
    #[must_use]
    pub const fn with_touch(mut self) -> Self {
        self.touch = true;
        self
    }

    /// Declares [`length`](Self::length).
    #[must_use]
    pub const fn with_length(mut self) -> Self {
        self.length = true;
        self
    }

    /// Declares [`clear`](Self::clear).
    #[must_use]
    pub const fn with_clear(mut self) -> Self {
        self.clear = true;
        self
    }

    /// Declares [`all`](Self::all).
    #[must_use]
    pub const fn with_all(mut self) -> Self {
        self.all = true;
        self
    }

    /// Declares [`create`](Self::create).
    #[must_use]
    pub const fn with_create(mut self) -> Self {
        self.create = true;
        self
    }

    /// Declares [`replace`](Self::replace).
    #[must_use]
    pub const fn with_replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Declares [`sweep`](Self::sweep).
    #[must_use]
    pub const fn with_sweep(mut self) -> Self {
        self.sweep = true;
        self
    }

    /// Declares [`server_ttl`](Self::server_ttl).
    #[must_use]
    pub const fn with_server_ttl(mut self) -> Self {
        self.server_ttl = true;
        self
    }

    /// Declares [`durable`](Self::durable).
    #[must_use]
    pub const fn with_durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Sets the [`granularity`](Self::granularity) of expiry.
    #[must_use]
    pub const fn with_granularity(mut self, granularity: Duration) -> Self {
        self.granularity = granularity;
        self
    }

    /// Sets the [`default_ttl`](Self::default_ttl).
    #[must_use]
    pub const fn with_default_ttl(mut self, default_ttl: Option<Duration>) -> Self {
        self.default_ttl = default_ttl;
        self
    }

    /// Sets the [`max_id_bytes`](Self::max_id_bytes).
    #[must_use]
    pub const fn with_max_id_bytes(mut self, bytes: usize) -> Self {
        self.max_id_bytes = Some(bytes);
        self
    }

    /// Sets the [`max_record_bytes`](Self::max_record_bytes).
    #[must_use]
    pub const fn with_max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = Some(bytes);
        self
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::NONE
    }
}
