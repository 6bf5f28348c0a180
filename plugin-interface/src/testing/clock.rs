//! Time that only a test moves, and the little executor that goes with it.

use super::services::Lent;
use crate::error::{Error, Result};
use crate::guard::catch;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// What a call may take of the test's time: beyond it, it does not end.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long other threads, as those of a plugin's own runtime, may take to wake a call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a future to its end, and the host's tasks beside it. When all of them wait, time passes at
/// once: to the end of the next sleep.
pub(super) fn block_on<T>(
    host: Option<&'static Lent>,
    future: impl Future<Output = T>,
) -> Result<T> {
    let end = host.map(|host| host.lock().now + LONGEST);
    run(host, future, end.unwrap_or(Duration::MAX))
}

fn run<T>(
    host: Option<&'static Lent>,
    future: impl Future<Output = T>,
    end: Duration,
) -> Result<T> {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(alarm.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        alarm.rung.store(false, Ordering::Release);
        if let Poll::Ready(output) = catch(|| future.as_mut().poll(&mut cx))? {
            return Ok(output);
        }
        if let Some(host) = host {
            host.poll_tasks(&mut cx);
        }
        if alarm.rung.load(Ordering::Acquire) {
            continue;
        }
        match host.and_then(|host| Some((host, host.next_wake()?))) {
            Some((host, next)) if next <= end => host.advance_to(next),
            Some(_) => return Err(Error::new("it has not ended after a day of the test's time")),
            None => alarm.wait()?,
        }
    }
}

struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Alarm {
    fn wait(&self) -> Result<()> {
        let start = Instant::now();
        while !self.rung.load(Ordering::Acquire) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Error::new("it waits for something that does not come"));
            }
            thread::park_timeout(left);
        }
        Ok(())
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A wait for a time of the test's clock.
pub(super) struct Sleep {
    host: &'static Lent,
    /// When it ends, and a number to tell it from others that end then.
    key: (Duration, u64),
}

impl Sleep {
    pub(super) fn new(host: &'static Lent, time: Duration) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let until = host.lock().now.saturating_add(time);
        Self { host, key: (until, NUMBER.fetch_add(1, Ordering::Relaxed)) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut side = self.host.lock();
        if side.now >= self.key.0 {
            return Poll::Ready(());
        }
        side.sleepers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.host.lock().sleepers.remove(&self.key);
    }
}

impl Lent {
    /// Polls the tasks. Those that end are gone, and their failures are kept.
    fn poll_tasks(&self, cx: &mut Context<'_>) {
        // Taken out meanwhile: a task calls the host, and may spawn others.
        let mut tasks = std::mem::take(&mut self.lock().tasks);
        tasks.retain_mut(|task| match Pin::new(task).poll(cx) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                self.lock().task_errors.extend(result.into_result().err().map(|it| it.to_string()));
                false
            }
        });
        let mut side = self.lock();
        if !side.tasks.is_empty() {
            cx.waker().wake_by_ref(); // the new ones have not been polled
        }
        side.tasks.append(&mut tasks);
    }

    /// When the next sleep ends.
    fn next_wake(&self) -> Option<Duration> {
        self.lock().sleepers.first_key_value().map(|((until, _), _)| *until)
    }

    /// Moves the clock, and wakes whose sleep is over.
    fn advance_to(&self, now: Duration) {
        let mut side = self.lock();
        side.now = now;
        let waiting = side.sleepers.split_off(&(now, u64::MAX));
        let over = std::mem::replace(&mut side.sleepers, waiting);
        drop(side);
        over.into_values().for_each(Waker::wake);
    }

    /// Lets time pass. Tasks that sleep meanwhile run whenever a sleep of theirs is over.
    pub(super) fn pass(&'static self, time: Duration) {
        // Neither fails: there is a sleep that ends, and then nothing that waits.
        let _ = run(Some(self), Sleep::new(self, time), Duration::MAX);
        // Tasks whose sleep ends at the same time have their turn, too.
        let mut first = true;
        let turn = poll_fn(|cx| match std::mem::take(&mut first) {
            true => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        });
        let _ = run(Some(self), turn, Duration::MAX);
    }
}
