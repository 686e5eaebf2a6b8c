use crate::dialect::{ALL, CHECK, CLEAR, DESTROY, Dialect, EXPIRED, FIND, GET, IDS, LENGTH, TOUCH};
use crate::layout::Layout;
use crate::names::Names;
use crate::template::Statement;

/// The statements of a store.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) get: Statement,
    pub(crate) set: Statement,
    pub(crate) destroy: Statement,
    pub(crate) touch: Statement,
    pub(crate) get_and_touch: Option<Statement>,
    pub(crate) create: Statement,
    pub(crate) replace: Statement,
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
}

impl Statements {
    pub(crate) fn new(dialect: &'static Dialect, layout: &Layout, names: &Names) -> Self {
        let statement = |template| Statement::new(template, dialect, layout, names);
        Self {
            get: statement(GET),
            set: statement(dialect.set),
            destroy: statement(DESTROY),
            touch: statement(TOUCH),
            get_and_touch: dialect.get_and_touch.map(statement),
            create: statement(dialect.create),
            replace: statement(dialect.replace),
            find: statement(FIND),
            length: statement(LENGTH),
            clear: statement(CLEAR),
            sweep: statement(dialect.sweep),
            expired: statement(EXPIRED),
            all: ALL.map(statement),
            ids: IDS.map(statement),
            lock: dialect.lock.map(statement),
            create_table: statement(layout.create),
            create_index: layout.index.map(statement),
            indexed: dialect.indexed.map(statement),
            check: statement(CHECK),
            exact: dialect.exact.map(statement),
            unique: dialect.unique.map(statement),
        }
    }
}
