//! A body that is rewritten as it streams by.

use crate::replacer::{Replacer, Rules};
use plugin_interface::{Body, BodyStream, Chunk, Frame, Result};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Its size is not known before its end, so it has no size hint.
pub(crate) struct Rewritten {
    body: Body,
    replacer: Replacer,
    /// The data is over; only what follows is still to be given.
    ended: bool,
    trailers: Option<Frame>,
}

impl Rewritten {
    pub(crate) fn new(body: Body, rules: Arc<Rules>) -> Self {
        Self { body, replacer: Replacer::new(rules), ended: false, trailers: None }
    }
}

impl BodyStream for Rewritten {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            if self.ended {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let frame = ready!(self.body.poll_frame(cx)).transpose();
            let rewritten = match frame.inspect_err(|_| self.ended = true)? {
                Some(Frame::Data(chunk)) => match self.replacer.push(chunk.as_ref()) {
                    None => return Poll::Ready(Some(Ok(Frame::Data(chunk)))),
                    Some(bytes) => bytes,
                },
                trailers => {
                    self.ended = true;
                    self.trailers = trailers;
                    self.replacer.finish()
                }
            };
            // An empty chunk would say nothing; in HTTP/1.1 it would say that the body is over.
            if !rewritten.is_empty() {
                return Poll::Ready(Some(Ok(Frame::Data(Chunk::from_owner(rewritten)))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rewritten;
    use crate::replacer::Rules;
    use plugin_interface::{Body, BodyStream, Chunk, Error, Frame, Result};
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    struct Frames(VecDeque<Result<Frame>>);

    impl BodyStream for Frames {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> Frame {
        Frame::Data(Chunk::from_owner(text))
    }

    fn trailers() -> Frame {
        Frame::Trailers(Vec::new().into())
    }

    /// Each frame that comes out, as text.
    fn rewritten(frames: impl IntoIterator<Item = Result<Frame>>) -> Vec<String> {
        let rules = Rules::new(vec![(b"internal".into(), b"example.com".into())]).unwrap();
        let body = Body::new(Frames(frames.into_iter().collect()));
        let mut body = Rewritten::new(body, Arc::new(rules));
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        while let Poll::Ready(Some(frame)) = body.poll_frame(&mut cx) {
            seen.push(match frame {
                Ok(Frame::Data(chunk)) => String::from_utf8(chunk.as_ref().into()).unwrap(),
                Ok(Frame::Trailers(trailers)) => format!("{} trailers", trailers.len()),
                Err(error) => format!("error: {error}"),
            });
        }
        assert!(matches!(body.poll_frame(&mut cx), Poll::Ready(None)), "it does not stay ended");
        seen
    }

    #[test]
    fn what_is_held_back_comes_before_the_trailers() {
        assert_eq!(rewritten([Ok(data("an int")), Ok(trailers())]), ["an ", "int", "0 trailers"]);
        assert_eq!(
            rewritten([Ok(data("inter")), Ok(data("nal")), Ok(trailers())]),
            ["example.com", "0 trailers"]
        );
        assert_eq!(rewritten([Ok(trailers())]), ["0 trailers"]);
    }

    #[test]
    fn what_is_held_back_comes_before_the_end() {
        assert_eq!(rewritten([Ok(data("in"))]), ["in"]);
        assert_eq!(rewritten([]), Vec::<String>::new());
    }

    #[test]
    fn an_error_of_the_upstream_cuts_the_body_off_here_too() {
        let frames = [Ok(data("1 in")), Err(Error::new("reset"))];
        assert_eq!(rewritten(frames), ["1 ", "error: reset"]);
    }
}
