use crate::dialect::{ALL, CHECK, CLEAR, DESTROY, Dialect, EXPIRED, FIND, GET, IDS, LENGTH, TOUCH};
use crate::layout::Layout;
use crate::names::Names;
use crate::template::{Effect, Statement};

/// The statements of a store.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) get: Statement,
    pub(crate) set: Statement,
    pub(crate) destroy: Statement,
    pub(crate) touch: Statement,
    pub(crate) create: Statement,
    pub(crate) replace: Statement,
    pub(crate) end: Statement,
    pub(crate) find: Statement,
    pub(crate) length: Statement,
    pub(crate) clear: Statement,
    pub(crate) sweep: Statement,
    pub(crate) expired: Statement,
    /// The first page and the next ones.
    pub(crate) all: [Statement; 2],
    pub(crate) ids: [Statement; 2],
    pub(crate) lock: Option<Statement>,
    pub(crate) create_table: Statement,
    pub(crate) create_index: Option<Statement>,
    pub(crate) indexed: Option<Statement>,
    pub(crate) check: Statement,
    pub(crate) exact: Option<Statement>,
    pub(crate) unique: Option<Statement>,
    pub(crate) fits: Statement,
}

impl Statements {
    pub(crate) fn new(dialect: &'static Dialect, layout: &Layout, names: &Names) -> Self {
        let statement = |template, effect| Statement::new(template, effect, dialect, layout, names);
        let reads = |template| statement(template, Effect::Reads);
        let writes = |template| statement(template, Effect::Writes);
        Self {
            get: reads(GET),
            set: writes(dialect.set),
            destroy: writes(DESTROY),
            touch: writes(TOUCH),
            create: writes(dialect.create),
            replace: writes(dialect.replace),
            end: writes(dialect.end),
            find: reads(FIND),
            length: reads(LENGTH),
            clear: writes(CLEAR),
            sweep: writes(dialect.sweep),
            expired: reads(EXPIRED),
            all: ALL.map(reads),
            ids: IDS.map(reads),
            lock: dialect.lock.map(writes),
            create_table: writes(layout.create),
            create_index: layout.index.map(writes),
            indexed: dialect.indexed.map(reads),
            check: reads(CHECK),
            exact: dialect.exact.map(reads),
            unique: dialect.unique.map(reads),
            fits: reads(layout.fits),
        }
    }
}
