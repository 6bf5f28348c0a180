//! Patches: replaceable parts of the host, one trait each. The built-in parts implement them too.

pub(crate) mod authenticator;
pub(crate) mod error_page;
pub(crate) mod reverse_proxy;
