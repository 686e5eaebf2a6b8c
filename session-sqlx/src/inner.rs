use std::sync::Arc;
use std::time::SystemTime;

use session_core::{
    Capabilities, Clock, Error, ErrorKind, Record, Result, SessionId, StoredExpiry,
};

use crate::Database;
use crate::dialect::Dialect;
use crate::driver::{Answer, Backend, Row, Values};
use crate::layout::Layout;
use crate::statements::Statements;
use crate::template::Statement;

/// What the clones of a store share.
pub(crate) struct Inner {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) database: Database,
    pub(crate) dialect: &'static Dialect,
    pub(crate) layout: &'static Layout,
    pub(crate) statements: Statements,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: Clock,
    pub(crate) table: String,
}

impl Inner {
    pub(crate) async fn ask(
        &self,
        operation: &'static str,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Answer> {
        let values = Values {
            now: self.clock.now_millis(),
            binary: self.layout.binary,
            ..values
        };
        let answer = self.backend.ask(statement, values).await;
        answer.map_err(|failure| failure.of(operation))
    }

    /// When a record that ends at `expires` ends in the column.
    pub(crate) fn end(&self, expires: Option<SystemTime>) -> i64 {
        let Inner {
            clock,
            layout,
            capabilities,
            ..
        } = self;
        let millis = match (expires, capabilities.default_ttl) {
            (Some(expires), _) => Clock::to_millis(expires),
            (None, Some(ttl)) => clock
                .now_millis()
                .saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            (None, None) => layout.last,
        };
        layout.stored(millis)
    }

    /// Refuses an id that the table cannot hold, or would take for another one.
    pub(crate) fn check_id(&self, operation: &'static str, id: &SessionId) -> Result<()> {
        let (text, inner) = (id.as_str(), self);
        let too_long = inner
            .capabilities
            .max_id_bytes
            .is_some_and(|max| text.len() > max);
        let padded = inner.layout.pads && text.ends_with(' ');
        let nul = !inner.layout.binary && text.contains('\0');
        if too_long || padded || nul {
            let why = if too_long {
                "it is too long"
            } else if padded {
                "it ends with a space, which the column's collation does not see"
            } else {
                "it has a NUL, which a text column cannot hold"
            };
            return Err(Error::new(ErrorKind::InvalidId, operation).with_message(why));
        }
        Ok(())
    }

    /// The longest record: a `replace` sends the old one and the new one in one message, so that a
    /// longer one could be created and never be changed.
    pub(crate) fn max_record_bytes(&self) -> Option<usize> {
        /// The statement's number, the types, the times and the id.
        const REST: usize = 1_024;
        let Inner {
            backend,
            dialect,
            capabilities,
            ..
        } = self;
        let packet = backend.packet();
        let room = packet.map(|packet| packet.saturating_sub(REST) / dialect.texts);
        match (room, capabilities.max_record_bytes) {
            (Some(room), Some(max)) => Some(room.min(max)),
            (room, max) => room.or(max),
        }
    }

    pub(crate) async fn check(
        &self,
        operation: &'static str,
        id: &SessionId,
        record: &Record,
    ) -> Result<()> {
        self.check_id(operation, id)?;
        if self.database == Database::MySql && self.backend.packet().is_none() {
            // The server says how large a message may be when it is connected to.
            let connected = self.backend.connect().await;
            connected.map_err(|failure| failure.of(operation))?;
        }
        match self.max_record_bytes() {
            Some(max) if record.json().len() > max => {
                Err(Error::new(ErrorKind::TooLarge, operation))
            }
            _ => Ok(()),
        }
    }

    /// The record of a row.
    pub(crate) fn decode(&self, operation: &'static str, row: Row) -> Result<Record> {
        let broken = |what| Error::new(ErrorKind::Decode, operation).with_message(what);
        let end = row.number.ok_or_else(|| broken("the expiry is no time"))?;
        let data = row.data.ok_or_else(|| broken("there is no text"))?;
        let text = String::from_utf8(data).map_err(|_| broken("the text is not UTF-8"))?;
        let layout = self.layout;
        if end < layout.last {
            return Record::decode(text, StoredExpiry::At(Clock::from_millis(end)));
        }
        // The JSON may know more than that it is beyond the column's last time.
        let record = Record::decode(text, StoredExpiry::InJson)?;
        match record.expires() {
            Some(expires) if Clock::to_millis(expires) >= layout.last => Ok(record),
            _ => Ok(record.with_stored_expires(StoredExpiry::Never)),
        }
    }
}
