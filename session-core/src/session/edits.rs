use std::collections::HashSet;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::Result;
use crate::format::data::Data;
use crate::format::data::entries::note_steps;

/// Among up to so many edits, those that a new one makes void are looked for at once.
const FEW_EDITS: usize = 32;

/// Makes the new value of a key, which is named first, from its old one, both as JSON.
pub(crate) type UpdateFn = dyn Fn(&str, Option<&str>) -> Result<Arc<str>> + Send + Sync;

/// One change of a session's data, to be made again on what another request has written.
#[derive(Clone)]
pub(crate) enum Edit {
    Insert(Box<str>, Arc<str>),
    Remove(Box<str>),
    Update(Box<str>, Arc<UpdateFn>),
    /// Keeps these keys, which are sorted.
    Retain(Arc<[String]>),
    Clear,
}

impl Edit {
    pub(crate) fn apply(&self, data: &mut Data) -> Result<()> {
        match self {
            Self::Insert(key, value) => data.insert_text(key, Arc::clone(value)),
            Self::Remove(key) => {
                data.remove(key);
            }
            Self::Update(key, update) => {
                let value = update(key, data.raw(key))?;
                data.insert_text(key, value);
            }
            Self::Retain(keys) => data.retain(keys),
            Self::Clear => data.clear(),
        }
        Ok(())
    }

    /// The key whose earlier edits this one makes void.
    fn overrides(&self) -> Option<&str> {
        match self {
            Self::Insert(key, _) | Self::Remove(key) => Some(key),
            Self::Update(..) | Self::Retain(_) | Self::Clear => None,
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Insert(key, _) | Self::Remove(key) | Self::Update(key, _) => Some(key),
            Self::Retain(_) | Self::Clear => None,
        }
    }
}

/// The edits since a session was last loaded or written, in order, each with its number.
#[derive(Clone, Default)]
pub(crate) struct Edits {
    /// Most requests make one edit or none.
    log: SmallVec<[(u64, Edit); 1]>,
    last: u64,
    /// How many edits there were when the void ones were last removed; `None` while no void ones
    /// are left in the log.
    tidied: Option<usize>,
}

impl Edits {
    pub(crate) fn push(&mut self, edit: Edit) {
        if matches!(edit, Edit::Clear) {
            self.forget_all();
        } else if let Some(key) = edit.overrides() {
            if self.log.len() <= FEW_EDITS {
                note_steps(self.log.len());
                self.log.retain(|(_, earlier)| earlier.key() != Some(key));
            } else {
                self.tidy_at_times();
            }
        }
        self.last += 1;
        self.log.push((self.last, edit));
    }

    /// Adds the edits that lead from `before` to `after`.
    pub(crate) fn push_changes(&mut self, before: &Data, after: &Data) {
        for (key, value) in after.iter() {
            if before.raw(&key) != Some(value) {
                self.push(Edit::Insert(key.into(), value.into()));
            }
        }
        for key in before.keys() {
            if !after.contains_key(&key) {
                self.push(Edit::Remove(key.into()));
            }
        }
    }

    /// Before an edit that makes others void: removes those that are void already, if there may be
    /// as many of them as of the rest. Looking at many edits each time would be quadratic.
    fn tidy_at_times(&mut self) {
        let before = *self.tidied.get_or_insert(self.log.len());
        if self.log.len() / 2 < before {
            return;
        }
        let void = self.void();
        let mut void = void.iter();
        self.log.retain(|_| void.next() != Some(&true));
        self.tidied = Some(self.log.len());
    }

    /// For each edit, whether a later one makes it void; nothing if none is.
    fn void(&self) -> Vec<bool> {
        if self.tidied.is_none() {
            return Vec::new();
        }
        note_steps(self.log.len());
        let mut overridden = HashSet::new();
        let mut void = vec![false; self.log.len()];
        for ((_, edit), void) in self.log.iter().zip(&mut void).rev() {
            *void = edit.key().is_some_and(|key| overridden.contains(key));
            overridden.extend(edit.overrides());
        }
        void
    }

