//! Compare and swap: `replace` and `create` among others that write.

mod compare;
mod races;

use crate::Rule;
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "CAS-01",
        name: "replace_of_a_changed_record_conflicts",
        needs: &[Need::Replace],
        sentence: "`replace` from a record that is not the stored one any more is `Conflict`, and \
                   changes neither data nor expiry; from the stored one it writes.",
        why: "Two requests of one visitor at the same time: the slower one would undo what the \
              quicker one has saved, with neither knowing.",
        hint: "UPDATE .. WHERE data = old; WATCH or a script; compare under the lock.",
        catches: &[
            "LastWriteWins",
            "ConflictButWrites",
            "ConflictIsError",
            "ConflictMovesExpiry",
            "CacheMissesReplace",
        ],
        run: |ctx| Box::pin(compare::replace_of_a_changed_record_conflicts(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-02",
        name: "replace_after_a_new_beginning",
        needs: &[Need::Replace],
        sentence: "A record that was destroyed and written again under the same id, with other \
                   data, is another one: `replace` from the old one changes nothing.",
        why: "A version that begins at 1 again makes a stranger's session look like one's own.",
        hint: "Compare the text; or versions that are never used twice.",
        catches: &["VersionReset", "LastWriteWins"],
        run: |ctx| Box::pin(compare::replace_after_a_new_beginning(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-03",
        name: "no_lost_update",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "Of 8 tasks that increase one counter 25 times each, through `get` and `replace`, \
                   none loses an increment.",
        why: "A shopping cart into which two tabs put something holds both.",
        hint: "One statement, or one transaction at an isolation that notices.",
        catches: &["LostUpdate"],
        run: |ctx| Box::pin(races::no_lost_update(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-04",
        name: "one_create_wins",
        needs: &[Need::Create],
        probabilistic: true,
        sentence: "Of several `create`s of one id at the same time exactly one is `Created`, and \
                   its record is the one that stays.",
        why: "Two visitors with one id would share a session.",
        hint: "A unique key or SET .. NX; never look first and write then.",
        catches: &["CreateRace", "CreateOverwrites"],
        run: |ctx| Box::pin(races::one_create_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-05",
        name: "touch_is_no_change",
        needs: &[Need::Replace, Need::Touch],
        sentence: "A `touch` between reading and `replace` is no conflict; the new record's expiry \
                   is the one that counts then.",
        why: "Each request touches: with conflicts, a page with ten images could save nothing.",
        hint: "Compare the JSON alone; keep the expiry out of it.",
        catches: &["TouchBumps", "TouchedMissing", "CompareExpiry"],
        run: |ctx| Box::pin(compare::touch_is_no_change(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-06",
        name: "replace_writes_the_expiry",
        needs: &[Need::Replace],
        sentence: "`replace` gives the record the new one's expiry: an earlier one, a later one, or \
                   none.",
        why: "KEEPTTL, or a SET without PX: the session ends with the old expiry, or never.",
        hint: "Write data and expiry together.",
        catches: &["ReplaceKeepsTtl", "ReplaceLosesTtl", "ReplaceOnlyExtends"],
        run: |ctx| Box::pin(compare::replace_writes_the_expiry(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-07",
        name: "replace_changes_one_id",
        needs: &[Need::Replace],
        sentence: "`replace` changes this id and no other, whatever the others hold.",
        why: "Fresh sessions often have the same text: a condition on it alone writes to all.",
        hint: "The id belongs into the condition, too.",
        catches: &["ReplaceSameText"],
        run: |ctx| Box::pin(compare::replace_changes_one_id(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-08",
        name: "replace_compares_each_byte",
        needs: &[Need::Replace],
        sentence: "`replace` compares each byte of the JSON: texts of the same length, that differ \
                   in case, in spaces, in the form of a letter, in the order of keys or only at \
                   their end are different; texts that are the same are the same, at any length.",
        why: "A collation, a hash or a prefix that calls two texts equal loses an update.",
        hint: "A binary comparison (`BINARY`, `COLLATE \"C\"`, bytea) of the whole text.",
        catches: &[
            "CompareLength",
            "CompareCase",
            "ComparePadded",
            "CompareParsed",
            "ComparePrefix",
            "CompareHash",
            "CompareMaxLength",
        ],
        run: |ctx| Box::pin(compare::replace_compares_each_byte(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-09",
        name: "replace_by_the_same",
        needs: &[Need::Replace],
        sentence: "`replace` by the same text is `Replaced`, and writes the new expiry.",
        why: "MySQL counts the rows that have changed, not those that were found: nothing changed \
              looks like a conflict that no retry resolves.",
        hint: "CLIENT_FOUND_ROWS, or a column that changes with each write.",
        catches: &["SameIsConflict", "SameIsSkipped"],
        run: |ctx| Box::pin(compare::replace_by_the_same(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-10",
        name: "any_handle_can_replace",
        needs: &[Need::Replace],
        sentence: "`replace` works from a record that another handle has read, and from one that \
                   was only written: the text decides.",
        why: "A request may be read by one process and saved by another, or by one that has just \
              been started.",
        hint: "Keep no versions in the process.",
        catches: &["VersionByHandle"],
        run: |ctx| Box::pin(compare::any_handle_can_replace(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-11",
        name: "one_replace_wins",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "Of several `replace`s from one record at the same time exactly one is \
                   `Replaced`, and its record is the one that stays.",
        why: "Two requests that both hear that they have saved, and one of them has not.",
        hint: "One statement, or one transaction at an isolation that notices.",
        catches: &["LostUpdate"],
        run: |ctx| Box::pin(races::one_replace_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-12",
        name: "replace_undoes_no_concurrent_write",
        needs: &[Need::Replace],
        probabilistic: true,
        sentence: "A `destroy` or a `set` that runs at the same time as a `replace` has the last \
                   word, whichever comes first.",
        why: "OWASP ASVS 3.3.1: the slow request that logs in again what was logged out.",
        hint: "Write only where the old record is found, in the same step.",
        catches: &["LostUpdate", "ReplaceFallsBack"],
        run: |ctx| Box::pin(races::replace_undoes_no_concurrent_write(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CAS-13",
        name: "create_undoes_no_concurrent_set",
        needs: &[Need::Create],
        probabilistic: true,
        sentence: "A `set` that runs at the same time as a `create` has the last word, whichever \
                   comes first.",
        why: "A record that was just saved would be overwritten by an empty one.",
        hint: "A unique key or SET .. NX; never look first and write then.",
        catches: &["CreateRace"],
        run: |ctx| Box::pin(races::create_undoes_no_concurrent_set(ctx)),
        ..Rule::CAPABILITY
    },
];
