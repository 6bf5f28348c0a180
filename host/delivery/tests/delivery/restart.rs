//! Ends without an end, and the replay after them.

use crate::kit::{
    PATIENCE, Reply, Server, Tracker, finish, fluentd, metric, named, numbers, soon, start_in,
    window,
};
use host_delivery::sink::fluentd::Config;
use host_delivery::{Delivery, Outlet};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::process::Command;

#[tokio::test]
async fn the_replay_goes_only_to_the_sink_that_lacked_the_events() {
    let mut ahead = Server::start(|_| Reply::Status(200)).await;
    let down = Server::start(|_| Reply::Status(503)).await;
    let state = tempfile::tempdir().unwrap();
    let url = ahead.url("/");
    let outlets = |behind: &Server| {
        let config = Config { max_connections: 1, ..Config::new(behind.url("/")) };
        vec![named("ahead", fluentd(Config::new(url.clone()))), named("behind", fluentd(config))]
    };
    let events = Tracker::new();
    let delivery = start_in(state.path(), outlets(&down));
    for number in 0..100 {
        delivery.send(events.item(number)).await;
    }
    soon("the first sink has all", async {
        while metric(&delivery, "tenon_sink_delivered_total", "ahead") < 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(events.done(), 0);
    // As a kill does: no end, nothing is saved.
    drop(delivery);
    ahead.so_far();

    let mut up = Server::start(|_| Reply::Status(200)).await;
    let events = Tracker::new();
    let delivery = start_in(state.path(), outlets(&up));
    for number in 0..120 {
        delivery.send(events.item(number)).await;
    }
    events.wait(120).await;
    assert_eq!(metric(&delivery, "tenon_sink_duplicates_total", "ahead"), 100);
    assert_eq!(metric(&delivery, "tenon_sink_duplicates_total", "behind"), 0);
    finish(delivery).await;
    let came = |server: &mut Server| -> Vec<usize> {
        let mut came: Vec<_> =
            server.so_far().iter().flat_map(|request| numbers(&request.body)).collect();
        came.sort_unstable();
        came
    };
    assert_eq!(came(&mut ahead), (100..120).collect::<Vec<_>>());
    assert_eq!(came(&mut up), (0..120).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_second_kill_during_the_replay_brings_nothing_twice_either() {
    let mut server = Server::start(|_| Reply::Status(200)).await;
    let state = tempfile::tempdir().unwrap();
    let start = || start_in(state.path(), vec![fluentd(Config::new(server.url("/")))]);
    // The source's cursor never moves; each time it gets a little further before the kill.
    for (sent, known) in [(50, 0), (20, 20), (80, 50), (100, 80)] {
        let events = Tracker::new();
        let delivery: Delivery = start();
        for number in 0..sent {
            delivery.send(events.item(number)).await;
        }
        events.wait(sent).await;
        assert_eq!(metric(&delivery, "tenon_sink_duplicates_total", "fluentd"), known);
        drop(delivery);
    }
    let came: Vec<_> = server.so_far().iter().flat_map(|it| numbers(&it.body)).collect();
    assert_eq!(came.iter().collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(came.len(), 100);
}

#[tokio::test]
async fn a_damaged_journal_is_set_aside_and_delivery_goes_on() {
    let log = crate::kit::Log::capture();
    let server = Server::start(|_| Reply::Status(200)).await;
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("sinks/fluentd");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("acknowledged"), "somebody edited this file, with love").unwrap();
    let events = Tracker::new();
    let delivery = start_in(state.path(), vec![fluentd(Config::new(server.url("/")))]);
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    finish(delivery).await;
    assert!(log.lines("ERROR")[0].contains("is damaged and was set aside"));
    assert_eq!(folder.read_dir().unwrap().count(), 2);
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_used_is_an_error_that_names_it() {
    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("sinks"), "in the way").unwrap();
    let outlets = vec![fluentd(Config::new("http://127.0.0.1:1/"))];
    let error = Delivery::start(outlets, Some(state.path())).err().unwrap().to_string();
    assert!(error.contains("sinks/fluentd"), "{error}");
}

const EVENTS: usize = 20_000;
const CONNECTIONS: usize = 4;
const BATCH: usize = 50;

/// A process of its own delivers and is killed, again and again, in the middle of its work: everything
/// arrives, and no more of it twice than was on its way.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_costs_no_event_and_repeats_only_what_was_on_its_way() {
    let came: Arc<Mutex<BTreeMap<usize, usize>>> = Arc::default();
    let counted = came.clone();
    let server = Server::start(move |request| {
        let mut came = counted.lock().unwrap();
        for number in numbers(&request.body) {
            *came.entry(number).or_default() += 1;
        }
        Reply::After(Duration::from_millis(1))
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let run = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "restart::child", "--ignored"])
            .env("DELIVER_TO", server.url("/"))
            .env("DELIVER_STATE", state.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let kills = 8;
    for kill in 1..=kills {
        let mut child = run();
        // Each time somewhere else: what has arrived by then is up to the machine.
        let until = EVENTS * kill / (kills + 2);
        soon("the child delivers", async {
            while came.lock().unwrap().len() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        soon("the child is dead", child.kill()).await.unwrap();
    }
    assert!(soon("the child has delivered", run().wait()).await.unwrap().success());
    let came = came.lock().unwrap();
    assert!(came.keys().copied().eq(0..EVENTS), "{} of {EVENTS} arrived", came.len());
    let twice: usize = came.values().map(|times| times - 1).sum();
    println!("{twice} of {EVENTS} arrived twice, with {kills} kills");
    assert!(twice <= kills * CONNECTIONS * BATCH, "{twice} arrived twice");
}

/// What the test above runs and kills: a source with a cursor that it saves now and then.
#[tokio::test]
#[ignore = "is run by another test"]
async fn child() {
    let (Ok(url), Ok(state)) = (std::env::var("DELIVER_TO"), std::env::var("DELIVER_STATE")) else {
        return;
    };
    let cursor = Path::new(&state).join("cursor");
    let from = fs::read_to_string(&cursor).map_or(0, |text| text.parse().unwrap());
    let config = Config { batch: BATCH, max_connections: CONNECTIONS, ..Config::new(url) };
    let delivery = start_in(Path::new(&state), vec![window(500, fluentd(config))]);
    let done: Arc<Mutex<BTreeSet<usize>>> = Arc::new(Mutex::new((from..EVENTS).collect()));
    let events = Tracker::new();
    for number in from..EVENTS {
        let mut item = events.item(number);
        let open = done.clone();
        item.done = Box::new(move || {
            open.lock().unwrap().remove(&number);
        });
        soon("there is room", delivery.send(item)).await;
        // Seldom, so that much of what is done comes again.
        if number % 1500 == 0 {
            let low = done.lock().unwrap().first().copied().unwrap_or(EVENTS);
            fs::write(cursor.with_extension("new"), low.to_string()).unwrap();
            fs::rename(cursor.with_extension("new"), &cursor).unwrap();
        }
    }
    let left = delivery.finish(PATIENCE).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn two_sinks_of_one_name_and_odd_names_are_refused() {
    let outlet = |name: &str| named(name, fluentd(Config::new("http://127.0.0.1:1/")));
    let problem = |outlets: Vec<Outlet>| Delivery::start(outlets, None).err().unwrap().to_string();
    assert!(problem(vec![outlet("a"), outlet("A")]).contains("two sinks are called"));
    assert!(problem(Vec::new()).contains("no sink"));
    for name in ["", ".", "..", "a/b", "a b", &"x".repeat(65)] {
        assert!(problem(vec![outlet(name)]).contains("cannot be the name"), "{name:?}");
    }
}
