//! Values as JSON: what is put in can be read again.

use std::io;
use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::Formatter;
use smallvec::SmallVec;

use super::inspect::inspect;
use super::written::Row;
use super::{FACTS, is_reserved};
use crate::format::error::shown;
use crate::{Error, ErrorKind, Result};

/// So deep may a value be nested. `serde_json` reads 127 levels, and the row around it is one.
const MAX_DEPTH: usize = 126;

/// The JSON of a value for `key`.
pub(crate) fn encode_value<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Arc<str>> {
    if is_reserved(key) {
        return Err(
            Error::new(ErrorKind::ReservedKey, "insert").with_message(format!(
                "`{}` belongs to the session object of express-session, which would erase it; \
                 choose another key",
                shown(key)
            )),
        );
    }
    if key == FACTS {
        return Err(
            Error::new(ErrorKind::ReservedKey, "insert").with_message(format!(
                "`{FACTS}` is what a session knows about itself; choose another key"
            )),
        );
    }
    json_text(value).map_err(|refusal| {
        Error::new(ErrorKind::Encode, "insert").with_message(format!(
            "the value of `{}` {}",
            shown(key),
            refusal.text()
        ))
    })
}

/// What is read from a value of another shape than the one that is wanted.
#[derive(Clone, Copy)]
pub(crate) enum OtherShape {
    Error,
    Absent,
}

/// The value of `key` from its JSON. `null` is no value, unless `T` has one for it.
pub(crate) fn decode_value<T: DeserializeOwned>(
    key: &str,
    json: Option<&str>,
    other_shape: OtherShape,
) -> Result<Option<T>> {
    let Some(json) = json else {
        return Ok(None);
    };
    let error = match serde_json::from_str(json) {
        Ok(value) => return Ok(Some(value)),
        Err(_) if json == "null" => return Ok(None),
        Err(error) => Error::from_json(ErrorKind::Decode, "get", &error).context(format_args!(
            "the value of `{}` cannot be read as {}",
            shown(key),
            std::any::type_name::<T>()
        )),
    };
    match other_shape {
        OtherShape::Error => Err(error),
        OtherShape::Absent => {
            tracing::debug!(%error, "a value of another shape is taken for none");
            Ok(None)
        }
    }
}

/// The JSON of a key.
pub(super) fn encode_key(key: &str) -> Arc<str> {
    let mut json = Buffer::default();
    let written = serde_json::to_writer(&mut json, key);
    debug_assert!(written.is_ok(), "a str always has a JSON form");
    json.text().into()
}

/// Why a value cannot be stored.
#[derive(Debug)]
enum Refusal {
    NotFinite,
    TooDeep,
    RepeatedKey,
    /// By `serde_json`.
    NoJson(serde_json::Error),
}

impl Refusal {
    fn text(&self) -> String {
        match self {
            Self::NotFinite => {
                "holds a number that is NaN or infinite, for which JSON has no form".to_owned()
            }
            Self::TooDeep => {
                format!("is nested deeper than {MAX_DEPTH} levels, and could not be read again")
            }
            Self::RepeatedKey => "holds an object with the same key twice (a flattened map beside \
                                  a field of that name?), and could not be read again"
                .to_owned(),
            // A text of serde_json's own: about a key that is no string.
            Self::NoJson(error) if error.is_syntax() => format!("has no JSON form: {error}"),
            // A text of the type's, which may quote the value.
            Self::NoJson(_) => "was refused by its `Serialize`".to_owned(),
        }
    }
}

fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<Arc<str>, Refusal> {
    let mut text = Buffer::default();
    let mut watch = Watch::default();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, &mut watch);
    let written = value.serialize(&mut serializer);
    if watch.too_deep {
        return Err(Refusal::TooDeep);
    }
    written.map_err(Refusal::NoJson)?;
    // A number that is not finite is written as null, which only the value's Serialize tells apart
    // from others; it also knows most objects for structs, which repeat no key.
    if watch.null || watch.several_keys {
        let found = inspect(value).ok_or(Refusal::NotFinite)?;
        watch.several_keys &= found.may_repeat_keys;
    }
    let text = text.text();
    if watch.several_keys || watch.raw {
        check_nesting(text)?;
    }
    Ok(text.into())
}

/// Most texts are short: written on the stack first, they are allocated once.
#[derive(Default)]
struct Buffer {
    short: ArrayVec<u8, 128>,
    /// All of the text, once it does not fit there.
    long: Vec<u8>,
}

impl Buffer {
    /// What was written, which is text: `serde_json` writes no other.
    fn text(&self) -> &str {
        let bytes = if self.long.is_empty() {
            &self.short[..]
        } else {
            &self.long
        };
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl io::Write for Buffer {
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.long.is_empty() {
            if self.short.try_extend_from_slice(bytes).is_ok() {
                return Ok(());
            }
            self.long.reserve(2 * self.short.capacity() + bytes.len());
            self.long.extend_from_slice(&self.short);
        }
        self.long.extend_from_slice(bytes);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes JSON without spaces, and notes what has to be looked into before it is stored.
#[derive(Default)]
struct Watch {
    depth: usize,
    too_deep: bool,
    null: bool,
    /// Whether an object has more than one key.
    several_keys: bool,
    /// Whether a piece of finished JSON was put in.
    raw: bool,
}

impl Watch {
    /// Fails before a value that is nested without end overflows the stack.
    fn enter(&mut self) -> io::Result<()> {
        self.depth += 1;
        self.too_deep |= self.depth > MAX_DEPTH;
        if self.too_deep {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(())
    }
}

impl Formatter for &mut Watch {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.null = true;
        writer.write_all(b"null")
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn begin_object_key<W>(&mut self, writer: &mut W, first: bool) -> io::Result<()>
    where
        W: io::Write + ?Sized,
    {
        if first {
            return Ok(());
        }
        self.several_keys = true;
        writer.write_all(b",")
    }

    fn write_raw_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: io::Write + ?Sized,
    {
        self.raw = true;
        writer.write_all(fragment.as_bytes())
    }
}

/// Checks how deep `json` is nested, and that no object in it has a key twice.
fn check_nesting(json: &str) -> Result<(), Refusal> {
    let mut row = Row::new(json);
    match row.byte() {
        b'{' | b'[' => check_structure(&mut row, 1),
        _ => Ok(()),
    }
}

/// Checks the object or array that `row` stands at, and goes behind it.
fn check_structure(row: &mut Row<'_>, depth: usize) -> Result<(), Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::TooDeep);
    }
    let is_object = row.byte() == b'{';
    let mut keys = SmallVec::<[&[u8]; 16]>::new();
    let mut before_key = is_object;
    row.skip_byte();
    loop {
        match row.byte() {
            b'"' => {
                let string = row.string();
                if std::mem::take(&mut before_key) {
                    keys.push(string);
                }
            }
            b'{' | b'[' => check_structure(row, depth + 1)?,
            b'}' | b']' => break row.skip_byte(),
            _ if row.is_at_end() => break,
            byte => {
                before_key |= is_object && byte == b',';
                row.skip_byte();
            }
        }
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::RepeatedKey);
    }
    Ok(())
}
