//! Shadows of the running host: shown, promoted or not, rolled back, and what a reload and a restart
//! make of them. What differs, and that nobody sees a candidate, is for the tests of host-proxy.

use crate::kit::{Running, marked, put};
use fixtures::{Host, Upstream, get, library};
use std::fs;
use tempfile::TempDir;

/// A folder with two files of the same plugin, whose configuration makes versions of it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one.so", "two.so"] {
        fs::copy(library("versions"), folder.path().join(name)).unwrap();
    }
    folder
}

/// A host with version 1, and version 2 as its shadow.
fn start(flags: &[&str]) -> Running {
    let folder = folder();
    let file = |name: &str, version: u32| {
        format!("{}={{\"version\": \"{version}\"}}", folder.path().join(name).display())
    };
    let mut args = vec![
        format!("--pre-plugin={}", file("one.so", 1)),
        format!("--shadow={}", file("two.so", 2)),
    ];
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Running::with(folder, Upstream::echo(), args)
}

/// A host whose configuration file has version 1, and what a test adds.
fn start_with(more: &str) -> Running {
    let folder = folder();
    write(&folder, more);
    let config = format!("--config={}", folder.path().join("host.toml").display());
    Running::with(folder, Upstream::echo(), vec![config, "--no-watch".to_owned()])
}

fn write(folder: &TempDir, more: &str) {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let more = more.replace("two.so", &file("two.so"));
    let one = format!("[[pre-plugin]]\npath = '{}'\nconfig.version = '1'\n", file("one.so"));
    fs::write(folder.path().join("host.toml"), format!("shadow-least = 1\n{one}{more}")).unwrap();
}

const SHADOW: &str = "[[shadow]]\npath = 'two.so'\nconfig.version = '2'\n";

/// Asks a version for something; what header the upstream then sees.
fn ask(it: &Running, version: u32, wish: &str) -> Option<String> {
    let reply = get(it.host.address(), "/path", &[(&format!("x-do-{version}"), wish)]);
    assert_eq!(reply.status, 200, "{}", it.host.log());
    it.upstream.last().header("x-version").map(str::to_owned)
}

/// Which version is in use.
fn version(it: &Running) -> u32 {
    let versions = [1, 2].into_iter().filter(|version| ask(it, *version, "header").is_some());
    let versions: Vec<_> = versions.collect();
    let [version] = versions[..] else { panic!("one version is in use, not {versions:?}") };
    version
}

fn shadow(it: &Running) -> serde_json::Value {
    it.status()["shadows"][0].clone()
}

#[test]
fn a_shadow_is_shown_promoted_and_rolled_back() {
    let it = start(&["--shadow-least=4", "--shadow-limit=0.1"]);
    for _ in 0..3 {
        ask(&it, 2, "");
    }
    let said = it.declined(&["promote"]);
    assert!(said.contains("it was compared on 3 requests so far, and 4 are asked"), "{said}");
    let shown = shadow(&it);
    assert_eq!((&shown["requests"], &shown["differed"]), (&3.into(), &0.into()), "{shown:#}");
    let plugin = &shown["plugin"];
    assert_eq!((&plugin["name"], &plugin["state"]), (&"versions".into(), &"shadow".into()));
    assert_eq!(shown["compared_with"], it.plugin("pre")["id"]);

    assert_eq!(ask(&it, 2, "header"), None, "nobody sees it");
    let said = it.declined(&["promote"]);
    for part in [
        "it differed on 1 of 4 requests (25 %), and 10 % are allowed",
        "header x-version (1)",
        "GET /path: header x-version: none / \"2\"",
        "--force",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(shadow(&it)["what"], serde_json::json!([["header x-version", 1]]));
    let text = it.told(&["status"]);
    let line = format!("SHADOW versions 0.1.0 (pre), no. {}, beside versions", plugin["id"]);
    assert!(text.contains(&line), "{line} is not in {text}");

    let said = it.told(&["promote", "--force"]);
    assert!(said.contains("two.so") || said.contains("is now versions 0.1.0"), "{said}");
    assert_eq!(version(&it), 2);
    assert_eq!(it.plugin("pre")["id"], plugin["id"], "it is the same object");
    assert_eq!(it.status()["shadows"], serde_json::json!([]));
    assert!(it.declined(&["promote"]).contains("there is no shadow to promote"));

    it.told(&["rollback"]);
    assert_eq!(version(&it), 1);
}

/// Else one that differs would pass beside a plugin that is not called.
#[test]
fn beside_a_plugin_that_is_disabled_there_is_nothing_to_compare_with() {
    let it = start(&[]);
    let id = it.plugin("pre")["id"].to_string();
    it.told(&["disable", &id]);
    for _ in 0..3 {
        ask(&it, 1, "");
    }
    it.told(&["enable", &id]);
    ask(&it, 1, "");
    it.until("a comparison", || shadow(&it)["requests"] != 0);
    assert_eq!(shadow(&it)["requests"], 1, "{:#}", shadow(&it));
}

#[test]
fn one_that_agrees_is_promoted_without_force() {
    let it = start(&["--shadow-least=20", "--shadow-sample=1", "--shadow-limit=0"]);
    for _ in 0..20 {
        ask(&it, 2, "wait");
    }
    it.told(&["promote"]);
    assert_eq!(version(&it), 2);
}

#[test]
fn a_patch_is_promoted_to_the_place_of_the_built_in_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let patch = format!("--shadow={}", library("reverse-proxy-patch").display());
    let it = Running::with(folder, Upstream::echo(), vec![patch, "--prefix=/prefix".to_owned()]);
    let target = || {
        get(it.host.address(), "/prefix/get", &[]);
        it.upstream.last().target
    };
    assert_eq!(target(), "/prefix/get");
    assert!(it.declined(&["promote"]).contains("path: \"/prefix/get\" / \"/get\""));
    it.told(&["promote", "--force"]);
    assert_eq!(target(), "/get");
    it.told(&["rollback"]);
    assert_eq!(target(), "/prefix/get");
}

