//! The servers that the tests of this workspace need: found where the environment names them, and
//! started where it does not.
//!
//! ```no_run
//! use test_servers::{Kind, Server};
//!
//! let shared = Server::shared(Kind::Postgres)?; // that of SESSION_TEST_POSTGRES_URL, or our own
//! let private = Server::start(Kind::Redis)?;    // on a free port, with a password of its own
//! println!("{} {}", shared.url(), private.url());
//! # Ok::<(), String>(())
//! ```
//!
//! A server that was started here ends with its [`Server`] or with the process, however that ends:
//! a shell between the two waits for the end of its input, stops the server then and removes its
//! directory. `Server::shared` without a URL starts one for each process; the program of this crate
//! starts servers for all the processes of a command:
//!
//! ```sh
//! cargo run -p test-servers -- redis postgres -- cargo nextest run
//! ```
//!
//! What cannot be had is an error that begins with `NOT RUN:` and says what to install. A test fails
//! with it; it never passes without having looked.

#[cfg(feature = "containers")]
mod container;
mod guard;
mod kind;
mod launch;
mod place;
mod server;
mod shared;
mod small_disk;

pub use kind::Kind;
pub use server::{Node, Server};
pub use small_disk::SmallDisk;
