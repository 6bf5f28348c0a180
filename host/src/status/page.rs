//! The page: its head, and how lines and tables are written.

use crate::operator::Status;
use crate::table::{cut, table, visible};
use std::fmt::Write as _;
use std::time::SystemTime;

/// The whole of it as text.
pub(super) fn page(status: &Status, now: SystemTime, width: usize) -> String {
    let mut page = Page { text: String::new(), now, width };
    page.head(status);
    page.chain(&status.plugins);
    page.shadows(&status.shadows, &status.plugins);
    page.events(status);
    page.past(&status.past);
    page.log(status);
    page.text
}

pub(super) struct Page {
    pub(super) text: String,
    now: SystemTime,
    width: usize,
}

impl Page {
    pub(super) fn line(&mut self, text: &str) {
        let line = cut(&visible(text), self.width);
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn table<const N: usize>(
        &mut self,
        title: &str,
        head: [&str; N],
        rows: &[[String; N]],
    ) {
        if rows.is_empty() {
            return;
        }
        self.text.push('\n');
        self.line(title);
        self.rows(head, rows);
    }

    pub(super) fn rows<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|it| visible(it))).collect();
        self.text.push_str(&table(head, &rows, self.width));
    }

    fn head(&mut self, status: &Status) {
        let Status { version, pid, phase, listening, target, prefix, traffic, chain, .. } = status;
        let age = self.age(&status.started);
        self.line(&format!("host {version}, {phase} for {age} (process {pid})"));
        self.line(&format!("{listening}{prefix} → {target}"));
        self.line(&format!(
            "{} requests, {} failed, {} in flight on {} connections",
            traffic.requests, traffic.failed, traffic.in_flight, traffic.connections
        ));
        let generations = &status.generations;
        let mut line = format!("chain {} since {}", chain.number, self.age(&chain.since));
        let _ = write!(line, ", {} of {} libraries mapped", generations.mapped, generations.budget);
        if chain.can_roll_back {
            line.push_str("; host rollback brings the one before back");
        }
        self.line(&line);
        if let Some(reload) = &status.last_reload {
            let went = if reload.succeeded { "went well" } else { "FAILED" };
            let age = self.age(&reload.time);
            let line = format!("last reload {age} ago ({}) {went}:", reload.trigger);
            match &reload.message {
                message if message.contains('\n') => {
                    self.line(&line);
                    message.lines().for_each(|it| self.line(&format!("  {it}")));
                }
                message => self.line(&format!("{line} {message}")),
            }
        }
        for note in &status.notes {
            self.line(&format!("NOTE {note}"));
        }
    }

    /// How long ago a date was, in its largest unit or two.
    pub(super) fn age(&self, date: &str) -> String {
        let Ok(time) = humantime::parse_rfc3339(date) else { return "?".to_owned() };
        let seconds = self.now.duration_since(time).unwrap_or_default().as_secs();
        match seconds {
            0..60 => format!("{seconds}s"),
            60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
            3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
            _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{
        Difference, EventPlugin, Generations, Log, Plugin, Pool, Queue, Reload, Shadow, Store,
    };
    use crate::table::UNBOUNDED;
    use std::time::Duration;

    fn status() -> Status {
        let plugin = Plugin {
            id: 1,
            place: "pre".to_owned(),
            name: "gate".to_owned(),
            kind: "native".to_owned(),
            version: "1.0.0".to_owned(),
            interface: "1.1.0".to_owned(),
            sha256: "0123456789abcdef".to_owned(),
            state: "disabled".to_owned(),
            reason: "by an operator".to_owned(),
            calls: 12,
            p50_us: Some(0.25),
            p99_us: Some(1500.0),
            ..Plugin::default()
        };
        let builtin = Plugin {
            id: 2,
            place: "reverse_proxy".to_owned(),
            name: "reverse proxy".to_owned(),
            kind: "builtin".to_owned(),
            version: "0.1.0".to_owned(),
            state: "active".to_owned(),
            ..Plugin::default()
        };
        Status {
            version: "0.1.0".to_owned(),
            pid: 7,
            phase: "serving".to_owned(),
            started: "1970-01-01T00:00:00Z".to_owned(),
            listening: "http://127.0.0.1:9090".to_owned(),
            target: "http://127.0.0.1:8081".to_owned(),
            prefix: "/".to_owned(),
            chain: crate::operator::Chain {
                number: 3,
                since: "1970-01-01T01:00:00Z".to_owned(),
                can_roll_back: true,
            },
            plugins: vec![plugin.clone(), builtin],
            generations: Generations { mapped: 3, budget: 64 },
            ..Status::default()
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(3661)
    }

    #[test]
    fn the_chain_is_a_table() {
        let expected = "\
            host 0.1.0, serving for 1h 1m (process 7)\n\
            http://127.0.0.1:9090/ → http://127.0.0.1:8081\n\
            0 requests, 0 failed, 0 in flight on 0 connections\n\
            chain 3 since 1m 1s, 3 of 64 libraries mapped; host rollback brings the one before back\n\
            \n\
            CHAIN, in the order of a request (* in place of the built-in part)\n\
            ID  PLACE          PLUGIN               INTERFACE  SHA-256       STATE                     CALLS  ERRORS  PANICS  P50    P99\n\
            1   pre            gate 1.0.0           1.1.0      0123456789ab  disabled: by an operator  12     0       0       250ns  1.5ms\n\
            2   reverse_proxy  reverse proxy 0.1.0  built in                 active                    0      0       0       -      -\n";
        assert_eq!(page(&status(), now(), UNBOUNDED), expected);
    }

    #[test]
    fn everything_that_there_is_has_its_part_and_fits_into_the_width() {
        let mut status = status();
        let time = || "1970-01-01T01:01:00Z".to_owned();
        let evil = "a\u{1b}[2J\u{202e}".to_owned();
        status.past = vec![Plugin { reason: evil.clone(), ..status.plugins[0].clone() }];
        status.shadows = vec![Shadow {
            plugin: status.plugins[0].clone(),
            compared_with: 2,
            requests: 10,
            verdict: "not promoted".to_owned(),
            differences: vec![Difference {
                time: time(),
                path: "/x".to_owned(),
                what: vec![evil.clone()],
                ..Difference::default()
            }],
            ..Shadow::default()
        }];
        status.last_reload = Some(Reload {
            time: time(),
            trigger: "file".to_owned(),
            succeeded: false,
            message: "one\ntwo".to_owned(),
        });
        status.notes = vec!["a.so stays out".to_owned()];
        status.event_plugins = vec![EventPlugin {
            name: "lockout".to_owned(),
            state: "active".to_owned(),
            pool: Pool { busy: 1, instances: 2, ..Pool::default() },
            ..EventPlugin::default()
        }];
        status.queue = Some(Queue { waiting: 1, room: 2 });
        status.store = Some(Store { tokens: 1, values: 2, bytes: 2048, limit: 64 << 20 });
        status.log =
            vec![Log { time: time(), plugin: evil.clone(), message: evil, ..Log::default() }];
        let text = page(&status, now(), UNBOUNDED);
        for part in [
            "last reload 1s ago (file) FAILED:\n  one\n  two\nNOTE a.so stays out\n",
            "SHADOW gate 1.0.0 (pre), no. 1, beside reverse proxy 0.1.0: not promoted\n10 requests compared",
            "\nEVENT PLUGINS\n",
            "lockout ",
            "1/2",
            "events: 1 of 2 wait\nstore: 1 tokens, 2 values, 2.0 KiB of 64.0 MiB\nlocks: 0",
            "\nNO MORE IN THE CHAIN\n",
            "\nLAST LINES OF PLUGINS\n",
            "a\\u{1b}[2J\\u{202e}",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
        for line in page(&status, now(), 130).lines() {
            assert!(line.chars().count() <= 130, "{line}");
        }
    }
}
