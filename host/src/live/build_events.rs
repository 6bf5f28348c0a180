//! The event plugins of a set.

use super::build::Builder;
use super::choose::{Choice, fallen_back, left_out};
use super::declared::{Declared, Key};
use super::record::extension;
use super::refused::Refused;
use super::set::EventSlot;
use crate::events::EventLoader;
use host_events::Manifest;
use host_proxy::native::Content;
use host_proxy::{Life, State};
use std::sync::Arc;

const NO_PIPELINE: &str = "this host was started without events, so event plugins cannot be added \
                           while it runs: restart it, or start it with --events";

impl Builder<'_> {
    /// The event plugins, loaded.
    pub(crate) async fn events(
        &mut self,
        declared: &Declared,
        loader: Option<&EventLoader>,
    ) -> Result<Vec<EventSlot>, Vec<Refused>> {
        let manifests: Vec<_> =
            declared.event_keys().map(|(key, manifest)| (key, manifest.clone())).collect();
        let paths: Vec<_> = manifests.iter().map(|(_, it)| it.path.clone()).collect();
        let contents = tokio::task::block_in_place(|| self.read(&paths));
        let (mut slots, mut refused) = (Vec::new(), Vec::new());
        for ((key, manifest), content) in manifests.into_iter().zip(contents) {
            let path = manifest.path.clone();
            let content = content.map(Some).map_err(|error| {
                let path = path.display();
                format!("the event plugin {path} cannot be used: the file {path} cannot be read: {error}")
            });
            let content = match self.choose(&key, content) {
                Ok(Choice::Take(content) | Choice::InUse(content)) => content,
                Ok(Choice::Leave) => continue,
                Err(why) => {
                    refused.push(Refused::of(key, path, None, None, why));
                    continue;
                }
            };
            let stays = self.present.events.iter().find(|slot| {
                slot.manifest == manifest && slot.sha256 == content.sha256 && slot.plugin.is_some()
            });
            if let Some(slot) = stays {
                match self.still_admitted(&path, &content) {
                    Ok(()) => slots.push(slot.clone()),
                    Err(why) => {
                        let why = format!("the event plugin is not usable: {why}");
                        refused.push(Refused::of(key, path, Some(content.sha256), None, why));
                    }
                }
                continue;
            }
            let Some(loader) = loader else {
                refused.push(Refused::of(key, path, None, None, NO_PIPELINE.to_owned()));
                continue;
            };
            match self.event(key, manifest, content, loader).await {
                Ok(slot) => slots.push(slot),
                Err(error) if self.does_without(error.key.as_ref()) => left_out(&error.why),
                Err(error) => refused.push(error),
            }
        }
        if refused.is_empty() { Ok(slots) } else { Err(refused) }
    }

    async fn event(
        &self,
        key: Key,
        manifest: Manifest,
        content: Content,
        loader: &EventLoader,
    ) -> Result<EventSlot, Refused> {
        let life = Arc::new(Life::default());
        life.enter(State::Loading);
        let sha256 = content.sha256.clone();
        if let Err(error) = content.keep(self.loaders.native.folder(), extension(&content)) {
            tracing::warn!("a copy of {} cannot be kept: {error}", manifest.path.display());
        }
        let error = match loader.load(manifest.clone(), content.bytes).await {
            Ok(plugin) => return Ok(EventSlot::new(key, manifest, sha256, plugin, life)),
            Err(error) => format!("{error:#}"),
        };
        if let Some(copy) = self.fallback(&key, &sha256)
            && let Ok(plugin) = loader.load(manifest.clone(), copy.bytes.clone()).await
        {
            fallen_back(&key, &error, &copy);
            return Ok(EventSlot::new(key, manifest, copy.sha256, plugin, life));
        }
        Err(Refused::of(key, manifest.path, Some(sha256), None, error))
    }
}
