//! The rules, one array for each group; where its steps are many, they are in files beside it.

mod all;
mod cas;
pub(crate) mod cells;
mod clr;
mod con;
mod des;
mod dur;
mod err;
pub(crate) mod exp;
mod get;
mod len;
mod obs;
mod pairs;
mod pre;
mod programs;
mod res;
mod scale;
mod set;
mod siz;
mod swp;
mod tch;
mod uni;

use crate::{Property, Rule};

/// The groups with their titles, in the order in which they are listed.
pub(crate) const GROUPS: &[(&str, &[Rule])] = &[
    ("the harness", pre::RULES),
    ("reading", get::RULES),
    ("writing", set::RULES),
    ("destroying", des::RULES),
    ("touching", tch::RULES),
    ("counting", len::RULES),
    ("listing", all::RULES),
    ("clearing", clr::RULES),
    ("expiry", exp::RULES),
    ("sweeping", swp::RULES),
    ("what was destroyed stays so", res::RULES),
    ("compare and swap", cas::RULES),
    ("concurrency", con::RULES),
    ("content", uni::RULES),
    ("size", siz::RULES),
    ("durability", dur::RULES),
    ("errors", err::RULES),
    ("what an operator sees", obs::RULES),
    (cells::bytes::PROPERTY.title, cells::bytes::RULES),
    (cells::ids::PROPERTY.title, cells::ids::RULES),
    (cells::apart::PROPERTY.title, cells::apart::RULES),
    (cells::ends::PROPERTY.title, cells::ends::RULES),
    (cells::tally::PROPERTY.title, cells::tally::RULES),
    (cells::seen::PROPERTY.title, cells::seen::RULES),
    (cells::dropped::PROPERTY.title, cells::dropped::RULES),
    (cells::steps::PROPERTY.title, cells::steps::RULES),
    (cells::kill::PROPERTY.title, cells::kill::RULES),
    (cells::lost::PROPERTY.title, cells::lost::RULES),
    (cells::down::PROPERTY.title, cells::down::RULES),
    (cells::texts::PROPERTY.title, cells::texts::RULES),
    (cells::blocking::PROPERTY.title, cells::blocking::RULES),
    (cells::runtimes::PROPERTY.title, cells::runtimes::RULES),
    (cells::panics::PROPERTY.title, cells::panics::RULES),
    ("programs against a model", programs::RULES),
    ("each pair of methods at once", pairs::RULES),
    ("scale", scale::RULES),
];

/// The rows of the table of properties and methods.
pub(crate) const PROPERTIES: &[Property] = &[
    cells::bytes::PROPERTY,
    cells::ids::PROPERTY,
    cells::apart::PROPERTY,
    cells::ends::PROPERTY,
    cells::tally::PROPERTY,
    cells::seen::PROPERTY,
    cells::dropped::PROPERTY,
    cells::steps::PROPERTY,
    cells::kill::PROPERTY,
    cells::lost::PROPERTY,
    cells::down::PROPERTY,
    cells::texts::PROPERTY,
    cells::blocking::PROPERTY,
    cells::runtimes::PROPERTY,
    cells::panics::PROPERTY,
];
