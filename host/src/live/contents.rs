//! What is in files now, once nobody writes to them any more.

use host_proxy::native::Content;
use std::io::{Error, ErrorKind, Result};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A file is settled when two looks that far apart find the same in it.
const APART: Duration = Duration::from_millis(100);
/// It must be by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is added to the niceness of whoever reads files here.
const NICE: i32 = 10;

/// Reads files. Those with a content that is not `known` are read again until they are settled. Blocks
/// for so long.
///
/// Reading and hashing takes processor time, milliseconds of it, on a thread that yields to those of
/// requests. What is loaded afterwards does not: a plugin's own threads would inherit that.
pub(crate) fn read(paths: &[PathBuf], known: impl Fn(&str) -> bool + Sync) -> Vec<Result<Content>> {
    if paths.is_empty() {
        return Vec::new();
    }
    let yielding = || {
        // Of this thread only; without it this is as it would be on any.
        let _ = rustix::process::nice(NICE);
        read_here(paths, &known)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("plugin files".to_owned());
        match thread.spawn_scoped(scope, yielding) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => read_here(paths, &known),
        }
    })
}

fn read_here(paths: &[PathBuf], known: &impl Fn(&str) -> bool) -> Vec<Result<Content>> {
    let mut contents: Vec<_> = paths.iter().map(|path| Content::read(path)).collect();
    let begin = Instant::now();
    let is_new = |content: &Result<Content>| content.as_ref().is_ok_and(|it| !known(&it.sha256));
    let mut moving: Vec<usize> =
        (0..paths.len()).filter(|index| is_new(&contents[*index])).collect();
    while !moving.is_empty() {
        #[allow(clippy::disallowed_methods)]
        // that nothing happens for a time is what is waited for
        thread::sleep(APART);
        moving.retain(|index| !settled(&paths[*index], &mut contents[*index]));
        if begin.elapsed() > PATIENCE {
            for index in moving.drain(..) {
                let error = Error::new(ErrorKind::WouldBlock, "somebody goes on writing to it");
                contents[index] = Err(error);
            }
        }
    }
    contents
}

/// Whether a file is as it was at the last look, or gone; if it is not, this was another look.
fn settled(path: &Path, content: &mut Result<Content>) -> bool {
    let same = match (&*content, &std::fs::read(path)) {
        (Ok(before), Ok(now)) => before.bytes == *now,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    if !same {
        *content = Content::read(path);
    }
    same || content.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_is_being_written_is_taken_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [slow, whole, none] = ["slow", "whole", "none"].map(|name| folder.path().join(name));
        std::fs::write(&whole, "whole").unwrap();
        let mut file = std::fs::File::create(&slow).unwrap();
        let writer = thread::spawn(move || {
            for _ in 0..20 {
                file.write_all(b"piece").unwrap();
                #[allow(clippy::disallowed_methods)] // somebody who writes slowly
                thread::sleep(APART / 5);
            }
        });
        let contents = read(&[slow, whole, none], |_| false);
        writer.join().unwrap();
        let [Ok(slow), Ok(whole), Err(none)] = &contents[..] else { panic!("they are read") };
        assert_eq!((slow.bytes.len(), &whole.bytes[..]), (100, &b"whole"[..]));
        assert_eq!(none.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_known_is_not_waited_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let begin = Instant::now();
        assert!(read(&[file.path().to_owned()], |_| true)[0].is_ok());
        assert!(begin.elapsed() < APART);
    }
}
