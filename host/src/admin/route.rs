//! What there is, and how it is asked for.

use super::answer::Refusal;
use super::page::{self, File};
use crate::operator::Command;
use http::Method;
use percent_encoding::percent_decode_str;

/// What a path means.
pub(super) enum Route {
    File(&'static File),
    Health,
    Ready,
    Metrics,
    OpenApi,
    Status,
    Locks,
    Do(Action),
}

/// What is done by a path; some of it needs more from the request's body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The command is known.
    Command(Command),
    /// [`Command::Promote`], whose fields are in the body.
    Promote,
}

impl Route {
    /// What a path means, if anything; an error if it cannot be read.
    pub(super) fn of(path: &str) -> Option<Result<Self, Refusal>> {
        if let Some(file) = page::FILES.iter().find(|file| file.path == path) {
            return Some(Ok(Self::File(file)));
        }
        let command = |command| Self::Do(Action::Command(command));
        Some(Ok(match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/api/openapi.json" => Self::OpenApi,
            "/api/status" => Self::Status,
            "/api/locks" => Self::Locks,
            "/api/reload" => command(Command::Reload),
            "/api/rollback" => command(Command::Rollback),
            "/api/restart" => command(Command::Restart),
            "/api/promote" => Self::Do(Action::Promote),
            path => match path.strip_prefix("/api/locks/") {
                Some(name) if !name.is_empty() && !name.contains('/') => {
                    let Ok(name) = percent_decode_str(name).decode_utf8() else {
                        let what = "the name of the lock is not UTF-8";
                        return Some(Err(Refusal::bad_request(what)));
                    };
                    command(Command::RemoveLock { name: name.into_owned() })
                }
                _ => {
                    let (id, what) = path.strip_prefix("/api/plugins/")?.split_once('/')?;
                    let id = id.parse().ok()?;
                    match what {
                        "disable" => command(Command::Disable { id }),
                        "enable" => command(Command::Enable { id }),
                        _ => return None,
                    }
                }
            },
        }))
    }

    pub(super) fn check_method(&self, method: &Method) -> Result<(), Refusal> {
        let (good, allowed) = match self {
            Self::Do(Action::Command(Command::RemoveLock { .. })) => {
                (method == Method::DELETE, "DELETE")
            }
            Self::Do(_) => (method == Method::POST, "POST"),
            _ => (method == Method::GET || method == Method::HEAD, "GET, HEAD"),
        };
        if good { Ok(()) } else { Err(Refusal::method(allowed)) }
    }
}
