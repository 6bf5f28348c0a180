//! Connections: who we are, whom we believe, and how the way is found.

use crate::kit::{CLUSTER, Running, Scene, milliseconds};
use fake_teleport::{Authority, Fake, Proxy, World};
use host_teleport::{Config, Credentials, Source};
use std::fs;

async fn refusal(config: Config) -> String {
    Source::open(config).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_files_are_as_good_as_an_identity() {
    let scene = Scene::new(World::new(1, 1, 10));
    let [ca, cert, key] = scene.authority.write_files(&scene.user, &scene.path(""));
    let mut config = scene.config();
    config.credentials = Credentials::Files { ca, cert, key };
    scene.all(config).await.are_exactly(10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_told_the_cluster() {
    let scene = Scene::new(World::new(1, 1, 10));
    let proxy = Proxy::start(scene.fake.address());
    let mut config = scene.config();
    config.addr = proxy.address().to_string();
    scene.all(config).await.are_exactly(10);
    let hex = "74656e6f6e2e6578616d706c652e636f6d.teleport.cluster.local";
    let hello = (Some(hex.to_owned()), vec![format!("teleport-auth@{hex}"), "h2".to_owned()]);
    assert_eq!(proxy.seen(), [hello]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_a_long_name_is_found_too() {
    let name = "teleport.production.example-of-a-long-name.com";
    let authority = Authority::new(name);
    let fake = Fake::start(&authority, name, World::new(1, 1, 10));
    let proxy = Proxy::start(fake.address());
    let scene = Scene::new(World::new(1, 1, 10));
    authority.write_identity(&authority.user("handler", 1), &scene.path("identity"));
    let mut config = scene.config();
    config.addr = proxy.address().to_string();
    scene.all(config).await.are_exactly(10);
    assert_eq!(proxy.seen()[0].0.as_deref(), Some("teleport.cluster.local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_renewed_while_it_runs_and_no_event_is_lost() {
    let scene = Scene::new(World::new(1, 2, 20_000));
    let mut config = scene.config();
    config.in_flight = 1000;
    config.refresh = Some(milliseconds(10));
    let mut running = Running::start(config).await;
    let mut taken = running.take(1000).await;
    // The cluster rotates its authority; a half-written file in between does no harm.
    let new = Authority::new(CLUSTER);
    scene.fake.trust(&new);
    fs::write(scene.path("identity"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    scene.fake.disconnect();
    taken.add(running.take(16).await); // what was under way
    new.write_identity(&new.user("event-handler", 30), &scene.path("identity"));
    while let Some(read) = running.next().await {
        taken.take(read);
    }
    running.ended().await.unwrap();
    taken.are_exactly(20_000);
    let mut users = scene.fake.accepted();
    users.dedup();
    assert_eq!(users.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_accept_us_is_an_error_that_says_what_to_do() {
    let scene = Scene::new(World::new(1, 1, 10));
    // It shows a certificate that we believe, and does not believe ours.
    let other = Authority::new(CLUSTER);
    let user = other.user("event-handler", 30);
    let text = [&user.key, &user.certificate, scene.authority.pem()].concat();
    fs::write(scene.path("identity"), text).unwrap();
    let error = refusal(scene.config()).await;
    assert!(error.contains("fatal alert") && error.contains("tctl auth sign"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_we_do_not_believe_is_an_error_that_says_what_to_do() {
    let scene = Scene::new(World::new(1, 1, 10));
    let other = Authority::new(CLUSTER);
    other.write_identity(&other.user("event-handler", 30), &scene.path("identity"));
    let error = refusal(scene.config()).await;
    let says = error.contains("invalid peer certificate");
    assert!(says && error.contains("of another cluster?"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_cannot_be_used_are_an_error_by_their_file() {
    let scene = Scene::new(World::new(1, 1, 10));
    let path = scene.path("identity");
    let expired = scene.authority.user("event-handler", -1);
    scene.authority.write_identity(&expired, &path);
    let error = refusal(scene.config()).await;
    let begin = format!("{}: the certificate has expired at 20", path.display());
    assert!(error.starts_with(&begin) && error.contains("tctl auth sign"), "{error}");
    let key = scene.user.key.clone();
    for (text, message) in [
        (String::new(), "there is no certificate in it, or it is not PEM"),
        (scene.user.certificate.clone() + scene.authority.pem(), "there is no private key in it"),
        (key.clone() + &scene.user.certificate, "it is no identity file"),
        (
            scene.authority.user("x", 1).key + &scene.user.certificate + scene.authority.pem(),
            "it cannot be used: ",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let error = refusal(scene.config()).await;
        assert!(error.contains(message) && error.contains("identity: "), "{message}: {error}");
    }
    fs::remove_file(&path).unwrap();
    let error = refusal(scene.config()).await;
    assert!(error.contains("identity: No such file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_waited_for_and_then_an_error() {
    let scene = Scene::new(World::new(1, 1, 10));
    let mut config = scene.config();
    config.addr = "127.0.0.1:1".to_owned();
    config.timing.start = milliseconds(200);
    let error = refusal(config.clone()).await;
    assert!(error.starts_with("127.0.0.1:1: Connection refused"), "{error}");
    // It comes a little later.
    scene.fake.faults(|it| it.unavailable = 3);
    scene.all(scene.config()).await.are_exactly(10);
}
