//! The plugin in the real host.

use fixtures::{Host, Upstream, get, library};

const TEST_TEST: (&str, &str) = ("Authorization", "Basic dGVzdDp0ZXN0");

#[test]
fn the_upstream_learns_who_the_user_is() {
    let upstream = Upstream::echo();
    let plugin = library("post-plugin");
    let host = Host::start(&[
        "--target",
        &upstream.url(),
        "--basic-user=test",
        "--basic-password=test",
        "--post-plugin",
        plugin.to_str().unwrap(),
    ]);
    let forged = [TEST_TEST, ("Username", "root"), ("username", "admin")];
    assert_eq!(get(host.address(), "/", &forged).status, 200);
    assert_eq!(upstream.last().values("username"), ["test"]);

    assert_eq!(get(host.address(), "/", &[("Username", "root")]).status, 401);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn without_a_user_the_header_does_not_pass_whatever_its_name() {
    let upstream = Upstream::echo();
    for (config, header) in [("", "Username"), ("={\"header\": \"X-User\"}", "X-User")] {
        let plugin = format!("{}{config}", library("post-plugin").display());
        let host = Host::start(&["--target", &upstream.url(), "--post-plugin", plugin.as_str()]);
        assert_eq!(get(host.address(), "/", &[(header, "root"), ("X-Other", "1")]).status, 200);
        let request = upstream.last();
        assert_eq!(request.values(header), Vec::<&str>::new());
        assert_eq!(request.values("x-other"), ["1"]);
    }
}

#[test]
fn the_header_can_have_another_name() {
    let upstream = Upstream::echo();
    let plugin = format!("{}={{\"header\": \"X-User\"}}", library("post-plugin").display());
    let host = Host::start(&[
        "--target",
        &upstream.url(),
        "--basic-user=test",
        "--basic-password=test",
        "--post-plugin",
        plugin.as_str(),
    ]);
    assert_eq!(get(host.address(), "/", &[TEST_TEST, ("x-user", "root")]).status, 200);
    assert_eq!(upstream.last().values("x-user"), ["test"]);
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    let plugin = format!("{}={{\"header\": \"a b\"}}", library("post-plugin").display());
    let failed = Host::fails(&["--target", "http://127.0.0.1:1", "--post-plugin", &plugin]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let expected = "\"header\": \"a b\" is not a header's name";
    assert!(failed.stderr.contains(expected), "{}", failed.stderr);
}
