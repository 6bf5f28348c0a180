//! Where events go.

mod file;
mod log;

pub use file::FileSink;
pub use host_lines::{Rotating, Rotation};
pub use log::LogSink;

use crate::event::Event;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a delivery comes to.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = std::io::Result<()>> + Send + 'a>>;

/// A place where events go.
pub trait Sink: Send {
    /// Its name in logs and metrics.
    fn name(&self) -> &str;
    /// Takes events, in order. When it returns they are out of this program's hands.
    fn deliver(&mut self, events: Arc<[Event]>) -> Delivery<'_>;
}
