//! Where settings are from, and what is said of wrong ones.

use crate::kit::handler;
use fixtures::{Launch, Output};
use std::fs;
use tempfile::TempDir;

/// Runs the handler on an empty file, so that it ends at once, and logs what counts.
struct Scene(TempDir);

impl Scene {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("events.ndjson"), "").unwrap();
        fs::write(folder.path().join("a.toml"), config).unwrap();
        Self(folder)
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let front = ["event-handler", "-c", "a.toml", "-d", "start"];
        let source = ["--source=events.ndjson"];
        let of_file = if args.contains(&"--source=") { &[] } else { &source[..] };
        let all = [&front[..], of_file, args].concat();
        let mut launch = Launch::new(&all).directory(self.0.path());
        for (name, value) in env {
            launch = launch.env(name, value);
        }
        launch.run()
    }
}

#[test]
fn the_flag_counts_then_the_file_then_the_environment_then_the_default() {
    let stdout = "[[sink]]\nkind = 'stdout'\n";
    let file = format!("batch = 7\n{stdout}");
    let (flag, env) = (["--batch", "8"], [("FDFWD_BATCH", "6")]);
    for (config, args, env, line) in [
        (&file, &flag[..], &env[..], "batch is \"8\", from --batch"),
        (&file, &[], &env, "batch is \"7\", from a.toml: batch"),
        (
            &stdout.to_owned(),
            &[],
            &env,
            "batch is \"6\", from the environment variable FDFWD_BATCH",
        ),
        (&stdout.to_owned(), &[], &[], "batch is \"20\", from the default of --batch"),
    ] {
        let output = Scene::new(config).run(args, env);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
}

#[test]
fn the_original_s_file_is_read_and_unknown_keys_are_warned_of() {
    let scene = Scene::new(
        "storage = './storage'\ntimeout = '11s'\nbatsh = 20\ntypes = 'a, b'\nskip-event-types = ['c']\n\
         [forward.fluentd]\nurl = 'http://127.0.0.1:1/test.log'\nsession-url = 'http://127.0.0.1:1/s'\n\
         [teleport]\naddr = 'example.com:443'\nidentity = 'identity'\nrefresh.enabled = true\n\
         [wasm]\nplugin = ''\ntimeout = '3s'\n[lock]\nfor = '1h'\nfailed-attempts-count = 9\n",
    );
    let output = scene.run(&[], &[("FDWRD_MAX_CONNECTIONS", "3")]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    for line in [
        "timeout is \"11s\", from a.toml: timeout",
        "types is \"a, b\", from a.toml: types",
        "skip-event-types is \"c\", from a.toml: skip-event-types",
        "fluentd-url is \"http://127.0.0.1:1/test.log\", from a.toml: forward.fluentd.url",
        "fluentd-session-url is \"http://127.0.0.1:1/s\", from a.toml: forward.fluentd.session-url",
        "fluentd-max-connections is \"3\", from the environment variable FDWRD_MAX_CONNECTIONS",
        "teleport-addr is \"example.com:443\", from a.toml: teleport.addr",
        "teleport-refresh-enabled is \"true\", from a.toml: teleport.refresh.enabled",
        "wasm-timeout is \"3s\", from a.toml: wasm.timeout",
        "lock-failed-attempts-count is \"9\", from a.toml: lock.failed-attempts-count",
        "skip-session-types is \"print,desktop.recording\", from the default",
        "a.toml: the key batsh is not known",
    ] {
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
    assert_eq!(output.stderr.matches("is not known").count(), 1, "{}", output.stderr);
}

#[test]
fn the_configuration_file_itself_may_be_named_by_the_environment() {
    let scene = Scene::new("nonsense = true\n[[sink]]\nkind = 'stdout'\n");
    let args = ["event-handler", "start", "--source=events.ndjson"];
    let launch = Launch::new(&args).directory(scene.0.path()).env("FDFWD_CONFIG", "a.toml");
    let output = launch.env("FDFWD_DEBUG", "true").run();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("the key nonsense is not known"), "{}", output.stderr);
    assert!(output.stderr.contains("timeout is \"10s\""), "{}", output.stderr);
}

#[test]
fn debug_follows_the_same_order() {
    for (config, env, is) in [
        ("", Some("1"), true),
        ("debug = true\n", None, true),
        ("debug = true\n", Some("false"), true),
        ("debug = false\n", Some("1"), false),
        ("", Some("0"), false),
        ("", None, false),
    ] {
        let scene = Scene::new(&format!("{config}[[sink]]\nkind = 'stdout'\n"));
        let args = ["event-handler", "-c", "a.toml", "start", "--source=events.ndjson"];
        let mut launch = Launch::new(&args).directory(scene.0.path());
        if let Some(value) = env {
            launch = launch.env("FDFWD_DEBUG", value);
        }
        let output = launch.run();
        assert_eq!(output.code, Some(0), "{config} {env:?}: {}", output.stderr);
        let says = output.stderr.contains("timeout is \"10s\"");
        assert_eq!(says, is, "{config} {env:?}: {}", output.stderr);
        assert!(!output.stderr.contains("is not known"), "{}", output.stderr);
    }
    let args = ["event-handler", "start", "--source=-", "--sink=stdout"];
    let wrong = Launch::new(&args).env("FDFWD_DEBUG", "perhaps").run();
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    let text = "FDFWD_DEBUG: \"perhaps\" is neither true nor false";
    assert!(wrong.stderr.contains(text), "{}", wrong.stderr);
}

#[test]
fn what_the_original_takes_is_taken() {
    let fluentd =
        "[forward.fluentd]\nurl = 'http://127.0.0.1:1/a'\nsession-url = 'http://127.0.0.1:1/s'\n";
    for (more, env, line) in [
        ("", [("FDWRD_TELEPORT_CERT", "c")], "variable FDWRD_TELEPORT_CERT"),
        ("", [("FDFWD_TELEPORT_CERT", "c")], "variable FDFWD_TELEPORT_CERT"),
        ("", [("FDFWD_MAX_CONNECTIONS", "0")], "fluentd-max-connections is \"0\""),
        ("max-connections = 0\n", [("FDFWD_BATCH", "1")], "fluentd-max-connections is \"0\""),
    ] {
        let output = Scene::new(&format!("{fluentd}{more}")).run(&[], &env);
        assert_eq!(output.code, Some(0), "{line}: {}", output.stderr);
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
}

#[test]
fn what_is_for_a_cluster_is_warned_of_beside_a_file() {
    let scene = Scene::new("batch = 7\n[[sink]]\nkind = 'stdout'\n");
    let args = ["--start-time=2024-01-01T00:00:00Z", "--types=user.login"];
    let output = scene.run(&args, &[("FDFWD_TIMEOUT", "1s")]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    for line in ["--start-time: it is for a cluster", "a.toml: batch: it is for a cluster"] {
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
    assert_eq!(output.stderr.matches("is for a cluster").count(), 2, "{}", output.stderr);
}

#[test]
fn a_mistake_names_flag_file_and_key() {
    let stdout = "[[sink]]\nkind = 'stdout'\n";
    for (config, args, env, text) in [
        ("", &["--concurrency", "0"][..], &[][..], "--concurrency: \"0\" is not a number from 1"),
        ("window-size = 'soon'", &[], &[], "a.toml: window-size: \"soon\" is not a time"),
        ("[lock]\nperiod = 5", &[], &[], "a.toml: lock.period: \"5\" is not a time"),
        (
            "",
            &[],
            &[("FDFWD_LOCKING_ENABLED", "perhaps")],
            "FDFWD_LOCKING_ENABLED: \"perhaps\" is neither true nor false",
        ),
        ("batch = [1]", &[], &[], "a.toml: batch: a value is wanted here, not a list"),
        ("[[sink]]\nkind = 'fax'", &[], &[], "unknown variant `fax`"),
        ("a = ", &[], &[], "a.toml: TOML parse error at line 1"),
        ("[[event-plugin]]\nname = 'x'", &[], &[], "missing field `path`"),
        ("", &["--sink", "fax"], &[], "--sink: \"fax\" is neither stdout nor file:PATH"),
        ("", &["--admin", "x:y"], &[], "--admin: "),
        ("", &["--wasm-plugin=a.wasm", "--wasm-concurrency=0"], &[], "--wasm-concurrency: \"0\""),
        ("[teleport]\nca = 'ca'", &["--storage=y", "--source="], &[], "give all of --teleport-ca"),
        (
            "[teleport]\naddr = 'x'\nidentity = 'i'",
            &["--storage=y", "--source="],
            &[],
            "teleport.addr: \"x\" is not like host:port",
        ),
    ] {
        let output =
            Scene::new(&format!("{config}\n{}", if config.contains("kind") { "" } else { stdout }))
                .run(args, env);
        assert_eq!(output.code, Some(2), "{config} {args:?}: {}", output.stderr);
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
    }
}

#[test]
fn what_is_required_is_said() {
    for (args, text) in [
        (&["start"][..], "give --storage DIR"),
        (&["start", "--storage", "x"], "give --teleport-identity FILE"),
        (&["start", "--storage", "x", "--teleport-identity", "y"], "give --fluentd-url and"),
        (
            &["start", "--source", "-", "--fluentd-url", "http://a/"],
            "without --fluentd-session-url",
        ),
        (
            &["start", "--source", "-", "--fluentd-session-url", "http://a/"],
            "without --fluentd-url",
        ),
    ] {
        let output = handler(args);
        assert_eq!(output.code, Some(2), "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
    }
    let absent = handler(&["start", "-c", "absent.toml"]);
    assert!(absent.stderr.contains("absent.toml cannot be read"), "{}", absent.stderr);
    let version = handler(&["version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
    let help = handler(&["start", "--help"]).stdout;
    assert!(help.contains("FDFWD_FLUENTD_URL") && help.contains("[default: localhost:3025]"));
}
