//! Files that change in each way that files do.

use crate::kit::{Mark, Running, marked, plugin, put};
use fixtures::{After, Connection, Upstream, get, library};
use host_proxy::native::sha256;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};

#[test]
fn a_file_that_is_moved_copied_or_linked_in_place_is_used() {
    let it = Running::start(&[]);
    assert_eq!(it.mark().mark, 1);
    let file = it.file("a.so");
    put(&file, &marked("marked", 2));
    it.until_mark(2);
    // As cp does: the same file, written anew.
    fs::write(&file, marked("marked", 3)).unwrap();
    it.until_mark(3);
    fs::write(it.file("other.so"), marked("marked", 4)).unwrap();
    symlink(it.file("other.so"), it.file("link.so")).unwrap();
    fs::rename(it.file("link.so"), &file).unwrap();
    it.until_mark(4);
    // Where a link leads is watched as well.
    put(&it.file("other.so"), &marked("marked", 5));
    it.until_mark(5);
}

/// Kubernetes mounts configuration so: `..data` is a link to a folder, and is swapped.
#[test]
fn a_folder_that_a_link_leads_to_may_be_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for version in [1, 2] {
        fs::create_dir(at(&format!("..v{version}"))).unwrap();
        fs::write(at(&format!("..v{version}/a.so")), marked("marked", version)).unwrap();
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/a.so", at("a.so")).unwrap();
    let flags = vec![plugin(&at("a.so"), "a")];
    let it = Running::with(folder, Upstream::echo(), flags);
    assert_eq!(it.mark().mark, 1);
    symlink("..v2", it.file("..next")).unwrap();
    fs::rename(it.file("..next"), it.file("..data")).unwrap();
    it.until_mark(2);
}

#[test]
fn a_file_that_is_touched_or_written_again_keeps_its_object() {
    let it = Running::start(&[]);
    let number = it.plugin("pre")["id"].clone();
    assert_eq!(it.mark().count, 1);
    put(&it.file("a.so"), &marked("marked", 1));
    assert!(it.told(&["reload"]).contains("nothing has changed"));
    assert_eq!(it.mark(), Mark { name: "a".to_owned(), mark: 1, count: 2 });
    assert_eq!(it.plugin("pre")["id"], number);
    assert_eq!(it.status()["chain"]["number"], 1);
}

#[test]
fn of_two_plugins_the_one_that_stays_keeps_its_object() {
    let it = Running::start(&[&plugin(&library("marked"), "b")]);
    assert_eq!(it.marks().iter().map(|mark| mark.mark).collect::<Vec<_>>(), [0, 1]);
    put(&it.file("a.so"), &marked("marked", 2));
    it.until("the mark 2", || it.marks()[1].mark == 2);
    let marks = it.marks();
    assert!(marks[0].count > marks[1].count, "{marks:?}");
}

#[test]
fn a_file_that_is_half_written_is_not_loaded() {
    let it = Running::start(&[]);
    let whole = marked("marked", 2);
    let (first, second) = whole.split_at(whole.len() / 2);
    let mut file = fs::File::create(it.file("a.so")).unwrap();
    file.write_all(first).unwrap();
    file.sync_all().unwrap();
    let refused = "it is cut off: of ";
    it.until_logged(refused, 1);
    assert_eq!(it.mark().mark, 1, "what is in use stays");
    let past = it.status()["past"][0].clone();
    assert_eq!(past["state"], "refused", "{past:#}");
    assert!(past["reason"].as_str().unwrap().contains(refused), "{past:#}");
    file.write_all(second).unwrap();
    drop(file);
    it.until_mark(2);
    assert_eq!(it.logged(refused), 1, "it was not tried while it was the same");
}

#[test]
fn a_broken_file_and_none_at_all_leave_what_is_in_use() {
    let it = Running::start(&[]);
    let file = it.file("a.so");
    for (times, bytes) in [&b"not a library"[..], b""].into_iter().enumerate() {
        put(&file, bytes);
        it.until_logged("reload refused, what is in use stays: the PRE plugin is not", times + 1);
        assert_eq!(it.mark().mark, 1);
    }
    put(&file, &fs::read(library("panics-in-register")).unwrap());
    it.until_logged("it panicked in register", 1);
    fs::remove_file(&file).unwrap();
    it.until_logged("no plugin ", 1);
    assert_eq!(it.mark().mark, 1);
    let status = it.status();
    assert_eq!(status["last_reload"]["succeeded"], false, "{status:#}");
    assert_eq!(status["last_reload"]["trigger"], "file", "{status:#}");
    put(&file, &marked("marked", 2));
    it.until_mark(2);
}

#[test]
fn another_file_may_change_while_one_is_broken() {
    let it = Running::start(&[]);
    put(&it.file("a.so"), b"broken");
    it.until_logged("reload refused", 1);
    let patches = it.file("patches");
    fs::create_dir(&patches).unwrap();
    put(&patches.join("reverse_proxy.so"), &marked("marked-patch", 7));
    it.until("the patch", || {
        assert_eq!(it.mark().mark, 1);
        it.upstream.last().header("x-patch") == Some("00007")
    });
    // Asked for everything, the host says what it cannot do.
    assert!(it.declined(&["reload"]).contains("the PRE plugin is not usable"));
}

