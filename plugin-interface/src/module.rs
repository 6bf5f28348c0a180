//! What a library exports, and how it says what it offers.

use crate::bridge;
use crate::error::{Error, Result};
use crate::guard::catch;
use crate::middleware::Middleware;
use crate::middleware::raw::{MiddlewareObject, middleware_object};
use crate::patch::authenticator::{Authenticator, AuthenticatorObject, authenticator_object};
use crate::patch::error_page::{ErrorPage, ErrorPageObject, error_page_object};
use crate::patch::reverse_proxy::{ReverseProxy, ReverseProxyObject, reverse_proxy_object};
use crate::services::HostServices;
use abi_stable::library::RootModule;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::{RMut, VersionStrings};
use abi_stable::std_types::{RErr, ROk, RResult, RStr};
use abi_stable::{StableAbi, declare_root_module_statics, package_version_strings, sabi_trait};

/// The root module: all that the host looks up in a library. [`crate::export_plugin!`] makes it.
///
/// Lives as long as the process: a library is never unloaded.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModule_Ref)))]
pub struct PluginModule {
    /// The name of the plugin's package.
    pub name: RStr<'static>,
    /// Its version.
    pub version: RStr<'static>,
    /// The version of this interface that it was built with.
    pub interface: RStr<'static>,
    /// The compiler that built it, as in `rustc 1.95.0 (…)`.
    pub compiler: RStr<'static>,
    /// Whether panics can be caught; a host refuses a library where they cannot.
    pub unwinds: bool,
    /// Called by the host once for each place the library is used in, each time with that place's
    /// configuration (JSON text, empty if there is none). Catches its panics.
    pub register: extern "C" fn(
        registrar: Registrar<'_>,
        host: HostServices,
        config: RStr<'_>,
    ) -> RResult<(), Error>,
    /// The host's log filter has changed: ask it anew what to log. Does not panic.
    #[sabi(last_prefix_field)]
    pub log_filter_changed: extern "C" fn(),
}

impl RootModule for PluginModule_Ref {
    declare_root_module_statics! { PluginModule_Ref }
    const BASE_NAME: &'static str = "plugin";
    const NAME: &'static str = "plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// What the host implements to take what a library offers. Borrowed for one call of `register`;
/// must not panic.
#[sabi_trait]
#[allow(missing_docs)] // see the trait in front of it
pub trait RawRegistrar {
    fn middleware(&mut self, name: RStr<'_>, middleware: MiddlewareObject);
    fn authenticator(&mut self, name: RStr<'_>, authenticator: AuthenticatorObject);
    fn reverse_proxy(&mut self, patch: ReverseProxyObject);
    #[sabi(last_prefix_field)]
    fn error_page(&mut self, patch: ErrorPageObject);
}

/// Takes what a library offers. Everything registered is owned by the host from then on, shared by
/// its threads, and freed by the library's own code.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Registrar<'a>(RawRegistrar_TO<'a, RMut<'a, ()>>);

impl<'a> Registrar<'a> {
    /// For the host.
    pub fn new<T: RawRegistrar + 'a>(sink: &'a mut T) -> Self {
        Self(RawRegistrar_TO::from_ptr(RMut::new(sink), TD_Opaque))
    }

    /// A middleware; several run in the order of their registration. The name is for logs.
    pub fn middleware(&mut self, name: &str, middleware: impl Middleware) {
        self.0.middleware(name.into(), middleware_object(middleware));
    }

    /// Names the values of other middlewares that this plugin reads. A native plugin may read any; one
    /// in a sandbox is sent these, and no others.
    #[allow(clippy::unused_self)]
    pub fn reads(&mut self, keys: &[&str]) {
        let _ = keys;
    }

    /// An authenticator: in a PRE plugin one that is asked before the built-in, in a patch one that
    /// replaces it.
    pub fn authenticator(&mut self, name: &str, authenticator: impl Authenticator) {
        self.0.authenticator(name.into(), authenticator_object(authenticator));
    }

    /// A patch of the point `reverse_proxy`.
    pub fn reverse_proxy(&mut self, patch: impl ReverseProxy) {
        self.0.reverse_proxy(reverse_proxy_object(patch));
    }

    /// A patch of the point `error_page`.
    pub fn error_page(&mut self, patch: impl ErrorPage) {
        self.0.error_page(error_page_object(patch));
    }
}

/// The body of `register` in every library.
pub fn run_register(
    register: impl FnOnce(&mut Registrar<'_>, HostServices, &str) -> Result<()>,
    mut registrar: Registrar<'_>,
    host: HostServices,
    config: RStr<'_>,
) -> RResult<(), Error> {
    bridge::install(host);
    match catch(|| register(&mut registrar, host, config.as_str())) {
        Ok(Ok(())) => ROk(()),
        Ok(Err(error)) | Err(error) => RErr(error),
    }
}
