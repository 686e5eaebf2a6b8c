use std::fmt;

use arrayvec::ArrayString;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::format::percent::encode_component;
use crate::{Error, Result, SessionId};

/// Characters of a signature: 32 bytes in base64 without padding.
pub(crate) const SIGNATURE_LENGTH: usize = 43;

/// What a key for one cookie name is made from, before the name. No id is signed as the same
/// bytes: ids are UTF-8, in which the first one does not occur.
const NAME_LABEL: &[u8] = b"\xffsession cookie called ";

/// The secrets that sign session ids: the first signs, all verify.
///
/// A value is `s:<id>.<signature>`, the signature being the base64 of HMAC-SHA-256 over the id's
/// UTF-8 bytes, without padding: what cookie-signature 1.x makes for express-session, to the byte.
/// Node's own string secrets are used as their UTF-8 bytes, so the same text works on both sides.
///
/// To change the secret without logging anybody out, deploy the new one behind the old one
/// everywhere (`[old, new]`), then in front of it (`[new, old]`), and drop the old one when the
/// longest session has ended.
///
/// ```
/// use session_core::{Secrets, SessionId};
///
/// # fn main() -> session_core::Result<()> {
/// let secrets = Secrets::rotating(["new secret", "keyboard cat"])?;
/// let id = secrets.unsign("s:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU");
/// assert_eq!(id, Some(SessionId::new("apple")?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Secrets(Box<[Hmac<Sha256>]>);

impl Secrets {
    /// One secret. It should hold 32 bytes of randomness or more: whoever guesses it can sign ids.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an empty secret.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self> {
        Self::rotating([secret])
    }

    /// Several secrets: the first signs, all verify, in this order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an empty list or an empty secret:
    /// anybody could sign ids for it. (express-session accepts an empty secret inside a list.)
    pub fn rotating<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self> {
        let keys = secrets
            .into_iter()
            .enumerate()
            .map(|(index, secret)| match secret.as_ref() {
                [] => Err(Error::config(format!(
                    "secret {} of the list is empty; give every secret at least one byte, better \
                     32 random ones (is an environment variable unset?)",
                    index + 1
                ))),
                secret => Hmac::new_from_slice(secret)
                    .map_err(|error| Error::config("not a key").with_source(error)),
            })
            .collect::<Result<Box<[_]>>>()?;
        if keys.is_empty() {
            return Err(Error::config(
                "the list of secrets is empty; give at least one secret to sign session ids with",
            ));
        }
        Ok(Self(keys))
    }

    /// The secrets that sign ids for cookies of this name alone: made from these, which cannot be
    /// found from them, and with which nothing can be signed for another name. A layer uses them
    /// with [`bind_to_name`](crate::SessionOptions::bind_to_name); elsewhere they verify its
    /// cookies.
    ///
    /// ```
    /// use session_core::{Secrets, SessionId};
    ///
    /// # fn main() -> session_core::Result<()> {
    /// let secrets = Secrets::new("keyboard cat")?;
    /// let signed = secrets.bound_to_name("shop.sid").sign(&SessionId::new("apple")?);
    /// assert!(secrets.bound_to_name("shop.sid").unsign(&signed).is_some());
    /// assert!(secrets.bound_to_name("office.sid").unsign(&signed).is_none());
    /// assert!(secrets.unsign(&signed).is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes any key")]
    pub fn bound_to_name(&self, name: &str) -> Self {
        let bound = self.0.iter().map(|key| {
            let mac = key.clone().chain_update(NAME_LABEL).chain_update(name);
            Hmac::new_from_slice(&mac.finalize().into_bytes()).expect("HMAC takes any key")
        });
        Self(bound.collect())
    }

    /// These sign; these and the others verify.
    pub(crate) fn followed_by(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// The signed form of `id`, before percent-encoding: `s:<id>.<signature>`.
    #[must_use]
    pub fn sign(&self, id: &SessionId) -> String {
        let id = id.as_str();
        let Signature(signature) = signature_of(&self.0[0], id);
        let mut value = String::with_capacity(2 + id.len() + 1 + SIGNATURE_LENGTH);
        value.push_str("s:");
        value.push_str(id);
        value.push('.');
        value.push_str(&signature);
        value
    }

    /// Appends the signed form of `id`, percent-encoded for a cookie, with the `signature` that
    /// [`verify`](Self::verify) has made for this id, if there is one.
    pub(crate) fn write_cookie_value(
        &self,
        id: &SessionId,
        signature: Option<&Signature>,
        out: &mut String,
    ) {
        let id = id.as_str();
        let made = signature.is_none().then(|| signature_of(&self.0[0], id));
        out.push_str("s%3A");
        out.extend(encode_component(id));
        out.push('.');
        if let Some(Signature(signature)) = signature.or(made.as_ref()) {
            out.extend(encode_component(signature));
        }
    }

    /// The id in a signed value (after percent-decoding), if one of the secrets signed it.
    ///
    /// The value is split at its last dot, the signature is made again and compared as text in
    /// constant time: padding, the URL-safe alphabet or altered spare bits in the last character
    /// are refused, as in cookie-signature. A valid signature over the empty text is no id.
    #[must_use]
    pub fn unsign(&self, value: &str) -> Option<SessionId> {
        self.verify(value).map(|signed| signed.id)
    }

    /// As [`unsign`](Self::unsign), with the signature.
    pub(crate) fn verify(&self, value: &str) -> Option<Signed> {
        let (id, given) = value.strip_prefix("s:")?.rsplit_once('.')?;
        let (index, signature) = self.0.iter().enumerate().find_map(|(index, key)| {
            let signature = signature_of(key, id);
            let holds: bool = signature.0.as_bytes().ct_eq(given.as_bytes()).into();
            holds.then_some((index, signature))
        })?;
        Some(Signed {
            id: SessionId::new(id).ok()?,
            signature: (index == 0).then_some(signature),
        })
    }
}

