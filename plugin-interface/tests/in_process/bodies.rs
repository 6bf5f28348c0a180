//! Bodies: frame by frame, without copies, and freed by who made them.

use crate::{Bomb, ready};
use plugin_interface::host::abi_stable::std_types::{RNone, RVec};
use plugin_interface::{
    Body, BodyStream, Chunk, Error, ErrorKind, Frame, Header, Result, SizeHint,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// What a poll gives.
enum Turn {
    Wait,
    Give(Result<Frame>),
}

/// Takes these turns.
struct Frames(VecDeque<Turn>);

impl BodyStream for Frames {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self.0.pop_front() {
            Some(Turn::Wait) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Turn::Give(frame)) => Poll::Ready(Some(frame)),
            None => Poll::Ready(None),
        }
    }
}

fn frames(turns: impl IntoIterator<Item = Turn>) -> Body {
    Body::new(Frames(turns.into_iter().collect()))
}

fn data(text: &'static str) -> Turn {
    Turn::Give(Ok(Frame::Data(Chunk::from_owner(text))))
}

fn trailers() -> Turn {
    let header = Header { name: "grpc-status".into(), value: RVec::from_slice(b"0") };
    Turn::Give(Ok(Frame::Trailers(RVec::from(vec![header]))))
}

fn next(body: &mut Body) -> Option<Result<Frame>> {
    ready(body.frame())
}

fn chunk(body: &mut Body) -> Chunk {
    match next(body) {
        Some(Ok(Frame::Data(chunk))) => chunk,
        Some(Ok(Frame::Trailers(_))) => panic!("trailers"),
        Some(Err(error)) => panic!("{error}"),
        None => panic!("the end"),
    }
}

#[test]
fn a_buffer_crosses_without_being_copied() {
    let buffer = vec![7_u8; 100];
    let address = buffer.as_ptr() as usize;
    let mut body = Body::from_owner(buffer);
    assert_eq!(body.size_hint(), SizeHint::exact(100));
    let chunk = chunk(&mut body);
    assert_eq!((chunk.as_ref().as_ptr() as usize, chunk.as_ref().len()), (address, 100));
    assert_eq!(body.size_hint(), SizeHint::exact(0));
    assert!(next(&mut body).is_none() && next(&mut body).is_none(), "the end stays the end");
    assert!(next(&mut Body::empty()).is_none() && next(&mut Body::default()).is_none());
}

#[test]
fn frames_come_in_order_with_waits_between() {
    let mut body = frames([Turn::Wait, data("a"), Turn::Wait, Turn::Wait, data("b"), trailers()]);
    assert_eq!(body.size_hint(), SizeHint { lower: 0, upper: RNone });
    assert_eq!(chunk(&mut body).as_ref(), b"a");
    assert_eq!(chunk(&mut body).as_ref(), b"b");
    let Some(Ok(Frame::Trailers(trailers))) = next(&mut body) else { panic!("no trailers") };
    assert_eq!(
        (trailers[0].name.as_str(), trailers[0].value.as_slice()),
        ("grpc-status", &b"0"[..])
    );
    assert!(next(&mut body).is_none());
}

#[test]
fn a_wait_wakes_the_task_that_polls() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let count = Arc::new(Count(0.into()));
    let waker = Waker::from(count.clone());
    let mut body = frames([Turn::Wait, data("a")]);
    assert!(body.poll_frame(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(body.poll_frame(&mut Context::from_waker(&waker)).is_ready());
    drop((body, waker));
    assert_eq!(Arc::strong_count(&count), 1, "no waker is kept");
}

#[test]
fn chunks_outlive_their_body_on_any_thread() {
    let owner: Arc<[u8]> = Arc::from(*b"shared");
    let mut body = Body::from_owner(owner.clone());
    let chunk = chunk(&mut body);
    drop(body);
    let thread = thread::spawn(move || chunk.as_ref().to_vec());
    assert_eq!(thread.join().unwrap(), b"shared");
    assert_eq!(Arc::strong_count(&owner), 1, "freed by the thread that had it last");
}

#[test]
fn data_is_changed_on_its_way_and_the_rest_passes() {
    let body =
        frames([data("ab"), Turn::Wait, trailers(), Turn::Give(Err(Error::new("broken off")))]);
    let mut body = body.map_data(|chunk| Chunk::from_owner(chunk.as_ref().to_ascii_uppercase()));
    assert_eq!(chunk(&mut body).as_ref(), b"AB");
    assert!(matches!(next(&mut body), Some(Ok(Frame::Trailers(_)))));
    let Some(Err(error)) = next(&mut body) else { panic!("no error") };
    assert_eq!((error.kind(), error.message()), (ErrorKind::FAILED, "broken off"));
}

#[test]
fn a_whole_body_is_collected_up_to_a_limit() {
    let body = || frames([data("ab"), Turn::Wait, data("cd"), trailers()]);
    assert_eq!(ready(body().collect(4)).unwrap(), b"abcd");
    let error = ready(body().collect(3)).unwrap_err();
    assert_eq!(error.message(), "the body has more than 3 bytes");
    let error =
        ready(frames([data("ab"), Turn::Give(Err(Error::new("x")))]).collect(9)).unwrap_err();
    assert_eq!(error.message(), "x");
}

#[test]
fn panics_of_a_body_are_errors_or_nothing() {
    struct Panics;
    impl BodyStream for Panics {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            panic!("boom in poll")
        }
        fn size_hint(&self) -> SizeHint {
            panic!("boom in size")
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("boom in drop")
        }
    }
    let mut body = Body::new(Panics);
    assert_eq!(body.size_hint(), SizeHint::default());
    for _ in 0..2 {
        let Some(Err(error)) = next(&mut body) else { panic!("no error") };
        assert_eq!((error.kind(), error.message()), (ErrorKind::PANICKED, "boom in poll"));
    }
    drop(body);
    // One that never came to be polled, inside another.
    drop(Body::new(Panics).map_data(|chunk| chunk));
    let bomb = Bomb;
    drop(Body::empty().map_data(move |chunk| {
        let _ = &bomb;
        chunk
    }));
}

#[test]
fn panics_of_a_chunks_owner_stay_with_it() {
    struct Owner;
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            panic!("boom in as_ref")
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            panic!("boom in drop")
        }
    }
    let chunk = Chunk::from_owner(Owner);
    assert_eq!(chunk.as_ref(), b"");
    drop(chunk);
}
