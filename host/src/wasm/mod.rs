//! PRE and POST plugins in a sandbox: modules in the pool of event plugins, in the chain of native
//! ones.
//!
//! Neither of the two knows the other: the proxy sees an ordinary middleware, the pool a module whose
//! exports are called. The contract between host and module is `plugin-interface/wasm.md`.

mod body;
mod contract;
mod middleware;

use crate::Usage;
use crate::config::Checked;
use crate::events::{as_text, code_cache};
use crate::plugins::Settings;
use crate::trust::Trust;
use anyhow::{Result, anyhow};
use contract::{ON_REQUEST, ON_RESPONSE, REGISTER, Registration, WHOLE_CONFIG};
use host_events::store::Store;
use host_events::{CallError, Module, Pool, PoolBuilder};
use host_proxy::native::{Content, HostSide, Info, Offers, Plugin};
use middleware::Sandboxed;
use plugin_interface::host::middleware_object;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// What begins every module.
const MAGIC: &[u8; 4] = b"\0asm";

/// A body of more bytes is not sent to a module unless it is told otherwise.
const BODY: usize = 1 << 20;
/// The most that one can be told: as JSON text a body may be six times as long, and travels at once.
const MOST_BODY: usize = 8 << 20;

/// What a module may take. What is not said is as for event plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// How long a call may take.
    pub(crate) timeout: Option<Duration>,
    /// How many instances there are.
    pub(crate) concurrency: Option<usize>,
    /// How many bytes an instance may have.
    pub(crate) memory: Option<u64>,
    /// How many bytes a body may have that it is sent.
    pub(crate) body_limit: Option<usize>,
}

/// Makes middlewares of modules.
pub(crate) struct ModuleLoader {
    /// What native plugins are lent as well: metrics and audit events.
    pub(crate) host: Arc<HostSide>,
    /// Their tokens and values.
    pub(crate) store: Arc<dyn Store>,
    /// Where compiled code is kept.
    pub(crate) state: PathBuf,
    /// How long a body that is read for a module may bring nothing.
    pub(crate) idle: Duration,
    /// Which modules are loaded.
    pub(crate) trust: Trust,
}

/// Whether this is a module, by its name or by what it begins with.
pub(crate) fn is_module(path: &Path, content: &[u8]) -> bool {
    path.extension().is_some_and(|it| it == "wasm") || content.starts_with(MAGIC)
}

/// What is known of a module's file before it runs.
pub(crate) fn info_of(path: &Path, content: &Content) -> Info {
    let name = path.file_stem().unwrap_or(path.as_os_str());
    Info {
        name: name.to_string_lossy().into_owned(),
        interface: "wasm".to_owned(),
        size: content.bytes.len() as u64,
        sha256: content.sha256.clone(),
        ..Info::default()
    }
}

impl Sandbox {
    fn check(&self, path: &Path) -> Result<(), Usage> {
        let path = path.display();
        let most = PoolBuilder::MOST;
        if let Some(count) = self.concurrency.filter(|count| !(1..=most).contains(count)) {
            return Err(Usage(format!(
                "the plugin {path} wants {count} instances; concurrency is from 1 to {most}"
            )));
        }
        if let Some(limit) = self.body_limit.filter(|limit| *limit > MOST_BODY) {
            return Err(Usage(format!(
                "the plugin {path} has a body-limit of {limit}; at most {MOST_BODY} bytes go into a \
                 sandbox"
            )));
        }
        Ok(())
    }
}

impl ModuleLoader {
    pub(crate) fn new(config: &Checked, host: Arc<HostSide>, store: Arc<dyn Store>) -> Self {
        Self {
            host,
            store,
            state: config.state.clone(),
            idle: config.proxy.timeouts.idle,
            trust: config.trust.clone(),
        }
    }

