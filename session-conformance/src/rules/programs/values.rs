//! Texts that a store might change, cut, or take for one another.

use std::sync::Arc;

use crate::context::Context;
use crate::random::Random;

/// Which text: of one form, the variant of this number. Variants of a form differ as little as
/// texts can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    form: usize,
    variant: usize,
}

/// How many variants there are of each form.
const VARIANTS: usize = 3;

const FORMS: &[[&str; VARIANTS]] = &[
    [r#""v":"a""#, r#""v":"b""#, r#""v":"c""#],
    [r#""v":"Abc""#, r#""v":"abc""#, r#""v":"ABC""#],
    [r#""v":"x""#, r#""v":"x ""#, r#""v":" x""#],
    [r#""a":1,"b":2"#, r#""b":2,"a":1"#, r#""a":1, "b":2"#],
    [r#""v":1.0"#, r#""v":1"#, r#""v":1e0"#],
    [
        r#""v":9007199254740993"#,
        r#""v":9007199254740992"#,
        r#""v":0.1e-7"#,
    ],
    [
        "\"v\":\"caf\u{e9}\"",
        "\"v\":\"cafe\u{301}\"",
        "\"v\":\"cafe\"",
    ],
    [
        "\"v\":\"\u{1f600}\"",
        "\"v\":\"\u{1f601}\"",
        "\"v\":\"\u{1f468}\u{200d}\u{1f469}\"",
    ],
    [
        r#""v":"\u00e9\/""#,
        r#""v":"\u00E9\/""#,
        "\"v\":\"\u{e9}/\"",
    ],
    [r#""v":null"#, r#""v":{}"#, r#""v":[]"#],
    [
        r#""expires":1,"ttl":2"#,
        r#""id":"x","_id":1"#,
        r#""__proto__":{},"v":"$a.b""#,
    ],
    [
        r#""v":"'; DROP TABLE x; --""#,
        r#""v":"a\"b\\c""#,
        r#""v":"%s ? $1 {}""#,
    ],
    [r#""v":1,"v":2"#, r#""v":2,"v":1"#, r#""v":2"#],
];

/// Lengths in bytes of JSON at which a column, a counter or a page ends.
const LENGTHS: &[usize] = &[
    127, 128, 255, 256, 1_023, 1_024, 4_095, 4_096, 8_192, 16_384, 32_767, 32_768, 65_535, 65_536,
    65_537, 131_072,
];

impl Value {
    pub(super) fn any(random: &mut Random) -> Self {
        let form = match random.below(12) {
            // Long ones take their time.
            0 => FORMS.len() + random.below(LENGTHS.len()),
            1..=3 => 0,
            _ => random.below(FORMS.len()),
        };
        let variant = random.below(VARIANTS);
        Self { form, variant }
    }

    /// A plain value of another text.
    pub(super) fn plainer(self) -> Self {
        Self { form: 0, ..self }
    }

    /// Another text of the same form.
    pub(super) fn alike(self) -> Self {
        Self {
            variant: (self.variant + 1) % VARIANTS,
            ..self
        }
    }

    /// The session's JSON.
    pub(super) fn text(self, ctx: &Context) -> Arc<str> {
        // With a date, which the store's own expiry overrides: a cookie without one has no end,
        // whatever the store says.
        const COOKIE: &str =
            r#"{"cookie":{"originalMaxAge":60000,"expires":"2026-01-02T03:05:05.678Z"}"#;
        if let Some(form) = FORMS.get(self.form) {
            return format!("{COOKIE},{}}}", form[self.variant]).into();
        }
        let length = LENGTHS[(self.form - FORMS.len()) % LENGTHS.len()];
        let around = COOKIE.len() + r#","v":""}"#.len();
        let filler = ctx.fitting(length).saturating_sub(around + 1);
        // They differ in the last byte that is not the same in all of them.
        let last = ["x", "y", "z"][self.variant];
        let text = "0123456789abcdef".repeat(filler / 16 + 1);
        format!("{COOKIE},\"v\":\"{}{last}\"}}", &text[..filler]).into()
    }
}
