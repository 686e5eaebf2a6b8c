use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use session_core::{Error, ErrorKind, Result};

/// Schemes of a server without TLS.
const SCHEMES: [&str; 5] = ["redis", "valkey", "unix", "redis+unix", "valkey+unix"];

/// A client for the server of `url`, which is not spoken to yet. No error holds a part of the URL:
/// there may be a password in it.
pub(crate) fn client(url: &str) -> Result<Client> {
    let info = parse(url)?;
    Client::open(info).map_err(|_| config("the URL names no server that can be connected to"))
}

fn parse(url: &str) -> Result<ConnectionInfo> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    if matches!(scheme, "rediss" | "valkeys") {
        return Err(config("TLS (rediss, valkeys) is not supported yet"));
    }
    if !SCHEMES.contains(&scheme) {
        return Err(config(
            "the scheme of the URL must be redis, valkey, unix, redis+unix or valkey+unix, \
             as in redis://localhost:6379/0",
        ));
    }
    let info = url.into_connection_info().map_err(|_| {
        config(
            "the URL cannot be read; it must look like redis://USER:PASSWORD@HOST:PORT/DATABASE \
             or unix:///PATH?db=DATABASE, with special characters percent-encoded",
        )
    })?;
    // Without this, a small command can wait for the answer to the one before it.
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    if url.contains("protocol=") {
        return Ok(info);
    }
    let settings = info.redis_settings().clone();
    Ok(info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3)))
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "connect").with_message(message)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "rediss://user:hunter2@localhost",
        ] {
            let error = client(url).unwrap_err();
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
            let client = client(url).unwrap();
            let settings = client.get_connection_info().redis_settings();
            assert_eq!(settings.protocol(), protocol, "{url}");
        }
    }
}
