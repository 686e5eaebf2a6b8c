use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::Serialize;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::{Error, ErrorKind, Result, SessionCookie};

/// Top-level keys that express-session keeps for itself or that every JavaScript object has: Node
/// skips them when it loads a row and so erases them with its next save (EXPRESS 1.19, found by
/// running it).
const RESERVED_KEYS: [&str; 21] = [
    "cookie",
    "req",
    "id",
    "touch",
    "resetMaxAge",
    "save",
    "reload",
    "destroy",
    "regenerate",
    "constructor",
    "toString",
    "toLocaleString",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "__proto__",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

/// A session's data: its top-level keys in order, each with its value as raw JSON text.
///
/// A value that nobody touches keeps the text it was read with: `1.0`, integers above 2^53 and
/// escapes go back byte for byte as Node wrote them.
///
/// ```
/// use session_core::Data;
///
/// # fn main() -> session_core::Result<()> {
/// let mut data = Data::new();
/// data.insert("views", &1)?;
/// assert_eq!(data.get::<u32>("views")?, Some(1));
/// assert_eq!(data.raw("views"), Some("1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Data {
    /// The text that spans point into.
    source: Option<Arc<str>>,
    entries: Vec<Entry>,
    /// How many entries the source has.
    source_len: usize,
    /// How many entries stand before the `cookie` key; Node keeps its place.
    cookie_at: usize,
}

#[derive(Clone)]
struct Entry {
    /// The key as JSON, with its quotes.
    key: Text,
    value: Text,
    /// The place among the source's entries and the value there.
    origin: Option<(u32, Span)>,
}

/// A piece of the source.
#[derive(Clone, Copy)]
struct Span(u32, u32);

impl Span {
    fn of(self, source: Option<&Arc<str>>) -> &str {
        source
            .and_then(|text| text.get(self.0 as usize..self.1 as usize))
            .unwrap_or_default()
    }
}

#[derive(Clone)]
enum Text {
    Source(Span),
    Own(Arc<str>),
}

impl Text {
    fn of<'a>(&'a self, source: Option<&'a Arc<str>>) -> &'a str {
        match self {
            Self::Source(span) => span.of(source),
            Self::Own(text) => text,
        }
    }
}

/// The text of a key between its quotes; `None` for one that only JavaScript can hold (half a
/// surrogate pair).
fn decode_key(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    json.get(1..json.len().checked_sub(1)?).map(Cow::Borrowed)
}

