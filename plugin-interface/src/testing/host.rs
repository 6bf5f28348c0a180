//! The host as a test makes it.

use super::clock::block_on;
use super::plugin::Plugin;
use super::services::Lent;
use crate::error::Result;
use crate::message::{Header, Response};
use crate::module::Registrar;
use crate::services::{HostServices, Request};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What answers the requests of plugins.
pub(super) type Answer = Arc<dyn Fn(&HttpRequest) -> Result<Response> + Send + Sync>;

/// A host without a proxy: it takes what plugins register, and lends them services.
///
/// Its clock stands still while there is anything to do. When a call and all tasks wait, it moves
/// to the end of the next sleep at once: no test waits for time to pass.
///
/// A few hundred bytes of it stay until the process ends, since a plugin may keep what it is lent.
pub struct Host(&'static Lent);

impl Host {
    /// A host with an empty store, whose HTTP client reaches nothing.
    pub fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    /// Registers a plugin: its function for [`crate::export_plugin!`], with its configuration.
    ///
    /// # Errors
    ///
    /// It could not register, panicked, or has registered nothing, as in the real host.
    pub fn load(
        &self,
        register: impl FnOnce(&mut Registrar<'_>, HostServices, &str) -> Result<()>,
        config: &str,
    ) -> Result<Plugin> {
        Plugin::register(self.0, register, config)
    }

    /// What plugins are lent: to put something into the store, or to look what is there.
    pub fn services(&self) -> HostServices {
        self.0.services()
    }

    /// Answers the requests that plugins make with the host's HTTP client.
    pub fn answer(
        &self,
        answer: impl Fn(&HttpRequest) -> Result<Response> + Send + Sync + 'static,
    ) {
        self.0.lock().answer = Some(Arc::new(answer));
    }

    /// The requests that plugins have made.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.0.lock().requests.clone()
    }

    /// The audit events that plugins have emitted.
    pub fn events(&self) -> Vec<String> {
        self.0.lock().events.clone()
    }

    /// A metric with exactly these labels: the count of a counter, the value of a gauge, the sum of
    /// a histogram. None if no plugin has registered it.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.0.lock().metrics.value(name, labels)
    }

    /// Lets time pass; tasks run whenever a sleep of theirs is over.
    pub fn advance(&self, time: Duration) {
        self.0.pass(time);
    }

    /// The errors, panics included, of tasks that have ended with one.
    pub fn task_errors(&self) -> Vec<String> {
        self.0.lock().task_errors.clone()
    }

    /// Runs a future that waits for this host: a body that asks it for something.
    ///
    /// # Errors
    ///
    /// The future panicked, or does not end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        block_on(Some(self.0), future)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// A request that a plugin has made, its body read to the end.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// As in `GET`.
    pub method: String,
    /// As the plugin wrote it.
    pub url: String,
    /// The headers that the plugin set.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    pub(super) async fn read(request: Request) -> Result<Self> {
        let parts = request.into_parts();
        Ok(Self {
            method: parts.method.into(),
            url: parts.url.into(),
            headers: parts.headers.into(),
            body: parts.body.collect(usize::MAX).await?,
        })
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&found.value).ok()
    }
}
