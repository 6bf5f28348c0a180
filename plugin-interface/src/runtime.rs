//! A plugin's own tokio under the host's (feature `tokio`).
//!
//! The host and each library have their own copy of tokio with its own thread-locals: a plugin's
//! `tokio::time::sleep`, polled by the host, finds no reactor and panics. So the future enters the
//! plugin's runtime whenever it is polled or dropped. Prefer [`crate::HostServices`]: its `sleep`,
//! `spawn` and `http` need no second runtime.

use crate::error::{Error, Result};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Handle};

/// A tokio runtime of the plugin's. Lives as long as the process, since the library does.
#[derive(Clone, Debug)]
pub struct OwnRuntime(Handle);

impl OwnRuntime {
    /// Starts one with that many worker threads; the name shows in debuggers.
    pub fn start(name: &str, workers: usize) -> Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(workers.max(1))
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| Error::from(error).context("starting the plugin's own runtime"))?;
        let handle = runtime.handle().clone();
        std::mem::forget(runtime); // never shut down: futures on it may outlive any owner
        Ok(Self(handle))
    }

    /// The runtime's handle, to spawn on.
    pub fn handle(&self) -> &Handle {
        &self.0
    }

    /// The same future, which finds this runtime wherever it is polled and dropped.
    pub fn enter<F: Future>(&self, future: F) -> Entered<F> {
        Entered { future: ManuallyDrop::new(future), handle: self.0.clone() }
    }
}

/// A future inside an [`OwnRuntime`].
pub struct Entered<F> {
    future: ManuallyDrop<F>,
    handle: Handle,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the inner future is pinned with us: never moved out, dropped in place below. The
        // handle is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let _entered = this.handle.enter();
        // SAFETY: as above.
        unsafe { Pin::new_unchecked(&mut *this.future) }.poll(cx)
    }
}

impl<F> Drop for Entered<F> {
    fn drop(&mut self) {
        let _entered = self.handle.enter();
        // SAFETY: nothing uses the future after its owner's drop.
        unsafe { ManuallyDrop::drop(&mut self.future) }
    }
}
