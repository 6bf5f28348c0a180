//! `host`: the proxy, put together and run.

use crate::admin::Admin;
use crate::cli::{FormatArg, ProxyArgs};
use crate::config::{AccessTo, Checked, check, with_environment};
use crate::events::{self, EventLoader, Events, EventsConfig, ProxyLocks};
use crate::file::{File, FilePlugins};
use crate::live::{self, Declared, First, Folder, Live, Operated, Record, Source, Trigger, World};
use crate::operator::Operator;
use crate::plugins::Loaders;
use crate::wasm::ModuleLoader;
use crate::{control, logging};
use anyhow::{Context, Result};
use host_proxy::native::{EventSink, HostSide, Loader, LogEvents};
use host_proxy::{
    AccessLog, AuditLog, Chain, Client, Drained, Listen, LockCheck, MemoryStore, Metrics, Parts,
    Proxy, Tls, Writer, serve,
};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The in-memory store has room for so many bytes.
const STORE: usize = 64 << 20;

/// So many native libraries may be mapped unless it is told otherwise.
const GENERATIONS: usize = 64;

/// Runs the proxy until it is told to end.
pub fn run(flags: ProxyArgs) -> Result<ExitCode> {
    let visible_password = flags.basic_password.is_some();
    let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
    let (args, file_plugins) = file.with_flags(with_environment(flags.clone()));
    let config = check(&args)?;
    let source = Source::new(flags, &args);
    logging::start(&filter(&args), args.log_format.unwrap_or(FormatArg::Text))?;
    if visible_password {
        tracing::warn!(
            "--basic-password can be read in the process list; use --basic-password-file, or the \
             variable TENON_BASIC_PASSWORD"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(start(source, args, file_plugins, config));
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

#[allow(clippy::too_many_lines)] // what there is, put together in its order
async fn start(
    source: Source,
    args: ProxyArgs,
    file_plugins: FilePlugins,
    config: Checked,
) -> Result<ExitCode> {
    let started = SystemTime::now();
    // First of all: a port in use is the commonest mistake, and plugins may do things when loaded.
    let listener = bind(config.listen, "--port").await?;
    let tls = match args.tls_cert.clone().zip(args.tls_key.clone()) {
        None => None,
        Some((certificate, key)) => Some(Arc::new(Tls::load(certificate, key)?)),
    };
    config.trust.check_file()?;
    let client = Client::new(&config.client)?;
    let metrics = Arc::new(Metrics::new());
    let folder = live::Folder::take(&config.state);
    let events = EventsConfig::check(&args, &file_plugins.event, &config.state)?;
    let manifests = events.as_ref().map(|events| events.plugins.clone()).unwrap_or_default();
    let declared = Declared::of(&args, &file_plugins, manifests, config.credentials)?;
    let store = events::store(&config.state, events.as_ref())?;
    let (mut events, event_loader) = match (events, &store) {
        (Some(config_of), Some(store)) => {
            let upstream = args.target.clone().unwrap_or_default();
            let loader = EventLoader::new(
                &config_of,
                &config.trust,
                &config.state,
                store.clone(),
                &metrics,
            )?;
            (Some(Events::start(config_of, &loader, upstream, &metrics)?), Some(loader))
        }
        _ => (None, None),
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
    let modules = ModuleLoader {
        host: host.clone(),
        store: match &store {
            Some(store) => store.clone(),
            None => Arc::new(host_events::store::MemoryStore::new(STORE)),
        },
        state: config.state.clone(),
        idle: config.proxy.timeouts.idle,
        trust: config.trust.clone(),
    };
    let native = Loader::new(config.state.join("plugins"), host, config.register_timeout);
    let native = native.with_admission(Arc::new(config.trust.clone()));
    let loaders = Loaders { native, modules };
    let folder = folder_of(folder, &config.state);
    let record = folder.as_ref().map_or_else(Record::none, Folder::record);
    let locks = store.clone().map(|store| Arc::new(ProxyLocks(store)) as Arc<dyn LockCheck>);
    let audit = queue.clone().map(|queue| queue as Arc<dyn AuditLog>);
    let (in_use, drained) = live::in_use();
    let (first, chain) = {
        let link = |first: &First| {
            let parts = Parts {
                locks: locks.clone(),
                audit: audit.clone(),
                in_use: Some(in_use.clone()),
                ..first.parts()
            };
            Chain::new(parts, metrics.clone())
        };
        First::load(declared, &record, &loaders, event_loader.as_ref(), link).await?
    };
    drop(in_use);
    if let Some(events) = &events {
        events.chain.store(Arc::new(first.event_chain()));
    }
    let format = args.log_format.unwrap_or(FormatArg::Text);
    let (access, _writer) = access_log(&config.access_log, format)?.unzip();
    let drain = config.proxy.drain.timeout;
    let proxy = Arc::new(Proxy::new(config.proxy, chain, client, access));
    metrics.register(|registry| proxy.traffic.register(registry));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listening = format!("{scheme}://{}", listener.local_addr()?);
    let owned = folder.is_some();
    let world = World {
        source,
        loaders,
        proxy: proxy.clone(),
        metrics: metrics.clone(),
        locks,
        audit,
        events: event_loader.zip(events.as_ref().map(|events| events.chain.clone())),
        store: store.clone(),
        tls: tls.clone(),
        folder,
        budget: args.generations.unwrap_or(GENERATIONS),
        started,
        queue,
        listening: listening.clone(),
    };
    let live = Live::new(world, first, drained);
    let operator: Arc<dyn Operator> = Arc::new(Operated(live.clone()));
    if owned {
        // A host whose locks cannot be removed is none to start with; nothing else needs the socket.
        match control::listen(&config.state) {
            Ok(socket) => _ = tokio::spawn(control::serve(socket, operator.clone())),
            Err(error) if store.is_some() => return Err(error),
            Err(error) => tracing::warn!("commands cannot reach this host: {error:#}"),
        }
    }
    if let Some((place, access)) = config.admin {
        let listener = bind(place, "--admin").await?;
        let address = listener.local_addr()?;
        tracing::info!("metrics are at http://{address}/metrics");
        tracing::info!("the admin page is at http://{address}/");
        tokio::spawn(Admin::new(operator, metrics, access).serve(listener));
    }
    tokio::spawn(on_sighup(live.clone())?);
    if !args.no_watch {
        tokio::spawn(live::watch(live.clone()));
    }
    let signalled = shutdown()?;
    tracing::info!("listening on {listening}");
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
    live.end();
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

/// Reads everything anew at each SIGHUP.
fn on_sighup(live: Arc<Live>) -> Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            let _ = live.reload(Trigger::Signal).await; // it logs what came of it
        }
    })
}

/// The state folder, if this host has it to itself; without it nothing is remembered, and commands do
/// not reach the host.
fn folder_of(taken: Result<Option<Folder>>, state: &Path) -> Option<Folder> {
    match taken {
        Ok(Some(folder)) => return Some(folder),
        Ok(None) => tracing::warn!(
            "another host runs with the state folder {}: commands reach that one, and which plugins \
             this one has in use is not remembered; give it a --state of its own",
            state.display()
        ),
        Err(error) => tracing::warn!(
            "{error:#}: commands do not reach this host, and which plugins are in use is not \
             remembered"
        ),
    }
    None
}
