use crate::format::date;

/// What JavaScript keeps in `originalMaxAge` and `expires`: milliseconds, or one of its several
/// ways to have none, which Node writes back as it read them.
///
/// One word, because every stored session has two of them. Milliseconds stay within the range of
/// ECMAScript's dates, which leaves the numbers beyond it to the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Millis(i64);

impl Millis {
    /// The key is absent.
    pub(super) const UNDEFINED: Self = Self(i64::MIN);
    pub(super) const NULL: Self = Self(i64::MIN + 1);
    pub(super) const FALSE: Self = Self(i64::MIN + 2);

    pub(super) fn new(millis: i64) -> Self {
        Self(millis.clamp(-date::MAX_MILLIS, date::MAX_MILLIS))
    }

    /// The number, if it is one.
    pub(super) fn get(self) -> Option<i64> {
        (self.0 >= -date::MAX_MILLIS).then_some(self.0)
    }

    /// The sum with a number; the other values stay what they are.
    pub(super) fn offset(self, by: i64) -> Self {
        self.get()
            .map_or(self, |millis| Self::new(millis.saturating_add(by)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_range_and_apart_from_the_rest() {
        for millis in [0, -1, date::MAX_MILLIS, -date::MAX_MILLIS] {
            assert_eq!(Millis::new(millis).get(), Some(millis));
        }
        assert_eq!(Millis::new(i64::MAX).get(), Some(date::MAX_MILLIS));
        assert_eq!(Millis::new(i64::MIN).get(), Some(-date::MAX_MILLIS));
        for none in [Millis::UNDEFINED, Millis::NULL, Millis::FALSE] {
            assert_eq!(none.get(), None);
            assert!(none.offset(5) == none);
        }
        assert_eq!(Millis::new(-3).offset(5).get(), Some(2));
    }
}
