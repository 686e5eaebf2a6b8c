use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};
use session_core::{Error, ErrorKind, Result};

/// What a URL names.
#[derive(Debug)]
pub(crate) enum Place {
    Server(ConnectionInfo),
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "refused then"))]
    Cluster(Vec<ConnectionInfo>),
    #[cfg_attr(not(feature = "sentinel"), expect(dead_code, reason = "refused then"))]
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
        /// The master, at an address that the Sentinels say.
        master: ConnectionInfo,
    },
}

const SCHEMES: &str = "\
the scheme of the URL must be redis, rediss (TLS) or unix, as in redis://localhost:6379/0, or one of \
redis+cluster, rediss+cluster, redis+sentinel and rediss+sentinel; valkey and valkeys stand for redis \
and rediss";

const FORM: &str = "\
the URL cannot be read; it must look like redis://USER:PASSWORD@HOST:PORT/DATABASE or \
unix:///PATH?db=DATABASE, with special characters percent-encoded";

const CLUSTER_FORM: &str = "\
the URL cannot be read; it must look like redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT, with \
special characters percent-encoded; a cluster has no databases";

const SENTINEL_FORM: &str = "\
the URL cannot be read; it must look like \
redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/SERVICE/DATABASE, with special characters \
percent-encoded";

/// The port of a Sentinel whose URL names none.
const SENTINEL_PORT: u16 = 26_379;

/// Below what firewalls and address translation forget idle connections after.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Reads a URL. No error holds a part of it: there may be a password in it.
pub(crate) fn parse(url: &str) -> Result<Place> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let (server, several) = match scheme {
        "unix" | "redis+unix" | "valkey+unix" => (scheme, None),
        _ => match scheme.split_once('+') {
            Some((server, several)) => (server, Some(several)),
            None => (scheme, None),
        },
    };
    match server {
        "redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix" => {}
        "rediss" | "valkeys" if cfg!(feature = "tls") => {}
        "rediss" | "valkeys" => return Err(config("TLS needs the feature `tls` of session-redis")),
        _ => return Err(config(SCHEMES)),
    }
    if server.len() > 5 && url.contains('#') {
        return Err(config(
            "TLS without a check of the certificate (#insecure) is not supported: name the \
             authority with tls_root",
        ));
    }
    match several {
        None => Ok(Place::Server(info(url, FORM)?)),
        Some("cluster") if cfg!(feature = "cluster") => cluster(server, &url[scheme.len()..]),
        Some("sentinel") if cfg!(feature = "sentinel") => sentinel(server, &url[scheme.len()..]),
        Some("cluster") => Err(config(
            "a cluster needs the feature `cluster` of session-redis",
        )),
        Some("sentinel") => Err(config(
            "Sentinel needs the feature `sentinel` of session-redis",
        )),
        Some(_) => Err(config(SCHEMES)),
    }
}

/// A URL with several hosts, in its parts.
struct Several<'a> {
    /// With the `@` behind it, where there is one.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    /// With the `?` before it.
    query: &'a str,
}

impl<'a> Several<'a> {
    fn split(rest: &'a str, form: &'static str) -> Result<Self> {
        let rest = rest.strip_prefix("://").ok_or_else(|| config(form))?;
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self {
            login,
            hosts,
            path: path.trim_matches('/'),
            query,
        })
    }

    /// The servers, each as if its URL named it alone.
    fn infos(&self, scheme: &str, form: &'static str, path: &str) -> Result<Vec<ConnectionInfo>> {
        let Self { login, query, .. } = self;
        let infos = self.hosts.split(',').map(|host| {
            let host = host.trim();
            info(&format!("{scheme}://{login}{host}/{path}{query}"), form)
        });
        infos.collect()
    }
}

fn cluster(scheme: &str, rest: &str) -> Result<Place> {
    let several = Several::split(rest, CLUSTER_FORM)?;
    if !matches!(several.path, "" | "0") {
        return Err(config(CLUSTER_FORM));
    }
    Ok(Place::Cluster(several.infos(scheme, CLUSTER_FORM, "")?))
}

fn sentinel(scheme: &str, rest: &str) -> Result<Place> {
    let mut several = Several::split(rest, SENTINEL_FORM)?;
    let (service, database) = several.path.split_once('/').unwrap_or((several.path, ""));
    if service.is_empty() {
        return Err(config(SENTINEL_FORM));
    }
    let hosts: Vec<_> = several.hosts.split(',').map(with_port).collect();
    let hosts = hosts.join(",");
    several.hosts = &hosts;
    let masters = several.infos(scheme, SENTINEL_FORM, database)?;
    let master = masters
        .into_iter()
        .next()
        .ok_or_else(|| config(SENTINEL_FORM))?;
    let sentinels = several.infos(scheme, SENTINEL_FORM, "")?;
    let sentinels = match login(several.query) {
        Some((user, password)) => sentinels
            .into_iter()
            .map(|sentinel| log_in(sentinel, &user, &password))
            .collect(),
        None => sentinels,
    };
    Ok(Place::Sentinel {
        sentinels,
        service: service.into(),
        master,
    })
}

/// The login of the Sentinels, where it is not that of the master: `sentinel_user` and
/// `sentinel_pass`, an empty one for none.
fn login(query: &str) -> Option<(String, String)> {
    let url = redis::parse_redis_url(&format!("redis://host/{query}"))?;
    let value = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let (user, password) = (value("sentinel_user"), value("sentinel_pass"));
    (user.is_some() || password.is_some())
        .then(|| (user.unwrap_or_default(), password.unwrap_or_default()))
}

