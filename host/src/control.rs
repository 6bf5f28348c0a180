//! How commands talk to the running host: over a Unix socket in its state folder.
//!
//! Each request and each reply is a JSON object on a line of its own. Only the user that the host runs
//! as may connect.

use crate::locks::Lock;
use crate::operator::{Command, Declined, Done, Operator, Reason, Status};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// The socket in the state folder.
const SOCKET: &str = "control.sock";
/// How many commands are answered at a time.
const CONNECTIONS: usize = 8;
/// How long a command has to ask, and then to take the reply.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command waits for an answer that the host has at hand.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits for what the host has to do first: plugins register one after another.
const COMMAND_PATIENCE: Duration = Duration::from_secs(300);
/// The longest request, in bytes.
const LONGEST_REQUEST: u64 = 4096;
/// The longest reply: more than all the locks that a store has room for.
const LONGEST_REPLY: u64 = 64 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Status,
    ListLocks,
    Command(Command),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Status(Box<Status>),
    Locks(Vec<Lock>),
    Done(Done),
    Declined(Declined),
    /// The request was none.
    Failed(String),
}

/// Makes the socket in the state folder. The caller has that folder to itself: a socket that is there
/// belongs to a host that is gone, and is replaced.
pub fn listen(state: &Path) -> Result<UnixListener> {
    let path = state.join(SOCKET);
    let cannot = || format!("the control socket {} cannot be made", path.display());
    if let Ok(there) = path.symlink_metadata() {
        let name = path.display();
        ensure!(
            there.file_type().is_socket(),
            "{name} is in the way of the control socket: move it"
        );
    }
    // Made where nobody else can come, and moved when only its owner may connect.
    let private = tempfile::Builder::new().prefix(".c").rand_bytes(6).tempdir_in(state);
    let private = private.with_context(cannot)?;
    let made = private.path().join("s");
    let listener = UnixListener::bind(&made).with_context(cannot)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(0o600)).with_context(cannot)?;
    fs::rename(&made, &path).with_context(cannot)?;
    Ok(listener)
}

/// Answers commands until the process ends. Each conversation is a task of `conversations`.
pub async fn serve(
    listener: UnixListener,
    operator: Arc<dyn Operator>,
    conversations: TaskTracker,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Nobody closes the semaphore.
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open: it will not be better at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let operator = operator.clone();
        conversations.spawn(async move {
            if let Err(error) = converse(stream, &*operator).await {
                tracing::debug!("a command was not answered: {error}");
            }
            drop(place);
        });
    }
}

async fn converse(mut stream: tokio::net::UnixStream, operator: &dyn Operator) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = tokio::io::BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut reader).take(LONGEST_REQUEST);
        tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let reply = match serde_json::from_slice(&line) {
            Ok(request) => answer(request, operator).await,
            Err(error) => Reply::Failed(format!(
                "the host does not understand the request ({error}): is it of another version?"
            )),
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        tokio::time::timeout(PATIENCE, writer.write_all(&text)).await??;
        if !whole {
            return Ok(()); // where the next one begins nobody knows
        }
    }
}

async fn answer(request: Request, operator: &dyn Operator) -> Reply {
    match request {
        Request::Status => Reply::Status(Box::new(operator.status())),
        Request::ListLocks => Reply::Locks(operator.locks()),
        Request::Command(command) => match operator.command(command).await {
            Ok(done) => Reply::Done(done),
            Err(declined) => Reply::Declined(declined),
        },
    }
}