#[test]
fn a_reload_adds_shadows_keeps_them_and_takes_them_away() {
    let it = start_with("");
    assert!(it.declined(&["promote"]).contains("there is no shadow"));
    write(&it.folder, SHADOW);
    assert!(it.told(&["reload"]).contains("is a shadow at pre"));
    ask(&it, 2, "");
    it.until("the comparison", || shadow(&it)["requests"] == 1);
    let before = shadow(&it);
    it.told(&["reload"]);
    assert_eq!(shadow(&it)["plugin"]["id"], before["plugin"]["id"], "it goes on");
    // Another content is another candidate.
    let mut bytes = fs::read(it.file("two.so")).unwrap();
    bytes.extend_from_slice(b"another");
    put(&it.file("two.so"), &bytes);
    it.told(&["reload"]);
    let after = shadow(&it);
    assert_ne!(after["plugin"]["sha256"], before["plugin"]["sha256"]);
    assert_eq!(after["requests"], 0, "it has seen nothing yet");
    put(&it.file("two.so"), b"not a library");
    assert!(it.declined(&["reload"]).contains("the shadow is not usable: "));
    assert_eq!(shadow(&it)["plugin"]["id"], after["plugin"]["id"], "nothing has changed");
    write(&it.folder, "");
    assert!(it.told(&["reload"]).contains("is no shadow any more"));
    assert_eq!(it.status()["shadows"], serde_json::json!([]));
}

#[test]
fn a_promotion_outlives_reloads_and_restarts_as_long_as_it_is_asked_for() {
    let it = start_with(SHADOW);
    ask(&it, 2, "");
    it.told(&["promote"]);
    let id = it.plugin("pre")["id"].clone();
    it.told(&["reload"]);
    assert_eq!((version(&it), &it.plugin("pre")["id"]), (2, &id));
    assert_eq!(it.status()["shadows"], serde_json::json!([]), "it is no shadow of itself");
    assert!(it.host.stop().success());
    let it = it.again();
    assert_eq!((version(&it), &it.status()["shadows"]), (2, &serde_json::json!([])));
    // Whoever takes the shadow out of the configuration has not put it in.
    write(&it.folder, "");
    it.told(&["reload"]);
    assert_eq!(version(&it), 1);
}

#[test]
fn of_several_shadows_the_one_that_is_meant_is_promoted() {
    let page =
        "[[shadow]]\npath = 'two.so'\nplace = 'error_page'\nconfig.version = '3 error_page'\n";
    let it = start_with(&format!("{SHADOW}{page}"));
    ask(&it, 2, "");
    let said = it.declined(&["promote", "--force"]);
    let ids: Vec<_> = (0..2).map(|at| it.status()["shadows"][at]["plugin"]["id"].clone()).collect();
    for (id, place) in ids.iter().zip(["pre", "error_page"]) {
        let one = format!("{id} (versions 0.1.0 at {place})");
        assert!(said.contains("say which one") && said.contains(&one), "{one}: {said}");
    }
    assert!(it.declined(&["promote", "9999"]).contains("no shadow has the number 9999"));
    it.told(&["promote", &ids[1].to_string(), "--force"]);
    assert_eq!((version(&it), &it.plugin("error_page")["id"]), (1, &ids[1]));
    assert_eq!(shadow(&it)["plugin"]["id"], ids[0], "the other one goes on");
    it.told(&["promote", "--force"]);
    assert_eq!(version(&it), 2);
}

