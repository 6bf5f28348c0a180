use super::*;
use crate::config::Credentials;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

struct Scene {
    folder: Folder,
    config: Config,
    /// The state's own.
    path: PathBuf,
    _storage: tempfile::TempDir,
}

fn scene() -> Scene {
    let storage = tempfile::tempdir().unwrap();
    let credentials = Credentials::Identity("id".into());
    let mut config = Config::new("[::1]:3025", credentials, storage.path().to_owned());
    config.start_time = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_708_714_822_473));
    let folder = Folder::open(&config).unwrap();
    Scene { folder, config, path: storage.path().join("::1_3025"), _storage: storage }
}

impl Scene {
    fn save(&self, change: impl FnOnce(&mut Changes)) {
        let mut changes = Changes::default();
        change(&mut changes);
        self.folder.save(&mut changes).unwrap();
        assert!(changes.is_empty());
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names = files::names(&self.path.join(folder)).unwrap();
        names.sort_unstable();
        names
    }

    fn load(&self) -> Loaded {
        load(&self.folder, &self.config).unwrap()
    }
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn at(window: &str, cursor: &str, id: &str) -> Position {
    Position { window: window.parse().unwrap(), cursor: cursor.into(), id: id.to_owned() }
}

fn name(text: &str) -> Arc<str> {
    text.into()
}

#[test]
fn every_file_is_byte_for_byte_the_event_handlers() {
    let scene = scene();
    let day = date("2024-02-23");
    let missing =
        Missing { index: 7, attempt: 2, timestamp: "2024-02-23T19:00:22.473Z".parse().unwrap() };
    scene.save(|it| {
        it.start_time("2024-02-23T19:00:22Z".parse().unwrap());
        it.window(at("2024-02-24T00:00:00Z", "key", "6bf5"), true);
        it.session(&name("a-b"), 258);
        it.missing(&name("c-d"), &missing);
        it.missing(&name("e"), &Missing { timestamp: NEVER, ..missing.clone() });
        it.day(day);
        it.completed(day, &name("one"));
        it.completed(day, &name("two"));
        it.chunk(day, &name("three"), "cursor");
    });
    assert_eq!(scene.text("start_time"), "2024-02-23T19:00:22Z");
    assert_eq!(scene.text("window_time"), "2024-02-24T00:00:00Z");
    assert_eq!((scene.text("cursor"), scene.text("id")), ("key".into(), "6bf5".into()));
    assert_eq!(fs::read(scene.path.join("sessiona-b")).unwrap(), [0, 0, 0, 0, 0, 0, 1, 2]);
    let json = r#"{"Index":7,"Attempt":2,"Timestamp":"2024-02-23T19:00:22.473Z"}"#;
    assert_eq!(scene.text("missing_recordingc-d"), json);
    assert!(scene.text("missing_recordinge").ends_with(r#""Timestamp":"0001-01-01T00:00:00Z"}"#));
    assert_eq!(scene.text("cursor_v2/2024-02-23/completed-chunks"), "one\ntwo\n");
    assert_eq!(scene.text("cursor_v2/2024-02-23/three.chunk"), "cursor");
    assert_eq!(scene.names("").len(), 8);

    let loaded = scene.load();
    assert_eq!(loaded.window, Some(at("2024-02-24T00:00:00Z", "key", "6bf5")));
    assert_eq!(loaded.sessions, [(name("a-b"), 258)].into());
    assert_eq!(loaded.missing[&name("c-d")], missing);
    assert_eq!(loaded.missing[&name("e")].timestamp, NEVER);
    assert_eq!(loaded.days[&day].completed, [name("one"), name("two")].into());
    assert_eq!(loaded.days[&day].cursors, [(name("three"), "cursor".to_owned())].into());
    assert!(!loaded.start_is_new);

    scene.save(|it| {
        it.session_gone(&name("a-b"));
        it.session_gone(&name("c-d"));
        it.session_gone(&name("e"));
        it.completed(day, &name("three"));
    });
    assert_eq!(scene.names("cursor_v2/2024-02-23"), ["completed-chunks"]);
    assert_eq!(scene.text("cursor_v2/2024-02-23/completed-chunks"), "one\ntwo\nthree\n");
    scene.save(|it| it.day_gone(day));
    assert_eq!(scene.names(""), ["cursor", "cursor_v2", "id", "start_time", "window_time"]);
    assert_eq!(scene.names("cursor_v2"), Vec::<String>::new());
}

#[test]
fn a_chunk_whose_name_a_crash_has_cut_is_not_another_chunk() {
    let scene = scene();
    scene.write("cursor_v2/2024-02-23/completed-chunks", "chunk-3\nchunk-1");
    let day = date("2024-02-23");
    assert_eq!(scene.load().days[&day].completed, [name("chunk-3")].into());
    scene.save(|it| it.completed(day, &name("chunk-14")));
    assert_eq!(scene.text("cursor_v2/2024-02-23/completed-chunks"), "chunk-3\nchunk-14\n");
}

#[test]
fn what_is_damaged_is_put_aside_and_costs_only_that_it_is_read_again() {
    let scene = scene();
    let zeros = [0; 16];
    scene.write("start_time", "yesterday");
    scene.write("window_time", "2024-02-24T00:00:00Z");
    scene.write("cursor", zeros);
    scene.write("id", b"\xff\xfe");
    scene.write("sessiona", zeros);
    scene.write("sessionb", (-1_i64).to_be_bytes());
    scene.write("sessionempty", "");
    scene.write("missing_recordingc", r#"{"Index":1,"Att"#);
    scene.write("cursor_v2/2024-02-23/completed-chunks", zeros);
    scene.write("cursor_v2/2024-02-23/x.chunk", zeros);
    scene.write("cursor_v2/2024-02-23/y.chunk", "fine");
    scene.write("cursor_v2/notes/y.chunk", "not ours");
    let loaded = scene.load();
    assert_eq!(loaded.start, "2024-02-23T19:00:22Z".parse().unwrap());
    assert_eq!(loaded.window, Some(at("2024-02-24T00:00:00Z", "", "")));
    assert_eq!(loaded.sessions, [(name("a"), 0), (name("b"), 0), (name("empty"), 0)].into());
    assert_eq!(loaded.missing[&name("c")], Missing { index: 0, attempt: 0, timestamp: NEVER });
    let day = &loaded.days[&date("2024-02-23")];
    assert_eq!((day.completed.len(), day.cursors.len(), &*day.cursors["x"]), (0, 2, ""));
    assert_eq!((loaded.days.len(), &*day.cursors["y"]), (1, "fine"));

    let aside = |folder: &str| -> Vec<String> {
        let names = scene.names(folder).into_iter().filter(|it| it.starts_with("damaged."));
        names.map(|it| it.rsplit_once('.').unwrap().0.to_owned()).collect()
    };
    let expected = ["cursor", "id", "missing_recordingc", "sessiona", "sessionb", "start_time"];
    assert_eq!(aside(""), expected.map(|it| format!("damaged.{it}")));
    assert_eq!(aside("cursor_v2/2024-02-23"), ["damaged.completed-chunks", "damaged.x.chunk"]);
    // Neither the event handler nor we take what was put aside for a session or a chunk.
    for folder in ["", "cursor_v2/2024-02-23"] {
        for name in scene.names(folder).iter().filter(|it| it.starts_with("damaged.")) {
            let last = name.rsplit_once('.').unwrap().1;
            assert!(!name.starts_with("session") && last != "chunk", "{name}");
        }
    }
    let again = scene.load();
    assert_eq!((again.sessions.len(), again.days.len()), (1, 1));
}

#[test]
fn a_lost_start_time_is_no_reason_to_skip_what_was_begun() {
    let scene = scene();
    let config = Config { start_time: None, ..scene.config.clone() };
    scene.write("cursor_v2/2024-02-23/y.chunk", "fine");
    scene.write("window_time", "2024-02-25T00:00:00Z");
    scene.write("start_time", "");
    let loaded = load(&scene.folder, &config).unwrap();
    assert_eq!(loaded.start, "2024-02-23T00:00:00Z".parse().unwrap());
    assert!(loaded.start_is_new);
}

#[test]
fn what_a_crash_has_left_half_written_is_removed() {
    let scene = scene();
    scene.write(".cursor.tmp", "half");
    scene.write("cursor_v2/2024-02-23/.y.chunk.tmp", "half");
    let folder = Folder::open(&scene.config).unwrap();
    load(&folder, &scene.config).unwrap();
    assert_eq!(
        (scene.names(""), scene.names("cursor_v2/2024-02-23").len()),
        (vec!["cursor_v2".to_owned()], 0)
    );
}

/// Between any two writes a crash leaves no page of one window with the time of another.
#[test]
fn a_crash_between_files_leaves_no_mixture_of_two_windows() {
    let before = at("2024-02-24T00:00:00Z", "old", "1");
    let after = at("2024-02-25T00:00:00Z", "new", "2");
    for in_the_way in ["window_time", "id", "cursor"] {
        let scene = scene();
        scene.save(|it| it.window(before.clone(), true));
        // What cannot be written stops the writing there.
        let path = scene.path.join(in_the_way);
        let unfinished = path.with_file_name(format!(".{in_the_way}.tmp"));
        fs::create_dir(&unfinished).unwrap();
        let mut changes = Changes::default();
        changes.window(after.clone(), true);
        assert!(scene.folder.save(&mut changes).is_err());
        let left = scene.load().window.unwrap();
        assert!(left == before || left.cursor.is_empty(), "{in_the_way}: {left:?}");
        // It is still to be written, and is when that is possible.
        fs::remove_dir(&unfinished).unwrap();
        scene.folder.save(&mut changes).unwrap();
        assert_eq!(scene.load().window, Some(after.clone()));
    }
}

#[test]
fn changes_that_wait_are_one_for_each_file() {
    let scene = scene();
    let (day, mut changes) = (date("2024-02-23"), Changes::default());
    for number in 0..1000 {
        changes.chunk(day, &name("c"), &number.to_string());
        changes.session(&name("s"), number);
        changes.window(at("2024-02-24T00:00:00Z", "key", &number.to_string()), number == 0);
    }
    changes.day(day);
    scene.folder.save(&mut changes).unwrap();
    assert_eq!(scene.text("cursor_v2/2024-02-23/c.chunk"), "999");
    assert_eq!(
        (scene.text("id"), scene.text("window_time")),
        ("999".into(), "2024-02-24T00:00:00Z".into())
    );
}

#[test]
fn names_that_could_leave_the_folder_are_none() {
    for good in ["5b1a7c6e-0a1b", "chunk_1.parquet", "a=b"] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", ".", "..", "../x", "a/b", "a b", "a\n", "a\0", "é", &"x".repeat(181)] {
        assert!(!is_name(bad), "{bad:?}");
    }
}
