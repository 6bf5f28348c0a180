//! What the tests share.

use fixtures::{Host, Launch, Output, Upstream, get, library};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The bytes of a fixture with this mark.
pub(crate) fn marked(package: &str, mark: u32) -> Vec<u8> {
    marked_in(package, &library(package), mark)
}

/// The same in a library of this package.
pub(crate) fn marked_in(package: &str, library: &Path, mark: u32) -> Vec<u8> {
    const MARK: &[u8] = b"tenon-mark-";
    let mut bytes = fs::read(library).unwrap();
    let at: Vec<_> =
        (0..bytes.len() - 16).filter(|at| bytes[*at..].starts_with(b"tenon-mark-00000")).collect();
    let [at] = at[..] else { panic!("the mark is in {package} {} times", at.len()) };
    bytes[at + MARK.len()..at + 16].copy_from_slice(format!("{mark:05}").as_bytes());
    bytes
}

/// Puts a whole file in the place of another, as `mv` does.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

/// What one object of `marked` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) mark: u32,
    /// How many requests it has seen.
    pub(crate) count: u64,
}

impl Mark {
    fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap();
        let (name, mark, count) = (word().to_owned(), word(), word());
        Self { name, mark: mark.parse().unwrap(), count: count.parse().unwrap() }
    }

    /// Those of a response.
    pub(crate) fn of(reply: &fixtures::Reply) -> Vec<Self> {
        reply.values("x-marks").into_iter().map(Self::parse).collect()
    }
}

/// A host, its upstream, and a folder for plugins.
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) upstream: Upstream,
    pub(crate) folder: TempDir,
    args: Vec<String>,
}

impl Running {
    /// With `marked` as PRE plugin, called `a`, from `a.so` with mark 1, and these flags.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("a.so"), &marked("marked", 1));
        let plugin = plugin(&folder.path().join("a.so"), "a");
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        Self::with(folder, Upstream::echo(), [plugin].into_iter().chain(flags).collect())
    }

    /// With a folder that is prepared; the state is there, too.
    pub(crate) fn with(folder: TempDir, upstream: Upstream, flags: Vec<String>) -> Self {
        Self::of(fixtures::host(), folder, upstream, flags)
    }

    /// The same, with another binary.
    pub(crate) fn of(
        binary: PathBuf,
        folder: TempDir,
        upstream: Upstream,
        flags: Vec<String>,
    ) -> Self {
        let mut args = vec![
            format!("--target={}", upstream.url()),
            format!("--state={}", folder.path().join("state").display()),
        ];
        args.extend(flags);
        let host = Launch::new(&args).binary(binary).directory(folder.path()).start();
        Self { host, upstream, folder, args }
    }

    /// Starts it again with the same arguments, however it has ended.
    pub(crate) fn again(self) -> Self {
        let Self { host, upstream, folder, args } = self;
        drop(host);
        let host = Launch::new(&args).directory(folder.path()).start();
        Self { host, upstream, folder, args }
    }

    /// The start that must fail.
    pub(crate) fn fails_again(self) -> Output {
        let Self { host, folder, args, .. } = self;
        drop(host);
        Launch::new(&args).directory(folder.path()).fails()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn marks(&self) -> Vec<Mark> {
        let reply = get(self.host.address(), "/", &[]);
        assert_eq!(reply.status, 200, "{}", self.host.log());
        Mark::of(&reply)
    }

    /// The mark of the only plugin.
    pub(crate) fn mark(&self) -> Mark {
        let marks = self.marks();
        let [mark] = &marks[..] else { panic!("one plugin answers, not {marks:?}") };
        mark.clone()
    }

    /// Sends requests until one is answered by this mark.
    pub(crate) fn until_mark(&self, mark: u32) {
        self.until(&format!("the mark {mark}"), || self.mark().mark == mark);
    }

    /// Asks again and again until it is so.
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !so() {
            assert!(begin.elapsed() < LIMIT, "{what} is awaited in vain:\n{}", self.host.log());
            std::thread::yield_now();
        }
    }

    /// How often the log has a text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.host.log().matches(text).count()
    }

    /// Waits until the log has a text so often.
    pub(crate) fn until_logged(&self, text: &str, times: usize) {
        self.until(text, || self.logged(text) >= times);
    }

    /// Runs a command against it, as in `reload`.
    pub(crate) fn tell(&self, command: &[&str]) -> Output {
        let state = format!("--state={}", self.file("state").display());
        Host::run(&[command, &[&state]].concat())
    }

    /// The same; it must succeed.
    pub(crate) fn told(&self, command: &[&str]) -> String {
        let output = self.tell(command);
        assert_eq!(output.code, Some(0), "{output:?}\n{}", self.host.log());
        output.stdout
    }

    /// The same; it must be declined.
    pub(crate) fn declined(&self, command: &[&str]) -> String {
        let output = self.tell(command);
        assert_eq!((output.code, &*output.stdout), (Some(1), ""), "{output:?}");
        output.stderr
    }

    /// The status, over the control socket.
    pub(crate) fn status(&self) -> Value {
        self.ask("\"status\"")["status"].clone()
    }

    /// As `host reload` does, without a process for it.
    pub(crate) fn reload(&self) {
        let reply = self.ask("{\"command\": \"reload\"}");
        assert!(reply["done"].is_object(), "{reply:#}");
    }

    fn ask(&self, request: &str) -> Value {
        let mut stream = UnixStream::connect(self.file("state/control.sock")).unwrap();
        writeln!(stream, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The plugin in use in a place.
    pub(crate) fn plugin(&self, place: &str) -> Value {
        let status = self.status();
        let plugins = status["plugins"].as_array().unwrap();
        plugins.iter().find(|plugin| plugin["place"] == place).cloned().unwrap()
    }
}

/// `marked` under a name, as an argument.
pub(crate) fn plugin(path: &Path, name: &str) -> String {
    format!("--pre-plugin={}={{\"name\": \"{name}\"}}", path.display())
}
