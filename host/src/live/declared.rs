//! What the user asked for: plugins of the flags and of the configuration file, and patches by what is
//! in their folder.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::{FilePlugins, PatchTable, PluginTable};
use crate::plugins::{Asked, Settings, kind, locator};
use crate::policy::{Defaults, PolicyKeys};
use crate::shadows::{self, AskedShadow};
use crate::trust::{Trust, signature_of};
use anyhow::{Context, Result};
use host_events::Manifest;
use host_proxy::native::{Locator, PATCH_POINTS, scan_patches};
use host_proxy::{Credentials, Place, Policy, ShadowSettings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The place in which a client's identity is asked for.
pub(super) const PLACE_OF_GATE: &str = Place::Authenticator.as_str();
/// The place of an event plugin in keys.
const EVENT: &str = "event";
/// Which of those with the same path one is that is not declared.
const ADDED: usize = u32::MAX as usize;

/// What identifies a declaration from one reload to the next, and from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    /// A [`Place`]'s name, or `event`.
    pub(crate) place: String,
    /// As it was asked for; empty for a patch, whose point says it all.
    pub(crate) asked: PathBuf,
    /// Which of those with the same path it is, from 0.
    pub(crate) nth: usize,
}

/// One plugin that is to be there, and its file.
pub(crate) struct Declaration {
    pub(crate) key: Key,
    pub(crate) place: Place,
    /// Where it is; why nowhere, for a patch if nobody put one there.
    pub(crate) file: File,
    pub(crate) settings: Settings,
    pub(crate) policy: Policy,
}

/// Where a declaration leads.
#[derive(Clone, Debug)]
pub(crate) enum File {
    At(PathBuf),
    /// There is no file for what must have one: why.
    Missing(String),
    /// There is no patch.
    None,
}

/// Everything that was asked for, without a look at any plugin's file.
pub(crate) struct Declared {
    pre: Vec<(Asked, Policy)>,
    post: Vec<(Asked, Policy)>,
    /// Configuration and policy of patches, by place.
    patches: BTreeMap<Place, (String, Policy)>,
    /// Whether the configuration file is about the patch of the authenticator: then there is one.
    authenticator: bool,
    /// The folder of patches if one was asked for.
    patches_dir: Option<PathBuf>,
    locator: Locator,
    trust: Trust,
    pub(crate) events: Vec<Manifest>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) shadows: Vec<AskedShadow>,
    pub(crate) shadow_settings: ShadowSettings,
    /// Of plugins that no table is about.
    policy: Policy,
}

impl Declared {
    /// From flags and file; what cannot be meant is an error.
    pub(crate) fn of(
        args: &ProxyArgs,
        file: &FilePlugins,
        events: Vec<Manifest>,
        credentials: Option<Credentials>,
    ) -> Result<Self> {
        let defaults = Defaults::check(args)?;
        let list = |tables: &[PluginTable], flags: &[String], place: Place| -> Result<Vec<_>> {
            let mut asked = Vec::new();
            for table in tables {
                let name = format!("[[{place}-plugin]] {}", table.path);
                let policy = defaults.policy(&name, place, &table.policy_keys())?;
                asked.push((Asked::of_file(table)?, policy));
            }
            for text in flags {
                let policy = defaults.policy(text, place, &PolicyKeys::default())?;
                asked.push((Asked::parse(text)?, policy));
            }
            Ok(asked)
        };
        if let Some(unknown) = file.patches.keys().find(|point| !PATCH_POINTS.contains(&&***point))
        {
            let points = PATCH_POINTS.join(", ");
            return Err(Usage(format!("[patches.{unknown}]: the patch points are {points}")).into());
        }
        let mut patches = BTreeMap::new();
        for place in PATCH_POINTS.into_iter().filter_map(Place::of) {
            let table = file.patches.get(place.as_str());
            let keys = table.map(PatchTable::policy_keys).unwrap_or_default();
            let policy = defaults.policy(&format!("[patches.{place}]"), place, &keys)?;
            let config = table.and_then(|table| table.config.as_ref());
            let config = config.map(serde_json::to_string).transpose()?.unwrap_or_default();
            patches.insert(place, (config, policy));
        }
        Ok(Self {
            pre: list(&file.pre, &args.pre_plugin, Place::Pre)?,
            post: list(&file.post, &args.post_plugin, Place::Post)?,
            patches,
            authenticator: file.patches.contains_key(PLACE_OF_GATE),
            patches_dir: args.patches.clone(),
            locator: locator(&args.plugin_dir),
            trust: Trust::new(&args.trust),
            events,
            credentials,
            shadows: AskedShadow::all(args, file)?,
            shadow_settings: shadows::settings(args)?,
            policy: defaults.policy("--shadow", Place::Pre, &PolicyKeys::default())?,
        })
    }

