//! Which of the contract's exports a plugin has.

use crate::pool::Pool;
use std::sync::Arc;

/// How a plugin is asked about events.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// Protobuf, one event a call; many a call if there is an export for that.
    Protobuf { one: Arc<str>, many: Option<Arc<str>> },
    /// JSON, one event a call.
    Json(Arc<str>),
}

/// The exports of protobuf plugins for one event, and the one for many beside each.
const PROTOBUF: [(&str, &str); 2] =
    [("handle_event", "handle_events"), ("handleEvent", "handleEvents")];
const JSON: &str = "handle_event_json";

impl Entry {
    /// Finds a plugin's entry: the one that its manifest names, or the contract's. An error says
    /// what to export.
    pub(super) fn of(pool: &Pool, named: Option<&str>) -> Result<Self, String> {
        let has = |name: &str| pool.exports().any(|export| export == name);
        if let Some(name) = named {
            if !has(name) {
                return Err(format!(
                    "exports no {name}, which its configuration names; it exports {}",
                    list(pool)
                ));
            }
            let many = PROTOBUF.iter().find(|(one, _)| *one == name).map(|(_, many)| *many);
            return Ok(match name {
                JSON => Self::Json(name.into()),
                _ => Self::Protobuf {
                    one: name.into(),
                    many: many.filter(|many| has(many)).map(Arc::from),
                },
            });
        }
        for (one, many) in PROTOBUF {
            if has(one) {
                let many = has(many).then(|| many.into());
                return Ok(Self::Protobuf { one: one.into(), many });
            }
        }
        if has(JSON) {
            return Ok(Self::Json(JSON.into()));
        }
        Err(format!(
            "exports none of handle_event, handleEvent and {JSON}, so it handles no events; it \
             exports {}",
            list(pool)
        ))
    }
}

fn list(pool: &Pool) -> String {
    let exports: Vec<_> = pool.exports().collect();
    if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
}
