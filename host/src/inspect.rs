//! `host inspect`: what a plugin is, and whether this host would take it.

mod module;

use crate::cli::{FormatArg, InspectArgs};
use crate::logging;
use crate::plugins::{Asked, locator};
use crate::trust::Trust;
use crate::wasm::{ModuleLoader, is_module};
use anyhow::{Context, Result};
use host_proxy::native::{Content, HostSide, Info, Loader, LogEvents, Reason};
use host_proxy::{Client, ClientConfig, MemoryStore, Metrics, Timeouts, UpstreamHttp};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a library or module.
#[derive(Serialize)]
struct Report {
    file: String,
    kind: &'static str,
    name: Option<String>,
    version: Option<String>,
    interface: Option<String>,
    host_interface: &'static str,
    compiler: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
    registers: Vec<String>,
    /// Of a module.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exports: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imports: Vec<String>,
    accepted: bool,
    /// Why not; what the host would say at its start.
    verdict: String,
}

/// Loads the library as the proxy would, and says what came of it.
pub fn run(args: &InspectArgs) -> Result<ExitCode> {
    let asked = Asked::parse(&args.file)?;
    let path = locator(&args.plugin_dir).find(&asked.path)?;
    logging::start("warn", FormatArg::Text)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cache = tempfile::tempdir()?;
    let host = host(&runtime)?;
    let trust = Trust::new(&args.trust);
    let content =
        Content::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let report = if is_module(&path, &content.bytes) {
        let loader = ModuleLoader {
            host,
            store: Arc::new(host_events::store::MemoryStore::new(module::STORE)),
            state: cache.path().to_owned(),
            idle: Duration::from_secs(60),
            trust,
        };
        let _entered = runtime.enter();
        module::inspect(&path, &content, asked, &loader)
    } else {
        let loader = Loader::new(cache.path().join("plugins"), host, args.register_timeout);
        library(args, &path, &asked, &loader.with_admission(Arc::new(trust)))
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        report.print()?;
    }
    runtime.shutdown_background();
    Ok(if report.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn library(args: &InspectArgs, path: &Path, asked: &Asked, loader: &Loader) -> Report {
    match loader.load(path, &asked.config) {
        Ok(plugin) => {
            let registers = plugin.offers.list();
            let patch = registers.iter().any(|it| it.starts_with("patch"));
            let kind = if patch { "patch" } else { "plugin" };
            let verdict = (kind, true, "accepted".to_owned());
            Report { registers, ..Report::new(path, Some(&plugin.info), verdict) }
        }
        Err(refusal) => {
            let mut verdict = format!("refused: {}", refusal.reason);
            if matches!(refusal.reason, Reason::Register(_)) && asked.config.is_empty() {
                verdict = format!("{verdict}\nto inspect it with one: {}={{…}}", args.file);
            }
            Report::new(path, refusal.info.as_deref(), ("library", false, verdict))
        }
    }
}

fn host(runtime: &tokio::runtime::Runtime) -> Result<Arc<HostSide>> {
    let minute = Duration::from_secs(60);
    let timeouts = Timeouts { header: minute, connect: minute, idle: minute, request: None };
    let config = ClientConfig {
        target: None,
        http: UpstreamHttp::Auto,
        ca: None,
        certificate: None,
        timeouts,
    };
    let _entered = runtime.enter();
    Ok(HostSide::new(
        runtime.handle().clone(),
        Client::new(&config)?,
        Arc::new(MemoryStore::new(1 << 20)),
        Arc::new(Metrics::new()),
        Arc::new(LogEvents),
    ))
}

impl Report {
    fn new(
        path: &Path,
        info: Option<&Info>,
        (kind, accepted, verdict): (&'static str, bool, String),
    ) -> Self {
        let text =
            |get: fn(&Info) -> &String| info.map(get).filter(|text| !text.is_empty()).cloned();
        Self {
            file: path.display().to_string(),
            kind,
            name: text(|info| &info.name),
            version: text(|info| &info.version),
            interface: text(|info| &info.interface),
            host_interface: plugin_interface::VERSION,
            compiler: text(|info| &info.compiler),
            size: info.map(|info| info.size),
            sha256: text(|info| &info.sha256),
            registers: Vec::new(),
            exports: Vec::new(),
            imports: Vec::new(),
            accepted,
            verdict,
        }
    }

    fn print(&self) -> std::io::Result<()> {
        let row = |name: &str, value: &str| say!("{name:<11}{value}");
        let known =
            |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
        row("file", &self.file)?;
        row("kind", self.kind)?;
        row("name", &known(&self.name))?;
        row("version", &known(&self.version))?;
        let interface = match self.interface.as_deref() {
            Some("wasm") => "wasm".to_owned(),
            _ => format!("{} (this host: {})", known(&self.interface), self.host_interface),
        };
        row("interface", &interface)?;
        row("compiler", &known(&self.compiler))?;
        row("size", &self.size.map_or_else(|| "not known".to_owned(), |it| format!("{it} bytes")))?;
        row("sha256", &known(&self.sha256))?;
        if self.accepted {
            row("registers", &self.registers.join(", "))?;
        }
        for (name, list) in [("exports", &self.exports), ("imports", &self.imports)] {
            if !list.is_empty() {
                row(name, &list.join(", "))?;
            }
        }
        row("verdict", &self.verdict)
    }
}
