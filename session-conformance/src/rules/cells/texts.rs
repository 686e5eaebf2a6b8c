//! The texts of errors, whichever method fails.

use session_core::{Error, ErrorKind, SessionId};

use super::bytes::{Width, of_size};
use super::{Made, make};
use crate::Method;
use crate::context::{Context, data};
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::property::property;
use crate::rules::err::{Recovery, texts};
use crate::secret::gives_away;

property! {
    group: "SEC", title: "errors without ids", name: "fails_without_secrets",
    says: [
        "No error of ",
        " (an id or a record that is refused, bytes that are no record, an outage, an answer that \
         is lost) has a session id, session data or the backend's password in its text, its \
         `Debug` or its sources."
    ],
    why: "Errors are logged, and an id is a login.",
    hint: "Let the text name the operation alone; take the statement and its parameters out of \
           the driver's error.",
    needs: [],
    run: fails_without_secrets,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        LeaksId [create destroy get replace set touch],
        LeaksIdInSource [create destroy get replace set touch],
        LeaksData [create replace set],
        LeaksOld [replace],
        LeaksUrl [all clear create destroy get ids length replace set sweep touch],
        LeaksHead [create destroy get replace set touch],
    ],
}

const VALUE: &str = "c2VjcmV0LWluLXNlc3Npb24tZGF0YQ";

async fn fails_without_secrets(ctx: &Context, method: Method) -> Result<(), Failure> {
    let end = ctx.record("").expires();
    let record = ctx.record_of(&data(&[("password", VALUE)]), end);
    let new = ctx.record_of(&data(&[("password", VALUE), ("n", "2")]), end);
    let id = ctx.id("asked for");
    ctx.h1.set(&id, &record).await.ok()?;
    let mut provoked = 0;
    let mut look = |made: Made, of: &SessionId, what: &str| {
        if let Made::Failed(error) = made {
            provoked += 1;
            is_silent(ctx, method, &error, of, what)?;
        }
        Ok::<_, Failure>(())
    };
    let text = id.id.as_str().to_owned();
    if method.takes_an_id() {
        let limit = ctx
            .capabilities()
            .max_id_bytes
            .filter(|limit| *limit < 1 << 20);
        let long = limit.map(|limit| text.repeat(limit / text.len() + 1));
        let odd = [
            format!("{text}\0"),
            format!("{text}'\""),
            format!("../{text}"),
        ];
        for odd in odd.into_iter().chain(long) {
            let odd: Id = ctx.odd_id("an odd id", &odd);
            let made = make(&ctx.h1, method, &odd, &record, &new).await;
            look(made, &id.id, "an odd id")?;
        }
    }
    let limit = ctx
        .capabilities()
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20);
    let writes = matches!(method, Method::Create | Method::Replace | Method::Set);
    if let Some(limit) = limit.filter(|_| writes) {
        let large = of_size(ctx, Width::One(VALUE), limit + 1);
        let fresh = ctx.id("fresh");
        let id = if method == Method::Create {
            &fresh
        } else {
            &id
        };
        let made = make(&ctx.h1, method, id, &record, &large).await;
        look(made, &id.id, "a record that is too large")?;
    }
    if ctx.has(Need::Undecodable) {
        let broken = ctx.id("undecodable");
        ctx.h1.wrote(&broken);
        ctx.space.hooks.write_undecodable(&broken.id).await?;
        let made = make(&ctx.h1, method, &broken, &record, &new).await;
        look(made, &broken.id, "bytes that are no record")?;
        ctx.h1.destroy(&broken).await.ok()?;
    }
    if ctx.has(Need::Fault) {
        ctx.h1.set(&id, &record).await.ok()?;
        ctx.remark("the backend is broken");
        ctx.space.hooks.break_backend().await?;
        let made = make(&ctx.h1, method, &id, &record, &new).await;
        ctx.remark("the backend is healed");
        ctx.space.hooks.heal_backend().await?;
        look(made, &id.id, "an outage")?;
        let settled = Recovery::of(ctx);
        settled.call(|| ctx.h1.get(&id)).await.ok()?;
        ctx.remark("the next answer is lost");
        ctx.space.hooks.lose_next_answer().await?;
        let made = make(&ctx.h1, method, &id, &record, &new).await;
        look(made, &id.id, "a lost answer")?;
        settled.call(|| ctx.h1.get(&id)).await.ok()?;
    }
    ctx.remark(format!("{method} failed {provoked} times"));
    Ok(())
}

fn is_silent(
    ctx: &Context,
    method: Method,
    error: &Error,
    id: &SessionId,
    what: &str,
) -> Result<(), Failure> {
    if error.kind() == ErrorKind::Unsupported {
        return Ok(());
    }
    let mut secrets = vec![("session id", id.as_str()), ("session data", VALUE)];
    let own = ctx.space.secrets.iter();
    secrets.extend(own.map(|secret| ("secret of the harness", &**secret)));
    for (kind, secret) in secrets {
        for (place, text) in texts(error) {
            ensure(
                !gives_away(&text, secret),
                format_args!("no {kind} in the error of `{method}` after {what}"),
                format_args!("it stands in {place}: {text}"),
            )?;
        }
    }
    Ok(())
}
