//! `host new` and `host vendor`: what they write is built and tested by the real compilers.

use fixtures::{Launch, Output, host};
use guests::toolchain::{Compiler, WasmToolchain, node};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// In this folder.
fn host_in(folder: &Path, args: &[&str]) -> Output {
    Launch::new(args).directory(folder).run()
}

/// A plugin's folder, in one that is removed afterwards, without what npm would install.
fn plugin(args: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let output = host_in(folder.path(), &[&["new", "plugin", "--no-install"], args].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let plugin = folder.path().join("plugin");
    (folder, plugin)
}

/// All files in a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// What it prints; it must succeed.
fn run(command: &mut Command) -> String {
    guests::outside_of_a_package(command);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{command:?} failed:\n{stdout}{stderr}");
    stdout
}

/// What `host test` printed says that there were tests, and all passed.
fn assert_passed(printed: &str) {
    let summary = printed.lines().last().unwrap_or_default();
    assert!(printed.contains("passed") && summary.contains(" 0 failed"), "{printed}");
}

/// The plugins that this test builds share what they depend on.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("new")
}

#[test]
fn a_plugin_in_rust_builds_and_passes_its_tests_natively_and_in_the_host() {
    let (_folder, first) = plugin(&["-e", "count"]);
    let cargo = std::env::var_os("CARGO").unwrap();
    let mut native = Command::new(cargo);
    native.args(["test", "--quiet", "--locked", "--target-dir"]).arg(target());
    let said = run(native.current_dir(&first));
    assert!(said.contains("4 passed; 0 failed"), "{said}");

    for example in ["count", "change", "dump", "skip"] {
        let (_folder, other) = plugin(&["--lang", "rust", "-e", example]);
        let shared = |folder| {
            let mut files = files(folder);
            files.retain(|path, _| !path.starts_with("src"));
            files
        };
        // So that the kit is compiled once: it would be anew in another folder.
        assert_eq!(shared(&other), shared(&first), "examples differ in their code alone");
        fs::remove_dir_all(first.join("src")).unwrap();
        fs::rename(other.join("src"), first.join("src")).unwrap();

        let mut build = WasmToolchain::find(false).unwrap().build(&first);
        build.args(["--profile", "tests", "--features", "tests", "--locked", "--target-dir"]);
        run(build.arg(target()));
        let wasm = target().join("wasm32-unknown-unknown/tests/plugin.wasm");
        assert_passed(&run(Command::new(host()).arg("test").arg(wasm).current_dir(&first)));
    }
}

#[test]
fn a_plugin_in_assemblyscript_builds_and_passes_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(Command::new(host())
        .args(["new", "My Plugin", "--lang", "assemblyscript", "-e", "count"])
        .current_dir(folder.path()));
    assert!(said.contains("cd 'My Plugin'\n  npm test\n"), "{said}");
    let whole = folder.path().join("My Plugin");
    let npm =
        |folder: &Path, args: &[&str]| run(node::npm(folder).args(args).env("TENON_HOST", host()));
    assert_passed(&npm(&whole, &["test"]));
    npm(&whole, &["run", "asbuild"]);
    assert!(whole.join("build/production.wasm").is_file());

    for example in ["change", "dump", "skip"] {
        let (_folder, plugin) = plugin(&["-l", "assemblyscript", "-e", example]);
        symlink(whole.join("node_modules"), plugin.join("node_modules")).unwrap();
        assert_passed(&npm(&plugin, &["test"]));
    }
}

#[test]
fn a_plugin_in_c_builds_and_passes_its_tests() {
    let (_folder, plugin) = plugin(&["--lang", "c"]);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let compiler = Compiler::find(&target.join("guests"), false).unwrap();
    let make = |target: &str| {
        let mut make = Command::new("make");
        make.arg(target).arg(format!("COMPILE={compiler}")).env("TENON_HOST", host());
        run(make.current_dir(&plugin))
    };
    assert_passed(&make("test"));
    make("build/plugin.wasm");
    assert!(plugin.join("build/plugin.wasm").is_file());
}

#[test]
fn a_folder_has_what_the_readme_says_and_is_its_users() {
    for (language, code) in
        [("rust", "src/lib.rs"), ("assemblyscript", "assembly/event_handler.ts"), ("c", "skip.c")]
    {
        let (_folder, plugin) = plugin(&["--kind", "event", "--lang", language]);
        for path in [code, "README.md", ".gitignore", "fixtures/1-user-create.json", "vendor"] {
            assert!(plugin.join(path).exists(), "there is no {path} in {language}");
        }
        assert_eq!(fs::read_dir(plugin.join("fixtures")).unwrap().count(), 4 + 1, "{language}");
        let readme = fs::read_to_string(plugin.join("README.md")).unwrap();
        assert!(readme.starts_with("# plugin\n") && !readme.contains('{'), "{readme}");
        // As mkdir and the umask would have it, which for most allows others to read.
        let made = plugin.with_file_name("made");
        fs::create_dir(&made).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&plugin), mode(&made), "{language}");
    }
}

