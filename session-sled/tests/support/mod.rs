//! A database for the suite, behind handles that can let go of it.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(clippy::unwrap_used, reason = "only tests come here")]

pub(crate) mod database;
pub(crate) mod hooks;
