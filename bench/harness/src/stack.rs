//! The stacks that are compared.

/// A program that serves the routes of `bench/shared`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// `session-tower` and its stores.
    Ours,
    /// The same by hand.
    Limit,
    /// tower-sessions.
    TowerSessions,
    /// `axum_session`.
    AxumSession,
    /// actix-session.
    ActixSession,
    /// express-session.
    Express,
}

impl Program {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ours,
        Self::Limit,
        Self::TowerSessions,
        Self::AxumSession,
        Self::ActixSession,
        Self::Express,
    ];

    /// The package, and its binary.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Ours => "stack-ours",
            Self::Limit => "stack-limit",
            Self::TowerSessions => "stack-tower-sessions",
            Self::AxumSession => "stack-axum-session",
            Self::ActixSession => "stack-actix-session",
            Self::Express => "stack-express",
        }
    }

    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Limit => "by hand",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum_session",
            Self::ActixSession => "actix-session",
            Self::Express => "express-session",
        }
    }

    /// What it is when it has no sessions: the server that its own cost is counted from.
    pub(crate) fn bare(self) -> Self {
        match self {
            Self::ActixSession | Self::Express => self,
            _ => Self::Ours,
        }
    }
}

/// Where a stack keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    None,
    Memory,
    Redis,
    Postgres,
    /// On MariaDB.
    MySql,
    Sqlite,
    Sled,
}

impl Store {
    pub(crate) const ALL: [Self; 6] = [
        Self::Memory,
        Self::Redis,
        Self::Postgres,
        Self::MySql,
        Self::Sqlite,
        Self::Sled,
    ];

    /// What the programs and the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
        }
    }
}

/// How else a program can use its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    /// As all others do, so that rows can be held against one another.
    Usual,
    /// With a client that sends what it has to ask without waiting for earlier answers.
    Pipelining,
    /// Called through a trait object, by futures that are allocated: a store that can be exchanged.
    Boxed,
    /// With the library's own cache in front of the store. A process does not see there what another
    /// one has written, so this does less than the other rows.
    Cached,
}

impl Variant {
    /// What a program is told.
    pub(crate) fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Pipelining => &["--pipelining"],
            Self::Boxed => &["--boxed"],
            Self::Cached => &["--cached"],
        }
    }

    /// What the tables put behind the program's name.
    fn suffix(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Pipelining => " (pipelining)",
            Self::Boxed => " (boxed)",
            Self::Cached => " (cached)",
        }
    }
}

/// One thing to compare with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stack {
    pub(crate) program: Program,
    pub(crate) store: Store,
    pub(crate) variant: Variant,
}

/// Every stack that there is, store by store.
pub(crate) const STACKS: &[Stack] = &[
    stack(Program::Ours, Store::None),
    stack(Program::ActixSession, Store::None),
    stack(Program::Express, Store::None),
    stack(Program::Limit, Store::Memory),
    stack(Program::Ours, Store::Memory),
    stack(Program::TowerSessions, Store::Memory),
    stack(Program::AxumSession, Store::Memory),
    stack(Program::Express, Store::Memory),
    stack(Program::Limit, Store::Redis),
    stack(Program::Ours, Store::Redis),
    stack(Program::TowerSessions, Store::Redis),
    stack(Program::AxumSession, Store::Redis),
    stack(Program::AxumSession, Store::Redis).with(Variant::Cached),
    stack(Program::ActixSession, Store::Redis),
    stack(Program::Express, Store::Redis),
    stack(Program::Limit, Store::Postgres),
    stack(Program::Limit, Store::Postgres).with(Variant::Pipelining),
    stack(Program::Ours, Store::Postgres),
    stack(Program::TowerSessions, Store::Postgres),
    stack(Program::AxumSession, Store::Postgres),
    stack(Program::AxumSession, Store::Postgres).with(Variant::Cached),
    stack(Program::Express, Store::Postgres),
    stack(Program::Limit, Store::MySql),
    stack(Program::Ours, Store::MySql),
    stack(Program::TowerSessions, Store::MySql),
    stack(Program::AxumSession, Store::MySql),
    stack(Program::AxumSession, Store::MySql).with(Variant::Cached),
    stack(Program::Express, Store::MySql),
    stack(Program::Limit, Store::Sqlite),
    stack(Program::Ours, Store::Sqlite),
    stack(Program::TowerSessions, Store::Sqlite),
    stack(Program::AxumSession, Store::Sqlite),
    stack(Program::AxumSession, Store::Sqlite).with(Variant::Cached),
    stack(Program::Limit, Store::Sled),
    stack(Program::Ours, Store::Sled),
];

const fn stack(program: Program, store: Store) -> Stack {
    Stack::new(program, store)
}

impl Stack {
    pub(crate) const fn new(program: Program, store: Store) -> Self {
        Self {
            program,
            store,
            variant: Variant::Usual,
        }
    }

    pub(crate) const fn with(self, variant: Variant) -> Self {
        Self { variant, ..self }
    }

    /// Its program and variant.
    pub(crate) fn program_name(self) -> String {
        format!("{}{}", self.program.name(), self.variant.suffix())
    }

    pub(crate) fn name(self) -> String {
        match (self.store, self.program) {
            (Store::None, Program::Ours) => "axum without sessions".to_owned(),
            (Store::None, Program::ActixSession) => "actix-web without sessions".to_owned(),
            (Store::None, Program::Express) => "express without sessions".to_owned(),
            _ => format!("{}, {}", self.program_name(), self.store.name()),
        }
    }

    /// The stack without sessions that this one's cost is counted from.
    pub(crate) fn bare(self) -> Self {
        stack(self.program.bare(), Store::None)
    }

    /// The same by hand, in the usual way.
    pub(crate) fn limit(self) -> Self {
        stack(Program::Limit, self.store)
    }
}
