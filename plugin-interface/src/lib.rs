//! The contract between the host and its native plugins.
//!
//! A plugin is a shared library (`crate-type = ["cdylib"]`) with this crate as its only necessary
//! dependency. It implements [`Middleware`], [`Authenticator`], [`ReverseProxy`] or [`ErrorPage`]
//! in plain Rust, and exports itself with [`export_plugin!`]. Host and plugin need neither the same
//! compiler nor the same dependencies.
//!
//! # What an author can rely on
//!
//! - **Owner.** What the host lends by reference stays the host's; what is passed by value belongs
//!   to the receiver, and is freed by the code of the library that made it.
//! - **Lifetime.** What an [`Exchange`] returns is good until the next call that changes the
//!   message; the compiler checks it. [`HostServices`] lives as long as the process. A library is
//!   never unloaded.
//! - **Threads.** Objects are called from many threads at once; one exchange from one at a time.
//! - **Panics** are caught in the plugin at every call, poll and drop; one is a 500 for its request
//!   and counted against the plugin. A panic in a drop during another panic still ends the process,
//!   and a library built with `panic = "abort"` is refused.
//! - **Cancellation.** A deferred future may be dropped at any await.
//! - **Logging.** [`tracing`] and [`log`] calls, the plugin's dependencies' included, arrive in the
//!   host's log under the request's span.
//!
//! # Tests
//!
//! With the feature `testing` the module `testing` has a host without a proxy: it loads a plugin by
//! its `register`, lends it services that a test can look into, and takes exchanges through it, all
//! over this boundary. Meant for `[dev-dependencies]`.
//! # In a sandbox
//!
//! Compiled for `wasm32-unknown-unknown` a plugin is a module that the same host runs in a sandbox, with
//! limits of time and memory, through the contract in `wasm.md`. Of this crate there is then what a
//! sandbox can do: one [`Middleware`], whose deferred hooks have the body at hand and can wait for
//! nothing else; a slot for what serde can write and read, since the way back may be another
//! instance's; bodies as a whole; store, metrics and events of [`HostServices`]. Authenticators, patches,
//! tasks, timers, streams and HTTP requests are for native plugins.
//!
//! # Versions
//!
//! Within 1.x a library and a host of any two versions work together. Therefore: add methods (with
//! a default body) and prefix fields (with `missing_field`) at the end only; rename nothing, the
//! names of fields and of function-pointer parameters count; leave by-value structs and enums
//! alone. What may grow is a newtype with constants. The `Raw…` traits and what else is in [`host`]
//! is what crosses the boundary: abi_stable makes a prefix-type vtable of each, and its layout
//! check covers everything reachable from [`host::PluginModule`].
#![allow(unsafe_code)] // this crate is the boundary
// What #[sabi_trait] and #[derive(StableAbi)] expand to.
#![allow(non_camel_case_types, non_local_definitions, unreachable_pub)]
#![allow(
    clippy::used_underscore_binding,
    clippy::expl_impl_clone_on_copy,
    clippy::cast_ptr_alignment
)]

#[cfg(not(target_arch = "wasm32"))]
mod body;
#[cfg(not(target_arch = "wasm32"))]
mod bridge;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod exchange;
#[cfg(not(target_arch = "wasm32"))]
mod export;
#[cfg(not(target_arch = "wasm32"))]
mod guard;
#[cfg(all(feature = "http", not(target_arch = "wasm32")))]
pub mod http;
mod message;
mod middleware;
#[cfg(not(target_arch = "wasm32"))]
mod module;
mod owned;
#[cfg(not(target_arch = "wasm32"))]
mod patch;
#[cfg(all(feature = "tokio", not(target_arch = "wasm32")))]
pub mod runtime;
#[cfg(not(target_arch = "wasm32"))]
mod services;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub mod testing;
#[cfg(target_arch = "wasm32")]
mod wasm;

/// The version of this interface.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The compiler that built this copy of the interface, and so the library it is in.
pub const COMPILER: &str = env!("PLUGIN_INTERFACE_COMPILER");

pub use error::{Error, ErrorKind, Result};
pub use log;
pub use message::{Header, Response};
pub use middleware::{Middleware, Step};
pub use tracing;

#[cfg(not(target_arch = "wasm32"))]
pub use {
    body::{Body, BodyStream, Chunk, Frame, SizeHint},
    exchange::Exchange,
    module::Registrar,
    patch::authenticator::{Authenticator, Verdict},
    patch::error_page::{ErrorPage, Failure},
    patch::reverse_proxy::{ReverseProxy, Route},
    services::{Counter, Gauge, Histogram, HostServices, Request},
};

#[cfg(target_arch = "wasm32")]
pub use wasm::{Body, Counter, Exchange, Gauge, Histogram, HostServices, Registrar};

/// What the host needs and authors do not.
#[cfg(not(target_arch = "wasm32"))]
#[allow(missing_docs)]
pub mod host {
    pub use crate::body::{RawBody, RawBody_TO};
    pub use crate::bridge::{
        Callsite, Interest, Level, LogVtable, LogVtable_Ref, PARENT_CURRENT, PARENT_NONE,
        Registered, Value,
    };
    pub use crate::exchange::raw::{
        Address, Edit, HeaderVisitor, HeaderVisitor_TO, RawExchange, RawExchange_TO, Slot,
    };
    pub use crate::message::ResponseParts;
    pub use crate::middleware::raw::{MiddlewareObject, RawMiddleware, RawStep, middleware_object};
    pub use crate::module::{PluginModule, PluginModule_Ref, RawRegistrar, RawRegistrar_TO};
    pub use crate::patch::authenticator::{
        AuthenticatorObject, RawAuthenticator, RawVerdict, authenticator_object,
    };
    pub use crate::patch::error_page::{ErrorPageObject, RawErrorPage, error_page_object};
    pub use crate::patch::reverse_proxy::{
        RawReverseProxy, ReverseProxyObject, reverse_proxy_object,
    };
    pub use crate::services::{HostServicesVtable, HostServicesVtable_Ref, Metric, MetricKind};
    pub use abi_stable;
    pub use async_ffi;
}

/// For `export_plugin!` only.
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod __private {
    pub use crate::bridge::filter_changed;
    pub use crate::module::{PluginModule, PluginModule_Ref, run_register};
    pub use abi_stable::library::{
        __call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
    };
    pub use abi_stable::prefix_type::PrefixTypeTrait;
    pub use abi_stable::std_types::{RResult, RStr};
}

/// For `export_plugin!` only.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod __private {
    pub use crate::wasm::export::{on_request, on_response, register};
}
