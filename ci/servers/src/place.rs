//! Where a server is, and how to log in.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::Kind;

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) scheme: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) address: SocketAddr,
    /// More doors to the same: of a cluster's nodes, of sentinels.
    pub(crate) others: Vec<SocketAddr>,
    /// What follows the address: the database and the options.
    pub(crate) rest: String,
}

impl Place {
    pub(crate) fn new(
        scheme: &str,
        user: &str,
        password: &str,
        address: SocketAddr,
        rest: &str,
    ) -> Self {
        Self {
            scheme: scheme.into(),
            user: user.into(),
            password: password.into(),
            address,
            others: Vec::new(),
            rest: rest.into(),
        }
    }

    /// Reads a URL, or several with commas between them. No error repeats it.
    pub(crate) fn parse(kind: Kind, urls: &str) -> Result<Self, String> {
        let mut places = urls.split(',').map(|url| Self::parse_one(kind, url.trim()));
        let mut place = places.next().unwrap_or_else(|| Err("is empty".into()))?;
        for other in places {
            place.others.push(other?.address);
        }
        Ok(place)
    }

    fn parse_one(kind: Kind, text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        if !kind.takes(url.scheme()) {
            return Err(format!("must begin with {}://", kind.scheme()));
        }
        let host = url.host_str().unwrap_or("127.0.0.1");
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = (host, url.port().unwrap_or(kind.port()))
            .to_socket_addrs()
            .map_err(|_| "names a host that cannot be found".to_owned())?
            .collect::<Vec<_>>();
        // A name often stands for ::1 too, where nobody listens.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let address = *addresses
            .first()
            .ok_or("names a host that cannot be found")?;
        let query = url.query().map(|query| format!("?{query}"));
        Ok(Self {
            scheme: url.scheme().into(),
            user: decode(url.username()),
            password: decode(url.password().unwrap_or_default()),
            address,
            others: Vec::new(),
            rest: format!("{}{}", url.path(), query.unwrap_or_default()),
        })
    }

    pub(crate) fn url_with(&self, address: SocketAddr, password: &str) -> String {
        let (user, password) = (encode(&self.user), encode(password));
        let login = match (user.as_str(), password.as_str()) {
            ("", "") => String::new(),
            (user, "") => format!("{user}@"),
            _ => format!("{user}:{password}@"),
        };
        format!("{}://{login}{address}{}", self.scheme, self.rest)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        let addresses = [self.address]
            .into_iter()
            .chain(self.others.iter().copied());
        addresses
            .map(|address| self.url_with(address, &self.password))
            .collect()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("scheme", &self.scheme)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Percent-encodes all that means something in a URL.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_again_for_another_address() {
        let url = "postgres://me:p%40ss%2Fw@127.0.0.1:1234/name?sslmode=disable";
        let place = Place::parse(Kind::Postgres, url).unwrap();
        assert_eq!(place.user, "me");
        assert_eq!(place.password, "p@ss/w");
        assert_eq!(place.urls(), [url]);
        let other = place.url_with(([127, 0, 0, 1], 5).into(), "x");
        assert_eq!(other, "postgres://me:x@127.0.0.1:5/name?sslmode=disable");
    }

    #[test]
    fn several_urls_are_several_doors_to_the_same() {
        let urls = "redis://:p@127.0.0.1:1,redis://:p@127.0.0.1:2";
        let place = Place::parse(Kind::RedisCluster, urls).unwrap();
        assert_eq!(place.urls().join(","), urls);
    }

    #[test]
    fn a_port_is_the_usual_one_where_none_is_named() {
        let place = Place::parse(Kind::MariaDb, "mysql://root@127.0.0.1/test").unwrap();
        assert_eq!(place.urls(), ["mysql://root@127.0.0.1:3306/test"]);
    }

    #[test]
    fn an_unusable_url_is_refused_without_repeating_it() {
        for url in [
            "",
            "secret",
            "mysql://:secret@127.0.0.1",
            "redis://:secret@127.0.0.1:99999",
        ] {
            let error = Place::parse(Kind::Redis, url).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn neither_the_user_nor_the_password_is_shown() {
        let place = Place::parse(Kind::Redis, "redis://who:secret@127.0.0.1:1").unwrap();
        let shown = format!("{place:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("who"),
            "{shown}"
        );
    }
}
