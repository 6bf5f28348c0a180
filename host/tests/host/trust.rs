//! Which plugins are loaded: hashes, signatures, and who may write where they are.

use crate::{assert_ends, folder_of};
use fixtures::{Host, Launch, Output, Upstream, get, library, wat};
use host_proxy::native::sha256;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TARGET: &str = "--target=http://127.0.0.1:1";

/// A folder with a plugin of each kind, a trust file, and keys.
struct Place {
    folder: TempDir,
}

/// The kinds of plugin, each with the flag that loads it.
const KINDS: [(&str, &str); 2] = [("plugin.so", "--pre-plugin"), ("plugin.wasm", "--event-plugin")];

impl Place {
    fn new() -> Self {
        let folder = folder_of(&[
            ("plugin.so", &library("noop-plugin")),
            ("plugin.wasm", &wat("echo")),
            ("other.so", &library("set-header")),
        ]);
        fs::write(folder.path().join("trust"), "# nothing yet\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path as the log has it.
    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs a command in the folder, which must succeed; what it says.
    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{args:?}");
        output.stdout
    }

    fn try_run(&self, args: &[&str]) -> Output {
        Launch::new(args).directory(self.folder.path()).run()
    }

    fn trust(&self, args: &[&str]) -> String {
        self.run(&[&["trust", "--plugin-trust=trust"], args].concat())
    }

    /// Makes a key without a password.
    fn key(&self, name: &str) {
        self.run(&["sign", "--generate", "--no-password", "--key", &format!("{name}.key")]);
    }

    fn sign(&self, name: &str, plugin: &str) {
        self.run(&["sign", "--key", &format!("{name}.key"), plugin]);
    }

    fn args(&self, (plugin, flag): (&str, &str)) -> Vec<String> {
        let trust = format!("--plugin-trust={}", self.shown("trust"));
        vec![trust, flag.to_owned(), self.shown(plugin)]
    }

    fn loads(&self, kind: (&str, &str)) {
        let upstream = Upstream::echo();
        let mut args = self.args(kind);
        args.push(format!("--target={}", upstream.url()));
        let host = Host::start(&args);
        assert_eq!(get(host.address(), "/", &[]).status, 200);
    }

    /// Checks that the host does not start with a plugin, and says this about it in one line.
    fn refused(&self, kind: (&str, &str), parts: &[&str]) {
        let mut args = self.args(kind);
        args.push(TARGET.to_owned());
        let place = format!("{}: refused: it is not trusted: ", self.shown(kind.0));
        assert_ends(&Host::fails(&args), 1, &[&[place.as_str()], parts].concat());
    }
}

#[test]
fn what_the_file_does_not_allow_is_not_loaded_and_the_line_says_how_to_allow_it() {
    let place = Place::new();
    let trust = place.shown("trust");
    for kind in KINDS {
        let file = place.path(kind.0);
        let hash = sha256(&fs::read(&file).unwrap());
        let has_not = format!("{trust} does not have its SHA-256 {hash}");
        let missing = format!("there is no {}.minisig", file.display());
        let add = format!("host trust add {} --plugin-trust {trust}", file.display());
        place.refused(kind, &[&has_not, &missing, &add]);
        // The line means what it says.
        let added = place.run(&add.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(added, format!("{trust} allows sha256 {hash}\n"));
        place.loads(kind);
    }
}

#[test]
fn a_plugin_that_was_changed_is_not_the_one_that_was_allowed() {
    let place = Place::new();
    for kind in KINDS {
        place.trust(&["add", kind.0]);
        let mut content = fs::read(place.path(kind.0)).unwrap();
        content.push(0);
        fs::write(place.path(kind.0), content).unwrap();
        place.refused(kind, &["does not have its SHA-256"]);
    }
}

#[test]
fn a_signature_by_a_trusted_key_is_enough() {
    let place = Place::new();
    place.key("release");
    place.trust(&["add", "release.pub"]);
    for kind in KINDS {
        place.sign("release", kind.0);
        place.loads(kind);
    }
}

#[test]
fn a_signature_by_another_key_is_not() {
    let place = Place::new();
    place.key("release");
    place.key("another");
    place.trust(&["add", "release.pub"]);
    let listed = place.run(&["trust", "add", "another.pub", "--plugin-trust=unused"]);
    let id = listed.split(' ').nth(3).unwrap();
    for kind in KINDS {
        place.sign("another", kind.0);
        let words = format!("{}.minisig is by the key {id}, which is not there", kind.0);
        place.refused(kind, &[&words, "host trust add KEY.pub --plugin-trust"]);
    }
}

#[test]
fn the_signature_of_another_file_is_not() {
    let place = Place::new();
    place.key("release");
    place.trust(&["add", "release.pub"]);
    place.sign("release", "other.so");
    for kind in KINDS {
        let signature = place.path(&format!("{}.minisig", kind.0));
        fs::copy(place.path("other.so.minisig"), signature).unwrap();
        place.refused(kind, &["is of another content; get both anew, or sign again: host sign "]);
    }
}

#[test]
fn a_damaged_signature_is_not() {
    let place = Place::new();
    place.key("release");
    place.trust(&["add", "release.pub"]);
    for kind in KINDS {
        fs::write(place.path(&format!("{}.minisig", kind.0)), "untrusted comment: \nRU").unwrap();
        let words = format!("{}.minisig is damaged; get it anew, or sign again", kind.0);
        place.refused(kind, &[&words]);
    }
}

/// Whatever is wrong with the file, it allows nothing: not to load plugins as if there were none.
#[test]
fn a_trust_file_that_cannot_be_used_stops_the_start() {
    let place = Place::new();
    let trust = place.shown("trust");
    let fails = |parts: &[&str]| {
        let usage = [&["--plugin-trust cannot be used: the trust file", &trust], parts].concat();
        assert_ends(&Host::fails(&[TARGET, "--plugin-trust", &trust]), 1, &usage);
        // `inspect` sees it when it asks.
        let plugin = place.shown("plugin.so");
        let output = Host::run(&["inspect", &plugin, "--plugin-trust", &trust]);
        assert_eq!(output.code, Some(1));
        assert!(parts.iter().all(|part| output.stdout.contains(part)), "{output:?}");
    };
    fs::write(&trust, "# ours\n12345\n").unwrap();
    fails(&["line 2: 12345 has 5 hexadecimal digits, and a SHA-256 has 64"]);
    fs::write(&trust, "RWQf6LRCGA9i5\n").unwrap();
    fails(&["line 1: \"RWQf6LRCGA9i5\" is neither a SHA-256"]);
    fs::write(&trust, "").unwrap();
    fs::set_permissions(&trust, Permissions::from_mode(0o666)).unwrap();
    let exposed = format!("anybody may write {trust}; run chmod o-w {trust}");
    fails(&["may be changed by others", &exposed]);
    fs::remove_file(&trust).unwrap();
    fails(&["cannot be read: No such file"]);
}

#[test]
fn inspect_gives_the_verdict_of_the_host() {
    let place = Place::new();
    let (plugin, trust) = (place.shown("plugin.so"), place.shown("trust"));
    let inspect = || Host::run(&["inspect", &plugin, "--plugin-trust", &trust]);
    let output = inspect();
    assert_eq!(output.code, Some(1));
    let words = "verdict    refused: it is not trusted: ";
    assert!(output.stdout.contains(words), "{output:?}");
    let hash = sha256(&fs::read(&plugin).unwrap());
    assert!(output.stdout.contains(&format!("sha256     {hash}\n")), "{output:?}");
    place.trust(&["add", &hash]);
    let output = inspect();
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn the_keys_of_the_configuration_file_are_the_flags() {
    let place = Place::new();
    let text = format!(
        "target = 'http://127.0.0.1:1'\nplugin-trust = '{}'\n[[pre-plugin]]\npath = '{}'\n",
        place.shown("trust"),
        place.shown("plugin.so")
    );
    let config = place.path("host.toml");
    fs::write(&config, &text).unwrap();
    let config = format!("--config={}", config.display());
    assert_ends(&Host::fails(&[&config]), 1, &["plugin.so: refused: it is not trusted"]);
    place.trust(&["add", "plugin.so"]);
    let host = Host::start(&[&config]);
    host.wait_for_log("only plugins that ");
    fs::set_permissions(place.folder.path(), Permissions::from_mode(0o777)).unwrap();
    let open = text.lines().filter(|line| !line.starts_with("plugin-trust"));
    let open: Vec<_> = ["allow-world-writable = true"].into_iter().chain(open).collect();
    fs::write(place.path("host.toml"), open.join("\n")).unwrap();
    Host::start(&[&config]);
}

#[test]
fn where_anybody_may_write_no_plugin_is_loaded_unless_that_is_allowed() {
    let place = Place::new();
    let starts = |args: &[&str]| drop(Host::start(&[args, &[TARGET]].concat()));
    let exposed = |path: &Path| {
        let path = path.display();
        format!(
            "anybody may write {path}; run chmod o-w {path}, or allow that with --allow-world-w"
        )
    };
    for (name, flag) in KINDS {
        let plugin = place.path(name);
        let args = [flag, &plugin.display().to_string()];
        for writable in [&plugin, place.folder.path()] {
            let before = writable.metadata().unwrap().permissions();
            fs::set_permissions(writable, Permissions::from_mode(before.mode() | 0o002)).unwrap();
            let said = format!("{}: refused: it is not trusted: {}", args[1], exposed(writable));
            assert_ends(&Host::fails(&[&args[..], &[TARGET]].concat()), 1, &[&said]);
            starts(&[&args[..], &["--allow-world-writable"]].concat());
            fs::set_permissions(writable, before).unwrap();
        }
        starts(&args);
    }
}

/// The sticky bit keeps others from replacing a patch, not from adding one.
#[test]
fn a_patches_folder_that_anybody_may_write_in_is_not_used_even_if_it_is_empty() {
    let patches = tempfile::tempdir().unwrap();
    let folder = format!("--patches={}", patches.path().display());
    for mode in [0o777, 0o1777] {
        fs::set_permissions(patches.path(), Permissions::from_mode(mode)).unwrap();
        let path = patches.path().display();
        let exposed = format!("anybody may write {path}; run chmod o-w {path}");
        let parts = ["the patches folder is not used: ", &exposed, "--allow-world-writable"];
        assert_ends(&Host::fails(&[TARGET, &folder]), 1, &parts);
        Host::start(&[TARGET, &folder, "--allow-world-writable"]);
    }
}

#[test]
fn patches_must_be_trusted_too() {
    let place = Place::new();
    let patches = folder_of(&[("reverse_proxy.so", &library("reverse-proxy-patch"))]);
    let patch = patches.path().join("reverse_proxy.so").display().to_string();
    let (folder, trust) = (patches.path().display().to_string(), place.shown("trust"));
    let args = [TARGET, "--patches", &folder, "--plugin-trust", &trust];
    let words = ["the patch of reverse_proxy is not usable: ", &patch, "it is not trusted"];
    assert_ends(&Host::fails(&args), 1, &words);
    place.trust(&["add", &patch]);
    Host::start(&args).wait_for_log("Loading patched reverse_proxy module");
}

/// What `host sign --help` and `host trust --help` promise, in a row.
#[test]
fn from_a_key_to_a_host_that_loads_only_what_it_has_signed() {
    let place = Place::new();
    fs::write(place.path("password"), "a password\n").unwrap();
    let password = "--password-file=password";
    let said = place.run(&["sign", "--generate", "--key=release.key", password]);
    let next = said.lines().last().unwrap();
    assert_eq!(next, "to allow what it signs: host trust add release.pub", "{said}");
    let mode = place.path("release.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = place.run(&["sign", "--key=release.key", password, "plugin.so", "plugin.wasm"]);
    assert!(said.contains("its signature is plugin.wasm.minisig\n"), "{said}");

    place.run(&["trust", "add", "release.pub"]);
    let args = [TARGET, "--plugin-trust=plugin-trust", "--pre-plugin=./plugin.so"];
    let start = |more: &[&str]| Launch::new(&[&args, more].concat()).directory(place.folder.path());
    start(&["--event-plugin=plugin.wasm"]).start();
    fs::copy(place.path("other.so"), place.path("plugin.so")).unwrap();
    assert_ends(&start(&[]).fails(), 1, &["plugin.so: refused: it is not trusted: "]);

    let from_environment = |password: &str| {
        let sign = Launch::new(&["sign", "--key=release.key", "plugin.so"]);
        sign.env("TENON_SIGN_PASSWORD", password).directory(place.folder.path()).run()
    };
    assert_ends(&from_environment("wrong"), 1, &["release.key cannot be used", "Wrong password"]);
    assert_ends(&from_environment(""), 2, &["the password in TENON_SIGN_PASSWORD is empty"]);
    assert_eq!(from_environment("a password").code, Some(0));
    start(&[]).start();
}

#[test]
fn a_trust_file_is_listed_and_what_it_allows_can_be_taken_back() {
    let place = Place::new();
    place.key("release");
    let hash = sha256(&fs::read(place.path("plugin.so")).unwrap());
    let key = fs::read_to_string(place.path("release.pub")).unwrap();
    let key = key.lines().nth(1).unwrap();
    place.trust(&["add", "plugin.so", key, "release.pub"]);
    let listed = place.trust(&["list"]);
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "a key is a key, however it is given: {listed}");
    assert_eq!(lines[0], format!("sha256 {hash}  plugin.so"));
    let id = lines[1].strip_prefix("key ").unwrap().split_once(' ').unwrap().0;
    assert_eq!(lines[1], format!("key {id} {key}"));
    let file = fs::read_to_string(place.path("trust")).unwrap();
    assert_eq!(file, format!("# nothing yet\n{hash}  plugin.so\n{key}\n"));

    place.trust(&["remove", id]);
    place.trust(&["remove", "plugin.so"]);
    assert_eq!(place.trust(&["list"]), "");
    let again = place.try_run(&["trust", "remove", &hash, "--plugin-trust=trust"]);
    assert_ends(&again, 1, &["trust does not have sha256 ", "host trust list shows"]);
}

#[test]
fn what_cannot_be_added_or_signed_is_named() {
    let place = Place::new();
    place.key("release");
    let fails = |args: &[&str], code, parts: &[&str]| {
        assert_ends(&place.try_run(args), code, parts);
    };
    for (what, why) in [
        ("absent.so", "is neither a SHA-256 (64 hexadecimal digits) nor a public key"),
        (".", "is a folder; give each plugin in it"),
        ("release.key", "is of minisign, but no public key"),
    ] {
        fails(&["trust", "add", what], 1, &[what, why]);
    }
    assert!(!place.path("plugin-trust").exists());
    fails(&["trust", "list"], 1, &["the trust file ./plugin-trust cannot be read: No such"]);
    fails(&["sign", "absent.so"], 1, &["absent.so cannot be signed: there is no such file"]);
    let words = "the secret key none.key cannot be read; make one with host sign --generate";
    fails(&["sign", "--key=none.key", "plugin.so"], 1, &[words]);
    fails(&["sign"], 2, &["PLUGINS"]);
    let words = "release.key is there already";
    fails(&["sign", "--generate", "--no-password", "--key=release.key"], 1, &[words]);
}
