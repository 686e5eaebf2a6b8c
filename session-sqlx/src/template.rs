//! Statement texts: templates in which words in braces stand for names, parameters and the pieces
//! in which table layouts differ.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::dialect::Dialect;
use crate::layout::Layout;
use crate::names::Names;

/// What a parameter of a statement stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Id,
    /// The id after which a page begins.
    After,
    Data,
    Old,
    Expires,
    Now,
    Limit,
}

impl Parameter {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "id" => Self::Id,
            "after" => Self::After,
            "data" => Self::Data,
            "old" => Self::Old,
            "expires" => Self::Expires,
            "now" => Self::Now,
            "limit" => Self::Limit,
            _ => return None,
        })
    }
}

/// What a statement does to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing, and may be sent again if its answer does not come.
    Reads,
    Writes,
}

/// A statement's text, built once, and its parameters in the order in which the driver wants them.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) text: SqlStr,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) effect: Effect,
}

impl Statement {
    pub(crate) fn new(
        template: &str,
        effect: Effect,
        dialect: &'static Dialect,
        layout: &Layout,
        names: &Names,
    ) -> Self {
        let mut renderer = Renderer {
            dialect,
            layout,
            names,
            text: String::new(),
            parameters: Vec::new(),
        };
        renderer.render(template, "");
        let text: std::sync::Arc<str> = renderer.text.into();
        Self {
            // Names are checked and quoted, values are parameters.
            text: AssertSqlSafe(text).into_sql_str(),
            parameters: renderer.parameters,
            effect,
        }
    }
}

struct Renderer<'a> {
    dialect: &'static Dialect,
    layout: &'a Layout,
    names: &'a Names,
    text: String,
    parameters: Vec<Parameter>,
}

impl Renderer<'_> {
    /// Appends `template`; its columns are those of `qualifier`.
    fn render(&mut self, template: &str, qualifier: &str) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            self.text.push_str(before);
            let (word, after) = after.split_once('}').unwrap_or((after, ""));
            self.word(word, qualifier);
            rest = after;
        }
        self.text.push_str(rest);
    }

    fn word(&mut self, word: &str, qualifier: &str) {
        if let Some(parameter) = Parameter::of(word) {
            return self.parameter(parameter);
        }
        let (layout, names) = (self.layout, self.names);
        match word {
            // A row that is there already, in an upsert.
            "kept live" => self.render(layout.live, "kept."),
            "live" => self.render(layout.live, qualifier),
            "same" => self.render(layout.same, qualifier),
            "data in" => self.render(layout.data_in, qualifier),
            "data out" => self.render(layout.data_out, qualifier),
            "end in" => self.render(layout.end_in, qualifier),
            "end out" => self.render(layout.end_out, qualifier),
            "zone" => self.text.push_str(&names.zone),
            "table" => {
                if let Some(schema) = &names.schema {
                    self.quoted(schema);
                    self.text.push('.');
                }
                self.quoted(&names.table);
            }
            "schema hex" => {
                let schema = names.schema.as_deref().unwrap_or_default();
                self.hex(schema);
            }
            "table hex" => self.hex(&names.table),
            "sid hex" => self.hex(&names.id),
            "json hex" => self.hex(&names.data),
            "end hex" => self.hex(&names.end),
            // After the table's name, in a function of SQLite.
            "in schema" => {
                if let Some(schema) = &names.schema {
                    self.text.push_str(", CAST(X'");
                    self.hex(schema);
                    self.text.push_str("' AS TEXT)");
                }
            }
            // The table as a statement names it, in its quotes.
            "quoted table hex" => {
                let start = self.text.len();
                self.word("table", "");
                let name = self.text.split_off(start);
                self.hex(&name);
            }
            "bare table" => self.quoted(&names.table),
            "index" => self.quoted(&names.index()),
            "index hex" => self.hex(&names.index()),
            "schema." => {
                if let Some(schema) = &names.schema {
                    self.quoted(schema);
                    self.text.push('.');
                }
            }
            "sid" | "json" | "end" => {
                self.text.push_str(qualifier);
                self.quoted(match word {
                    "sid" => &names.id,
                    "json" => &names.data,
                    _ => &names.end,
                });
            }
            other => unreachable!("no statement has the word {other}"),
        }
    }

    fn parameter(&mut self, parameter: Parameter) {
        if !self.dialect.numbered {
            self.parameters.push(parameter);
            return self.text.push('?');
        }
        let known = self.parameters.iter().position(|other| *other == parameter);
        let place = known.unwrap_or(self.parameters.len());
        if known.is_none() {
            self.parameters.push(parameter);
        }
        self.text.push('$');
        self.text.push_str(&(place + 1).to_string());
    }

    /// A name in a literal: nothing in it can end that.
    fn hex(&mut self, name: &str) {
        for byte in name.bytes() {
            self.text.push_str(&format!("{byte:02x}"));
        }
    }

    fn quoted(&mut self, name: &str) {
        let quote = self.dialect.quote;
        self.text.push(quote);
        for character in name.chars() {
            self.text.push(character);
            if character == quote {
                self.text.push(quote);
            }
        }
        self.text.push(quote);
    }
}

#[cfg(all(test, feature = "mysql", feature = "postgres"))]
mod tests {
    use super::*;
    use crate::dialect::{FIND, mysql, postgres};

    fn names(table: &str) -> Names {
        Names {
            schema: Some("shop".into()),
            table: table.into(),
            id: "{id}".into(),
            data: "sess".into(),
            end: "expire".into(),
            zone: "'UTC'".into(),
        }
    }

    #[test]
    fn names_are_quoted_and_never_taken_for_words() {
        let layout = &postgres::NATIVE;
        let find = Statement::new(
            FIND,
            Effect::Reads,
            &postgres::DIALECT,
            layout,
            &names("a\"b"),
        );
        assert_eq!(
            find.text.as_str(),
            r#"SELECT 1 FROM "shop"."a""b" WHERE "{id}" = $1 AND "expire" > $2"#
        );
        assert_eq!(find.parameters, [Parameter::Id, Parameter::Now]);
    }

    #[test]
    fn parameters_are_named_once_or_bound_in_their_order() {
        use Parameter::{Data, Expires, Id, Now, Old};
        let one = Statement::new(
            postgres::DIALECT.replace,
            Effect::Writes,
            &postgres::DIALECT,
            &postgres::CONNECT_PG_SIMPLE,
            &names("t"),
        );
        assert_eq!(one.parameters, [Data, Expires, Id, Now, Old]);
        let two = Statement::new(
            mysql::DIALECT.replace,
            Effect::Writes,
            &mysql::DIALECT,
            &mysql::EXPRESS_MYSQL_SESSION,
            &names("t`"),
        );
        assert_eq!(two.parameters, [Old, Expires, Old, Data, Id, Now]);
        assert!(two.text.as_str().starts_with("UPDATE `shop`.`t``` SET"));
        assert_eq!(two.text.as_str().matches('?').count(), 6);
    }
}
