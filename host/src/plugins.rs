//! The plugins and patches that the user asked for, loaded.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::{FilePlugins, PluginTable};
use crate::trust::Trust;
use anyhow::{Context, Result};
use host_proxy::native::{Loader, Locator, PATCH_POINTS, Plugin, scan_patches};
use host_proxy::{Credentials, Life, Parts, Place, Policy, Stage};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A plugin as the user asked for it: a file and its configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: PathBuf,
    /// JSON text; empty if there is none.
    pub(crate) config: String,
}

impl Asked {
    /// Reads `PATH` or `PATH={json}`.
    pub(crate) fn parse(text: &str) -> Result<Self, Usage> {
        let (path, config) = match text.find("={") {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, ""),
        };
        if path.is_empty() {
            return Err(Usage(format!("{text:?} names no plugin; write PATH or PATH={{json}}")));
        }
        if !config.is_empty() {
            serde_json::from_str::<serde_json::Value>(config).map_err(|error| {
                Usage(format!("the configuration of {path} is not JSON: {error}"))
            })?;
        }
        Ok(Self { path: PathBuf::from(path), config: config.to_owned() })
    }

    fn of_file(table: &PluginTable) -> Result<Self> {
        let config = table.config.as_ref().map(serde_json::to_string).transpose()?;
        Ok(Self { path: PathBuf::from(&table.path), config: config.unwrap_or_default() })
    }
}

/// Where plugins that are given by name are looked for.
pub(crate) fn locator(folders: &[PathBuf]) -> Locator {
    let mut folders = folders.to_owned();
    if folders.is_empty() {
        folders.push(PathBuf::from("plugins"));
        let program = std::env::current_exe().ok();
        folders.extend(program.and_then(|program| Some(program.parent()?.to_owned())));
    }
    Locator::new(folders)
}

/// Loads everything that was asked for. What does not load stops the start: half a chain would let
/// requests pass that the other half was to stop.
pub(crate) fn load(
    args: &ProxyArgs,
    file: &FilePlugins,
    credentials: Option<Credentials>,
    loader: &Loader,
    trust: &Trust,
) -> Result<Parts> {
    let locator = locator(&args.plugin_dir);
    let list = |tables: &[PluginTable], flags: &[String], place| -> Result<Vec<Arc<Stage>>> {
        let tables = tables.iter().map(Asked::of_file);
        let flags = flags.iter().map(|text| Ok(Asked::parse(text)?));
        tables.chain(flags).map(|asked| load_one(&asked?, &locator, loader, place)).collect()
    };
    let mut parts = Parts {
        pre: list(&file.pre, &args.pre_plugin, Place::Pre)?,
        post: list(&file.post, &args.post_plugin, Place::Post)?,
        credentials,
        ..Parts::default()
    };
    if let Some(unknown) = file.patches.keys().find(|point| !PATCH_POINTS.contains(&&***point)) {
        let points = PATCH_POINTS.join(", ");
        return Err(Usage(format!("[patches.{unknown}]: the patch points are {points}")).into());
    }
    load_patches(args.patches.as_deref(), file, loader, trust, &mut parts)?;
    Ok(parts)
}

fn load_patches(
    asked: Option<&Path>,
    file: &FilePlugins,
    loader: &Loader,
    trust: &Trust,
    parts: &mut Parts,
) -> Result<()> {
    let folder = asked.unwrap_or(Path::new("patches"));
    if asked.is_none() && !folder.try_exists().unwrap_or(true) {
        return Ok(()); // nobody asked for patches
    }
    let patches = scan_patches(folder)?;
    trust.check_folder(folder).context("the patches folder is not used")?;
    for patch in patches {
        let config = file.patches.get(patch.point);
        let config = config.map(|table| serde_json::to_string(&table.config)).transpose()?;
        let plugin = loader.load(&patch.path, &config.unwrap_or_default());
        let plugin =
            plugin.with_context(|| format!("the patch of {} is not usable", patch.point))?;
        describe(&plugin, &format!("patch of {}", patch.point));
        if plugin.offers.list().len() > 1 {
            let path = plugin.path.display();
            tracing::warn!("{path} registers more than {}; the rest is not used", patch.point);
        }
        tracing::info!("Loading patched {} module", patch.point);
        let place = Place::of(patch.point)
            .with_context(|| format!("the patch point {} is not connected", patch.point))?;
        let stage = Some(Stage::new(plugin, place, Policy::default(), Arc::default()));
        match place {
            Place::ReverseProxy => parts.reverse_proxy = stage,
            Place::Authenticator => parts.authenticator = stage,
            Place::ErrorPage => parts.error_page = stage,
            Place::Pre | Place::Post => {} // no patch point
        }
    }
    Ok(())
}

fn load_one(asked: &Asked, locator: &Locator, loader: &Loader, place: Place) -> Result<Arc<Stage>> {
    let path = locator.find(&asked.path)?;
    let plugin = loader
        .load(&path, &asked.config)
        .with_context(|| format!("the {} plugin is not usable", place.as_str().to_uppercase()))?;
    describe(&plugin, place.as_str());
    Ok(Stage::new(plugin, place, Policy::default(), Arc::new(Life::default())))
}

fn describe(plugin: &Plugin, place: &str) {
    let info = &plugin.info;
    tracing::info!(
        place,
        name = info.name,
        version = info.version,
        interface = info.interface,
        sha256 = &info.sha256[..12.min(info.sha256.len())],
        offers = plugin.offers.list().join(", "),
        "loaded {}",
        plugin.path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_have_a_configuration_behind_it() {
        let parse = |text| Asked::parse(text).map(|it| (it.path, it.config));
        assert_eq!(parse("a.so").unwrap(), ("a.so".into(), String::new()));
        assert_eq!(parse("a=b.so={\"c\": 1}").unwrap(), ("a=b.so".into(), "{\"c\": 1}".into()));
        let error = parse("a.so={c}").unwrap_err().to_string();
        assert!(error.starts_with("the configuration of a.so is not JSON"), "{error}");
        assert!(parse("={}").is_err());
    }
}
