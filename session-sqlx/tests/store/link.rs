//! Connections that are lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use session_conformance::Proxy;
use session_core::{ErrorKind, Store};
use session_sqlx::{Database, Schema};
use test_servers::{Kind, Server};

use crate::support::harness::server;
use crate::{builder, id, in_an_hour, record, rows};

const SERVERS: [Database; 2] = [Database::Postgres, Database::MySql];

#[tokio::test]
async fn a_read_over_a_dead_connection_is_sent_again_and_a_write_is_not() {
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let url = server.url_at(proxy.address());
        let store = builder(&rows).connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        let (x, record) = (id("x"), record("a", in_an_hour()));
        store.set(&x, &record).await.unwrap();
        let lose = || {
            proxy.cut();
            proxy.heal();
        };

        lose();
        assert!(store.get(&x).await.unwrap().is_some());

        lose();
        let error = store.create(&id("y"), &record).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(store.get(&id("y")).await.unwrap().is_none());
        // The connection was given up, and the next one is good.
        store.set(&x, &record).await.unwrap();

        // A connection that was not used for a while is asked first.
        let careful = builder(&rows).trust_idle(Duration::ZERO);
        let careful = careful.connect(&url).await.unwrap();
        careful.set(&x, &record).await.unwrap();
        lose();
        careful.set(&x, &record).await.unwrap();
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_as_long_as_was_said() {
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let hasty = builder(&rows).response_timeout(Duration::from_millis(100));
        let store = hasty
            .connect(&server.url_at(proxy.address()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let (x, record) = (id("x"), record("a", in_an_hour()));
        proxy.freeze();
        let error = store.set(&x, &record).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        // Others may need longer on a machine that is busy.
        let patient = builder(&rows)
            .connect(&server.url_at(proxy.address()))
            .await;
        patient.unwrap().set(&x, &record).await.unwrap();
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn an_operation_waits_for_a_connection_as_long_as_was_said() {
    for database in SERVERS {
        // Connections are accepted by the system, and nobody ever reads them.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let rows = rows(database, Schema::Native);
        let url = server(database).unwrap().unwrap();
        let url = url.url_at(silent.local_addr().unwrap());
        let started = Instant::now();
        let hasty = builder(&rows).connect_timeout(Duration::from_millis(50));
        let error = hasty.connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(4));
    }
}

/// One runtime for each core, say. A connection of MySQL or PostgreSQL works on its own one alone.
#[test]
fn runtimes_that_take_turns_keep_their_connections() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let runtimes = [runtime(), runtime(), runtime()];
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let url = server.url_at(proxy.address());
        for (most, connections) in [(10, 3), (2, 12)] {
            let limited = builder(&rows).max_connections(most);
            let store = limited.connect_lazily(&url).unwrap();
            if most == 10 {
                runtimes[0].block_on(store.migrate()).unwrap();
            }
            let before = proxy.connections();
            for _ in 0..4 {
                for runtime in &runtimes {
                    let found = runtime.block_on(store.get(&id("x")));
                    assert!(found.unwrap().is_none());
                }
            }
            let made = proxy.connections() - before + u64::from(most == 10);
            assert_eq!(made, connections, "{database:?}, {most} at most");
        }
        runtimes[0].block_on(rows.drop_table());
    }
}

/// A firewall has forgotten the connections that nobody used, and says nothing.
#[tokio::test]
async fn connections_that_died_in_silence_cost_one_pause_and_no_failure() {
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let careful = builder(&rows).trust_idle(Duration::ZERO);
        let store = careful.connect(&server.url_at(proxy.address())).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        let (x, record) = (id("x"), record("a", in_an_hour()));
        let many = (0..5).map(|_| store.set(&x, &record));
        for done in futures_util::future::join_all(many).await {
            done.unwrap();
        }
        proxy.freeze();
        for _ in 0..5 {
            store.set(&x, &record).await.unwrap();
        }
        rows.drop_table().await;
    }
}

/// A server may be set up to begin a transaction with every statement, which nobody would end.
#[tokio::test]
async fn a_write_that_has_returned_is_committed_whatever_the_server_s_default() {
    let server = Server::start_with(Kind::MariaDb, &[("autocommit", "0")]);
    let server = server.unwrap_or_else(|why| panic!("{why}"));
    let open = async || session_sqlx::connect(&server.url()).await.unwrap();
    let store = open().await;
    store.migrate().await.unwrap();
    let record = record("a", in_an_hour());
    store.set(&id("x"), &record).await.unwrap();
    assert!(open().await.get(&id("x")).await.unwrap().is_some());
}

/// What MySQL 8.0.24 and later send before they close a connection that was idle for
/// `wait_timeout`: `ER_CLIENT_INTERACTION_TIMEOUT`.
#[tokio::test]
async fn the_farewell_of_mysql_to_an_idle_connection_is_a_lost_connection() {
    fn copy(mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
    }
    let server = server(Database::MySql).unwrap().unwrap();
    let real = server.address();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (clients, connected) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, upstream) = (client.unwrap(), TcpStream::connect(real).unwrap());
            if clients.send(client.try_clone().unwrap()).is_err() {
                break;
            }
            let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || copy(from, to));
            thread::spawn(move || copy(upstream, client));
        }
    });
    let rows = rows(Database::MySql, Schema::Native);
    let store = builder(&rows).connect(&server.url_at(address)).await;
    let store = store.unwrap();
    store.migrate().await.unwrap();
    let (x, record) = (id("x"), record("a", in_an_hour()));
    store.set(&x, &record).await.unwrap();
    let mut idle = 0;
    for mut client in connected.try_iter() {
        let text = b"#HY000The client was disconnected by the server because of inactivity.";
        let length = u8::try_from(text.len() + 3).unwrap();
        let mut packet = vec![length, 0, 0, 0, 0xff, 0xbf, 0x0f];
        packet.extend_from_slice(text);
        client.write_all(&packet).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        idle += 1;
    }
    assert_eq!(idle, 1);
    // Not a read alone: nothing was done.
    let created = store.create(&id("y"), &record).await.unwrap();
    assert_eq!(created, session_core::Created::Created);
    assert!(store.get(&x).await.unwrap().is_some());
    rows.drop_table().await;
}

/// A standby before it is promoted, say.
#[tokio::test]
async fn whoever_reads_where_nothing_can_be_written_keeps_the_connection() {
    for schema in [Schema::Native, Schema::ConnectPgSimple] {
        let rows = rows(Database::Postgres, schema);
        let (x, record) = (id("x"), record("a", in_an_hour()));
        crate::open(&rows).await.set(&x, &record).await.unwrap();
        let server = server(Database::Postgres).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let url = server.url_at(proxy.address());
        let url = format!("{url}?options[default_transaction_read_only]=on");
        let standby = builder(&rows).connect(&url).await.unwrap();
        for _ in 0..20 {
            let found = standby.get(&x).await.unwrap();
            assert_eq!(found.unwrap().json(), record.json());
        }
        assert_eq!(proxy.connections(), 1);
        // Whoever writes looks for the primary with a new one.
        let error = standby.set(&x, &record).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(standby.get(&x).await.unwrap().is_some());
        assert_eq!(proxy.connections(), 2);
        rows.drop_table().await;
    }
}