#[test]
fn without_watching_a_change_waits_for_a_signal() {
    let it = Running::start(&["--no-watch"]);
    put(&it.file("a.so"), &marked("marked", 2));
    assert_eq!(it.mark().mark, 1);
    it.host.signal(libc::SIGHUP);
    it.host.wait_for_log("reloaded: ");
    assert_eq!(it.mark().mark, 2);
}

#[test]
fn a_request_under_way_ends_on_what_it_began_with() {
    let (seen, is_seen) = channel();
    let (go, may_go) = channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let seen = std::sync::Mutex::new(seen);
    let upstream = Upstream::respond(move |request| {
        if request.target == "/slow" {
            seen.lock().unwrap().send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
        }
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("a.so"), &marked("marked", 1));
    let flags = vec![plugin(&folder.path().join("a.so"), "a")];
    let it = Running::with(folder, upstream, flags);
    let mut slow = Connection::open(it.host.address());
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    is_seen.recv().unwrap();
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    let state = |it: &Running| it.status()["past"][0]["state"].clone();
    assert_eq!(state(&it), "draining");
    go.send(()).unwrap();
    let reply = slow.read();
    assert_eq!((reply.status, Mark::of(&reply)[0].mark), (200, 1));
    it.until("the end of the draining", || state(&it) == "ready");
    // Only the last set is kept.
    put(&it.file("a.so"), &marked("marked", 3));
    it.until_mark(3);
    it.until("the end of the first", || it.status()["past"][1]["state"] == "retired");
    assert_eq!(get(it.host.address(), "/", &[]).status, 200);
}

/// An upstream that answers whatever begins with `/slow` in two halves, the second when it is told to; and
/// what tells it: by the path.
fn halves() -> (Upstream, impl Fn(&str)) {
    let told = Arc::new((Mutex::new(HashSet::<String>::new()), Condvar::new()));
    let upstream = Upstream::serve({
        let told = told.clone();
        move |request, stream| {
            if !request.target.starts_with("/slow") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
                return Ok(After::KeepAlive);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")?;
            let (paths, changed) = &*told;
            let paths = paths.lock().unwrap();
            drop(changed.wait_while(paths, |paths| !paths.contains(&request.target)).unwrap());
            stream.write_all(b"cd")?;
            Ok(After::KeepAlive)
        }
    });
    let tell = move |path: &str| {
        told.0.lock().unwrap().insert(path.to_owned());
        told.1.notify_all();
    };
    (upstream, tell)
}

/// Asks for something slow, and reads the first line of the answer.
fn begin(it: &Running, path: &str) -> Connection {
    let mut slow = Connection::open(it.host.address());
    slow.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let mut line = [0; 15];
    slow.read_exact(&mut line);
    assert_eq!(&line, b"HTTP/1.1 200 OK");
    slow
}

#[test]
fn a_response_whose_body_still_comes_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("a.so"), &marked("marked", 1));
    let flags = vec![plugin(&folder.path().join("a.so"), "a")];
    let (upstream, tell) = halves();
    let it = Running::with(folder, upstream, flags);
    let state = |mark: u32| {
        let hash = sha256(&marked("marked", mark));
        let status = it.status();
        let mut past = status["past"].as_array().unwrap().iter();
        past.find(|plugin| plugin["sha256"] == hash).unwrap()["state"].clone()
    };
    let first = begin(&it, "/slow/1");
    put(&it.file("a.so"), &marked("marked", 2));
    it.until_mark(2);
    let second = begin(&it, "/slow/2");
    put(&it.file("a.so"), &marked("marked", 3));
    it.until_mark(3);
    assert_eq!([state(1), state(2)], ["draining", "draining"]);
    // What ends is the first one's, whatever is kept for rollback by now.
    tell("/slow/1");
    it.until("the end of the first", || state(1) == "retired");
    assert_eq!(state(2), "draining");
    tell("/slow/2");
    it.until("the end of the draining", || state(2) == "ready");
    drop((first, second));
}

#[test]
fn a_plugin_whose_destructor_hangs_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = |more: &[u8]| [&fs::read(library("hangs-in-drop")).unwrap(), more].concat();
    put(&folder.path().join("a.so"), &hangs(b""));
    let flags = vec![plugin(&folder.path().join("a.so"), "a"), "--no-watch".to_owned()];
    let it = Running::with(folder, Upstream::echo(), flags);
    for round in 1..=5 {
        put(&it.file("a.so"), &hangs(&[b'x'; 5][..round]));
        it.told(&["reload"]);
        assert_eq!(get(it.host.address(), "/", &[]).status, 200);
    }
    it.until_logged("it hangs from now on", 4);
    for _ in 0..8 {
        assert_eq!(get(it.host.address(), "/", &[]).status, 200);
    }
    assert_eq!(it.upstream.last().header("x-hangs"), Some("later"));
    it.told(&["rollback"]);
    assert!(it.host.stop().success());
}

#[test]
fn the_status_says_that_what_was_refused_is_good_again() {
    let it = Running::start(&[]);
    put(&it.file("a.so"), b"broken");
    it.until("the refusal", || it.status()["last_reload"]["succeeded"] == false);
    put(&it.file("a.so"), &marked("marked", 1));
    it.until("the good reload", || it.status()["last_reload"]["succeeded"] == true);
    assert_eq!(it.mark().mark, 1);
}
