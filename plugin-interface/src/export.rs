//! The macro that makes a library a plugin.

/// Exports a library as a plugin. The argument is the path of a
/// `fn(&mut Registrar<'_>, HostServices, &str) -> Result<()>`; the string is the configuration,
/// JSON text as the user wrote it, or empty.
///
/// ```
/// use plugin_interface::{HostServices, Middleware, Registrar, Result};
///
/// struct Nothing;
/// impl Middleware for Nothing {}
///
/// fn register(registrar: &mut Registrar<'_>, _: HostServices, _config: &str) -> Result<()> {
///     registrar.middleware("nothing", Nothing);
///     Ok(())
/// }
///
/// plugin_interface::export_plugin!(register);
/// # fn main() {}
/// ```
// Items of a macro are not hygienic: without the underscores `fn register` would shadow the
// author's function of that name.
#[macro_export]
macro_rules! export_plugin {
    ($register:path) => {
        const _: () = {
            use $crate::__private as __interface;

            extern "C" fn __register(
                registrar: $crate::Registrar<'_>,
                host: $crate::HostServices,
                config: __interface::RStr<'_>,
            ) -> __interface::RResult<(), $crate::Error> {
                __interface::run_register($register, registrar, host, config)
            }

            fn __module() -> __interface::PluginModule_Ref {
                let module = __interface::PluginModule {
                    name: __interface::RStr::from_str(env!("CARGO_PKG_NAME")),
                    version: __interface::RStr::from_str(env!("CARGO_PKG_VERSION")),
                    interface: __interface::RStr::from_str($crate::VERSION),
                    compiler: __interface::RStr::from_str($crate::COMPILER),
                    unwinds: cfg!(panic = "unwind"),
                    register: __register,
                    log_filter_changed: __interface::filter_changed,
                };
                __interface::PrefixTypeTrait::leak_into_prefix(module)
            }

            extern "C" fn __load() -> __interface::RootModuleResult {
                __interface::__call_root_module_loader(__module)
            }

            // The symbol that abi_stable looks up (a test compares the name).
            // SAFETY: the name is unique in the library; `__load` returns a `PluginModule_Ref`.
            #[unsafe(no_mangle)]
            static _1as_0lib_1header_0root_bmodule_bloader: __interface::LibHeader = unsafe {
                __interface::LibHeader::from_constructor::<__interface::PluginModule_Ref>(
                    __load,
                    __interface::CheckTypeLayout::Yes,
                )
            };
        };
    };
}

#[test]
fn the_exported_symbol_is_the_one_looked_up() {
    let name = abi_stable::library::ROOT_MODULE_LOADER_NAME;
    assert_eq!(name, "_1as_0lib_1header_0root_bmodule_bloader");
}