#[test]
fn a_shadow_s_file_that_is_broken_shows_in_the_status() {
    let it = start(&[]);
    put(&it.file("two.so"), b"broken");
    it.until("the note", || {
        let notes = it.status()["notes"].to_string();
        notes.contains("two.so") && notes.contains("as a shadow it is not taken")
    });
    fs::copy(library("versions"), it.file("two.so")).unwrap();
    it.until("its end", || it.status()["notes"] == serde_json::json!([]));
}

#[test]
fn two_shadows_of_one_plugin_are_refused() {
    let it = start_with(SHADOW);
    write(&it.folder, &format!("{SHADOW}[[shadow]]\npath = 'two.so'\nconfig.version = '3'\n"));
    let said = it.declined(&["reload"]);
    assert!(said.contains("are both shadows of the PRE plugin "), "{said}");
    assert_eq!(it.status()["shadows"].as_array().unwrap().len(), 1);
}

#[test]
fn a_module_cannot_be_a_shadow_and_is_told_so() {
    let it = start_with("");
    put(&it.file("new.wasm"), b"\0asm\x01\0\0\0");
    let path = it.file("new.wasm");
    write(&it.folder, &format!("[[shadow]]\npath = '{}'\n", path.display()));
    let said = it.declined(&["reload"]);
    assert!(said.contains("new.wasm: a module in WebAssembly cannot be a shadow"), "{said}");
    assert_eq!(it.status()["shadows"], serde_json::json!([]));
}

/// The configuration that goes with the file is another one than the candidate's.
#[test]
fn a_promotion_stays_when_the_file_under_it_is_refused_or_removed() {
    let it = start(&[]);
    it.told(&["promote", "--force"]);
    let id = it.plugin("pre")["id"].clone();
    fs::create_dir(it.file("patches")).unwrap();
    let mut patch = 0;
    let mut another_file_changes = || {
        patch += 1;
        put(&it.file("patches/reverse_proxy.so"), &marked("marked-patch", patch));
        it.until_logged("Loading patched reverse_proxy module", patch as usize);
    };
    put(&it.file("one.so"), b"broken");
    it.until_logged("reload refused", 1);
    another_file_changes();
    assert_eq!((version(&it), &it.plugin("pre")["id"]), (2, &id));
    fs::remove_file(it.file("one.so")).unwrap();
    it.until_logged("reload refused", 2);
    another_file_changes();
    assert_eq!((version(&it), &it.plugin("pre")["id"]), (2, &id));
    // Nor does a host that was killed forget it.
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    put(&it.file("one.so"), b"broken");
    let it = it.again();
    it.host.wait_for_log("is taken from the copy");
    assert_eq!(version(&it), 2);
}

#[test]
fn what_a_candidate_logs_says_so() {
    let it = start(&[]);
    let registers = it.host.wait_for_log("version 2 registers");
    assert!(registers.contains("shadow=true"), "{registers}");
    let registers = it.host.wait_for_log("version 1 registers");
    assert!(!registers.contains("shadow"), "{registers}");
    ask(&it, 2, "log");
    let line = it.host.wait_for_log("version 2 was here");
    assert!(line.contains("shadow=true") && line.contains("/path"), "{line}");
    it.told(&["promote", "--force"]);
    ask(&it, 2, "log");
    it.until_logged("version 2 was here", 2);
    let log = it.host.log();
    let last = log.lines().rfind(|line| line.contains("version 2 was here")).unwrap();
    assert!(!last.contains("shadow"), "{last}");
}

#[test]
fn what_cannot_be_meant_stops_the_start() {
    let target = "--target=http://127.0.0.1:1";
    let versions = library("versions").display().to_string();
    let shadow = format!("--shadow={versions}={{\"version\": \"2\"}}");
    for (args, code, part) in [
        (vec!["--shadow-sample=2"], 2, "--shadow-sample 2: a share is from 0 to 1"),
        (vec!["--shadow-deadline=0s"], 2, "--shadow-deadline cannot be 0"),
        (vec![&*shadow], 2, "say where it would stand: --shadow pre="),
        (vec!["--shadow=/nowhere.so"], 1, "no plugin \"/nowhere.so\""),
    ] {
        let output = Host::fails(&[&[target], &args[..]].concat());
        assert!(output.stderr.contains(part), "{part} is not in {output:?}");
        assert_eq!(output.code, Some(code), "{args:?}: {output:?}");
    }
}
