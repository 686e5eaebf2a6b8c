use session_core::{Error, ErrorKind, Result};

/// The identifiers of a store's statements, checked.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    pub(crate) id: String,
    pub(crate) data: String,
    pub(crate) end: String,
    /// A literal of SQL.
    pub(crate) zone: String,
}

impl Names {
    /// The name of the index of expiries: for its table, that of connect-pg-simple.
    pub(crate) fn index(&self) -> String {
        format!("IDX_{}_{}", self.table, self.end)
    }

    pub(crate) fn check(&self, longest: usize) -> Result<()> {
        for (what, name) in [
            ("schema", self.schema.as_ref()),
            ("table", Some(&self.table)),
            ("id column", Some(&self.id)),
            ("data column", Some(&self.data)),
            ("expiry column", Some(&self.end)),
        ] {
            let Some(name) = name else { continue };
            if name.is_empty() || name.contains('\0') {
                return Err(config(format!(
                    "the name of the {what} is empty or has a NUL in it"
                )));
            }
            if name.len() > longest {
                return Err(config(format!(
                    "the name of the {what} has {} bytes, and the database allows {longest}",
                    name.len()
                )));
            }
        }
        let index = self.index().len();
        if index > longest {
            return Err(config(format!(
                "the names of the table and of the expiry column make an index name of {index} \
                 bytes, and the database allows {longest}"
            )));
        }
        let columns = [&self.id, &self.data, &self.end];
        if columns[0] == columns[1] || columns[0] == columns[2] || columns[1] == columns[2] {
            return Err(config("two columns have the same name"));
        }
        Ok(())
    }
}

/// The literal of a time zone's name.
pub(crate) fn zone(name: &str) -> Result<String> {
    // +02:00 and UTC+2 are names, too, in POSIX's way: of zones to the west.
    let (area, rest) = name.split_once('/').unwrap_or((name, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let known = area.starts_with(|c: char| c.is_ascii_alphabetic())
        && area.chars().all(plain)
        && rest.chars().all(|c| plain(c) || "/+-".contains(c));
    if name.len() > 64 || !known {
        return Err(config(
            "the time zone must be a name such as Europe/Berlin, America/New_York or UTC",
        ));
    }
    Ok(format!("'{name}'"))
}

pub(crate) fn config(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, "connect").with_message(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &str, end: &str) -> Names {
        Names {
            schema: None,
            table: table.into(),
            id: "sid".into(),
            data: "sess".into(),
            end: end.into(),
            zone: "'UTC'".into(),
        }
    }

    #[test]
    fn names_are_checked() {
        for good in ["session", "a\"b", "a`b; DROP TABLE x", "{id}", "ü", "a b"] {
            names(good, "expire").check(63).unwrap();
        }
        for (table, end, word) in [
            ("", "expire", "empty"),
            ("a\0b", "expire", "NUL"),
            (&*"x".repeat(64), "expire", "64 bytes"),
            (&"x".repeat(60), "expire", "index"),
            ("session", "sid", "same name"),
        ] {
            let error = names(table, end).check(63).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_time_zone_is_a_name() {
        assert_eq!(zone("America/New_York").unwrap(), "'America/New_York'");
        assert_eq!(zone("Etc/GMT-2").unwrap(), "'Etc/GMT-2'");
        let long = "x".repeat(65);
        for bad in [
            "", "UTC'", "a b", "x;y", "\0", "+02:00", "UTC+2", "<a>-2", "/x", &long,
        ] {
            assert_eq!(zone(bad).unwrap_err().kind(), ErrorKind::Config);
        }
    }
}
