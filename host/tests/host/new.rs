//! `host new` for native plugins: what it writes builds by itself, passes its own tests, and runs in
//! the host.

use crate::{basic, folder_of};
use fixtures::{Host, Launch, Output, Reply, Upstream, get, host};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A plugin's folder, called `plugin`, in one that is removed afterwards.
fn new(args: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let output = host_in(folder.path(), &[&["new", "plugin"], args].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let plugin = folder.path().join("plugin");
    (folder, plugin)
}

fn host_in(folder: &Path, args: &[&str]) -> Output {
    Launch::new(args).directory(folder).run()
}

/// What all of the plugins that are built here share.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("native")
}

/// The folder in which they are built, one after the other: in another one their kit would be
/// compiled anew.
struct Workshop {
    _folder: TempDir,
    plugin: PathBuf,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("plugin");
        Self { _folder: folder, plugin }
    }

    /// Writes a plugin, runs its own tests, which build it and have this host look at it, and gives
    /// a copy of the library in a folder, under this name.
    fn make(&self, args: &[&str], name: &str) -> TempDir {
        let (_folder, fresh) = new(args);
        for entry in fs::read_dir(&fresh).unwrap() {
            let entry = entry.unwrap();
            let to = self.plugin.join(entry.file_name());
            if entry.file_name() == "vendor" && to.is_dir() {
                assert_eq!(files(&entry.path()), files(&to), "all have the same kit");
                continue;
            }
            fs::create_dir_all(&self.plugin).unwrap();
            if to.is_dir() {
                fs::remove_dir_all(&to).unwrap();
            }
            fs::rename(entry.path(), to).unwrap();
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap());
        guests::outside_of_a_package(&mut cargo);
        cargo.args(["test", "--locked", "--target-dir"]).arg(target()).current_dir(&self.plugin);
        let output = cargo.env("TENON_HOST", host()).output().unwrap();
        let [said, errors] =
            [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
        assert!(output.status.success(), "{args:?}:\n{said}{errors}");
        assert!(said.contains("test a_host_takes_the_plugin ... ok"), "{args:?}:\n{said}");
        assert!(!errors.contains("warning"), "{args:?}:\n{errors}");
        folder_of(&[(name, &target().join("debug/libplugin.so"))])
    }

    fn config(&self) -> String {
        fs::read_to_string(self.plugin.join("config.json")).unwrap().trim().to_owned()
    }

    /// The argument for a flag: the library with its example of a configuration.
    fn plugin(&self, args: &[&str]) -> (TempDir, String) {
        let folder = self.make(args, "plugin.so");
        let argument = format!("{}={}", folder.path().join("plugin.so").display(), self.config());
        (folder, argument)
    }

    /// The host with a patch, and the configuration that was written beside it.
    fn patched(&self, point: &str, upstream: &str) -> (TempDir, Host) {
        let patches = self.make(&["--kind", "patch", "--point", point], &format!("{point}.so"));
        let config = self.plugin.join("host.toml");
        let host = Host::start(&[
            format!("--target={upstream}"),
            format!("--patches={}", patches.path().display()),
            format!("--config={}", config.display()),
            "--prefix=/p".to_owned(),
        ]);
        host.wait_for_log(&format!("Loading patched {point} module"));
        (patches, host)
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_owned();
            let inside = self::files(&path).into_iter();
            files.extend(inside.map(|(path, content)| (Path::new(&name).join(path), content)));
        } else {
            files.insert(path.file_name().unwrap().into(), fs::read(&path).unwrap());
        }
    }
    files
}

