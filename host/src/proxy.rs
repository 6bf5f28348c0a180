//! `host`: the proxy, put together and run.

use crate::cli::{FormatArg, ProxyArgs};
use crate::config::{AccessTo, Checked, check, with_environment};
use crate::events::{self, Events, EventsConfig, ProxyLocks};
use crate::file::{File, FilePlugins};
use crate::{admin, control, logging, plugins};
use anyhow::{Context, Result};
use host_proxy::native::{EventSink, HostSide, Loader, LogEvents};
use host_proxy::{
    AccessLog, AuditLog, Chain, Client, Drained, Listen, LockCheck, MemoryStore, Metrics, Proxy,
    Tls, Writer, serve,
};
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The in-memory store has room for so many bytes.
const STORE: usize = 64 << 20;

/// Runs the proxy until it is told to end.
pub fn run(flags: ProxyArgs) -> Result<ExitCode> {
    let visible_password = flags.basic_password.is_some();
    let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
    let fixed_filter = flags.debug || flags.log.is_some();
    let (args, file_plugins) = file.with_flags(with_environment(flags));
    let config = check(&args)?;
    logging::start(&filter(&args), args.log_format.unwrap_or(FormatArg::Text))?;
    if visible_password {
        tracing::warn!(
            "--basic-password can be read in the process list; use --basic-password-file, or the \
             variable TENON_BASIC_PASSWORD"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(start(args, file_plugins, config, fixed_filter));
    // A plugin's task that blocks must not keep the process.
    runtime.shutdown_background();
    result
}

fn filter(args: &ProxyArgs) -> String {
    match &args.log {
        _ if args.debug => "debug".to_owned(),
        Some(filter) => filter.clone(),
        None => "info".to_owned(),
    }
}

async fn start(
    args: ProxyArgs,
    file_plugins: FilePlugins,
    config: Checked,
    fixed_filter: bool,
) -> Result<ExitCode> {
    // First of all: a port in use is the commonest mistake, and plugins may do things when loaded.
    let listener = bind(config.listen, "--port").await?;
    let tls = match args.tls_cert.clone().zip(args.tls_key.clone()) {
        None => None,
        Some((certificate, key)) => Some(Arc::new(Tls::load(certificate, key)?)),
    };
    config.trust.check_file()?;
    let client = Client::new(&config.client)?;
    let metrics = Arc::new(Metrics::new());
    let events = EventsConfig::check(&args, &file_plugins.event, &config.state)?;
    let store = events::store(&config.state, events.as_ref())?;
    if let Some(store) = &store {
        tokio::spawn(control::serve(control::listen(&config.state)?, store.clone()));
    }
    let mut events = match events {
        None => None,
        Some(events) => {
            let upstream = args.target.clone().unwrap_or_default();
            let (state, store) = (&config.state, store.clone());
            Some(Events::start(events, &config.trust, state, store, upstream, &metrics).await?)
        }
    };
    let queue = events.as_ref().map(|events| events.queue.clone());
    let sink: Arc<dyn EventSink> = match &queue {
        Some(queue) => queue.clone(),
        None => Arc::new(LogEvents),
    };
    let host = HostSide::new(
        tokio::runtime::Handle::current(),
        client.clone(),
        Arc::new(MemoryStore::new(STORE)),
        metrics.clone(),
        sink,
    );
    let loader = Loader::new(config.state.join("plugins"), host, config.register_timeout);
    let loader = Arc::new(loader.with_admission(Arc::new(config.trust.clone())));
    let reload = Reload {
        config: args.config.clone(),
        fixed_filter,
        tls: tls.clone(),
        loader: loader.clone(),
    };
    let format = args.log_format.unwrap_or(FormatArg::Text);
    let credentials = config.credentials;
    let parts = tokio::task::spawn_blocking(move || {
        plugins::load(&args, &file_plugins, credentials, &loader, &config.trust)
    });
    let mut parts = parts.await??;
    parts.locks = store.clone().map(|store| Arc::new(ProxyLocks(store)) as Arc<dyn LockCheck>);
    parts.audit = queue.map(|queue| queue as Arc<dyn AuditLog>);
    let chain = Chain::new(parts, metrics.clone()).map_err(anyhow::Error::msg)?;
    let (access, _writer) = access_log(&config.access_log, format)?.unzip();
    if let Some(place) = config.admin {
        let listener = bind(place, "--admin").await?;
        tracing::info!("metrics are at http://{}/metrics", listener.local_addr()?);
        tokio::spawn(admin::serve(listener, metrics));
    }
    let drain = config.proxy.drain.timeout;
    let proxy = Arc::new(Proxy::new(config.proxy, chain, client, access));
    tokio::spawn(reload.on_sighup()?);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let signalled = shutdown()?;
    tracing::info!("listening on {scheme}://{}", listener.local_addr()?);
    let mut stopped = None;
    let shutdown = async {
        match &mut events {
            None => signalled.await,
            Some(events) => tokio::select! {
                () = signalled => {}
                result = events.stopped() => stopped = Some(result),
            },
        }
    };
    let drained = serve(proxy, listener, tls, shutdown).await;
    if let (None, Some(events)) = (&stopped, events) {
        events.finish(drain).await;
    }
    if let Some(store) = store {
        // Plugins hold it to the end of the process: what waits is written now.
        tokio::task::spawn_blocking(move || store.close()).await?;
    }
    if let Some(Err(error)) = stopped {
        return Err(error);
    }
    Ok(match drained {
        Drained::Whole => {
            tracing::info!("drained, nothing was cut off");
            ExitCode::SUCCESS
        }
        Drained::CutOff(connections) => {
            tracing::error!(
                connections,
                "the time to drain is over; of so many connections some are cut off"
            );
            ExitCode::FAILURE
        }
    })
}

/// Opens a port; an error says which flag is to blame.
pub(crate) async fn bind(place: Listen, flag: &str) -> Result<TcpListener> {
    place.bind().await.with_context(|| {
        format!("{flag} {place} cannot be listened on; stop what has it, or choose another")
    })
}

fn access_log(to: &AccessTo, format: FormatArg) -> Result<Option<(AccessLog, Writer)>> {
    Ok(match to {
        AccessTo::Off => None,
        AccessTo::Stdout => Some(AccessLog::start(std::io::stdout(), format.into())?),
        AccessTo::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file
                .with_context(|| format!("the access log {} cannot be written", path.display()))?;
            Some(AccessLog::start(file, format.into())?)
        }
    })
}

/// Ends at the first SIGTERM or SIGINT. At a second one the process ends at once.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining; a second signal ends it at once");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("ended without draining");
            #[allow(clippy::disallowed_methods)] // that is what the user wants
            std::process::exit(1);
        });
    })
}

/// What SIGHUP reads anew.
struct Reload {
    config: Option<PathBuf>,
    /// The filter is given on the command line, which does not change.
    fixed_filter: bool,
    tls: Option<Arc<Tls>>,
    loader: Arc<Loader>,
}

impl Reload {
    fn on_sighup(self) -> Result<impl Future<Output = ()>> {
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            while hangup.recv().await.is_some() {
                self.reload();
            }
        })
    }

    fn reload(&self) {
        if let Some(tls) = &self.tls {
            match tls.reload() {
                Ok(()) => tracing::info!("the certificate was read anew"),
                Err(error) => tracing::error!("the old certificate stays in use: {error}"),
            }
        }
        let Some(path) = self.config.as_deref().filter(|_| !self.fixed_filter) else { return };
        let filter = File::read(path).map(|file| file.log.unwrap_or_else(|| "info".to_owned()));
        let changed = filter.and_then(|filter| {
            logging::change(&filter)?;
            Ok(filter)
        });
        match changed {
            Ok(filter) => {
                self.loader.log_filter_changed();
                tracing::info!(filter, "the log filter was read anew");
            }
            Err(error) => tracing::error!("the old log filter stays in use: {error:#}"),
        }
    }
}
