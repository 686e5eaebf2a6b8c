//! A harness without its type.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use session_core::Capabilities;

use crate::{Backend, Harness, Namespace, NotRun, Opening, Time};

type Open =
    dyn Fn(Opening) -> BoxFuture<'static, Result<Namespace, NotRun>> + Send + Sync + 'static;

/// What is under test.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) backend: Backend,
    pub(crate) time: Time,
    pub(crate) open: Arc<Open>,
}

impl Subject {
    pub(crate) fn new<H: Harness>(harness: H) -> Self {
        let harness = Arc::new(harness);
        Self {
            name: H::NAME.into(),
            capabilities: H::CAPABILITIES,
            backend: H::BACKEND,
            time: H::TIME,
            open: Arc::new(move |opening| {
                let harness = Arc::clone(&harness);
                Box::pin(async move { harness.open(opening).await })
            }),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.name)
    }
}
