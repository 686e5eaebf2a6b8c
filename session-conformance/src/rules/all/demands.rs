//! What a listing must give.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use session_core::{Record, SessionId};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};

/// Demands these ids, each once.
pub(in crate::rules) fn exactly<'a, 'b>(
    call: &str,
    found: impl IntoIterator<Item = &'a SessionId>,
    expected: impl IntoIterator<Item = &'b Id>,
) -> Result<(), Failure> {
    between(call, found, expected, [])
}

/// Demands the ids of `required`, each once, and allows those of `allowed`, each at most once.
pub(super) fn between<'a, 'b>(
    call: &str,
    found: impl IntoIterator<Item = &'a SessionId>,
    required: impl IntoIterator<Item = &'b Id>,
    allowed: impl IntoIterator<Item = &'b Id>,
) -> Result<(), Failure> {
    let mut seen = BTreeMap::<_, u32>::new();
    for id in found {
        *seen.entry(id.as_str()).or_default() += 1;
    }
    let labels = |names: &[&str]| {
        let mut text = format!("{}", names.len());
        for (n, name) in names.iter().take(3).enumerate() {
            // Writing to a text does not fail.
            let _ = write!(text, "{} {name}", if n == 0 { ":" } else { "," });
        }
        text + if names.len() > 3 { ", .." } else { "" }
    };
    let (mut missing, mut twice, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut wanted = 0;
    for (id, needed) in required
        .into_iter()
        .map(|id| (id, true))
        .chain(allowed.into_iter().map(|id| (id, false)))
    {
        known.insert(id.id.as_str());
        wanted += usize::from(needed);
        match seen.get(id.id.as_str()) {
            None if needed => missing.push(&*id.label),
            Some(2..) => twice.push(&*id.label),
            _ => {}
        }
    }
    let unknown: Vec<_> = seen
        .keys()
        .copied()
        .filter(|id| !known.contains(id))
        .collect();
    ensure(
        missing.is_empty() && twice.is_empty() && unknown.is_empty(),
        format_args!("`{call}` to give each of {wanted} records once, and nothing else"),
        format_args!(
            "missing {}; more than once {}; never written {}",
            labels(&missing),
            labels(&twice),
            labels(&unknown)
        ),
    )
}

/// Demands that both streams of both handles give these ids, each once.
pub(in crate::rules) async fn listed(
    ctx: &Context,
    expected: impl IntoIterator<Item = &Id> + Clone,
) -> Result<(), Failure> {
    for handle in [&ctx.h1, &ctx.h2] {
        let all = handle.all().await.ok()?;
        let call = format!("{}.all()", handle.name);
        exactly(&call, all.iter().map(|(id, _)| id), expected.clone())?;
        let ids = handle.ids().await.ok()?;
        exactly(&format!("{}.ids()", handle.name), &ids, expected.clone())?;
    }
    Ok(())
}

/// What `all` gave under `id`, as if `get` had.
pub(in crate::rules) fn item(
    handle: &Handle,
    all: &[(SessionId, Record)],
    id: &Id,
) -> Answer<Option<Record>> {
    let found = all.iter().find(|(found, _)| *found == id.id);
    Answer {
        call: format!("{}.all() for {}", handle.name, id.label),
        timing: handle.timing.clone(),
        result: Ok(found.map(|(_, record)| record.clone())),
    }
}
