//! A handle that writes down what it is asked and what it answers.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use session_core::{
    Created, Error, Record, Replaced, SessionCookie, SessionId, Store, StoreStream, Swept, Touched,
};

use crate::answer::Answer;
use crate::describe;
use crate::steps::Log;
use crate::timing::Timing;

/// An id with the name by which a report calls it.
#[derive(Clone, Debug)]
pub(crate) struct Id {
    pub(crate) label: String,
    pub(crate) id: SessionId,
}

/// The ids that were written to a namespace, for cleaning up.
pub(crate) type Used = Arc<Mutex<Vec<Id>>>;

/// One handle of a namespace. Clones are the same handle.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) name: Arc<str>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) log: Log,
    pub(crate) timing: Timing,
    pub(crate) used: Used,
}

impl Handle {
    /// The store itself, for calls that are not worth a line in a report.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The same handle without a line for each call, for rules that make thousands; they leave a
    /// remark instead.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            log: self.log.quiet(),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, id: &Id) -> Answer<Option<Record>> {
        let now = self.timing.clone();
        self.call(
            format!("get({})", id.label),
            self.store.get(&id.id),
            |found| describe::optional_record(found.as_ref(), now.now()),
        )
        .await
    }

    pub(crate) async fn set(&self, id: &Id, record: &Record) -> Answer<()> {
        self.wrote(id);
        let what = format!("set({}, {})", id.label, self.text(record));
        self.call(what, self.store.set(&id.id, record), debug).await
    }

    pub(crate) async fn destroy(&self, id: &Id) -> Answer<()> {
        let what = format!("destroy({})", id.label);
        self.call(what, self.store.destroy(&id.id), debug).await
    }

    pub(crate) async fn touch(&self, id: &Id, cookie: &SessionCookie) -> Answer<Touched> {
        self.wrote(id);
        let now = self.timing.now();
        let what = format!(
            "touch({}, {})",
            id.label,
            describe::expiry(cookie.expires(), now)
        );
        self.call(what, self.store.touch(&id.id, cookie), debug)
            .await
    }

    pub(crate) async fn create(&self, id: &Id, record: &Record) -> Answer<Created> {
        self.wrote(id);
        let what = format!("create({}, {})", id.label, self.text(record));
        self.call(what, self.store.create(&id.id, record), debug)
            .await
    }

    pub(crate) async fn replace(&self, id: &Id, old: &Record, new: &Record) -> Answer<Replaced> {
        self.wrote(id);
        let what = format!(
            "replace({}, {} -> {})",
            id.label,
            self.text(old),
            self.text(new)
        );
        self.call(what, self.store.replace(&id.id, old, new), debug)
            .await
    }

    pub(crate) async fn length(&self) -> Answer<u64> {
        self.call("length()".into(), self.store.length(), debug)
            .await
    }

    pub(crate) async fn clear(&self) -> Answer<()> {
        self.call("clear()".into(), self.store.clear(), debug).await
    }

    pub(crate) async fn sweep(&self, limit: usize) -> Answer<Swept> {
        self.call(format!("sweep({limit})"), self.store.sweep(limit), debug)
            .await
    }

    /// All records that `all` gives; the first error ends it.
    pub(crate) async fn all(&self) -> Answer<Vec<(SessionId, Record)>> {
        self.call("all()".into(), collect(self.store.all()), |found| {
            format!("{} records", found.len())
        })
        .await
    }

    /// All ids that `ids` gives; the first error ends it.
    pub(crate) async fn ids(&self) -> Answer<Vec<SessionId>> {
        self.call("ids()".into(), collect(self.store.ids()), |found| {
            format!("{} ids", found.len())
        })
        .await
    }

    async fn call<T>(
        &self,
        what: String,
        work: impl Future<Output = Result<T, Error>>,
        show: impl Fn(&T) -> String,
    ) -> Answer<T> {
        let call = format!("{}.{what}", self.name);
        let place = self.log.call(&call);
        let began = Instant::now();
        let result = work.await;
        if result.is_ok() {
            self.timing.took(began.elapsed());
        }
        self.log.answer(place, || match &result {
            Ok(value) => show(value),
            Err(error) => describe::error(error),
        });
        Answer {
            call,
            timing: self.timing.clone(),
            result,
        }
    }

    /// Notes that there may be something under `id` to be cleaned up: called by rules that let
    /// the harness write.
    pub(crate) fn wrote(&self, id: &Id) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if self.log.is_quiet() || !used.iter().any(|other| other.id == id.id) {
            used.push(id.clone());
        }
    }

    fn text(&self, record: &Record) -> String {
        describe::record(record, self.timing.now())
    }
}

fn debug<T: Debug>(value: &T) -> String {
    format!("Ok({value:?})").replace("Ok(())", "Ok")
}

async fn collect<T>(mut stream: StoreStream<'_, T>) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    while let Some(item) = stream.next().await {
        found.push(item?);
    }
    Ok(found)
}
