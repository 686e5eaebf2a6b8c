//! The steps of a request's script.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use session_tower::{Error, Session, SessionId, Store};

use crate::cookie;
use crate::json::{Json, quoted};

/// Runs scripts on sessions.
#[derive(Clone)]
pub(crate) struct Runner {
    store: Arc<dyn Store>,
}

/// One step: its JSON, and the text of its value as it was sent.
struct Step {
    json: Json,
    value: Option<String>,
}

impl Runner {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// What each step of `body`, a JSON list, resulted in.
    ///
    /// # Errors
    ///
    /// What to answer to a body that is no list.
    pub(crate) async fn run(
        &self,
        session: Option<&Session>,
        body: &[u8],
    ) -> Result<String, String> {
        let steps: Vec<Box<RawValue>> = if body.is_empty() {
            Vec::new()
        } else {
            // Bytes that are no text become U+FFFD, as in Node.
            serde_json::from_str(&String::from_utf8_lossy(body))
                .map_err(|error| failed(&error.to_string()))?
        };
        let mut results = Vec::with_capacity(steps.len());
        for step in &steps {
            let step = Step::parse(step.get());
            let ends = matches!(step.op(), Some("destroy" | "unset"));
            let result = self.step(session, &step).await;
            let done = result.is_ok();
            results.push(result.unwrap_or_else(|message| failed(&message)));
            if ends && done {
                break;
            }
        }
        Ok(format!(r#"{{"results":[{}]}}"#, results.join(",")))
    }

    /// The JSON of one step's result.
    async fn step(&self, session: Option<&Session>, step: &Step) -> Result<String, String> {
        let op = step.op().ok_or("a step is an object with an op")?;
        match op {
            "sleep" => {
                let millis = step.number(&["ms", "value"])?.clamp(0.0, 60_000.0);
                tokio::time::sleep(Duration::from_secs_f64(millis / 1000.0)).await;
                return Ok(null());
            }
            "store" => return self.stored(step.text("id")?).await,
            _ => {}
        }
        let session = session.ok_or("this request has no session")?;
        match op {
            "get" => Ok(session
                .data()
                .raw(step.text("key")?)
                .map_or_else(null, str::to_owned)),
            "set" => {
                let value = RawValue::from_string(step.value.clone().ok_or("set needs a value")?)
                    .map_err(|error| error.to_string())?;
                session.insert(step.text("key")?, &value).map_err(text)?;
                Ok(null())
            }
            "delete" => {
                session.remove(step.text("key")?);
                Ok(null())
            }
            "data" => {
                let data = session.data();
                let members: Vec<_> = data
                    .iter()
                    .map(|(key, value)| format!("{}:{value}", quoted(&key)))
                    .collect();
                Ok(format!("{{{}}}", members.join(",")))
            }
            "id" => Ok(quoted(session.id().as_str())),
            "cookie" => Ok(cookie::json(&session.cookie())?.to_string()),
            "maxAge" => Ok(cookie::max_age(session).to_string()),
            "originalMaxAge" => {
                let cookie = cookie::json(&session.cookie())?;
                let number = cookie.member("originalMaxAge").and_then(Json::as_number);
                Ok(number.map_or(Json::Null, Json::Number).to_string())
            }
            "setMaxAge" => {
                cookie::set_max_age(session, step.any(&["value", "ms"])?)?;
                Ok(null())
            }
            "setExpires" => {
                cookie::set_expires(session, step.any(&["value", "ms"])?)?;
                Ok(null())
            }
            "setCookie" => {
                cookie::assign(session, step.any(&["fields", "value", "cookie"])?)?;
                Ok(null())
            }
            "touch" => {
                session.touch();
                Ok(null())
            }
            "save" => session.save().await.map(|()| null()).map_err(text),
            "reload" => session.reload().await.map(|()| null()).map_err(text),
            "regenerate" => {
                session.regenerate();
                Ok(null())
            }
            "destroy" => session.destroy().await.map(|()| null()).map_err(text),
            "unset" => {
                session.unset();
                Ok(null())
            }
            _ => Err(format!("there is no op {op:?}")),
        }
    }

    /// What lies in the store under an id, with the expiry that counts: for stores that only
    /// this process can look into.
    async fn stored(&self, id: &str) -> Result<String, String> {
        // Nothing is stored under what cannot be an id.
        let Ok(id) = SessionId::new(id) else {
            return Ok(null());
        };
        let Some(record) = self.store.get(&id).await.map_err(text)? else {
            return Ok(null());
        };
        let data = record.data();
        let mut members = vec![format!(r#""cookie":{}"#, cookie::json(record.cookie())?)];
        members.extend(
            data.iter()
                .map(|(key, value)| format!("{}:{value}", quoted(&key))),
        );
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl Step {
    fn parse(text: &str) -> Self {
        let json = Json::parse(text).unwrap_or(Json::Null);
        let value = json.member("value").map(ToString::to_string);
        Self { json, value }
    }

    fn op(&self) -> Option<&str> {
        self.json.member("op").and_then(Json::as_text)
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        self.json
            .member(name)
            .and_then(Json::as_text)
            .ok_or_else(|| format!("the step needs a text as its {name}"))
    }

    fn number(&self, names: &[&str]) -> Result<f64, String> {
        let value = self.any(names)?;
        value
            .as_number()
            .ok_or_else(|| format!("{} must be a number", names[0]))
    }

    /// The first of these members that is there.
    fn any(&self, names: &[&str]) -> Result<&Json, String> {
        names
            .iter()
            .find_map(|name| self.json.member(name))
            .ok_or_else(|| format!("the step needs a {}", names[0]))
    }
}

fn null() -> String {
    "null".to_owned()
}

fn failed(message: &str) -> String {
    format!(r#"{{"error":true,"message":{}}}"#, quoted(message))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: Error) -> String {
    error.to_string()
}
