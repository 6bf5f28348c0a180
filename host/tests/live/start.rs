//! What a start makes of the record of the last run, and of the copies.

use crate::kit::{Running, marked, plugin, put};
use fixtures::{Host, Launch, Upstream, library};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn after_an_orderly_end_what_does_not_load_stops_the_start() {
    let it = Running::start(&[]);
    assert!(it.host.stop().success());
    put(&it.file("a.so"), b"broken");
    let output = it.fails_again();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("the PRE plugin is not usable: "), "{output:?}");
}

#[test]
fn after_a_kill_the_copies_do_in_place_of_files_that_do_not_load() {
    let it = Running::start(&[]);
    fs::create_dir(it.file("patches")).unwrap();
    put(&it.file("patches/reverse_proxy.so"), &marked("marked-patch", 1));
    it.until_logged("Loading patched reverse_proxy module", 1);
    it.until("the record", || {
        fs::read_to_string(it.file("state/plugins.json")).unwrap().contains("reverse_proxy")
    });
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    put(&it.file("a.so"), b"broken");
    put(&it.file("patches/reverse_proxy.so"), b"broken, too");
    let it = it.again();
    let line = it.host.wait_for_log("is taken from the copy");
    assert!(line.contains("ERROR") && line.contains("the PRE plugin is not usable: "), "{line}");
    assert_eq!(it.mark().mark, 1);
    assert_eq!(it.upstream.last().header("x-patch"), Some("00001"));
    // A file that is gone, and a folder that nobody can read anything from.
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::remove_file(it.file("a.so")).unwrap();
    put(&it.file("patches/reverse_prxy.so"), b"no point");
    let it = it.again();
    it.host.wait_for_log("the patches that were in use before are used");
    assert_eq!(it.mark().mark, 1);
    assert_eq!(it.upstream.last().header("x-patch"), Some("00001"));
    // What loads, but not in its place.
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::remove_file(it.file("patches/reverse_prxy.so")).unwrap();
    put(&it.file("patches/reverse_proxy.so"), &marked("marked", 5));
    let it = it.again();
    it.host.wait_for_log("what was in use before is used");
    assert_eq!((it.mark().mark, it.upstream.last().header("x-patch")), (1, Some("00001")));
}

/// As after a reload that was refused, or a change of the configuration in a hurry.
#[test]
fn after_a_kill_what_is_new_and_does_not_load_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    put(&file("a.so"), &marked("marked", 1));
    put(&file("broken.so"), b"broken");
    put(&file("broken.wasm"), b"broken");
    put(&file("patch.so"), &marked("marked-patch", 1));
    let table = |kind: &str, name: &str| format!("[[{kind}]]\npath = '{}'\n", file(name).display());
    let good = table("pre-plugin", "a.so") + "config.name = 'a'\n";
    fs::write(file("host.toml"), format!("events = 'log'\n{good}")).unwrap();
    let config = format!("--config={}", file("host.toml").display());
    let more = [
        ("pre-plugin", "broken.so"),
        ("post-plugin", "gone.so"),
        ("event-plugin", "broken.wasm"),
        ("shadow", "broken.so"),
    ];
    let more: String = more.into_iter().map(|(kind, name)| table(kind, name)).collect();
    let misplaced = table("post-plugin", "patch.so");
    let it = Running::with(folder, Upstream::echo(), vec![config]);
    assert_eq!(it.mark().mark, 1);
    fs::write(it.file("host.toml"), format!("events = 'log'\n{good}{more}")).unwrap();
    it.declined(&["reload"]);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    let it = it.again();
    assert_eq!(it.mark().mark, 1);
    assert_eq!(it.logged("and starts without it"), 3, "{}", it.host.log());
    assert_eq!(it.logged("as a shadow it is not taken"), 1, "{}", it.host.log());
    // What loads, but not in its place.
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::write(it.file("host.toml"), format!("events = 'log'\n{good}{misplaced}")).unwrap();
    let it = it.again();
    it.host.wait_for_log("patch.so was not in use before; ");
    assert_eq!(it.mark().mark, 1);
    // After an orderly end it is asked for in earnest.
    assert!(it.host.stop().success());
    assert_eq!(it.fails_again().code, Some(1));
}

