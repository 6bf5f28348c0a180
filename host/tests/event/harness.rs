//! `host test`: what an author of a plugin sees of it.

use fixtures::{Launch, Output, guest, wat};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with these fixtures.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("fixtures")).unwrap();
    for (name, more) in files {
        let data = r#"{"UserLogin": {"Metadata": {"Type": "user.login"}, "Method": "local"}}"#;
        let text = format!(r#"{{"data": {data}{more}}}"#);
        fs::write(folder.path().join("fixtures").join(name), text).unwrap();
    }
    folder
}

/// The walkthrough's four fixtures.
fn documented() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/events")
}

fn test(folder: &Path, args: &[&str]) -> Output {
    Launch::new(&[&["test"], args].concat()).directory(folder).run()
}

/// The line of a test, without the time, and the lines below it.
fn shown(output: &Output, name: &str) -> String {
    let mut lines = output.stdout.lines().skip_while(|line| !line.contains(&format!("  {name} ")));
    let missing = || panic!("{name} should be there: {output:?}");
    let first = lines.next().unwrap_or_else(missing).split("  ").take(2);
    let below = lines.take_while(|line| line.starts_with("   ")).map(str::trim);
    first.map(str::trim).chain(below).collect::<Vec<_>>().join("|")
}

#[test]
fn every_test_has_a_line_and_a_failed_one_its_reason_and_its_log() {
    let folder = folder(&[
        ("1-skipped.json", r#", "expect": {"skipped": true}"#),
        (
            "2-locked.json",
            r#", "expect": {"locks": [{"Spec": {"Message": "yes?"}}], "alerts": []}"#,
        ),
        ("3-bad.json", r#", "expect": {"skiped": true}"#),
        ("4-data.json", ""),
    ]);
    let wasm = wat("tested");
    let output = test(folder.path(), &[wasm.to_str().unwrap(), "--timeout", "500ms"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""), "{output:?}");
    let shown = |name: &str| shown(&output, name);
    for name in ["test", "test_reads_fixture_1", "test_sees_its_requests", "test_store_once"] {
        assert_eq!(shown(name), format!("passed|{name}"));
    }
    assert_eq!(shown("test_store_twice"), "passed|test_store_twice", "the store is a fresh one");
    assert_eq!(shown("test_fails"), "FAILED|test_fails|failed: no luck!|INFO   a word..");
    assert!(shown("test_loops").starts_with("FAILED|test_loops|ran longer than 500ms"));
    let missing = shown("test_wants_fixture_7");
    assert!(missing.contains("there is no fixture 7; fixtures has 1-skipped, "), "{missing}");
    assert!(shown("fixture 1-skipped").starts_with("passed"));
    let locked = shown("fixture 2-locked");
    let differences = "FAILED|fixture 2-locked|locks[0].Spec.Message|expected  \"yes?\"|got       \
                       \"nope!\"|number of alerts|expected  0|got       1";
    assert!(locked.starts_with(differences), "{locked}");
    assert!(shown("fixture 3-bad").contains("3-bad.json: unknown field `skiped`"));
    assert!(!output.stdout.contains("fixture 4-data"), "it expects nothing");
    assert!(
        output.stdout.lines().last().unwrap().starts_with("6 passed, 6 failed, "),
        "{output:?}"
    );
}

#[test]
fn when_all_pass_the_exit_code_is_zero_and_logs_are_shown_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().join("events");
    fs::create_dir(&fixtures).unwrap();
    let text = fs::read_to_string(Path::new(documented()).join("1-user-create.json")).unwrap();
    let text = text.trim_end().strip_suffix('}').unwrap();
    let text = format!(r#"{text}, "expect": {{"skipped": false}}}}"#);
    fs::write(fixtures.join("1-user-create.json"), text).unwrap();
    let wasm = guest("rust", "dump");
    let args = [wasm.to_str().unwrap(), "--fixtures", "events"];
    let logged = "Event of type UserCreate received";
    let output = test(folder.path(), &args);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stdout.contains(logged), "{output:?}");
    let output = test(folder.path(), &[&args[..], &["-v"]].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains(logged), "{output:?}");
}

#[test]
fn the_walkthroughs_plugins_do_what_it_says_in_tests_without_code() {
    for (name, number, expect, repeat) in [
        ("skip", 2, r#"{"skipped": true}"#, 1),
        ("skip", 4, r#"{"skipped": false}"#, 1),
        (
            "change",
            3,
            r#"{"event": {"AccessRequestCreate": {"Annotations": {"seen-by-us": "yes"}}}}"#,
            1,
        ),
        ("count", 4, r#"{"locks": []}"#, 3),
        (
            "count",
            4,
            r#"{"locks": [{"Spec": {"Target": {"Login": "foo"}, "Message": "Suspicious login activity"}}]}"#,
            4,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = folder.path().join("fixtures");
        fs::create_dir(&fixtures).unwrap();
        let prefix = format!("{number}-");
        for file in fs::read_dir(documented()).unwrap() {
            let file = file.unwrap();
            let file_name = file.file_name().into_string().unwrap();
            if file_name.starts_with(&prefix) {
                let text = fs::read_to_string(file.path()).unwrap();
                let text = text.trim_end().strip_suffix('}').unwrap();
                let text = format!(r#"{text}, "repeat": {repeat}, "expect": {expect}}}"#);
                fs::write(fixtures.join(file_name), text).unwrap();
            }
        }
        let wasm = guest("rust", name);
        let output = test(folder.path(), &[wasm.to_str().unwrap()]);
        assert_eq!(output.code, Some(0), "{name} {expect}: {output:?}");
        assert!(output.stdout.contains("\n1 passed, 0 failed, "), "{output:?}");
    }
}

#[test]
fn nothing_to_test_is_a_failure_that_says_what_to_do() {
    let folder = folder(&[("1-data.json", "")]);
    let output = test(folder.path(), &[wat("echo").to_str().unwrap()]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("there is nothing to test"), "{output:?}");
    assert!(output.stderr.contains("add an `expect` to a fixture"), "{output:?}");
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let folder = folder(&[]);
    fs::write(folder.path().join("Cargo.toml"), "[features]\ntests = []").unwrap();
    let says = |args: &[&str], code: i32, part: &str| {
        let output = test(folder.path(), args);
        assert!(output.code == Some(code) && output.stderr.contains(part), "{part}: {output:?}");
    };
    let build = "cargo build --profile tests --features tests --target wasm32-unknown-unknown";
    says(&[], 1, build);
    says(&["target/wasm32-unknown-unknown/release/x.wasm"], 1, build);
    let wasm = wat("echo").display().to_string();
    says(&[&wasm, "--fixtures", "nowhere"], 2, "--fixtures nowhere is no folder");
    says(&[&wasm, "--secret", "x"], 2, "is not NAME=VALUE");
    let wasm = wat("unknown_import").display().to_string();
    says(&[&wasm], 1, "imports extism:host/user.not_there");
}