#[test]
fn any_name_of_a_folder_becomes_one_that_cargo_takes() {
    let folder = tempfile::tempdir().unwrap();
    for (given, name) in [
        ("My Plugin!", "my-plugin"),
        ("3-strikes", "plugin-3-strikes"),
        ("prost", "prost-plugin"),
        ("event-sdk", "event-sdk-plugin"),
        ("count", "count"),
        ("a/deeper/one", "one"),
    ] {
        let output = host_in(folder.path(), &["new", given]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let cargo = std::env::var_os("CARGO").unwrap();
        let mut metadata = Command::new(cargo);
        metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
        let metadata = run(metadata.current_dir(folder.path().join(given)));
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let names: Vec<_> = packages.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, [name], "{given}");
    }
}

#[test]
fn nothing_is_ever_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let used = path.join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("mine"), "precious").unwrap();
    let before = files(path);
    for (given, reason) in [
        ("used", "used is not empty"),
        (".", ". is not empty"),
        ("used/mine", "cannot make a plugin in used/mine"),
        ("used/mine/below", "cannot make a plugin in used/mine/below"),
    ] {
        let output = host_in(path, &["new", given]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(reason), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert_eq!(files(path), before, "{given}");
    }
}

#[test]
fn an_empty_folder_is_filled_and_stays_the_one_that_a_shell_is_in() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let inode = folder.path().metadata().unwrap().ino();
    let output = host_in(folder.path(), &["new", "."]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(folder.path().metadata().unwrap().ino(), inode);
    assert!(folder.path().join("Cargo.toml").is_file());
    let mut top = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
    assert!(!top.any(|name| name.to_string_lossy().starts_with(".host-new")));
}

#[test]
fn what_there_is_not_is_wrong_usage_that_lists_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    for (args, parts) in [
        (
            &["--lang", "c", "-e", "count"][..],
            &["there is no example count in C; give -e skip"][..],
        ),
        (&["-e", "nonsense"], &["give -e change or count or dump or skip"]),
        (&["--lang", "cobol"], &["cobol", "rust, assemblyscript, c"]),
        (&["--kind", "grpc"], &["grpc", "possible values: event, pre, post, patch"]),
    ] {
        let output = host_in(folder.path(), &[&["new", "plugin"], args].concat());
        assert_eq!(output.code, Some(2), "{output:?}");
        for part in parts {
            assert!(output.stderr.contains(part), "{part} is not in {output:?}");
        }
        assert!(!folder.path().join("plugin").exists());
    }
}

#[test]
fn help_says_what_to_choose_from() {
    let output = host_in(Path::new("."), &["new", "--help"]);
    for part in ["<DIR>", "--kind", "rust", "assemblyscript", "dump", "change", "count", "skip"] {
        assert!(output.stdout.contains(part), "{part} is not in\n{}", output.stdout);
    }
    assert!(host_in(Path::new("."), &["vendor", "--help"]).stdout.contains("[DIR]"));
}

/// Programs that do nothing but this, as the whole search path.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn without_npms_packages_the_folder_is_whole_and_it_is_said_what_is_missing() {
    let (_folder, whole) = plugin(&["--lang", "assemblyscript"]);
    for (scripts, reason) in [
        (&[][..], "Node.js is not there: install it"),
        (&[("node", "echo v16.20.2")], "Node.js is v16.20.2, and 18 or newer is needed"),
        (&[("node", "echo v18.0.0")], "npm is not there: install it"),
        (
            &[("node", "echo v18.0.0"), ("npm", "test $1 = --version")],
            "`npm ci` failed (exit status: 1)",
        ),
    ] {
        let path = programs(scripts);
        let folder = tempfile::tempdir().unwrap();
        let output = Launch::new(&["new", "plugin", "--lang", "assemblyscript"])
            .env("PATH", path.path())
            .directory(folder.path())
            .run();
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(reason), "{reason:?} is not in {output:?}");
        assert!(output.stdout.contains("\n  npm ci\n"), "the remedy is not in {output:?}");
        assert_eq!(files(&folder.path().join("plugin")), files(&whole));
    }
}

#[test]
fn vendor_renews_the_kit_and_leaves_the_rest_alone() {
    for (language, part) in [
        ("rust", "event-sdk/src/lib.rs"),
        ("assemblyscript", "teleport.ts"),
        ("c", "tenon_event.h"),
    ] {
        let (_folder, plugin) = plugin(&["--lang", language]);
        let mine = plugin.join("vendor/mine");
        fs::write(&mine, "precious").unwrap();
        let new = files(&plugin);
        fs::write(plugin.join("vendor").join(part), "of an older kit").unwrap();

        let vendor = || {
            let output = host_in(&plugin, &["vendor"]);
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
            output.stdout
        };
        assert!(vendor().contains(", 1 of "), "{language}");
        assert_eq!(files(&plugin), new, "{language}");
        assert!(vendor().contains(", 0 of "), "{language}");
        fs::remove_dir_all(plugin.join("vendor")).unwrap();
        vendor();
        fs::write(mine, "precious").unwrap();
        assert_eq!(files(&plugin), new, "{language}");
    }
}

#[test]
fn vendor_refuses_a_folder_that_is_no_plugins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"another\"\n").unwrap();
    let before = files(folder.path());
    let output = host_in(folder.path(), &["vendor", path]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let reason = format!("{path} is not the folder of a plugin");
    assert!(output.stderr.contains(&reason), "{output:?}");
    assert_eq!(files(folder.path()), before);
}
