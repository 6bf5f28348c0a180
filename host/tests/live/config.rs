//! The configuration file, read again.

use crate::kit::{Running, marked, put};
use fixtures::{Upstream, get};
use std::fs;
use tempfile::TempDir;

/// A folder with two plugins and a file that lists some of them.
fn folder(plugins: &[(&str, &str)], more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("a.so"), &marked("marked", 1));
    put(&folder.path().join("b.so"), &marked("marked", 2));
    write(&folder, plugins, more);
    folder
}

fn write(folder: &TempDir, plugins: &[(&str, &str)], more: &str) {
    let table = |(file, name): &(&str, &str)| {
        let path = folder.path().join(file);
        format!("[[pre-plugin]]\npath = '{}'\nconfig = {{ name = '{name}' }}\n", path.display())
    };
    let tables: String = plugins.iter().map(table).collect();
    fs::write(folder.path().join("host.toml"), format!("{more}\n{tables}")).unwrap();
}

fn start(folder: TempDir) -> Running {
    let config = format!("--config={}", folder.path().join("host.toml").display());
    Running::with(folder, Upstream::echo(), vec![config])
}

fn names(it: &Running) -> Vec<String> {
    // The last to see the request is the first to see the response.
    it.marks().into_iter().rev().map(|mark| mark.name).collect()
}

#[test]
fn plugins_are_added_removed_reordered_and_configured() {
    let it = start(folder(&[("a.so", "one")], ""));
    write(&it.folder, &[("a.so", "one"), ("b.so", "two")], "");
    let said = it.told(&["reload"]);
    assert!(said.contains("b.so is now marked 0.1.0 ("), "{said}");
    assert_eq!(names(&it), ["one", "two"]);
    let before = it.marks();
    write(&it.folder, &[("b.so", "two"), ("a.so", "one")], "");
    assert!(it.told(&["reload"]).contains("the order of plugins"));
    assert_eq!(names(&it), ["two", "one"]);
    assert!(it.marks()[1].count > before[0].count, "the objects are the same");
    write(&it.folder, &[("b.so", "2")], "");
    it.host.signal(libc::SIGHUP);
    it.until("the new configuration", || names(&it) == ["2"]);
}

/// The second of one file becomes the first of it: by a reload, a rollback, a restart, and after a kill.
#[test]
fn what_is_disabled_is_that_plugin_wherever_it_is_in_the_list() {
    const ONE: (&str, &str) = ("a.so", "one");
    const TWO: (&str, &str) = ("a.so", "two");
    let it = start(folder(&[ONE, TWO], ""));
    let first = it.plugin("pre")["id"].to_string();
    it.told(&["disable", &first]);
    assert_eq!(names(&it), ["two"]);
    for plugins in [&[TWO, ONE][..], &[TWO]] {
        write(&it.folder, plugins, "");
        it.told(&["reload"]);
        assert_eq!(names(&it), ["two"]);
    }
    it.told(&["rollback"]);
    assert_eq!(names(&it), ["two"], "it comes back as it went");
    write(&it.folder, &[ONE, TWO], "");
    it.told(&["restart"]);
    assert_eq!(names(&it), ["two"]);
    it.host.signal(libc::SIGTERM);
    it.host.wait();
    write(&it.folder, &[TWO, ONE], "");
    let it = it.again();
    assert_eq!(names(&it), ["two"]);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    write(&it.folder, &[ONE, TWO], "");
    assert_eq!(names(&it.again()), ["two"]);
}

