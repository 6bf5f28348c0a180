//! For a plugin's own tests, without a host (feature `testing`, for `[dev-dependencies]`).
//!
//! A [`Host`] stands for the real one: it takes what a plugin registers and lends it services that
//! a test can look into. A [`TestExchange`] is a request on its way through that [`Plugin`]. All of
//! it goes over the same boundary as in production, so a panic, a second `Defer` or a header that
//! HTTP does not allow fails here as it would there.
//!
//! ```
//! # use plugin_interface::{Exchange, HostServices, Middleware, Registrar, Response, Result, Step};
//! # struct Gate;
//! # impl Middleware for Gate {
//! #     fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
//! #         if exchange.header("user-agent") == Some(b"robot") {
//! #             return Ok(Step::Respond(Response::text(403, "not for robots\n")));
//! #         }
//! #         exchange.set_header("x-gate", "passed")?;
//! #         Ok(Step::Next)
//! #     }
//! # }
//! # fn register(registrar: &mut Registrar<'_>, _: HostServices, _: &str) -> Result<()> {
//! #     registrar.middleware("gate", Gate);
//! #     Ok(())
//! # }
//! use plugin_interface::testing::{Host, TestExchange};
//!
//! let plugin = Host::new().load(register, "")?;
//!
//! let mut robot = TestExchange::get("/").with_header("user-agent", "robot");
//! plugin.on_request(&mut robot)?;
//! assert_eq!(robot.status(), Some(403));
//! assert_eq!(robot.text()?, "not for robots\n");
//!
//! let mut person = TestExchange::get("/");
//! plugin.on_request(&mut person)?;
//! assert_eq!((person.status(), person.request_header("x-gate")), (None, Some("passed")));
//! # Ok::<(), plugin_interface::Error>(())
//! ```
//!
//! What is logged goes nowhere, unless the test sets a subscriber of its own.
// A test's own premises, as a target that is none: who breaks them should see where. It is said at
// `TestExchange` for all of its methods.
#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod clock;
mod exchange;
mod host;
mod metrics;
mod plugin;
mod services;
mod state;
mod store;

pub use exchange::TestExchange;
pub use host::{Host, HttpRequest};
pub use plugin::Plugin;
