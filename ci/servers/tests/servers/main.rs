//! Servers of each kind, as far as they can be had without their clients: they answer, they are
//! private, and they go with their owner.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

mod cluster;
mod ends;
mod program;
mod single;
