//! What a source is asked to do.

use crate::error::Error;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Who we are, for the auth server. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// An identity file, as `tctl auth sign --format=file` and tbot write it.
    Identity(PathBuf),
    /// Three files, as `tctl auth sign --format=tls` writes them.
    Files {
        /// Whom to trust.
        ca: PathBuf,
        /// Our certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// The configuration of a source. The names are those of the event handler's flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port` of the auth server, or of a proxy that routes TLS.
    pub addr: String,
    /// Who we are.
    pub credentials: Credentials,
    /// How often the credentials are read again. None: only once.
    pub refresh: Option<Duration>,
    /// Only events of these types; all, if there are none.
    pub types: HashSet<String>,
    /// No events of these types. Without `session.upload` no recording is read.
    pub skip_event_types: HashSet<String>,
    /// No events of these types from recordings.
    pub skip_session_types: HashSet<String>,
    /// How many events a page has, when they are read in windows.
    pub batch: u32,
    /// How long a window is.
    pub window: Duration,
    /// How many chunks, and beside them how many recordings, are read at a time.
    pub concurrency: usize,
    /// From when on, if there is no state. None: from now on.
    pub start_time: Option<SystemTime>,
    /// How long to wait before the server is asked for more, when it had nothing more.
    pub timeout: Duration,
    /// The folder above that of the state.
    pub storage: PathBuf,
    /// Whether to end when there is nothing more. Recordings that the server does not have yet are
    /// left to the next start.
    pub exit_on_last_event: bool,
    /// Whether to write no state, to read none, and to make no locks.
    pub dry_run: bool,
    /// How many events may be out, read and not yet done. This bounds the memory.
    pub in_flight: u32,
    /// What is seldom changed.
    pub timing: Timing,
}

/// Times and limits that the event handler has no flags for.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a connection may take, with TLS.
    pub connect: Duration,
    /// How long an answer may take, and each piece of one that comes in pieces.
    pub answer: Duration,
    /// How long the first wait is after a failure, and the longest.
    pub retry: (Duration, Duration),
    /// How long the first connection is tried for, before that is an error.
    pub start: Duration,
    /// How often the state is saved.
    pub save: Duration,
    /// How long to wait, at the end, for events that are out.
    pub drain: Duration,
    /// When recordings that were missing are asked for again: first, and from then on.
    pub missing: (Duration, Duration),
    /// How old the upload of a recording may be that is still missing.
    pub recording_lost: Duration,
    /// A window that ended less than this ago may still get events.
    pub settle: Duration,
    /// So old must events be of which the bulk export should have a chunk.
    pub export_delay: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            answer: Duration::from_secs(5 * 60),
            retry: (Duration::from_secs(1), Duration::from_secs(90)),
            start: Duration::from_secs(60),
            save: Duration::from_millis(500),
            drain: Duration::from_secs(10),
            missing: (Duration::from_secs(60), Duration::from_secs(3 * 60)),
            recording_lost: Duration::from_secs(48 * 3600),
            settle: Duration::from_secs(2 * 60),
            export_delay: Duration::from_secs(3600),
        }
    }
}

impl Config {
    /// With what the event handler has by default.
    pub fn new(addr: impl Into<String>, credentials: Credentials, storage: PathBuf) -> Self {
        Self {
            addr: addr.into(),
            credentials,
            refresh: None,
            types: HashSet::new(),
            skip_event_types: HashSet::new(),
            skip_session_types: ["print", "desktop.recording"].map(str::to_owned).into(),
            batch: 20,
            window: Duration::from_secs(24 * 3600),
            concurrency: 5,
            start_time: None,
            timeout: Duration::from_secs(10),
            storage,
            exit_on_last_event: false,
            dry_run: false,
            in_flight: 4096,
            timing: Timing::default(),
        }
    }

    /// Where the state is, below `storage`: in a folder of the server's own.
    ///
    /// # Errors
    ///
    /// If `addr` is not like `host:port`.
    pub fn state_folder(&self) -> Result<PathBuf, Error> {
        let (host, port) = self.host_and_port()?;
        Ok(self.storage.join(format!("{host}_{port}")))
    }

    /// The host and the port of `addr`; an IPv6 address without its brackets.
    pub(crate) fn host_and_port(&self) -> Result<(&str, u16), Error> {
        let wrong = |problem| Error::Config { key: "teleport.addr", problem };
        let parts = self.addr.trim().rsplit_once(':');
        let Some((host, port)) = parts.filter(|(host, _)| !host.is_empty()) else {
            return Err(wrong(format!("{:?} is not like host:port", self.addr)));
        };
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| wrong(format!("{:?} has no port", self.addr)))?;
        match host.strip_prefix('[') {
            Some(rest) => match rest.strip_suffix(']') {
                Some(host) => Ok((host, port)),
                None => Err(wrong(format!("{:?} lacks a bracket", self.addr))),
            },
            None if host.contains([':', '/']) => {
                Err(wrong(format!("{:?} is not like host:port, or [address]:port", self.addr)))
            }
            None => Ok((host, port)),
        }
    }

    /// What cannot work is said before anything is opened.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.host_and_port()?;
        let least = |key, is_zero: bool| match is_zero {
            true => Err(Error::Config { key, problem: "0 is too little".to_owned() }),
            false => Ok(()),
        };
        least("batch", self.batch == 0)?;
        least("window-size", self.window < Duration::from_secs(1))?;
        least("concurrency", self.concurrency == 0)?;
        least("in-flight", self.in_flight == 0)?;
        least("timeout", self.timeout.is_zero())?;
        least("teleport.refresh.interval", self.refresh.is_some_and(|every| every.is_zero()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addr: &str) -> Config {
        Config::new(addr, Credentials::Identity("id".into()), "state".into())
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let parts = |addr| at(addr).host_and_port().map(|(host, port)| (host.to_owned(), port));
        assert_eq!(parts("localhost:3025").unwrap(), ("localhost".to_owned(), 3025));
        assert_eq!(parts("[::1]:443").unwrap(), ("::1".to_owned(), 443));
        for wrong in
            ["localhost", ":3025", "host:", "host:x", "host:0", "::1:443", "[::1:443", "http://a:1"]
        {
            let error = parts(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("teleport.addr: {wrong:?} ")), "{error}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_name() {
        let error = |change: fn(&mut Config)| {
            let mut config = at("a:1");
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        at("a:1").check().unwrap();
        assert_eq!(error(|it| it.batch = 0), "batch: 0 is too little");
        assert_eq!(error(|it| it.concurrency = 0), "concurrency: 0 is too little");
        assert_eq!(error(|it| it.window = Duration::ZERO), "window-size: 0 is too little");
        assert_eq!(error(|it| it.timeout = Duration::ZERO), "timeout: 0 is too little");
        let error = error(|it| it.refresh = Some(Duration::ZERO));
        assert_eq!(error, "teleport.refresh.interval: 0 is too little");
    }
}
