//! The thread that a candidate runs on: one that blocks or loops there keeps nobody waiting.

use crate::native::on_copies;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, Semaphore, oneshot};

/// So many requests are looked at at a time; others are skipped.
const ROOM: usize = 64;

/// A thread with a runtime of its own. When this is dropped the thread ends, once the candidate
/// lets it.
pub(super) struct Worker {
    runtime: Handle,
    room: Arc<Semaphore>,
    busy: Arc<Busy>,
    /// Told whenever something is done.
    done: Arc<Notify>,
    _end: oneshot::Sender<()>,
}

/// Since when the thread is in a call that has not come back.
#[derive(Default)]
struct Busy(Mutex<Option<Instant>>);

impl Busy {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl Worker {
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("shadow".to_owned()).spawn(move || {
            on_copies(|| {
                let _ = runtime.block_on(ended);
                drop(runtime);
            });
        })?;
        let room = Arc::new(Semaphore::new(ROOM));
        let (busy, done) = (Arc::default(), Arc::default());
        Ok(Self { runtime: handle, room, busy, done, _end: end })
    }

    /// Whether there is room for another.
    pub(super) fn has_room(&self) -> bool {
        self.room.available_permits() > 0
    }

    /// Runs it, unless there is no room. Never waits.
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return false };
        let (work, done) = (Noted { work, busy: self.busy.clone() }, self.done.clone());
        self.runtime.spawn(async move {
            work.await;
            drop(permit);
            done.notify_waiters();
        });
        true
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        loop {
            let done = self.done.notified();
            if self.room.available_permits() == ROOM {
                return;
            }
            done.await;
        }
    }

    /// For how long a call has not come back.
    pub(super) fn busy(&self) -> Option<Duration> {
        let since = *self.busy.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }
}

pin_project! {
    /// Work that leaves a note while it is being done.
    struct Noted<F> {
        #[pin]
        work: F,
        busy: Arc<Busy>,
    }
}

impl<F: Future> Future for Noted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.busy.set(Some(Instant::now()));
        let done = this.work.poll(cx);
        this.busy.set(None);
        done
    }
}
