//! What becomes of a session at the end of its request: decided from what is known of it, without
//! asking anybody.

/// The options that count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) resave: bool,
    pub(crate) rolling: bool,
    pub(crate) save_uninitialized: bool,
    /// Whether the store can move a session's end without writing it.
    pub(crate) can_touch: bool,
}

/// What is known of a session that is there to be used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Situation {
    /// Its id is not the one that the request came with.
    pub(crate) is_new: bool,
    /// Its id was changed on purpose in this request.
    pub(crate) has_new_id: bool,
    /// This request has written it under its present id.
    pub(crate) written: bool,
    /// The store holds something under its present id.
    pub(crate) stored: bool,
    /// Its data is not what is stored.
    pub(crate) data_changed: bool,
    /// Its data is not what the request found, written or not.
    pub(crate) data_ever_changed: bool,
    /// Its cookie settings are not those stored.
    pub(crate) settings_changed: bool,
    /// Its cookie settings are not those that the request found, written or not.
    pub(crate) settings_ever_changed: bool,
    /// Its cookie has an end, in Node's eyes.
    pub(crate) has_expires: bool,
    /// Its cookie may be sent over this connection.
    pub(crate) sendable: bool,
    /// Its end was not moved for a while, and is to be.
    pub(crate) touch_due: bool,
    /// Sessions under ids that this request gave up may be stored, and no browser knows of them.
    pub(crate) has_discarded: bool,
    /// The session that it follows may be stored.
    pub(crate) has_retired: bool,
    /// That one is to end whether or not the browser can be told of this one.
    pub(crate) ends_retired: bool,
    /// This request has destroyed the session that it came with.
    pub(crate) has_destroyed: bool,
}

/// What to ask of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// A new session is not saved, because its cookie could not be sent.
    Withhold,
    Touch,
    Write,
    /// The session that this one follows, which is saved, is still in the store.
    Retire,
}

/// What to tell the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    /// The session's cookie.
    Cookie,
    /// The session's cookie, if the connection were secure.
    WithheldCookie,
    /// That its cookie is void.
    Removal,
}

/// What becomes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) action: Action,
    /// Provided that the action succeeds.
    pub(crate) reply: Reply,
}

/// The table of EXPRESS 2.7, with its departures.
pub(crate) fn plan(rules: Rules, session: &Situation) -> Plan {
    let action = action(rules, session);
    Plan {
        action,
        reply: reply(rules, session, action),
    }
}

fn action(rules: Rules, session: &Situation) -> Action {
    if session.is_new {
        // Settings alone make no session worth keeping.
        let settings_changed = session.stored && session.settings_changed;
        let kept = session.has_new_id || rules.save_uninitialized;
        let wanted = session.data_changed || settings_changed || (kept && !session.written);
        return match (wanted, session.sendable) {
            (true, true) => Action::Write,
            // Nobody can be told of the new one; the old one is to end all the same.
            (_, false) if session.ends_retired => Action::Retire,
            (true, false) => Action::Withhold,
            (false, false) if session.has_discarded => Action::Withhold,
            (false, true) if session.written && (session.has_retired || session.has_discarded) => {
                Action::Retire
            }
            (false, _) => Action::Nothing,
        };
    }
    let unwritten = rules.resave && !session.written;
    if session.data_changed || session.settings_changed || unwritten {
        Action::Write
    } else if rules.can_touch && session.touch_due {
        Action::Touch
    } else {
        Action::Nothing
    }
}

