//! Deliberately broken stores: the suite is tested by what it must find.
//!
//! Each is the [reference store](crate::reference) with one bug that a real store has had or could
//! have. A rule names those that it catches; the crate's `self_check` test holds it to that.

mod all;
mod call;
mod cas;
mod clr;
mod con;
mod des;
mod dur;
mod err;
mod exp;
mod faults;
mod get;
mod len;
mod mutant;
mod obs;
mod pairs;
mod pre;
mod programs;
mod res;
mod scale;
mod set;
mod siz;
mod state;
mod swp;
mod tch;
mod uni;

pub use mutant::Fault;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Record, Replaced, Result, SessionCookie, SessionId, Store, StoreStream,
    Swept, Touched,
};

use crate::options::Rerun;
use crate::reference::hooks::{self, Behind, Migrate, Open};
use crate::reference::{Reference, Server};
use crate::subject::Subject;
use crate::{Backend, Namespace, Options, Report, Time, runner};

/// A store with one bug.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Broken {
    /// The name by which rules claim it.
    pub name: &'static str,
    /// What it does wrong.
    pub bug: &'static str,
    /// What its harness declares.
    pub declares: Capabilities,
    pub(crate) backend: Backend,
    /// Its two handles on a namespace; called again for a process of its own.
    pub(crate) open: fn(Reference) -> [Arc<dyn Store>; 2],
    /// What its migration does.
    pub(crate) migrate: Migrate,
}

impl Broken {
    /// The reference without a bug, to be filled in.
    pub(crate) const REFERENCE: Self = Self {
        name: "",
        bug: "",
        declares: Reference::CAPABILITIES,
        backend: Reference::BACKEND,
        open: hooks::plain,
        migrate: hooks::MIGRATE,
    };

    /// Every broken store.
    pub fn every() -> impl Iterator<Item = &'static Self> {
        [
            pre::BROKEN,
            get::BROKEN,
            set::BROKEN,
            des::BROKEN,
            tch::BROKEN,
            len::BROKEN,
            all::BROKEN,
            clr::BROKEN,
            exp::BROKEN,
            swp::BROKEN,
            res::BROKEN,
            cas::BROKEN,
            con::BROKEN,
            uni::BROKEN,
            siz::BROKEN,
            dur::BROKEN,
            err::BROKEN,
            obs::BROKEN,
            programs::BROKEN,
            pairs::BROKEN,
            scale::BROKEN,
        ]
        .into_iter()
        .flatten()
    }

    /// The broken store of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::every().find(|broken| broken.name == name)
    }

    /// Runs rules against it.
    #[must_use]
    pub fn run(&'static self, options: &Options) -> Report {
        let (name, rerun) = (self.name.into(), Rerun::Broken(self.name, None));
        self.run_with(name, Arc::new(self.open), &options.clone().rerun(rerun))
    }

    /// Runs rules against a store that is opened in this way and otherwise is as this one is.
    fn run_with(&'static self, name: String, open: Arc<Open>, options: &Options) -> Report {
        let server = Server::default();
        let subject = Subject {
            name,
            capabilities: self.declares,
            backend: self.backend,
            time: Time::Manual,
            open: Arc::new(move |opening| {
                let reference = server
                    .open(&opening.namespace, opening.clock)
                    .with_connections(opening.connections);
                let [h1, h2] = open(reference.clone());
                let behind = Behind {
                    reference,
                    open: Arc::clone(&open),
                    migrate: self.migrate,
                };
                let namespace = Namespace::shared(h1, h2)
                    .with_hooks(behind)
                    .with_secret(hooks::SECRET);
                Box::pin(async move { Ok(namespace) })
            }),
        };
        runner::run(subject, options)
    }
}

impl Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broken({}: {})", self.name, self.bug)
    }
}

/// A store that answers as the reference does, but where a method says otherwise.
#[async_trait]
pub(crate) trait Bend: AsRef<Reference> + Debug + Send + Sync + 'static {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.as_ref().get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.as_ref().set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.as_ref().destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.as_ref().capabilities()
    }

    async fn length(&self) -> Result<u64> {
        self.as_ref().length().await
    }

    async fn clear(&self) -> Result<()> {
        self.as_ref().clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.as_ref().touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.as_ref().create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.as_ref().replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.as_ref().all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.as_ref().ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.as_ref().sweep(limit).await
    }
}

/// Makes a [`Bend`] a store.
#[derive(Debug)]
struct Bent<T>(T);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Bend> Store for Bent<T> {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.0.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.0.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.0.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn length(&self) -> Result<u64> {
        self.0.length().await
    }

    async fn clear(&self) -> Result<()> {
        self.0.clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.0.touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.0.create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.0.replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.0.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.0.ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.0.sweep(limit).await
    }
}

/// Two handles with state of their own, as two processes have it.
pub(crate) fn each<T: Bend>(
    reference: Reference,
    make: impl Fn(Reference) -> T,
) -> [Arc<dyn Store>; 2] {
    [
        Arc::new(Bent(make(reference.clone()))),
        Arc::new(Bent(make(reference))),
    ]
}

/// Two handles with one state, as if the backend had the bug.
pub(crate) fn shared<T: Bend>(
    reference: Reference,
    make: impl FnOnce(Reference) -> T,
) -> [Arc<dyn Store>; 2] {
    let store: Arc<dyn Store> = Arc::new(Bent(make(reference)));
    [Arc::clone(&store), store]
}

/// Declares broken stores: the reference, and with `: T` a `state` of that type behind a mutex.
/// What they do differently is their `impl Bend`.
macro_rules! bent {
    ($($name:ident $(: $state:ty)?),* $(,)?) => {$(
        #[derive(Debug)]
        struct $name {
            reference: $crate::reference::Reference,
            $(state: std::sync::Mutex<$state>,)?
        }

        impl $name {
            fn new(reference: $crate::reference::Reference) -> Self {
                Self {
                    reference,
                    $(state: std::sync::Mutex::<$state>::default(),)?
                }
            }
        }

        impl AsRef<$crate::reference::Reference> for $name {
            fn as_ref(&self) -> &$crate::reference::Reference {
                &self.reference
            }
        }
    )*};
}
pub(crate) use bent;

pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reference behind a function that mistakes some ids for others.
#[derive(Debug)]
pub(crate) struct MapsIds {
    reference: Reference,
    map: fn(&str) -> String,
}

impl MapsIds {
    pub(crate) fn each(reference: Reference, map: fn(&str) -> String) -> [Arc<dyn Store>; 2] {
        each(reference, |reference| Self { reference, map })
    }

    fn id(&self, id: &SessionId) -> SessionId {
        // An id that the function leaves nothing of is still some key to the backend.
        SessionId::new((self.map)(id.as_str())).unwrap_or_else(|_| id.clone())
    }
}

impl AsRef<Reference> for MapsIds {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for MapsIds {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.reference.get(&self.id(id)).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(&self.id(id), record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference.destroy(&self.id(id)).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.reference.touch(&self.id(id), cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.reference.create(&self.id(id), record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.reference.replace(&self.id(id), old, new).await
    }
}
