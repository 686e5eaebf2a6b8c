//! A private server: on a free port, behind a random password, gone with its owner.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use redis::{Client, ConnectionAddr, IntoConnectionInfo};
use session_core::SessionId;

/// What can be started, the first that is installed.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// How long a server may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The server of this test process: that of `SESSION_TEST_REDIS_URL`, or one of its own.
static SHARED: LazyLock<Result<Server, String>> =
    LazyLock::new(|| match std::env::var("SESSION_TEST_REDIS_URL") {
        Ok(url) => Server::at(&url),
        Err(_) => Server::start(),
    });

#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    user: String,
    password: String,
    database: i64,
    process: Option<Process>,
}

/// Stops the server when it is dropped, or when this process ends, however it does: the shell that
/// stands between the two waits for the end of its input.
#[derive(Debug)]
struct Process {
    shell: Child,
    directory: PathBuf,
}

const SHELL: &str = r#""$0" "$@" </dev/null >/dev/null 2>&1 & server=$!
cat >/dev/null
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf -- "$SESSION_TEST_DIRECTORY""#;

impl Server {
    pub(crate) fn shared() -> Result<&'static Self, String> {
        SHARED.as_ref().map_err(Clone::clone)
    }

    /// Starts a server of its own.
    pub(crate) fn start() -> Result<Self, String> {
        Self::start_one_of(&PROGRAMS)
    }

    pub(crate) fn start_one_of(programs: &[&str]) -> Result<Self, String> {
        for program in programs {
            // Somebody else may take the port between our looking and the server's binding; then
            // its password is not ours.
            for _ in 0..5 {
                match Self::start_program(program) {
                    Ok(Some(server)) => return Ok(server),
                    Ok(None) => {}
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    Err(error) => return Err(format!("{program} cannot be started: {error}")),
                }
            }
        }
        Err(
            "no Redis server to test with: install redis-server (Debian: apt-get install \
             redis-server) or valkey-server, or set SESSION_TEST_REDIS_URL"
                .into(),
        )
    }

    fn start_program(program: &str) -> std::io::Result<Option<Self>> {
        // The shell would report a missing program by its exit status alone.
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let password = SessionId::random().as_str().to_owned();
        let directory = std::env::temp_dir().join(format!(
            "session-redis-{}-{}",
            std::process::id(),
            address.port()
        ));
        std::fs::create_dir_all(&directory)?;
        let shell = Command::new("sh")
            .args(["-c", SHELL, program])
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--requirepass", &password])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(&directory)
            .arg("--unixsocket")
            .arg(directory.join("socket"))
            .env("SESSION_TEST_DIRECTORY", &directory)
            .stdin(Stdio::piped())
            .spawn()?;
        let server = Self {
            address,
            user: String::new(),
            password,
            database: 0,
            process: Some(Process { shell, directory }),
        };
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            match server.admin_blocking() {
                Ok(_) => return Ok(Some(server)),
                Err(error) if error.is_io_error() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    fn at(url: &str) -> Result<Self, String> {
        let unusable = |what: &str| format!("SESSION_TEST_REDIS_URL {what}");
        let info = url
            .into_connection_info()
            .map_err(|_| unusable("is not the URL of a Redis server"))?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Err(unusable("must begin with redis:// or valkey://"));
        };
        let address = (host.as_str(), *port)
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.find(SocketAddr::is_ipv4))
            .ok_or_else(|| unusable("names a host that cannot be found"))?;
        let settings = info.redis_settings();
        let server = Self {
            address,
            user: settings.username().unwrap_or_default().into(),
            password: settings.password().unwrap_or_default().into(),
            database: settings.db(),
            process: None,
        };
        server
            .admin_blocking()
            .map_err(|error| unusable(&format!("cannot be connected to: {error}")))?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The server's Unix socket; only one of our own has a known one.
    pub(crate) fn socket(&self) -> PathBuf {
        let process = self.process.as_ref().expect("a server of our own");
        process.directory.join("socket")
    }

    /// The URL of the server behind `address`, which may be a proxy's.
    pub(crate) fn url_at(&self, address: SocketAddr) -> String {
        self.url_with(address, &self.password)
    }

    pub(crate) fn url_with(&self, address: SocketAddr, password: &str) -> String {
        let (user, password) = (encode(&self.user), encode(password));
        let login = match password.as_str() {
            "" => String::new(),
            _ => format!("{user}:{password}@"),
        };
        format!("redis://{login}{address}/{}", self.database)
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// A connection behind the store's back.
    pub(crate) async fn admin(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(10)))
            .set_response_timeout(Some(Duration::from_secs(10)));
        Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn admin_blocking(&self) -> redis::RedisResult<redis::Connection> {
        let mut connection = Client::open(self.url())?.get_connection()?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Percent-encodes all that means something in a URL.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
