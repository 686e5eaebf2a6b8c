//! What a session knows of the application around it and of the request that it belongs to.

pub(crate) mod config;
pub(crate) mod contention;
pub(crate) mod limit;
pub(crate) mod notices;
pub(crate) mod options;
pub(crate) mod request;
pub(crate) mod unsettled;
