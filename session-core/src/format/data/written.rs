//! Reading a row again that this crate wrote: nothing in it has to be checked any more.

use std::sync::Arc;

use memchr::memchr2;

use super::Data;
use super::entries::Span;

/// The cookie's key as [`Data::to_json`] writes it; no other key of such a row means the same.
const COOKIE: &str = "\"cookie\"";

impl Data {
    /// The data of a row that [`to_json`](Data::to_json) wrote: valid JSON with no spaces between
    /// the row's own tokens, no reserved key and none that can be decoded twice.
    pub(crate) fn from_written(source: &Arc<str>) -> Self {
        let mut row = Row::new(source);
        row.at = 1;
        let mut data = Self {
            source: Some(Arc::clone(source)),
            ..Self::new()
        };
        while row.byte() == b'"' {
            let key = row.span(Row::skip_string);
            row.at += 1;
            let value = row.span(Row::skip_value);
            row.at += 1;
            if key.of(data.source.as_ref()) == COOKIE {
                data.entries.place_cookie();
            } else {
                data.push(key, value);
            }
        }
        data
    }

    /// Whether a row that [`to_json`](Data::to_json) wrote holds just this.
    pub(crate) fn is_written_in(&self, text: &str) -> bool {
        let mut row = Row::new(text);
        row.at = 1;
        let mut entries = self.raw_entries();
        while row.byte() == b'"' {
            let start = row.at;
            row.skip_string();
            let key = text.get(start..row.at);
            row.at += 1;
            let start = row.at;
            row.skip_value();
            let value = text.get(start..row.at);
            row.at += 1;
            if key != Some(COOKIE) && entries.next() != key.zip(value) {
                return false;
            }
        }
        entries.next().is_none()
    }
}

/// Valid JSON, and a place in it.
pub(super) struct Row<'s> {
    text: &'s [u8],
    at: usize,
}

impl<'s> Row<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or_default()
    }

    pub(super) fn skip_byte(&mut self) {
        self.at += 1;
    }

    /// The string here, as it is written; the place is then behind it.
    pub(super) fn string(&mut self) -> &'s [u8] {
        let start = self.at;
        self.skip_string();
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn span(&mut self, skip: impl Fn(&mut Self)) -> Span {
        let start = self.at;
        skip(self);
        Span::new(start, self.at)
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(found) = self
            .text
            .get(self.at..)
            .and_then(|rest| memchr2(b'"', b'\\', rest))
        {
            self.at += found + 1;
            if self.text[self.at - 1] == b'"' {
                return;
            }
            self.at += 1;
        }
    }

    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        return;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                // The end of the structure, or of the row behind a number or a word.
                b'}' | b']' | b',' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return;
                    }
                }
                _ if self.is_at_end() => return,
                _ => {}
            }
            self.at += 1;
        }
    }
}
