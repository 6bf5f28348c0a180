//! From what was asked for to a set that can be used: contents chosen, and loaded where they are not in
//! use already. Nothing that is in use changes here.

use super::bury;
use super::choose::{Choice, fallen_back, left_out};
use super::declared::{Declaration, File, Key};
use super::promote::{Promotion, Promotions};
use super::record::{Entry, extension};
use super::refused::{Exhausted, Holds, Refused};
use super::set::{Set, Slot};
use crate::plugins::{self, Loaders, Settings, kind};
use host_proxy::native::{Admission, Content};
use host_proxy::{Place, Policy};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a set is built with.
pub(crate) struct Builder<'a> {
    pub(crate) loaders: &'a Loaders,
    /// What is in use: what stays the same is taken over.
    pub(crate) present: &'a Set,
    /// The contents that are in use, or were in the last run.
    pub(crate) in_use: BTreeMap<Key, Entry>,
    pub(crate) holds: Holds,
    /// What is not as it was asked for, and yet no reason to refuse the whole: for whoever has asked.
    pub(crate) notes: Vec<String>,
    /// What takes the place of declarations, as long as they are what they were.
    pub(crate) promotions: Promotions,
    /// What of `in_use` was promoted.
    pub(crate) promoted: Promotions,
    /// Whether the user has asked, so that what was refused is tried again.
    pub(crate) asked: bool,
    /// Whether a copy of what was in use does in place of a file that does not load, and what was not in
    /// use is left out then.
    pub(crate) copies_do: bool,
    /// Whether it is taken in place of any file, and nothing else is.
    pub(crate) only_copies: bool,
    /// Whether files that are new must settle first.
    pub(crate) settle: bool,
    /// How many libraries may be mapped; none if it does not matter.
    pub(crate) budget: Option<usize>,
}

/// A plugin that is to be part of the set.
struct Wanted<Of> {
    key: Key,
    path: PathBuf,
    content: Content,
    of: Of,
}

/// Of a plugin of the proxy's.
type OfProxy = (Place, Settings, Policy, Option<Promotion>);

