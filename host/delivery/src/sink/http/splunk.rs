//! Splunk's HTTP event collector: `{"time":…,"event":{…}}`, one after another.
//!
//! The URL ends in `/services/collector/event`; the header is `Authorization: Splunk TOKEN`. Its
//! answer means that Splunk has received the events; with indexer acknowledgement they may still be
//! lost between there and the index, which is not asked about here.

use super::Form;
use crate::client::Answer;
use crate::event::Event;
use crate::sink::Failure;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// What is said of each event.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How Splunk reads it. Default: that of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sourcetype: Option<String>,
    /// What it is from. Default: that of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it is put. Default: that of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// Which host it is from. Default: the one that sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

pub(super) struct Splunk {
    /// `,"sourcetype":"…"}`: what follows each event.
    end: Vec<u8>,
}

impl Splunk {
    pub(super) fn new(options: Option<&Options>) -> Self {
        // Of strings: it cannot fail.
        let mut end = serde_json::to_vec(&options).unwrap_or_default();
        match end.as_slice() {
            b"null" | b"{}" => end = b"}".to_vec(),
            _ => end[0] = b',',
        }
        Self { end }
    }
}

/// What Splunk says.
#[derive(Deserialize)]
struct Said {
    code: u32,
}

impl Form for Splunk {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, events: &[Arc<Event>], body: &mut Vec<u8>) {
        for event in events {
            body.push(b'{');
            let since = event.time().and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
            if let Some(since) = since {
                // Into a Vec: it cannot fail.
                let (seconds, millis) = (since.as_secs(), since.subsec_millis());
                let _ = write!(body, "\"time\":{seconds}.{millis:03},");
            }
            body.extend_from_slice(b"\"event\":");
            body.extend_from_slice(event.json());
            body.extend_from_slice(&self.end);
        }
    }

    fn judge(&self, answer: &Answer, _events: usize) -> Result<(), Failure> {
        if answer.status.is_success() {
            return Ok(());
        }
        let said: Option<Said> =
            answer.body.as_ref().ok().and_then(|body| serde_json::from_slice(body).ok());
        match said.map(|said| said.code) {
            // Of the codes that come with 400 these are about an event: no data, invalid data, event
            // missing, event blank, indexed fields. Others are about index, channel and token.
            Some(5 | 6 | 12 | 13 | 15) => Err(Failure::Refused(answer.describe())),
            Some(_) if answer.status.as_u16() == 400 => Err(Failure::Later(answer.later(true))),
            _ => Err(answer.failure()),
        }
    }
}
