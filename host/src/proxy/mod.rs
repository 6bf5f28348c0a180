//! `host`: the proxy, put together and run.

mod doors;
mod rehearsal;
mod serving;
mod signals;

pub(crate) use signals::shutdown;

use crate::admin::Admin;
use crate::cli::{FormatArg, ProxyArgs};
use crate::config::{AccessTo, Checked, check, with_environment};
use crate::events::{self, EventLoader, Events, EventsConfig, ProxyLocks};
use crate::file::{File, FilePlugins};
use crate::handover::{Inherited, Launcher, Role, supervise};
use crate::live::{self, Declared, First, Folder, Live, Marks, Operated, Record, Source, World};
use crate::logging;
use crate::operator::Operator;
use crate::plugins::Loaders;
use crate::state;
use anyhow::{Context, Result};
use doors::{AdminDoor, Doors};
use host_proxy::native::{EventSink, HostSide, LogEvents};
use host_proxy::{
    AccessLog, AuditLog, Chain, Client, Listen, LockCheck, MemoryStore, Metrics, Parts, Proxy,
    Server, Tls, Writer,
};
use rehearsal::rehearse;
use serving::{Ended, Serving};
use signals::{Signals, on_sighup};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// The in-memory store has room for so many bytes.
const STORE: usize = 64 << 20;

/// So many native libraries may be mapped unless it is told otherwise.
const GENERATIONS: usize = 64;

/// Runs the proxy until it is told to end.
pub fn run(flags: ProxyArgs) -> Result<ExitCode> {
    let visible_password = flags.basic_password.is_some();
    let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
    let (args, plugins) = file.with_flags(with_environment(flags.clone()));
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
    let asked = Asked { source, args, plugins };
    let result = runtime.block_on(async {
        let mut inherited = Inherited::take()?;
        let result = Box::pin(start(asked, config, &mut inherited)).await;
        if let (Err(error), Some(inherited)) = (&result, &mut inherited) {
            inherited.failed(&format!("{error:#}"));
        }
        result
    });
    if let Ok(Ended { supervise: Some(program), .. }) = &result {
        // While there is somebody who passes signals on.
        supervise::replace(program);
    }
    // A plugin's task that blocks must not keep the process.
    runtime.shutdown_background();
    match result? {
        Ended { supervise: Some(_), .. } => supervise::run(),
        Ended { code, .. } => Ok(code),
    }
}

/// What the user asked for.
struct Asked {
    source: Source,
    args: ProxyArgs,
    plugins: FilePlugins,
}

fn filter(args: &ProxyArgs) -> String {
    match &args.log {
        _ if args.debug => "debug".to_owned(),
        Some(filter) => filter.clone(),
        None => "info".to_owned(),
    }
}

