//! How modules are given, what of them is refused, and what `inspect` says.

use crate::{configured, middleware};
use fixtures::{Host, Output, Upstream, get, guest, library, wat};
use serde_json::{Value, json};
use std::fs;

const TARGET: &str = "--target=http://127.0.0.1:1";

fn refused(output: &Output, words: &str) {
    assert!(matches!(output.code, Some(1 | 2)) && output.stderr.contains(words), "{output:?}");
}

#[test]
fn a_module_stands_before_or_after_authentication() {
    let upstream = Upstream::echo();
    let module = middleware("contract");
    for (flag, status) in [("--pre-plugin", 418), ("--post-plugin", 401)] {
        let host = Host::start(&[
            "--target",
            &upstream.url(),
            "--basic-user=test",
            "--basic-password=test",
            flag,
            &module,
        ]);
        assert_eq!(get(host.address(), "/respond", &[]).status, status, "{flag}");
    }
}

#[test]
fn a_module_is_known_by_its_name_or_its_bytes_and_found_like_a_library() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    for name in ["my_module.wasm", "no-ending"] {
        fs::copy(middleware("contract"), folder.path().join(name)).unwrap();
    }
    let dir = format!("--plugin-dir={}", folder.path().display());
    let bytes = folder.path().join("no-ending").display().to_string();
    for name in ["my-module", "my_module.wasm", &bytes] {
        let host = Host::start(&["--target", &upstream.url(), &dir, "--pre-plugin", name]);
        assert_eq!(get(host.address(), "/", &[]).status, 202, "{name}");
        host.wait_for_log("interface=\"wasm\"");
    }
}

#[test]
fn what_is_no_middleware_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.wasm");
    fs::write(&text, "text").unwrap();
    for (file, words) in [
        (text, "text.wasm: refused: it is no WebAssembly; build it for a wasm target first"),
        (wat("middleware/no_hook"), "exports neither on_request nor on_response"),
        (wat("middleware/register_fails"), "refused: it could not register: no luck!"),
        (wat("middleware/register_garbage"), "what it returned is not right: invalid type"),
        (wat("echo"), "refused: it is an event plugin; use it with --event-plugin"),
    ] {
        let output = Host::fails(&[TARGET, "--post-plugin", &file.display().to_string()]);
        refused(&output, words);
        assert!(output.stderr.contains("the POST plugin is not usable"), "{output:?}");
    }
}

#[test]
fn limits_are_for_modules_and_have_their_own() {
    let fails = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.toml");
        fs::write(&file, text).unwrap();
        Host::fails(&[TARGET, "--config", file.to_str().unwrap()])
    };
    let native = library("pre-plugin");
    let output = fails(&format!("[[pre-plugin]]\npath = {native:?}\ntimeout = \"1s\"\n"));
    refused(&output, "is no WebAssembly: timeout, concurrency, memory and body-limit are for");
    let module = middleware("contract");
    let output = fails(&format!("[[pre-plugin]]\npath = {module:?}\nconcurrency = 0\n"));
    refused(&output, "wants 0 instances; concurrency is from 1 to 1024");
    let output = fails(&format!("[[pre-plugin]]\npath = {module:?}\nbody-limit = 99999999\n"));
    refused(&output, "has a body-limit of 99999999; at most 8388608 bytes go into a sandbox");
}

#[test]
fn a_module_may_need_wasi_as_an_event_plugin_may() {
    let upstream = Upstream::echo();
    let text = format!("[[pre-plugin]]\npath = {:?}\n", middleware("wasi"));
    let host = configured(&upstream.url(), &text);
    assert_eq!(get(host.address(), "/", &[]).status, 200, "{}", host.log());
}

fn inspect(file: &str, code: i32) -> Value {
    let output = Host::run(&["inspect", "--json", file]);
    assert_eq!(output.code, Some(code), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn inspect_tells_what_a_module_is() {
    let file = guest("rust", "ip-filter").display().to_string();
    let report = inspect(&format!("{file}={{\"deny\": []}}"), 0);
    assert_eq!([&report["kind"], &report["interface"]], [&json!("plugin"), &json!("wasm")]);
    assert_eq!(report["name"], "ip-filter-plugin");
    assert_eq!(report["registers"], json!(["middleware ip-filter"]));
    assert_eq!(report["exports"], json!(["on_request", "on_response", "register"]));
    assert_eq!(report["size"], fs::metadata(&file).unwrap().len());
    assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
    assert!(report["compiler"].as_str().unwrap().starts_with("rustc "), "{report:#}");
    let imports = report["imports"].as_array().unwrap();
    assert!(imports.contains(&json!("extism:host/env output_set")), "{report:#}");

    let report = inspect(&file, 1);
    let verdict = report["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("refused: it could not register: it needs"), "{verdict}");
    assert!(verdict.ends_with("ip_filter.wasm={…}") || verdict.contains("={…}"), "{verdict}");

    let report = inspect(&wat("echo").display().to_string(), 0);
    assert_eq!([&report["kind"], &report["verdict"]], [&json!("event plugin"), &json!("accepted")]);
    assert_eq!(report["exports"], json!(["handle_event", "handle_events"]));

    let report = inspect(&wat("unknown_import").display().to_string(), 1);
    assert!(report["verdict"].as_str().unwrap().contains("does not lend to it"), "{report:#}");

    let text = Host::run(&["inspect", &middleware("contract")]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for row in ["kind       plugin\n", "interface  wasm\n", "exports    on_request, on_response\n"]
    {
        assert!(text.stdout.contains(row), "{}", text.stdout);
    }
}
