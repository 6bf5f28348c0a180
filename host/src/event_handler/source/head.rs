//! What has to be known of a line.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::SystemTime;

/// Type, identity and time of an event. What it lacks is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) kind: Cow<'a, str>,
    pub(crate) uid: Cow<'a, str>,
    pub(crate) time: Option<SystemTime>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    uid: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

impl<'a> Head<'a> {
    /// Of a JSON object. An error says why it is none.
    pub(crate) fn of(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let Ok(raw) = serde_json::from_slice::<Raw<'a>>(json) else {
            // An object in which a key stands twice is one all the same.
            return serde_json::from_slice::<Map<String, Value>>(json).map(|_| Self::default());
        };
        let text = |raw: Option<&'a RawValue>| -> Cow<'a, str> {
            raw.and_then(|raw| serde_json::from_str::<Text<'a>>(raw.get()).ok())
                .map_or(Cow::Borrowed(""), |Text(text)| text)
        };
        let time = text(raw.time).parse::<jiff::Timestamp>().ok().map(SystemTime::from);
        Ok(Self { kind: text(raw.event), uid: text(raw.uid), time })
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_an_event_lacks_or_writes_otherwise_is_empty() {
        let head = Head::of(br#"{"event":"user.login","time":"1970-01-01T00:00:01Z","uid":"1"}"#);
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1));
        assert_eq!(head.unwrap(), Head { kind: "user.login".into(), uid: "1".into(), time });
        for odd in
            [&b"{}"[..], br#"{"uid":7,"event":null,"time":"soon"}"#, br#"{"uid":"1","uid":"2"}"#]
        {
            assert_eq!(Head::of(odd).unwrap(), Head::default());
        }
        for wrong in [&b"[]"[..], b"7", b"{", b"{} {}", b"\xff"] {
            assert!(Head::of(wrong).is_err(), "{wrong:?}");
        }
    }
}
