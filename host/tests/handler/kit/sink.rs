//! An HTTP server that takes events as fluentd's `in_http` does, and can be away for a while.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Default)]
struct State {
    /// How often each uid has come, by path.
    came: HashMap<String, HashMap<String, u32>>,
    count: usize,
    requests: usize,
    away: bool,
    refused: usize,
    open: Vec<TcpStream>,
    /// How long an answer takes, and that events are only counted: for measuring.
    blind: Option<Duration>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The server; its threads end with the test.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A TLS session, or nothing, around a connection.
pub(crate) type Wrap = dyn Fn(TcpStream) -> Option<Box<dyn Duplex>> + Send + Sync;

/// What can be read and written.
pub(crate) trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

impl Sink {
    pub(crate) fn new() -> Self {
        Self::wrapped(Box::new(|stream| Some(Box::new(stream))))
    }

    pub(crate) fn wrapped(wrap: Box<Wrap>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let (of, wrap) = (shared.clone(), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (shared, wrap) = (of.clone(), wrap.clone());
                let mut state = shared.state.lock().unwrap();
                if state.away {
                    state.refused += 1;
                    shared.changed.notify_all();
                    continue;
                }
                state.open.push(stream.try_clone().unwrap());
                drop(state);
                std::thread::spawn(move || {
                    if let Some(stream) = wrap(stream) {
                        serve(stream, &shared);
                    }
                });
            }
        });
        Self { address, shared }
    }

    /// From now on it counts only, and each answer takes so long.
    pub(crate) fn blind(&self, latency: Duration) {
        self.state().blind = Some(latency);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections, and takes no more.
    pub(crate) fn away(&self, away: bool) {
        let mut state = self.state();
        state.away = away;
        if away {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    /// How many have come to it while it was away.
    pub(crate) fn refused(&self) -> usize {
        self.state().refused
    }

    /// Waits until so many have come to a sink that is away.
    pub(crate) fn wait_for_refused(&self, count: usize) {
        self.wait(|state| state.refused >= count);
    }

    /// Waits until so many events have come, each as often as it did.
    pub(crate) fn wait_for(&self, count: usize) {
        self.wait(|state| state.count >= count);
    }

    /// Waits until so many different events have come to a path.
    pub(crate) fn wait_for_all(&self, path: &str, count: u64) {
        self.wait(|state| state.came.get(path).is_some_and(|came| came.len() as u64 >= count));
    }

    fn wait(&self, is: impl Fn(&State) -> bool) {
        let (begin, mut state) = (Instant::now(), self.state());
        while !is(&state) {
            let left = LIMIT.checked_sub(begin.elapsed());
            let left = left.unwrap_or_else(|| panic!("only {} events have come", state.count));
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// How many events have come, each as often as it did.
    pub(crate) fn count(&self) -> usize {
        self.state().count
    }

    pub(crate) fn requests(&self) -> usize {
        self.state().requests
    }

    /// The uids that have come to a path, and how often.
    pub(crate) fn came(&self, path: &str) -> HashMap<String, u32> {
        self.state().came.get(path).cloned().unwrap_or_default()
    }

    /// The paths that events have come to.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.state().came.keys().cloned().collect();
        paths.sort();
        paths
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

fn serve(stream: Box<dyn Duplex>, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some((path, body)) = request(&mut stream) {
        let blind = shared.state.lock().unwrap().blind;
        if let Some(latency) = blind {
            #[allow(clippy::disallowed_methods)] // that of a server far away
            std::thread::sleep(latency);
            let mut state = shared.state.lock().unwrap();
            state.requests += 1;
            state.count += 1 + body.windows(3).filter(|it| it == b"},{").count();
            drop(state);
            shared.changed.notify_all();
            if answer(&mut stream).is_err() {
                return;
            }
            continue;
        }
        let uids: Vec<String> = match serde_json::from_slice(&body).unwrap() {
            Value::Array(events) => events.iter().map(uid).collect(),
            event => vec![uid(&event)],
        };
        let mut state = shared.state.lock().unwrap();
        if state.away {
            return;
        }
        state.requests += 1;
        state.count += uids.len();
        let came = state.came.entry(path).or_default();
        for uid in uids {
            *came.entry(uid).or_default() += 1;
        }
        drop(state);
        shared.changed.notify_all();
        if answer(&mut stream).is_err() {
            return;
        }
    }
}

fn answer(stream: &mut BufReader<Box<dyn Duplex>>) -> std::io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    stream.flush()
}

fn uid(event: &Value) -> String {
    event["uid"].as_str().or(event["ei"].as_str()).unwrap_or_default().to_owned()
}

/// The path and the body of a request; none at the end.
fn request(stream: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, body))
}