/// What to tell the browser once `action` was done.
pub(crate) fn reply(rules: Rules, session: &Situation, action: Action) -> Reply {
    let written = session.written || action == Action::Write;
    let sent = if session.is_new {
        written
    } else {
        // With `touch_after`, the cookie moves when the row does.
        let moved = written || action == Action::Touch || !rules.can_touch;
        (rules.rolling && moved)
            || session.settings_ever_changed
            || (session.data_ever_changed && session.has_expires)
    };
    match (sent, session.sendable) {
        (true, true) => Reply::Cookie,
        (true, false) => Reply::WithheldCookie,
        // A session that was destroyed, and nothing came after it.
        (false, _) if session.has_destroyed && !session.has_new_id => Reply::Removal,
        (false, _) => Reply::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Nothing, Retire, Touch, Withhold, Write};

    /// New and unmodified, new and modified, existing and unmodified, existing and modified.
    const REQUESTS: [Situation; 4] = {
        let known = Situation {
            is_new: false,
            has_new_id: false,
            written: false,
            stored: true,
            data_changed: false,
            data_ever_changed: false,
            settings_changed: false,
            settings_ever_changed: false,
            has_expires: false,
            sendable: true,
            touch_due: true,
            has_discarded: false,
            has_retired: false,
            ends_retired: false,
            has_destroyed: false,
        };
        let new = Situation {
            is_new: true,
            stored: false,
            ..known
        };
        [
            new,
            Situation {
                data_changed: true,
                data_ever_changed: true,
                ..new
            },
            known,
            Situation {
                data_changed: true,
                data_ever_changed: true,
                ..known
            },
        ]
    };

    /// As express-session 1.19 was measured: `resave`, `save_uninitialized` and `rolling`, whether
    /// there is a max age, and for each request what it asks of the store and whether it sets the
    /// cookie.
    #[test]
    fn the_matrix_of_express_session() {
        let all = [(Write, true); 4];
        let quiet = [(Nothing, false), (Write, true)];
        for (flags, max_age, known) in [
            ([1, 1, 1], false, [(Write, true), (Write, true)]),
            ([1, 1, 1], true, [(Write, true), (Write, true)]),
            ([1, 1, 0], false, [(Write, false), (Write, false)]),
            ([1, 1, 0], true, [(Write, false), (Write, true)]),
            ([1, 0, 1], false, [(Write, true), (Write, true)]),
            ([1, 0, 1], true, [(Write, true), (Write, true)]),
            ([1, 0, 0], false, [(Write, false), (Write, false)]),
            ([1, 0, 0], true, [(Write, false), (Write, true)]),
            ([0, 1, 1], false, [(Touch, true), (Write, true)]),
            ([0, 1, 1], true, [(Touch, true), (Write, true)]),
            ([0, 1, 0], false, [(Touch, false), (Write, false)]),
            ([0, 1, 0], true, [(Touch, false), (Write, true)]),
            ([0, 0, 1], false, [(Touch, true), (Write, true)]),
            ([0, 0, 1], true, [(Touch, true), (Write, true)]),
            ([0, 0, 0], false, [(Touch, false), (Write, false)]),
            ([0, 0, 0], true, [(Touch, false), (Write, true)]),
        ] {
            let [resave, save_uninitialized, rolling] = flags.map(|flag| flag == 1);
            let rules = Rules {
                resave,
                rolling,
                save_uninitialized,
                can_touch: true,
            };
            let new = if save_uninitialized {
                [all[0], all[1]]
            } else {
                quiet
            };
            let expected = [new[0], new[1], known[0], known[1]];
            for (request, (action, cookie)) in REQUESTS.into_iter().zip(expected) {
                let session = Situation {
                    has_expires: max_age,
                    ..request
                };
                let plan = plan(rules, &session);
                let seen = (plan.action, plan.reply == Reply::Cookie);
                assert_eq!(seen, (action, cookie), "{rules:?} {session:?}");
            }
        }
    }

    fn decided(session: Situation) -> (Action, Reply) {
        let rules = Rules {
            can_touch: true,
            ..Rules::default()
        };
        let plan = plan(rules, &session);
        (plan.action, plan.reply)
    }

    /// Departures 4, 5, 11 and 12 of the table in the crate's docs.
    #[test]
    fn the_departures_from_express_session() {
        let [new, new_changed, known, _] = REQUESTS;
        let destroyed = Situation {
            has_destroyed: true,
            ..new
        };
        assert_eq!(decided(destroyed), (Nothing, Reply::Removal));
        let settings = Situation {
            settings_changed: true,
            settings_ever_changed: true,
            ..known
        };
        assert_eq!(decided(settings), (Write, Reply::Cookie));
        let insecure = Situation {
            sendable: false,
            ..new_changed
        };
        assert_eq!(decided(insecure), (Withhold, Reply::Nothing));
        let saved = Situation {
            written: true,
            stored: true,
            ..new
        };
        assert_eq!(decided(saved), (Nothing, Reply::Cookie));
        let nobody_can_be_told = Situation {
            has_new_id: true,
            has_retired: true,
            ends_retired: true,
            ..insecure
        };
        assert_eq!(decided(nobody_can_be_told), (Retire, Reply::Nothing));
    }

    #[test]
    fn a_session_that_was_extended_lately_is_only_read() {
        let [.., known, _] = REQUESTS;
        let lately = Situation {
            touch_due: false,
            ..known
        };
        assert_eq!(decided(lately), (Nothing, Reply::Nothing));
        let rules = Rules {
            rolling: true,
            can_touch: true,
            ..Rules::default()
        };
        assert_eq!(plan(rules, &lately).reply, Reply::Nothing);
        assert_eq!(plan(rules, &known).reply, Reply::Cookie);
    }
}
