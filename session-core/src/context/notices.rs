//! What the operator is told of: each kind of notice once a second at most.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Between two notices of a kind lie this many milliseconds at least.
const PAUSE: u64 = 1000;

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice {
    /// A request had cookies of our name, and no signature among them holds.
    BadSignature,
    /// A good signature over an id under which nothing is stored.
    UnknownId,
    /// The cookie of a stored session was not sent.
    CookieWithheld,
    /// The stored settings of a session are such that no browser would keep its cookie.
    SettingsMended,
    /// A new session was not saved, because its cookie could not be sent.
    SessionNotSaved,
    /// A stored session could not be read.
    Unreadable,
    /// A session could not be loaded, and its request was served without it.
    ServedWithout,
    /// A session's end could not be moved in time, and its request was served all the same.
    NotExtended,
    /// An interrupted change of a session's id could not be finished yet.
    Unsettled,
}

impl Notice {
    const COUNT: usize = Self::Unsettled as usize + 1;

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::BadSignature => {
                "requests came with a session cookie that none of the secrets has signed (were the \
                 secrets changed?)"
            }
            Self::UnknownId => {
                "requests came with the signed id of a session that is not stored: it has ended, \
                 or this is another store than the one it was made in"
            }
            Self::CookieWithheld => {
                "the session cookie was withheld: it is Secure and the connection is not, or its \
                 stored settings are such that no header can hold it"
            }
            Self::SettingsMended => {
                "the stored cookie settings of a session are such that no browser would keep its \
                 cookie: others were sent in their place"
            }
            Self::SessionNotSaved => {
                "a new session was not saved: its cookie is Secure and the connection is not \
                 (behind a proxy, is the `proxy` option set?)"
            }
            Self::Unreadable => "a stored session cannot be read; a new one was started",
            Self::ServedWithout => {
                "the session store failed; a request was served without a session"
            }
            Self::NotExtended => {
                "a session was not extended, because the store has failed or takes too long; the \
                 next request does it"
            }
            Self::Unsettled => "an interrupted change of a session's id is not finished yet",
        }
    }
}

/// How often each thing has happened since the [`Lifecycle`](crate::Lifecycle) was built: what its warnings say once
/// a second at most, for an application's metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests with cookies of the session's name, none of which one of the secrets had signed.
    pub bad_signatures: u64,
    /// Requests whose cookie was well signed, and whose session was not stored (any more).
    pub unknown_ids: u64,
    /// Cookies of stored sessions that were not sent: `Secure` over a connection that is not, or
    /// with stored settings that no header can hold.
    pub cookies_withheld: u64,
    /// Cookies whose stored settings were replaced, since no browser would have kept them.
    pub settings_mended: u64,
    /// New sessions that were not saved, because their cookie was `Secure` and the connection not.
    pub sessions_not_saved: u64,
    /// Stored sessions that could not be read, and count as none.
    pub unreadable: u64,
    /// Requests that were served without a session, because the store failed.
    pub served_without: u64,
    /// Sessions whose end could not be moved within
    /// [`touch_limit`](crate::SessionOptions::touch_limit), in requests that were served all the same.
    pub not_extended: u64,
    /// Attempts to finish an interrupted change of a session's id that have failed.
    pub unsettled: u64,
}

/// How often each kind has happened, and when it was last told.
#[derive(Default)]
pub(crate) struct Notices([Told; Notice::COUNT]);

struct Told {
    happened: AtomicU64,
    /// How many of them had been told of when somebody last was.
    told: AtomicU64,
    /// When that was, in milliseconds since 1970.
    at: AtomicI64,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            happened: AtomicU64::new(0),
            told: AtomicU64::new(0),
            at: AtomicI64::new(i64::MIN),
        }
    }
}

impl Notices {
    /// Counts one of a kind. How many there were since somebody was last told, this one included,
    /// if it is time to tell again.
    pub(super) fn count(&self, notice: Notice, now: i64) -> Option<u64> {
        let Told { happened, told, at } = &self.0[notice as usize];
        happened.fetch_add(1, Ordering::Relaxed);
        let last = at.load(Ordering::Relaxed);
        // A clock that was set back is to silence nobody.
        if now.abs_diff(last) < PAUSE {
            return None;
        }
        // Of several at the same time one tells.
        let ours = at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        ours.ok()?;
        let happened = happened.load(Ordering::Relaxed);
        // Somebody who was held up since may find that later ones have told of his.
        let before = told.fetch_max(happened, Ordering::Relaxed);
        happened.checked_sub(before).filter(|since| *since > 0)
    }

    fn happened(&self, notice: Notice) -> u64 {
        self.0[notice as usize].happened.load(Ordering::Relaxed)
    }
}

impl Notices {
    /// How often each kind has happened.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            bad_signatures: self.happened(Notice::BadSignature),
            unknown_ids: self.happened(Notice::UnknownId),
            cookies_withheld: self.happened(Notice::CookieWithheld),
            settings_mended: self.happened(Notice::SettingsMended),
            sessions_not_saved: self.happened(Notice::SessionNotSaved),
            unreadable: self.happened(Notice::Unreadable),
            served_without: self.happened(Notice::ServedWithout),
            not_extended: self.happened(Notice::NotExtended),
            unsettled: self.happened(Notice::Unsettled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_once_a_second_with_the_number_since() {
        let notices = Notices::default();
        let start = 1_767_323_045_678;
        let told: Vec<_> = [0, 0, 999, 1000, 1500, 1999, 2000, 5000]
            .into_iter()
            .map(|after| notices.count(Notice::BadSignature, start + after))
            .collect();
        let expected = [Some(1), None, None, Some(3), None, None, Some(3), Some(1)];
        assert_eq!(told, expected);
        assert_eq!(notices.happened(Notice::BadSignature), 8);
        // Each kind by itself.
        assert_eq!(notices.count(Notice::UnknownId, start + 5000), Some(1));
        assert_eq!(notices.happened(Notice::NotExtended), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let notices = Notices::default();
        assert_eq!(notices.count(Notice::UnknownId, 10_000), Some(1));
        assert_eq!(notices.count(Notice::UnknownId, 9_500), None);
        assert_eq!(notices.count(Notice::UnknownId, 9_000), Some(2));
    }

    #[test]
    fn every_one_is_told_of_once_by_whoever_counts() {
        let notices = Notices::default();
        let told = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for now in 0..10_000 {
                        let count = notices.count(Notice::CookieWithheld, now);
                        told.fetch_add(count.unwrap_or(0), Ordering::Relaxed);
                    }
                });
            }
        });
        let last = notices.count(Notice::CookieWithheld, 1_000_000).unwrap();
        assert_eq!(told.load(Ordering::Relaxed) + last, 40_001);
    }
}
