//! The rules, one array for each group; where its steps are many, they are in files beside it.

mod all;
mod cas;
mod clr;
mod con;
mod des;
mod dur;
mod err;
pub(crate) mod exp;
mod gat;
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

use crate::Rule;

/// The groups with their titles, in the order in which they are listed.
pub(crate) const GROUPS: &[(&str, &[Rule])] = &[
    ("the harness", pre::RULES),
    ("reading", get::RULES),
    ("writing", set::RULES),
    ("destroying", des::RULES),
    ("touching", tch::RULES),
    ("reading and touching in one step", gat::RULES),
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
    ("programs against a model", programs::RULES),
    ("each pair of methods at once", pairs::RULES),
    ("scale", scale::RULES),
];
