//! The state's folder, as it is found and as it is left.

use crate::kit::{Running, Scene, until};
use fake_teleport::{World, midnight};
use host_teleport::Source;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn another_start_time_is_refused() {
    let scene = Scene::new(World::new(1, 1, 10));
    scene.all(scene.config()).await;
    let began = fs::read_to_string(scene.state("start_time")).unwrap();
    assert!(began.ends_with("T00:00:00Z"), "{began}");
    let mut config = scene.config();
    config.start_time = Some(midnight(3));
    let error = Source::open(config.clone()).await.unwrap_err().to_string();
    let begins =
        error.contains(&format!("but this state began with {began}: it cannot be changed"));
    assert!(
        begins && error.contains(&*scene.state("").parent().unwrap().to_string_lossy()),
        "{error}"
    );
    config.start_time = None;
    Source::open(config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_put_aside_and_the_rest_goes_on() {
    let scene = Scene::new(World::new(1, 2, 200));
    scene.all(scene.config()).await;
    fs::write(scene.state("start_time"), "\0\0\0\0").unwrap();
    fs::write(scene.state("sessionabc"), "x").unwrap();
    fs::write(scene.state("missing_recordingdef"), "{").unwrap();
    let taken = scene.all(scene.config()).await;
    // All was read; a recording that nobody knows is no reason to end.
    assert_eq!(taken.events.len(), 0);
    let names: Vec<_> = fs::read_dir(scene.state(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["start_time", "sessionabc", "missing_recordingdef"] {
        let aside = format!("damaged.{name}.2");
        assert!(names.iter().any(|it| it.starts_with(&aside)), "{name}: {names:?}");
    }
    assert!(fs::read_to_string(scene.state("start_time")).unwrap().starts_with("20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_an_error_at_once_and_tried_again_later() {
    let scene = Scene::new(World::new(1, 1, 10));
    fs::write(scene.path("state"), "").unwrap();
    let error = Source::open(scene.config()).await.unwrap_err().to_string();
    assert!(
        error.contains("127.0.0.1_") && error.ends_with("Not a directory (os error 20)"),
        "{error}"
    );
    fs::remove_file(scene.path("state")).unwrap();

    let mut running = Running::start(scene.endless()).await;
    running.take(10).await;
    let today = || fs::read_dir(scene.state("cursor_v2")).ok()?.map(|it| it.unwrap().path()).max();
    until("the chunk is complete", || {
        today().is_some_and(|today| today.join("completed-chunks").exists())
    })
    .await;
    // Something is in the way of the file.
    let today = today().unwrap();
    let in_the_way = today.join("completed-chunks");
    fs::rename(&in_the_way, today.join("kept")).unwrap();
    fs::create_dir(&in_the_way).unwrap();
    scene.fake.world().add(5);
    running.take(5).await;
    until("saving has failed", || running.failed_to_save()).await;
    fs::remove_dir(&in_the_way).unwrap();
    until("saving works again", || {
        fs::read_to_string(&in_the_way).is_ok_and(|lines| lines.contains("late-10\n"))
    })
    .await;
    running.stop().await;
}
