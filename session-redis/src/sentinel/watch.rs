use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{Client, PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};

use super::sentinels::{Named, Sentinels};
use crate::address::Address;
use crate::connection::Watch;
use crate::connector::Connector;
use crate::deadline::ROUND;
use crate::error::Failure;

/// How often each Sentinel is asked who the master is, also by those who hear of a change at once:
/// what they would hear may get lost, and so may the Sentinel.
const ASK: Duration = Duration::from_millis(500);

/// That a replica has just been told to be the master, by the Sentinel that leads the failover.
const PROMOTION: &str = "+failover-state-wait-promotion";

/// That a Sentinel has learnt of another master.
const SWITCH: &str = "+switch-master";

/// Listens to the Sentinels while there is a connection to the master that they named, and gives
/// that up, `lost`, when they name another one: the old master takes writes for ten seconds more,
/// which are gone when it is demoted.
pub(super) fn watch(
    sentinels: Arc<Sentinels>,
    connector: &Connector,
    master: Named,
    lost: Arc<AtomicBool>,
) -> Watch {
    let connector = connector.limited_to(ROUND);
    let doubt = Arc::new(Notify::new());
    let doubted = Arc::clone(&doubt);
    let task = tokio::spawn(async move {
        let listeners = sentinels.clients.iter().map(|client| {
            let listener = Listener {
                sentinels: &sentinels,
                connector: &connector,
                master: &master,
                doubt: &doubted,
            };
            listener.listen(client)
        });
        let mut listeners = listeners.collect::<FuturesUnordered<_>>();
        if let Some(successor) = listeners.next().await {
            sentinels.announce(successor);
            lost.store(true, Ordering::SeqCst);
        }
    });
    Watch { task, doubt }
}

/// Listens to one Sentinel.
struct Listener<'a> {
    sentinels: &'a Sentinels,
    connector: &'a Connector,
    master: &'a Named,
    doubt: &'a Notify,
}

impl Listener<'_> {
    /// The master that follows ours, when there is one.
    async fn listen(self, client: &Client) -> Named {
        loop {
            // A Sentinel that cannot be reached may be back soon.
            if let Ok(successor) = self.listen_once(client).await {
                return successor;
            }
            sleep(ASK).await;
        }
    }

    async fn listen_once(&self, client: &Client) -> Result<Named, Failure> {
        let (sender, mut messages) = unbounded_channel();
        let mut sentinel = self.connector.connect(client, Some(sender)).await?;
        // Where that is not allowed, or not known (RESP2), asking has to do.
        let _ = sentinel.subscribe(&[PROMOTION, SWITCH]).await;
        loop {
            let named = self.sentinels.ask(&mut sentinel).await?;
            // One that is behind names an older master.
            if named.epoch > self.master.epoch && named.address != self.master.address {
                return Ok(named);
            }
            let doubted = pin!(self.doubt.notified());
            let message = pin!(timeout(ASK, messages.recv()));
            match select(message, doubted).await {
                Either::Left((Ok(Some(message)), _)) => {
                    if let Some(address) = self.successor(&message) {
                        let epoch = named.epoch.max(self.master.epoch);
                        return Ok(Named { address, epoch });
                    }
                }
                // The subscription is lost, or there was none.
                Either::Left((Ok(None), _)) => sleep(ASK).await,
                Either::Left((Err(_), _)) | Either::Right(_) => {}
            }
        }
    }

    /// Whom a message names as the one that follows our master.
    fn successor(&self, message: &PushInfo) -> Option<Address> {
        let (PushKind::Message, [Value::BulkString(channel), Value::BulkString(text)]) =
            (&message.kind, &message.data[..])
        else {
            return None;
        };
        let text = std::str::from_utf8(text).ok()?;
        let words: Vec<_> = text.split(' ').collect();
        let (service, old, new) = match (&channel[..], &words[..]) {
            (channel, [_, _, host, port, "@", service, old_host, old_port])
                if channel == PROMOTION.as_bytes() =>
            {
                (service, (old_host, old_port), (host, port))
            }
            (channel, [service, old_host, old_port, host, port])
                if channel == SWITCH.as_bytes() =>
            {
                (service, (old_host, old_port), (host, port))
            }
            _ => return None,
        };
        let address = |(host, port): (&&str, &&str)| Some(Address::new(host, port.parse().ok()?));
        let ours = *service == self.sentinels.service && address(old)? == self.master.address;
        ours.then(|| address(new))?
    }
}
