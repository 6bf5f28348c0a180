//! What a module exports, and the macro for it.

use super::contract::{Input, Registration};
use super::exchange::Call;
use super::registrar::{Hook, Hooks};
use super::services::{HostServices, take_reports};
use super::{imports, log};
use crate::error::{Error, Result};
use crate::middleware::Step;
use crate::wasm::Registrar;
use serde::Serialize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Exports a module as a plugin; see the native macro of this name for the argument.
#[macro_export]
macro_rules! export_plugin {
    ($register:path) => {
        const _: () = {
            // SAFETY: the names are those of the contract, once in the module.
            #[unsafe(export_name = "register")]
            extern "C" fn __register() -> i32 {
                let package = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
                $crate::__private::register($register, package)
            }

            #[unsafe(export_name = "on_request")]
            extern "C" fn __on_request() -> i32 {
                $crate::__private::on_request($register)
            }

            #[unsafe(export_name = "on_response")]
            extern "C" fn __on_response() -> i32 {
                $crate::__private::on_response($register)
            }
        };
    };
}

/// The author's function.
type Register = fn(&mut Registrar<'_>, HostServices, &str) -> Result<()>;

/// What this instance runs: made by whichever export is called first.
struct Plugin {
    name: String,
    hooks: Box<dyn Hooks>,
    reads: Vec<String>,
    /// Its response hook turned out to be the one that does nothing.
    no_response_hook: AtomicBool,
}

/// The export `register`: says what the module is.
pub fn register(register: Register, (name, version): (&str, &str)) -> i32 {
    exported(|| {
        let plugin = plugin(register)?;
        let (metrics, _) = take_reports();
        output(&Registration {
            name,
            version,
            compiler: crate::COMPILER,
            middleware: &plugin.name,
            values: &plugin.reads,
            metrics,
        })
    })
}

/// The export `on_request`.
pub fn on_request(register: Register) -> i32 {
    exported(|| hook(Hook::Request, register))
}

/// The export `on_response`.
pub fn on_response(register: Register) -> i32 {
    exported(|| hook(Hook::Response, register))
}

fn exported(call: impl FnOnce() -> Result<()>) -> i32 {
    match call() {
        Ok(()) => 0,
        Err(error) => {
            drop(take_reports()); // they are of the call that has failed
            imports::fail(error.message());
            1
        }
    }
}

fn plugin(register: Register) -> Result<&'static Plugin> {
    static PLUGIN: OnceLock<Result<Plugin, String>> = OnceLock::new();
    let plugin = PLUGIN.get_or_init(|| {
        // A panic is a trap here, which has no text.
        std::panic::set_hook(Box::new(|panic| imports::fail(&panic.to_string())));
        log::install();
        let make = || {
            let mut registrar = Registrar::new();
            register(&mut registrar, HostServices::new(), &imports::config()?)?;
            let (name, hooks, reads) = registrar.take()?;
            Ok(Plugin { name, hooks, reads, no_response_hook: AtomicBool::new(false) })
        };
        make().map_err(|error: Error| error.message().to_owned())
    });
    plugin.as_ref().map_err(Error::new)
}

fn hook(hook: Hook, register: Register) -> Result<()> {
    let plugin = plugin(register)?;
    let input: Input = serde_json::from_slice(&imports::input())?;
    let mut call = Call::new(input);
    let deferred = call.has_body();
    match plugin.hooks.run(hook, &mut call)? {
        Step::Next => {}
        Step::Respond(response) => call.respond(response),
        Step::Defer if deferred => return Err(Error::new("an asynchronous hook deferred again")),
        Step::Defer => call.ask_for_body(),
    }
    if call.no_response_hook() {
        plugin.no_response_hook.store(true, Relaxed);
    }
    let mut answer = call.into_answer()?;
    if hook == Hook::Request && plugin.no_response_hook.load(Relaxed) {
        answer.on_response = Some(false);
    }
    (answer.metrics, answer.events) = take_reports();
    output(&answer)
}

fn output(answer: &impl Serialize) -> Result<()> {
    imports::output(&serde_json::to_vec(answer)?)
}
