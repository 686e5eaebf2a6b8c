//! The load: connections that are kept alive, each asking again as soon as it was answered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a server said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The first cookie it set to something, without attributes. (One that is removed has no value.)
    pub(crate) cookie: Option<String>,
    /// The body, where it is a number: how often the session was viewed.
    pub(crate) views: Option<u64>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> std::io::Result<Answer> {
        self.stream.write_all(request).await?;
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).await?;
            if more == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            read += more;
            if let Some(answer) = parse(&self.buffer[..read])? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, if it is complete.
fn parse(bytes: &[u8]) -> std::io::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let status = response.parse(bytes).map_err(std::io::Error::other)?;
    let httparse::Status::Complete(head) = status else {
        return Ok(None);
    };
    let mut length = 0;
    let mut cookie = None;
    for header in response.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).unwrap_or_default();
            length = text.parse().map_err(std::io::Error::other)?;
        } else if cookie.is_none() && header.name.eq_ignore_ascii_case("set-cookie") {
            let pair = header.value.split(|&byte| byte == b';').next();
            let pair = pair.and_then(|pair| String::from_utf8(pair.to_vec()).ok());
            cookie = pair.filter(|pair| !pair.ends_with('='));
        }
    }
    let body = &bytes[head..];
    if body.len() < length {
        return Ok(None);
    }
    let body = std::str::from_utf8(&body[..length]).unwrap_or_default();
    Ok(Some(Answer {
        status: response.code.unwrap_or(0),
        cookie,
        views: body.parse().ok(),
    }))
}

/// A request, with a cookie or without.
pub(crate) fn request(path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map_or(String::new(), |cookie| format!("Cookie: {cookie}\r\n"));
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n").into_bytes()
}

/// What one run of load saw.
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// Answers with another status than 200, or fewer views than there must be.
    pub(crate) wrong: u64,
}

/// Asks `requests`, one after the other and over again, on `connections` connections.
pub(crate) async fn run(
    port: u16,
    requests: &[Vec<u8>],
    least_views: u64,
    connections: usize,
    duration: Duration,
) -> std::io::Result<Load> {
    let requests: Rc<[Vec<u8>]> = requests.into();
    let next = Rc::new(Cell::new(0));
    let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds that work");
    let latency = Rc::new(RefCell::new(histogram));
    let wrong = Rc::new(Cell::new(0));
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(port).await?);
    }
    let started = Instant::now();
    let tasks = tokio::task::LocalSet::new();
    let mut running = Vec::new();
    for mut connection in opened {
        let (requests, next) = (requests.clone(), next.clone());
        let (latency, wrong) = (latency.clone(), wrong.clone());
        running.push(tasks.spawn_local(async move {
            let mut now = Instant::now();
            while now - started < duration {
                let number = next.get();
                next.set(number + 1);
                let answer = connection.ask(&requests[number % requests.len()]).await?;
                if answer.status != 200 || answer.views.is_none_or(|views| views < least_views) {
                    wrong.set(wrong.get() + 1);
                }
                let asked = std::mem::replace(&mut now, Instant::now());
                let nanos = u64::try_from((now - asked).as_nanos()).unwrap_or(u64::MAX);
                latency.borrow_mut().saturating_record(nanos);
            }
            std::io::Result::Ok(())
        }));
    }
    tasks
        .run_until(async {
            for task in running {
                task.await.map_err(std::io::Error::other)??;
            }
            std::io::Result::Ok(())
        })
        .await?;
    let latency = latency.borrow().clone();
    Ok(Load {
        requests: latency.len(),
        elapsed: started.elapsed(),
        latency,
        wrong: wrong.get(),
    })
}