/// The running host, as a command sees it.
#[derive(Debug)]
pub(crate) struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// The host that runs with this state folder, if one answers there.
    pub(crate) fn find(state: &Path) -> Result<Option<Self>> {
        let path = state.join(SOCKET);
        let stream = match UnixStream::connect(&path) {
            Ok(stream) => stream,
            Err(error) => {
                // There is no socket, or one that a host left behind.
                let none = [ErrorKind::NotFound, ErrorKind::ConnectionRefused];
                if none.contains(&error.kind()) {
                    return Ok(None);
                }
                let path = path.display();
                return Err(error).with_context(|| {
                    format!("{path} cannot be reached; be the user that the host runs as")
                });
            }
        };
        stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
        stream.set_write_timeout(Some(CLIENT_PATIENCE))?;
        Ok(Some(Self { path, stream: BufReader::new(stream) }))
    }

    pub(crate) fn status(&mut self) -> Result<Status> {
        match self.ask(&Request::Status)? {
            Reply::Status(status) => Ok(*status),
            other => bail!("the host answered something else than its status: {other:?}"),
        }
    }

    pub(crate) fn list(&mut self) -> Result<Vec<Lock>> {
        match self.ask(&Request::ListLocks)? {
            Reply::Locks(locks) => Ok(locks),
            other => bail!("the host answered something else than its locks: {other:?}"),
        }
    }

    /// Whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> Result<bool> {
        match self.command(Command::RemoveLock { name: name.to_owned() })? {
            Ok(_) => Ok(true),
            Err(Declined { reason: Reason::NotFound, .. }) => Ok(false),
            Err(declined) => Err(declined.into()),
        }
    }

    /// Tells the host to do something, and waits for what comes of it.
    pub(crate) fn command(&mut self, command: Command) -> Result<Result<Done, Declined>> {
        self.stream.get_ref().set_read_timeout(Some(COMMAND_PATIENCE))?;
        let reply = self.ask(&Request::Command(command));
        self.stream.get_ref().set_read_timeout(Some(CLIENT_PATIENCE))?;
        match reply? {
            Reply::Done(done) => Ok(Ok(done)),
            Reply::Declined(declined) => Ok(Err(declined)),
            other => bail!("the host answered something else than what came of it: {other:?}"),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply> {
        let reply = self
            .exchange(request)
            .with_context(|| format!("the host at {} does not answer", self.path.display()))?;
        match reply {
            Reply::Failed(why) => bail!(why),
            reply => Ok(reply),
        }
    }

    fn exchange(&mut self, request: &Request) -> Result<Reply> {
        let mut text = serde_json::to_vec(request)?;
        text.push(b'\n');
        self.stream.get_mut().write_all(&text)?;
        let mut line = Vec::new();
        (&mut self.stream).take(LONGEST_REPLY).read_until(b'\n', &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::tests::lock;
    use host_events::locks::Locks;
    use host_events::store::MemoryStore;
    use host_proxy::Phase;
    use std::pin::Pin;

    /// A host that has nothing but locks.
    struct OnlyLocks(Arc<MemoryStore>);

    impl Operator for OnlyLocks {
        fn phase(&self) -> Phase {
            Phase::Serving
        }

        fn status(&self) -> Status {
            Status { locks: self.0.list().len(), ..Status::default() }
        }

        fn locks(&self) -> Vec<Lock> {
            self.0.list().iter().filter_map(Lock::of).collect()
        }

        fn command<'a>(
            &'a self,
            command: Command,
        ) -> Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send + 'a>> {
            Box::pin(async move {
                let declined =
                    |reason, what: &str| Err(Declined { reason, message: what.to_owned() });
                match command {
                    Command::RemoveLock { name } if self.0.remove(&name).unwrap() => {
                        Ok(Done { message: "removed".to_owned() })
                    }
                    Command::RemoveLock { .. } => declined(Reason::NotFound, "no such lock"),
                    _ => declined(Reason::Conflict, "there are only locks"),
                }
            })
        }
    }

    /// A host that answers commands, for as long as the runtime lives.
    fn running(state: &Path) -> (tokio::runtime::Runtime, Arc<MemoryStore>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let locks = Arc::new(MemoryStore::new(1 << 20));
        let entered = runtime.enter();
        let listener = listen(state).unwrap();
        drop(entered);
        runtime.spawn(serve(listener, Arc::new(OnlyLocks(locks.clone())), TaskTracker::new()));
        (runtime, locks)
    }

    #[test]
    fn a_command_sees_and_removes_the_locks_of_the_running_host() {
        let state = tempfile::tempdir().unwrap();
        let (_runtime, locks) = running(state.path());
        locks.upsert(lock("bob")).unwrap();
        let mut client = Client::find(state.path()).unwrap().unwrap();
        let listed = client.list().unwrap();
        assert_eq!(listed, locks.list().iter().filter_map(Lock::of).collect::<Vec<_>>());
        assert_eq!(listed.len(), 1);
        assert!(!client.remove("bob").unwrap());
        assert!(client.remove("tenon-lock-bob").unwrap());
        assert_eq!(locks.list(), []);
    }

    #[test]
    fn a_command_that_is_declined_says_why_and_the_status_comes_whole() {
        let state = tempfile::tempdir().unwrap();
        let (_runtime, locks) = running(state.path());
        locks.upsert(lock("bob")).unwrap();
        let mut client = Client::find(state.path()).unwrap().unwrap();
        let status = Status { locks: 1, ..Status::default() };
        assert_eq!(client.status().unwrap(), status);
        let declined =
            client.command(Command::Promote { id: Some(1), force: true }).unwrap().unwrap_err();
        assert_eq!(
            (declined.reason, &*declined.message),
            (Reason::Conflict, "there are only locks")
        );
    }

    #[test]
    fn a_socket_that_was_left_behind_is_no_host_and_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        assert!(Client::find(state.path()).unwrap().is_none());
        drop(running(state.path()));
        assert!(state.path().join(SOCKET).exists());
        assert!(Client::find(state.path()).unwrap().is_none());
        let (_runtime, _) = running(state.path());
        assert_eq!(Client::find(state.path()).unwrap().unwrap().list().unwrap(), []);
        let left = fs::read_dir(state.path()).unwrap().count();
        assert_eq!(left, 1, "only the socket is in the folder");
    }

    #[test]
    fn only_the_owner_may_connect() {
        let state = tempfile::tempdir().unwrap();
        let (_runtime, _) = running(state.path());
        let mode = state.path().join(SOCKET).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_stays() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(SOCKET), "mine").unwrap();
        let error = listen(state.path()).unwrap_err().to_string();
        assert!(error.contains("is in the way"), "{error}");
        assert_eq!(fs::read(state.path().join(SOCKET)).unwrap(), b"mine");
    }

    #[test]
    fn a_request_that_is_none_or_too_long_gets_a_reason_and_harms_nobody() {
        let state = tempfile::tempdir().unwrap();
        let (_runtime, _) = running(state.path());
        let long = [vec![b'x'; 1 << 16], vec![b'\n']].concat();
        for request in [&b"\n"[..], b"{\"format_disk\":null}\n", &long] {
            let mut stream = UnixStream::connect(state.path().join(SOCKET)).unwrap();
            // The host may hang up before it has taken all of it.
            let _ = stream.write_all(request);
            let mut line = String::new();
            if BufReader::new(stream).read_line(&mut line).is_ok() {
                assert!(line.contains("does not understand"), "{line}");
            }
        }
        Client::find(state.path()).unwrap().unwrap().list().unwrap();
    }
}
