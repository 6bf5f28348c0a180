//! Shadows that are put in use.
//!
//! A promotion holds as long as the user asks for what he asked for then: the same shadow, beside a
//! plugin whose file and configuration have not changed. So it outlives reloads and restarts; and whoever
//! puts another file there, or takes the shadow out of the configuration, gets what he asks for.

use super::Live;
use super::build::Builder;
use super::declared::{Declaration, Declared, File, Key};
use super::gate::stays_closed;
use super::record::{Promoted, copy};
use super::reload::told;
use super::set::{Set, Slot};
use super::shadows::ShadowSlot;
use crate::plugins::Settings;
use crate::shadows::AskedShadow;
use host_proxy::native::Content;
use host_proxy::{Place, Shadow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::time::timeout;

/// What was promoted, and over what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promotion {
    /// The shadow's file, as it was asked for.
    asked: PathBuf,
    /// Where that was.
    pub(super) file: PathBuf,
    /// The shadow's configuration.
    pub(super) config: String,
    pub(super) sha256: String,
    /// The content of the file in whose place it is; none if there was no file.
    over_content: Option<String>,
    /// The configuration that goes with that file.
    over_config: String,
}

impl Promotion {
    /// How the shadow was set up.
    pub(super) fn settings(&self) -> Settings {
        Settings { config: self.config.clone(), ..Settings::default() }
    }

    /// Whether it is this shadow's.
    pub(super) fn is_of(&self, shadow: &AskedShadow) -> bool {
        (&self.asked, &self.config) == (&shadow.asked.path, &shadow.asked.config)
    }
}

/// Promotions by the key of the declaration whose place they take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promotions(BTreeMap<Key, Promotion>);

impl Promotions {
    /// Those of the record.
    pub(super) fn of(record: &[Promoted]) -> Self {
        let of = |it: &Promoted| (it.key.clone(), it.promotion.clone());
        Self(record.iter().map(of).collect())
    }

    /// For the record.
    pub(super) fn record(self) -> Vec<Promoted> {
        self.0.into_iter().map(|(key, promotion)| Promoted { key, promotion }).collect()
    }

    /// Those whose shadows are still asked for.
    pub(super) fn asked_for(mut self, declared: &Declared) -> Self {
        self.0.retain(|_, promotion| declared.shadows.iter().any(|it| promotion.is_of(it)));
        self
    }

    /// That of a key, if this is what was promoted.
    pub(super) fn of_content(&self, key: &Key, sha256: &str) -> Option<&Promotion> {
        self.0.get(key).filter(|promotion| promotion.sha256 == sha256)
    }

    /// Declarations for those that take nobody's place: they are the last at theirs.
    pub(super) fn additions(&self, declared: &Declared) -> Vec<Declaration> {
        let added = self.0.keys().filter(|key| key.is_added());
        let declaration = |key: &Key| {
            let place = Place::of(&key.place)?;
            let (settings, policy) = (Settings::default(), declared.policy(place));
            Some(Declaration { key: key.clone(), place, file: File::None, settings, policy })
        };
        added.filter_map(declaration).collect()
    }
}

impl Set {
    /// What of it was promoted.
    pub(super) fn promotions(&self) -> Promotions {
        let of = |slot: &Slot| Some((slot.key.clone(), slot.promotion.clone()?));
        Promotions(self.slots.iter().filter_map(of).collect())
    }
}

impl Builder<'_> {
    /// What takes the place of a declaration whose file has this in it.
    pub(super) fn promoted(
        &self,
        key: &Key,
        file: &Result<Option<Content>, String>,
        settings: &Settings,
    ) -> Option<(Promotion, Content)> {
        let promotion = self.promotions.0.get(key)?;
        let content = file.as_ref().ok()?.as_ref().map(|content| &content.sha256);
        let stays =
            promotion.over_content.as_ref() == content && promotion.over_config == settings.config;
        if !stays {
            return None;
        }
        match copy(self.loaders.native.folder(), &promotion.sha256) {
            Ok(content) => Some((promotion.clone(), content)),
            Err(error) => {
                let file = promotion.file.display();
                tracing::error!("{file}, which was promoted, is not there any more: {error}");
                None
            }
        }
    }
}

/// Why nothing was promoted.
pub(super) enum NotPromoted {
    /// No shadow has that number.
    None(String),
    /// There is no shadow, or it may not be.
    Conflict(String),
    /// There is no chain with it.
    Failed(String),
}

