//! What has become of plugins that are in no chain for new requests.

use super::refused::Refused;
use super::set::{EventSlot, Set};
use crate::operator::{Plugin, date, kind};
use host_events::EventPlugin;
use host_proxy::{Life, State};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// So many are remembered.
const MOST: usize = 32;

/// One of them: what was known of it, and the life that goes on.
struct Card {
    plugin: Plugin,
    life: Arc<Life>,
    /// An event plugin has no chain that would end its life.
    event: Option<Weak<EventPlugin>>,
}

/// The newest first.
#[derive(Default)]
pub(crate) struct Past(VecDeque<Card>);

impl Past {
    /// Plugins that have just left.
    pub(crate) fn left(&mut self, before: &Set, now: &Set) {
        self.0
            .retain(|card| !now.slots.iter().any(|slot| Arc::ptr_eq(&slot.stage.life, &card.life)));
        for slot in before.slots.iter().filter(|slot| !now.has(&slot.stage)) {
            let plugin = Plugin::of(&slot.stage);
            self.add(Card { plugin, life: slot.stage.life.clone(), event: None });
        }
        for slot in &before.events {
            if !now.events.iter().any(|other| Arc::ptr_eq(&other.life, &slot.life)) {
                let event = slot.plugin.as_ref().map(Arc::downgrade);
                self.add(Card { plugin: of_event(slot), life: slot.life.clone(), event });
            }
        }
    }

    /// One that was not taken.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        let Some(key) = &refused.key else { return };
        let life = Arc::new(Life::default());
        life.enter_because(State::Refused, &refused.why);
        let info = refused.info.clone().unwrap_or_default();
        let plugin = Plugin {
            id: life.id(),
            place: key.place.clone(),
            name: info.name,
            kind: kind(&refused.path).to_owned(),
            path: refused.path.display().to_string(),
            version: info.version,
            interface: info.interface,
            compiler: info.compiler,
            sha256: refused.content.clone().unwrap_or(info.sha256),
            ..Plugin::default()
        };
        self.add(Card { plugin, life, event: None });
    }

    fn add(&mut self, card: Card) {
        self.0.push_front(card);
        self.0.truncate(MOST);
    }

    /// As the status shows them.
    pub(crate) fn list(&self) -> Vec<Plugin> {
        let show = |card: &Card| {
            if card.event.as_ref().is_some_and(|event| event.strong_count() == 0) {
                card.life.enter(State::Retired);
            }
            let (state, since, reason) = card.life.now();
            Plugin { state: state.to_string(), since: date(since), reason, ..card.plugin.clone() }
        };
        self.0.iter().map(show).collect()
    }
}

fn of_event(slot: &EventSlot) -> Plugin {
    Plugin {
        id: slot.life.id(),
        place: slot.key.place.clone(),
        name: slot.manifest.name.clone(),
        kind: "wasm".to_owned(),
        path: slot.manifest.path.display().to_string(),
        sha256: slot.sha256.clone(),
        ..Plugin::default()
    }
}
