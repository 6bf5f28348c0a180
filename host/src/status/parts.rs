//! The parts of the page.

use super::page::Page;
use super::words::{bytes, state, time};
use crate::operator::{EventPlugin, Plugin, Shadow, Status, short};

impl Page {
    pub(super) fn chain(&mut self, plugins: &[Plugin]) {
        let rows: Vec<_> = plugins
            .iter()
            .map(|it| {
                let Plugin { id, place, name, version, interface, calls, errors, panics, .. } = it;
                let place = it.replaces.as_ref().map_or(place.clone(), |_| format!("{place}*"));
                [
                    id.to_string(),
                    place,
                    format!("{name} {version}"),
                    if it.kind == "builtin" { "built in".to_owned() } else { interface.clone() },
                    short(&it.sha256).to_owned(),
                    state(&it.state, &it.reason),
                    calls.to_string(),
                    errors.to_string(),
                    panics.to_string(),
                    time(it.p50_us),
                    time(it.p99_us),
                ]
            })
            .collect();
        let head = [
            "ID",
            "PLACE",
            "PLUGIN",
            "INTERFACE",
            "SHA-256",
            "STATE",
            "CALLS",
            "ERRORS",
            "PANICS",
            "P50",
            "P99",
        ];
        self.table(
            "CHAIN, in the order of a request (* in place of the built-in part)",
            head,
            &rows,
        );
    }

    pub(super) fn shadows(&mut self, shadows: &[Shadow], plugins: &[Plugin]) {
        for shadow in shadows {
            let Shadow { plugin, requests, differed, skipped, not_comparable, .. } = shadow;
            let other = plugins.iter().find(|it| it.id == shadow.compared_with);
            let other =
                other.map_or("nothing".to_owned(), |it| format!("{} {}", it.name, it.version));
            self.text.push('\n');
            self.line(&format!(
                "SHADOW {} {} ({}), no. {}, beside {other}: {}",
                plugin.name, plugin.version, plugin.place, plugin.id, shadow.verdict
            ));
            self.line(&format!(
                "{requests} requests compared, {differed} differed; {skipped} skipped, \
                 {not_comparable} not comparable"
            ));
            let rows: Vec<_> = shadow
                .differences
                .iter()
                .take(5)
                .map(|it| {
                    [self.age(&it.time), it.method.clone(), it.path.clone(), it.what.join("; ")]
                })
                .collect();
            if !rows.is_empty() {
                let head = ["AGO", "METHOD", "PATH", "WHAT DIFFERED (in use / candidate)"];
                self.rows(head, &rows);
            }
        }
    }

    pub(super) fn events(&mut self, status: &Status) {
        let rows: Vec<_> = status
            .event_plugins
            .iter()
            .map(|it| {
                let EventPlugin { name, pool, kept, changed, skipped, failed, .. } = it;
                [
                    name.clone(),
                    short(&it.sha256).to_owned(),
                    state(&it.state, &it.reason),
                    format!("{}/{}", pool.busy, pool.instances),
                    pool.discarded.to_string(),
                    kept.to_string(),
                    changed.to_string(),
                    skipped.to_string(),
                    failed.to_string(),
                    time(it.p50_us),
                    time(it.p99_us),
                ]
            })
            .collect();
        let head = [
            "PLUGIN",
            "SHA-256",
            "STATE",
            "BUSY",
            "DISCARDED",
            "KEPT",
            "CHANGED",
            "SKIPPED",
            "FAILED",
            "P50",
            "P99",
        ];
        self.table("EVENT PLUGINS", head, &rows);
        let mut lines = Vec::new();
        if let Some(queue) = &status.queue {
            lines.push(format!("events: {} of {} wait", queue.waiting, queue.room));
        }
        if let Some(store) = &status.store {
            lines.push(format!(
                "store: {} tokens, {} values, {} of {}",
                store.tokens,
                store.values,
                bytes(store.bytes),
                bytes(store.limit)
            ));
            lines.push(format!("locks: {} (host locks list)", status.locks));
        }
        if !lines.is_empty() {
            self.text.push('\n');
            for line in lines {
                self.line(&line);
            }
        }
    }

    pub(super) fn past(&mut self, past: &[Plugin]) {
        let rows: Vec<_> = past
            .iter()
            .map(|it| {
                let name = if it.name.is_empty() { it.path.clone() } else { it.name.clone() };
                [
                    it.id.to_string(),
                    it.place.clone(),
                    format!("{name} {}", it.version),
                    short(&it.sha256).to_owned(),
                    state(&it.state, &it.reason),
                    self.age(&it.since),
                ]
            })
            .collect();
        self.table(
            "NO MORE IN THE CHAIN",
            ["ID", "PLACE", "PLUGIN", "SHA-256", "STATE", "SINCE"],
            &rows,
        );
    }

    pub(super) fn log(&mut self, status: &Status) {
        let rows: Vec<_> = status
            .log
            .iter()
            .map(|it| [self.age(&it.time), it.level.clone(), it.plugin.clone(), it.message.clone()])
            .collect();
        self.table("LAST LINES OF PLUGINS", ["AGO", "LEVEL", "PLUGIN", "MESSAGE"], &rows);
    }
}
