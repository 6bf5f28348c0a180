//! What the tests share: a cluster, a sink, and how the handler is told of both.

mod sink;

pub(crate) use sink::Sink;

use fake_teleport::{Authority, Fake, World, midnight};
use fixtures::{Host, Launch, Output, host_for_figures};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Runs `host event-handler` to its end.
pub(crate) fn handler(args: &[&str]) -> Output {
    Launch::new(&[&["event-handler"], args].concat()).run()
}

/// One event in JSON.
pub(crate) fn event(kind: &str, uid: &str, user: &str) -> String {
    let time = "2024-02-23T19:00:22.473Z";
    format!(
        r#"{{"cluster_name":"here","code":"T1000W","ei":0,"event":"{kind}","method":"local","success":false,"time":"{time}","uid":"{uid}","user":"{user}","x.unknown":1}}"#
    )
}

/// A cluster, a sink, and a configuration file between them.
pub(crate) struct Scene {
    pub(crate) fake: Fake,
    pub(crate) sink: Sink,
    folder: TempDir,
    /// None: that of all tests.
    binary: Option<PathBuf>,
}

impl Scene {
    /// The last lines of the configuration are `more`.
    pub(crate) fn new(world: World, more: &str) -> Self {
        let authority = Authority::new("tenon.example.com");
        let fake = Fake::start(&authority, "tenon.example.com", world);
        let (sink, folder) = (Sink::new(), tempfile::tempdir().unwrap());
        let user = authority.user("event-handler", 30);
        authority.write_identity(&user, &folder.path().join("identity"));
        let start = humantime::format_rfc3339_seconds(midnight(30));
        let text = format!(
            "storage = '{storage}'\nstart-time = {start}\nbatch = 500\ntimeout = '100ms'\n\
             [teleport]\naddr = '{addr}'\nidentity = '{identity}'\n\
             [forward.fluentd]\nurl = '{url}/events'\nsession-url = '{url}/session'\n{more}",
            storage = folder.path().join("state").display(),
            addr = fake.address(),
            identity = folder.path().join("identity").display(),
            url = sink.url(),
        );
        fs::write(folder.path().join("handler.toml"), text).unwrap();
        Self { fake, sink, folder, binary: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the original's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state").join(format!("127.0.0.1_{}", self.fake.address().port()))
    }

    /// With a host that is built for release.
    pub(crate) fn for_figures(self) -> Self {
        Self { binary: Some(host_for_figures()), ..self }
    }

    /// Starts the handler.
    pub(crate) fn start(&self, args: &[&str]) -> Host {
        let config = self.path("handler.toml");
        let front = ["event-handler", "start", "-c", config.to_str().unwrap()];
        let launch = Launch::new(&[&front[..], args].concat());
        match &self.binary {
            Some(binary) => launch.binary(binary.clone()).begin(),
            None => launch.begin(),
        }
    }

    /// Lets it end by itself, and well.
    pub(crate) fn all(&self, args: &[&str]) -> Host {
        let host = self.start(&[args, &["--exit-on-last-event"]].concat());
        assert_eq!(host.wait().code(), Some(0), "{}", host.log());
        host
    }
}

/// The uid of an event of the cluster.
pub(crate) fn uid(number: u64) -> String {
    format!("{number:012}")
}

/// Lines of a file.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}