impl Data {
    /// No data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.raw(key)
            .map(|json| decode_value(key, json))
            .transpose()
    }

    /// The value of `key` as JSON text.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&str> {
        let entry = &self.entries[self.position(key)?];
        Some(entry.value.of(self.source.as_ref()))
    }

    /// Sets `key`. A key that exists keeps its place; a new one goes to the end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedKey`] for a key that Node would erase, [`ErrorKind::Encode`] if the
    /// value has no JSON form.
    pub fn insert<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        let value = encode_value(key, value)?;
        self.insert_text(key, value);
        Ok(())
    }

    /// Removes `key`; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(at) = self.position(key) else {
            return false;
        };
        self.entries.remove(at);
        if at < self.cookie_at {
            self.cookie_at -= 1;
        }
        true
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.cookie_at = 0;
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> + '_ {
        self.iter().map(|(key, _)| key)
    }

    /// The keys with their values as JSON text, in order. A key that is not Unicode (half a
    /// surrogate pair from JavaScript) is kept, but not shown.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> + '_ {
        self.raw_entries()
            .filter_map(|(key, value)| Some((decode_key(key)?, value)))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps only `keys`.
    pub(crate) fn retain(&mut self, keys: &[String]) {
        let source = self.source.take();
        let mut before_cookie = 0;
        let mut index = 0;
        self.entries.retain(|entry| {
            let key = decode_key(entry.key.of(source.as_ref()));
            let kept = key.is_some_and(|key| keys.iter().any(|keep| *keep == key));
            before_cookie += usize::from(kept && index < self.cookie_at);
            index += 1;
            kept
        });
        self.cookie_at = before_cookie;
        self.source = source;
    }

    pub(crate) fn insert_text(&mut self, key: &str, value: Arc<str>) {
        let value = Text::Own(value);
        match self.position(key) {
            Some(at) => self.entries[at].value = value,
            None => {
                // A str always has a JSON form.
                let key = Text::Own(serde_json::to_string(key).unwrap_or_default().into());
                self.entries.push(Entry {
                    key,
                    value,
                    origin: None,
                });
            }
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.raw_entries()
            .position(|(json, _)| match json.as_bytes() {
                [b'"', inner @ .., b'"'] if inner == key.as_bytes() => !key.contains('\\'),
                _ => json.contains('\\') && decode_key(json).is_some_and(|decoded| decoded == key),
            })
    }

    fn raw_entries(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let source = self.source.as_ref();
        self.entries
            .iter()
            .map(move |entry| (entry.key.of(source), entry.value.of(source)))
    }

    /// Whether keys, their order or their values differ from the text that the data was read from.
    pub(crate) fn differs_from_source(&self) -> bool {
        let source = self.source.as_ref();
        self.entries.len() != self.source_len
            || self
                .entries
                .iter()
                .enumerate()
                .any(|(index, entry)| match entry.origin {
                    Some((origin, span)) => {
                        origin as usize != index || entry.value.of(source) != span.of(source)
                    }
                    None => true,
                })
    }

    /// Forgets how the data differs from its source, which is no longer the one to compare with.
    pub(crate) fn detach(&mut self) {
        self.source_len = usize::MAX;
    }

    /// Reads a row's data and its cookie.
    pub(crate) fn parse(source: &Arc<str>) -> Result<(Self, SessionCookie)> {
        if u32::try_from(source.len()).is_err() {
            return Err(Error::new(ErrorKind::TooLarge, "decode")
                .with_message("a session's JSON may have 4 GiB at most"));
        }
        let (data, cookie) = Self::members::<SessionCookie>(source)
            .map_err(|error| Error::from_json(ErrorKind::Decode, "decode", &error))?;
        let cookie = cookie.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "decode").with_message(
                "the row has no `cookie` object; every session of express-session has one",
            )
        })?;
        Ok((data, cookie))
    }

    /// Reads a row's data once more; the row was read before, so it is known to be well-formed.
    pub(crate) fn reparse(source: &Arc<str>) -> Self {
        Self::members::<IgnoredAny>(source)
            .map(|(data, _)| data)
            .unwrap_or_default()
    }

    /// Reads a row's data, and its cookie as a `C`.
    fn members<'s, C: Deserialize<'s>>(
        source: &'s Arc<str>,
    ) -> serde_json::Result<(Self, Option<C>)> {
        let mut row = serde_json::Deserializer::from_str(source);
        let members = RowVisitor {
            source,
            cookie: PhantomData,
        }
        .deserialize(&mut row)?;
        row.end()?;
        Ok(members)
    }

    /// Takes a member of the source.
    fn read(&mut self, name: Option<&str>, key: Text, value: Span) {
        if name.is_some_and(is_reserved) {
            return;
        }
        // JavaScript gives a repeated key its last value in its first place.
        let seen = name.and_then(|name| self.position(name));
        let index = seen.unwrap_or(self.entries.len());
        let key = seen.map_or(key, |at| self.entries[at].key.clone());
        // A text of at most 4 GiB has fewer entries than that.
        let origin = u32::try_from(index).ok().map(|index| (index, value));
        let entry = Entry {
            key,
            value: Text::Source(value),
            origin,
        };
        match seen {
            Some(at) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
        self.source_len = self.entries.len();
    }

    /// The row's JSON, with `cookie` in its place.
    pub(crate) fn to_json(&self, cookie: &SessionCookie) -> String {
        let size: usize = self
            .raw_entries()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        let mut out = String::with_capacity(size + 128);
        out.push('{');
        let write_cookie = |out: &mut String, index: usize| {
            if index == self.cookie_at {
                out.push_str("\"cookie\":");
                cookie.write_json(out);
                out.push(',');
            }
        };
        for (index, (key, value)) in self.raw_entries().enumerate() {
            write_cookie(&mut out, index);
            out.push_str(key);
            out.push(':');
            out.push_str(value);
            out.push(',');
        }
        write_cookie(&mut out, self.entries.len());
        out.pop();
        out.push('}');
        out
    }
}

/// Two data are equal if they have the same keys in the same order with the same JSON texts.
impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.raw_entries().eq(other.raw_entries())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} keys)", self.len())
    }
}

/// Whether Node would erase `key` from a session's data.
pub(crate) fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.contains(&key)
}

