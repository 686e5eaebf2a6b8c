//! A proxy between a stack and its store's server that counts what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::servers::Place;

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// How often a client spoke after the server had: what a request waits for.
    pub(crate) round_trips: u64,
    /// Bytes to the server.
    pub(crate) sent: u64,
    /// Bytes from it.
    pub(crate) received: u64,
}

#[derive(Default)]
struct Counters {
    round_trips: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// A proxy that runs for as long as the runtime that it was started on.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    counters: Arc<Counters>,
}

impl Proxy {
    async fn start(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let shared = counters.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, shared.clone()));
            }
        });
        Ok(Self { address, counters })
    }

    /// One before a place that has a server.
    pub(crate) async fn before(place: &Place) -> Result<Option<Self>, String> {
        let Some(server) = place.address() else {
            return Ok(None);
        };
        let started = Self::start(server).await;
        started.map(Some).map_err(|error| error.to_string())
    }

    pub(crate) fn passed(&self) -> Passed {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passed {
            round_trips: read(&self.counters.round_trips),
            sent: read(&self.counters.sent),
            received: read(&self.counters.received),
        }
    }
}

impl std::ops::Sub for Passed {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            round_trips: self.round_trips - before.round_trips,
            sent: self.sent - before.sent,
            received: self.received - before.received,
        }
    }
}

async fn pass(client: TcpStream, server: SocketAddr, counters: Arc<Counters>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = Arc::new(AtomicBool::new(false));
    let asked = asking.clone();
    let counted = counters.clone();
    let up = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            counted.sent.fetch_add(read as u64, Ordering::Relaxed);
            if !asking.swap(true, Ordering::Relaxed) {
                counted.round_trips.fetch_add(1, Ordering::Relaxed);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let down = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            counters.received.fetch_add(read as u64, Ordering::Relaxed);
            asked.store(false, Ordering::Relaxed);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}
