//! Why something is not taken, and what stays out.

use super::declared::Key;
use crate::operator::short;
use host_proxy::native::Info;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Why a content is not taken although the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was refused. Tried again when the user asks for a reload.
    Refused,
    /// It was in use, and was rolled back. Tried again when the file changes.
    RolledBack,
}

/// Contents that stay out: none means that there is no file.
pub(crate) type Holds = BTreeMap<Key, (Option<String>, Why)>;

/// What there is to say of a content that stays out.
pub(crate) fn note(key: &Key, (content, why): &(Option<String>, Why)) -> String {
    let what = match content {
        Some(content) => format!("what its file has ({})", short(content)),
        None => "that it has no file".to_owned(),
    };
    let end = match why {
        Why::Refused => "was refused, and what was in use before stays",
        Why::RolledBack => "was rolled back, and stays out until the file changes",
    };
    format!("{key}: {what} {end}")
}

/// Why there is no new set.
pub(crate) struct Refused {
    /// What is out from now on, until it changes.
    pub(crate) key: Option<Key>,
    pub(crate) content: Option<String>,
    /// What is known of the file.
    pub(crate) path: PathBuf,
    pub(crate) info: Option<Box<Info>>,
    /// For people, the file's name included.
    pub(crate) why: String,
    /// Too many libraries are mapped: nothing else is wrong.
    pub(crate) exhausted: bool,
}

impl Refused {
    pub(super) fn of(
        key: Key,
        path: PathBuf,
        content: Option<String>,
        info: Option<Box<Info>>,
        why: String,
    ) -> Self {
        Self { key: Some(key), content, path, info, why, exhausted: false }
    }

    /// That is about no one plugin.
    pub(crate) fn whole(why: impl Into<String>) -> Self {
        Self {
            key: None,
            content: None,
            path: PathBuf::new(),
            info: None,
            why: why.into(),
            exhausted: false,
        }
    }

    /// Of an error that is about no one plugin.
    pub(crate) fn error(error: &anyhow::Error) -> Self {
        Self { exhausted: error.is::<Exhausted>(), ..Self::whole(format!("{error:#}")) }
    }
}

/// What a reload comes to that would map more than may be.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: refused: {mapped} native libraries are mapped, and there may be {budget}, since none is ever \
     unmapped; tell the host to restart (host restart), start it with --reexec so that it does by \
     itself, or give it more with --generations",
    .path.display()
)]
pub(super) struct Exhausted {
    pub(super) path: PathBuf,
    pub(super) mapped: usize,
    pub(super) budget: usize,
}
