//! Files and standard output.

use crate::kit::{Tracker, failing_for, finish, json, named, outlet, start};
use host_delivery::config::Kind;
use host_delivery::sink::file::{Config, Rotation};
use host_delivery::sink::stdout::Lines;
use host_delivery::{Outlet, SinkConfig};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn file(path: &Path) -> Config {
    Config { path: path.to_owned(), fsync: true, rotate: None }
}

#[tokio::test]
async fn a_file_has_a_line_for_each_event_in_order_and_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.ndjson");
    fs::write(&path, "before\n").unwrap();
    for fsync in [true, false] {
        let delivery = start(vec![outlet(Kind::File(Config { fsync, ..file(&path) }))]);
        let events = Tracker::new();
        for number in 0..100 {
            delivery.send(events.item(number)).await;
        }
        events.wait(100).await;
        finish(delivery).await;
    }
    let lines: Vec<_> = (0..100).map(json).collect();
    let lines = lines.join("\n");
    assert_eq!(fs::read_to_string(path).unwrap(), format!("before\n{lines}\n{lines}\n"));
}

#[tokio::test]
async fn it_is_put_aside_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.ndjson");
    let rotate = Some(Rotation { bytes: json(0).len() as u64 + 5, keep: 2 });
    let delivery = start(vec![outlet(Kind::File(Config { rotate, ..file(&path) }))]);
    for number in 0..4 {
        let events = Tracker::new();
        delivery.send(events.item(number)).await;
        events.wait(1).await;
    }
    finish(delivery).await;
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("audit.ndjson"), format!("{}\n", json(3)));
    assert_eq!(read("audit.ndjson.2"), format!("{}\n", json(1)));
    assert_eq!(folder.path().read_dir().unwrap().count(), 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let config = SinkConfig::new(Kind::File(file(Path::new("/no/such/folder/audit"))));
    let error = config.outlet(&|_| None).err().unwrap().to_string();
    assert!(error.starts_with("sink \"file\": /no/such/folder/audit: "), "{error}");
}

#[tokio::test]
async fn a_file_that_is_gone_is_made_again_when_its_place_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    let path = inner.join("audit.ndjson");
    fs::create_dir(&inner).unwrap();
    let delivery = start(vec![outlet(Kind::File(file(&path)))]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    events.wait(1).await;
    fs::remove_dir_all(&inner).unwrap();
    fs::write(&inner, "in the way").unwrap();
    delivery.send(events.item(2)).await;
    let reason = failing_for(&delivery).await;
    assert!(reason.contains("inner/audit.ndjson cannot be written"), "{reason}");
    assert_eq!(events.done(), 1);
    fs::remove_file(&inner).unwrap();
    fs::create_dir(&inner).unwrap();
    events.wait(2).await;
    finish(delivery).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", json(2)));
}

/// Fails at first.
struct Pipe {
    failures: usize,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn lines_of_standard_output() {
    let text = Arc::<Mutex<Vec<u8>>>::default();
    let sink = Box::new(Lines::to(Pipe { failures: 2, text: text.clone() }));
    let usual = outlet(Kind::Stdout(host_delivery::sink::stdout::Config {}));
    let delivery = start(vec![named("pipe", Outlet { sink, ..usual })]);
    let events = Tracker::new();
    delivery.send(events.item(1)).await;
    delivery.send(events.item_of("2", "{\n  \"uid\": \"2\"\n}")).await;
    events.wait(2).await;
    finish(delivery).await;
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert_eq!(text, format!("{}\n{{   \"uid\": \"2\" }}\n", json(1)));
}
