//! What MIGRATION.md puts into its tables compiles, and is what the tables say. Its code blocks are
//! doc tests; its commands, and what Node does, are tried in `ci/express`.

use std::error::Error;
use std::time::Duration;

use session_memory::MemoryStore;
use session_redis::RedisStore;
use session_sqlx::{Schema, SqlxStore};
use session_tower::{
    Connection, CookieOptions, RequestHead, Secrets, Session, SessionId, SessionOptions, Unset,
};

const GUIDE: &str = include_str!("../MIGRATION.md");

/// Evaluates an expression whose text is in the guide.
macro_rules! guide {
    ($($said:tt)+) => {{
        assert_said(stringify!($($said)+));
        $($said)+
    }};
}

fn assert_said(text: &str) {
    // In a table, a bar is written with a backslash.
    let plain = |text: &str| {
        text.replace("\\|", "|")
            .split_whitespace()
            .collect::<String>()
    };
    assert!(plain(GUIDE).contains(&plain(text)), "the guide says {text}");
}

#[test]
fn the_options_of_the_guide_are_there() -> Result<(), Box<dyn Error>> {
    let (a, b) = ("new", "old");
    let secrets = guide!(Secrets::rotating([a, b])?);
    let cookie = guide!(CookieOptions::new().max_age(Duration::from_secs(60)));
    let json: CookieOptions = serde_json::from_str(r#"{ "maxAge": 60000 }"#)?;
    assert_eq!(format!("{cookie:?}"), format!("{json:?}"));
    let options = SessionOptions::new(MemoryStore::new(), secrets)
        .name("sid")
        .rolling(true)
        .unset(Unset::Destroy)
        .resave(false)
        .save_uninitialized(false)
        .genid(|_: &RequestHead<'_>| SessionId::random())
        .cookie(cookie);
    assert_said("`proxy(true)`");
    let _ = options.proxy(true);
    let _ = guide!(Connection::VouchedFor);
    Ok(())
}

#[test]
fn the_stores_of_the_guide_have_its_options() {
    for text in ["`prefix`", "`ttl`", "`touch_after`"] {
        assert_said(text);
    }
    let _ = RedisStore::builder()
        .prefix("sess:")
        .ttl(Duration::from_secs(60));
    let _ = |options: SessionOptions| options.touch_after(Duration::from_secs(60));
    let _ = guide!(SqlxStore::builder().schema(Schema::BetterSqlite3));
    let _ = guide!(SqlxStore::builder().time_zone("Europe/Berlin"));
}

/// Nothing runs this: each line has to compile, and to be in the guide.
#[expect(dead_code, reason = "it compiles")]
async fn the_session_of_the_guide(session: Session) -> Result<(), Box<dyn Error>> {
    guide!(session.insert("views", &1)?);
    guide!(session.update("views", |views: Option<u64>| views.unwrap_or(0) + 1)?);
    guide!(session.insert("user", &None::<String>)?);
    guide!(session.regenerate());
    session.cycle_id();
    guide!(session.destroy().await?);
    guide!(session.unset());
    session.set_max_age(Some(Duration::from_secs(60)));
    Ok(())
}
