//! Large bodies through plugins, in the memory of small ones.

use crate::raw::{self, skip_head, wait_for_end};
use fixtures::{Build, Host, Launch, host_built, library_with};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};

/// The most memory that the host has had at any time, in bytes.
pub(crate) fn peak(host: &Host) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// What the buffers of a few connections may take, and the allocator beside them.
const BUFFERS: u64 = 32 << 20;

pub(crate) fn assert_constant(host: &Host, before: u64) {
    let grown = peak(host).saturating_sub(before);
    assert!(grown < BUFFERS, "{grown} bytes more than before the body");
}

/// A text that differs from place to place, with a word here and there, over and over.
struct Text(Vec<u8>);

impl Text {
    fn with(word: &str) -> Self {
        let line = |at| match at % 32 {
            0 => format!("{at:08} {word}/path\n"),
            _ => format!("{at:08} and nothing to be rewritten in this line\n"),
        };
        Self((0..2000).flat_map(|at| line(at).into_bytes()).collect())
    }

    fn write(&self, to: &mut impl Write, times: usize) -> io::Result<()> {
        (0..times).try_for_each(|_| to.write_all(&self.0))
    }

    /// Says where it differs.
    fn check(&self, from: &mut impl Read, times: usize) {
        let mut buffer = vec![0; self.0.len()];
        for time in 0..times {
            from.read_exact(&mut buffer).unwrap_or_else(|error| panic!("{time}: {error}"));
            assert!(buffer == self.0, "it differs at repetition {time} of {times}");
        }
    }
}

/// The content of a body in chunks, without trailers.
struct Chunks<R> {
    from: R,
    left: u64,
    ended: bool,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let mut line = String::new();
            self.from.read_line(&mut line)?;
            self.left = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
            self.ended = self.left == 0;
        }
        let read = self.from.by_ref().take(self.left).read(buffer)?;
        self.left -= read as u64;
        if read > 0 && self.left == 0 {
            self.from.read_exact(&mut [0; 2])?;
        }
        Ok(read)
    }
}

/// Sends so many bytes up and gets as many down, through plugins that see requests and rewrite
/// responses, and says how much memory the host had needed before, and at most.
fn there_and_back(bytes: usize, release: bool) -> (u64, u64) {
    const INTERNAL: &str = "http://internal";
    const EXTERNAL: &str = "https://external";
    let times = bytes / Text::with(INTERNAL).0.len();
    let upstream = raw::upstream(move |mut stream| {
        skip_head(&mut stream);
        let text = Text::with(INTERNAL);
        text.check(&mut stream, times);
        let length = times * text.0.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length:";
        let _ = write!(stream, "{head} {length}\r\n\r\n");
        let _ = text.write(&mut stream, times);
        wait_for_end(&mut stream);
    });
    let build = Build { release, ..Build::default() };
    let plugin = |package| library_with(package, &build).display().to_string();
    let replace = format!(r#"={{"replace": [{{"from": "{INTERNAL}", "to": "{EXTERNAL}"}}]}}"#);
    let transform = plugin("transform-plugin") + &replace;
    let (pre, post) = (plugin("pre-plugin"), plugin("post-plugin"));
    let args = ["--target", &upstream, "--pre-plugin", &pre, "--post-plugin", &post];
    let host = Launch::new(&[args.as_slice(), &["--post-plugin", &transform]].concat())
        .binary(host_built(&build))
        .start();
    let before = peak(&host);

    let mut socket = raw::connect(host.address());
    let text = Text::with(INTERNAL);
    let length = times * text.0.len();
    write!(socket, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").unwrap();
    text.write(&mut socket, times).unwrap();
    assert!(skip_head(&mut socket));
    let mut body = Chunks { from: BufReader::new(socket), left: 0, ended: false };
    Text::with(EXTERNAL).check(&mut body, times);
    assert_eq!(body.read(&mut [0]).unwrap(), 0, "and nothing more");
    assert_constant(&host, before);
    (before, peak(&host))
}

#[test]
fn a_large_body_takes_no_more_memory_than_a_small_one() {
    there_and_back(64 << 20, false);
}

/// `cargo test -p host --test http -- --ignored --nocapture`
#[test]
#[ignore = "builds for release, and takes a while"]
fn a_gibibyte_takes_no_more_memory_than_a_small_body() {
    let (before, peak) = there_and_back(1 << 30, true);
    println!(
        "1 GiB up and down through three plugins: {} KiB at most, {} KiB of them before",
        peak / 1024,
        before / 1024
    );
}
