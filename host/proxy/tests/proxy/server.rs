//! A proxy in this process: the locks and the audit log are the test's, sockets and plugins are
//! real.

use fixtures::{Connection, Reply, Upstream, library};
use host_proxy::native::{Content, HostSide, Loader, LogEvents};
use host_proxy::{
    AuditEvent, AuditLog, Chain, Client, ClientConfig, Config, Credentials, Drain, Limits, Listen,
    LockCheck, MemoryStore, Metrics, Parts, Place, Policy, Prefix, Proxy, Report, Shadow,
    ShadowSettings, ShadowTarget, Stage, Target, Timeouts, UpstreamHttp,
};
use std::collections::HashMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longer than anything here may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Tokens and the keys that they are signed with: those of the plugin's own tests.
pub(crate) fn jwt_vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../plugins/jwt/tests/tokens.json")).unwrap()
}

/// Users and the messages of their locks.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<String, Arc<str>>>);

impl Locks {
    pub(crate) fn lock(&self, user: &str, message: &str) {
        self.0.lock().unwrap().insert(user.to_owned(), message.into());
    }

    pub(crate) fn lift(&self, user: &str) {
        self.0.lock().unwrap().remove(user);
    }
}

impl LockCheck for Locks {
    fn locked(&self, user: &str) -> Option<Arc<str>> {
        self.0.lock().unwrap().get(user).cloned()
    }
}

/// Keeps all events, in order.
struct Recorder(mpsc::Sender<AuditEvent>);

impl AuditLog for Recorder {
    fn record(&self, event: AuditEvent) {
        let _ = self.0.send(event);
    }
}

/// What a proxy is made of; with a user `test` whose password is `secret` unless a test changes it.
pub(crate) struct Setup {
    pub(crate) parts: Parts,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) runtime: Runtime,
    pub(crate) trusted_proxies: Vec<ipnet::IpNet>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) prefix: String,
    pub(crate) loader: Loader,
    client: Client,
    /// Keys and users that plugins read.
    pub(crate) folder: TempDir,
}

fn timeouts(request: Option<Duration>) -> Timeouts {
    Timeouts { header: LIMIT, connect: LIMIT, idle: LIMIT, request }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let config = ClientConfig {
            target: None,
            http: UpstreamHttp::Auto,
            ca: None,
            certificate: None,
            timeouts: timeouts(None),
        };
        let client = Client::new(&config).unwrap();
        drop(entered);
        let metrics = Arc::new(Metrics::new());
        let host = HostSide::new(
            runtime.handle().clone(),
            client.clone(),
            Arc::new(MemoryStore::new(1 << 20)),
            metrics.clone(),
            Arc::new(LogEvents),
        );
        let folder = tempfile::tempdir().unwrap();
        let loader = Loader::new(folder.path().join("plugins"), host, LIMIT);
        let credentials = Credentials::new("test", "secret", "tenon").unwrap();
        let parts = Parts { credentials: Some(credentials), ..Parts::default() };
        let trusted_proxies = Vec::new();
        Self {
            parts,
            metrics,
            runtime,
            trusted_proxies,
            request_timeout: None,
            prefix: "/".to_owned(),
            loader,
            client,
            folder,
        }
    }

    /// With locks: none yet.
    pub(crate) fn locks(&mut self) -> Arc<Locks> {
        let locks = Arc::new(Locks::default());
        self.parts.locks = Some(locks.clone());
        locks
    }

    /// With an audit log.
    pub(crate) fn events(&mut self) -> Events {
        let (sender, events) = mpsc::channel();
        self.parts.audit = Some(Arc::new(Recorder(sender)));
        Events(events)
    }

    pub(crate) fn load(&self, package: &str, config: &str, place: Place) -> Arc<Stage> {
        self.load_with(package, config, place, Policy::default())
    }

    pub(crate) fn load_with(
        &self,
        package: &str,
        config: &str,
        place: Place,
        policy: Policy,
    ) -> Arc<Stage> {
        let plugin = self.loader.load(&library(package), config).unwrap();
        Stage::new(plugin, place, policy, Arc::default())
    }

    /// A candidate beside what is in `parts` by now, in the place that `target` says.
    pub(crate) fn shadow(
        &mut self,
        package: &str,
        config: &str,
        target: &str,
        settings: ShadowSettings,
    ) -> Result<Arc<Shadow>, String> {
        let target = ShadowTarget::parse(target).unwrap_or_default();
        let (path, loader) = (library(package), &self.loader);
        let content = Content::read(&path).unwrap();
        let (plugin, isolation) = loader.load_candidate(&path, &content, config).unwrap();
        let (place, replaces) = target.find(&plugin, &self.parts)?;
        let stage = Stage::new(plugin, place, Policy::default(), Arc::default());
        let shadow = Shadow::new(stage, Some(isolation), replaces, settings).unwrap();
        self.parts.shadows.push(shadow.clone());
        Ok(shadow)
    }

    /// The plugin for bearer tokens.
    pub(crate) fn jwt(&self) -> Arc<Stage> {
        let file = self.folder.path().join("jwks.json");
        std::fs::write(&file, jwt_vectors()["jwks"].to_string()).unwrap();
        let config = serde_json::json!({ "jwks_file": file, "audience": "tenon" });
        self.load("jwt-plugin", &config.to_string(), Place::Pre)
    }

    pub(crate) fn start(self, upstream: &Upstream) -> Server {
        let timeouts = timeouts(self.request_timeout);
        let config = Config {
            target: Target::parse(&upstream.url()).unwrap(),
            prefix: Prefix::parse(&self.prefix).unwrap(),
            identity_header: "username".parse().unwrap(),
            forward_authorization: false,
            preserve_host: false,
            trusted_proxies: self.trusted_proxies,
            timeouts,
            limits: Limits { header_bytes: 65536, headers: 100 },
            drain: Drain { delay: Duration::ZERO, timeout: LIMIT },
        };
        let parts = self.parts;
        let chain = Chain::new(parts.clone(), self.metrics.clone()).unwrap();
        let proxy = Arc::new(Proxy::new(config, chain, self.client, None));
        let listen = Listen::At("127.0.0.1:0".parse().unwrap());
        let listener = self.runtime.block_on(listen.bind()).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = host_proxy::Server::new(proxy.clone(), None);
        self.runtime.spawn(async move { serving.serve(&listener, pending::<()>()).await });
        let (metrics, runtime, folder) = (self.metrics, self.runtime, self.folder);
        Server { address, metrics, parts, proxy, runtime, _folder: folder }
    }
}

