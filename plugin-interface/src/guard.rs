//! Nothing may unwind across the boundary: abi_stable ends the process there, async-ffi aborts.
//! So every call, poll and drop of a plugin's code goes through here, inside the plugin.

use crate::error::{Error, ErrorKind};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs the plugin's code; a panic becomes an error.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Error> {
    // Unwind safety: a middleware that has panicked is called again for the next request, as a
    // handler thread of any server would be. Its locks are poisoned, its data is its own concern.
    catch_unwind(AssertUnwindSafe(call)).map_err(from_panic)
}

#[cold]
fn from_panic(payload: Box<dyn Any + Send>) -> Error {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panic with a payload that is not text".to_owned(),
    };
    // Dropping a payload runs the plugin's code, which may panic again.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    Error::of(ErrorKind::PANICKED, message)
}

/// Owns a value of the plugin's, or a future of it, and catches panics in its poll and its drop.
pub(crate) struct Guarded<T>(ManuallyDrop<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<F: Future<Output: From<Error>>> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the inner future is pinned with us: never moved out, dropped in place below.
        let future = unsafe { self.map_unchecked_mut(|guarded| &mut *guarded.0) };
        catch(|| future.poll(cx)).unwrap_or_else(|error| Poll::Ready(error.into()))
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: nothing uses the value after its owner's drop.
        let result = catch(|| unsafe { ManuallyDrop::drop(&mut self.0) });
        drop(result); // the panic hook has logged it; there is nobody to return it to
    }
}
