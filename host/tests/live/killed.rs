//! A host that is killed while plugins are being replaced.

use crate::kit::{Running, marked, put};
use std::fs;
use std::time::Duration;

/// Each round files are replaced, one by one that does not load at last, and the host is killed at
/// another moment of that.
#[test]
fn it_comes_up_with_a_set_that_was_good() {
    let mut it = Running::start(&[]);
    let good: Vec<_> = (1..4).map(|mark| marked("marked", mark)).collect();
    for round in 0..12_u32 {
        let next = &good[round as usize % good.len()];
        put(&it.file("a.so"), next);
        // The moment is what the test varies; nothing is waited for.
        #[allow(clippy::disallowed_methods)] // at any moment
        std::thread::sleep(Duration::from_millis(u64::from(round) * 37 % 450));
        if round % 2 == 0 {
            fs::write(it.file("a.so"), &next[..next.len() / 3]).unwrap();
            #[allow(clippy::disallowed_methods)] // at any moment
            std::thread::sleep(Duration::from_millis(u64::from(round) * 53 % 350));
        }
        it.host.signal(libc::SIGKILL);
        it.host.wait();
        it = it.again();
        let mark = it.mark().mark;
        assert!((1..4).contains(&mark), "{mark}");
        let record = fs::read_to_string(it.file("state/plugins.json")).unwrap();
        assert!(record.contains("\"clean\": false"), "{record}");
    }
}
