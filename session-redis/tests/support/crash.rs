//! A process that writes and is killed: this test program, started again with one test alone.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use session_conformance::{NotRun, Write};
use session_core::{Clock, Record, SessionId, Store, StoredExpiry};
use session_redis::RedisStore;

const WRITES: &str = "SESSION_REDIS_TEST_WRITES";
const DONE: &str = "every write has returned";

/// Does the writes in a process of their own and kills it as soon as the last one has returned.
pub(crate) fn write_and_crash(url: &str, prefix: &str, writes: &[Write]) -> Result<(), NotRun> {
    // Every word as hexadecimal digits: ids and texts may hold anything.
    let mut words = vec![hex(url), hex(prefix)];
    for write in writes {
        match write {
            Write::Set(id, record) => {
                let left = record
                    .expires()
                    .and_then(|end| end.duration_since(Clock::system().now()).ok())
                    .map_or(0, |left| left.as_millis());
                words.extend([
                    hex("set"),
                    hex(id.as_str()),
                    hex(record.json()),
                    hex(&left.to_string()),
                ]);
            }
            Write::Destroy(id) => words.extend([hex("destroy"), hex(id.as_str())]),
        }
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(["support::crash::child", "--exact", "--nocapture"])
        .env(WRITES, words.join(" "))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child
        .stdout
        .take()
        .ok_or_else(|| NotRun::because("no output"))?;
    let done = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .any(|line| line.ends_with(DONE));
    child.kill()?;
    child.wait()?;
    if done {
        Ok(())
    } else {
        Err(NotRun::because("the process that was to write has failed"))
    }
}

/// Not a test of its own: the other process.
#[test]
fn child() {
    let Ok(words) = std::env::var(WRITES) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut words = words.split(' ').map(unhex);
        let (url, prefix) = (words.next().unwrap(), words.next().unwrap());
        let store = RedisStore::builder().prefix(prefix).connect(&url).await;
        let store = store.unwrap();
        while let Some(operation) = words.next() {
            let id = SessionId::new(words.next().unwrap()).unwrap();
            if operation == "destroy" {
                store.destroy(&id).await.unwrap();
                continue;
            }
            let json = words.next().unwrap();
            let left: u64 = words.next().unwrap().parse().unwrap();
            let expiry = match left {
                0 => StoredExpiry::Never,
                left => StoredExpiry::At(Clock::system().now() + Duration::from_millis(left)),
            };
            let record = Record::decode(json, expiry).unwrap();
            store.set(&id, &record).await.unwrap();
        }
        println!("{DONE}");
        // Until the kill, or the end of the parent.
        let _ = std::io::stdin().read(&mut [0]);
    });
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(word: &str) -> String {
    let bytes = word.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    String::from_utf8(bytes.collect()).unwrap()
}
