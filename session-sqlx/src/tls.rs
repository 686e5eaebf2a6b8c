//! When TLS is used, and whose certificates are taken.
//!
//! sqlx's default takes any certificate, and does without TLS where none is offered: whoever is
//! between can have it so. To another machine that is no default.

use std::net::IpAddr;

/// Whether a host is this machine: nobody is between.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = bare.trim_end_matches('.').to_ascii_lowercase();
            // A name with a slash is a socket's path.
            name == "localhost" || name.ends_with(".localhost") || name.starts_with('/')
        }
    }
}

#[cfg(feature = "postgres")]
pub(crate) fn postgres(
    options: sqlx::postgres::PgConnectOptions,
) -> sqlx::postgres::PgConnectOptions {
    use sqlx::postgres::PgSslMode;

    let here = options.get_socket().is_some() || is_here(options.get_host());
    match options.get_ssl_mode() {
        PgSslMode::Prefer if !here => options.ssl_mode(PgSslMode::VerifyFull),
        _ => options,
    }
}

#[cfg(feature = "mysql")]
pub(crate) fn mysql(options: sqlx::mysql::MySqlConnectOptions) -> sqlx::mysql::MySqlConnectOptions {
    use sqlx::mysql::MySqlSslMode;

    let here = options.get_socket().is_some() || is_here(options.get_host());
    match options.get_ssl_mode() {
        MySqlSslMode::Preferred if !here => options.ssl_mode(MySqlSslMode::VerifyIdentity),
        _ => options,
    }
}

#[cfg(all(test, feature = "postgres", feature = "mysql"))]
mod tests {
    use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
    use sqlx::postgres::{PgConnectOptions, PgSslMode};

    use super::*;

    #[test]
    fn certificates_of_other_machines_are_checked_unless_the_url_says_otherwise() {
        for (host, here) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("db.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("[::]", false),
            ("db", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
        ] {
            let pg: PgConnectOptions = format!("postgres://u@{host}/d").parse().unwrap();
            let verified = matches!(postgres(pg).get_ssl_mode(), PgSslMode::VerifyFull);
            assert_eq!(verified, !here, "{host}");
            let my: MySqlConnectOptions = format!("mysql://u@{host}/d").parse().unwrap();
            let verified = matches!(mysql(my).get_ssl_mode(), MySqlSslMode::VerifyIdentity);
            assert_eq!(verified, !here, "{host}");
        }
        for said in ["disable", "require", "verify-ca"] {
            let pg: PgConnectOptions = format!("postgres://u@db/d?sslmode={said}").parse().unwrap();
            let (before, after) = (pg.get_ssl_mode(), postgres(pg.clone()).get_ssl_mode());
            assert_eq!(format!("{before:?}"), format!("{after:?}"));
        }
        for path in [
            "postgres:///d?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/d",
        ] {
            let pg: PgConnectOptions = path.parse().unwrap();
            assert!(
                matches!(postgres(pg).get_ssl_mode(), PgSslMode::Prefer),
                "{path}"
            );
        }
        let my: MySqlConnectOptions = "mysql://u@db/d?socket=/run/mysqld.sock".parse().unwrap();
        assert!(matches!(mysql(my).get_ssl_mode(), MySqlSslMode::Preferred));
    }
}
