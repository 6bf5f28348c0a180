//! Bringing the last set back.

use super::Live;
use super::gate::stays_closed;
use super::record::copy;
use super::refused::{Why, note};
use super::reload::told;
use super::set::Set;
use crate::operator::short;
use host_proxy::{Life, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why there was no rollback.
pub(super) enum NoRollback {
    /// There is no set before the present one.
    Nothing,
    /// It must not be.
    Refused(String),
    /// It cannot be used any more.
    Failed(String),
}

impl Live {
    /// Brings the set before the present one back; the present one is then what a second rollback
    /// brings back. What the files have by then stays out until they change. The user of the
    /// configuration stays.
    pub(super) async fn rollback(self: &Arc<Self>) -> Result<String, NoRollback> {
        let _turn = self.turn().await.map_err(NoRollback::Refused)?;
        let (declared, mut set, present, mut holds) = {
            let now = self.lock();
            let (declared, set) = now.before.clone().ok_or(NoRollback::Nothing)?;
            (declared, set, now.set.clone(), now.holds.clone())
        };
        set.credentials.clone_from(&present.credentials);
        stays_closed(&present, &set).map_err(NoRollback::Refused)?;
        self.revive_events(&mut set, &present).await.map_err(NoRollback::Failed)?;
        let keys: BTreeSet<_> = present.keys().chain(set.keys()).collect();
        for key in keys {
            let (now, then) = (present.sha256(key), set.sha256(key));
            if now == then {
                continue;
            }
            match holds.get(key) {
                // What a rollback had taken out, which its file still has, is back: nothing stays out.
                Some((out, Why::RolledBack)) if out.as_deref() == then => _ = holds.remove(key),
                _ => {
                    holds.insert(key.clone(), (now.map(str::to_owned), Why::RolledBack));
                }
            }
        }
        let chain = self.chain(&set).map_err(NoRollback::Failed)?;
        let notes = holds.iter().map(|(key, hold)| note(key, hold)).collect();
        let changes = self.swap(declared, &set, holds, chain, None);
        self.lock().notes = notes;
        let message = told(&changes, &[]);
        tracing::info!("rolled back: {message}");
        Ok(message)
    }

    /// Event plugins of a set that was not in use have no instances: they get some.
    async fn revive_events(&self, set: &mut Set, present: &Set) -> Result<(), String> {
        for slot in &mut set.events {
            if let Some(same) = present.events.iter().find(|it| Arc::ptr_eq(&it.life, &slot.life)) {
                slot.plugin.clone_from(&same.plugin);
                continue;
            }
            let Some((loader, _)) = &self.world.events else { continue };
            let content =
                copy(self.world.loaders.native.folder(), &slot.sha256).map_err(|error| {
                    format!("{}: the copy {}: {error}", slot.key, short(&slot.sha256))
                })?;
            let loaded = loader.load(slot.manifest.clone(), content.bytes).await;
            slot.plugin = Some(Arc::new(loaded.map_err(|error| format!("{error:#}"))?));
            slot.life = Arc::new(Life::default());
            slot.life.enter(State::Ready);
        }
        Ok(())
    }
}
