//! A plugin's own tokio, polled by a host that has another, or none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

use plugin_interface::runtime::OwnRuntime;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

/// An executor that knows nothing of tokio, as a host's is to the plugin.
fn foreign<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn timers_and_sockets_of_the_plugins_tokio_work_when_the_host_polls() {
    assert!(catch_unwind(|| foreign(pause())).is_err(), "without it tokio finds no runtime");
    let runtime = OwnRuntime::start("test", 1).unwrap();
    foreign(runtime.enter(pause()));
    foreign(runtime.enter(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, connected) = (listener.accept(), TcpStream::connect(address));
        drop(connected.await.unwrap());
        accepted.await.unwrap();
        pause().await;
    }));
}

#[test]
fn tasks_run_on_and_nothing_ends_with_the_handle() {
    let runtime = OwnRuntime::start("test", 0).unwrap(); // at least one worker all the same
    let task = runtime.handle().spawn(async {
        pause().await;
        std::thread::current().name().map(str::to_owned)
    });
    drop(runtime);
    assert_eq!(foreign(task).unwrap().as_deref(), Some("test"));
}

#[test]
fn a_future_finds_its_runtime_also_when_it_is_dropped() {
    struct Asks(Arc<std::sync::atomic::AtomicBool>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.store(Handle::try_current().is_ok(), std::sync::atomic::Ordering::Relaxed);
        }
    }
    let found = Arc::new(false.into());
    let runtime = OwnRuntime::start("test", 1).unwrap();
    let asks = Asks(Arc::clone(&found));
    let mut future = Box::pin(runtime.enter(async move {
        let _asks = asks;
        std::future::pending::<()>().await;
    }));
    let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending() && Handle::try_current().is_err());
    drop(future);
    assert!(found.load(std::sync::atomic::Ordering::Relaxed));
    assert!(Handle::try_current().is_err(), "and leaves nothing behind");
}

#[test]
fn a_panic_leaves_the_runtime_entered_nowhere() {
    let runtime = OwnRuntime::start("test", 1).unwrap();
    let future = runtime.enter(async { panic!("boom") });
    let result = catch_unwind(AssertUnwindSafe(|| foreign::<()>(future)));
    assert!(result.is_err() && Handle::try_current().is_err());
    foreign(runtime.enter(pause()));
}
