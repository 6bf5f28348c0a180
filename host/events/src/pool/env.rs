//! Extism's own host functions, those that take bytes from the guest, in place of the SDK's: these
//! read the guest's memory through [`crate::guest`], and know the plugin's name.

use super::state::SlotState;
use crate::guest;
use extism::{CurrentPlugin, Error, Function, Val};
use host_lines::on_one_line;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::Level;

/// The namespace of a PDK's own imports.
const NAMESPACE: &str = "extism:host/env";
/// How much of a record is written, in bytes.
const LINE: usize = 8 << 10;
/// What the variables of an instance may take, in bytes: Extism's own limit.
const VARIABLES: usize = 1 << 20;

/// The functions for one slot of a plugin.
pub(super) fn functions(
    plugin: &Arc<str>,
    config: &Arc<BTreeMap<String, String>>,
    state: &Arc<SlotState>,
) -> Vec<Function> {
    let mut functions = vec![
        output_set(state.clone()),
        error_set(state.clone()),
        config_get(config.clone()),
        variable_get(state.clone()),
        variable_set(state.clone()),
        http_request(),
        nothing("output_length"),
        nothing("output_offset"),
    ];
    macro_rules! logs {
        ($($name:literal $level:ident),*) => {$(
            // Without a text it only says whether one would be written.
            functions.push(log($name, plugin.clone(), |plugin, text| {
                if let Some(text) = text {
                    tracing::event!(target: "guest", Level::$level, plugin, "{text}");
                }
                tracing::enabled!(target: "guest", Level::$level)
            }));
        )*};
    }
    logs!("log_trace" TRACE, "log_debug" DEBUG, "log_info" INFO, "log_warn" WARN, "log_error" ERROR);
    functions
}

/// A function of Extism's namespace.
fn function<F>(name: &str, arguments: usize, results: usize, body: F) -> Function
where
    F: Fn(&mut CurrentPlugin, &[Val]) -> Result<Option<Val>, Error> + Send + Sync + 'static,
{
    guest::function(name, arguments, results, body).with_namespace(NAMESPACE)
}

/// The output is taken at once: the kernel would believe any length whose end wraps around.
fn output_set(state: Arc<SlotState>) -> Function {
    function("output_set", 2, 0, move |plugin, arguments| {
        let offset = guest::integer(arguments, 0)?;
        let length = guest::integer(arguments, 1)?.cast_unsigned();
        let call = &mut *state.lock();
        call.known.read(plugin, offset, length, &mut call.output)?;
        Ok(None)
    })
}

/// The SDK asks the kernel for the output after a call, and makes a slice of whatever it says.
fn nothing(name: &str) -> Function {
    function(name, 0, 1, |_, _| Ok(Some(Val::I64(0))))
}

fn error_set(state: Arc<SlotState>) -> Function {
    function("error_set", 1, 0, move |plugin, arguments| {
        // The SDK itself calls this with 0, to clear it.
        let text = guest::block(plugin, guest::integer(arguments, 0)?)?;
        let text = on_one_line(&text, LINE);
        state.lock().error = (!text.is_empty()).then_some(text);
        Ok(None)
    })
}

fn config_get(config: Arc<BTreeMap<String, String>>) -> Function {
    function("config_get", 1, 1, move |plugin, arguments| {
        let key = guest::text(plugin, guest::integer(arguments, 0)?)?;
        let value = config.get(&key).map_or("", String::as_str);
        guest::put(plugin, value.as_bytes()).map(Some)
    })
}

fn variable_get(state: Arc<SlotState>) -> Function {
    function("var_get", 1, 1, move |plugin, arguments| {
        let key = guest::text(plugin, guest::integer(arguments, 0)?)?;
        let value = state.lock().variables.get(&key).cloned().unwrap_or_default();
        guest::put(plugin, &value).map(Some)
    })
}

fn variable_set(state: Arc<SlotState>) -> Function {
    function("var_set", 2, 0, move |plugin, arguments| {
        let key = guest::text(plugin, guest::integer(arguments, 0)?)?;
        let value = guest::integer(arguments, 1)?;
        let mut call = state.lock();
        let old = call.variables.remove(&key);
        if value == 0 {
            return Ok(None);
        }
        let value = guest::block(plugin, value)?;
        let others = call.variables.iter().map(|(key, value)| key.len() + value.len());
        if others.sum::<usize>() + key.len() + value.len() > VARIABLES {
            call.variables.extend(old.map(|old| (key, old)));
            return Err(Error::msg(format!("its variables are more than {VARIABLES} bytes")));
        }
        call.variables.insert(key, value);
        Ok(None)
    })
}

/// Not offered: the SDK's list of allowed hosts is passed by with a redirect.
fn http_request() -> Function {
    function("http_request", 2, 1, |_, _| Err(Error::msg("this host lends plugins no HTTP client")))
}

/// A record of the plugin's; the host frees the block, as the PDKs expect.
fn log(name: &str, plugin: Arc<str>, write: fn(&str, Option<&str>) -> bool) -> Function {
    function(name, 1, 0, move |current, arguments| {
        let offset = guest::integer(arguments, 0)?;
        if write(&plugin, None) {
            write(&plugin, Some(&on_one_line(&guest::block(current, offset)?, LINE)));
        }
        if let Some(block) = current.memory_handle(offset.cast_unsigned()) {
            current.memory_free(block)?;
        }
        Ok(None)
    })
}