/// An id whose signature holds.
pub(crate) struct Signed {
    pub(crate) id: SessionId,
    /// The signature, if it is the one that would be made now: by the first secret.
    pub(crate) signature: Option<Signature>,
}

/// In base64. It opens a session, and is not to be shown.
pub(crate) struct Signature(ArrayString<SIGNATURE_LENGTH>);

/// The signature of `id`. The key's state after its padding was hashed is kept and
/// copied: half the work of each use.
fn signature_of(key: &Hmac<Sha256>, id: &str) -> Signature {
    let mac = key
        .clone()
        .chain_update(id.as_bytes())
        .finalize()
        .into_bytes();
    let mut text = [0; SIGNATURE_LENGTH];
    let written = STANDARD_NO_PAD.encode_slice(mac, &mut text);
    debug_assert_eq!(written.ok(), Some(SIGNATURE_LENGTH));
    Signature(ArrayString::from_byte_string(&text).unwrap_or_default())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} redacted)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn refuses_empty_secrets_and_says_what_to_do() {
        let nothing: [&str; 0] = [];
        for (error, expected) in [
            (Secrets::rotating(nothing), "give at least one secret"),
            (Secrets::new(""), "give every secret at least one byte"),
            (
                Secrets::rotating(["good", ""]),
                "secret 2 of the list is empty",
            ),
        ] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn every_secret_verifies_and_the_first_signs() {
        let old = Secrets::new("old").unwrap();
        let both = Secrets::rotating(["new", "old"]).unwrap();
        let id = SessionId::new("apple").unwrap();
        assert_eq!(both.unsign(&old.sign(&id)), Some(id.clone()));
        assert_eq!(both.sign(&id), Secrets::new("new").unwrap().sign(&id));
        assert_eq!(old.unsign(&both.sign(&id)), None);
    }

    #[test]
    fn a_signature_is_kept_only_if_the_first_secret_made_it() {
        let id = SessionId::new("apple").unwrap();
        let old = Secrets::new("old").unwrap();
        let both = Secrets::rotating(["new", "old"]).unwrap();
        let written = |signature: Option<&Signature>| {
            let mut value = String::new();
            both.write_cookie_value(&id, signature, &mut value);
            value
        };
        let kept = both.verify(&both.sign(&id)).unwrap().signature;
        assert!(kept.is_some());
        assert_eq!(written(kept.as_ref()), written(None));
        assert!(both.verify(&old.sign(&id)).unwrap().signature.is_none());
    }

    #[test]
    fn every_changed_character_of_a_signed_value_is_noticed() {
        let secrets = Secrets::new("keyboard cat").unwrap();
        let value = secrets.sign(&SessionId::new("apple").unwrap());
        for (at, original) in value.char_indices() {
            for other in ['A', 'z', '0', '+', '/', '.', '=', '-', '_', ':', ' '] {
                if other != original {
                    let mut changed = value.clone();
                    changed.replace_range(at..=at, &other.to_string());
                    assert_eq!(secrets.unsign(&changed), None, "{at} {other:?}");
                }
            }
            assert_eq!(secrets.unsign(&value[..at]), None);
        }
    }

    #[test]
    fn what_is_signed_for_one_name_holds_for_no_other() {
        let secrets = Secrets::rotating(["new", "old"]).unwrap();
        let id = SessionId::new("apple").unwrap();
        let names = ["shop", "office", "Shop", "", "shop "];
        for (at, name) in names.iter().enumerate() {
            let bound = secrets.bound_to_name(name);
            let signed = bound.sign(&id);
            assert_eq!(bound.unsign(&signed), Some(id.clone()));
            assert_eq!(secrets.unsign(&signed), None);
            assert_eq!(bound.unsign(&secrets.sign(&id)), None);
            for other in names.iter().skip(at + 1) {
                assert_eq!(
                    secrets.bound_to_name(other).unsign(&signed),
                    None,
                    "{name} {other}"
                );
            }
        }
        // Secrets rotate as they do without a name.
        let old = Secrets::new("old").unwrap().bound_to_name("shop");
        assert!(
            secrets
                .bound_to_name("shop")
                .unsign(&old.sign(&id))
                .is_some()
        );
    }

    #[test]
    fn a_bound_signature_stays_the_same_with_the_next_release() {
        let secrets = Secrets::new("keyboard cat")
            .unwrap()
            .bound_to_name("shop.sid");
        let id = SessionId::new("apple").unwrap();
        // HMAC(HMAC("keyboard cat", "\xffsession cookie called shop.sid"), "apple").
        assert_eq!(
            secrets.sign(&id),
            "s:apple.7+OhAmA6JAlIfTO5GgACFQPdM9VkbfPyk5E6Uqv+CE8"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let secrets = Secrets::rotating(["keyboard cat", "b"]).unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(2 redacted)");
    }
}
