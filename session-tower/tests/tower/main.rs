//! The layer on tower services of any kind, and with the feature `axum` on axum.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "axum")]
mod axum_app;
mod cancel;
mod concurrent;
mod failures;
mod finish;
mod headers;
mod http2;
mod layers;
mod panics;
mod plain;
mod shapes;
mod streaming;
mod upgrade;
mod visit;
