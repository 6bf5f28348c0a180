//! An event as a syslog message (RFC 5424, section 6).

use super::Config;
use crate::event::Event;
use serde::Deserialize;
use std::io::Write;

/// How messages look.
pub(super) struct Format {
    facility: u8,
    /// HOSTNAME, APP-NAME and PROCID.
    origin: String,
    structured_data_id: String,
}

/// What of an event its severity depends on.
#[derive(Default, Deserialize)]
struct Outcome {
    code: Option<String>,
    success: Option<bool>,
}

const ERROR: u8 = 3;
const WARNING: u8 = 4;
const INFORMATIONAL: u8 = 6;

impl Format {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        if config.facility > 23 {
            return Err(format!("facility: {} is not from 0 to 23", config.facility));
        }
        let hostname = config.hostname.as_deref().unwrap_or("-");
        for (key, value, most) in [
            ("hostname", hostname, 255),
            ("app-name", &config.app_name, 48),
            ("structured-data-id", &config.structured_data_id, 32),
        ] {
            let fits = value.bytes().all(|byte| byte.is_ascii_graphic());
            if value.is_empty() || value.len() > most || !fits {
                let text = "has to be printable ASCII without spaces,";
                return Err(format!("{key}: {value:?} {text} {most} characters at most"));
            }
        }
        let id = &config.structured_data_id;
        if id.contains(['=', ']', '"']) {
            return Err(format!("structured-data-id: {id:?} cannot have `=`, `]` or `\"`"));
        }
        let origin = format!("{hostname} {} {}", config.app_name, std::process::id());
        Ok(Self { facility: config.facility, origin, structured_data_id: id.clone() })
    }

    /// Appends the message with its length before it. Its text is the event's JSON, without the byte
    /// order mark that the RFC would have before UTF-8: readers of JSON stumble over it.
    pub(super) fn write(&self, event: &Event, bytes: &mut Vec<u8>) {
        let priority = self.facility * 8 + severity(event);
        let time = event.time().and_then(|time| jiff::Timestamp::try_from(time).ok());
        let time = time.map_or_else(|| "-".to_owned(), |time| format!("{time:.3}"));
        let mut head = format!("<{priority}>1 {time} {} {} [", self.origin, name(event.kind()));
        head.push_str(&self.structured_data_id);
        let session = event.session().unwrap_or_default();
        for (key, value) in [("uid", event.uid()), ("type", event.kind()), ("session", session)] {
            if !value.is_empty() {
                parameter(key, value, &mut head);
            }
        }
        head.push_str("] ");
        // Into memory: it cannot fail.
        let _ = write!(bytes, "{} {head}", head.len() + event.json().len());
        bytes.extend_from_slice(event.json());
    }
}

/// By what Teleport says of the event: the last letter of its code (I, W, E), and whether something
/// was successful.
fn severity(event: &Event) -> u8 {
    let outcome: Outcome = serde_json::from_slice(event.json()).unwrap_or_default();
    match (outcome.code.as_deref().and_then(|code| code.bytes().last()), outcome.success) {
        (Some(b'E'), _) => ERROR,
        (Some(b'W'), _) | (_, Some(false)) => WARNING,
        _ => INFORMATIONAL,
    }
}

/// MSGID.
fn name(kind: &str) -> String {
    let name: String = kind.chars().filter(char::is_ascii_graphic).take(32).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// ` uid="…"`, escaped as section 6.3.3 has it.
fn parameter(key: &str, value: &str, head: &mut String) {
    head.push(' ');
    head.push_str(key);
    head.push_str("=\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            head.push('\\');
        }
        head.push(c);
    }
    head.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{event, item};
    use std::time::{Duration, SystemTime};

    fn message(event: &Event) -> String {
        let config = Config { hostname: Some("auth.example.com".to_owned()), ..Config::new("h:1") };
        let mut bytes = Vec::new();
        Format::new(&config).unwrap().write(event, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_is_as_the_rfc_has_it() {
        let json = r#"{"code":"T1000W","event":"user.login","user":"ä"}"#;
        let mut item = item("user.login", "6b\"f\\5]", json);
        item.time = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_708_714_822_473));
        item.session = Some("s1".into());
        let rest = format!(
            "<108>1 2024-02-23T19:00:22.473Z auth.example.com teleport {} user.login \
             [teleport@32473 uid=\"6b\\\"f\\\\5\\]\" type=\"user.login\" session=\"s1\"] {json}",
            std::process::id()
        );
        assert_eq!(message(&Event::new(item, 1)), format!("{} {rest}", rest.len()));
    }

    #[test]
    fn severity_says_how_it_went() {
        for (json, severity) in [
            (r#"{"code":"T1000I","success":true}"#, 6),
            (r#"{"code":"T1000I","success":false}"#, 4),
            (r#"{"code":"T1000W"}"#, 4),
            (r#"{"code":"TCL00E"}"#, 3),
            (r#"{"success":false}"#, 4),
            (r#"{"code":7}"#, 6),
            ("no JSON", 6),
        ] {
            assert_eq!(super::severity(&event("e", "1", json)), severity, "{json}");
        }
    }

    #[test]
    fn an_event_that_says_little_has_its_message_too() {
        let text = message(&event("", "", "{}"));
        assert!(text.ends_with(" - [teleport@32473] {}"), "{text}");
        assert!(text.contains("<110>1 - auth.example.com teleport "), "{text}");
    }
}
