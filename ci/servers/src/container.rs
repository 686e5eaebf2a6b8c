//! Servers in containers.

use std::io::{Read, Result as IoResult, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, GenericImage, ImageExt};

use crate::launch::word;
use crate::place::Place;
use crate::{Kind, Server, shared};

/// A container; it is removed with this value.
pub(crate) type Running = Container<GenericImage>;

/// How long a server in a container may take, its first setting up included.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long one attempt to speak to it waits.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Nothing waits for the disk, or for a name server that does not answer, and there is room for a
/// record of 16 MiB.
const MYSQL: [&str; 5] = [
    "--skip-name-resolve",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--skip-innodb-doublewrite",
    "--max-allowed-packet=64M",
];

/// What the database and its user are called.
const NAME: &str = "session";

pub(crate) fn server(kind: Kind) -> Result<Server, String> {
    if let Ok(urls) = std::env::var(kind.variable()) {
        return shared::named(kind, &urls);
    }
    let (variable, official) = image(kind).ok_or_else(|| {
        format!("NOT RUN: {kind}: it is no single server, and has no container of its own")
    })?;
    let image = std::env::var(variable).unwrap_or_else(|_| official.to_owned());
    start(kind, &image).map_err(|why| {
        let url = kind.variable();
        format!(
            "NOT RUN: {kind}: no container of {image}: {why}: start Docker, name an image that it \
             has in {variable} (ci/images/build makes some), or set {url}"
        )
    })
}

/// The variable that names the image, and the official one.
fn image(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::Redis => ("SESSION_TEST_REDIS_IMAGE", "redis:8"),
        Kind::Valkey => ("SESSION_TEST_VALKEY_IMAGE", "valkey/valkey:8"),
        Kind::Postgres => ("SESSION_TEST_POSTGRES_IMAGE", "postgres:17"),
        Kind::MariaDb => ("SESSION_TEST_MARIADB_IMAGE", "mariadb:11.8"),
        Kind::MySql => ("SESSION_TEST_MYSQL_IMAGE", "mysql:8.4"),
        Kind::RedisCluster | Kind::RedisSentinel | Kind::RedisTls => return None,
    })
}

fn start(kind: Kind, image: &str) -> Result<Server, String> {
    let password = word(24).map_err(|error| error.to_string())?;
    // A registry may have a port.
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    let port = kind.port();
    let image = GenericImage::new(name, tag).with_exposed_port(port.tcp());
    let (command, variables): (Vec<&str>, Vec<String>) = match kind {
        Kind::Valkey => (vec!["valkey-server", "--requirepass", &password], vec![]),
        Kind::Postgres => (
            vec!["-c", "fsync=off", "-c", "synchronous_commit=off"],
            login("POSTGRES", "DB", &password),
        ),
        Kind::MariaDb => (MYSQL.to_vec(), login("MARIADB", "DATABASE", &password)),
        Kind::MySql => (MYSQL.to_vec(), login("MYSQL", "DATABASE", &password)),
        _ => (vec!["redis-server", "--requirepass", &password], vec![]),
    };
    let label = std::env::var("SESSION_TEST_LABEL").unwrap_or_else(|_| "yes".into());
    let mut request = image
        .with_cmd(command)
        .with_startup_timeout(START_LIMIT)
        // By which whoever runs the tests finds the containers of a test that was killed.
        .with_labels([("session-test", label)]);
    for variable in &variables {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        request = request.with_env_var(name, value);
    }
    let container = request.start().map_err(|error| error.to_string())?;
    let address = address(&container, port)?;
    let (user, rest) = match kind {
        Kind::Redis | Kind::Valkey => ("", "/0"),
        // The container is another machine, and shows no certificate that anybody knows.
        Kind::Postgres => (NAME, "/session?sslmode=disable"),
        // MySQL lets a password through by TLS alone.
        Kind::MySql => (NAME, "/session?ssl-mode=REQUIRED"),
        _ => (NAME, "/session?ssl-mode=DISABLED"),
    };
    let place = Place::new(kind.scheme(), user, &password, address, rest);
    let started = Instant::now();
    loop {
        let answered = answers(kind, address, &password);
        if matches!(answered, Ok(true)) {
            break;
        }
        if started.elapsed() > START_LIMIT {
            let log = container.stderr_to_vec().unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            return Err(format!(
                "it does not answer (at last: {answered:?}), and said: {log}"
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut server = Server::at(kind, place, None);
    server.container = Some(container);
    Ok(server)
}

/// What the official images read about the user and the database to make.
fn login(prefix: &str, database: &str, password: &str) -> Vec<String> {
    vec![
        format!("{prefix}_USER={NAME}"),
        format!("{prefix}_PASSWORD={password}"),
        format!("{prefix}_{database}={NAME}"),
        format!("{prefix}_RANDOM_ROOT_PASSWORD=yes"),
    ]
}

fn address(container: &Running, port: u16) -> Result<SocketAddr, String> {
    let host = container.get_host().map_err(|error| error.to_string())?;
    let port = container.get_host_port_ipv4(port.tcp());
    let port = port.map_err(|error| error.to_string())?;
    let addresses = (host.to_string(), port).to_socket_addrs();
    addresses
        .ok()
        .and_then(|mut addresses| addresses.find(SocketAddr::is_ipv4))
        .ok_or_else(|| "its host cannot be found".into())
}

/// Whether the server speaks: Docker takes connections before it does.
fn answers(kind: Kind, address: SocketAddr, password: &str) -> IoResult<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    let mut first = [0; 5];
    match kind {
        Kind::Postgres => {
            // The first message of protocol 3.0; it is answered with a request for the password.
            let message = b"\0\x03\0\0user\0session\0\0";
            stream.write_all(&[0, 0, 0, 4 + u8::try_from(message.len()).unwrap_or(0)])?;
            stream.write_all(message)?;
            stream.read_exact(&mut first)?;
            Ok(first[0] == b'R')
        }
        Kind::MariaDb | Kind::MySql => {
            // The greeting begins with the number of the protocol, after four bytes of header.
            stream.read_exact(&mut first)?;
            Ok(first[4] == 10)
        }
        _ => {
            stream.write_all(format!("AUTH {password}\r\n").as_bytes())?;
            stream.read_exact(&mut first)?;
            Ok(&first == b"+OK\r\n")
        }
    }
}
