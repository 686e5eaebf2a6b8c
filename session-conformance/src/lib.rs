#![doc = include_str!("../README.md")]

mod absent;
mod answer;
mod backend;
mod catalogue;
mod cli;
mod context;
mod describe;
mod failure;
mod handle;
mod harness;
mod interleave;
mod method;
mod model;

mod need;
mod options;
mod pace;
mod parallel;
mod property;
mod random;
mod record;
mod register;
mod report;
mod rule;
mod rules;
mod runner;
mod secret;
mod space;
mod stand;
mod steps;
mod subject;
mod suite;
mod suite_tests;
mod timing;

#[cfg(feature = "self-check")]
pub mod broken;
pub mod crash;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "self-check")]
pub mod reference;

pub use async_trait::async_trait;

pub use backend::{Backend, Offer};
pub use catalogue::{CATALOGUE, CATALOGUE_VERSION, PROPERTIES, catalogue_markdown, rule};
pub use cli::{main, main_of, run};
pub use harness::{Harness, Hooks, Namespace, NotRun, Opening, Time, Write};
pub use method::Method;
pub use need::Need;
pub use options::Options;
pub use property::Property;
#[cfg(feature = "proxy")]
pub use proxy::Proxy;
pub use report::{Report, RuleResult, Verdict};
pub use rule::{Level, Rule, Version};
pub use stand::Stand;
pub use steps::Step;

#[doc(hidden)]
#[path = "doc.rs"]
pub mod __doc;

#[doc(hidden)]
pub mod __private {
    pub use crate::suite::{check, check_lists};
}