/// A running proxy; it ends with this.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) parts: Parts,
    runtime: Runtime,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn connect(&self) -> Browser {
        Browser { connection: Connection::open(self.address), address: self.address }
    }

    /// Over a connection of its own.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, String)]) -> Reply {
        self.connect().get(path, headers)
    }

    /// What a shadow has found, once it has seen everything.
    pub(crate) fn report(&self, shadow: &Shadow) -> Report {
        let settled = async { tokio::time::timeout(LIMIT, shadow.settled()).await };
        self.runtime.block_on(settled).expect("the shadow should have seen everything");
        shadow.report()
    }

    /// Puts the candidate in use; the error says why it is not to be.
    pub(crate) fn promote(&mut self, shadow: &Shadow, force: bool) -> Result<(), String> {
        let mut parts = self.parts.clone();
        put(shadow, &mut parts);
        let chain = Chain::new(parts.clone(), self.metrics.clone()).unwrap();
        if !force {
            shadow.may_be_promoted()?;
        }
        shadow.promote();
        self.proxy.chain.store(Arc::new(chain));
        self.parts = parts;
        Ok(())
    }

    /// The metrics whose lines have all of this.
    pub(crate) fn metric(&self, parts: &[&str]) -> Vec<String> {
        let text = self.metrics.encode();
        let lines = text.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        lines.map(str::to_owned).collect()
    }

    /// Fails the test unless the metrics have this line.
    pub(crate) fn shows(&self, line: &str) {
        let text = self.metrics.encode();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

/// Puts a candidate into the place of what it was compared with, and takes the shadow out.
fn put(shadow: &Shadow, parts: &mut Parts) {
    parts.shadows.retain(|other| !std::ptr::eq(Arc::as_ptr(other), shadow));
    let candidate = shadow.candidate().clone();
    let list = match shadow.place() {
        Place::Pre => &mut parts.pre,
        Place::Post => &mut parts.post,
        Place::Authenticator => return parts.authenticator = Some(candidate),
        Place::ReverseProxy => return parts.reverse_proxy = Some(candidate),
        Place::ErrorPage => return parts.error_page = Some(candidate),
    };
    match list.iter_mut().find(|stage| shadow.is_compared_with(stage)) {
        Some(stage) => *stage = candidate,
        None => list.push(candidate),
    }
}

/// A client with one connection.
pub(crate) struct Browser {
    connection: Connection,
    address: SocketAddr,
}

impl Browser {
    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, String)]) -> Reply {
        let lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (headers, host) = (lines.concat(), self.address);
        self.connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"));
        self.connection.read()
    }
}

/// The events that were recorded. An event is there before its answer is.
pub(crate) struct Events(mpsc::Receiver<AuditEvent>);

impl Events {
    /// Waits for the next one.
    pub(crate) fn next(&self) -> AuditEvent {
        self.0.recv_timeout(LIMIT).expect("there should be an event")
    }

    /// All that there are.
    pub(crate) fn all(&self) -> Vec<AuditEvent> {
        self.0.try_iter().collect()
    }
}
