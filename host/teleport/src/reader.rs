//! What all who read from the server have in common.

use crate::config::Config;
use crate::error::Failure;
use crate::marks::Room;
use crate::metrics::Metrics;
use crate::outlet::Outlet;
use crate::rpc::Rpc;
use host_lines::LogLimit;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) config: Arc<Config>,
    pub(crate) rpc: Rpc,
    pub(crate) outlet: Outlet,
    pub(crate) room: Arc<Room>,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: TaskTracker,
    /// From here on nothing more is read.
    pub(crate) stop: CancellationToken,
    pub(crate) log: Arc<LogLimit>,
}

impl Reader {
    /// Runs something until it ends, or nothing more is to be read.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// Says that a call failed, and is made again.
    pub(crate) fn failed(&self, call: &str, failure: &Failure, wait: Duration) {
        self.metrics.retry(call);
        let Some(unlogged) = self.log.allow() else { return };
        let wait = wait.as_secs_f64();
        if failure.needs_somebody() {
            tracing::error!(unlogged, "{failure}; trying again in {wait:.1} s");
        } else {
            tracing::warn!(unlogged, "{failure}; trying again in {wait:.1} s");
        }
    }
}
