//! The parts of the host that patches can replace: each implements the patch's own trait.

pub(crate) mod basic_auth;
pub(crate) mod error_page;
pub(crate) mod reverse_proxy;

pub use basic_auth::Credentials;