#[test]
fn a_mistake_changes_nothing_and_is_told() {
    let it = start(folder(&[("a.so", "one")], ""));
    let number = it.plugin("pre")["id"].clone();
    #[allow(clippy::type_complexity)]
    let mistakes: [(&[(&str, &str)], &str, &str); 5] = [
        (&[("b.so", "two")], "tagret = 'x'", "unknown field `tagret`"),
        (&[("b.so", "two"), ("none.so", "x")], "", "no plugin "),
        (&[("b.so", "two"), ("a.so", "bad")], "", "bad is no name for it"),
        (&[("b.so", "two")], "log = 'a=b=c'", "is not a log filter"),
        (&[("b.so", "two")], "patches-dir = '/nowhere'", "the patches folder /nowhere cannot"),
    ];
    for (plugins, more, reason) in mistakes {
        write(&it.folder, plugins, more);
        let said = it.declined(&["reload"]);
        assert!(said.contains("nothing has changed: ") && said.contains(reason), "{said}");
        assert_eq!(names(&it), ["one"]);
        assert_eq!(it.plugin("pre")["id"], number, "the same object");
        let last = it.status()["last_reload"].clone();
        assert_eq!((&last["succeeded"], &last["trigger"]), (&false.into(), &"command".into()));
        assert!(last["message"].as_str().unwrap().contains(reason), "{last:#}");
    }
    assert_eq!(it.status()["chain"]["number"], 1);
    // A file that only has to be put right is no reason to start again.
    write(&it.folder, &[("b.so", "two")], "");
    it.told(&["reload"]);
    assert_eq!(names(&it), ["two"]);
}

#[test]
fn who_may_log_in_changes_and_what_only_a_restart_changes_is_named() {
    let user = |name: &str, more: &str| {
        format!("basic-user = '{name}'\nbasic-password = 'secret'\n{more}")
    };
    let it = start(folder(&[], &user("ann", "")));
    let status = |name: &str| {
        use base64::Engine;
        let engine = base64::engine::general_purpose::STANDARD;
        let value = format!("Basic {}", engine.encode(format!("{name}:secret")));
        get(it.host.address(), "/", &[("Authorization", &value)]).status
    };
    assert_eq!((status("ann"), status("bob")), (200, 401));
    write(&it.folder, &[], &user("bob", "max-headers = 50\nprefix = '/x'"));
    let said = it.told(&["reload"]);
    assert!(said.contains("who may log in") && said.contains("only a restart changes"), "{said}");
    assert!(said.contains("prefix, max-headers"), "{said}");
    assert_eq!((status("ann"), status("bob")), (401, 200));
}

#[test]
fn what_is_trusted_where_changes_with_a_restart_only_and_the_answer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("host.toml");
    fs::write(&config, "").unwrap();
    let flags = vec![format!("--config={}", config.display()), "--no-watch".to_owned()];
    let it = Running::with(folder, Upstream::echo(), flags);
    fs::write(config, "plugin-trust = '/nowhere'\nallow-world-writable = true\n").unwrap();
    let said = it.told(&["reload"]);
    assert!(said.contains("only a restart changes plugin-trust, allow-world-writable"), "{said}");
}

#[test]
fn an_admin_token_that_was_changed_is_the_one_after_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let [token, config] = ["token", "host.toml"].map(|name| folder.path().join(name));
    let [old, new] = ["old", "new"].map(|it| format!("{it}-token-0123456789"));
    fs::write(&token, &old).unwrap();
    let configure =
        |line: &str| fs::write(&config, format!("admin = '127.0.0.1:0'\n{line}")).unwrap();
    configure(&format!("admin-token-file = '{}'\n", token.display()));
    let flags = vec![format!("--config={}", config.display()), "--no-watch".to_owned()];
    let it = Running::with(folder, Upstream::echo(), flags);
    let line = it.host.wait_for_log("the admin page is at http://");
    let address = line.rsplit("http://").next().unwrap().trim_end_matches('/').parse().unwrap();
    let status = |token: &str| {
        let token = format!("Bearer {token}");
        get(address, "/api/status", &[("authorization", &token)]).status
    };
    assert_eq!([status(&old), status(&new)], [200, 401]);
    fs::write(&token, &new).unwrap();
    assert_eq!([status(&old), status(&new)], [200, 401], "nobody has asked");
    let said = it.told(&["reload"]);
    assert!(said.contains("the admin token is another one now"), "{said}");
    assert_eq!([status(&old), status(&new)], [401, 200]);
    configure("");
    let said = it.told(&["reload"]);
    assert!(said.contains("only a restart changes whether the admin API asks"), "{said}");
    assert_eq!([status(""), status(&new)], [401, 200]);
}
