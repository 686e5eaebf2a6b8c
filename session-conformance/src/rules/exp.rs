//! Expiry, on a clock that is moved or on one that runs: see `Context::wait_until`.

mod backend;
mod calendar;
mod default;
mod ends;
mod overwritten;

use std::time::Duration;

use crate::Rule;
use crate::need::Need;

pub(crate) use calendar::month_and_day;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "EXP-01",
        name: "expired_means_expires_is_not_after_now",
        sentence: "Just before its expiry a record is there; at its expiry it is gone.",
        why: "Two processes that disagree about the last moment disagree about who is logged in.",
        hint: "Live means `expires > now`, with milliseconds, in each query.",
        catches: &["OffByOne", "EndsEarly", "NeverExpires", "CacheOutlives"],
        run: |ctx| Box::pin(ends::expired_means_expires_is_not_after_now(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-02",
        name: "expired_is_none_before_any_sweep",
        sentence: "`get` of an expired record is `None`, although nobody has swept.",
        why: "OWASP ASVS 3.3.2: the timeout counts, not when the clean-up happens to run.",
        hint: "Check the expiry when reading; the sweep only frees space.",
        catches: &["SweepOnly", "NeverExpires"],
        run: |ctx| Box::pin(ends::expired_is_none_before_any_sweep(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-03",
        name: "expired_can_be_written",
        sentence: "`set` of a record that has already expired is accepted, and leaves no live \
                   record: not the new one, and not the one that was there.",
        why: "`SET .. PX 0` is an error in Redis; other stores took \"no time left\" for \"for ever\".",
        hint: "Where the backend refuses a time to live of 0 or less, remove the record instead.",
        catches: &["Px0Error", "PastIsForever", "PastIsIgnored"],
        run: |ctx| Box::pin(ends::expired_can_be_written(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-04",
        name: "without_expiry_lives_on",
        sentence: "A record without an expiry is there after ten years, or after as long as the \
                   store's `default_ttl` says.",
        why: "A default of a day that nobody asked for logs everybody out once a day.",
        hint: "Declare a default time to live as `default_ttl`, or have none.",
        catches: &["DefaultTtl", "NoneIsNow"],
        run: |ctx| Box::pin(default::without_expiry_lives_on(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-05",
        name: "parts_of_a_second_count",
        sentence: "Parts of a second count, down to the declared granularity: an expiry is never \
                   cut to an earlier one, to nothing, or to none at all.",
        why: "EXPIRE takes seconds; 300 ms became 0, and 0 became an error or no expiry.",
        hint: "PX and PEXPIRE; a column with milliseconds. In whole seconds, round up, and \
               declare the granularity.",
        catches: &[
            "TruncSeconds",
            "SubSecondIsForever",
            "RoundSeconds",
            "EndsEarly",
        ],
        run: |ctx| Box::pin(ends::parts_of_a_second_count(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-06",
        name: "far_expiry",
        sentence: "Expiries in 2038, in 2106 and in the year 9999 come back as they were; the \
                   farthest that JavaScript has is live.",
        why: "MySQL's TIMESTAMP ends on 2038-01-19; 32 bits of milliseconds end after 24 days.",
        hint: "64 bits of milliseconds, and saturating arithmetic with them.",
        catches: &["Year2038", "I32Millis", "FarWraps"],
        run: |ctx| Box::pin(calendar::far_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-07",
        name: "expiry_before_1970",
        sentence: "An expiry in 1970 or before has expired, and is no error.",
        why: "An application ends a session with the date 0; as an unsigned number, one \
              millisecond less is the farthest future.",
        hint: "Signed numbers; `duration_since(UNIX_EPOCH)` may be an `Err`. 0 is no \"none\".",
        catches: &["UnsignedWrap", "EpochIsNone", "PastIsForever"],
        run: |ctx| Box::pin(calendar::expiry_before_1970(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-08",
        name: "expiry_across_daylight_saving",
        sentence: "Expiries around the changes of daylight saving time come back as the same \
                   instants.",
        why: "A DATETIME without a zone has no place for the hour that comes twice.",
        hint: "Store milliseconds since 1970 or a `timestamptz`; set the connection to UTC.",
        catches: &["LocalTime", "LocalTimeTwice"],
        run: |ctx| Box::pin(calendar::expiry_across_daylight_saving(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-09",
        name: "expired_id_can_be_set_again",
        sentence: "The id of an expired record can be set again; old data and old expiry do not \
                   shine through.",
        why: "An insert that fails on the row of an expired record locks its visitor out until \
              the next sweep.",
        hint: "An upsert that writes each column.",
        catches: &["ExpiredBlocks", "ExpiredShines"],
        run: |ctx| Box::pin(overwritten::expired_id_can_be_set_again(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-10",
        name: "overwriting_outlives_the_old_expiry",
        sentence: "A record that was overwritten before its expiry lives until the new one, also \
                   when the old one passes.",
        why: "A timer that is not cancelled ends a session that was renewed.",
        hint: "One timer per id, or compare the expiry again before removing.",
        catches: &["OldTtlKills", "KeepOldTtl"],
        run: |ctx| Box::pin(overwritten::overwriting_outlives_the_old_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-11",
        name: "max_age_and_expiry_are_two_things",
        sentence: "`originalMaxAge` and the expiry survive apart from each other.",
        why: "A rolling session counts from `originalMaxAge`; made anew from the expiry, it \
              shrinks with each request.",
        hint: "Keep the JSON as it is, and the expiry beside it.",
        catches: &["LoseMaxAge", "ExpiryFromMaxAge"],
        run: |ctx| Box::pin(overwritten::max_age_and_expiry_are_two_things(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-12",
        name: "backend_drops_expired",
        needs: &[Need::ServerTtl, Need::Count],
        sentence: "The backend of a store that declares `server_ttl` removes expired records by \
                   itself, and no live one.",
        why: "Nobody sweeps such a store: what stays, stays for ever.",
        hint: "Set the backend's own expiry with each write, in each way to write.",
        catches: &["NoTtl"],
        run: |ctx| Box::pin(backend::backend_drops_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-13",
        name: "wrong_clock",
        needs: &[Need::Skew],
        sentence: "Where the application's clock is wrong, a record's end is wrong by no more than \
                   that: it comes between the time to live after the write and the written time.",
        why: "A time that was read from one clock and compared with another one counts the error \
              twice: sessions that are over at once, or that outlive their end.",
        hint: "Choose: send a time to live, or an absolute time; and let one clock decide.",
        catches: &["ClockMix", "ClockMixLate"],
        run: |ctx| Box::pin(backend::wrong_clock(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-14",
        name: "each_record_has_its_own_expiry",
        sentence: "Many records with different expiries end in that order, none early, none late.",
        why: "EXPIRE on a hash that holds all sessions ends all of them; one timer for the store \
              is set for the last write.",
        hint: "An expiry for each record.",
        catches: &["SharedTtl", "TtlByBucket"],
        run: |ctx| Box::pin(ends::each_record_has_its_own_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-15",
        name: "default_ttl_is_kept",
        sentence: "A record without an expiry ends when the declared `default_ttl` has passed \
                   since it was last written or touched; where none is declared, it gets none.",
        why: "A session of a closed browser that stays for ever fills the disk, and can be stolen \
              for ever.",
        hint: "Set the default in `set`, `create`, `replace` and `touch` alike.",
        catches: &[
            "DefaultTtlForever",
            "DefaultTtlNotRenewed",
            "DefaultTtlEarly",
        ],
        run: |ctx| Box::pin(default::default_ttl_is_kept(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-16",
        name: "last_expiry_wins",
        needs: &[Need::Touch],
        sentence: "Of `set`, `touch`, `replace` and `create` after a `destroy`, the last one's \
                   expiry counts, in whatever order they come.",
        why: "An expiry that `touch` keeps in a place of its own outlives the next write: a \
              session that was cut short for security is long again, or the other way round.",
        hint: "One place for the expiry, which each write writes.",
        catches: &["TouchSticks", "ReplaceKeepsTtl", "CreateKeepsTouch"],
        run: |ctx| Box::pin(overwritten::last_expiry_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-17",
        name: "all_methods_agree_on_the_last_moment",
        sentence: "Just before a record's expiry each method takes it for live: it is counted and \
                   listed, `touch` and `replace` find it, `create` does not replace it, `sweep` \
                   spares it.",
        why: "Each query has its own comparison; one in seconds among those in milliseconds ends \
              sessions for this method alone.",
        hint: "One live check, in one unit, used by all.",
        catches: &[
            "TouchBySecond",
            "ReplaceBySecond",
            "CreateBySecond",
            "LengthBySecond",
            "SweepBySecond",
        ],
        run: |ctx| Box::pin(ends::all_methods_agree_on_the_last_moment(ctx)),
        ..Rule::MUST
    },
];
