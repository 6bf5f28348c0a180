//! Who the user is, whoever finds out, and what plugins tell each other of a request.

use crate::{basic, jwt, jwt_vectors};
use fixtures::{Host, Upstream, get, library};

fn bearer() -> String {
    format!("Bearer {}", jwt_vectors()["tokens"]["ES256"].as_str().unwrap())
}

#[test]
fn a_pre_plugin_that_authenticates_satisfies_basic_auth() {
    let (upstream, keys) = (Upstream::echo(), tempfile::tempdir().unwrap());
    let post = library("post-plugin").display().to_string();
    let target = upstream.url();
    let args = ["--target", &target, "--basic-user=test", "--basic-password=test"];
    let plugins = ["--pre-plugin", &jwt(&keys), "--post-plugin", &post];
    let host = Host::start(&[&args[..], &plugins].concat());
    let user = |authorization: &str| {
        let reply = get(host.address(), "/", &[("Authorization", authorization)]);
        assert_eq!(reply.status, 200, "{}", host.log());
        let request = upstream.last();
        assert_eq!(request.header("authorization"), None);
        request.header("username").map(str::to_owned)
    };
    assert_eq!(user(&bearer()).as_deref(), Some("alice"));
    assert_eq!(user(&basic("test:test")).as_deref(), Some("test"));

    let requests = upstream.requests().len();
    let (bearer, basic_challenge) =
        ("Bearer realm=\"tenon\"", "Basic realm=\"tenon\", charset=\"UTF-8\"");
    let none = get(host.address(), "/", &[]);
    assert_eq!(
        (none.status, none.values("www-authenticate")),
        (401, vec![bearer, basic_challenge])
    );
    let wrong = get(host.address(), "/", &[("Authorization", &basic("test:wrong"))]);
    assert_eq!((wrong.status, wrong.values("www-authenticate")), (401, vec![basic_challenge]));
    assert_eq!(upstream.requests().len(), requests);
}

#[test]
fn the_access_record_names_the_user() {
    let upstream = Upstream::echo();
    let args = ["--basic-user=test", "--basic-password=test", "--target", &upstream.url()];
    let host = Host::start(&args);
    get(host.address(), "/known", &[("Authorization", &basic("test:test"))]);
    get(host.address(), "/unknown", &[("Authorization", &basic("root:test"))]);
    let line = host.wait_for_stdout("target=\"/known\"");
    assert!(line.contains(" status=200 user=\"test\" "), "{line}");
    let line = host.wait_for_stdout("target=\"/unknown\"");
    assert!(line.contains(" status=401 ") && !line.contains("user="), "{line}");
}

#[test]
fn values_are_shared_and_slots_are_not() {
    let (upstream, keys) = (Upstream::echo(), tempfile::tempdir().unwrap());
    let shares = library("shares");
    let instance = |name: &str| format!("{}={{\"name\": \"{name}\"}}", shares.display());
    let (first, second, third) = (instance("a"), instance("b"), instance("c"));
    let host = Host::start(&[
        "--target",
        &upstream.url(),
        "--pre-plugin",
        &jwt(&keys),
        "--pre-plugin",
        &first,
        "--pre-plugin",
        &second,
        "--post-plugin",
        &third,
    ]);
    let all = "{\"name\": \"a\"}{\"name\": \"b\"}{\"name\": \"c\"}";
    for _ in 0..2 {
        // Twice: what one request leaves is not there for the next.
        let reply = get(host.address(), "/", &[("Authorization", &bearer())]);
        assert_eq!(reply.status, 200, "{}", host.log());
        let request = upstream.last();
        assert_eq!(request.values("x-seen"), [all], "in the order of the chain");
        assert_eq!(request.values("x-subject"), ["alice"], "another library's value");
        assert_eq!(reply.values("x-seen"), [all], "also on the way back");
        let slots = ["{\"name\": \"c\"}", "{\"name\": \"b\"}", "{\"name\": \"a\"}"];
        assert_eq!(reply.values("x-slot"), slots, "each its own, in reverse order");
    }
}
