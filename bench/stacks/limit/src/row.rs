//! The contents of a session, with the types that this one application has.

use bench_shared::contents_json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Deserialize, Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) views: u64,
    #[serde(borrow)]
    user: &'a RawValue,
    csrf: &'a str,
    #[serde(borrow)]
    cart: &'a RawValue,
    lang: &'a str,
}

/// A new session's row.
pub(crate) fn first() -> String {
    format!("{{\"views\":1,{}", &contents_json()[1..])
}

pub(crate) fn parse(text: &str) -> Row<'_> {
    serde_json::from_str(text).expect("a row that this program wrote")
}

impl Row<'_> {
    pub(crate) fn write(&self) -> String {
        serde_json::to_string(self).expect("a row is JSON")
    }
}
