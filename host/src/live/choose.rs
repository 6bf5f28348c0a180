//! Which content a declaration gets: its file's, or a copy of what is in use.

use super::build::Builder;
use super::contents;
use super::declared::Key;
use super::record::{Entry, copy};
use super::refused::{Why, note};
use crate::operator::short;
use host_proxy::native::Content;
use std::collections::HashSet;
use std::path::PathBuf;

/// What a file comes to.
pub(super) enum Choice {
    Take(Content),
    /// What is in use, or was, whatever the file has.
    InUse(Content),
    /// There is to be none.
    Leave,
}

impl Builder<'_> {
    /// Whether it goes on without a plugin that does not load: one that was not in use, when the host has
    /// not ended in an orderly way. Never without the one that tells who clients are.
    pub(super) fn does_without(&self, key: Option<&Key>) -> bool {
        self.copies_do
            && key.is_some_and(|key| !self.in_use.contains_key(key) && !key.is_authenticator())
    }

    /// Reads files; what is in use, or was, is whole and need not settle.
    pub(super) fn read(&self, paths: &[PathBuf]) -> Vec<std::io::Result<Content>> {
        let in_use = self.in_use.values().map(|it| &*it.sha256);
        let held = self.holds.values().filter_map(|(content, _)| content.as_deref());
        let known: HashSet<&str> = in_use.chain(held).collect();
        let whole = |sha256: &str| {
            !self.settle || known.contains(sha256) || self.loaders.native.has_mapped(sha256)
        };
        contents::read(paths, whole)
    }

    /// The content to take for a declaration: the file's, or that in use if the file's is held.
    pub(super) fn choose(
        &mut self,
        key: &Key,
        file: Result<Option<Content>, String>,
    ) -> Result<Choice, String> {
        let now = file.as_ref().ok().and_then(Option::as_ref).map(|content| content.sha256.clone());
        if let Some(hold) = self.holds.get(key) {
            if hold.0 == now && (hold.1 == Why::RolledBack || !self.asked) {
                self.notes.push(note(key, hold));
                return match self.in_use.get(key) {
                    None => Ok(Choice::Leave),
                    Some(Entry { sha256, .. }) => {
                        match copy(self.loaders.native.folder(), sha256) {
                            Ok(content) => Ok(Choice::InUse(content)),
                            Err(error) => {
                                Err(format!("{key}: the copy {}: {error}", short(sha256)))
                            }
                        }
                    }
                };
            }
            self.holds.remove(key);
        }
        if let Some(copy) = self.fallback(key, "").filter(|_| self.only_copies) {
            return Ok(Choice::InUse(copy));
        }
        if self.only_copies && !matches!(file, Ok(None)) && self.does_without(Some(key)) {
            left_out(&format!("{key} was not in use before"));
            return Ok(Choice::Leave);
        }
        match file {
            Ok(Some(content)) => Ok(Choice::Take(content)),
            Ok(None) => Ok(Choice::Leave),
            Err(why) => match self.fallback(key, "") {
                Some(copy) => {
                    fallen_back(key, &why, &copy);
                    Ok(Choice::InUse(copy))
                }
                None if self.does_without(Some(key)) => {
                    left_out(&why);
                    Ok(Choice::Leave)
                }
                None => Err(why),
            },
        }
    }

    /// The copy that does in place of this content, where one may.
    pub(super) fn fallback(&self, key: &Key, sha256: &str) -> Option<Content> {
        let in_use = self.in_use.get(key).filter(|it| self.copies_do && it.sha256 != sha256)?;
        copy(self.loaders.native.folder(), &in_use.sha256).ok()
    }
}

pub(super) fn fallen_back(key: &Key, why: &dyn std::fmt::Display, copy: &Content) {
    let sha256 = short(&copy.sha256);
    tracing::error!("{why}; {key} is taken from the copy {sha256}, which was in use before");
}

/// Says that the host starts without a plugin that was not in use before it was killed.
pub(super) fn left_out(why: &str) {
    tracing::error!("{why}; the host has not ended in an orderly way, and starts without it");
}