    /// The edits that no later one makes void.
    fn valid(&self) -> impl Iterator<Item = &(u64, Edit)> {
        let mut void = self.void().into_iter();
        self.log.iter().filter(move |_| void.next() != Some(true))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// Whether one of them takes something away.
    pub(crate) fn remove_any(&self) -> bool {
        self.valid()
            .any(|(_, edit)| matches!(edit, Edit::Remove(_) | Edit::Retain(_) | Edit::Clear))
    }

    /// Whether one of them computes its value: made twice, it is another edit than made once.
    pub(crate) fn update_any(&self) -> bool {
        self.valid()
            .any(|(_, edit)| matches!(edit, Edit::Update(..)))
    }

    /// Makes those edits on `data` that have to do with `keys`, of which alone it knows.
    pub(crate) fn apply_to(&self, keys: &[String], data: &mut Data) -> Result<()> {
        let known: HashSet<&str> = keys.iter().map(String::as_str).collect();
        for (_, edit) in self.valid() {
            match edit {
                Edit::Clear => remove_all(keys, data),
                Edit::Retain(kept) => {
                    let others = keys.iter().filter(|key| kept.binary_search(key).is_err());
                    remove_all(others, data);
                }
                edit if edit.key().is_some_and(|key| known.contains(key)) => edit.apply(data)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether one of them has nothing to do with `keys`.
    pub(crate) fn any_beside(&self, keys: &[String]) -> bool {
        let known: HashSet<&str> = keys.iter().map(String::as_str).collect();
        self.valid()
            .any(|(_, edit)| edit.key().is_some_and(|key| !known.contains(key)))
    }

    /// The number of the last edit ever pushed.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Takes over the edits of `other` up to `number`.
    pub(crate) fn extend_through(&mut self, other: &Self, number: u64) {
        let written = other.valid().filter(|(own, _)| *own <= number);
        self.log.extend(written.cloned());
    }

    /// Forgets the edits up to `number`, which have been written.
    pub(crate) fn forget_through(&mut self, number: u64) {
        self.log.retain(|(own, _)| *own > number);
        let left = self.log.len();
        self.tidied = self.tidied.filter(|_| left > 0).map(|_| left);
    }

    pub(crate) fn forget_all(&mut self) {
        self.log.clear();
        self.tidied = None;
    }

    /// Makes the edits on `data`.
    pub(crate) fn apply(&self, data: &mut Data) -> Result<()> {
        self.valid().try_for_each(|(_, edit)| edit.apply(data))
    }
}

fn remove_all<'k>(keys: impl IntoIterator<Item = &'k String>, data: &mut Data) {
    for key in keys {
        data.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::data::entries::STEPS;

    fn insert(key: &str, value: &str) -> Edit {
        Edit::Insert(key.into(), value.into())
    }

    fn replayed(edits: &Edits, start: &[(&str, i32)]) -> Vec<(String, String)> {
        let mut data = Data::new();
        for (key, value) in start {
            data.insert(key, value).unwrap();
        }
        edits.apply(&mut data).unwrap();
        data.iter()
            .map(|(key, value)| (key.into_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn later_edits_of_a_key_make_earlier_ones_void() {
        let mut edits = Edits::default();
        edits.push(insert("a", "1"));
        edits.push(Edit::Update(
            "a".into(),
            Arc::new(|_, _| panic!("overridden")),
        ));
        edits.push(insert("b", "2"));
        edits.push(insert("a", "3"));
        edits.push(Edit::Remove("b".into()));
        assert_eq!(replayed(&edits, &[("b", 9)]), [("a".into(), "3".into())]);
        edits.push(Edit::Clear);
        assert!(replayed(&edits, &[("x", 1)]).is_empty());
        assert_eq!(edits.log.len(), 1);
    }

    #[test]
    fn an_update_runs_on_the_value_it_finds() {
        let mut edits = Edits::default();
        edits.push(Edit::Update(
            "n".into(),
            Arc::new(|_, old| Ok(format!("{}0", old.unwrap_or("")).into())),
        ));
        assert_eq!(replayed(&edits, &[("n", 7)]), [("n".into(), "70".into())]);
    }

    #[test]
    fn written_edits_are_forgotten_and_later_ones_stay() {
        let mut edits = Edits::default();
        edits.push(insert("a", "1"));
        let written = edits.last();
        edits.push(insert("a", "2"));
        edits.push(insert("b", "3"));
        edits.forget_through(written);
        assert_eq!(edits.log.len(), 2);
        edits.forget_all();
        assert!(edits.is_empty());
    }

    #[test]
    fn many_edits_come_to_the_same_as_each_of_them_at_once() {
        let mut seed = 3_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut edits = Edits::default();
        let mut data = Data::new();
        for step in 0..3_000 {
            let key = format!("k{}", random(60));
            let edit = match random(100) {
                0 => Edit::Clear,
                1 => {
                    let mut keys: Vec<_> = (0..50).map(|key| format!("k{key}")).collect();
                    keys.sort_unstable();
                    Edit::Retain(keys.into())
                }
                2..10 => Edit::Update(
                    key.into(),
                    Arc::new(|_, old| Ok(format!("{}0", &old.unwrap_or("1")[..1]).into())),
                ),
                10..40 => Edit::Remove(key.into()),
                _ => insert(&key, &step.to_string()),
            };
            edit.apply(&mut data).unwrap();
            edits.push(edit);
            assert!(edits.log.len() <= 1_000, "void edits are forgotten");
            if step % 40 == 0 {
                let mut again = Data::new();
                edits.clone().apply(&mut again).unwrap();
                // An insert that made an earlier one void comes later: its key moves to the end.
                let mut sorted = [&again, &data].map(|data| {
                    data.iter()
                        .map(|(key, value)| (key.into_owned(), value.to_owned()))
                        .collect::<Vec<_>>()
                });
                sorted.iter_mut().for_each(|entries| entries.sort());
                assert_eq!(sorted[0], sorted[1]);
                let removes = |(_, edit): &(u64, Edit)| {
                    matches!(edit, Edit::Remove(_) | Edit::Retain(_) | Edit::Clear)
                };
                assert_eq!(edits.remove_any(), edits.valid().any(removes));
            }
            if step % 500 == 499 {
                edits.forget_through(edits.last());
                assert!(edits.is_empty());
                data = Data::new();
            }
        }
    }

    #[test]
    fn void_edits_never_run_and_take_nothing_away() {
        let mut edits = Edits::default();
        for key in 0..100 {
            edits.push(insert(&format!("k{key}"), "1"));
        }
        edits.push(Edit::Update(
            "k0".into(),
            Arc::new(|_, _| panic!("overridden")),
        ));
        edits.push(Edit::Remove("k1".into()));
        edits.push(insert("k0", "2"));
        edits.push(insert("k1", "2"));
        assert!(!edits.remove_any());
        assert_eq!(replayed(&edits, &[]).len(), 100);
        let mut written = Edits::default();
        written.extend_through(&edits, edits.last());
        assert!(!written.remove_any());
        assert_eq!(replayed(&written, &[]), replayed(&edits, &[]));
    }

    /// How many edits and entries are looked at to make `count` edits and to make them again.
    fn steps(count: usize) -> usize {
        let before = STEPS.get();
        let mut edits = Edits::default();
        for key in 0..count {
            edits.push(insert(&format!("k{key}"), "1"));
            edits.push(Edit::Remove(format!("k{}", key / 2).into()));
            edits.push(Edit::Update("n".into(), Arc::new(|_, _| Ok("1".into()))));
        }
        edits.apply(&mut Data::new()).unwrap();
        edits.forget_through(edits.last() / 2);
        edits.remove_any();
        STEPS.get() - before
    }

    #[test]
    fn the_work_on_many_edits_grows_as_their_number_does() {
        let (some, many) = (steps(3_000), steps(30_000));
        assert!(some > 3_000 && many < 12 * some, "{some} and {many}");
    }
}
