//! Events from a file: the walkthrough, and what goes on where it was.

use crate::kit::{event, handler, lines};
use fixtures::{Launch, guest, wat};
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Longer than the host takes to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn events_pass_a_plugin_from_a_file_to_the_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let (alice, bob) = (event("user.login", "1", "alice"), event("user.login", "3", "bob"));
    let skipped = event("user.login", "2", "secret-santa");
    fs::write(&path, format!("{alice}\n\n{skipped}\n{bob}\n")).unwrap();
    let plugin = guest("rust", "skip");
    let (path, plugin) = (path.to_str().unwrap(), plugin.to_str().unwrap());
    let args = ["start", "--source", path, "--sink", "stdout", "--wasm-plugin", plugin];
    let output = handler(&args);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    // What no plugin has changed goes out byte for byte.
    assert_eq!(output.stdout, format!("{alice}\n{bob}\n"));
    assert!(output.stderr.contains("skipped=1"), "{}", output.stderr);
}

#[test]
fn several_plugins_see_what_the_one_before_has_made_of_it_and_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let all: Vec<_> = (0..2000).map(|n| event("user.login", &n.to_string(), "bob")).collect();
    fs::write(&path, all.join("\n")).unwrap();
    let config = folder.path().join("handler.toml");
    let plugin = |path: &Path, more: &str| format!("[[event-plugin]]\npath = {path:?}\n{more}\n");
    let text = plugin(&wat("echo"), "") + &plugin(&guest("rust", "touch"), "concurrency = 2");
    fs::write(&config, text).unwrap();
    let out = folder.path().join("out.ndjson");
    let (path, sink) = (path.to_str().unwrap(), format!("file:{}", out.display()));
    let config = config.to_str().unwrap();
    let output = handler(&["-c", config, "start", "--source", path, "--sink", &sink]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let expected: Vec<_> = all.iter().map(|it| it.replace(r#""local""#, r#""localx""#)).collect();
    assert_eq!(lines(&out), expected);
}

#[test]
fn a_plugin_that_fails_follows_its_on_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let event = event("user.login", "1", "bob");
    fs::write(&path, format!("{event}\n")).unwrap();
    let config = folder.path().join("handler.toml");
    let storage = folder.path().join("state");
    for (policy, code, out) in
        [("stop", 1, String::new()), ("pass", 0, event.clone() + "\n"), ("drop", 0, String::new())]
    {
        let table = format!("[[event-plugin]]\npath = {:?}\non-error = {policy:?}", wat("trap"));
        fs::write(&config, table).unwrap();
        let (config, source) = (config.to_str().unwrap(), path.to_str().unwrap());
        let mut args = vec!["start", "-c", config, "--source", source, "--sink", "stdout"];
        // What stops it comes again; what it drops or passes is done.
        args.extend(["--storage", storage.to_str().unwrap()]);
        let output = handler(&args);
        assert_eq!((output.code, output.stdout), (Some(code), out), "{policy}: {}", output.stderr);
        if policy == "pass" {
            fs::remove_dir_all(&storage).unwrap();
        }
    }
}

#[test]
fn a_file_goes_on_where_it_was_and_lines_that_are_none_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (path, storage) = (folder.path().join("events.ndjson"), folder.path().join("state"));
    let (source, storage) = (path.to_str().unwrap(), storage.to_str().unwrap());
    let run = || handler(&["start", "--source", source, "--sink", "stdout", "--storage", storage]);
    let [one, two, three] = ["1", "2", "3"].map(|uid| event("user.login", uid, "bob"));
    fs::write(&path, format!("{one}\nnonsense\n[]\n{}", &two[..20])).unwrap();
    let output = run();
    assert_eq!((output.code, output.stdout), (Some(0), format!("{one}\n")), "{}", output.stderr);
    assert_eq!(output.stderr.matches("is no JSON object").count(), 2, "{}", output.stderr);
    assert!(output.stderr.contains("the last line is not whole yet"), "{}", output.stderr);
    fs::write(&path, format!("{one}\nnonsense\n[]\n{two}\n{three}")).unwrap();
    assert_eq!(run().stdout, format!("{two}\n{three}\n"));
    assert_eq!(run().stdout, "");
}

#[test]
fn types_are_chosen_and_the_standard_input_ends_with_its_last_line() {
    let args = ["event-handler", "start", "--source", "-", "--sink", "stdout"];
    let types = ["--types", "user.login,session.start", "--skip-event-types=session.start"];
    let kinds = ["session.start", "user.login", "cert.create"];
    let input = kinds.map(|kind| event(kind, kind, "bob") + "\n").concat();
    let output = Launch::new(&[&args[..], &types].concat()).input(input).run();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stdout, event("user.login", "user.login", "bob") + "\n");
}

/// Waits until somebody has opened a pipe to read from it.
fn writer(fifo: &Path) -> File {
    let (opening, opened) = channel();
    let fifo = fifo.to_owned();
    thread::spawn(move || opening.send(OpenOptions::new().write(true).open(fifo)));
    opened.recv_timeout(LIMIT).expect("nobody has opened the pipe").unwrap()
}

#[test]
fn two_cannot_have_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (source, storage) = (fifo.to_str().unwrap(), folder.path().join("state"));
    let args = ["event-handler", "start", "--source", source, "--sink", "stdout"];
    let args = [&args[..], &["--storage", storage.to_str().unwrap(), "-d"]].concat();
    let first = Launch::new(&args).begin();
    let writer = writer(&fifo);
    let second = Launch::new(&args).run();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("is used by another host"), "{}", second.stderr);
    drop(writer);
    assert_eq!(first.wait().code(), Some(0), "{}", first.log());
}
