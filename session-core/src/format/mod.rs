//! What Node shares: ids, signatures, dates, cookies, data and records. No I/O.

pub(crate) mod clock;
pub(crate) mod cookie;
pub(crate) mod data;
pub(crate) mod date;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod id;
pub(crate) mod percent;
pub(crate) mod record;
pub(crate) mod secrets;
