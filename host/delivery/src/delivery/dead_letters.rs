//! Events that a sink has refused for good.

use crate::event::Event;
use host_lines::{LogLimit, Rotating, Rotation};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The name of the file in the state folder.
pub const NAME: &str = "dead-letters.ndjson";

/// A file with a line for each event that a sink has refused, in which the event is whole.
#[derive(Debug)]
pub(super) struct DeadLetters {
    /// None: there is no state folder, and the log gets them.
    path: Option<PathBuf>,
    /// None before the first.
    open: Mutex<Option<Rotating>>,
    log: LogLimit,
}

#[derive(Serialize)]
struct Letter<'a> {
    time: String,
    sink: &'a str,
    reason: &'a str,
    uid: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    event: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Json(&'a RawValue),
    /// What is no JSON, as a string: what is no UTF-8 either is replaced in it.
    Text(std::borrow::Cow<'a, str>),
}

impl DeadLetters {
    pub(super) fn new(state: Option<&Path>) -> Self {
        let path = state.map(|folder| folder.join(NAME));
        Self { path, open: Mutex::default(), log: LogLimit::default() }
    }

    /// Puts an event there for good. After an error it is to be tried again: the event is nowhere.
    pub(super) async fn put(
        self: &Arc<Self>,
        sink: &str,
        event: &Event,
        reason: &str,
    ) -> Result<(), String> {
        let line = letter(sink, event, reason);
        let (uid, kind) = (event.uid(), event.kind());
        let Some(path) = &self.path else {
            let line = line.trim_end();
            tracing::error!(sink, uid, kind, "{sink} has refused an event for good: {line}");
            return Ok(());
        };
        let (letters, place) = (self.clone(), path.clone());
        let append = move || letters.append(&place, line.as_bytes());
        let written = tokio::task::spawn_blocking(append).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            format!(
                "it refused event {uid:?} ({kind}): {reason}; and {} cannot be written: {error}",
                path.display()
            )
        })?;
        if let Some(unlogged) = self.log.allow() {
            let path = path.display();
            tracing::error!(
                sink,
                uid,
                kind,
                unlogged,
                "{sink} has refused an event for good, it is in {path} now: {reason}"
            );
        }
        Ok(())
    }

    fn append(&self, path: &Path, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match open.take() {
            Some(file) => file,
            None => Rotating::open(path, Rotation::NEVER)?,
        };
        let written = file.append_synced(line);
        *open = Some(file);
        written
    }
}

fn letter(sink: &str, event: &Event, reason: &str) -> String {
    let raw = serde_json::from_slice::<&RawValue>(event.json());
    let letter = Letter {
        time: jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default().to_string(),
        sink,
        reason,
        uid: event.uid(),
        kind: event.kind(),
        session: event.session(),
        event: match raw {
            Ok(raw) => Content::Json(raw),
            Err(_) => Content::Text(String::from_utf8_lossy(event.json())),
        },
    };
    let mut line = Vec::new();
    // Into memory, of strings: it cannot fail.
    let text = serde_json::to_string(&letter).unwrap_or_default();
    host_lines::line(text.as_bytes(), &mut line);
    String::from_utf8(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[tokio::test]
    async fn an_event_is_kept_whole_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let letters = Arc::new(DeadLetters::new(Some(folder.path())));
        let json = r#"{"event":"user.login","uid":"1","text":"a\nb"}"#;
        letters.put("splunk", &event("user.login", "1", json), "400: no").await.unwrap();
        letters.put("loki", &event("broken", "2", "{\"a\":"), "400: \"no\"").await.unwrap();
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with(&format!(
            r#""sink":"splunk","reason":"400: no","uid":"1","type":"user.login","event":{json}}}"#
        )));
        let second: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(second["event"], "{\"a\":");
    }

    #[tokio::test]
    async fn a_letter_that_a_crash_has_cut_spoils_none_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{\"half").unwrap();
        let letters = Arc::new(DeadLetters::new(Some(folder.path())));
        letters.put("splunk", &event("user.login", "1", "{}"), "400").await.unwrap();
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["uid"], "1");
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_an_error_that_names_the_event() {
        let letters = Arc::new(DeadLetters::new(Some(Path::new("/no/such/folder"))));
        let error = letters.put("s", &event("user.login", "7", "{}"), "400").await.unwrap_err();
        assert!(error.contains("\"7\" (user.login): 400") && error.contains(NAME), "{error}");
    }
}
