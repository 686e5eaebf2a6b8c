use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::SendError;
use redis::io::AsyncDNSResolver;
use redis::{AsyncConnectionConfig, Client, PushInfo, RedisFuture};
use tokio::sync::mpsc::UnboundedSender;

use crate::connection::Connection;
use crate::error::Failure;

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    /// Whoever has been silent for longer is asked first whether he is still there.
    pub(crate) trust: Duration,
}

/// How connections are made, to whatever server.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) limits: Limits,
    pub(crate) resolver: Option<Arc<dyn AsyncDNSResolver>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.limits, f)
    }
}

/// Lives as long as the task that drives a connection.
struct LossGuard(Arc<AtomicBool>);

impl Drop for LossGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The caller's resolver, once more.
struct Resolver(Arc<dyn AsyncDNSResolver>);

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = std::net::SocketAddr> + Send + 'a>> {
        self.0.resolve(host, port)
    }
}

impl Connector {
    /// One that waits no longer than this.
    #[cfg(feature = "sentinel")]
    pub(crate) fn limited_to(&self, limit: Duration) -> Self {
        let mut limited = self.clone();
        limited.limits.connect = limit.min(self.limits.connect);
        limited.limits.response = limit.min(self.limits.response);
        limited
    }

    /// A new connection; what the server sends without being asked goes to `messages`.
    pub(crate) async fn connect(
        &self,
        client: &Client,
        messages: Option<UnboundedSender<PushInfo>>,
    ) -> Result<Connection, Failure> {
        let lost = Arc::new(AtomicBool::new(false));
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        if let Some(resolver) = &self.resolver {
            config = config.set_dns_resolver(Resolver(Arc::clone(resolver)));
        }
        // Out-of-band messages exist in RESP3 alone, and so does the place to put the guard.
        let protocol = client.get_connection_info().redis_settings().protocol();
        if protocol.supports_resp3() {
            let guard = LossGuard(Arc::clone(&lost));
            config = config.set_push_sender(move |message| {
                let _: &LossGuard = &guard;
                match &messages {
                    Some(messages) => messages.send(message).map_err(|_| SendError),
                    None => Ok(()),
                }
            });
        }
        let multiplexed = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(Failure::Connecting)?;
        Ok(Connection::new(multiplexed, lost))
    }
}
