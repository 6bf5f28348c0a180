//! `host reload` and the like, and who gets them.

use crate::kit::{Running, marked, put};
use fixtures::{Host, Launch, get};

#[test]
fn without_a_host_a_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--state={}", folder.path().display());
    for command in [&["reload"][..], &["rollback"], &["promote"], &["disable", "1"]] {
        let output = Host::run(&[command, &[&state]].concat());
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains("no host runs with the state folder"), "{output:?}");
    }
}

#[test]
fn a_plugin_is_disabled_and_enabled_and_stays_disabled_over_a_reload() {
    let it = Running::start(&["--no-watch"]);
    let id = it.plugin("pre")["id"].to_string();
    assert_eq!(it.marks().len(), 1);
    assert_eq!(it.told(&["disable", &id]), "marked is disabled\n");
    assert_eq!(it.marks().len(), 0);
    let plugin = it.plugin("pre");
    assert_eq!((&plugin["state"], &plugin["not_called"]), (&"disabled".into(), &1.into()));
    std::fs::create_dir(it.file("patches")).unwrap();
    put(&it.file("patches/reverse_proxy.so"), &marked("marked-patch", 1));
    it.told(&["reload"]);
    assert_eq!(it.marks().len(), 0);
    assert_eq!(it.told(&["enable", &id]), "marked is enabled\n");
    assert_eq!(it.marks().len(), 1);
    assert!(it.declined(&["enable", &id]).contains("marked is not disabled"));
    let output = it.tell(&["disable", "marked"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("numbers that host status has"), "{output:?}");
    assert!(it.declined(&["disable", "9999"]).contains("no plugin in use has the number 9999"));
    let builtin = it.plugin("error_page")["id"].to_string();
    assert!(it.declined(&["disable", &builtin]).contains("is a part of the host"));
    assert!(it.declined(&["promote"]).contains("there is no shadow"));
}

#[test]
fn of_two_hosts_with_one_state_folder_the_first_gets_the_commands() {
    let it = Running::start(&["--no-watch"]);
    let state = format!("--state={}", it.file("state").display());
    let target = format!("--target={}", it.upstream.url());
    let second = Launch::new(&[state, target]).start();
    second.wait_for_log("another host runs with the state folder");
    put(&it.file("a.so"), &marked("marked", 2));
    it.told(&["reload"]);
    assert_eq!(it.mark().mark, 2);
    assert_eq!(get(second.address(), "/", &[]).status, 200);
    assert!(second.stop().success());
    // The second has left alone what is the first one's.
    it.told(&["rollback"]);
    assert_eq!(it.mark().mark, 1);
}

#[test]
fn the_status_has_everything_that_runs() {
    let it = Running::start(&["--prefix=/p"]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    it.until("the reload's end", || !it.status()["last_reload"].is_null());
    let status = it.status();
    let places: Vec<_> =
        status["plugins"].as_array().unwrap().iter().map(|it| it["place"].clone()).collect();
    assert_eq!(places, ["pre", "reverse_proxy", "error_page"]);
    let pre = &status["plugins"][0];
    for (key, value) in [("name", "marked"), ("kind", "native"), ("state", "active")] {
        assert_eq!(pre[key], value, "{pre:#}");
    }
    assert!(pre["calls"].as_u64() > Some(0) && pre["p99_us"].as_f64() > Some(0.0), "{pre:#}");
    assert_eq!(pre["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(status["generations"], serde_json::json!({"mapped": 2, "budget": 64}));
    assert_eq!(status["prefix"], "/p");
    assert_eq!(status["listening"], format!("http://{}", it.host.address()));
    assert_eq!(status["last_reload"]["succeeded"], true);
    assert_eq!(status["chain"]["can_roll_back"], true);
}

#[test]
fn beyond_the_budget_new_code_is_refused_and_old_code_is_not() {
    let it = Running::start(&["--no-watch", "--generations=2"]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.told(&["reload"]);
    it.host.wait_for_log("2 native libraries are mapped; beyond 2 reloads");
    put(&it.file("a.so"), &marked("marked", 3));
    let said = it.declined(&["reload"]);
    assert!(said.contains("2 native libraries are mapped, and there may be 2"), "{said}");
    assert_eq!(it.mark().mark, 2);
    put(&it.file("a.so"), &marked("marked", 1));
    it.told(&["reload"]);
    assert_eq!(it.mark().mark, 1);
}

#[test]
fn what_is_disabled_stays_so_in_what_takes_its_place() {
    let it = Running::start(&["--no-watch"]);
    let id = |it: &Running| it.plugin("pre")["id"].to_string();
    it.told(&["disable", &id(&it)]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.told(&["reload"]);
    let plugin = it.plugin("pre");
    assert_eq!(
        (&plugin["state"], &plugin["reason"]),
        (&"disabled".into(), &"by an operator".into())
    );
    assert_eq!(it.marks().len(), 0);
    // In the next run, too, however this one ends.
    assert!(it.host.stop().success());
    let it = it.again();
    assert_eq!(it.marks().len(), 0);
    it.host.signal(libc::SIGKILL);
    it.host.wait();
    let it = it.again();
    assert_eq!(it.marks().len(), 0);
    it.told(&["enable", &id(&it)]);
    assert_eq!(it.mark().mark, 2);
    put(&it.file("a.so"), &marked("marked", 3));
    it.told(&["reload"]);
    assert_eq!(it.mark().mark, 3);
    assert!(it.host.stop().success());
    assert_eq!(it.again().mark().mark, 3);
}
