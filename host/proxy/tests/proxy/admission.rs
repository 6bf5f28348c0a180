//! What is admitted is what runs.

use crate::server::Setup;
use fixtures::library;
use host_proxy::native::{Admission, Reason, sha256};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Admits what it is shown, remembers it, and puts another library in its place.
struct Swap {
    other: Vec<u8>,
    seen: Mutex<Vec<(Vec<u8>, String)>>,
}

impl Admission for Swap {
    fn admit(&self, path: &Path, content: &[u8], sha256: &str) -> Result<(), String> {
        self.seen.lock().unwrap().push((content.to_owned(), sha256.to_owned()));
        fs::write(path, &self.other).map_err(|error| error.to_string())
    }
}

struct Never;

impl Admission for Never {
    fn admit(&self, _: &Path, _: &[u8], _: &str) -> Result<(), String> {
        Err("nobody knows it".to_owned())
    }
}

#[test]
fn a_file_that_is_swapped_while_it_is_checked_does_not_run() {
    let mut setup = Setup::new();
    let file = setup.folder.path().join("plugin.so");
    let first = fs::read(library("noop-plugin")).unwrap();
    fs::write(&file, &first).unwrap();
    let other = fs::read(library("set-header")).unwrap();
    let swap = Arc::new(Swap { other: other.clone(), seen: Mutex::default() });
    setup.loader = setup.loader.with_admission(swap.clone());
    let plugin = setup.loader.load(&file, "").unwrap();
    assert_eq!(fs::read(&file).unwrap(), other);
    assert_eq!(plugin.info.name, "noop-plugin");
    assert_eq!(plugin.info.sha256, sha256(&first));
    assert_eq!(*swap.seen.lock().unwrap(), [(first.clone(), sha256(&first))]);
}

#[test]
fn what_is_not_admitted_is_not_even_copied_to_where_it_could_be_opened() {
    let mut setup = Setup::new();
    setup.loader = setup.loader.with_admission(Arc::new(Never));
    let library = library("noop-plugin");
    let Err(refusal) = setup.loader.load(&library, "") else { panic!("it was loaded") };
    assert!(matches!(&refusal.reason, Reason::NotTrusted(why) if why == "nobody knows it"));
    let words = format!("{}: refused: it is not trusted: nobody knows it", library.display());
    assert_eq!(refusal.to_string(), words);
    assert_eq!(refusal.info.unwrap().sha256, sha256(&fs::read(&library).unwrap()));
    assert!(!setup.folder.path().join("plugins").exists());
}
