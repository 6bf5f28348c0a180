//! A module in WebAssembly: a middleware, or an event plugin.

use super::Report;
use crate::events::manifest;
use crate::plugins::Asked;
use crate::wasm::{ModuleLoader, info_of};
use anyhow::Result;
use host_events::store::MemoryStore;
use host_events::{AlertLog, BuildError, EventPlugin, Metrics, Module, Services};
use host_proxy::native::Content;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The store that a plugin has while it is inspected, in bytes.
pub(super) const STORE: usize = 1 << 20;

/// Loads the module as the proxy would, in the place that its exports are for.
pub(super) fn inspect(
    path: &Path,
    content: &Content,
    asked: Asked,
    loader: &ModuleLoader,
) -> Report {
    let info = info_of(path, content);
    let module = match Module::read(&content.bytes) {
        Ok(module) => module,
        Err(reason) => return Report::new(path, Some(&info), refused("module", &reason)),
    };
    let mut report = if module.exports().any(|export| export.starts_with("handle")) {
        match load_event_plugin(path, content, asked, loader) {
            Ok(plugin) => {
                let registers = vec![format!("event plugin {}", plugin.name())];
                let mut report = Report::new(path, Some(&info), accepted("event plugin"));
                report.registers = registers;
                report
            }
            Err(error) => {
                let reason = match error.downcast::<BuildError>() {
                    Ok(BuildError::Module { reason, .. }) => reason,
                    Ok(other) => other.to_string(),
                    Err(other) => format!("{other:#}"),
                };
                Report::new(path, Some(&info), refused("event plugin", &reason))
            }
        }
    } else {
        match loader.load(path, content, &asked.settings()) {
            Ok(plugin) => {
                let mut report = Report::new(path, Some(&plugin.info), accepted("plugin"));
                report.registers = plugin.offers.list();
                report
            }
            Err(error) => {
                let text = format!("{error:#}");
                let before = format!("{}: refused: it ", path.display());
                let reason = text.strip_prefix(&before).unwrap_or(&text);
                let mut report = Report::new(path, Some(&info), refused("module", reason));
                if asked.config.is_empty() && reason.starts_with("could not register") {
                    let file = path.display();
                    let _ = write!(report.verdict, "\nto inspect it with one: {file}={{…}}");
                }
                report
            }
        }
    };
    report.exports = module.exports().map(str::to_owned).collect();
    let imports = module.imports();
    report.imports = imports.map(|(namespace, name)| format!("{namespace} {name}")).collect();
    report
}

fn load_event_plugin(
    path: &Path,
    content: &Content,
    asked: Asked,
    loader: &ModuleLoader,
) -> Result<EventPlugin> {
    loader.trust.admit_module(path, &content.bytes)?;
    let manifest = manifest(Asked { path: path.to_owned(), ..asked })?;
    let store = Arc::new(MemoryStore::new(STORE));
    let services = Services { store: store.clone(), locks: store, alerts: Arc::new(AlertLog) };
    let metrics = Metrics::default();
    let wasm = content.bytes.clone();
    let loading = EventPlugin::of_module(manifest, wasm, services, &metrics, None);
    Ok(Handle::current().block_on(loading)?)
}

/// Its kind and the verdict.
fn accepted(kind: &'static str) -> (&'static str, bool, String) {
    (kind, true, "accepted".to_owned())
}

fn refused(kind: &'static str, reason: &str) -> (&'static str, bool, String) {
    (kind, false, format!("refused: it {reason}"))
}
