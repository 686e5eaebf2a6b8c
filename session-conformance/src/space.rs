//! A namespace while a rule uses it, and what becomes of it afterwards.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::handle::{Handle, Id, Used};
use crate::harness::Opening;
use crate::steps::Log;
use crate::subject::Subject;
use crate::timing::Timing;
use crate::{Hooks, NotRun};

/// How long removing what a rule left may take; the store at the other end may be broken.
pub(crate) const CLEANUP_LIMIT: Duration = Duration::from_secs(10);

/// An opened namespace with recording handles.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) name: String,
    pub(crate) h1: Handle,
    pub(crate) h2: Handle,
    pub(crate) hooks: Arc<dyn Hooks>,
    /// Texts that must appear in no error and no `Debug`.
    pub(crate) secrets: Vec<String>,
    used: Used,
}

impl Space {
    /// Opens a namespace; `prefix` goes before the names of its handles in the steps.
    pub(crate) async fn open(
        subject: &Subject,
        opening: Opening,
        prefix: &str,
        timing: &Timing,
        log: &Log,
    ) -> Result<Self, NotRun> {
        let name = opening.namespace.clone();
        let opened = (subject.open)(opening).await?;
        let used = Used::default();
        let [h1, h2] = opened.handles;
        let handle = |name: &str, store| Handle {
            name: format!("{prefix}{name}").into(),
            store,
            log: log.clone(),
            timing: timing.clone(),
            used: Arc::clone(&used),
        };
        Ok(Self {
            name,
            h1: handle("h1", h1),
            h2: handle("h2", h2),
            hooks: opened.hooks,
            secrets: opened.secrets,
            used,
        })
    }

    /// Removes what a rule wrote: the namespace if the harness can, else the ids that were used.
    pub(crate) async fn clean_up(&self) {
        // What cannot be removed is no verdict on the rule; the namespace is named in the report.
        let _ = tokio::time::timeout(CLEANUP_LIMIT, async {
            if self.hooks.remove().await.is_ok() {
                return;
            }
            for id in self.take_used() {
                let _ = self.h1.store().destroy(&id.id).await;
            }
        })
        .await;
    }

    /// The ids that were used; they are not kept.
    pub(crate) fn take_used(&self) -> Vec<Id> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a rule that failed leaves behind, for those who want to look at it.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let named = tokio::time::timeout(CLEANUP_LIMIT, self.hooks.leftovers()).await;
        if let Ok(Ok(named)) = named {
            return named;
        }
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.len() {
            0 => Vec::new(),
            1..=5 => vec![format!(
                "namespace {}, written to by this rule: {}",
                self.name,
                used.iter()
                    .map(|id| &*id.label)
                    .collect::<Vec<_>>()
                    .join(", ")
            )],
            more => vec![format!("namespace {}, up to {more} ids", self.name)],
        }
    }
}
