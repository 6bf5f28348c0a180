//! `host inspect`: what a plugin is, and whether this host would take it.

use crate::cli::{FormatArg, InspectArgs};
use crate::logging;
use crate::plugins::{Asked, locator};
use crate::trust::Trust;
use anyhow::Result;
use host_proxy::native::{HostSide, Info, Loader, LogEvents, Reason};
use host_proxy::{Client, ClientConfig, MemoryStore, Metrics, Timeouts, UpstreamHttp};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a library.
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
    let loader = Loader::new(cache.path().join("plugins"), host(&runtime)?, args.register_timeout);
    let loader = loader.with_admission(Arc::new(Trust::new(&args.trust)));
    let report = match loader.load(&path, &asked.config) {
        Ok(plugin) => {
            let registers = plugin.offers.list();
            Report::new(&path, Some(&plugin.info), registers, true, "accepted".to_owned())
        }
        Err(refusal) => {
            let mut verdict = format!("refused: {}", refusal.reason);
            if matches!(refusal.reason, Reason::Register(_)) && asked.config.is_empty() {
                verdict = format!("{verdict}\nto inspect it with one: {}={{…}}", args.file);
            }
            Report::new(&path, refusal.info.as_deref(), Vec::new(), false, verdict)
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    runtime.shutdown_background();
    Ok(if report.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
        registers: Vec<String>,
        accepted: bool,
        verdict: String,
    ) -> Self {
        let text =
            |get: fn(&Info) -> &String| info.map(get).filter(|text| !text.is_empty()).cloned();
        let kind = match (accepted, registers.iter().any(|it| it.starts_with("patch"))) {
            (false, _) => "library",
            (true, true) => "patch",
            (true, false) => "plugin",
        };
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
            registers,
            accepted,
            verdict,
        }
    }

    fn print(&self) {
        let row = |name: &str, value: &str| println!("{name:<11}{value}");
        let known =
            |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
        row("file", &self.file);
        row("kind", self.kind);
        row("name", &known(&self.name));
        row("version", &known(&self.version));
        row(
            "interface",
            &format!("{} (this host: {})", known(&self.interface), self.host_interface),
        );
        row("compiler", &known(&self.compiler));
        row("size", &self.size.map_or_else(|| "not known".to_owned(), |it| format!("{it} bytes")));
        row("sha256", &known(&self.sha256));
        if self.accepted {
            row("registers", &self.registers.join(", "));
        }
        row("verdict", &self.verdict);
    }
}