#[allow(clippy::too_many_lines)] // what there is, put together in its order
async fn start(asked: Asked, config: Checked, inherited: &mut Option<Inherited>) -> Result<Ended> {
    let Asked { source, args, plugins } = asked;
    let (started, launcher) = (SystemTime::now(), Arc::new(Launcher::new()?));
    // First of all: a port in use is the commonest mistake, and plugins may do things when loaded.
    let listener = listener(inherited, Role::Proxy, config.listen, "--port").await?;
    let tls = match args.tls_cert.clone().zip(args.tls_key.clone()) {
        None => None,
        Some((certificate, key)) => Some(Arc::new(Tls::load(certificate, key)?)),
    };
    state::secure(&config.state, "--state", config.trust.allows_others())?;
    config.trust.check_file()?;
    let client = Client::new(&config.client)?;
    let metrics = Arc::new(Metrics::new());
    let events = EventsConfig::check(&args, &plugins.event, &config.state)?;
    let declared = || {
        let manifests = events.as_ref().map(|events| events.plugins.clone()).unwrap_or_default();
        Declared::of(&args, &plugins, manifests, config.credentials.clone())
    };
    let disabled = match inherited {
        None => Marks::default(),
        Some(inherited) => {
            rehearse(&config, events.as_ref(), declared()?).await?;
            inherited.loaded().await?
        }
    };
    let declared = declared()?;
    let folder = folder_of(Folder::take(&config.state), &config.state);
    let record = folder.as_ref().map_or_else(Record::none, Folder::record);
    let store = events::store(&config.state, events.as_ref())?;
    let (events, event_loader) = match (events, &store) {
        (Some(events), Some(store)) => {
            let upstream = args.target.clone().unwrap_or_default();
            let loader =
                EventLoader::new(&events, &config.trust, &config.state, store.clone(), &metrics)?;
            let handed = inherited.as_mut().and_then(Inherited::events);
            (Some(Events::start(events, &loader, upstream, &metrics, handed)?), Some(loader))
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
    let loaders = match &store {
        Some(store) => Loaders::new(&config, host, store.clone()),
        None => {
            let store = host_events::store::MemoryStore::new(STORE);
            Loaders::new(&config, host, Arc::new(store))
        }
    };
    let locks = store.clone().map(|store| Arc::new(ProxyLocks(store)) as Arc<dyn LockCheck>);
    let audit = queue.clone().map(|queue| queue as Arc<dyn AuditLog>);
    let (in_use, drained) = live::in_use();
    let (mut first, chain) = {
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
    first.disable(&disabled);
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
    let control = folder.is_some().then(|| config.state.clone());
    let (successors, requests) = mpsc::channel(1);
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
        access: config.admin.as_ref().map(|(_, access)| access.clone()),
        folder,
        budget: args.generations.unwrap_or(GENERATIONS),
        reexec: args.reexec,
        successors,
        started,
        queue,
        listening: listening.clone(),
    };
    let live = Live::new(world, first, drained);
    let ended = async {
        let operator: Arc<dyn Operator> = Arc::new(Operated(live.clone()));
        let admin = match config.admin {
            None => None,
            Some((place, access)) => {
                let listener = self::listener(inherited, Role::Admin, place, "--admin").await?;
                let address = listener.local_addr()?;
                tracing::info!("metrics are at http://{address}/metrics");
                tracing::info!("the admin page is at http://{address}/");
                let admin = Arc::new(Admin::new(operator.clone(), metrics, access));
                Some(AdminDoor { admin, listener: Arc::new(listener), place })
            }
        };
        let mut doors = Doors::new(control, operator, admin);
        match doors.open() {
            Ok(()) => {}
            // A host whose locks cannot be removed is none to start with; nothing else needs the socket.
            Err(error) if store.is_some() => return Err(error),
            Err(error) => tracing::warn!("commands cannot reach this host: {error:#}"),
        }
        let is_first = inherited.is_none();
        tokio::spawn(on_sighup(live.clone(), is_first)?);
        if !args.no_watch {
            tokio::spawn(live::watch(live.clone()));
        }
        let signals = Signals::new(!is_first)?;
        let server = Server::new(proxy, tls);
        server.ready();
        tracing::info!("listening on {listening}");
        if let Some(inherited) = inherited.take() {
            inherited.serving();
        }
        Serving {
            server,
            listener,
            place: config.listen,
            doors,
            events,
            store,
            live: live.clone(),
            signals,
            launcher,
            requests,
            first: is_first,
            drain,
        }
        .run()
        .await
    };
    let ended = ended.await;
    if ended.is_err() {
        // It is over, but in order: the next start has nothing to make up for.
        live.end().await;
    }
    ended
}

/// The socket that the process before lends for this, or a new one.
async fn listener(
    inherited: &mut Option<Inherited>,
    role: Role,
    place: Listen,
    flag: &str,
) -> Result<TcpListener> {
    let lent = match inherited {
        Some(inherited) => inherited.listener(role, place)?,
        None => None,
    };
    match lent {
        Some(listener) => Ok(listener),
        None => bind(place, flag).await,
    }
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
