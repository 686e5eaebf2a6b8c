//! The page, as HTML text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// The longest name that signs in, in characters.
pub(crate) const LONGEST_NAME: usize = 40;
/// How long "remember me" lasts.
pub(crate) const REMEMBER: Duration = Duration::from_secs(30 * DAY);

const DAY: u64 = 86_400;

/// What one visit shows.
pub(crate) struct View<'a> {
    pub(crate) views: u64,
    pub(crate) user: Option<&'a str>,
    pub(crate) remembered: bool,
    /// How long the session lives after this visit; `None` is until the browser closes.
    pub(crate) remaining: Option<Duration>,
    /// How long it had left when the visit arrived; `None` for a new session.
    pub(crate) arrived_with: Option<Duration>,
    /// Tells sessions apart without showing an id.
    pub(crate) fingerprint: u32,
    /// The `Set-Cookie` of this session, with any text as the value.
    pub(crate) set_cookie: &'a str,
    /// A name that could not sign in, and why.
    pub(crate) refused: Option<(&'a str, &'a str)>,
    /// Where the sessions are, as in "in memory", and whether they outlast the demo.
    pub(crate) place: &'a str,
    pub(crate) durable: bool,
}

impl View<'_> {
    pub(crate) fn to_html(&self) -> String {
        let (cookie, attributes) = self
            .set_cookie
            .split_once(';')
            .unwrap_or((self.set_cookie, ""));
        let (name, _) = cookie.split_once('=').unwrap_or((cookie, ""));
        format!(
            include_str!("page.html"),
            views = self.views,
            views_size = if self.views < 1_000 { "" } else { "long" },
            views_unit = if self.views == 1 { "view" } else { "views" },
            remaining = self
                .remaining
                .map_or(String::new(), |left| left.as_millis().to_string()),
            fingerprint = format_args!("{:08x}", self.fingerprint),
            badge = badge(self.fingerprint),
            expires_label = if self.remaining.is_some() {
                "expires in"
            } else {
                "expires when"
            },
            expires = self
                .remaining
                .map_or("you close the browser".to_owned(), words),
            story = self.story(),
            you = self.you(),
            cookie_name = escape(name),
            attributes = rows(attributes),
            place = escape(self.place),
            afterwards = if self.durable {
                "When the demo is started again, every session goes on."
            } else {
                "When the demo stops, every session ends."
            },
        )
    }

    fn story(&self) -> String {
        match (self.arrived_with, self.remaining) {
            _ if self.views == 1 => "Welcome to the session demo. Reload the page: the number is kept on the server, in your session.".to_owned(),
            (Some(arrived), Some(remaining)) => format!(
                "When this visit arrived, the session had {} left. Every visit puts that back to {}.",
                words(arrived),
                words(remaining)
            ),
            _ => "The number is kept on the server, in your session.".to_owned(),
        }
    }

    fn you(&self) -> String {
        if let Some(user) = self.user {
            let remembered = if self.remembered {
                format!(
                    "You are remembered: your cookie lasts {} instead of ending soon after your last visit.",
                    words(REMEMBER)
                )
            } else {
                "You got a new session id when you signed in; your views came with you.".to_owned()
            };
            return format!(
                include_str!("signed-in.html"),
                user = escape(user),
                remembered = remembered
            );
        }
        let (draft, invalid, problem) = match self.refused {
            Some((draft, why)) => (
                escape(draft),
                r#" aria-invalid="true" aria-describedby="problem" autofocus"#,
                format!(r#"<p class="problem" id="problem">{}</p>"#, escape(why)),
            ),
            None => (String::new(), "", String::new()),
        };
        format!(
            include_str!("signed-out.html"),
            longest = LONGEST_NAME,
            draft = draft,
            invalid = invalid,
            problem = problem,
            remember = words(REMEMBER)
        )
    }
}

/// A page that says one thing, and leads back.
pub(crate) fn plain(title: &str, text: &str) -> String {
    format!(
        include_str!("plain.html"),
        title = escape(title),
        text = escape(text)
    )
}

/// The cookie's attributes, those that are missing too: that is what one looks for.
fn rows(attributes: &str) -> String {
    let mut rows = String::new();
    let attributes: Vec<_> = attributes.split(';').map(str::trim).collect();
    for name in ["Path", "Expires", "HttpOnly", "SameSite", "Secure"] {
        let found = attributes.iter().find_map(|attribute| {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, "yes"));
            (key == name).then_some(value)
        });
        let value = match (name, found) {
            (_, Some(value)) => format!("<code>{}</code>", escape(value)),
            ("Expires", None) => r#"<span class="off">when the browser closes</span>"#.to_owned(),
            ("Secure", None) => {
                r#"<span class="off">no: the demo speaks plain HTTP</span>"#.to_owned()
            }
            (_, None) => r#"<span class="off">no</span>"#.to_owned(),
        };
        let _ = write!(rows, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    rows
}

/// A symmetric pattern of five by five, so that an eye sees at once that the session is another.
fn badge(fingerprint: u32) -> String {
    let mut svg = String::from(r#"<svg viewBox="0 0 5 5" aria-hidden="true">"#);
    for cell in 0..15_u32 {
        if fingerprint >> cell & 1 == 1 {
            let (x, y) = (cell % 3, cell / 3);
            for x in BTreeSet::from([x, 4 - x]) {
                let _ = write!(svg, r#"<rect x="{x}" y="{y}" width="1" height="1"/>"#);
            }
        }
    }
    svg + "</svg>"
}

/// A duration as script.js words it, too.
fn words(duration: Duration) -> String {
    let seconds = duration.as_millis().div_ceil(1_000);
    for (size, unit) in [(86_400, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds >= 2 * size {
            return format!("{}\u{a0}{unit}", (seconds + size / 2) / size);
        }
    }
    format!("{seconds}\u{a0}s")
}

/// Text for between tags and within double quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
