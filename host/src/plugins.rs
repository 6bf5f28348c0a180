//! The plugins and patches that the user asked for, loaded.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::{FilePlugins, PluginTable};
use crate::wasm::{ModuleLoader, Sandbox, is_module};
use anyhow::{Context, Result, anyhow};
use host_proxy::native::{Loader, Locator, PATCH_POINTS, Plugin, scan_patches};
use host_proxy::{Credentials, Parts};
use std::path::{Path, PathBuf};

/// A plugin as the user asked for it: a file and its configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: PathBuf,
    /// JSON text; empty if there is none.
    pub(crate) config: String,
    /// What it may take if it is a module in WebAssembly.
    pub(crate) sandbox: Sandbox,
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
        let (path, config) = (PathBuf::from(path), config.to_owned());
        Ok(Self { path, config, sandbox: Sandbox::default() })
    }

    fn of_file(table: &PluginTable) -> Result<Self> {
        let config = table.config.as_ref().map(serde_json::to_string).transpose()?;
        let sandbox = Sandbox {
            timeout: table.timeout,
            concurrency: table.concurrency,
            memory: table.memory,
            body_limit: table.body_limit,
        };
        let path = PathBuf::from(&table.path);
        Ok(Self { path, config: config.unwrap_or_default(), sandbox })
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
    modules: &ModuleLoader,
) -> Result<Parts> {
    let locator = locator(&args.plugin_dir);
    let list = |tables: &[PluginTable], flags: &[String], place| -> Result<Vec<Plugin>> {
        let tables = tables.iter().map(Asked::of_file);
        let flags = flags.iter().map(|text| Ok(Asked::parse(text)?));
        let load = |asked: Result<Asked>| load_one(&asked?, &locator, loader, modules, place);
        tables.chain(flags).map(load).collect()
    };
    let mut parts = Parts {
        pre: list(&file.pre, &args.pre_plugin, "PRE")?,
        post: list(&file.post, &args.post_plugin, "POST")?,
        credentials,
        ..Parts::default()
    };
    if let Some(unknown) = file.patches.keys().find(|point| !PATCH_POINTS.contains(&&***point)) {
        let points = PATCH_POINTS.join(", ");
        return Err(Usage(format!("[patches.{unknown}]: the patch points are {points}")).into());
    }
    load_patches(args.patches.as_deref(), file, loader, &mut parts)?;
    Ok(parts)
}

fn load_patches(
    asked: Option<&Path>,
    file: &FilePlugins,
    loader: &Loader,
    parts: &mut Parts,
) -> Result<()> {
    let folder = asked.unwrap_or(Path::new("patches"));
    if asked.is_none() && !folder.try_exists().unwrap_or(true) {
        return Ok(()); // nobody asked for patches
    }
    for patch in scan_patches(folder)? {
        let config = file.patches.get(patch.point);
        let config = config.map(|table| serde_json::to_string(&table.config)).transpose()?;
        let plugin = loader.load(&patch.path, &config.unwrap_or_default());
        let plugin =
            plugin.with_context(|| format!("the patch of {} is not usable", patch.point))?;
        describe(&plugin, "patch");
        if plugin.offers.list().len() > 1 {
            let path = plugin.path.display();
            tracing::warn!("{path} registers more than {}; the rest is not used", patch.point);
        }
        tracing::info!("Loading patched {} module", patch.point);
        match patch.point {
            "reverse_proxy" => parts.reverse_proxy = Some(plugin),
            "authenticator" => parts.authenticator = Some(plugin),
            "error_page" => parts.error_page = Some(plugin),
            other => return Err(anyhow!("the patch point {other} is not connected")),
        }
    }
    Ok(())
}

fn load_one(
    asked: &Asked,
    locator: &Locator,
    loader: &Loader,
    modules: &ModuleLoader,
    place: &str,
) -> Result<Plugin> {
    let path = locator.find(&asked.path)?;
    let loaded = if is_module(&path) {
        modules.load(&path, &asked.config, &asked.sandbox)
    } else if asked.sandbox == Sandbox::default() {
        loader.load(&path, &asked.config).map_err(Into::into)
    } else {
        return Err(Usage(format!(
            "{} is no WebAssembly: timeout, concurrency, memory and body-limit are for sandboxed plugins",
            path.display()
        ))
        .into());
    };
    let plugin = loaded.with_context(|| format!("the {place} plugin is not usable"))?;
    describe(&plugin, place);
    Ok(plugin)
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
