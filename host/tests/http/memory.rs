//! Large bodies through plugins, in the memory of small ones.

use crate::raw;
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

const INTERNAL: &str = "http://internal";
const EXTERNAL: &str = "https://external";

/// A host with plugins that see requests and rewrite responses, in front of an upstream that takes a
/// text as often as the path says, and answers with as much.
fn start(release: bool) -> Host {
    let upstream = raw::upstream(|mut stream| {
        let text = Text::with(INTERNAL);
        while let Some(head) = raw::head(&mut stream) {
            let path = head.split([' ', '/']).nth(2).unwrap();
            let times = path.parse().unwrap();
            text.check(&mut stream, times);
            let length = times * text.0.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length:";
            let _ = write!(stream, "{head} {length}\r\n\r\n");
            let _ = text.write(&mut stream, times);
        }
    });
    let build = Build { release, ..Build::default() };
    let plugin = |package| library_with(package, &build).display().to_string();
    let replace = format!(r#"={{"replace": [{{"from": "{INTERNAL}", "to": "{EXTERNAL}"}}]}}"#);
    let transform = plugin("transform-plugin") + &replace;
    let (pre, post) = (plugin("pre-plugin"), plugin("post-plugin"));
    let args = ["--target", &upstream, "--pre-plugin", &pre, "--post-plugin", &post];
    Launch::new(&[args.as_slice(), &["--post-plugin", &transform]].concat())
        .binary(host_built(&build))
        .start()
}

/// Sends so many bytes up, and gets as many down.
fn there_and_back(host: &Host, bytes: usize) {
    let text = Text::with(INTERNAL);
    let times = bytes / text.0.len();
    let length = times * text.0.len();
    let mut socket = raw::connect(host.address());
    write!(socket, "PUT /{times} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").unwrap();
    text.write(&mut socket, times).unwrap();
    assert!(raw::skip_head(&mut socket));
    let mut body = Chunks { from: BufReader::new(socket), left: 0, ended: false };
    Text::with(EXTERNAL).check(&mut body, times);
    assert_eq!(body.read(&mut [0]).unwrap(), 0, "and nothing more");
}

#[test]
fn a_large_body_takes_no_more_memory_than_a_small_one() {
    let host = start(false);
    there_and_back(&host, 4 << 20);
    let small = peak(&host);
    there_and_back(&host, 96 << 20);
    assert_constant(&host, small);
}

/// `cargo test -p host --test http -- --ignored --nocapture`
#[test]
#[ignore = "builds for release, and takes a while"]
fn a_gibibyte_takes_no_more_memory_than_a_small_body() {
    let host = start(true);
    let mut before = peak(&host);
    println!("{} KiB before the first body", before / 1024);
    for mib in [4, 64, 1024] {
        there_and_back(&host, mib << 20);
        println!("{} KiB at most with {mib} MiB up and down", peak(&host) / 1024);
        assert_constant(&host, before);
        before = peak(&host);
    }
}
