//! The session cookie, signed and verified by hand.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bench_shared::SECRET;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// 24 random bytes in base64.
pub(crate) type Id = [u8; 32];

const NAME: &str = "connect.sid=";
/// The id, a dot, the signature in base64.
const LENGTH: usize = 32 + 1 + 43;

/// The key, scheduled once.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(Hmac::new_from_slice(SECRET.as_bytes()).expect("any length will do"))
    }

    /// The id in the request's cookie, if the signature holds.
    pub(crate) fn id(&self, headers: &HeaderMap) -> Option<Id> {
        let cookies = headers.get(header::COOKIE)?.as_bytes();
        let value = cookies
            .split(|&byte| byte == b';')
            .find_map(|cookie| cookie.trim_ascii_start().strip_prefix(NAME.as_bytes()))?;
        if value.len() != LENGTH {
            return None;
        }
        let id: Id = value[..32].try_into().ok()?;
        let mut signature = [0; 32];
        URL_SAFE_NO_PAD
            .decode_slice(&value[33..], &mut signature)
            .ok()?;
        let mut mac = self.0.clone();
        mac.update(&id);
        mac.verify_slice(&signature).is_ok().then_some(id)
    }

    /// The `Set-Cookie` of a session.
    pub(crate) fn cookie(&self, id: &Id) -> HeaderValue {
        let mut mac = self.0.clone();
        mac.update(id);
        let mut text = String::with_capacity(160);
        text.push_str(NAME);
        text.push_str(std::str::from_utf8(id).expect("base64 is ASCII"));
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut text);
        text.push_str("; Path=/; HttpOnly; Max-Age=86400");
        HeaderValue::try_from(text).expect("no character that a header cannot hold")
    }
}

pub(crate) fn new_id() -> Id {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).expect("the system's randomness");
    let mut id = [0; 32];
    URL_SAFE_NO_PAD
        .encode_slice(bytes, &mut id)
        .expect("24 bytes are 32 characters");
    id
}
