//! Event plugins of a running host.

use crate::kit::{Running, put};
use fixtures::{Upstream, get, wat};
use std::fs;

/// `user.login` events are made by failed logins; the guest says what becomes of them.
fn start(plugins: &[(&str, &str)], more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    for guest in ["echo", "empty"] {
        put(&folder.path().join(format!("{guest}.wasm")), &fs::read(wat(guest)).unwrap());
    }
    write(&folder, plugins, more);
    let config = format!("--config={}", folder.path().join("host.toml").display());
    Running::with(folder, Upstream::echo(), vec![config])
}

fn write(folder: &tempfile::TempDir, plugins: &[(&str, &str)], more: &str) {
    let table = |(name, file): &(&str, &str)| {
        let path = folder.path().join(file);
        format!("[[event-plugin]]\nname = '{name}'\npath = '{}'\n", path.display())
    };
    let tables: String = plugins.iter().map(table).collect();
    let users = "basic-user = 'ann'\nbasic-password = 'secret'\n";
    let text = format!("{more}\n{users}events = 'events.ndjson'\n{tables}");
    fs::write(folder.path().join("host.toml"), text).unwrap();
}

/// Makes a login fail, and says what has become of its event.
fn becomes(it: &Running) -> &'static str {
    const KINDS: [&str; 4] = ["kept", "changed", "skipped", "failed"];
    let counts = || {
        let plugin = it.status()["event_plugins"][0].clone();
        KINDS.map(|kind| plugin[kind].as_u64().unwrap())
    };
    let (before, mut after) = (counts(), [0; 4]);
    let credentials = [("Authorization", "Basic Ym9iOnNlY3JldA==")];
    assert_eq!(get(it.host.address(), "/", &credentials).status, 401);
    it.until("the event to be handled", || {
        after = counts();
        after != before
    });
    let grown = |kind: &usize| after[*kind] > before[*kind];
    KINDS[(0..4).rfind(grown).unwrap()]
}

#[test]
fn a_module_that_changes_is_used_and_one_that_does_not_compile_is_not() {
    let it = start(&[("a", "echo.wasm")], "");
    let plugin = |it: &Running| it.status()["event_plugins"][0].clone();
    let first = plugin(&it);
    assert_eq!((&first["name"], &first["state"]), (&"a".into(), &"active".into()), "{first:#}");
    assert_eq!(becomes(&it), "kept");
    put(&it.file("echo.wasm"), b"\0asm\x01\0\0\0 broken");
    it.host.wait_for_log("reload refused, what is in use stays: the event plugin");
    assert_eq!(plugin(&it)["id"], first["id"]);
    assert_eq!(becomes(&it), "kept");
    // It fails on every event.
    put(&it.file("echo.wasm"), &fs::read(wat("empty")).unwrap());
    it.until("the new module", || plugin(&it)["id"] != first["id"]);
    assert_eq!(becomes(&it), "failed");
    it.told(&["rollback"]);
    assert_eq!(plugin(&it)["sha256"], first["sha256"]);
    it.until("the old module", || becomes(&it) == "kept");
    it.until("the end of the instances before", || {
        let status = it.status();
        let past = status["past"].as_array().unwrap();
        past.iter().filter(|it| it["place"] == "event" && it["state"] == "retired").count() == 2
    });
}

#[test]
fn event_plugins_are_added_and_removed() {
    let it = start(&[], "");
    write(&it.folder, &[("a", "echo.wasm"), ("b", "empty.wasm")], "");
    let said = it.told(&["reload"]);
    assert!(said.contains("the event plugin a is now"), "{said}");
    assert_eq!(it.status()["event_plugins"].as_array().unwrap().len(), 2);
    write(&it.folder, &[("b", "empty.wasm")], "");
    assert!(it.told(&["reload"]).contains("the event plugin a is gone"));
    assert_eq!(it.status()["event_plugins"][0]["name"], "b");
}

#[test]
fn without_events_from_the_start_they_cannot_be_added() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("host.toml");
    fs::write(&config, "").unwrap();
    let flags = vec![format!("--config={}", config.display())];
    let it = Running::with(tempfile::tempdir().unwrap(), Upstream::echo(), flags);
    fs::write(&config, format!("[[event-plugin]]\npath = '{}'\n", wat("echo").display())).unwrap();
    let said = it.declined(&["reload"]);
    assert!(said.contains("this host was started without events"), "{said}");
}