/// The JSON of a value for `key`.
pub(crate) fn encode_value<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Arc<str>> {
    if is_reserved(key) {
        return Err(
            Error::new(ErrorKind::ReservedKey, "insert").with_message(format!(
                "`{key}` belongs to the session object of express-session, which would erase it; \
             choose another key"
            )),
        );
    }
    // Most values are short: written on the stack first, they are allocated once.
    let mut short = ArrayVec::<u8, 128>::new();
    if serde_json::to_writer(&mut short, value).is_ok()
        && let Ok(text) = std::str::from_utf8(&short)
    {
        return Ok(text.into());
    }
    serde_json::to_string(value)
        .map(Arc::from)
        .map_err(|error| Error::from_json(ErrorKind::Encode, "insert", &error))
}

/// The value of `key` from its JSON.
pub(crate) fn decode_value<T: DeserializeOwned>(key: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let wanted = std::any::type_name::<T>();
        Error::from_json(ErrorKind::Decode, "get", &error).context(format_args!(
            "the value of `{key}` cannot be read as {wanted}"
        ))
    })
}

/// Reads a row in one pass: the places of its members, and its cookie.
struct RowVisitor<'s, C> {
    source: &'s Arc<str>,
    cookie: PhantomData<C>,
}

impl<C> RowVisitor<'_, C> {
    /// Where `part`, a piece of the source, lies in it. The source's length fits into an `u32`.
    fn span(&self, part: &RawValue) -> Span {
        let start = part.get().as_ptr() as usize - self.source.as_ptr() as usize;
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span(place(start), place(start + part.get().len()))
    }
}

