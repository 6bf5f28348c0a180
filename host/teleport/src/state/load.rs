//! Reading the state. What is damaged is put aside, and costs at most that events are read again.

use super::{Folder, Missing, NEVER, Position, files, is_name};
use crate::config::Config;
use crate::error::Error;
use crate::time::{start_of, whole_seconds};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// What the folder said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// From when on events are wanted.
    pub(crate) start: Timestamp,
    /// Whether that is new, and to be saved.
    pub(crate) start_is_new: bool,
    pub(crate) window: Option<Position>,
    pub(crate) days: BTreeMap<Date, LoadedDay>,
    pub(crate) sessions: HashMap<Arc<str>, i64>,
    pub(crate) missing: HashMap<Arc<str>, Missing>,
}

/// A day of the bulk export.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadedDay {
    pub(crate) completed: HashSet<Arc<str>>,
    pub(crate) cursors: HashMap<Arc<str>, String>,
}

/// Reads the folder, and compares its start time with that of the configuration.
pub(crate) fn load(folder: &Folder, config: &Config) -> Result<Loaded, Error> {
    let asked = config.start_time.map(|time| {
        Timestamp::try_from(time)
            .map(whole_seconds)
            .map_err(|error| Error::Config { key: "start-time", problem: error.to_string() })
    });
    let asked = asked.transpose()?;
    let mut loaded = Loaded::default();
    let mut began = None;
    if let Some(path) = folder.path() {
        let unreadable = |error| Error::state(path, error);
        loaded.days = days(path).map_err(unreadable)?;
        for name in files::names(path).map_err(unreadable)? {
            if let Some(id) = name.strip_prefix("missing_recording").filter(|id| is_name(id)) {
                loaded.missing.insert(id.into(), missing(&path.join(&name)).map_err(unreadable)?);
            } else if let Some(id) = name.strip_prefix("session").filter(|id| is_name(id)) {
                loaded.sessions.insert(id.into(), session(&path.join(&name)).map_err(unreadable)?);
            }
        }
        loaded.window = window(path).map_err(unreadable)?;
        began = time(&path.join("start_time"), "it is made anew").map_err(unreadable)?;
        if let (Some(asked), Some(began)) = (asked, began)
            && asked != began
        {
            return Err(Error::StartTime { asked, began, folder: path.to_owned() });
        }
    }
    loaded.start_is_new = began.is_none();
    // Where the file is gone and the rest is not, nothing that was begun may count as too old.
    let reached = loaded.days.keys().next().copied().map(start_of);
    let window = loaded.window.as_ref().map(|position| position.window);
    let reached = reached.into_iter().chain(window).min();
    let start = began.or(asked).or(reached);
    loaded.start = start.unwrap_or_else(|| whole_seconds(Timestamp::now()));
    Ok(loaded)
}

/// Text without the white space around it.
fn text(path: &Path, consequence: &str) -> std::io::Result<Option<String>> {
    Ok(raw(path, consequence)?.map(|text| text.trim().to_owned()))
}

/// Text that cannot be what the server has given is damage: zeros, as file systems leave them after a
/// crash, or other bytes.
fn raw(path: &Path, consequence: &str) -> std::io::Result<Option<String>> {
    let Some(bytes) = files::read(path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains(|it: char| it.is_control() && !it.is_whitespace()) => {
            Ok(Some(text))
        }
        _ => {
            files::set_aside(path, "it is no text", consequence);
            Ok(None)
        }
    }
}

fn time(path: &Path, consequence: &str) -> std::io::Result<Option<Timestamp>> {
    let Some(text) = text(path, consequence)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(time) => Ok(Some(whole_seconds(time))),
        Err(_) => {
            files::set_aside(path, &format!("{text:?} is no time"), consequence);
            Ok(None)
        }
    }
}

fn window(path: &Path) -> std::io::Result<Option<Position>> {
    let again = "the windows are read again from the start time";
    let window = time(&path.join("window_time"), again)?.filter(|time| *time != NEVER);
    let page = "the window is read again from its beginning";
    let cursor = text(&path.join("cursor"), page)?;
    let id = text(&path.join("id"), "the page is read again from its beginning")?;
    // A page is one of a window: without its time, it cannot be found.
    Ok(window.map(|window| Position {
        window,
        cursor: cursor.unwrap_or_default().into(),
        id: id.unwrap_or_default(),
    }))
}

fn session(path: &Path) -> std::io::Result<i64> {
    let bytes = files::read(path)?.unwrap_or_default();
    match <[u8; 8]>::try_from(bytes.as_slice()).map(i64::from_be_bytes) {
        Ok(index @ 0..) => Ok(index),
        // The original leaves such a file when it is ended at the wrong moment.
        Err(_) if bytes.is_empty() => Ok(0),
        _ => {
            let consequence = "the recording is read again from its beginning";
            files::set_aside(path, "it is no index of eight bytes", consequence);
            Ok(0)
        }
    }
}

fn missing(path: &Path) -> std::io::Result<Missing> {
    let bytes = files::read(path)?.unwrap_or_default();
    let read = serde_json::from_slice::<Missing>(&bytes);
    Ok(read.ok().filter(|missing| missing.index >= 0).unwrap_or_else(|| {
        let consequence = "the recording is asked for as if for the first time";
        files::set_aside(path, "it is no JSON of a missing recording", consequence);
        Missing { index: 0, attempt: 0, timestamp: NEVER }
    }))
}

fn days(path: &Path) -> std::io::Result<BTreeMap<Date, LoadedDay>> {
    let folder = path.join("cursor_v2");
    let mut days = BTreeMap::new();
    for name in files::names(&folder)? {
        let Some(date) = name.parse().ok().filter(|date: &Date| date.to_string() == name) else {
            continue;
        };
        let folder = folder.join(name);
        if folder.is_dir() {
            files::remove_unfinished(&folder);
            days.insert(date, day(&folder)?);
        }
    }
    Ok(days)
}

fn day(folder: &Path) -> std::io::Result<LoadedDay> {
    let mut day = LoadedDay::default();
    let completed = folder.join("completed-chunks");
    if let Some(mut lines) = raw(&completed, "the day's chunks are read again")? {
        // The original's, and ours, end each name. A name that a crash has cut may be that of another
        // chunk, which would then never be read.
        if !lines.is_empty() && !lines.ends_with(char::is_whitespace) {
            let end = lines.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            lines.truncate(end);
            files::write(&completed, lines.as_bytes())?;
        }
        day.completed = lines.split_whitespace().map(Arc::from).collect();
    }
    for name in files::names(folder)? {
        let chunk = name.strip_suffix(".chunk").filter(|chunk| is_name(chunk));
        let Some(chunk) = chunk.filter(|chunk| !day.completed.contains(*chunk)) else { continue };
        let consequence = "the chunk is read again from its beginning";
        let cursor = text(&folder.join(&name), consequence)?.unwrap_or_default();
        day.cursors.insert(chunk.into(), cursor);
    }
    Ok(day)
}
