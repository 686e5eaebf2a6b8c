//! Namespaces that run into each other.

use session_core::{SessionId, Swept};

use crate::broken::call::Reply;
use crate::broken::mutant::{Fault, How, Mutant, Work};
use crate::reference::Reference;

pub(super) const FAULTS: &[Fault] = &[
    call(
        "JoinsNames",
        "joins the namespace and the id without a separator",
        |mutant, call| {
            Box::pin(async move {
                let name = mutant.reference.namespace();
                let key = call
                    .id()
                    .map(|id| format!("{name}{}", id.as_str()))
                    .unwrap_or_default();
                for other in mutant.reference.everywhere() {
                    let id = key.strip_prefix(other.namespace()).map(str::to_owned);
                    let Some(id) = id.and_then(|id| SessionId::new(id).ok()) else {
                        continue;
                    };
                    if other.namespace() != name && other.rows().contains_key(id.as_str()) {
                        return call.with_id(id).on(&other).await;
                    }
                }
                mutant.right(call).await
            })
        },
    ),
    call(
        "SameIdElsewhere",
        "finds the same id in a namespace beside this one",
        |mutant, call| {
            Box::pin(async move {
                let id = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                let there = |other: &Reference| other.rows().contains_key(&id);
                if !there(&mutant.reference)
                    && let Some(other) = neighbours(mutant).into_iter().find(there)
                {
                    return call.on(&other).await;
                }
                mutant.right(call).await
            })
        },
    ),
    call(
        "TakesNeighbours",
        "takes in namespaces whose names begin alike",
        |mutant, call| {
            Box::pin(async move {
                let mut reply = mutant.right(call.clone()).await?;
                for other in neighbours(mutant) {
                    reply = match (reply, call.clone().on(&other).await?) {
                        (Reply::All(a), Reply::All(b)) => {
                            Reply::All(a.into_iter().chain(b).collect())
                        }
                        (Reply::Ids(a), Reply::Ids(b)) => {
                            Reply::Ids(a.into_iter().chain(b).collect())
                        }
                        (Reply::Length(a), Reply::Length(b)) => Reply::Length(a + b),
                        (Reply::Swept(a), Reply::Swept(b)) => Reply::Swept(Swept {
                            removed: a.removed + b.removed,
                            more: a.more || b.more,
                        }),
                        (reply, _) => reply,
                    };
                }
                Ok(reply)
            })
        },
    ),
];

fn neighbours(mutant: &Mutant) -> Vec<Reference> {
    let name = mutant.reference.namespace();
    let mut others = mutant.reference.everywhere();
    others.retain(|other| {
        let other = other.namespace();
        other != name && (other.starts_with(name) || name.starts_with(other))
    });
    others
}

const fn call(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}
