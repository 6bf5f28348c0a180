//! Bringing the last set back.

use crate::kit::{Running, marked, put};
use std::fs;

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
