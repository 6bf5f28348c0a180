//! Shadows beside the set in use.

use super::build::Builder;
use super::contents;
use super::declared::Declared;
use super::promote;
use super::refused::Exhausted;
use super::set::Set;
use crate::Usage;
use crate::operator;
use crate::shadows::{AskedShadow, status};
use anyhow::{Result, anyhow};
use host_proxy::native::Content;
use host_proxy::{Chain, Shadow, ShadowSettings};
use std::path::Path;
use std::sync::Arc;

/// A shadow with what it was asked for as.
#[derive(Clone)]
pub(crate) struct ShadowSlot {
    pub(crate) asked: AskedShadow,
    settings: ShadowSettings,
    /// The number of the plugin that it is compared with; 0 if that is a built-in part, or none.
    beside: u64,
    pub(crate) shadow: Arc<Shadow>,
}

impl ShadowSlot {
    /// Whether one of these was asked for in the same words.
    pub(super) fn is_in(&self, others: &[Self]) -> bool {
        others.iter().any(|other| other.asked == self.asked)
    }

    /// An error if another one would be put in the same place: which of the two would be in use then?
    fn alone_among(&self, others: &[Self], set: &Set) -> Result<()> {
        let key = |slot: &Self| promote::key(&slot.shadow, &slot.asked, set);
        let same = others.iter().find(|other| key(other) == key(self));
        same.map_or(Ok(()), |other| {
            let [this, other] = [self, other].map(|slot| slot.asked.asked.path.display());
            Err(Usage(format!(
                "{this} and {other} are both shadows of {}; leave one out",
                key(self)
            ))
            .into())
        })
    }

    /// What an operator sees of it.
    pub(super) fn status(&self, chain: &Chain) -> operator::Shadow {
        let beside = chain.stages().into_iter().find(|stage| self.shadow.is_compared_with(stage));
        status(&self.shadow, beside.map_or(0, |stage| stage.life.id()))
    }
}

impl Builder<'_> {
    /// The shadows beside what is in `set`: those that have not changed, nor has what they are
    /// compared with, go on; the rest is loaded. Blocks.
    ///
    /// One that is refused is no reason to refuse the whole when only some file has changed, or when the
    /// host was killed.
    pub(super) fn shadows(&mut self, declared: &Declared, set: &Set) -> Result<Vec<ShadowSlot>> {
        let mut slots = Vec::new();
        for asked in &declared.shadows {
            let present = self.present.shadows.iter().find(|slot| slot.asked == *asked);
            let slot = self.shadow(asked, present, declared, set);
            let slot = slot.and_then(|slot| match slot {
                Some(slot) => slot.alone_among(&slots, set).map(|()| Some(slot)),
                None => Ok(None),
            });
            match slot {
                Ok(slot) => slots.extend(slot),
                Err(error) if !self.asked || self.copies_do => {
                    let note = format!("{error:#}; as a shadow it is not taken");
                    tracing::error!("{note}");
                    self.notes.push(note);
                    let stays = present.filter(|slot| slot.alone_among(&slots, set).is_ok());
                    slots.extend(stays.cloned());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(slots)
    }

    /// None if it is in use already, having been promoted.
    fn shadow(
        &self,
        asked: &AskedShadow,
        present: Option<&ShadowSlot>,
        declared: &Declared,
        set: &Set,
    ) -> Result<Option<ShadowSlot>> {
        let path = declared.locate_shadow(asked).map_err(|why| anyhow!(why))?;
        let promoted = set
            .slots
            .iter()
            .find(|slot| slot.promotion.as_ref().is_some_and(|promotion| promotion.is_of(asked)));
        let known = [
            promoted.map(|slot| slot.sha256().to_owned()),
            present.map(|slot| slot.shadow.candidate().plugin.info.sha256.clone()),
        ];
        let known = |sha256: &str| !self.settle || known.iter().flatten().any(|it| it == sha256);
        let content = read(&path, known)?;
        if promoted.is_some_and(|slot| slot.sha256() == content.sha256) {
            return Ok(None);
        }
        let beside = |shadow: &Shadow| {
            let slot = set.slots.iter().find(|slot| shadow.is_compared_with(&slot.stage));
            slot.map_or(0, |slot| slot.stage.life.id())
        };
        let settings = declared.shadow_settings.clone();
        let stays = present.filter(|slot| {
            slot.settings == settings
                && slot.shadow.candidate().plugin.info.sha256 == content.sha256
                && slot.beside == beside(&slot.shadow)
                && !slot.shadow.is_promoted()
        });
        if let Some(slot) = stays {
            self.still_admitted(&path, &content).map_err(|why| anyhow!("the shadow {why}"))?;
            return Ok(Some(slot.clone()));
        }
        if let Some(budget) = self.budget {
            let mapped = self.loaders.native.mapped();
            if mapped >= budget && !self.loaders.native.has_mapped(&content.sha256) {
                return Err(Exhausted { path, mapped, budget }.into());
            }
        }
        let policy = |place| declared.policy(place);
        let parts = set.parts();
        let shadow = asked.load(
            (&path, &content),
            settings.clone(),
            &self.loaders.native,
            &parts,
            policy,
        )?;
        let beside = beside(&shadow);
        Ok(Some(ShadowSlot { asked: asked.clone(), settings, beside, shadow }))
    }
}

fn read(path: &Path, known: impl Fn(&str) -> bool + Sync) -> Result<Content> {
    let content = contents::read(&[path.to_owned()], known).pop();
    let content = content.ok_or_else(|| anyhow!("there is one content a file"))?;
    content.map_err(|error| anyhow!("the shadow {}: it cannot be read: {error}", path.display()))
}
