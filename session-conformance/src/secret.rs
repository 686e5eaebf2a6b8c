//! What must stand in no error and in no `Debug`, and whether it does.

use std::fmt::Write;

/// How many characters in a row of a long secret give it away.
const PIECE: usize = 16;

/// The secret parts of a text that a harness names: of a URL its user info, the password in it, as
/// it stands and decoded, and its query; everything of any other text. The host and the path of a
/// URL help an operator.
pub(crate) fn parts(secret: &str) -> Vec<String> {
    let Some((_, rest)) = secret.split_once("://") else {
        return vec![secret.to_owned()];
    };
    let mut parts = Vec::new();
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, query.split('#').next()),
        None => (rest, None),
    };
    let authority = rest.split(['/', '#']).next().unwrap_or_default();
    if let Some((user_info, _)) = authority.rsplit_once('@') {
        parts.push(user_info.to_owned());
        if let Some((_, password)) = user_info.split_once(':') {
            parts.extend([password.to_owned(), decoded(password)]);
        }
    }
    parts.extend(query.map(str::to_owned));
    parts.retain(|part| !part.is_empty());
    parts.sort();
    parts.dedup();
    parts
}

/// Percent codes replaced by their bytes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether `text` has the secret in it: the whole, a piece of 16 characters, or its bytes in hex.
pub(crate) fn gives_away(text: &str, secret: &str) -> bool {
    let hex = secret
        .bytes()
        .take(PIECE)
        .fold(String::new(), |mut hex, byte| {
            // Writing to a text does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    let pieces: Vec<&str> = match secret.is_ascii() && secret.len() > PIECE {
        true => (0..=secret.len() - PIECE)
            .map(|at| &secret[at..at + PIECE])
            .collect(),
        false => vec![secret],
    };
    let lower = text.to_ascii_lowercase();
    pieces.iter().any(|piece| text.contains(piece))
        || (secret.len() >= PIECE && lower.contains(&hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_user_info_and_the_query_are_secret() {
        for (url, wanted) in [
            ("redis://cache.internal.example:6379/0", vec![]),
            ("redis://:pass@cache:6379", vec![":pass", "pass"]),
            (
                "postgres://app:p%40ss@db/sessions?sslkey=/k#x",
                vec!["app:p%40ss", "p%40ss", "p@ss", "sslkey=/k"],
            ),
            ("https://token@host/path", vec!["token"]),
            ("correct horse", vec!["correct horse"]),
        ] {
            assert_eq!(parts(url), wanted, "{url}");
        }
    }

    #[test]
    fn an_error_may_name_the_host() {
        let error = "cannot connect to redis://cache.internal.example:6379/0: refused";
        let url = "redis://:hunter2hunter2@cache.internal.example:6379/0";
        let leaks = |text: &str| parts(url).iter().any(|part| gives_away(text, part));
        assert!(!leaks(error));
        assert!(leaks(&format!("{error} (password hunter2hunter2)")));
        assert!(leaks(url));
        // A piece of 16 characters of an id is as good as the whole.
        let id = "0123456789abcdefghijklmnopqrstuv";
        assert!(gives_away("..abcdefghijklmnop..", id));
        assert!(!gives_away("..abcdefghijklmno..", id));
    }
}
