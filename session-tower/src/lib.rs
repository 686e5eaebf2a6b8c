#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "express-session for tower.")]

#[cfg(feature = "axum")]
mod extract;
mod failure;
mod finish;
mod future;
mod handle;
mod layer;
mod service;

#[cfg(feature = "axum")]
pub use extract::SessionRejection;
pub use failure::{EditsDropped, EmptyResponse, ErrorResponse, SessionFailure};
pub use finish::{FinishingFuture, FinishingLayer, FinishingService};
pub use future::ResponseFuture;
pub use handle::{Session, SessionHandle};
pub use layer::SessionLayer;
pub use service::SessionService;

pub use session_core::{
    Clock, Connection, CookieOptions, Counts, Data, Error, ErrorKind, FormerCookie, Lifecycle,
    NameBinding, OnConflict, OnEnded, OnStoreError, Priority, RequestHead, SameSite,
    SameSiteOption, Secrets, SecureOption, SessionCookie, SessionId, SessionOptions, Store, Unset,
};

/// Compiles the example in the repository's README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;

/// Compiles the examples of the guide for applications that come from Node.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../MIGRATION.md")]
struct MigrationGuide;
