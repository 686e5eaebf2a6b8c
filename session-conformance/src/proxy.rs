//! A network that can be made to fail, for the hooks of stores over a connection.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// A TCP proxy between a store and its server, for the hooks `fault` and `round_trips`.
///
/// Open a namespace's handles through a proxy of its own, so that rules that run at the same time
/// do not disturb each other, and look behind the store's back past the proxy:
///
/// ```
/// use async_trait::async_trait;
/// use session_conformance::{Hooks, NotRun, Proxy};
///
/// struct Behind {
///     proxy: Proxy,
/// }
///
/// #[async_trait]
/// impl Hooks for Behind {
///     async fn break_backend(&self) -> Result<(), NotRun> {
///         self.proxy.cut();
///         Ok(())
///     }
///
///     async fn heal_backend(&self) -> Result<(), NotRun> {
///         self.proxy.heal();
///         Ok(())
///     }
///
///     async fn lose_next_answer(&self) -> Result<(), NotRun> {
///         self.proxy.lose_next_answer();
///         Ok(())
///     }
///
///     async fn round_trips(&self) -> Result<u64, NotRun> {
///         Ok(self.proxy.round_trips())
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
/// let proxy = Proxy::start(server)?;
/// let url = format!("redis://{}", proxy.address());
/// # Ok(())
/// # }
/// ```
///
/// It knows nothing of the protocol: it passes bytes on and watches their direction. It works on a
/// thread of its own, so that it goes on while a rule blocks its runtime or has left it, and ends
/// when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    /// Where it listens, and where that leads.
    doors: Vec<(SocketAddr, SocketAddr)>,
    /// Dropped to end the thread.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Counts the cuts and the healings: odd while the network is cut. A connection lives as long
    /// as the number that it was made under.
    era: watch::Sender<u64>,
    /// How many connections there were.
    connections: AtomicU64,
    /// Connections with a smaller number pass nothing on.
    frozen: AtomicU64,
    losing: AtomicBool,
    round_trips: AtomicU64,
}

impl Proxy {
    /// A proxy to `upstream` on a free port of this machine. The server need not be there yet.
    ///
    /// # Errors
    ///
    /// If the operating system has no port or no thread to give.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::start_all([upstream])
    }

    /// One proxy to several servers that act as one, such as the nodes of a cluster, each on a free
    /// port: [`address_of`](Self::address_of) says on which. What is cut, lost or counted is so on
    /// all of them together: the next answer of whichever server is lost, once.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); and if there is no server.
    pub fn start_all(upstreams: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let (mut doors, mut listeners) = (Vec::new(), Vec::new());
        for upstream in upstreams {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            doors.push((listener.local_addr()?, upstream));
            listeners.push((listener, upstream));
        }
        if doors.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let shared = Arc::new(Shared {
            era: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            frozen: AtomicU64::new(0),
            losing: AtomicBool::new(false),
            round_trips: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (running, ended) = oneshot::channel();
        let accepting = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("session-conformance proxy".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = ended => {}
                        _ = join_all(listeners.into_iter().map(|(listener, upstream)| {
                            accept(listener, upstream, &accepting)
                        })) => {}
                    }
                });
            })?;
        Ok(Self {
            shared,
            doors,
            running: Some(running),
            thread: Some(thread),
        })
    }

    /// Where the store is to connect to: for the first server, where there are several.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.doors[0].0
    }

    /// Where the store is to connect to for this one of several servers.
    #[must_use]
    pub fn address_of(&self, upstream: SocketAddr) -> Option<SocketAddr> {
        let mut doors = self.doors.iter();
        doors.find_map(|(address, server)| (*server == upstream).then_some(*address))
    }

    /// Closes every connection, and each new one as soon as it is made, until
    /// [`heal`](Self::heal). Nothing that is sent after this call passes.
    pub fn cut(&self) {
        self.shared.turn_era(1);
    }

    /// Lets new connections through again.
    pub fn heal(&self) {
        self.shared.turn_era(0);
    }

    /// The connections that there are stay open and pass nothing on any more, as if the server's
    /// host had vanished without a word. New ones work.
    pub fn freeze(&self) {
        let connections = self.shared.connections.load(Ordering::SeqCst);
        self.shared.frozen.store(connections, Ordering::SeqCst);
    }

    /// The next request reaches the server; when its answer comes, the connection is closed
    /// instead of passing it on.
    pub fn lose_next_answer(&self) {
        self.shared.losing.store(true, Ordering::SeqCst);
    }

    /// How often an answer has followed a request so far, on all connections together.
    ///
    /// What a client sends at once, or before the first answer to it arrives, is one request,
    /// however many commands it holds: a pipeline is one round trip. What it costs to connect
    /// (logging in, naming the client) counts, too. Operations that share a connection at the same
    /// time may share round trips: count one operation at a time.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::SeqCst)
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("doors", &self.doors)
            .field("round_trips", &self.round_trips())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// To the next era whose number divided by two leaves `parity`, unless this one is such.
    fn turn_era(&self, parity: u64) {
        self.era.send_if_modified(|era| {
            let turn = *era % 2 != parity;
            *era += u64::from(turn);
            turn
        });
    }
}

async fn accept(listener: std::net::TcpListener, upstream: SocketAddr, shared: &Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        // An error is the other side's: it went away before it was accepted.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, upstream, Arc::clone(shared)));
        }
    }
}

/// Serves a connection until either side closes it or the network is cut.
async fn serve(client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut eras = shared.era.subscribe();
    let era = *eras.borrow_and_update();
    if era % 2 == 1 {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    for side in [&client, &server] {
        // Without it, small packets wait for one another; a slower proxy is still a proxy.
        let _ = side.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let passage = Passage {
        number: shared.connections.fetch_add(1, Ordering::SeqCst),
        era,
        asked: AtomicBool::new(false),
        doomed: AtomicBool::new(false),
        shared: &shared,
    };
    tokio::select! {
        _ = passage.requests(from_client, to_server) => {}
        _ = passage.answers(from_server, to_client) => {}
        _ = eras.changed() => {}
    }
}

/// What is going on on one connection.
struct Passage<'a> {
    number: u64,
    era: u64,
    /// The client has sent something, and nothing has come back since.
    asked: AtomicBool,
    /// The answer to what the client sent last is to be lost.
    doomed: AtomicBool,
    shared: &'a Shared,
}

impl Passage<'_> {
    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                // The client has nothing more to say, but may still be listening.
                to.shutdown().await?;
                return pending().await;
            }
            self.pass().await?;
            if self.shared.losing.swap(false, Ordering::SeqCst) {
                self.doomed.store(true, Ordering::SeqCst);
            }
            self.asked.store(true, Ordering::SeqCst);
            to.write_all(&buffer[..length]).await?;
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            self.pass().await?;
            if self.doomed.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // Counted first: whoever has the answer finds it counted.
            if self.asked.swap(false, Ordering::SeqCst) {
                self.shared.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// Whether bytes may go on; for ever undecided on a frozen connection.
    async fn pass(&self) -> io::Result<()> {
        if self.number < self.shared.frozen.load(Ordering::SeqCst) {
            return pending().await;
        }
        if *self.shared.era.borrow() != self.era {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}
