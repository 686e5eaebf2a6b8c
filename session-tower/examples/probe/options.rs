//! express-session's options, in its own names and forms.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use session_tower::{CookieOptions, Secrets, SessionOptions, Store, Unset};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    secret: OneOrMore,
    #[serde(default)]
    name: Option<String>,
    /// The old spelling of `name`.
    #[serde(default)]
    key: Option<String>,
    /// These two default to `true` in express-session, which is what a script written for it
    /// expects; the library's own default is `false`.
    #[serde(default)]
    resave: Option<bool>,
    #[serde(default)]
    save_uninitialized: Option<bool>,
    #[serde(default)]
    rolling: Option<bool>,
    #[serde(default)]
    unset: Option<String>,
    #[serde(default)]
    proxy: Option<bool>,
    #[serde(default)]
    cookie: Option<CookieOptions>,
    /// Not one of express-session's, whose sessions' ends move with every request: milliseconds, and
    /// `null` for the library's own default.
    #[serde(default = "every_request")]
    touch_after: Option<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the field's type")]
fn every_request() -> Option<u64> {
    Some(0)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// # Errors
///
/// One sentence on what is wrong.
pub(crate) fn parse(json: &str, store: Arc<dyn Store>) -> Result<SessionOptions, String> {
    let given: Options = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let secrets = match given.secret {
        OneOrMore::One(secret) => Secrets::new(secret),
        OneOrMore::More(secrets) => Secrets::rotating(secrets),
    }
    .map_err(|error| error.to_string())?;
    let unset = match given.unset.as_deref() {
        None | Some("" | "keep") => Unset::Keep,
        Some("destroy") => Unset::Destroy,
        Some(_) => return Err(r#"unset must be "destroy" or "keep""#.to_owned()),
    };
    let mut options = SessionOptions::new(store, secrets)
        .resave(given.resave.unwrap_or(true))
        .save_uninitialized(given.save_uninitialized.unwrap_or(true))
        .rolling(given.rolling.unwrap_or(false))
        .unset(unset)
        .cookie(given.cookie.unwrap_or_default());
    if let Some(name) = given.name.or(given.key).filter(|name| !name.is_empty()) {
        options = options.name(name);
    }
    if let Some(trusted) = given.proxy {
        options = options.proxy(trusted);
    }
    if let Some(millis) = given.touch_after {
        options = options.touch_after(Duration::from_millis(millis));
    }
    Ok(options)
}