    /// The files that trust in these plugins depends on, beside the plugins' own.
    pub(crate) fn trust_files<'a>(
        &self,
        plugins: impl Iterator<Item = &'a PathBuf>,
    ) -> Vec<PathBuf> {
        let Some(file) = self.trust.file() else { return Vec::new() };
        plugins.map(|plugin| signature_of(plugin)).chain([file.to_owned()]).collect()
    }

    /// The file of a shadow; the error says where it was looked for.
    pub(crate) fn locate_shadow(&self, shadow: &AskedShadow) -> Result<PathBuf, String> {
        self.locator.find(&shadow.asked.path).map_err(|error| error.to_string())
    }

    /// How what stands there is treated when it fails, unless its own table says so.
    pub(crate) fn policy(&self, place: Place) -> Policy {
        self.patches.get(&place).map_or(self.policy, |(_, policy)| *policy)
    }

    /// The configuration of a patch.
    pub(crate) fn patch_config(&self, place: Place) -> &str {
        self.patches.get(&place).map_or("", |(config, _)| config)
    }

    /// The folder of patches.
    pub(crate) fn patches_dir(&self) -> &Path {
        self.patches_dir.as_deref().unwrap_or(Path::new("patches"))
    }

    /// Each declaration of the proxy's with its file, patches last. An error is about the folder of
    /// patches.
    pub(crate) fn locate(&self) -> Result<Vec<Declaration>> {
        let mut all = self.locate_lists();
        all.extend(self.locate_patches()?);
        Ok(all)
    }

    /// The same without patches.
    pub(crate) fn locate_lists(&self) -> Vec<Declaration> {
        let lists = [(Place::Pre, &self.pre), (Place::Post, &self.post)];
        let all = lists.into_iter().flat_map(|(place, list)| {
            list.iter().enumerate().map(move |(index, (asked, policy))| {
                let nth = list[..index].iter().filter(|other| other.0.path == asked.path).count();
                Declaration {
                    key: Key { place: place.as_str().to_owned(), asked: asked.path.clone(), nth },
                    place,
                    file: match self.locator.find(&asked.path) {
                        Ok(path) => File::At(path),
                        Err(error) => File::Missing(error.to_string()),
                    },
                    settings: asked.settings(),
                    policy: *policy,
                }
            })
        });
        all.collect()
    }

    /// Every patch point, whether there is a patch for it or not.
    fn locate_patches(&self) -> Result<Vec<Declaration>> {
        let folder = self.patches_dir();
        // Nobody asked for patches if the folder that is looked at by default is not there.
        let none = self.patches_dir.is_none() && !folder.try_exists().unwrap_or(true);
        let files = if none { Vec::new() } else { scan_patches(folder)? };
        if !none {
            self.trust.check_folder(folder).context("the patches folder is not used")?;
        }
        let points = PATCH_POINTS.into_iter().filter_map(|point| Some((point, Place::of(point)?)));
        let all = points.map(|(point, place)| {
            let file = files.iter().find(|file| file.point == point);
            let file = match file {
                Some(file) => File::At(file.path.clone()),
                None if self.authenticator && place == Place::Authenticator => {
                    File::Missing(no_authenticator(folder))
                }
                None => File::None,
            };
            self.patch(place, file)
        });
        Ok(all.collect())
    }

    /// The declaration of a patch.
    pub(crate) fn patch(&self, place: Place, file: File) -> Declaration {
        let (config, policy) = self.patches.get(&place).cloned().unwrap_or_default();
        let settings = Settings { config, ..Settings::default() };
        Declaration { key: Key::patch(place), place, file, settings, policy }
    }

    /// The keys of the event plugins, in order.
    pub(crate) fn event_keys(&self) -> impl Iterator<Item = (Key, &Manifest)> {
        // Their names differ, and what one stores belongs to its name; so the name is what is asked.
        self.events.iter().map(|manifest| (Key::event(&manifest.name), manifest))
    }
}

/// Without it the built-in would ask, or nobody.
fn no_authenticator(folder: &Path) -> String {
    format!(
        "the configuration has [patches.{PLACE_OF_GATE}], and there is no {}; put it there, or take \
         the table out",
        folder.join(PLACE_OF_GATE).with_extension("so").display()
    )
}

impl Key {
    pub(crate) fn patch(place: Place) -> Self {
        Self { place: place.as_str().to_owned(), asked: PathBuf::new(), nth: 0 }
    }

    /// Of a plugin that was promoted where none was declared.
    pub(crate) fn added(place: Place, asked: PathBuf) -> Self {
        Self { place: place.as_str().to_owned(), asked, nth: ADDED }
    }

    pub(crate) fn is_added(&self) -> bool {
        self.nth == ADDED
    }

    pub(crate) fn event(name: &str) -> Self {
        Self { place: EVENT.to_owned(), asked: PathBuf::from(name), nth: 0 }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Place::of(&self.place) {
            None => write!(f, "the event plugin {}", self.asked.display()),
            Some(place) if self.asked.as_os_str().is_empty() => f.write_str(&kind(place)),
            Some(place) => write!(f, "{} {}", kind(place), self.asked.display()),
        }
    }
}