impl Live {
    /// Puts a shadow in use: that whose candidate has this number, or the only one.
    pub(super) async fn promote(
        self: &Arc<Self>,
        id: Option<u64>,
        force: bool,
    ) -> Result<String, NotPromoted> {
        let _turn = self.turn().await.map_err(NotPromoted::Conflict)?;
        let (declared, present, mut holds) = {
            let now = self.lock();
            (now.declared.clone(), now.set.clone(), now.holds.clone())
        };
        let ShadowSlot { shadow, asked, .. } = which(&present.shadows, id)?;
        // What is under way counts, unless it hangs: then that is what counts.
        let _ = timeout(shadow.settings().deadline, shadow.settled()).await;
        if !force {
            shadow.may_be_promoted().map_err(|why| {
                NotPromoted::Conflict(format!("{why}\nput it in use anyway with --force"))
            })?;
        }
        let mut set = present.clone();
        set.shadows.retain(|slot| !Arc::ptr_eq(&slot.shadow, shadow));
        let new = promoted(shadow, asked, &set, &declared);
        let key = new.key.clone();
        holds.remove(&key);
        match set.slots.iter_mut().find(|slot| slot.key == new.key) {
            Some(slot) => *slot = new,
            None => set.slots.push(new),
        }
        stays_closed(&present, &set).map_err(NotPromoted::Conflict)?;
        let chain = self.chain(&set).map_err(NotPromoted::Failed)?;
        shadow.promote();
        // Whoever puts it in use wants it to be called, even in the place of one that is not.
        self.lock().disabled.remove(&key);
        let changes = self.swap(declared, &set, holds, chain, None);
        let message = told(&changes, &[]);
        tracing::info!(force, "promoted: {message}");
        Ok(message)
    }
}

/// The shadow that is meant.
fn which(shadows: &[ShadowSlot], id: Option<u64>) -> Result<&ShadowSlot, NotPromoted> {
    let number = |slot: &ShadowSlot| slot.shadow.candidate().life.id();
    match (shadows, id) {
        ([], _) => {
            let why = "there is no shadow to promote; give one with --shadow";
            Err(NotPromoted::Conflict(why.to_owned()))
        }
        (_, Some(id)) => shadows.iter().find(|slot| number(slot) == id).ok_or_else(|| {
            let list = list(shadows);
            NotPromoted::None(format!("no shadow has the number {id}; there are {list}"))
        }),
        ([one], None) => Ok(one),
        (_, None) => {
            let list = list(shadows);
            let why = format!("there are several shadows, say which one by its number: {list}");
            Err(NotPromoted::Conflict(why))
        }
    }
}

/// Shadows as in `3 (gate 1.0.0 at pre)`.
fn list(shadows: &[ShadowSlot]) -> String {
    let name = |slot: &ShadowSlot| {
        let candidate = slot.shadow.candidate();
        let info = &candidate.plugin.info;
        let (id, place) = (candidate.life.id(), candidate.place);
        format!("{id} ({} {} at {place})", info.name, info.version)
    };
    shadows.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The key whose place a shadow would take.
pub(super) fn key(shadow: &Shadow, asked: &AskedShadow, set: &Set) -> Key {
    let replaced = set.slots.iter().find(|slot| shadow.is_compared_with(&slot.stage));
    match (replaced, shadow.place()) {
        (Some(slot), _) => slot.key.clone(),
        (None, place @ (Place::Pre | Place::Post)) => Key::added(place, asked.asked.path.clone()),
        (None, patch) => Key::patch(patch),
    }
}

/// The slot of a shadow that is put in use.
fn promoted(shadow: &Shadow, asked: &AskedShadow, set: &Set, declared: &Declared) -> Slot {
    let (stage, place) = (shadow.candidate().clone(), shadow.place());
    let key = key(shadow, asked, set);
    let (over_content, over_config) = match set.slots.iter().find(|slot| slot.key == key) {
        // What is asked for there is what the one before was promoted over.
        Some(Slot { promotion: Some(before), .. }) => {
            (before.over_content.clone(), before.over_config.clone())
        }
        Some(slot) => (Some(slot.sha256().to_owned()), slot.settings.config.clone()),
        None => (None, declared.patch_config(place).to_owned()),
    };
    let promotion = Promotion {
        asked: asked.asked.path.clone(),
        file: stage.plugin.path.clone(),
        config: asked.asked.config.clone(),
        sha256: stage.plugin.info.sha256.clone(),
        over_content,
        over_config,
    };
    Slot { key, settings: promotion.settings(), stage, promotion: Some(promotion) }
}
