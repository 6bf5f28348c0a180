//! Tests of a plugin, run as in production: in a pool, with the host functions and the limits that
//! it has there. Only the API is a mock, whose calls all succeed, and every test has an instance and
//! a store of its own.

mod difference;
mod functions;
mod mock;

pub use difference::Difference;

use crate::fixture::{Expect, Fixture, Fixtures};
use crate::functions::Services;
use crate::metrics::PluginMetrics;
use crate::plugin::{EventPlugin, Manifest, OnError, builder};
use crate::pool::{BuildError, PoolBuilder};
use crate::store::{DEFAULT_LIMIT, MemoryStore};
use mock::Mock;
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

/// A plugin and what it is tested with.
pub struct Harness {
    manifest: Manifest,
    wasm: Vec<u8>,
    exports: Vec<String>,
    fixtures: Arc<Fixtures>,
    cache: Option<PathBuf>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A function that the plugin exports, `test` or `test_…`.
    Export(String),
    /// A fixture that has an `expect`, or that cannot be used: its number and the name of its file.
    Fixture(u32, String),
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All was as expected.
    Passed,
    /// It came to nothing; the reason.
    Failed(String),
    /// The plugin did something else than was expected.
    Different(Vec<Difference>),
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Export(name) => f.write_str(name),
            Self::Fixture(_, name) => write!(f, "fixture {name}"),
        }
    }
}

impl Harness {
    /// Loads a plugin. The manifest is that of production; what it says of failures does not count
    /// here. `cache` is a TOML file of wasmtime's, as for [`EventPlugin::load`]: with one the plugin
    /// is compiled once, not for each test.
    pub async fn new(
        mut manifest: Manifest,
        fixtures: Fixtures,
        cache: Option<PathBuf>,
    ) -> Result<Self, BuildError> {
        manifest.concurrency = Some(1);
        manifest.on_error = OnError::Stop;
        let wasm = manifest.read()?;
        let fixtures = Arc::new(fixtures);
        let mut harness = Self { manifest, wasm, exports: Vec::new(), fixtures, cache };
        let (builder, _) = harness.set_up();
        harness.exports = builder.build().await?.exports().map(str::to_owned).collect();
        Ok(harness)
    }

    /// All tests: first what the plugin exports, then the fixtures.
    pub fn tests(&self) -> Vec<Test> {
        let exports = self.exports.iter().filter(|it| *it == "test" || it.starts_with("test_"));
        let fixtures = self.fixtures.iter().filter(|(_, entry)| match &entry.fixture {
            Ok(fixture) => fixture.expect.is_some(),
            Err(_) => true,
        });
        let fixtures = fixtures.map(|(number, entry)| Test::Fixture(number, entry.name.clone()));
        exports.map(|name| Test::Export(name.clone())).chain(fixtures).collect()
    }

    /// Runs one test. A test that does not end is ended when its plugin's time is up.
    pub async fn run(&self, test: &Test) -> Verdict {
        let verdict = match test {
            Test::Export(name) => self.run_export(name).await,
            Test::Fixture(number, _) => self.run_fixture(*number).await,
        };
        verdict.unwrap_or_else(Verdict::Failed)
    }

    async fn run_export(&self, name: &str) -> Result<Verdict, String> {
        let (builder, _) = self.set_up();
        let pool = builder.build().await.map_err(|error| error.to_string())?;
        let called = pool.run(name.into(), Vec::new(), None).await;
        called.map(|_| Verdict::Passed).map_err(|error| error.to_string())
    }

    async fn run_fixture(&self, number: u32) -> Result<Verdict, String> {
        let fixture = self.fixtures.find(number.into())?;
        let Some(expect) = &fixture.expect else { return Ok(Verdict::Passed) };
        let (builder, mock) = self.set_up();
        let handler = self.manifest.handler.as_deref();
        let plugin = EventPlugin::over(builder, OnError::Stop, handler, PluginMetrics::default());
        let plugin = plugin.await.map_err(|error| error.to_string())?;
        let became = handle(&plugin, fixture).await?;
        let differences = compare(expect, became, &mock)?;
        Ok(match differences.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Different(differences),
        })
    }

    /// What a test runs in: nothing of it has been used before.
    fn set_up(&self) -> (PoolBuilder, Arc<Mock>) {
        let mock = Arc::new(Mock::default());
        let services = Services {
            store: Arc::new(MemoryStore::new(DEFAULT_LIMIT)),
            locks: mock.clone(),
            alerts: mock.clone(),
        };
        let (metrics, cache) = (PluginMetrics::default(), self.cache.clone());
        let builder = builder(&self.manifest, self.wasm.clone(), services, &metrics, cache);
        let (fixtures, lent) = (self.fixtures.clone(), mock.clone());
        (builder.slot_functions(move |state| functions::all(&fixtures, &lent, state)), mock)
    }
}

/// What became of an event.
enum Became {
    Skipped,
    /// It goes on, as this `events.OneOf`.
    Passed(Vec<u8>),
    /// The plugin failed, and said this.
    Failed(String),
}

/// Sends a fixture to the plugin as often as it says; the last answer counts, or the first failure.
async fn handle(plugin: &EventPlugin, fixture: &Fixture) -> Result<Became, String> {
    let event = fixture.to_event().map_err(|error| error.to_string())?;
    let mut became = Became::Skipped;
    for _ in 0..fixture.repeat.get() {
        let mut place = [Some(event.clone())];
        if let Err(stopped) = plugin.handle(&mut place).await {
            return Ok(Became::Failed(stopped.reason()));
        }
        let [place] = place;
        became = match place {
            None => Became::Skipped,
            Some(mut event) => {
                Became::Passed(event.one_of().map_err(|error| error.to_string())?.to_vec())
            }
        };
    }
    Ok(became)
}

/// What is other than expected. An error is a failure of the plugin that nobody expects.
fn compare(expect: &Expect, became: Became, mock: &Mock) -> Result<Vec<Difference>, String> {
    let mut differences = Vec::new();
    match (became, &expect.error) {
        (Became::Failed(said), Some(part)) => {
            if !said.contains(part) {
                differences.push(Difference::new(
                    "error",
                    format!("{part:?}"),
                    format!("{said:?}"),
                ));
            }
        }
        (Became::Failed(said), None) => return Err(format!("the plugin {said}")),
        (_, Some(part)) => {
            differences.push(Difference::new("error", format!("{part:?}"), "no error"));
        }
        (Became::Skipped, None) if expect.skipped == Some(false) || expect.event.is_some() => {
            differences.push(Difference::new("event", "an event that goes on", "it was skipped"));
        }
        (Became::Passed(_), None) if expect.skipped == Some(true) => {
            differences.push(Difference::new("event", "it is skipped", "it goes on"));
        }
        (Became::Passed(one_of), None) => {
            if let Some(expected) = &expect.event {
                difference::event(expected, &one_of, &mut differences);
            }
        }
        (Became::Skipped, None) => {}
    }
    if let Some(expected) = &expect.locks {
        difference::list("locks", expected, &mock.locks(), &mut differences);
    }
    if let Some(expected) = &expect.alerts {
        difference::list("alerts", expected, &mock.alerts(), &mut differences);
    }
    Ok(differences)
}

#[cfg(test)]
mod tests;
