//! What an event plugin in Rust needs.
//!
//! A plugin is a function from an [`Event`] to an [`Outcome`], compiled to WebAssembly. This crate
//! exports it to the host, decodes events when the function looks at them, and lends it what the
//! host lends: [`store`], [`lock`], [`alert`](alert()), [`secret`], [`config`] and the macros of
//! [`log`].
//!
//! ```
//! use event_sdk::events::UserLogin;
//! use event_sdk::{Event, Outcome, Result};
//!
//! event_sdk::handler!(handle);
//!
//! fn handle(event: &mut Event<'_>) -> Result<Outcome> {
//!     if let Some(login) = event.get::<UserLogin>()? {
//!         let user = login.user.as_ref().map_or("", |user| &user.user);
//!         event_sdk::log::info!("{user} has logged in");
//!     }
//!     Ok(Outcome::Keep)
//! }
//! ```
//!
//! # What an author can rely on
//!
//! - **Bytes.** An event that the handler has not asked to change goes on byte for byte as it came.
//! - **Errors.** An `Err` is a failure of that event alone. A panic ends the call, and its message
//!   and place reach the host's log; the other events of that call are sent again, one by one.
//! - **State.** A `static` lives as long as the instance that the host happens to use, of which
//!   there are several, and is gone after a panic. What counts belongs in the [`store`].
//! - **Time.** The host ends a call that takes too long. There is no clock but [`now`].
//!
//! # Tests
//!
//! See [`testing`]: a handler runs natively under `cargo test`, and as compiled under `host test`.

mod alert;
mod error;
mod event;
mod exchange;
mod handler;
mod host;
pub mod lock;
mod message;
pub mod store;
pub mod testing;
mod wire;

pub use alert::{Alert, alert};
pub use error::{Error, Result};
pub use event::Event;
pub use handler::Outcome;
pub use log;
pub use message::EventMessage;
pub use proto::plugin::Severity;
pub use proto::{events, plugin, prost, prost_types, types};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A secret that the host's configuration lets this plugin read, if it has one of that name.
///
/// # Errors
///
/// The secret is not text.
pub fn secret(name: &str) -> Result<Option<String>> {
    let secret = host::secret(name).map(String::from_utf8).transpose();
    secret.map_err(|_| Error::new(format_args!("the secret {name} is not UTF-8")))
}

/// A value from the plugin's part of the host's configuration. None also when it is empty.
pub fn config(name: &str) -> Option<String> {
    // The host's own strings: always UTF-8.
    host::config(name).map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// The time on the host's clock, to the millisecond. `SystemTime::now` panics in a plugin.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(host::now())
}

/// For the macros only.
#[doc(hidden)]
pub mod __private;
