//! What requests do, each in the words of a handler.

use std::cell::RefCell;
use std::rc::Rc;

use crate::{Error, Session, SessionId};

/// One thing that a request does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Edit,
    Update,
    Commit,
    SignInByRegenerate,
    SignInByCycle,
    RegenerateKeeping,
    SignInTwice,
    SignOut,
    Unset,
    SaveTwice,
    Read,
    Reload,
}

impl Deed {
    pub(super) const ALL: [Self; 12] = [
        Self::Edit,
        Self::Update,
        Self::Commit,
        Self::SignInByRegenerate,
        Self::SignInByCycle,
        Self::RegenerateKeeping,
        Self::SignInTwice,
        Self::SignOut,
        Self::Unset,
        Self::SaveTwice,
        Self::Read,
        Self::Reload,
    ];

    /// Whether it changes the id and takes data along.
    pub(super) fn keeps_data(self) -> bool {
        matches!(
            self,
            Self::SignInByCycle | Self::RegenerateKeeping | Self::SignInTwice
        )
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Edit => "sets a key",
            Self::Update => "counts up by `update`",
            Self::Commit => "counts up by `commit`",
            Self::SignInByRegenerate => "signs in by `regenerate`",
            Self::SignInByCycle => "signs in by `cycle_id`",
            Self::RegenerateKeeping => "signs in by `regenerate_keeping`",
            Self::SignInTwice => "signs in, saves and changes the id again",
            Self::SignOut => "signs out by `destroy`",
            Self::Unset => "signs out by `unset`",
            Self::SaveTwice => "counts up, saves, counts up and saves again",
            Self::Read => "reads",
            Self::Reload => "sets a key, reloads and counts up",
        }
    }
}

/// What a request has done and been told.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The id of the session that it found.
    pub(super) found: Option<SessionId>,
    /// The session whose end was acknowledged to the handler.
    pub(super) ended: Option<SessionId>,
    /// How often it began to count up, and how often it was told that this is stored.
    pub(super) counts: u32,
    pub(super) counted: u32,
    /// Of those begun, the ones that end with the response.
    pub(super) waiting: u32,
    /// Whether it set its own key, and whether it was told that this is stored.
    pub(super) sets_key: bool,
    pub(super) key_is_set: bool,
    /// The id of a new session that it was told is stored.
    pub(super) saved: Option<SessionId>,
    /// The number that `commit` answered with.
    pub(super) told: Option<u32>,
    pub(super) changes_id: bool,
    /// Whether the request was served without an error.
    pub(super) succeeded: bool,
    /// The id in the cookie of its response.
    pub(super) cookie: Option<SessionId>,
    /// Whether the response drops the cookie.
    pub(super) dropped_cookie: bool,
    pub(super) unset: bool,
}

pub(super) type Shared = Rc<RefCell<Report>>;

fn count_up(session: &Session, report: &Shared) -> Result<(), Error> {
    session.update("n", |n: Option<u32>| n.unwrap_or(0) + 1)?;
    let mut report = report.borrow_mut();
    report.counts += 1;
    report.waiting += 1;
    Ok(())
}

fn save_done(report: &Shared) {
    let mut report = report.borrow_mut();
    report.counted += std::mem::take(&mut report.waiting);
}

/// Does the deed, as request number `number`.
pub(super) async fn act(
    deed: Deed,
    number: usize,
    session: &Session,
    report: &Shared,
) -> Result<(), Error> {
    let key = format!("key{number}");
    match deed {
        Deed::Edit => {
            session.insert(&key, &1)?;
            report.borrow_mut().sets_key = true;
        }
        Deed::Update => count_up(session, report)?,
        Deed::Commit => {
            report.borrow_mut().counts += 1;
            let told = session
                .commit(|data| {
                    let n = data.get::<u32>("n")?.unwrap_or(0) + 1;
                    data.insert("n", &n)?;
                    Ok::<_, Error>(n)
                })
                .await?;
            let mut report = report.borrow_mut();
            report.counted += 1;
            report.told = Some(told);
        }
        Deed::SignInByRegenerate => {
            session.regenerate();
            session.insert("user", &number)?;
            report.borrow_mut().changes_id = true;
        }
        Deed::SignInByCycle => {
            session.cycle_id();
            session.insert("user", &number)?;
            report.borrow_mut().changes_id = true;
        }
        Deed::RegenerateKeeping => {
            session.regenerate_keeping(["n"]);
            session.insert("user", &number)?;
            report.borrow_mut().changes_id = true;
        }
        Deed::SignInTwice => {
            report.borrow_mut().changes_id = true;
            session.cycle_id();
            count_up(session, report)?;
            // What is saved is the new session's, which nobody has if this request fails.
            if session.save().await.is_err() {
                session.save().await?;
            }
            let mut told = report.borrow_mut();
            told.saved = Some(session.id()).filter(|_| told.found.is_none());
            drop(told);
            session.cycle_id();
            session.insert("user", &number)?;
        }
        Deed::SignOut => {
            let id = session.id();
            session.destroy().await?;
            report.borrow_mut().ended = Some(id);
        }
        Deed::Unset => {
            session.unset();
            report.borrow_mut().unset = true;
        }
        Deed::SaveTwice => {
            count_up(session, report)?;
            if session.save().await.is_ok() {
                save_done(report);
                report.borrow_mut().saved = Some(session.id());
            }
            count_up(session, report)?;
            session.save().await?;
            save_done(report);
        }
        Deed::Read => {
            let _: Option<u32> = session.get("n")?;
        }
        Deed::Reload => {
            session.insert(&key, &1)?;
            session.reload().await?;
            count_up(session, report)?;
        }
    }
    Ok(())
}
