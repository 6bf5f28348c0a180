//! What the tests share.

use fixtures::wat;
use host_events::locks::Locks;
use host_events::store::{MemoryStore, Store};
use host_events::{AlertLog, Event, EventPlugin, Manifest, Metrics, Pool, Services};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Short, so that tests of what never ends do.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(300);

/// A real line of an audit log.
pub(crate) const LOGIN: &str = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;

/// The same event with another user.
pub(crate) fn login(user: &str) -> Event {
    Event::new(LOGIN.replace("teleport-admin", user))
}

/// What a host has, in memory.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) services: Services,
    pub(crate) metrics: Metrics,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new(1 << 20));
        let services = Services {
            store: store.clone() as Arc<dyn Store>,
            locks: store.clone() as Arc<dyn Locks>,
            alerts: Arc::new(AlertLog),
        };
        Self { store, services, metrics: Metrics::default() }
    }

    pub(crate) async fn load(&self, manifest: Manifest) -> EventPlugin {
        let cache = Some(cache().to_owned());
        EventPlugin::load(manifest, self.services.clone(), &self.metrics, cache).await.unwrap()
    }

    /// The metrics as a scraper sees them.
    pub(crate) fn scraped(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

/// Where compiled code is kept: a test would otherwise spend its time compiling Extism's kernel.
pub(crate) fn cache() -> &'static Path {
    static CACHE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, config) = CACHE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wasmtime.toml");
        let directory = folder.path().join("code").display().to_string();
        std::fs::write(&config, format!("[cache]\ndirectory = {directory:?}\n")).unwrap();
        (folder, config)
    });
    config
}

/// One of the guests that are written by hand, with one instance and a short timeout.
pub(crate) fn manifest(name: &str) -> Manifest {
    Manifest { timeout: TIMEOUT, concurrency: Some(1), ..Manifest::new(wat(name)) }
}

/// The same as a bare pool.
pub(crate) async fn pool(name: &str) -> Pool {
    let wasm = std::fs::read(wat(name)).unwrap();
    let builder = Pool::builder(name, wasm).timeout(TIMEOUT).concurrency(1);
    builder.cache(cache().to_owned()).build().await.unwrap()
}

/// Asks a plugin about events.
pub(crate) async fn ask(plugin: &EventPlugin, events: Vec<Event>) -> Vec<Option<Event>> {
    let mut events: Vec<_> = events.into_iter().map(Some).collect();
    plugin.handle(&mut events).await.unwrap();
    events
}