/// One test, for they share a folder.
#[test]
fn every_native_plugin_builds_passes_its_tests_and_runs_in_the_host() {
    let workshop = Workshop::new();
    let upstream = Upstream::echo();
    let target = format!("--target={}", upstream.url());
    let with = |flag: &str, plugin: &str| {
        let users = ["--basic-user=ann", "--basic-password=secret"];
        let users = if flag == "--post-plugin" { &users[..] } else { &[] };
        Host::start(&[&[&*target, flag, plugin], users].concat())
    };
    let as_ann = basic("ann:secret");
    let ask =
        |host: &Host, headers: &[(&str, &str)]| -> Reply { get(host.address(), "/a", headers) };

    let (_folder, gate) = workshop.plugin(&["--kind", "pre"]);
    let host = with("--pre-plugin", &gate);
    assert_eq!(ask(&host, &[("User-Agent", "a robot")]).status, 403);
    assert_eq!(ask(&host, &[("X-Gate", "mine")]).status, 200);
    assert_eq!(upstream.last().values("x-gate"), ["passed"]);

    let (_folder, limit) = workshop.plugin(&["--kind", "pre", "-e", "limit"]);
    let host = with("--pre-plugin", &limit);
    let replies = [(); 4].map(|()| ask(&host, &[]));
    assert_eq!(replies.each_ref().map(|reply| reply.status), [200, 200, 200, 429]);
    assert_eq!(replies[0].header("x-remaining"), Some("2"));

    let (_folder, role) = workshop.plugin(&["--kind", "post"]);
    let host = with("--post-plugin", &role);
    assert_eq!(ask(&host, &[("Authorization", &as_ann), ("X-Role", "forged")]).status, 200);
    assert_eq!(upstream.last().values("x-role"), ["admin"]);

    let (folder, _) = workshop.plugin(&["--kind", "post", "-e", "ask"]);
    let service = Upstream::respond(|request| {
        let status = if request.header("x-path") == Some("/a") { "204 Yes" } else { "403 No" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    let plugin = folder.path().join("plugin.so");
    let plugin = format!("{}={{\"url\": \"{}/may\"}}", plugin.display(), service.url());
    let host = with("--post-plugin", &plugin);
    assert_eq!(ask(&host, &[("Authorization", &as_ann)]).status, 200);
    assert_eq!(service.last().header("x-user"), Some("ann"));
    assert_eq!(get(host.address(), "/b", &[("Authorization", &as_ann)]).status, 403);

    let (_patches, host) = workshop.patched("reverse_proxy", &upstream.url());
    assert_eq!(get(host.address(), "/p/a?b=c", &[]).status, 200);
    assert_eq!(upstream.last().target, "/a?b=c");

    let (_patches, host) = workshop.patched("authenticator", &upstream.url());
    assert_eq!(ask(&host, &[]).header("www-authenticate"), Some("Bearer realm=\"tenon\""));
    assert_eq!(ask(&host, &[("Authorization", "Bearer wrong")]).status, 401);
    assert_eq!(ask(&host, &[("Authorization", "Bearer wonderful-secret")]).status, 200);

    let (_patches, host) = workshop.patched("error_page", "http://127.0.0.1:1");
    let reply = ask(&host, &[]);
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("help@example.test"), "{}", reply.text());
}

#[test]
fn a_folder_has_what_its_readme_says() {
    for (args, more) in [
        (&["--kind", "pre", "-e", "limit"][..], &[][..]),
        (&["--kind", "post"], &[]),
        (&["--kind", "patch"], &["host.toml"]),
        (&["--kind", "patch", "--point", "authenticator"], &["host.toml"]),
    ] {
        let (_folder, plugin) = new(args);
        let common = ["src/lib.rs", "src/tests.rs", "tests/host.rs", "config.json", ".gitignore"];
        for path in common.iter().chain(more) {
            assert!(plugin.join(path).is_file(), "there is no {path} for {args:?}");
        }
        assert!(plugin.join("vendor/plugin-interface/src/testing/mod.rs").is_file());
        assert!(!plugin.join("fixtures").exists(), "those are for event plugins");
        let readme = fs::read_to_string(plugin.join("README.md")).unwrap();
        assert!(readme.starts_with("# plugin\n") && !readme.contains('{'), "{readme}");
        let manifest = fs::read_to_string(plugin.join("Cargo.toml")).unwrap();
        let dependency = "plugin-interface = { path = \"vendor/plugin-interface\"";
        assert_eq!(manifest.matches(dependency).count(), 2, "{manifest}");
        assert_eq!(manifest.matches("path").count(), 2, "{manifest}");
    }
}

#[test]
fn a_plugin_is_not_called_like_what_it_depends_on() {
    let folder = tempfile::tempdir().unwrap();
    for (given, name) in [("http", "http-plugin"), ("gate", "gate"), ("role", "role")] {
        let output = host_in(folder.path(), &["new", given, "--kind", "pre"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let manifest = fs::read_to_string(folder.path().join(given).join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{manifest}");
        let lock = fs::read_to_string(folder.path().join(given).join("Cargo.lock")).unwrap();
        assert_eq!(lock.matches(&format!("name = \"{name}\"\n")).count(), 1, "{lock}");
    }
}

#[test]
fn what_does_not_go_together_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (args, reason) in [
        (&["--kind", "pre", "--lang", "c"][..], "there is no pre plugin in C, only in Rust"),
        (
            &["--kind", "patch", "-l", "assemblyscript"],
            "there is no patch plugin in AssemblyScript",
        ),
        (&["--point", "authenticator"], "give --kind patch"),
        (&["--kind", "post", "--point", "error_page"], "give --kind patch"),
        (&["--kind", "patch", "--point", "gate"], "reverse_proxy, authenticator, error_page"),
        (&["--kind", "patch", "-e", "gate"], "leave -e out, and give --point"),
        (&["--kind", "pre", "-e", "role"], "no example role for pre; give -e gate or limit"),
        (&["--kind", "post", "-e", "gate"], "no example gate for post; give -e ask or role"),
    ] {
        let output = host_in(folder.path(), &[&["new", "plugin"], args].concat());
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(reason), "{reason:?} is not in {output:?}");
        assert!(!folder.path().join("plugin").exists());
    }
    let help = host_in(folder.path(), &["new", "--help"]).stdout;
    for part in ["event", "pre", "post", "patch", "--point", "reverse_proxy", "gate", "limit"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
}

#[test]
fn vendor_renews_the_interface_and_leaves_the_rest_alone() {
    let (_folder, plugin) = new(&["--kind", "post"]);
    fs::write(plugin.join("vendor/mine"), "precious").unwrap();
    let whole = files(&plugin);
    let vendor = || {
        let output = host_in(&plugin, &["vendor"]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        output.stdout
    };
    assert!(vendor().contains("the kit for native plugins, 0 of "));
    fs::write(plugin.join("vendor/plugin-interface/src/lib.rs"), "of an older host").unwrap();
    assert!(vendor().contains("the kit for native plugins, 1 of "));
    assert_eq!(files(&plugin), whole);
}
