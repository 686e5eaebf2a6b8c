//! Broken stores of the group GAT.

use async_trait::async_trait;
use session_core::{
    Record, Renewal, Renewed, Result, SessionCookie, SessionId, Store, StoredExpiry,
};

use super::{Bend, Broken, bent, each};
use crate::reference::Row;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "GatCreates",
        bug: "`get_and_touch` upserts an empty session under an unknown id",
        open: |reference| each(reference, GatCreates::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatRevives",
        bug: "`get_and_touch` does not look whether the record has expired",
        open: |reference| each(reference, GatRevives::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatNoop",
        bug: "`get_and_touch` says that it touched, and moves nothing",
        open: |reference| each(reference, GatNoop::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatNeverTouches",
        bug: "`get_and_touch` is `get`",
        open: |reference| each(reference, GatNeverTouches::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatShowsOld",
        bug: "`get_and_touch` returns the record as it was before the touch",
        open: |reference| each(reference, GatShowsOld::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatTouchesAll",
        bug: "`get_and_touch` gives every session the application's max age (GETEX)",
        open: |reference| each(reference, GatTouchesAll::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatComparesDigits",
        bug: "`get_and_touch` compares the max age's first digits alone",
        open: |reference| each(reference, GatComparesDigits::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatSearchesText",
        bug: "`get_and_touch` looks for the max age anywhere in the text",
        open: |reference| each(reference, GatSearchesText::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatIgnoresTouchAfter",
        bug: "`get_and_touch` touches however short a while ago the last touch was",
        open: |reference| each(reference, GatIgnoresTouchAfter::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatComparesBackwards",
        bug: "`get_and_touch` touches what was touched a short while ago, and nothing else",
        open: |reference| each(reference, GatComparesBackwards::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatRewrites",
        bug: "`get_and_touch` writes the new expiry into the JSON",
        open: |reference| each(reference, GatRewrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GatEndsBrowserSessions",
        bug: "`get_and_touch` gives sessions that end with the browser an end of their own",
        open: |reference| each(reference, GatEndsBrowserSessions::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TwoStepGat",
        bug: "`get_and_touch` reads and then writes",
        open: |reference| each(reference, TwoStepGat::new),
        ..Broken::REFERENCE
    },
];

bent!(
    GatCreates,
    GatRevives,
    GatNoop,
    GatNeverTouches,
    GatShowsOld,
    GatTouchesAll,
    GatComparesDigits,
    GatSearchesText,
    GatIgnoresTouchAfter,
    GatComparesBackwards,
    GatRewrites,
    GatEndsBrowserSessions,
    TwoStepGat,
);

type Found = Result<Option<(Record, Renewed)>>;

/// Touches the row if `applies` says so of its text.
async fn touch_if(
    store: &impl AsRef<crate::reference::Reference>,
    id: &SessionId,
    renewal: &Renewal,
    applies: impl FnOnce(&str) -> bool,
) -> Found {
    let reference = store.as_ref();
    let Some(record) = reference.get(id).await? else {
        return Ok(None);
    };
    if !applies(record.json()) {
        return Ok(Some((record, Renewed::Left)));
    }
    let _ = reference.touch(id, renewal.cookie()).await?;
    let touched = reference.get(id).await?;
    Ok(touched.map(|record| (record, Renewed::Touched)))
}

#[async_trait]
impl Bend for GatCreates {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let found = self.reference.get_and_touch(id, renewal).await?;
        if found.is_none() {
            let empty = Record::new(renewal.cookie().clone(), &session_core::Data::new());
            self.reference.set(id, &empty).await?;
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for GatRevives {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let over = self.reference.now();
        if let Some(row) = self.reference.rows().get_mut(id.as_str())
            && !row.is_live(over)
        {
            row.expires = renewal.cookie().expires();
        }
        self.reference.get_and_touch(id, renewal).await
    }
}

#[async_trait]
impl Bend for GatNoop {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let found = self.reference.get(id).await?;
        Ok(found.map(|mut record| {
            if !renewal.applies_to(&record, None) {
                return (record, Renewed::Left);
            }
            record.touch(renewal.cookie(), renewal.end(None));
            (record, Renewed::Touched)
        }))
    }
}

#[async_trait]
impl Bend for GatNeverTouches {
    async fn get_and_touch(&self, id: &SessionId, _: &Renewal) -> Found {
        let found = self.reference.get(id).await?;
        Ok(found.map(|record| (record, Renewed::Left)))
    }
}

#[async_trait]
impl Bend for GatShowsOld {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let old = self.reference.get(id).await?;
        let found = self.reference.get_and_touch(id, renewal).await?;
        Ok(old.zip(found).map(|(old, (_, renewed))| (old, renewed)))
    }
}

#[async_trait]
impl Bend for GatTouchesAll {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        touch_if(self, id, renewal, |_| true).await
    }
}

#[async_trait]
impl Bend for GatComparesDigits {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let start = renewal.json_start();
        let digits = start.trim_end_matches(',');
        touch_if(self, id, renewal, |text| text.starts_with(digits)).await
    }
}

#[async_trait]
impl Bend for GatSearchesText {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let start = renewal.json_start();
        // As somebody does who takes the JSON's escapes off first.
        let found = |text: &str| text.replace('\\', "").contains(&start);
        touch_if(self, id, renewal, found).await
    }
}

#[async_trait]
impl Bend for GatIgnoresTouchAfter {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let eager = renewal.clone().touch_after(std::time::Duration::ZERO);
        self.reference.get_and_touch(id, &eager).await
    }
}

#[async_trait]
impl Bend for GatComparesBackwards {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let (start, latest) = (renewal.json_start(), renewal.latest_due(None));
        let rows = self.reference.rows().get(id.as_str()).cloned();
        let late = rows.and_then(|row| row.expires) >= latest;
        touch_if(self, id, renewal, |text| late && text.starts_with(&start)).await
    }
}

#[async_trait]
impl Bend for GatRewrites {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let found = self.reference.get_and_touch(id, renewal).await?;
        let Some((record, Renewed::Touched)) = &found else {
            return Ok(found);
        };
        let new = Record::new(record.cookie().clone(), &record.data());
        let row = Row::of(&new);
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(Some((new, Renewed::Touched)))
    }
}

#[async_trait]
impl Bend for GatEndsBrowserSessions {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let mut cookie: SessionCookie = renewal.cookie().clone();
        if cookie.expires().is_none() {
            let day = std::time::Duration::from_secs(86_400);
            cookie.set_expires(Some(self.reference.now() + day), self.reference.now());
        }
        let end = cookie.expires();
        let found = self.reference.get_and_touch(id, renewal).await?;
        let Some((record, Renewed::Touched)) = found else {
            return Ok(found);
        };
        let _ = self.reference.touch(id, &cookie).await?;
        // The row's own cookie shows it, as if it were the visitor's choice.
        let mut shown = record.cookie().clone();
        shown.set_expires(end, self.reference.now());
        let shown = Record::new(shown, &record.data());
        let record = Record::decode(shown.json(), StoredExpiry::from(end))?;
        Ok(Some((record, Renewed::Touched)))
    }
}

#[async_trait]
impl Bend for TwoStepGat {
    async fn get_and_touch(&self, id: &SessionId, renewal: &Renewal) -> Found {
        let _ = self.reference.get(id).await?;
        self.reference.get_and_touch(id, renewal).await
    }
}
