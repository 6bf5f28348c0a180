//! Bringing the last set back.

use crate::kit::{Mark, Running, marked, plugin, put};
use base64::prelude::{BASE64_STANDARD, Engine};
use fixtures::{Upstream, get};
use std::fs;
use std::path::Path;

#[test]
fn the_last_set_comes_back_and_the_file_stays_out_until_it_changes() {
    let it = Running::start(&[]);
    assert!(it.declined(&["rollback"]).contains("there is nothing to bring back"));
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    let said = it.told(&["rollback"]);
    assert!(said.starts_with("the PRE plugin ") && said.contains("is now marked 0.1.0"), "{said}");
    // The same object: it goes on counting.
    assert!(it.mark().count > 1);
    assert_eq!(it.mark().mark, 1);
    // Neither another file's change nor a reload brings it in again.
    fs::create_dir(it.file("patches")).unwrap();
    put(&it.file("patches/reverse_proxy.so"), &marked("marked-patch", 1));
    it.until_logged("Loading patched reverse_proxy module", 1);
    it.told(&["reload"]);
    assert_eq!(it.mark().mark, 1);
    let reason = it.plugin("pre")["reason"].clone();
    assert!(reason.as_str().unwrap().contains("its file has changed"), "{reason}");
    put(&it.file("a.so"), &marked("marked", 3));
    it.until_mark(3);
}

#[test]
fn a_second_rollback_takes_the_first_back() {
    let it = Running::start(&[]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    for expected in [1, 2, 1] {
        it.told(&["rollback"]);
        assert_eq!(it.mark().mark, expected);
        // What stays out is told, and only as long as something does.
        assert_eq!(it.status()["notes"].as_array().unwrap().len(), usize::from(expected == 1));
        assert_eq!(it.told(&["reload"]).contains("rolled back"), expected == 1);
        assert_eq!(it.mark().mark, expected);
    }
    assert_eq!(it.status()["chain"]["number"], 5);
}

#[test]
fn a_patch_that_was_taken_away_comes_back_and_one_that_was_added_goes() {
    let it = Running::start(&[]);
    fs::create_dir(it.file("patches")).unwrap();
    let file = it.file("patches/reverse_proxy.so");
    let kind = || it.plugin("reverse_proxy")["kind"].clone();
    put(&file, &marked("marked-patch", 1));
    it.until("the patch", || kind() == "native");
    it.told(&["rollback"]);
    assert_eq!(kind(), "builtin");
    it.told(&["reload"]);
    assert_eq!(kind(), "builtin", "the file is the one that was rolled back");
    fs::remove_file(&file).unwrap();
    it.told(&["reload"]);
    put(&file, &marked("marked-patch", 1));
    it.until("the patch", || kind() == "native");
    fs::remove_file(&file).unwrap();
    it.until("the built-in", || kind() == "builtin");
    it.told(&["rollback"]);
    assert_eq!(kind(), "native");
    it.told(&["reload"]);
    assert_eq!(kind(), "native", "that there is no file is what was rolled back");
}

#[test]
fn a_rollback_outlives_the_host() {
    let it = Running::start(&[]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    it.told(&["rollback"]);
    assert!(it.host.stop().success());
    let it = it.again();
    it.host.wait_for_log("was rolled back, and stays so until its file changes");
    assert_eq!(it.mark().mark, 1);
    put(&it.file("a.so"), &marked("marked", 3));
    it.until_mark(3);
}

#[test]
fn who_may_log_in_is_not_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    put(&file("a.so"), &marked("marked", 1));
    let configure = |it: &Path, password: &str| {
        let text = format!("basic-user = 'ann'\nbasic-password = '{password}'\n");
        fs::write(it.join("host.toml"), text).unwrap();
    };
    configure(folder.path(), "old");
    let config = format!("--config={}", file("host.toml").display());
    let args = vec![config, plugin(&file("a.so"), "a")];
    let it = Running::with(folder, Upstream::echo(), args);
    let ask = |password: &str| {
        let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("ann:{password}")));
        get(it.host.address(), "/", &[("authorization", &credentials)])
    };
    let mark = |password: &str| Mark::of(&ask(password))[0].mark;
    configure(it.folder.path(), "new");
    it.told(&["reload"]);
    assert_eq!([ask("old").status, ask("new").status], [401, 200]);
    let said = it.declined(&["rollback"]);
    assert!(said.contains("there is nothing to bring back"), "{said}");
    put(&it.file("a.so"), &marked("marked", 2));
    it.until("the mark 2", || mark("new") == 2);
    configure(it.folder.path(), "newest");
    it.told(&["reload"]);
    it.told(&["rollback"]);
    assert_eq!([ask("old").status, ask("new").status, ask("newest").status], [401, 401, 200]);
    assert_eq!(mark("newest"), 1);
    // Nor does the next change of a file bring old ones back.
    put(&it.file("a.so"), &marked("marked", 3));
    it.until("the mark 3", || mark("newest") == 3);
    assert_eq!([ask("old").status, ask("new").status], [401, 401]);
}

#[test]
fn what_stays_out_is_said_in_the_answer_and_in_the_status_as_long_as_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, config] = ["a.so", "b.so", "host.toml"].map(|name| folder.path().join(name));
    put(&a, &marked("marked", 1));
    put(&b, &marked("marked", 2));
    let table = |path: &Path, name: &str| {
        format!("[[pre-plugin]]\npath = '{}'\nconfig.name = '{name}'\n", path.display())
    };
    let (one, both) = (table(&a, "a"), table(&a, "a") + &table(&b, "b"));
    fs::write(&config, &one).unwrap();
    let flags = vec![format!("--config={}", config.display()), "--no-watch".to_owned()];
    let it = Running::with(folder, Upstream::echo(), flags);
    fs::write(&config, &both).unwrap();
    it.told(&["reload"]);
    assert_eq!(it.marks().len(), 2);
    it.told(&["rollback"]);
    let said = it.told(&["reload"]);
    let note = "b.so: what its file has (";
    assert!(said.contains(note) && said.contains("stays out until the file changes"), "{said}");
    assert_eq!(it.marks().len(), 1);
    assert!(it.status()["notes"][0].as_str().unwrap().contains(note));
    // Who takes it out of the configuration, and puts it in later, means it.
    fs::write(&config, &one).unwrap();
    it.told(&["reload"]);
    assert_eq!(it.status()["notes"], serde_json::json!([]));
    fs::write(&config, &both).unwrap();
    it.told(&["reload"]);
    assert_eq!(it.marks().len(), 2);
}
