//! The errors themselves: their texts, their kinds, their sources.

use std::error::Error as _;

use futures_util::future::{BoxFuture, join_all};
use session_core::{Error, ErrorKind};

use super::outage::PATIENCE;
use crate::answer::Answer;
use crate::context::{Context, data};
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::rules::siz::record_of_size;
use crate::secret::gives_away;
use crate::space::Space;

/// An error with what must not be in it, and the kind that it must have.
struct Provoked {
    call: String,
    error: Error,
    wanted: &'static [ErrorKind],
    secrets: Vec<(&'static str, String)>,
}

const OUTAGE: &[ErrorKind] = &[ErrorKind::Unavailable, ErrorKind::Timeout];

const SECRET: &str = "Zm9yYmlkZGVuLXZhbHVl";

impl Provoked {
    fn new(call: String, error: Error, wanted: &'static [ErrorKind], id: &Id) -> Self {
        Self {
            call,
            error,
            wanted,
            secrets: vec![
                ("session id", id.id.as_str().to_owned()),
                ("session data", SECRET.to_owned()),
            ],
        }
    }
}

async fn error_of<T>(call: impl Future<Output = Answer<T>>) -> (String, Option<Error>) {
    let answer = call.await;
    (answer.call, answer.result.err())
}

fn provoked<T>(
    provoked: &mut Vec<Provoked>,
    answer: Answer<T>,
    wanted: &'static [ErrorKind],
    id: &Id,
) {
    if let Err(error) = answer.result {
        provoked.push(Provoked::new(answer.call, error, wanted, id));
    }
}

/// Makes the store fail in every way that can be had.
async fn provoke(ctx: &Context, space: &Space) -> Result<Vec<Provoked>, Failure> {
    let mut found = Vec::new();
    let h1 = &space.h1;
    let id = ctx.id("asked for");
    let record = ctx.record_of(&data(&[("password", SECRET)]), ctx.record("").expires());
    let unsupported: &[ErrorKind] = &[ErrorKind::Unsupported];
    h1.set(&id, &record).await.ok()?;
    let capabilities = ctx.capabilities();
    if !capabilities.touch {
        provoked(
            &mut found,
            h1.touch(&id, &ctx.cookie(None)).await,
            unsupported,
            &id,
        );
    }
    if !capabilities.create {
        provoked(&mut found, h1.create(&id, &record).await, unsupported, &id);
    }
    if !capabilities.replace {
        provoked(
            &mut found,
            h1.replace(&id, &record, &record).await,
            unsupported,
            &id,
        );
    }
    let invalid: &[ErrorKind] = &[ErrorKind::InvalidId];
    let text = id.id.as_str().to_owned();
    let mut odd = vec![
        ("an id with a NUL", format!("{text}\0")),
        ("an id with a quote", format!("{text}'\"")),
        ("an id with a path", format!("../{text}")),
        ("an id of 10 KiB", text.repeat(320)),
    ];
    if let Some(limit) = capabilities.max_id_bytes.filter(|limit| *limit < 1 << 20) {
        odd.push((
            "an id that is too long",
            text.repeat(limit / text.len() + 1),
        ));
    }
    for (label, odd) in &odd {
        let mut odd = ctx.odd_id(*label, odd);
        let (get, set, gone) = (
            h1.get(&odd).await,
            h1.set(&odd, &record).await,
            h1.destroy(&odd).await,
        );
        odd.id = id.id.clone();
        provoked(&mut found, get, invalid, &odd);
        provoked(&mut found, set, invalid, &odd);
        provoked(&mut found, gone, invalid, &odd);
    }
    if let Some(limit) = capabilities
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20)
    {
        let large = record_of_size(ctx, limit + 1, SECRET, record.expires());
        let large_set = h1.set(&id, &large).await;
        provoked(&mut found, large_set, &[ErrorKind::TooLarge], &id);
    }
    if ctx.has(Need::Undecodable) {
        let broken = ctx.id("undecodable");
        space.h1.wrote(&broken);
        space.hooks.write_undecodable(&broken.id).await?;
        let get = h1.get(&broken).await;
        provoked(&mut found, get, &[ErrorKind::Decode], &broken);
        h1.destroy(&broken).await.ok()?;
    }
    if ctx.has(Need::Fault) {
        ctx.remark("the backend is broken");
        space.hooks.break_backend().await?;
        // All at once, so that their timeouts pass at the same time.
        let calls: Vec<BoxFuture<'_, (String, Option<Error>)>> = vec![
            Box::pin(error_of(h1.get(&id))),
            Box::pin(error_of(h1.set(&id, &record))),
            Box::pin(error_of(h1.destroy(&id))),
            Box::pin(async {
                if ctx.has(Need::Touch) {
                    error_of(h1.touch(&id, &ctx.cookie(None))).await
                } else {
                    (String::new(), None)
                }
            }),
            Box::pin(async {
                if ctx.has(Need::Replace) {
                    error_of(h1.replace(&id, &record, &record)).await
                } else {
                    (String::new(), None)
                }
            }),
        ];
        let errors = tokio::time::timeout(PATIENCE, join_all(calls)).await;
        ctx.remark("the backend is healed");
        space.hooks.heal_backend().await?;
        let Ok(errors) = errors else {
            return Err(Failure::new(
                format_args!(
                    "the calls to be refused within {} while the backend is broken",
                    describe::duration(PATIENCE)
                ),
                "no answer: there is no error to look at",
            ));
        };
        let before = found.len();
        for (call, error) in errors {
            found.extend(error.map(|error| Provoked::new(call, error, OUTAGE, &id)));
        }
        ensure(
            found.len() > before,
            "an error of at least one call while the backend is broken",
            "all of them succeeded: there is no error to look at",
        )?;
    }
    ctx.remark(format!("{} errors were provoked", found.len()));
    Ok(found)
}

