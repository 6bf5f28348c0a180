//! The set of plugins in use.

use super::declared::Key;
use super::marks::Listed;
use super::promote::Promotion;
use super::record::Entry;
use super::shadows::ShadowSlot;
use crate::operator::short;
use crate::plugins::Settings;
use host_events::{EventPlugin, Manifest};
use host_proxy::{Credentials, Life, Parts, Place, Policy, Stage, State};
use std::path::Path;
use std::sync::Arc;

/// Everything that is in use, or was: what rollback brings back.
#[derive(Clone, Default)]
pub(crate) struct Set {
    /// PRE, then POST, in order; then patches.
    pub(crate) slots: Vec<Slot>,
    pub(crate) events: Vec<EventSlot>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) shadows: Vec<ShadowSlot>,
}

/// A declaration of the proxy's with what it has come to.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) settings: Settings,
    pub(crate) stage: Arc<Stage>,
    /// There if a shadow was promoted to its place.
    pub(crate) promotion: Option<Promotion>,
}

/// An event plugin.
#[derive(Clone)]
pub(crate) struct EventSlot {
    pub(crate) key: Key,
    pub(crate) manifest: Manifest,
    pub(crate) sha256: String,
    /// None in a set that is not in use: its instances would keep their memory.
    pub(crate) plugin: Option<Arc<EventPlugin>>,
    pub(crate) life: Arc<Life>,
}

impl EventSlot {
    /// A plugin that is ready.
    pub(crate) fn new(
        key: Key,
        manifest: Manifest,
        sha256: String,
        plugin: EventPlugin,
        life: Arc<Life>,
    ) -> Self {
        life.enter(State::Ready);
        Self { key, manifest, sha256, plugin: Some(Arc::new(plugin)), life }
    }
}

impl Slot {
    pub(crate) fn sha256(&self) -> &str {
        &self.stage.plugin.info.sha256
    }

    /// Whether it is what would come of this, too.
    pub(crate) fn is(
        &self,
        place: Place,
        path: &Path,
        settings: &Settings,
        policy: Policy,
        sha256: &str,
    ) -> bool {
        let stage = &self.stage;
        (stage.place, &*stage.plugin.path, &self.settings) == (place, path, settings)
            && stage.policy == policy
            && self.sha256() == sha256
    }
}

impl Set {
    /// What a chain is made of, but for what the host brings.
    pub(crate) fn parts(&self) -> Parts {
        let mut parts = Parts { credentials: self.credentials.clone(), ..Parts::default() };
        for slot in &self.slots {
            let stage = slot.stage.clone();
            match stage.place {
                Place::Pre => parts.pre.push(stage),
                Place::Post => parts.post.push(stage),
                Place::ReverseProxy => parts.reverse_proxy = Some(stage),
                Place::Authenticator => parts.authenticator = Some(stage),
                Place::ErrorPage => parts.error_page = Some(stage),
            }
        }
        parts.shadows = self.shadows.iter().map(|slot| slot.shadow.clone()).collect();
        parts
    }

    /// The event plugins that run.
    pub(crate) fn event_plugins(&self) -> Vec<Arc<EventPlugin>> {
        self.events.iter().filter_map(|slot| slot.plugin.clone()).collect()
    }

    /// What drains no more, since nothing passes it, and is only kept for rollback.
    pub(crate) fn keep_but(&self, in_use: &Self) {
        for slot in self.slots.iter().filter(|slot| !in_use.has(&slot.stage)) {
            slot.stage.keep("kept for rollback");
        }
    }

    /// Whether this stage is part of it.
    pub(crate) fn has(&self, stage: &Arc<Stage>) -> bool {
        self.slots.iter().any(|slot| Arc::ptr_eq(&slot.stage, stage))
    }

    fn has_event(&self, event: &EventSlot) -> bool {
        self.events.iter().any(|slot| Arc::ptr_eq(&slot.life, &event.life))
    }

