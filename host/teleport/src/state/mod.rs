//! The folder that says how far the source is: the event handler's own, file for file.
//!
//! | below `<storage>/<host>_<port>/` | what it has |
//! |---|---|
//! | `start_time` | RFC 3339, whole seconds |
//! | `window_time` | the same: where the window begins that is being read |
//! | `cursor` | the server's key of the page that is being read; empty for a window's first |
//! | `id` | the id of the last event of that page that is done |
//! | `session<sid>` | eight bytes, big endian: the index at which a recording is read on |
//! | `missing_recording<sid>` | `{"Index":0,"Attempt":1,"Timestamp":"…"}` |
//! | `cursor_v2/<date>/` | that the bulk export has reached this day |
//! | `cursor_v2/<date>/completed-chunks` | the chunks that were read, one a line |
//! | `cursor_v2/<date>/<chunk>.chunk` | the server's cursor in a chunk that is being read |
//!
//! Names and formats are those of `integrations/event-handler/state.go` and of the package
//! `lib/events/export` of Teleport. There the index of a session is that of the last event sent; here
//! it is one more, so that this event is not sent again. Both ask the server for events from the index
//! on, so each reads what the other has left. Files of ours that the original must not take for its own
//! begin with a dot or with `damaged.`, whatever they were.

mod changes;
mod files;
mod load;

pub(crate) use changes::Changes;
pub(crate) use load::{Loaded, load};

use crate::config::Config;
use crate::error::Error;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the windows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Where the window begins.
    pub(crate) window: Timestamp,
    /// The key of the page.
    pub(crate) cursor: std::sync::Arc<str>,
    /// The last event of the page that is done.
    pub(crate) id: String,
}

/// A recording that the server does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Missing {
    /// From where it is to be read.
    #[serde(default)]
    pub(crate) index: i64,
    /// How often it was asked for.
    #[serde(default)]
    pub(crate) attempt: u32,
    /// When it was uploaded; year 1 if that is not known.
    pub(crate) timestamp: Timestamp,
}

/// Go's zero time, which it writes where there is none.
pub(crate) const NEVER: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// The state's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    /// Makes it, if need be. In a dry run there is none: nothing is read from it nor written.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        if config.dry_run {
            return Ok(Self(None));
        }
        let path = config.state_folder()?;
        std::fs::create_dir_all(&path).map_err(|error| Error::state(&path, error))?;
        files::remove_unfinished(&path);
        Ok(Self(Some(path)))
    }

    fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Writes what has changed. Blocks, until it is on the disk. Changes that could not be written stay.
    pub(crate) fn save(&self, changes: &mut Changes) -> Result<(), Error> {
        match self.path() {
            Some(folder) => changes.write(folder),
            None => {
                *changes = Changes::default();
                Ok(())
            }
        }
    }
}

fn date_folder(folder: &Path, date: Date) -> PathBuf {
    folder.join("cursor_v2").join(date.to_string())
}

/// Whether a name that the server has given (of a session, of a chunk) can be a part of a file's name,
/// and a line of `completed-chunks`.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |it: char| it.is_ascii_alphanumeric() || "-_.=+@:,~".contains(it);
    (1..=180).contains(&name.len()) && !name.starts_with('.') && name.chars().all(allowed)
}

#[cfg(test)]
mod tests;