#[test]
fn after_a_kill_an_authenticator_that_does_not_load_stops_the_start() {
    let it = Running::start(&[]);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    fs::create_dir(it.file("patches")).unwrap();
    put(&it.file("patches/authenticator.so"), b"broken");
    let output = it.fails_again();
    assert!(output.stderr.contains("the patch of authenticator is not usable"), "{output:?}");
}

#[test]
fn a_copy_that_is_damaged_does_not_do() {
    let it = Running::start(&[]);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    put(&it.file("a.so"), b"broken");
    for copy in fs::read_dir(it.file("state/plugins")).unwrap() {
        let copy = copy.unwrap().path();
        fs::remove_file(&copy).unwrap();
        fs::write(&copy, marked("marked", 9)).unwrap();
    }
    assert_eq!(it.fails_again().code, Some(1));
}

#[test]
fn copies_that_nothing_names_are_removed_at_the_start() {
    let it = Running::start(&[]);
    for mark in 2..5 {
        put(&it.file("a.so"), &marked("marked", mark));
        it.until_mark(mark);
    }
    let copies = |it: &Running| fs::read_dir(it.file("state/plugins")).unwrap().count();
    assert_eq!(copies(&it), 4);
    assert!(it.host.stop().success());
    let it = it.again();
    assert_eq!((copies(&it), it.mark().mark), (1, 4));
}

#[test]
fn a_state_folder_that_others_may_write_in_is_refused_unless_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    put(&folder.path().join("a.so"), &marked("marked", 1));
    let args = |more: &[&str]| {
        let mut args = vec![
            "--target=http://127.0.0.1:1".to_owned(),
            format!("--state={}", state.display()),
            plugin(&folder.path().join("a.so"), "a"),
        ];
        args.extend(more.iter().map(|it| (*it).to_owned()));
        args
    };
    let output = Launch::new(&args(&[])).directory(folder.path()).fails();
    assert!(output.stderr.contains("other users may write in the folder"), "{output:?}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing was loaded");
    let host = Launch::new(&args(&["--allow-world-writable"])).directory(folder.path()).start();
    let mode = state.join("plugins").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let output = Host::run(&["reload", &format!("--state={}", state.display())]);
    assert_eq!(output.code, Some(0), "{output:?}");
    drop(host);
}

#[test]
fn a_start_that_fails_at_last_is_no_kill() {
    let it = Running::start(&["--no-watch"]);
    let clean = |it: &Running| {
        let record = fs::read_to_string(it.file("state/plugins.json")).unwrap();
        record.contains("\"clean\": true")
    };
    assert!(it.host.stop().success());
    assert!(clean(&it));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("--admin={}", taken.local_addr().unwrap());
    let args = [
        "--target=http://127.0.0.1:1".to_owned(),
        format!("--state={}", it.file("state").display()),
        plugin(&it.file("a.so"), "a"),
        admin,
    ];
    let output = Launch::new(&args).directory(it.folder.path()).fails();
    assert!(output.stderr.contains("--admin"), "{output:?}");
    assert!(clean(&it), "the next start is strict");
}

/// A plugin that is being loaded may take long; the end does not wait for it, and the record of the end is
/// the last.
#[test]
fn a_change_that_hangs_does_not_keep_the_host_from_its_end() {
    let it = Running::start(&["--no-watch", "--drain-delay=0s", "--register-timeout=60s"]);
    put(&it.file("a.so"), &fs::read(library("hangs-in-register")).unwrap());
    thread::scope(|scope| {
        let told = scope.spawn(|| it.tell(&["reload"]));
        // It was copied, and is about to register.
        let copies = || fs::read_dir(it.file("state/plugins")).unwrap().flatten();
        let libraries = || copies().filter(|it| it.path().extension().is_some_and(|it| it == "so"));
        it.until("the copy", || libraries().count() == 2);
        let begin = Instant::now();
        assert!(it.host.stop().success());
        assert!(begin.elapsed() < Duration::from_secs(30), "it has waited for the plugin");
        told.join().unwrap();
    });
    let record = fs::read_to_string(it.file("state/plugins.json")).unwrap();
    assert!(record.contains("\"clean\": true"), "{record}");
}
