//! Results that were written, by this run or an earlier one.

use std::path::Path;

use serde_json::Value;

/// The tables of all sections.
pub(crate) struct Results(Vec<Value>);

impl Results {
    /// Those in a directory; sections that are not there have no tables.
    pub(crate) fn read(directory: &Path, sections: &[&str]) -> Result<Self, String> {
        let mut found = Vec::new();
        for section in sections {
            let path = directory.join(format!("{section}.json"));
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let json: Value = serde_json::from_str(&text)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let tables = json["tables"].as_array().into_iter().flatten();
            for table in tables {
                let mut table = table.clone();
                table["section"] = (*section).into();
                found.push(table);
            }
        }
        Ok(Self(found))
    }

    /// A value, by its section, the title of its table, the beginning of its row and its column.
    pub(crate) fn value(
        &self,
        [section, title, column]: [&str; 3],
        row: &[(&str, &str)],
    ) -> Option<&Value> {
        let table = self
            .0
            .iter()
            .find(|table| table["section"] == section && table["title"] == title)?;
        let mut rows = table["rows"].as_array()?.iter();
        let row = rows.find(|found| row.iter().all(|(column, text)| is(&found[column], text)))?;
        Some(&row[column]).filter(|value| !value.is_null())
    }

    /// The median of a value, or the value if there is only one.
    pub(crate) fn median(&self, place: [&str; 3], row: &[(&str, &str)]) -> Option<f64> {
        median(self.value(place, row)?)
    }
}

fn is(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Number(found) => Some(found.as_f64()) == Some(text.parse().ok()),
        _ => false,
    }
}

fn median(value: &Value) -> Option<f64> {
    value["median"].as_f64().or_else(|| value.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_by_their_row_and_column() {
        let table = json!({
            "section": "growth",
            "title": "Growth",
            "rows": [
                { "sessions": 10_000.0, "get": { "median": 2.0, "min": 1.0 }, "set": null },
                { "sessions": 1_000_000.0, "get": 3.0 },
            ],
        });
        let results = Results(vec![table]);
        let get = |sessions| results.median(["growth", "Growth", "get"], &[("sessions", sessions)]);
        assert_eq!(get("10000"), Some(2.0));
        assert_eq!(get("1000000"), Some(3.0));
        assert_eq!(get("7"), None);
        let set = ["growth", "Growth", "set"];
        assert_eq!(results.median(set, &[("sessions", "10000")]), None);
        assert_eq!(results.median(["http", "Growth", "get"], &[]), None);
    }
}
