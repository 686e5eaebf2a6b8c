/// The largest date of ECMAScript, in milliseconds.
pub(crate) const LAST_DATE: i64 = 8_640_000_000_000_000;

/// How a table keeps sessions: its usual names, and the pieces of SQL in which tables differ. Times
/// come and go in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) table: &'static str,
    pub(crate) id: &'static str,
    pub(crate) data: &'static str,
    pub(crate) end: &'static str,
    /// What creates the table, safe to run again.
    pub(crate) create: &'static str,
    /// What creates the index of expiries, where that is a statement of its own; likewise.
    pub(crate) index: Option<&'static str>,
    /// Ids and data are bound as bytes, not as text.
    pub(crate) binary: bool,
    /// The value of a new `data` column.
    pub(crate) data_in: &'static str,
    /// Its text.
    pub(crate) data_out: &'static str,
    /// Whether the text is just `old`, byte for byte.
    pub(crate) same: &'static str,
    /// The value of a new expiry.
    pub(crate) end_in: &'static str,
    /// The expiry as a number; `NULL` if it cannot be read as one.
    pub(crate) end_out: &'static str,
    /// Whether the record has not ended at `now`. One whose expiry cannot be read counts as live,
    /// so that it is an error and not "no session".
    pub(crate) live: &'static str,
    /// The step in which the column counts.
    pub(crate) step: i64,
    /// The last time that the column can hold. It stands for every later one, and for none.
    pub(crate) last: i64,
    /// Asks which column cannot hold what it has to: 1 for the ids, 2 for the data, 3 for the expiry,
    /// 0 for none.
    pub(crate) fits: &'static str,
    /// Ids that end with a space are taken for those without it.
    pub(crate) pads: bool,
}

impl Layout {
    /// An expiry as it is written: never earlier than asked for.
    pub(crate) fn stored(&self, millis: i64) -> i64 {
        let up = millis.rem_euclid(self.step);
        let whole = if up == 0 {
            millis
        } else {
            millis.saturating_add(self.step - up)
        };
        whole.clamp(0, self.last)
    }
}
