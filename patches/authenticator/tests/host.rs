//! The patch in the real host.
#![allow(clippy::unwrap_used)] // a test fails loudly

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fixtures::{Connection, Host, Launch, Output, Upstream, get, library};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};
use tempfile::TempDir;

/// bcrypt's lowest cost: these tests are not about its time.
fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
}

/// A folder with the patch, the users and a configuration that remembers for so long.
fn folder(users: &str, remember_seconds: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("patches")).unwrap();
    fs::copy(library("authenticator-patch"), path("patches/authenticator.so")).unwrap();
    fs::write(path("users"), users).unwrap();
    let config = format!(
        "[patches.authenticator]\n\
         config = {{ users_file = \"{}\", remember_seconds = {remember_seconds} }}\n",
        path("users").display()
    );
    fs::write(path("host.toml"), config).unwrap();
    folder
}

fn launch(upstream: &Upstream, folder: &TempDir) -> Launch {
    let (patches, config) = (folder.path().join("patches"), folder.path().join("host.toml"));
    let post = library("post-plugin");
    Launch::new(&[
        "--target".as_ref(),
        upstream.url().as_ref(),
        "--patches".as_ref(),
        patches.as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
        "--post-plugin".as_ref(),
        post.as_os_str(),
    ])
}

fn status(host: &Host, user: &str, password: &str) -> u16 {
    let token = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    get(host.address(), "/", &[("Authorization", &token)]).status
}

#[test]
fn each_user_has_a_password_of_their_own() {
    let upstream = Upstream::echo();
    let users = line("alice", "secret") + &line("bob", "hidden:1");
    let folder = folder(&users, 60);
    let host = launch(&upstream, &folder).start();
    host.wait_for_log("Loading patched authenticator module");

    // The second time it is remembered, and no less true.
    for _ in 0..2 {
        assert_eq!(status(&host, "alice", "secret"), 200);
        assert_eq!(upstream.last().values("username"), ["alice"]);
        assert_eq!(status(&host, "bob", "hidden:1"), 200);
        assert_eq!(upstream.last().values("username"), ["bob"]);
    }
    let seen = upstream.requests().len();
    for (user, password) in
        [("alice", "hidden:1"), ("bob", "secret"), ("alice", ""), ("carol", "secret"), ("", "")]
    {
        assert_eq!(status(&host, user, password), 401, "{user}:{password}");
    }
    assert_eq!(upstream.requests().len(), seen);
}

#[test]
fn a_client_without_credentials_is_asked_for_them() {
    let upstream = Upstream::echo();
    let folder = folder(&line("alice", "secret"), 60);
    let host = launch(&upstream, &folder).start();
    for headers in [&[][..], &[("Authorization", "Bearer a.b.c")], &[("Authorization", "Basic !")]]
    {
        let reply = get(host.address(), "/", headers);
        assert_eq!(reply.status, 401, "{headers:?}");
        let challenges = reply.values("www-authenticate");
        assert_eq!(challenges, ["Basic realm=\"tenon\", charset=\"UTF-8\""], "{headers:?}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_change_of_the_file_needs_no_restart() {
    let upstream = Upstream::echo();
    let folder = folder(&(line("alice", "secret") + &line("bob", "secret")), 0);
    let host = launch(&upstream, &folder).start();
    assert_eq!((status(&host, "alice", "secret"), status(&host, "bob", "secret")), (200, 200));
    fs::write(folder.path().join("users"), line("bob", "changed")).unwrap();
    assert_eq!((status(&host, "alice", "secret"), status(&host, "bob", "secret")), (401, 401));
    assert_eq!(status(&host, "bob", "changed"), 200);

    // Nobody gets in while nobody knows who may.
    fs::write(folder.path().join("users"), "bob:changed\n").unwrap();
    assert_eq!(status(&host, "bob", "changed"), 500);
    let line = host.wait_for_log("its hash is not of bcrypt");
    assert!(!line.contains("changed"), "{line}");
}

#[test]
fn many_at_once_all_get_their_answer() {
    let upstream = Upstream::echo();
    let folder = folder(&line("alice", "secret"), 60);
    let host = launch(&upstream, &folder).start();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|index| if index % 2 == 0 { "secret" } else { "wrong" })
            .map(|password| {
                let host = &host;
                scope.spawn(move || (password, status(host, "alice", password)))
            })
            .collect();
        for thread in threads {
            let (password, status) = thread.join().unwrap();
            assert_eq!(status, if password == "secret" { 200 } else { 401 }, "{}", host.log());
        }
    });
}

#[test]
fn who_would_wait_too_long_is_sent_away_and_the_host_goes_on() {
    // A pipe in the file's place: who reads it waits until somebody writes to it, and nobody does.
    let upstream = Upstream::echo();
    let folder = folder("", 60);
    let users = folder.path().join("users");
    fs::remove_file(&users).unwrap();
    assert!(Command::new("mkfifo").arg(&users).status().unwrap().success());
    let host = thread::scope(|scope| {
        scope.spawn(|| fs::write(&users, line("alice", "secret")).unwrap());
        launch(&upstream, &folder).start()
    });

    let (sender, replies) = mpsc::channel();
    let address = host.address();
    for _ in 0..70 {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut connection = Connection::open(address);
            connection
                .send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n");
            // The rest wait for the pipe until the host is gone.
            if let Ok(reply) = connection.try_read() {
                sender.send(reply).unwrap();
            }
        });
    }
    drop(sender);
    for _ in 64..70 {
        let reply = replies.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    }
    assert_eq!(get(address, "/", &[]).status, 401);
    drop(host);
    assert_eq!(replies.iter().count(), 0);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_bad_file_stops_the_start() {
    let upstream = Upstream::echo();
    let folder = folder("alice:secret\n", 60);
    let Output { code, stderr, .. } = launch(&upstream, &folder).fails();
    assert_eq!(code, Some(1), "{stderr}");
    let file = folder.path().join("users");
    let expected = format!("\"users_file\": {}: line 1: its hash is not of bcrypt", file.display());
    assert!(stderr.contains(&expected), "{stderr}");
}