impl<'de, C: Deserialize<'de>> DeserializeSeed<'de> for RowVisitor<'de, C> {
    type Value = (Data, Option<C>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, C: Deserialize<'de>> Visitor<'de> for RowVisitor<'de, C> {
    type Value = (Data, Option<C>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = Data {
            source: Some(Arc::clone(self.source)),
            ..Data::new()
        };
        let mut cookie = None;
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let name = decode_key(key.get());
            if name.as_deref() == Some("cookie") {
                if cookie.is_none() {
                    data.cookie_at = data.entries.len();
                }
                cookie = Some(map.next_value()?);
            } else {
                let value = self.span(map.next_value()?);
                data.read(name.as_deref(), Text::Source(self.span(key)), value);
            }
        }
        Ok((data, cookie))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: &str =
        r#""cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;

    fn rewrite(row: &str) -> String {
        let (data, cookie) = Data::parse(&row.into()).unwrap();
        data.to_json(&cookie)
    }

    #[test]
    fn what_nobody_touches_goes_back_byte_for_byte() {
        let deep = format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000));
        let members = [
            r#""float":1.0,"small":1e-7,"minus":-0,"huge":123456789012345678901234567890"#,
            r#""lone":"\ud800","pair":"\ud83d\ude00","line":"\u2028","nul":"\u0000""#,
            r#""spaced": {"a" : [1, 2]} "#,
            r#""a.b":1,"$c":2,"q\"uote":3,"\u00e9":4,"\ud800":5,"":6"#,
            r#""10":1,"2":2"#,
            &format!(r#""deep":{deep}"#),
        ];
        for member in members {
            let row = format!("{{{COOKIE},{}}}", member.trim());
            // Spaces between tokens are not part of a value, those within are.
            let expected = row.replace(r#""spaced": {"#, r#""spaced":{"#);
            assert_eq!(rewrite(&row), expected);
        }
    }

    #[test]
    fn the_cookie_keeps_its_place() {
        for row in [
            format!(r#"{{"a":1,{COOKIE},"b":2}}"#),
            format!(r#"{{"a":1,"b":2,{COOKIE}}}"#),
            format!(r#"{{{COOKIE}}}"#),
        ] {
            assert_eq!(rewrite(&row), row);
        }
        let (mut data, cookie) =
            Data::parse(&format!(r#"{{"a":1,{COOKIE},"b":2}}"#).into()).unwrap();
        assert!(data.remove("a"));
        data.insert("c", &3).unwrap();
        assert_eq!(
            data.to_json(&cookie),
            format!(r#"{{{COOKIE},"b":2,"c":3}}"#)
        );
    }

    #[test]
    fn a_repeated_key_has_its_last_value_in_its_first_place() {
        let row = format!(r#"{{{COOKIE},"a":1,"b":2,"a":3,"\u0061":4}}"#);
        assert_eq!(rewrite(&row), format!(r#"{{{COOKIE},"a":4,"b":2}}"#));
    }

    #[test]
    fn reserved_keys_vanish_on_load_and_are_refused_on_insert() {
        let row = format!(r#"{{"id":"x",{COOKIE},"toString":1,"__proto__":{{"a":1}},"ok":1}}"#);
        assert_eq!(rewrite(&row), format!(r#"{{{COOKIE},"ok":1}}"#));
        for key in RESERVED_KEYS {
            let error = Data::new().insert(key, &1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ReservedKey);
            assert!(error.to_string().contains("choose another key"));
        }
    }

    #[test]
    fn keys_are_found_by_their_meaning() {
        let row = format!(r#"{{{COOKIE},"\u00e9":1,"a\\b":2,"q\"":3,"\ud800":4}}"#);
        let (mut data, _) = Data::parse(&row.into()).unwrap();
        assert_eq!(data.get::<u8>("é").unwrap(), Some(1));
        assert_eq!(data.get::<u8>("a\\b").unwrap(), Some(2));
        assert_eq!(data.get::<u8>("q\"").unwrap(), Some(3));
        assert_eq!(data.raw("\\ud800"), None);
        assert_eq!(data.raw(r"\u00e9"), None);
        assert_eq!(data.len(), 4);
        assert_eq!(data.keys().collect::<Vec<_>>(), ["é", "a\\b", "q\""]);
        data.insert("é", &5).unwrap();
        data.insert("new\n", &6).unwrap();
        assert_eq!(data.get::<u8>("é").unwrap(), Some(5));
        assert_eq!(data.raw("new\n"), Some("6"));
        assert_eq!(data.len(), 5);
    }

    #[test]
    fn retain_keeps_the_order_and_the_cookies_place() {
        let row = format!(r#"{{"a":1,"b":2,{COOKIE},"c":3,"d":4}}"#);
        let (mut data, cookie) = Data::parse(&row.into()).unwrap();
        data.retain(&["d".into(), "b".into(), "none".into()]);
        assert_eq!(
            data.to_json(&cookie),
            format!(r#"{{"b":2,{COOKIE},"d":4}}"#)
        );
    }

    #[test]
    fn a_difference_from_the_source_is_one_of_content() {
        let row = format!(r#"{{{COOKIE},"a":1,"b":2,"a":3}}"#);
        let (original, _) = Data::parse(&row.into()).unwrap();
        let after = |edit: fn(&mut Data)| {
            let mut data = original.clone();
            edit(&mut data);
            data.differs_from_source()
        };
        assert!(!after(|_| ()));
        assert!(!after(|data| data.insert("a", &3).unwrap()));
        assert!(after(|data| data.insert("a", &1).unwrap()));
        assert!(!after(|data| {
            data.insert("a", &1).unwrap();
            data.insert("a", &3).unwrap();
            data.insert("c", &1).unwrap();
            data.remove("c");
        }));
        assert!(after(|data| assert!(data.remove("a"))));
        assert!(after(|data| {
            data.remove("a");
            data.insert("a", &3).unwrap();
        }));
        assert!(after(|data| {
            data.remove("b");
            data.insert("c", &2).unwrap();
        }));
        assert!(after(Data::clear));
        assert!(!Data::new().differs_from_source());
    }

    #[test]
    fn rows_that_are_no_sessions_are_refused_without_showing_them() {
        for row in [
            "",
            "null",
            "[1]",
            "1",
            "\"secret\"",
            r#"{"a":"secret"}"#,
            r#"{"cookie":null}"#,
            r#"{"cookie":"secret"}"#,
            r#"{"cookie":1}"#,
            r#"{"cookie":{}} trailing"#,
            r#"{"cookie":{},"a":secret}"#,
            r#"{"cookie":{}"#,
            r#"{"cookie":{"path":}}"#,
        ] {
            let error = Data::parse(&row.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{row}");
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_named_but_not_shown() {
        let mut data = Data::new();
        data.insert("name", "hunter2").unwrap();
        let error = data.get::<u32>("name").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        let text = format!("{error} {error:?}");
        assert!(text.contains("`name` cannot be read as u32"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(
            data.get::<Option<String>>("name")
                .unwrap()
                .flatten()
                .as_deref(),
            Some("hunter2")
        );
    }
}
