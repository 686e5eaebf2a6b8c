//! What the programs of all stacks have in common, so that they differ in nothing but the stack.
//!
//! Each is a server with the same routes, started by the harness, that prints its port and ends
//! when its standard input does:
//!
//! | route | what the handler does |
//! |---|---|
//! | `/none` | nothing with the session |
//! | `/new` | puts [`contents`] into a new session, with one view |
//! | `/read` | reads the number of views |
//! | `/edit` | reads the number of views and writes one more |
//!
//! All but `/none` answer with the number of views, so that the harness sees whether it is right.

mod args;
mod contents;
mod micro;
#[cfg(feature = "axum")]
mod serve;

pub use args::{Args, Store, Writes};
pub use contents::{contents, contents_json};
pub use micro::{Contender, Micro, Random, block_on, measure, resident};
#[cfg(feature = "axum")]
pub use serve::serve;

/// How long a session lives.
pub const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(86_400);

/// What cookies are signed with: 64 bytes, because some libraries insist.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Tells the harness where the server listens.
pub fn announce(port: u16) {
    println!("port {port}");
}

/// Ends the program when the harness closes its input, or is gone.
pub fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
