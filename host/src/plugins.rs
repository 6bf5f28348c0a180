//! Plugins and patches as the user asks for them, and how one is loaded.

use crate::Usage;
use crate::config::Checked;
use crate::file::PluginTable;
use crate::operator::short;
use crate::state::COPIES;
use crate::trust::Trust;
use crate::wasm::{ModuleLoader, Sandbox, info_of, is_module};
use host_events::store::Store;
use host_proxy::native::{Content, HostSide, Info, Loader, Locator, Plugin, Refusal};
use host_proxy::{Life, Place, Policy, Stage, State};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A plugin as the user asked for it: a file and its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// The same from the configuration file.
    pub(crate) fn of_file(table: &PluginTable) -> Result<Self, serde_json::Error> {
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

    /// How it is set up.
    pub(crate) fn settings(&self) -> Settings {
        Settings { config: self.config.clone(), sandbox: self.sandbox.clone() }
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

/// How a plugin is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// JSON text; empty if there is none.
    pub(crate) config: String,
    /// What it may take, if it is a module.
    pub(crate) sandbox: Sandbox,
}

/// What plugins are loaded with: libraries, and modules in WebAssembly.
pub(crate) struct Loaders {
    pub(crate) native: Loader,
    pub(crate) modules: ModuleLoader,
    /// What both ask, and who keeps what is loaded already.
    pub(crate) trust: Trust,
}

impl Loaders {
    /// Those of a configuration. `store` is what modules keep their tokens and values in.
    pub(crate) fn new(config: &Checked, host: Arc<HostSide>, store: Arc<dyn Store>) -> Self {
        let trust = config.trust.clone();
        let modules = ModuleLoader::new(config, host.clone(), store);
        let native = Loader::new(config.state.join(COPIES), host, config.register_timeout);
        let native = native.with_admission(Arc::new(trust.clone()));
        Self { native, modules, trust }
    }
}

/// Why a plugin is not loaded.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct NotLoaded {
    /// What is known of its file, as far as the checks came.
    pub(crate) info: Option<Box<Info>>,
    /// For people, the file's name included.
    why: String,
}

impl From<Refusal> for NotLoaded {
    fn from(refusal: Refusal) -> Self {
        let why = refusal.to_string();
        Self { info: refusal.info, why }
    }
}

/// Loads a plugin for a place: this content, whatever is at `path` by now. Blocks; not for a thread of
/// the runtime, but on one that knows it.
pub(crate) fn load(
    loaders: &Loaders,
    place: Place,
    path: &Path,
    content: &Content,
    settings: &Settings,
    policy: Policy,
) -> Result<Arc<Stage>, NotLoaded> {
    let life = Arc::new(Life::default());
    life.enter(State::Loading);
    let not_loaded = |why: String| NotLoaded { info: None, why };
    let plugin = if is_module(path, &content.bytes) {
        if !matches!(place, Place::Pre | Place::Post) {
            let path = path.display();
            return Err(not_loaded(format!("{path}: refused: a patch cannot be a module")));
        }
        if let Err(error) = content.keep(loaders.native.folder(), "wasm") {
            tracing::warn!("a copy of {} cannot be kept: {error}", path.display());
        }
        let loaded = loaders.modules.load(path, content, settings);
        loaded.map_err(|error| NotLoaded {
            info: Some(Box::new(info_of(path, content))),
            why: format!("{error:#}"),
        })?
    } else if settings.sandbox == Sandbox::default() {
        loaders.native.load_content(path, content, &settings.config)?
    } else {
        return Err(not_loaded(format!(
            "{}: refused: it is no WebAssembly: timeout, concurrency, memory and body-limit are for \
             sandboxed plugins",
            path.display()
        )));
    };
    describe(&plugin, place);
    Ok(Stage::new(plugin, place, policy, life))
}

/// What a plugin is in a sentence about it: `the PRE plugin`, `the patch of error_page`.
pub(crate) fn kind(place: Place) -> String {
    match place {
        Place::Pre | Place::Post => format!("the {} plugin", place.as_str().to_uppercase()),
        patch => format!("the patch of {patch}"),
    }
}

fn describe(plugin: &Plugin, place: Place) {
    let info = &plugin.info;
    tracing::info!(
        place = place.as_str(),
        name = info.name,
        version = info.version,
        interface = info.interface,
        sha256 = short(&info.sha256),
        offers = plugin.offers.list().join(", "),
        "loaded {}",
        plugin.path.display()
    );
    if matches!(place, Place::Pre | Place::Post) {
        return;
    }
    if plugin.offers.list().len() > 1 {
        let path = plugin.path.display();
        tracing::warn!("{path} registers more than {place}; the rest is not used");
    }
    tracing::info!("Loading patched {place} module");
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
