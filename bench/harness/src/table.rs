//! Results: tables, as Markdown and as JSON.

use serde_json::{Map, Value, json};

/// One place in a table.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    /// A single number, or what was the same in every round.
    Number(f64),
    /// Several rounds of the same.
    Spread(Spread),
    /// What this stack does not do.
    None,
}

/// The median and the extremes of several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) rounds: usize,
}

impl Spread {
    pub(crate) fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let (least, most) = (*samples.first()?, *samples.last()?);
        let rounds = samples.len();
        let median = f64::midpoint(samples[(rounds - 1) / 2], samples[rounds / 2]);
        Some(Self {
            median,
            least,
            most,
            rounds,
        })
    }
}

impl Cell {
    pub(crate) fn spread(samples: Vec<f64>) -> Self {
        Spread::of(samples).map_or(Self::None, Self::Spread)
    }

    fn markdown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => readable(*number),
            Self::Spread(spread) if spread.rounds == 1 => readable(spread.median),
            Self::Spread(Spread {
                median,
                least,
                most,
                ..
            }) => format!(
                "{} ({}–{})",
                readable(*median),
                readable(*least),
                readable(*most)
            ),
            Self::None => "–".to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Spread(spread) => json!({
                "median": spread.median,
                "min": spread.least,
                "max": spread.most,
                "rounds": spread.rounds,
            }),
            Self::None => Value::Null,
        }
    }
}

/// Three digits that matter, thousands separated.
pub(crate) fn readable(number: f64) -> String {
    let size = number.abs();
    if size >= 10_000.0 {
        let digits = format!("{number:.0}");
        let (sign, digits) = digits.split_at(digits.len() - digits.trim_start_matches('-').len());
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
        let groups: Vec<_> = groups.into_iter().map(String::from_utf8_lossy).collect();
        return format!("{sign}{}", groups.join(","));
    }
    let decimals = match size {
        100.0.. => 0,
        10.0.. => 1,
        _ if number.fract() == 0.0 => 0,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

/// A table of results.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// What was done, and what the columns mean.
    pub(crate) about: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(title: &str, about: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            about: about.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about);
        text.push_str(&format!("| {} |\n", self.columns.join(" | ")));
        text.push_str(&format!("|{}\n", "---|".repeat(self.columns.len())));
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(Cell::markdown).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            cells
                .map(|(column, cell)| (column.clone(), cell.json()))
                .collect::<Map<_, _>>()
        });
        json!({
            "title": self.title,
            "about": self.about,
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_has_the_extremes() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of(vec![4.0, 1.0]).unwrap().median, 2.5);
        assert!(Spread::of(Vec::new()).is_none());
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        let readable_as = [
            (0.0, "0"),
            (0.514, "0.51"),
            (2.0, "2"),
            (12.34, "12.3"),
            (345.6, "346"),
            (9_999.0, "9999"),
            (1_234_567.0, "1,234,567"),
            (-12_345.0, "-12,345"),
        ];
        for (number, text) in readable_as {
            assert_eq!(readable(number), text);
        }
    }
}
