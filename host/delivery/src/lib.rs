//! From a handled audit event to every sink, acknowledged.
//!
//! ```text
//! Item → Delivery::send → a window for each sink → Lane: batches → Sink::deliver → acknowledged
//!                                                        ↑ retry       ↓ refused for good
//!                                                        └ Gate        └ dead letters
//! ```
//!
//! - **Nothing is lost.** An item's `done` is called when every [`Sink`] has the event, or has refused
//!   it for good and it lies among the dead letters. What is not done when the program ends comes again
//!   from the source, whose cursor stays before it.
//! - **Memory is bounded.** Each sink has a [`Window`]: so many events, so many bytes. While one is
//!   full [`Delivery::send`] waits. A sink that is down therefore holds up the others once its window
//!   is full, and not before.
//! - **A replay is short.** Each sink has a journal in the state folder of what it has acknowledged. A
//!   source that starts again at its cursor may repeat events that some sinks have had; those do not
//!   get them twice, even after `kill -9`. What was on its way at that moment, answered or not, may
//!   arrive twice.
//! - **Order.** A sink with one connection gets events in the order in which they were sent. With N
//!   connections a request starts only once the one N before it has been answered: so an event is
//!   overtaken by those of N - 1 requests at most.
//!
//! ```no_run
//! # async fn example(config: host_delivery::SinkConfig, item: host_delivery::Item)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use host_delivery::Delivery;
//! use std::{path::Path, time::Duration};
//!
//! let outlet = config.outlet(&|name| std::env::var(name).ok())?;
//! let delivery = Delivery::start(vec![outlet], Some(Path::new("state")))?;
//! delivery.send(item).await; // waits while the window is full
//! let left = delivery.finish(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
//!
//! What a sink is, and which there are: [`sink`]. How they are configured: [`config`].

mod client;
pub mod config;
mod delivery;
mod event;
mod metrics;
mod retry;
pub mod sink;

pub use config::{ConfigError, SinkConfig};
pub use delivery::{DEAD_LETTERS, Delivery, Left, Outlet, StartError, Status, Window};
pub use event::{Done, Event, Item};
pub use metrics::Metrics;
pub use retry::Retry;
pub use sink::Sink;
