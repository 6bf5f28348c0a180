//! `host locks`: who is locked out, and letting them in again.

use crate::cli::{LocksArgs, LocksCommand};
use crate::control::Client;
use crate::table::visible;
use anyhow::{Result, bail, ensure};
use host_events::locks::{Locks, Summary};
use host_events::store::{DEFAULT_LIMIT, DiskStore, FILE_NAME, OpenError};
use proto::types::LockV2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Of so many names that are like a wrong one the user is told.
const CLOSE: usize = 3;
/// How much alike a name must be, from 0 to 1.
const LIKENESS: f64 = 0.6;

/// A lock in short, as it is listed and as the running host tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    name: String,
    target: BTreeMap<String, String>,
    message: String,
    /// RFC 3339; none if it does not end.
    expires: Option<String>,
    created_by: String,
}

/// Lists or removes, in the host that runs, else in the file that it left.
pub fn run(args: &LocksArgs) -> Result<ExitCode> {
    let mut locks = Source::find(&args.state)?;
    match &args.command {
        LocksCommand::List { json: true } => {
            say!("{}", serde_json::to_string_pretty(&locks.list()?)?)?;
        }
        LocksCommand::List { json: false } => {
            say!("{}", table(&locks.list()?, SystemTime::now()).trim_end())?;
        }
        LocksCommand::Remove { name } => {
            ensure!(locks.remove(name)?, unknown(name, &locks.list()?));
            say!("removed {name}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the locks are.
enum Source {
    Running(Client),
    File(DiskStore),
}

impl Source {
    fn find(state: &Path) -> Result<Self> {
        if let Some(client) = Client::find(state)? {
            return Ok(Self::Running(client));
        }
        ensure!(
            state.join(FILE_NAME).exists(),
            "there is no store in {}: give the --state of the host",
            state.display()
        );
        // That a damaged file was set aside is in the log; what fails here is said without one.
        let log = tracing_subscriber::fmt().with_writer(std::io::stderr).finish();
        let open = || DiskStore::open(state, DEFAULT_LIMIT);
        match tracing::subscriber::with_default(log, open) {
            Ok(store) => Ok(Self::File(store)),
            // A host that has just begun opens the store first and the socket then.
            Err(OpenError::InUse(_)) => match Client::find(state)? {
                Some(client) => Ok(Self::Running(client)),
                None => bail!(
                    "a host has the store in {}, and does not answer commands: try again in a \
                     moment, or stop it first",
                    state.display()
                ),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn list(&mut self) -> Result<Vec<Lock>> {
        match self {
            Self::Running(client) => client.list(),
            Self::File(store) => Ok(store.list().iter().filter_map(Lock::of).collect()),
        }
    }

    fn remove(&mut self, name: &str) -> Result<bool> {
        match self {
            Self::Running(client) => client.remove(name),
            Self::File(store) => Ok(store.remove(name)?),
        }
    }
}

impl Lock {
    pub(crate) fn of(lock: &LockV2) -> Option<Self> {
        let Summary { name, target, message, expires, created_by } = Summary::of(lock)?;
        let target = target.into_iter().map(|(field, text)| (field.to_owned(), text.to_owned()));
        Some(Self {
            name: name.to_owned(),
            target: target.collect(),
            message: message.to_owned(),
            expires: expires.and_then(date),
            created_by: created_by.to_owned(),
        })
    }

    fn row(&self, now: SystemTime) -> [String; 5] {
        let target: Vec<_> =
            self.target.iter().map(|(field, text)| format!("{field}={text}")).collect();
        let end = self.expires.as_deref().map(humantime::parse_rfc3339);
        let expires = match end.and_then(Result::ok) {
            None => "never".to_owned(),
            Some(end) => {
                let left = end.duration_since(now).unwrap_or_default();
                humantime::format_duration(Duration::from_secs(left.as_secs())).to_string()
            }
        };
        let message = &self.message;
        [&self.name, &target.join(" "), message, &expires, &self.created_by].map(|it| visible(it))
    }
}

/// In seconds, with a Z. What is beyond the year 9999 is never.
fn date(millis: u64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = Some(millis / 1000).filter(|seconds| *seconds < YEAR_10000)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Some(humantime::format_rfc3339_seconds(time).to_string())
}

/// Columns as wide as what is in them.
fn table(locks: &[Lock], now: SystemTime) -> String {
    if locks.is_empty() {
        return "nobody is locked\n".to_owned();
    }
    let head = ["NAME", "TARGET", "MESSAGE", "EXPIRES IN", "CREATED BY"];
    let rows: Vec<_> = locks.iter().map(|lock| lock.row(now)).collect();
    // Names are for copying: nothing is cut.
    crate::table::table(head, &rows, crate::table::UNBOUNDED)
}

/// Why there was nothing to remove, with the names that may have been meant.
fn unknown(name: &str, locks: &[Lock]) -> String {
    let likeness = |lock: &Lock| match !name.is_empty() && lock.name.contains(name) {
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(name, &lock.name),
    };
    let mut close: Vec<_> = locks.iter().map(|lock| (likeness(lock), &*lock.name)).collect();
    close.retain(|(likeness, _)| *likeness >= LIKENESS);
    close.sort_by(|one, other| other.0.total_cmp(&one.0));
    let names: Vec<_> = close.iter().take(CLOSE).map(|(_, name)| format!("{name:?}")).collect();
    match names.is_empty() {
        true => format!("there is no lock {name:?}; host locks list shows those that there are"),
        false => format!("there is no lock {name:?}; did you mean {}?", names.join(" or ")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proto::types::{LockSpecV2, LockTarget};

    pub(crate) fn lock(user: &str) -> LockV2 {
        let target = LockTarget { user: user.to_owned(), ..LockTarget::default() };
        let spec = LockSpecV2 { target: Some(target), ..LockSpecV2::default() };
        LockV2 { spec: Some(spec), ..LockV2::default() }
    }

    fn listed(name: &str, expires: Option<u64>) -> Lock {
        Lock {
            name: name.to_owned(),
            target: BTreeMap::from([("user".to_owned(), "bob".to_owned())]),
            message: "too many\u{1b}[2J".to_owned(),
            expires: expires.and_then(date),
            created_by: String::new(),
        }
    }

    #[test]
    fn the_table_says_how_long_it_takes_and_writes_nothing_raw() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_500);
        let locks = [listed("tenon-lock-bob", Some(4_600_000)), listed("b", None)];
        let expected = "\
            NAME            TARGET    MESSAGE            EXPIRES IN  CREATED BY\n\
            tenon-lock-bob  user=bob  too many\\u{1b}[2J  59m 59s\n\
            b               user=bob  too many\\u{1b}[2J  never\n";
        assert_eq!(table(&locks, now), expected);
        assert_eq!(table(&[], now), "nobody is locked\n");
    }

    #[test]
    fn a_date_that_no_calendar_has_is_never() {
        assert_eq!(date(1_790_000_000_999).as_deref(), Some("2026-09-21T14:13:20Z"));
        assert_eq!(date(u64::MAX - 1), None);
    }

    #[test]
    fn a_wrong_name_is_answered_with_those_like_it() {
        let locks = ["tenon-lock-bob", "tenon-lock-eve", "nightly"].map(|name| listed(name, None));
        let of_user = unknown("bob", &locks);
        assert_eq!(of_user, "there is no lock \"bob\"; did you mean \"tenon-lock-bob\"?");
        let typo = unknown("nigthly", &locks);
        assert_eq!(typo, "there is no lock \"nigthly\"; did you mean \"nightly\"?");
        let two = unknown("tenon-lock-bov", &locks);
        assert!(two.contains("\"tenon-lock-bob\" or \"tenon-lock-eve\"?"), "{two}");
        assert!(unknown("", &locks).contains("host locks list shows"));
    }
}