/// All texts of an error and of what it comes from.
pub(in crate::rules) fn texts(error: &Error) -> Vec<(String, String)> {
    let mut texts = vec![
        ("its text".to_owned(), error.to_string()),
        ("its Debug".to_owned(), format!("{error:?} {error:#?}")),
    ];
    let mut source = error.source();
    let mut depth = 0;
    while let Some(cause) = source.filter(|_| depth < 100) {
        depth += 1;
        texts.push((format!("the text of its source {depth}"), cause.to_string()));
        texts.push((
            format!("the Debug of its source {depth}"),
            format!("{cause:?} {cause:#?}"),
        ));
        source = cause.source();
    }
    texts
}

pub(super) async fn errors_hold_no_secrets(ctx: &Context) -> Result<(), Failure> {
    let found = provoke(ctx, &ctx.space).await?;
    for Provoked {
        call,
        error,
        secrets,
        ..
    } in &found
    {
        let passwords = ctx
            .space
            .secrets
            .iter()
            .map(|secret| ("secret of the harness", secret));
        let secrets = secrets.iter().map(|(what, secret)| (*what, secret));
        for (what, secret) in secrets.chain(passwords) {
            for (place, text) in texts(error) {
                ensure(
                    !gives_away(&text, secret),
                    format_args!("no {what} in the error of `{call}`"),
                    format_args!("it stands in {place}: {text}"),
                )?;
            }
        }
    }
    Ok(())
}

pub(super) async fn errors_have_their_kind(ctx: &Context) -> Result<(), Failure> {
    fn portable<T: std::error::Error + Send + Sync + 'static>(_: &T) {}
    for Provoked {
        call,
        error,
        wanted,
        ..
    } in provoke(ctx, &ctx.space).await?
    {
        portable(&error);
        ensure(
            wanted.contains(&error.kind()),
            format_args!("the error of `{call}` to be of kind {wanted:?}"),
            describe::error(&error),
        )?;
        ensure(
            !error.operation().is_empty(),
            format_args!("the error of `{call}` to name its operation"),
            describe::error(&error),
        )?;
        ensure(
            texts(&error).len() < 200,
            format_args!("the sources of the error of `{call}` to come to an end"),
            "100 of them and more",
        )?;
    }
    Ok(())
}
