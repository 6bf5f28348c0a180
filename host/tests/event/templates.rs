//! `host fixtures`: the walkthrough's commands.

use fixtures::{Launch, Output};
use std::fs;
use std::path::Path;

fn run(folder: &Path, args: &[&str]) -> Output {
    Launch::new(&[&["fixtures"], args].concat()).directory(folder).run()
}

#[test]
fn templates_are_listed_with_the_command_that_uses_them() {
    let folder = tempfile::tempdir().unwrap();
    let Output { code, stdout, stderr } = run(folder.path(), &["list-templates"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in [
        "host fixtures generate events.user_create <name> - Create user event (types.OneOf)",
        "host fixtures generate events.user_login <name> - User login event (types.OneOf)",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{stdout}");
    }
}

#[test]
fn a_fixture_is_generated_behind_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().join("fixtures");
    fs::create_dir(&fixtures).unwrap();
    fs::write(fixtures.join("4-failed-login.json"), "{}").unwrap();
    let output = run(folder.path(), &["generate", "events.user_create", "supervisor"]);
    assert_eq!(output.stdout, "Fixture generated: fixtures/5-supervisor.json\n", "{output:?}");
    let text = fs::read_to_string(fixtures.join("5-supervisor.json")).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(fixture["name"], "events.user_create");
    assert_eq!(fixture["data"]["UserCreate"]["Metadata"]["Type"], "user.create");
}

#[test]
fn what_cannot_be_generated_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["generate", "events.user_crate", "x"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("did you mean events.user_create?"), "{output:?}");
    let output = run(folder.path(), &["generate", "events.user_create", "//"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(!folder.path().join("fixtures").exists());
}