fn log_in(info: ConnectionInfo, user: &str, password: &str) -> ConnectionInfo {
    let protocol = info.redis_settings().protocol();
    let mut settings = RedisConnectionInfo::default().set_protocol(protocol);
    if !user.is_empty() {
        settings = settings.set_username(user);
    }
    if !password.is_empty() {
        settings = settings.set_password(password);
    }
    info.set_redis_settings(settings)
}

/// A host with a Sentinel's port, unless it has a port.
fn with_port(host: &str) -> String {
    let host = host.trim();
    let name_ends = host.rfind(']').unwrap_or(0);
    match host[name_ends..].contains(':') {
        true => host.into(),
        false => format!("{host}:{SENTINEL_PORT}"),
    }
}

fn info(url: &str, form: &'static str) -> Result<ConnectionInfo> {
    let info = url.into_connection_info().map_err(|_| config(form))?;
    // Probes keep a network from forgetting a connection that is idle, and find out that it is dead.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    // Without the other, a small command can wait for the answer to the one before it.
    let tcp = TcpSettings::default()
        .set_keepalive(keepalive)
        .set_nodelay(true);
    let info = info.set_tcp_settings(tcp);
    if url.contains("protocol=") {
        return Ok(info);
    }
    let settings = info.redis_settings().clone();
    Ok(info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3)))
}

pub(crate) fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "connect").with_message(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(any(feature = "cluster", feature = "sentinel"))]
    use crate::address::Address;

    #[test]
    fn a_url_that_cannot_be_used_is_a_config_error_without_the_url() {
        for url in [
            "",
            "hunter2",
            "postgres://user:hunter2@localhost/",
            "http://user:hunter2@localhost/",
            "redis://user:hunter2@:x",
            "redis://user:hunter2@localhost:99999",
            "redis://user:hunter2@localhost/not-a-number",
            "redis://user:hunter2@localhost/?protocol=hunter2",
            "redis://user:hunter2@a:1,b:2/",
            "rediss://user:hunter2@localhost/#insecure",
            "redis+cluster:user:hunter2@localhost",
            "redis+cluster://user:hunter2@localhost:99999,b",
            "redis+cluster://user:hunter2@,",
            "redis+cluster://user:hunter2@a/1",
            "redis+sentinel://user:hunter2@localhost",
            "redis+sentinel://user:hunter2@localhost/name/hunter2",
            "redis+sentinel://user:hunter2@localhost:x/name",
            "redis+hunter2://user:hunter2@localhost/name",
            "unix+cluster:///hunter2",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("hunter2"), "{text}");
                assert!(!text.contains("localhost:9"), "{text}");
            }
        }
    }

    #[test]
    fn the_protocol_is_the_newer_one_unless_the_url_says_otherwise() {
        for (url, protocol) in [
            ("redis://localhost", ProtocolVersion::RESP3),
            ("valkey://:pass@localhost:1/2", ProtocolVersion::RESP3),
            ("redis://localhost/?protocol=2", ProtocolVersion::RESP2),
            ("unix:///run/redis.sock?db=1", ProtocolVersion::RESP3),
        ] {
            let Place::Server(info) = parse(url).unwrap() else {
                panic!("{url}");
            };
            assert_eq!(info.redis_settings().protocol(), protocol, "{url}");
        }
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn a_cluster_has_several_hosts_and_one_login() {
        let url = "valkey+cluster://me:p%40ss@a:1,b,[::1]:3/0?protocol=2";
        let Place::Cluster(nodes) = parse(url).unwrap() else {
            panic!("{url}");
        };
        let addresses: Vec<_> = nodes
            .iter()
            .map(|node| Address::of(node).unwrap())
            .collect();
        let expected = [("a", 1), ("b", 6_379), ("::1", 3)];
        assert_eq!(
            addresses,
            expected.map(|(host, port)| Address::new(host, port))
        );
        for node in &nodes {
            let settings = node.redis_settings();
            assert_eq!(settings.username(), Some("me"));
            assert_eq!(settings.password(), Some("p@ss"));
            assert_eq!(settings.protocol(), ProtocolVersion::RESP2);
        }
    }

    #[cfg(feature = "sentinel")]
    #[test]
    fn sentinels_have_the_login_of_the_master_or_their_own() {
        for (query, login) in [
            ("", (Some("me"), Some("pass"))),
            ("?sentinel_pass=p%26s", (None, Some("p&s"))),
            (
                "?sentinel_user=you&sentinel_pass=s",
                (Some("you"), Some("s")),
            ),
            ("?sentinel_pass=", (None, None)),
        ] {
            let url = format!("redis+sentinel://me:pass@a,[::1],c:3/my-master/2{query}");
            let Place::Sentinel {
                sentinels,
                service,
                master,
            } = parse(&url).unwrap()
            else {
                panic!("{url}");
            };
            assert_eq!(service, "my-master");
            assert_eq!(master.redis_settings().db(), 2);
            assert_eq!(master.redis_settings().password(), Some("pass"));
            let addresses: Vec<_> = sentinels.iter().map(|s| Address::of(s).unwrap()).collect();
            let expected = [("a", 26_379), ("::1", 26_379), ("c", 3)];
            assert_eq!(
                addresses,
                expected.map(|(host, port)| Address::new(host, port))
            );
            for sentinel in sentinels {
                let settings = sentinel.redis_settings();
                assert_eq!((settings.username(), settings.password()), login, "{url}");
                assert_eq!(settings.db(), 0);
            }
        }
    }
}
