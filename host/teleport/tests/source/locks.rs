//! Locks in the cluster.

use crate::kit::Scene;
use fake_teleport::World;
use host_teleport::{Config, Failure, Source};
use proto::types::{LockSpecV2, LockTarget, LockV2, Metadata};

fn lock() -> LockV2 {
    LockV2 {
        metadata: Some(Metadata {
            name: "event-handler-auto-lock-alice-root".to_owned(),
            ..Metadata::default()
        }),
        spec: Some(LockSpecV2 {
            target: Some(LockTarget {
                user: "alice".to_owned(),
                login: "root".to_owned(),
                ..LockTarget::default()
            }),
            message: "User is locked due to too many failed login attempts".to_owned(),
            ..LockSpecV2::default()
        }),
        ..LockV2::default()
    }
}

async fn upsert(config: Config) -> Result<(), Failure> {
    Source::open(config).await.unwrap().locker().unwrap().upsert(lock()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_made_with_its_kind_and_version() {
    let scene = Scene::new(World::default());
    upsert(scene.config()).await.unwrap();
    let made = LockV2 { kind: "lock".to_owned(), version: "v2".to_owned(), ..lock() };
    assert_eq!(scene.fake.locks(), [made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_errs_is_asked_a_few_times() {
    let scene = Scene::new(World::default());
    let locker = Source::open(scene.config()).await.unwrap().locker().unwrap();
    scene.fake.faults(|it| it.unavailable = 3);
    locker.upsert(lock()).await.unwrap();
    scene.fake.faults(|it| it.unavailable = u64::MAX);
    let error = locker.upsert(lock()).await.unwrap_err().to_string();
    assert_eq!(error, "UpsertLock: Unavailable: the backend is away");
    assert_eq!((scene.fake.locks().len(), scene.fake.calls("UpsertLock")), (1, 4 + 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_denies_locks_is_named() {
    let scene = Scene::new(World::default());
    scene.fake.faults(|it| it.locks_denied = true);
    let error = upsert(scene.config()).await.unwrap_err().to_string();
    assert!(
        error.contains("needs the rule `resources: [lock], verbs: [create, update]`"),
        "{error}"
    );
    assert_eq!(scene.fake.calls("UpsertLock"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_no_lock_and_touches_no_state() {
    let scene = Scene::new(World::new(1, 1, 100));
    let config = Config { dry_run: true, ..scene.config() };
    assert!(Source::open(config.clone()).await.unwrap().locker().is_none());
    scene.all(config.clone()).await.are_exactly(100);
    scene.all(config).await.are_exactly(100);
    assert_eq!(scene.fake.calls("UpsertLock"), 0);
    assert!(!scene.path("state").exists());
}