impl Builder<'_> {
    /// The plugins of the proxy, loaded. Blocks.
    pub(crate) fn slots(
        &mut self,
        declarations: Vec<Declaration>,
    ) -> Result<Vec<Slot>, Vec<Refused>> {
        let paths: Vec<_> = declarations.iter().map(|it| path(&it.file)).collect();
        let contents = self.read(&paths);
        let (mut wanted, mut refused) = (Vec::new(), Vec::new());
        for ((declaration, content), path) in declarations.into_iter().zip(contents).zip(paths) {
            let Declaration { key, place, file, settings, policy } = declaration;
            let content = match (&file, content) {
                (File::None, _) => Ok(None),
                (File::Missing(why), _) => Err(why.clone()),
                (File::At(path), Err(error)) => {
                    let path = path.display();
                    Err(format!("{}: {path}: refused: it cannot be read: {error}", unusable(place)))
                }
                (File::At(_), Ok(content)) => Ok(Some(content)),
            };
            if let Some((promotion, content)) = self.promoted(&key, &content, &settings) {
                let path = promotion.file.clone();
                let settings = promotion.settings();
                let of = (place, settings, policy, Some(promotion));
                wanted.push(Wanted { key, path, content, of });
                continue;
            }
            match self.choose(&key, content) {
                Ok(Choice::Take(content)) => {
                    wanted.push(Wanted { key, path, content, of: (place, settings, policy, None) });
                }
                Ok(Choice::InUse(content)) => {
                    wanted.push(self.again(key, content, (place, settings, policy)));
                }
                Ok(Choice::Leave) => {}
                Err(why) => refused.push(Refused::of(key, path, None, None, why)),
            }
        }
        if refused.is_empty() {
            self.check_budget(&wanted)?;
        }
        let mut slots: Vec<Slot> = Vec::new();
        for wanted in wanted {
            match self.slot(wanted, &slots) {
                Ok(slot) => slots.push(slot),
                Err(error) if self.does_without(error.key.as_ref()) => left_out(&error.why),
                Err(error) => refused.push(error),
            }
        }
        if refused.is_empty() {
            return Ok(slots);
        }
        bury(slots);
        Err(refused)
    }

    #[allow(clippy::result_large_err)] // a reload is seldom
    fn slot(&self, wanted: Wanted<OfProxy>, taken: &[Slot]) -> Result<Slot, Refused> {
        let Wanted { key, path, content, of: (place, settings, policy, promotion) } = wanted;
        let stays = self.present.slots.iter().find(|slot| {
            slot.is(place, &path, &settings, policy, &content.sha256)
                && !taken.iter().any(|other| Arc::ptr_eq(&other.stage, &slot.stage))
        });
        if let Some(slot) = stays {
            if let Err(why) = self.still_admitted(&path, &content) {
                let (why, info) =
                    (format!("{}: {why}", unusable(place)), slot.stage.plugin.info.clone());
                return Err(Refused::of(
                    key,
                    path,
                    Some(content.sha256),
                    Some(Box::new(info)),
                    why,
                ));
            }
            return Ok(Slot { key, promotion, ..slot.clone() });
        }
        let load = |path: &Path, content: &Content, settings: &Settings| {
            plugins::load(self.loaders, place, path, content, settings, policy)
        };
        let refusal = match load(&path, &content, &settings) {
            Ok(stage) => return Ok(Slot { key, settings, stage, promotion }),
            Err(refusal) => refusal,
        };
        let why = format!("{}: {refusal}", unusable(place));
        if let Some(copy) = self.fallback(&key, &content.sha256) {
            let again = self.again(key.clone(), copy, (place, settings, policy));
            let Wanted { path, content, of: (_, settings, _, promotion), .. } = again;
            if let Ok(stage) = load(&path, &content, &settings) {
                fallen_back(&key, &why, &content);
                return Ok(Slot { key, settings, stage, promotion });
            }
        }
        Err(Refused::of(key, path, Some(content.sha256), refusal.info, why))
    }

    /// What is in use, or was: from where it came, and what was promoted as it was promoted.
    fn again(
        &self,
        key: Key,
        content: Content,
        (place, settings, policy): (Place, Settings, Policy),
    ) -> Wanted<OfProxy> {
        let path = self.in_use.get(&key).map(|entry| entry.file.clone()).unwrap_or_default();
        let promotion = self.promoted.of_content(&key, &content.sha256).cloned();
        let settings = promotion.as_ref().map_or(settings, Promotion::settings);
        Wanted { key, path, content, of: (place, settings, policy, promotion) }
    }

    /// Asks again about what is loaded already, if the user has asked for a reload: he may trust it no more.
    pub(super) fn still_admitted(&self, path: &Path, content: &Content) -> Result<(), String> {
        if !self.asked {
            return Ok(());
        }
        let admitted = self.loaders.trust.admit(path, &content.bytes, &content.sha256);
        admitted.map_err(|why| {
            format!("{}: refused: it is not trusted any more: {why}", path.display())
        })
    }

    fn check_budget(&self, wanted: &[Wanted<OfProxy>]) -> Result<(), Vec<Refused>> {
        let Some(budget) = self.budget else { return Ok(()) };
        let is_new = |it: &&Wanted<_>| {
            extension(&it.content) == "so" && !self.loaders.native.has_mapped(&it.content.sha256)
        };
        let new: Vec<_> = wanted.iter().filter(is_new).collect();
        let different: HashSet<&str> = new.iter().map(|it| &*it.content.sha256).collect();
        let mapped = self.loaders.native.mapped();
        if mapped + different.len() <= budget {
            return Ok(());
        }
        let refused = new.iter().map(|it| {
            let why = Exhausted { path: it.path.clone(), mapped, budget }.to_string();
            let content = Some(it.content.sha256.clone());
            let refused = Refused::of(it.key.clone(), it.path.clone(), content, None, why);
            Refused { exhausted: true, ..refused }
        });
        Err(refused.collect())
    }
}

fn unusable(place: Place) -> String {
    format!("{} is not usable", kind(place))
}

fn path(file: &File) -> PathBuf {
    match file {
        File::At(path) => path.clone(),
        File::Missing(_) | File::None => PathBuf::new(),
    }
}
