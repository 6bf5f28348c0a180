//! What plugins have logged last, for whoever looks at the host without its log.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tracing_core::Level;

/// So many lines are kept.
const LINES: usize = 200;
/// Of each at most so many bytes: they are a plugin's, and may have a client's in them.
const LENGTH: usize = 1024;

/// A line that a plugin has logged.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When.
    pub time: SystemTime,
    /// How important it is.
    pub level: Level,
    /// The plugin.
    pub plugin: &'static str,
    /// The message with its fields; as they came, control characters included.
    pub message: String,
}

static RECENT: Mutex<VecDeque<LogLine>> = Mutex::new(VecDeque::new());

/// The last lines that plugins have logged, and that the filter of the log let pass; the oldest first.
pub fn recent_lines() -> Vec<LogLine> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

/// Keeps a line. Fields without a value are left out.
pub(super) fn keep<'a>(
    level: Level,
    plugin: &'static str,
    fields: impl Iterator<Item = (&'a str, Option<String>)>,
) {
    let (mut text, mut behind) = (String::new(), String::new());
    for (name, value) in fields {
        match value {
            None => {}
            Some(value) if name == "message" => text = value,
            Some(value) => behind = format!("{behind} {name}={value}"),
        }
    }
    let mut message = text + &behind;
    if message.len() > LENGTH {
        message.truncate(message.floor_char_boundary(LENGTH));
        message.push('…');
    }
    let line = LogLine { time: SystemTime::now(), level, plugin, message };
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    if recent.len() == LINES {
        recent.pop_front();
    }
    recent.push_back(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_fields_and_long_ones_are_cut() {
        for number in 0..LINES + 5 {
            let fields = [("user", Some("ann".to_owned())), ("message", Some(number.to_string()))];
            keep(Level::INFO, "p", [("none", None)].into_iter().chain(fields));
        }
        keep(Level::WARN, "q", [("message", Some("ä".repeat(LENGTH)))].into_iter());
        let lines = recent_lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[LINES - 2].message, format!("{} user=ann", LINES + 4));
        let last = &lines[LINES - 1];
        assert_eq!(
            (last.plugin, last.level, last.message.chars().count()),
            ("q", Level::WARN, 513)
        );
    }
}
