//! From what was asked for to a set that can be used: contents chosen, and loaded where they are not in
//! use already. Nothing that is in use changes here.

use super::contents;
use super::declared::{Declaration, Declared, File, Key};
use super::promote::{Promotion, Promotions};
use super::record::{Entry, copy, extension};
use super::set::{EventSlot, Set, Slot, short};
use crate::events::EventLoader;
use crate::plugins::{self, Loaders, Settings, kind};
use host_events::Manifest;
use host_proxy::native::{Admission, Content, Info};
use host_proxy::{Life, Place, Policy, State};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a content is not taken although the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was refused. Tried again when the user asks for a reload.
    Refused,
    /// It was in use, and was rolled back. Tried again when the file changes.
    RolledBack,
}

/// Contents that stay out: none means that there is no file.
pub(crate) type Holds = BTreeMap<Key, (Option<String>, Why)>;

/// What there is to say of a content that stays out.
pub(crate) fn note(key: &Key, (content, why): &(Option<String>, Why)) -> String {
    let what = match content {
        Some(content) => format!("what its file has ({})", short(content)),
        None => "that it has no file".to_owned(),
    };
    let end = match why {
        Why::Refused => "was refused, and what was in use before stays",
        Why::RolledBack => "was rolled back, and stays out until the file changes",
    };
    format!("{key}: {what} {end}")
}

/// Why there is no new set.
pub(crate) struct Refused {
    /// What is out from now on, until it changes.
    pub(crate) key: Option<Key>,
    pub(crate) content: Option<String>,
    /// What is known of the file.
    pub(crate) path: PathBuf,
    pub(crate) info: Option<Box<Info>>,
    /// For people, the file's name included.
    pub(crate) why: String,
    /// Too many libraries are mapped: nothing else is wrong.
    pub(crate) exhausted: bool,
}

impl Refused {
    fn of(
        key: Key,
        path: PathBuf,
        content: Option<String>,
        info: Option<Box<Info>>,
        why: String,
    ) -> Self {
        Self { key: Some(key), content, path, info, why, exhausted: false }
    }

    /// That is about no one plugin.
    pub(crate) fn whole(why: impl Into<String>) -> Self {
        Self {
            key: None,
            content: None,
            path: PathBuf::new(),
            info: None,
            why: why.into(),
            exhausted: false,
        }
    }

    /// Of an error that is about no one plugin.
    pub(crate) fn error(error: &anyhow::Error) -> Self {
        Self { exhausted: error.is::<Exhausted>(), ..Self::whole(format!("{error:#}")) }
    }
}

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

/// What a file comes to.
enum Choice {
    Take(Content),
    /// What is in use, or was, whatever the file has.
    InUse(Content),
    /// There is to be none.
    Leave,
}

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
        if refused.is_empty() { Ok(slots) } else { Err(refused) }
    }

    /// Whether it goes on without a plugin that does not load: one that was not in use, when the host has
    /// not ended in an orderly way. Never without the one that tells who clients are.
    fn does_without(&self, key: Option<&Key>) -> bool {
        self.copies_do
            && key.is_some_and(|key| !self.in_use.contains_key(key) && !key.is_authenticator())
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

    /// Reads files; what is in use, or was, is whole and need not settle.
    fn read(&self, paths: &[PathBuf]) -> Vec<std::io::Result<Content>> {
        let in_use = self.in_use.values().map(|it| &*it.sha256);
        let held = self.holds.values().filter_map(|(content, _)| content.as_deref());
        let known: HashSet<&str> = in_use.chain(held).collect();
        let whole = |sha256: &str| {
            !self.settle || known.contains(sha256) || self.loaders.native.has_mapped(sha256)
        };
        contents::read(paths, whole)
    }

    /// The content to take for a declaration: the file's, or that in use if the file's is held.
    fn choose(
        &mut self,
        key: &Key,
        file: Result<Option<Content>, String>,
    ) -> Result<Choice, String> {
        let now = file.as_ref().ok().and_then(Option::as_ref).map(|content| content.sha256.clone());
        if let Some(hold) = self.holds.get(key) {
            if hold.0 == now && (hold.1 == Why::RolledBack || !self.asked) {
                self.notes.push(note(key, hold));
                return match self.in_use.get(key) {
                    None => Ok(Choice::Leave),
                    Some(Entry { sha256, .. }) => {
                        match copy(self.loaders.native.folder(), sha256) {
                            Ok(content) => Ok(Choice::InUse(content)),
                            Err(error) => {
                                Err(format!("{key}: the copy {}: {error}", short(sha256)))
                            }
                        }
                    }
                };
            }
            self.holds.remove(key);
        }
        if let Some(copy) = self.fallback(key, "").filter(|_| self.only_copies) {
            return Ok(Choice::InUse(copy));
        }
        if self.only_copies && !matches!(file, Ok(None)) && self.does_without(Some(key)) {
            left_out(&format!("{key} was not in use before"));
            return Ok(Choice::Leave);
        }
        match file {
            Ok(Some(content)) => Ok(Choice::Take(content)),
            Ok(None) => Ok(Choice::Leave),
            Err(why) => match self.fallback(key, "") {
                Some(copy) => {
                    fallen_back(key, &why, &copy);
                    Ok(Choice::InUse(copy))
                }
                None if self.does_without(Some(key)) => {
                    left_out(&why);
                    Ok(Choice::Leave)
                }
                None => Err(why),
            },
        }
    }

    /// The copy that does in place of this content, where one may.
    fn fallback(&self, key: &Key, sha256: &str) -> Option<Content> {
        let in_use = self.in_use.get(key).filter(|it| self.copies_do && it.sha256 != sha256)?;
        copy(self.loaders.native.folder(), &in_use.sha256).ok()
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

/// What a reload comes to that would map more than may be.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: refused: {mapped} native libraries are mapped, and there may be {budget}, since none is ever \
     unmapped; tell the host to restart (host restart), start it with --reexec so that it does by \
     itself, or give it more with --generations",
    .path.display()
)]
pub(super) struct Exhausted {
    pub(super) path: PathBuf,
    pub(super) mapped: usize,
    pub(super) budget: usize,
}

const NO_PIPELINE: &str = "this host was started without events, so event plugins cannot be added \
                           while it runs: restart it, or start it with --events";

fn fallen_back(key: &Key, why: &dyn std::fmt::Display, copy: &Content) {
    let sha256 = short(&copy.sha256);
    tracing::error!("{why}; {key} is taken from the copy {sha256}, which was in use before");
}

/// Says that the host starts without a plugin that was not in use before it was killed.
fn left_out(why: &str) {
    tracing::error!("{why}; the host has not ended in an orderly way, and starts without it");
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
