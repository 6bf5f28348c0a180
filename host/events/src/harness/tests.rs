use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

const LOGIN: &str = r#""UserLogin": {"Metadata": {"Type": "user.login"}, "User": {"User": "foo"}}"#;

/// A folder with these fixtures, numbered from 1; each has what is given beside its data.
fn fixtures(more: &[&str]) -> Fixtures {
    let folder = tempfile::tempdir().unwrap();
    for (index, more) in more.iter().enumerate() {
        let text = format!(r#"{{"data": {{{LOGIN}}}{more}}}"#);
        fs::write(folder.path().join(format!("{}-login.json", index + 1)), text).unwrap();
    }
    Fixtures::read(folder.path()).unwrap()
}

/// Each guest is compiled once: a debug build of the compiler takes its time.
fn cache() -> PathBuf {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        let config = format!("[cache]\ndirectory = {code:?}\n");
        fs::write(folder.path().join("wasmtime.toml"), config).unwrap();
        folder
    });
    FOLDER.path().join("wasmtime.toml")
}

async fn harness(wasm: &Path, more: &[&str]) -> Harness {
    let manifest = Manifest { timeout: Duration::from_millis(500), ..Manifest::new(wasm) };
    Harness::new(manifest, fixtures(more), Some(cache())).await.unwrap()
}

/// The verdict on a fixture with this `expect`, about a plugin that is written in WebAssembly text.
async fn verdict(guest: &str, more: &str) -> Verdict {
    let harness = harness(&fixtures::wat(guest), &[more]).await;
    harness.run(&Test::Fixture(1, String::new())).await
}

fn different(at: &str, expected: &str, got: &str) -> Verdict {
    Verdict::Different(vec![Difference::new(at, expected, got)])
}

#[tokio::test]
async fn a_plugins_own_tests_each_have_what_they_need_and_nothing_of_each_other() {
    let harness = harness(&fixtures::wat("tested"), &["", r#", "expect": {}"#]).await;
    let tests = harness.tests();
    let names: Vec<_> = tests.iter().map(ToString::to_string).collect();
    let expected = [
        "test",
        "test_reads_fixture_1",
        "test_sees_its_requests",
        "test_store_once",
        "test_store_twice",
        "test_fails",
        "test_loops",
        "test_traps",
        "test_wants_fixture_7",
        "fixture 2-login",
    ];
    assert_eq!(names, expected);
    for test in &tests {
        let verdict = harness.run(test).await;
        let failure = match test.to_string().as_str() {
            "test_fails" => Some("no luck!"),
            "test_loops" => Some("ran longer than 500ms"),
            "test_traps" => Some("unreachable"),
            "test_wants_fixture_7" => Some("there is no fixture 7; "),
            _ => None,
        };
        match (failure, &verdict) {
            (None, Verdict::Passed) => {}
            (Some(part), Verdict::Failed(reason)) => assert!(reason.contains(part), "{reason}"),
            _ => panic!("{test}: {verdict:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_fixture_expects_is_compared() {
    for (guest, more, expected) in [
        ("echo", r#", "expect": {}"#, Verdict::Passed),
        ("echo", r#", "expect": {"skipped": false, "locks": [], "alerts": []}"#, Verdict::Passed),
        (
            "echo",
            r#", "expect": {"event": {"UserLogin": {"User": {"User": "foo", "Login": ""}}}}"#,
            Verdict::Passed,
        ),
        (
            "echo",
            r#", "expect": {"skipped": true}"#,
            different("event", "it is skipped", "it goes on"),
        ),
        (
            "echo",
            r#", "expect": {"event": {"UserLogin": {"User": {"User": "bar"}, "Method": null}}}"#,
            different("event.UserLogin.User.User", "\"bar\"", "\"foo\""),
        ),
        (
            "echo",
            r#", "expect": {"event": {"UserLogin": {"MFADevice": {"DeviceName": "x"}}}}"#,
            different("event.UserLogin.MFADevice", r#"{"DeviceName":"x"}"#, "nothing"),
        ),
        (
            "echo",
            r#", "expect": {"event": {"UserCreate": {}}}"#,
            different("event", "UserCreate", "UserLogin"),
        ),
        ("echo", r#", "expect": {"error": "no"}"#, different("error", "\"no\"", "no error")),
        ("error", r#", "expect": {"error": "luck"}"#, Verdict::Passed),
        (
            "error",
            r#", "expect": {"error": "disk"}"#,
            different("error", "\"disk\"", "\"failed: no luck!\""),
        ),
        ("error", r#", "expect": {}"#, Verdict::Failed("the plugin failed: no luck!".to_owned())),
        ("tested", r#", "expect": {"skipped": true}"#, Verdict::Passed),
        (
            "tested",
            r#", "expect": {"skipped": false}"#,
            different("event", "an event that goes on", "it was skipped"),
        ),
        (
            "tested",
            r#", "expect": {"locks": [{"Spec": {"Target": {"User": "foo"}}}],
                "alerts": [{"Message": "hey!", "Severity": "SEVERITY_HIGH"}]}"#,
            Verdict::Passed,
        ),
        (
            "tested",
            r#", "expect": {"locks": [{"Spec": {"Target": {"User": "bar"}, "Message": "nope!"}}]}"#,
            different("locks[0].Spec.Target.User", "\"bar\"", "\"foo\""),
        ),
        (
            "tested",
            r#", "repeat": 2, "expect": {"locks": [{}]}"#,
            different("number of locks", "1", "2"),
        ),
        ("tested", r#", "expect": {"alerts": []}"#, different("number of alerts", "0", "1")),
        (
            "tested",
            r#", "expect": {"alerts": [{"Severity": 0}]}"#,
            different("alerts[0].Severity", "\"SEVERITY_INFO\"", "\"SEVERITY_HIGH\""),
        ),
    ] {
        assert_eq!(verdict(guest, more).await, expected, "{guest} {more}");
    }
}

#[tokio::test]
async fn what_a_plugin_must_not_do_fails_a_fixture_and_its_test_ends() {
    for (guest, part) in [
        ("loop", "ran longer than 500ms"),
        ("trap", "the plugin trapped"),
        ("garbage", "the plugin returned"),
        ("empty", "it reports no success, and no error"),
        ("no_export", "exports none of handle_event"),
    ] {
        let Verdict::Failed(reason) = verdict(guest, r#", "expect": {}"#).await else {
            panic!("{guest} passed")
        };
        assert!(reason.contains(part), "{guest}: {reason}");
    }
}

#[tokio::test]
async fn a_fixture_that_cannot_be_used_is_a_failed_test() {
    let harness = harness(&fixtures::wat("echo"), &[r#", "expct": {}"#]).await;
    let tests = harness.tests();
    assert_eq!(tests, [Test::Fixture(1, "1-login".to_owned())]);
    let Verdict::Failed(reason) = harness.run(&tests[0]).await else { panic!("it passed") };
    assert!(reason.contains("1-login.json: unknown field `expct`"), "{reason}");
}

#[tokio::test]
async fn a_plugin_that_cannot_be_loaded_is_an_error_at_once() {
    let load = async |guest: &str| {
        let manifest = Manifest::new(fixtures::wat(guest));
        Harness::new(manifest, Fixtures::default(), None).await.err().unwrap().to_string()
    };
    assert!(load("unknown_import").await.contains("imports extism:host/user.not_there"));
}
