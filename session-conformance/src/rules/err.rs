//! Errors: of the right kind, never instead of an answer, and without secrets.

mod outage;
mod texts;

use crate::Rule;
use crate::need::Need;

pub(super) use outage::{Recovery, is_outage};
pub(super) use texts::texts;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "ERR-01",
        name: "an_unreachable_backend_is_an_error",
        needs: &[Need::Fault],
        sentence: "While the backend cannot be reached, every call is `Unavailable` or `Timeout`, \
                   and soon: not `None`, not `Ok`, not 0.",
        why: "As `None` it logs everybody out for a network's hiccup, and the new sessions \
              overwrite the old ones; as `Ok` it loses what was written.",
        hint: "Pass the client's error on, with a timeout of your own; no `unwrap_or_default`.",
        catches: &[
            "DownAsNone",
            "DownAsOk",
            "DownDestroyOk",
            "DownIsEmpty",
            "DownIsOther",
            "DownHangs",
            "DownAsMissing",
        ],
        run: |ctx| Box::pin(outage::an_unreachable_backend_is_an_error(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-02",
        name: "a_backend_that_comes_back_is_used",
        needs: &[Need::Fault],
        sentence: "When the backend is back, the same handles work within two seconds, and find \
                   what was there.",
        why: "A restart of the database would need a restart of every application.",
        hint: "Connect anew when a connection is dead; remember no failure for good.",
        catches: &["NoReconnect", "CachesTheOutage"],
        run: |ctx| Box::pin(outage::a_backend_that_comes_back_is_used(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-03",
        name: "errors_hold_no_secrets",
        sentence: "No text of an error (its own, its `Debug`, those of its sources) has a session \
                   id, session data or the backend's password in it.",
        why: "OWASP ASVS 7.1.1: errors are logged, logs are read by many, and an id is a login.",
        hint: "Look at the source's texts: database clients quote the statement with its \
               parameters, parsers the place in the text, connectors the URL.",
        catches: &[
            "LeakInError",
            "LeakInSource",
            "LeakDataInSource",
            "LeakUrl",
            "LeakInDebug",
            "LeakTruncatedId",
        ],
        run: |ctx| Box::pin(texts::errors_hold_no_secrets(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-04",
        name: "errors_have_their_kind",
        sentence: "Each error has the kind by which a caller decides, names what failed, and a \
                   chain of sources that ends.",
        why: "A client's mistake answered with 503, or an outage with 500, wakes the wrong people.",
        hint: "Map the client's errors in one place, each to its `ErrorKind`; `Other` is for what \
               nobody expected.",
        catches: &["StringError", "EverythingUnavailable"],
        run: |ctx| Box::pin(texts::errors_have_their_kind(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "ERR-05",
        name: "a_lost_answer_is_no_answer",
        needs: &[Need::Fault],
        sentence: "A call whose answer is lost is an error, or `Ok` with just that effect; \
                   afterwards there is the old record or the new one, whole, and a store that \
                   works.",
        why: "`Ok` for what was rolled back loses data; `None` for what was not heard logs out; a \
              conditional write that is blindly tried again meets its own first attempt.",
        hint: "Pass the error on. Try again only what may be done twice: `get`, `set`, `destroy`.",
        catches: &["AmbiguousOk", "LostGetIsNone", "TornOnLoss", "BlindRetry"],
        run: |ctx| Box::pin(outage::a_lost_answer_is_no_answer(ctx)),
        ..Rule::MUST
    },
];
