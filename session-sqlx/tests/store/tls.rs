//! TLS, and whose certificates are taken.

use session_core::{ErrorKind, Store};
use session_sqlx::SqlxStore;
use test_servers::{Kind, Server};

use crate::{id, texts};

const KINDS: [(Kind, &str, &str); 2] = [
    (Kind::Postgres, "sslmode", "sslrootcert"),
    (Kind::MariaDb, "ssl-mode", "ssl-ca"),
];

/// Another machine, as far as its name says: the system takes it for this one.
const ELSEWHERE: &str = "0.0.0.0";

/// The server's URL by another name of its host.
fn url(server: &Server, host: &str, query: &str) -> String {
    let url = server.url().replace("127.0.0.1", host);
    format!("{url}{query}")
}

async fn works(url: &str) {
    let store = SqlxStore::connect(url).await.unwrap();
    store.migrate().await.unwrap();
    assert!(store.get(&id("x")).await.unwrap().is_none());
}

async fn is_refused(url: &str) {
    let error = SqlxStore::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("sslmode=disable"), "{error}");
    assert!(!texts(&error).contains(ELSEWHERE), "{error:?}");
}

#[tokio::test]
async fn another_machine_has_to_show_a_good_certificate_unless_the_url_says_otherwise() {
    for (kind, mode, root) in KINDS {
        let server = Server::start_with(kind, &[("ssl", "on")]);
        let server = server.unwrap_or_else(|why| panic!("{why}"));
        let ca = server.ca_file().unwrap().display().to_string();
        let [disable, require, verify_ca, verify_full] = match kind {
            Kind::Postgres => ["disable", "require", "verify-ca", "verify-full"],
            _ => ["DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"],
        };
        for host in ["127.0.0.1", "localhost"] {
            works(&url(&server, host, "")).await;
            works(&url(
                &server,
                host,
                &format!("?{mode}={verify_full}&{root}={ca}"),
            ))
            .await;
            is_refused(&url(&server, host, &format!("?{mode}={verify_full}"))).await;
        }
        is_refused(&url(&server, ELSEWHERE, "")).await;
        is_refused(&url(&server, ELSEWHERE, &format!("?{mode}={verify_ca}"))).await;
        // The authority is known, and the certificate is another host's.
        is_refused(&url(&server, ELSEWHERE, &format!("?{root}={ca}"))).await;
        works(&url(
            &server,
            ELSEWHERE,
            &format!("?{mode}={verify_ca}&{root}={ca}"),
        ))
        .await;
        works(&url(&server, ELSEWHERE, &format!("?{mode}={require}"))).await;
        works(&url(&server, ELSEWHERE, &format!("?{mode}={disable}"))).await;
    }
}

#[tokio::test]
async fn without_tls_only_this_machine_is_connected_to_by_default() {
    for (kind, mode, _) in KINDS {
        // MySQL makes itself a certificate.
        let server = Server::start_with(kind, &[("ssl", "off")]);
        let server = server.unwrap_or_else(|why| panic!("{why}"));
        works(&server.url()).await;
        is_refused(&url(&server, ELSEWHERE, "")).await;
        let plain = if kind == Kind::Postgres {
            "disable"
        } else {
            "DISABLED"
        };
        works(&url(&server, ELSEWHERE, &format!("?{mode}={plain}"))).await;
        // A socket leads nowhere else.
        let socket = server.socket().unwrap().display().to_string();
        let socket = match kind {
            Kind::Postgres => {
                let directory = socket.rsplit_once('/').unwrap().0;
                format!("?host={directory}")
            }
            _ => format!("?socket={socket}"),
        };
        works(&url(&server, ELSEWHERE, &socket)).await;
    }
}