    /// Loads a module: this content, whatever is at `path` by now. Blocks while it is compiled: not
    /// for a thread of the runtime, but on one that knows it.
    pub(crate) fn load(
        &self,
        path: &Path,
        content: &Content,
        settings: &Settings,
    ) -> Result<Plugin> {
        let Settings { config, sandbox } = settings;
        sandbox.check(path)?;
        self.trust.admit_module(path, &content.bytes)?;
        let refused = |reason: String| anyhow!("{}: refused: it {reason}", path.display());
        let mut info = info_of(path, content);
        let module = Module::read(&content.bytes).map_err(refused)?;
        let exports = |name: &str| module.exports().any(|export| export == name);
        let (has_request_hook, has_response_hook) = (exports(ON_REQUEST), exports(ON_RESPONSE));
        if !has_request_hook && !has_response_hook {
            return Err(refused(no_middleware(&module)));
        }

        let timeout = sandbox.timeout.unwrap_or(PoolBuilder::TIMEOUT);
        let builder = Pool::builder(&info.name, content.bytes.clone())
            .timeout(timeout)
            .memory(sandbox.memory.unwrap_or(PoolBuilder::MEMORY))
            .config(extism_config(config)?)
            .cache(code_cache(&self.state)?)
            .store(self.store.clone(), &format!("middleware/{}", info.name));
        let builder = match sandbox.concurrency {
            Some(count) => builder.concurrency(count),
            None => builder,
        };
        let runtime = Handle::current();
        let pool = runtime.block_on(builder.build()).map_err(|error| match error {
            host_events::BuildError::Module { reason, .. } => refused(reason),
            other @ host_events::BuildError::Read { .. } => other.into(),
        })?;
        let registration = match exports(REGISTER) {
            true => runtime.block_on(register(&pool)).map_err(refused)?,
            false => Registration::default(),
        };
        info.version = registration.version;
        info.compiler = registration.compiler;
        let name = registration.middleware.unwrap_or_else(|| info.name.clone());
        info.name = registration.name.unwrap_or(info.name);

        let services = self.host.services(&info.name);
        for metric in &registration.metrics {
            middleware::record(&services, metric)
                .map_err(|error| refused(format!("could not register: {error}")))?;
        }
        let middleware = Sandboxed {
            pool,
            services,
            reads: registration.values,
            has_request_hook,
            has_response_hook,
            body_limit: sandbox.body_limit.unwrap_or(BODY),
            patience: timeout * 2,
            idle: self.idle,
        };
        let middlewares = vec![(name, Arc::new(middleware_object(middleware)))];
        let offers = Offers { middlewares, ..Offers::default() };
        Ok(Plugin { path: path.to_owned(), info, offers })
    }
}

/// Asks a module what it is; whatever is wrong with its configuration it says here.
async fn register(pool: &Pool) -> Result<Registration, String> {
    let output = pool.call::<Vec<u8>>(REGISTER, "").await.map_err(|error| match error {
        CallError::Failed(reason) => format!("could not register: {reason}"),
        other => format!("could not register: it {other}"),
    })?;
    if output.is_empty() {
        return Ok(Registration::default());
    }
    serde_json::from_slice(&output)
        .map_err(|error| format!("could not register: what it returned is not right: {error}"))
}

fn no_middleware(module: &Module) -> String {
    let exports: Vec<_> = module.exports().collect();
    if exports.iter().any(|export| export.starts_with("handle")) {
        return "is an event plugin; use it with --event-plugin".to_owned();
    }
    let list = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    format!(
        "exports neither {ON_REQUEST} nor {ON_RESPONSE}, so it is no middleware; it exports {list}"
    )
}

/// The configuration as a PDK reads it: each key as text, and the whole under a key of its own.
fn extism_config(json: &str) -> Result<BTreeMap<String, String>> {
    let mut config = BTreeMap::new();
    if json.is_empty() {
        return Ok(config);
    }
    if let serde_json::Value::Object(keys) = serde_json::from_str(json)? {
        config.extend(keys.into_iter().map(|(key, value)| (key, as_text(value))));
    }
    config.insert(WHOLE_CONFIG.to_owned(), json.to_owned());
    Ok(config)
}