    /// Whether nothing differs.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.credentials == other.credentials && self.has_same_plugins(other)
    }

    /// The same, but for who may log in.
    pub(crate) fn has_same_plugins(&self, other: &Self) -> bool {
        self.slots.len() == other.slots.len()
            && self.slots.iter().zip(&other.slots).all(|(a, b)| Arc::ptr_eq(&a.stage, &b.stage))
            && self.events.len() == other.events.len()
            && self.events.iter().zip(&other.events).all(|(a, b)| Arc::ptr_eq(&a.life, &b.life))
            && self.shadows.len() == other.shadows.len()
            && self.shadows.iter().all(|slot| other.has_shadow(slot))
    }

    fn has_shadow(&self, shadow: &ShadowSlot) -> bool {
        self.shadows.iter().any(|slot| Arc::ptr_eq(&slot.shadow, &shadow.shadow))
    }

    /// The hash of what a declaration has come to.
    pub(crate) fn sha256(&self, key: &Key) -> Option<&str> {
        let slot = self.slots.iter().find(|slot| slot.key == *key).map(Slot::sha256);
        slot.or_else(|| self.events.iter().find(|slot| slot.key == *key).map(|slot| &*slot.sha256))
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let events = self.events.iter().map(|slot| &slot.key);
        self.slots.iter().map(|slot| &slot.key).chain(events)
    }

    /// For the record.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let slots = self.slots.iter().zip(self.listed()).map(|(slot, listed)| {
            let file = slot.stage.plugin.path.clone();
            Entry { listed, file, sha256: slot.sha256().to_owned() }
        });
        let events = self.events.iter().map(|slot| {
            // Of an event plugin nothing is disabled that its configuration would have to tell.
            let listed = Listed { key: slot.key.clone(), config: String::new() };
            let file = slot.manifest.path.clone();
            Entry { listed, file, sha256: slot.sha256.clone() }
        });
        slots.chain(events).collect()
    }

    /// What differs from a set that was in use before, in words: one change each.
    pub(crate) fn changes(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for slot in self.slots.iter().filter(|slot| !before.has(&slot.stage)) {
            changes.push(format!("{} is now {}", slot.key, named(&slot.stage)));
        }
        for slot in before.slots.iter().filter(|slot| !self.has(&slot.stage)) {
            if self.sha256(&slot.key).is_none() {
                changes.push(format!("{} ({}) is gone", slot.key, named(&slot.stage)));
            }
        }
        for slot in self.events.iter().filter(|slot| !before.has_event(slot)) {
            changes.push(format!("{} is now {}", slot.key, short(&slot.sha256)));
        }
        for slot in before.events.iter().filter(|slot| !self.has_event(slot)) {
            if self.sha256(&slot.key).is_none() {
                changes.push(format!("{} is gone", slot.key));
            }
        }
        for slot in self.shadows.iter().filter(|slot| !before.has_shadow(slot)) {
            let candidate = slot.shadow.candidate();
            changes.push(format!("{} is a shadow at {}", named(candidate), candidate.place));
        }
        for slot in before.shadows.iter().filter(|slot| !self.has_shadow(slot)) {
            let candidate = slot.shadow.candidate();
            if !self.has(candidate) && !slot.is_in(&self.shadows) {
                changes.push(format!("{} is no shadow any more", named(candidate)));
            }
        }
        if changes.is_empty() && !self.is_same(before) {
            let who = self.credentials != before.credentials;
            changes.push(if who { "who may log in" } else { "the order of plugins" }.to_owned());
        }
        changes
    }

    /// It is in use from now on, in place of `before`.
    pub(crate) fn take_over(&self, before: &Self) {
        for slot in &self.slots {
            slot.stage.activate();
        }
        for slot in &self.events {
            slot.life.enter(State::Active);
        }
        for slot in before.slots.iter().filter(|slot| !self.has(&slot.stage)) {
            slot.stage.drain();
        }
        for slot in before.events.iter().filter(|slot| !self.has_event(slot)) {
            slot.life.enter(State::Draining);
        }
    }

    /// As it is kept for rollback: without what takes memory, and what cannot come back.
    pub(crate) fn kept(mut self) -> Self {
        self.shadows.retain(|slot| !slot.shadow.is_promoted());
        for slot in &mut self.events {
            slot.plugin = None;
        }
        self
    }
}

fn named(stage: &Stage) -> String {
    let info = &stage.plugin.info;
    format!("{} {} ({})", info.name, info.version, short(&info.sha256))
}
