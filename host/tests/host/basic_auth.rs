//! Basic authentication (RFC 7617): who gets in, what is answered to all others, and what the
//! upstream sees of it.

use crate::{assert_ends, basic, jwt};
use fixtures::{Host, Upstream, get, library};

const CHALLENGE: &str = "Basic realm=\"tenon\", charset=\"UTF-8\"";

fn start(upstream: &Upstream, args: &[&str]) -> Host {
    let target = format!("--target={}", upstream.url());
    Host::start(&[&[target.as_str()], args].concat())
}

#[test]
fn only_user_and_password_together_get_in() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &["--basic-user=test", "--basic-password=secret"]);
    let status = |value: &str| {
        let reply = get(host.address(), "/", &[("Authorization", value)]);
        let challenges = reply.values("www-authenticate");
        let expected: &[&str] = if reply.status == 401 { &[CHALLENGE] } else { &[] };
        assert_eq!(challenges, expected, "{value}");
        assert!(!reply.text().contains("secret") || reply.status == 200, "{}", reply.text());
        reply.status
    };
    assert_eq!(status(&basic("test:secret")), 200);
    for wrong in [
        // The seed let in whoever had one of the two.
        "test:wrong",
        "wrong:secret",
        "wrong:wrong",
        "test:",
        ":secret",
        ":",
        "testsecret",
        "",
        "secret:test",
        "Test:secret",
        "test:Secret",
        "test:secret ",
        " test:secret",
        "test:secret:",
        "test:secre",
        "test:secrets",
        "test:secret\n",
        "test\0:secret",
    ] {
        assert_eq!(status(&basic(wrong)), 401, "{wrong:?}");
    }
    assert_eq!(upstream.requests().len(), 1, "nobody else reaches the upstream");
}

#[test]
fn the_scheme_counts_and_its_case_does_not() {
    let upstream = Upstream::echo();
    let host = start(&upstream, &["--basic-user=test", "--basic-password=test"]);
    let status = |value: &str| get(host.address(), "/", &[("Authorization", value)]).status;
    for right in ["Basic dGVzdDp0ZXN0", "basic dGVzdDp0ZXN0", "BASIC   dGVzdDp0ZXN0"] {
        assert_eq!(status(right), 200, "{right}");
    }
    for wrong in [
        "Bearer dGVzdDp0ZXN0",
        "Digest dGVzdDp0ZXN0",
        "dGVzdDp0ZXN0",
        "BasicdGVzdDp0ZXN0",
        "Basic",
        "Basic ",
        "",
        "Basic !!!!",
        "Basic dGVzdDp0ZXN0=",
        "Basic dGVzdDp0ZXN0 x",
        "Basic test:test",
        "Basic dGVzd",
        "Basic \u{fc}",
    ] {
        let reply = get(host.address(), "/", &[("Authorization", wrong)]);
        assert_eq!((reply.status, reply.text()), (401, "401 Unauthorized\n"), "{wrong:?}");
        assert_eq!(reply.values("www-authenticate"), [CHALLENGE], "{wrong:?}");
    }
    let reply = get(host.address(), "/", &[]);
    assert_eq!((reply.status, reply.values("www-authenticate")), (401, vec![CHALLENGE]));
}

#[test]
fn a_password_may_have_colons_and_any_letter() {
    let upstream = Upstream::echo();
    for password in ["a:b::c:", ":", "pässwörd €", "パスワード", "=\"' \\%"] {
        let flag = format!("--basic-password={password}");
        let host = start(&upstream, &["--basic-user=jürgen", &flag, "--realm=a b"]);
        let status = |credentials: &str| {
            get(host.address(), "/", &[("Authorization", &basic(credentials))]).status
        };
        assert_eq!(status(&format!("jürgen:{password}")), 200, "{password}");
        assert_eq!(status(&format!("jürgen:{password}x")), 401, "{password}");
        let reply = get(host.address(), "/", &[]);
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Basic realm=\"a b\", charset=\"UTF-8\"")
        );
    }
}

#[test]
fn what_could_never_let_anybody_in_is_wrong_usage() {
    let fails = |args: &[&str], part: &str| {
        let output = Host::fails(&[&["--target=http://127.0.0.1:1"], args].concat());
        assert_ends(&output, 2, &[part]);
    };
    fails(&["--basic-user=a"], "add --basic-password-file FILE or set TENON_BASIC_PASSWORD");
    fails(&["--basic-password=a"], "a basic password is given without a user: add --basic-user");
    fails(&["--basic-user=a", "--basic-password="], "neither empty");
    fails(&["--basic-user=", "--basic-password=a"], "neither empty");
    fails(&["--basic-user=a:b", "--basic-password=a"], "the basic user \"a:b\" has a colon");
    fails(&["--basic-user=a", "--basic-password=a", "--realm=\""], "the realm");
}

#[test]
fn what_was_checked_here_is_not_sent_on_unless_asked() {
    let upstream = Upstream::echo();
    let credentials = basic("test:test");
    let seen = |args: &[&str]| {
        let host = start(&upstream, args);
        let headers = [("Authorization", credentials.as_str())];
        assert_eq!(get(host.address(), "/", &headers).status, 200, "{args:?}");
        upstream.last().values("authorization").len()
    };
    let checked = ["--basic-user=test", "--basic-password=test"];
    assert_eq!(seen(&checked), 0);
    assert_eq!(seen(&[&checked[..], &["--forward-authorization"]].concat()), 1);
    // Nothing is checked here: the credentials are the upstream's.
    assert_eq!(seen(&[]), 1);
    // With a PRE plugin that can authenticate there is something to check, too.
    let keys = tempfile::tempdir().unwrap();
    assert_eq!(seen(&[&checked[..], &["--pre-plugin", &jwt(&keys)]].concat()), 0);
}

/// In every configuration: who trusts the header trusts it always.
#[test]
fn a_client_cannot_say_who_it_is() {
    let upstream = Upstream::echo();
    let credentials = basic("test:test");
    let post = library("post-plugin").display().to_string();
    let (user, password) = ("--basic-user=test", "--basic-password=test");
    let own = format!("{post}={{\"header\": \"X-User\"}}");
    for (args, name, expected) in [
        (vec![], "Username", None),
        (vec![user, password], "Username", None),
        (vec![user, password, "--forward-authorization"], "Username", None),
        (vec!["--post-plugin", &post], "Username", None),
        (vec![user, password, "--post-plugin", &post], "Username", Some("test")),
        (vec!["--identity-header=X-User"], "X-User", None),
        (
            vec![user, password, "--identity-header=X-User", "--post-plugin", &own],
            "X-User",
            Some("test"),
        ),
    ] {
        let host = start(&upstream, &args);
        for name in [name.to_owned(), name.to_uppercase(), name.replace('-', "_")] {
            let headers = [("Authorization", credentials.as_str()), (&name, "root"), (&name, "")];
            assert_eq!(get(host.address(), "/", &headers).status, 200, "{args:?}");
            let request = upstream.last();
            let seen: Vec<_> =
                request.headers.iter().filter(|(_, value)| value == b"root").collect();
            assert!(seen.is_empty(), "{name} with {args:?}: {seen:?}");
        }
        let request = upstream.last();
        assert_eq!(request.values(name), Vec::from_iter(expected), "{args:?}");
    }
}
