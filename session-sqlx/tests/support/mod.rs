//! Real databases for the tests, and the suite's harnesses on them.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests come here"
)]

pub(crate) mod harness;
pub(crate) mod hooks;
pub(crate) mod rows;
#[path = "../../../session-redis/tests/support/visitor.rs"]
pub(crate) mod visitor;
