//! What happens at the proxy, as audit events in JSON: the keys are those of Teleport's events.

use bytes::Bytes;
use host_events::Event;
use host_proxy::{AuditEvent, LoginEvent, LoginOutcome, PluginEvent, RequestEvent};
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use uuid::Uuid;

/// What is the same in all events of a host.
pub(super) struct Origin {
    /// The value of `cluster_name`.
    pub(super) cluster: String,
    /// The upstream, as `app_uri`.
    pub(super) upstream: String,
}

impl Origin {
    /// The event in JSON, with sorted keys.
    pub(super) fn event(&self, event: AuditEvent) -> Event {
        let json = match event {
            AuditEvent::Login(login) => self.login(login),
            AuditEvent::Request(request) => self.request(request),
            AuditEvent::Plugin(emitted) => return Event::new(self.emitted(emitted)),
        };
        Event::new(json.to_string())
    }

    /// An attempt of a locked user is no failed login: nobody has looked at the password. A plugin that
    /// counts failed logins would renew the lock with each attempt, and after an operator lifted it.
    fn login(&self, login: LoginEvent) -> Value {
        let success = login.outcome == LoginOutcome::Success;
        let (kind, code) = match login.outcome {
            LoginOutcome::Success => ("user.login", "T1000I"),
            LoginOutcome::Failure { .. } => ("user.login", "T1000W"),
            LoginOutcome::Locked { .. } => ("auth", "T3007W"),
        };
        let mut event = json!({
            "addr.remote": login.client.to_string(),
            "cluster_name": self.cluster,
            "code": code,
            "ei": 0,
            "event": kind,
            "login": login.user,
            "method": login.method,
            "success": success,
            "time": time(login.time),
            "uid": Uuid::new_v4().to_string(),
            "user": login.user,
        });
        if let Some(error) = login.outcome.error() {
            event["error"] = error.into();
        }
        if !login.user_agent.is_empty() {
            event["user_agent"] = login.user_agent.into();
        }
        event
    }

    /// `addr.remote`, `duration_ms` and `user` are not in Teleport's schema, whose sessions say so.
    fn request(&self, request: RequestEvent) -> Value {
        let milliseconds = u64::try_from(request.duration.as_millis()).unwrap_or(u64::MAX);
        let mut event = json!({
            "addr.remote": request.client.to_string(),
            "app_uri": self.upstream,
            "cluster_name": self.cluster,
            "code": "T2009I",
            "duration_ms": milliseconds,
            "ei": 0,
            "event": "app.session.request",
            "method": request.method,
            "path": request.path,
            "raw_query": request.query,
            "status_code": request.status,
            "time": time(request.time),
            "uid": Uuid::new_v4().to_string(),
        });
        if let Some(user) = request.user {
            event["user"] = user.into();
        }
        event
    }

    /// A plugin's own event gets what it lacks of what every event has. What is no object stays as
    /// it is: the pipeline says so, and loses nothing.
    fn emitted(&self, emitted: PluginEvent) -> Bytes {
        let Ok(mut event) = serde_json::from_str::<Map<String, Value>>(&emitted.json) else {
            return emitted.json.into();
        };
        event.insert("plugin".to_owned(), emitted.plugin.into());
        for (key, value) in [
            ("cluster_name", self.cluster.as_str().into()),
            ("event", "plugin.event".into()),
            ("time", time(SystemTime::now()).into()),
            ("uid", Uuid::new_v4().to_string().into()),
        ] {
            event.entry(key).or_insert(value);
        }
        Value::Object(event).to_string().into()
    }
}

/// RFC 3339 in UTC, to the millisecond, without zeros at its end: as Teleport writes it.
fn time(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_millis(time).to_string();
    let digits = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn origin() -> Origin {
        Origin { cluster: "here".to_owned(), upstream: "http://127.0.0.1:1".to_owned() }
    }

    fn json(event: AuditEvent) -> Value {
        serde_json::from_slice(origin().event(event).json()).unwrap()
    }

    #[test]
    fn times_are_written_as_teleport_writes_them() {
        let at = |milliseconds| time(UNIX_EPOCH + Duration::from_millis(milliseconds));
        assert_eq!(at(1_708_714_822_473), "2024-02-23T19:00:22.473Z");
        assert_eq!(at(1_708_714_822_400), "2024-02-23T19:00:22.4Z");
        assert_eq!(at(1_708_714_820_000), "2024-02-23T19:00:20Z");
    }

    #[test]
    fn a_failed_login_says_who_from_where_and_why() {
        let login = |outcome| {
            json(AuditEvent::Login(LoginEvent {
                time: UNIX_EPOCH,
                user: "mallory".to_owned(),
                method: "basic".to_owned(),
                client: "198.51.100.23:36550".parse().unwrap(),
                user_agent: String::new(),
                outcome,
            }))
        };
        let event = login(LoginOutcome::Failure { error: "wrong" });
        assert_eq!((&event["event"], &event["code"]), (&json!("user.login"), &json!("T1000W")));
        assert_eq!((&event["success"], &event["error"]), (&json!(false), &json!("wrong")));

        let event = login(LoginOutcome::Locked { message: "locked".into() });
        assert_eq!((&event["event"], &event["code"]), (&json!("auth"), &json!("T3007W")));
        assert_eq!(event["success"], false);
        assert_eq!((&event["user"], &event["login"]), (&json!("mallory"), &json!("mallory")));
        assert_eq!(event["addr.remote"], "198.51.100.23:36550");
        assert_eq!((&event["error"], &event["user_agent"]), (&json!("locked"), &Value::Null));
    }

    #[test]
    fn a_plugins_event_keeps_what_it_has_and_gets_what_it_lacks() {
        let emitted = |json: &str| {
            AuditEvent::Plugin(PluginEvent { plugin: "pre".to_owned(), json: json.to_owned() })
        };
        let event = json(emitted(r#"{"event":"mine","uid":"1","x":2}"#));
        assert_eq!(
            (&event["event"], &event["uid"], &event["x"]),
            (&json!("mine"), &json!("1"), &json!(2))
        );
        assert_eq!((&event["cluster_name"], &event["plugin"]), (&json!("here"), &json!("pre")));
        assert_eq!(&origin().event(emitted("no json")).json()[..], b"no json");
    }
}
