//! The span of a request, made when something is logged under it, and only then: most requests log
//! nothing, and a span costs more than all plugins of a short chain.
//!
//! So a request carries what its span would say. While it is polled the thread knows of it, and
//! whoever logs on its behalf does so through [`under`]. (A filter on this span's fields therefore
//! does not work; one on targets and levels does.)

use http::{Method, Uri};
use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tracing::Span;

thread_local! {
    static CURRENT: RefCell<Option<Arc<RequestSpan>>> = const { RefCell::new(None) };
}

/// What the span of a request says.
pub(crate) struct RequestSpan {
    method: Method,
    target: Uri,
    peer: IpAddr,
    /// It is a copy, which a candidate sees.
    shadow: bool,
    span: OnceLock<Span>,
}

impl RequestSpan {
    pub(crate) fn new(method: Method, target: Uri, peer: IpAddr) -> Arc<Self> {
        Arc::new(Self { method, target, peer, shadow: false, span: OnceLock::new() })
    }

    /// For a copy of a request: what is logged under it says so.
    pub(crate) fn of_copy(method: Method, target: Uri, peer: IpAddr) -> Arc<Self> {
        Arc::new(Self { method, target, peer, shadow: true, span: OnceLock::new() })
    }

    /// Runs `future` with the thread knowing of this span.
    pub(crate) fn around<F>(self: Arc<Self>, future: F) -> Around<F> {
        Around { span: self, future }
    }

    fn span(&self) -> &Span {
        self.span.get_or_init(|| {
            tracing::info_span!(
                "request",
                method = self.method.as_str(),
                path = self.target.path(),
                peer = %self.peer,
                shadow = self.shadow.then_some(true),
            )
        })
    }
}

/// Runs `log` in the span of the request that this thread is at, unless it is in another already:
/// that is then a plugin's, which has the request's for a parent.
pub(crate) fn under<T>(log: impl FnOnce() -> T) -> T {
    let request = CURRENT.with_borrow(Clone::clone);
    match request {
        Some(request) if Span::current().is_none() => request.span().in_scope(log),
        _ => log(),
    }
}

pin_project! {
    /// See [`RequestSpan::around`].
    pub(crate) struct Around<F> {
        span: Arc<RequestSpan>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Around<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        /// Puts the one before back, also when the future panics.
        struct Restore(Option<Arc<RequestSpan>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.replace(self.0.take());
            }
        }
        let this = self.project();
        let _restore = Restore(CURRENT.replace(Some(this.span.clone())));
        this.future.poll(cx)
    }
}
