//! What a lock must say before it is taken.

use crate::store::{NEVER, StoreError};
use proto::prost::Message;
use proto::prost_types::Timestamp;
use proto::types::{LockSpecV2, LockTarget, LockV2, Metadata};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A lock that may be put into force.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) lock: LockV2,
    /// When it is over, in milliseconds since 1970, or [`NEVER`].
    pub(crate) expires: u64,
}

/// How large a lock may be in protobuf, in bytes.
const LARGEST: usize = 16 << 10;
/// How long a name may be, in bytes; what is longer is cut, and told apart by a hash.
const LONGEST_NAME: usize = 200;
/// What a user is told whose lock says nothing.
const MESSAGE: &str = "this user is locked";

/// Checks a lock and fills in what it leaves out.
pub(crate) fn check(mut lock: LockV2, now: u64) -> Result<Checked, StoreError> {
    let size = lock.encoded_len();
    let spec = lock.spec.get_or_insert_default();
    let target = spec.target.as_ref().filter(|target| **target != LockTarget::default());
    let Some(target) = target else {
        return Err(StoreError::BadLock("its target is empty; name a user"));
    };
    if size > LARGEST {
        return Err(StoreError::BadLock("it is larger than 16 KiB"));
    }
    let metadata = lock.metadata.get_or_insert_default();
    let expires = end(spec, metadata);
    if expires <= now {
        return Err(StoreError::BadLock("its expiry is in the past"));
    }
    metadata.name = match metadata.name.is_empty() {
        true => bounded(format!("tenon-lock-{}", describe(target))),
        false => bounded(escape(&metadata.name, |c| "-._@+:/ ".contains(c))),
    };
    fill(&mut lock.kind, "lock");
    fill(&mut lock.version, "v2");
    fill(&mut spec.message, MESSAGE);
    spec.created_at.get_or_insert_with(|| timestamp(now));
    Ok(Checked { lock, expires })
}

/// When a lock is over, in milliseconds since 1970, or [`NEVER`]. Teleport drops a resource when it
/// expires, whatever the resource itself says; so the earlier one of two dates counts.
pub(crate) fn end(spec: &LockSpecV2, metadata: &Metadata) -> u64 {
    let ends = [spec.expires, metadata.expires].into_iter().flatten().map(millis);
    ends.min().unwrap_or(NEVER)
}

/// The user whom a target holds at the proxy, if it says nothing that the proxy cannot check.
pub(crate) fn held(target: &LockTarget) -> Option<&str> {
    let LockTarget { user, login, .. } = target;
    let known = LockTarget { user: user.clone(), login: login.clone(), ..LockTarget::default() };
    let name = if user.is_empty() { login } else { user };
    let agree = login.is_empty() || login == name;
    (known == *target && agree && !name.is_empty()).then_some(name)
}

/// A target as the end of a name: the user's name if that is all there is, else `field:value:…`. A
/// value has no colon left, so two targets do not get the same name.
fn describe(target: &LockTarget) -> String {
    let value = |text: &str| escape(text, |c| "-._@+".contains(c));
    if let Some(user) = held(target) {
        return value(user);
    }
    let set = fields(target).map(|(field, text)| format!("{field}:{}", value(text)));
    set.collect::<Vec<_>>().join(":")
}

/// What a target says.
pub(crate) fn fields(target: &LockTarget) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = [
        ("user", &target.user),
        ("role", &target.role),
        ("login", &target.login),
        ("mfa_device", &target.mfa_device),
        ("windows_desktop", &target.windows_desktop),
        ("access_request", &target.access_request),
        ("device", &target.device),
        ("server_id", &target.server_id),
        ("bot_instance_id", &target.bot_instance_id),
        ("join_token", &target.join_token),
        ("linux_desktop", &target.linux_desktop),
    ];
    fields.into_iter().map(|(field, text)| (field, &**text)).filter(|(_, text)| !text.is_empty())
}

/// Letters and digits of any script and what `keep` says stay; every other byte becomes %XX. Names go
/// into terminals and logs, and users who fail to log in choose them.
fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || keep(c) {
            escaped.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn bounded(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let hash = Sha256::digest(name.as_bytes());
    let mut short = name[..name.floor_char_boundary(LONGEST_NAME - 17)].to_owned();
    short.push('~');
    for byte in &hash[..8] {
        // Writing to a String does not fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

fn fill(text: &mut String, default: &str) {
    if text.is_empty() {
        default.clone_into(text);
    }
}

/// A date before 1970 is 1970.
pub(super) fn millis(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    let nanos = u64::try_from(time.nanos).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

fn timestamp(millis: u64) -> Timestamp {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    // Less than a thousand, times a million.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    let nanos = (millis % 1000) as i32 * 1_000_000;
    Timestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use super::super::Summary;
    use super::super::testing::{lock, login, user};
    use super::*;

    const NOW: u64 = 1_000_500;

    fn name(lock: LockV2) -> String {
        check(lock, NOW).unwrap().lock.metadata.unwrap().name
    }

    fn named(text: &str) -> LockV2 {
        let metadata = Metadata { name: text.to_owned(), ..Metadata::default() };
        LockV2 { metadata: Some(metadata), ..lock(user("bob"), None) }
    }

    #[test]
    fn a_lock_without_a_target_or_with_a_past_is_refused() {
        for bad in [LockV2::default(), lock(LockTarget::default(), None)] {
            let StoreError::BadLock(why) = check(bad, NOW).unwrap_err() else { panic!() };
            assert!(why.contains("target"), "{why}");
        }
        for past in [i64::MIN, -1, 0, 1000] {
            let StoreError::BadLock(why) = check(lock(user("bob"), Some(past)), NOW).unwrap_err()
            else {
                panic!()
            };
            assert!(why.contains("past"), "{why}");
        }
        let large = LockV2 { sub_kind: "x".repeat(LARGEST), ..lock(user("bob"), None) };
        assert!(check(large, NOW).is_err());
    }

    #[test]
    fn the_earlier_of_its_two_dates_ends_a_lock() {
        assert_eq!(check(lock(user("bob"), None), NOW).unwrap().expires, NEVER);
        assert_eq!(check(lock(user("bob"), Some(1001)), NOW).unwrap().expires, 1_001_000);
        let mut both = lock(user("bob"), Some(3000));
        let expires = Some(Timestamp { seconds: 2000, nanos: 7_000_000 });
        both.metadata = Some(Metadata { expires, ..Metadata::default() });
        assert_eq!(check(both, NOW).unwrap().expires, 2_000_007);
        assert_eq!(check(lock(user("bob"), Some(i64::MAX)), NOW).unwrap().expires, NEVER);
    }

    #[test]
    fn what_a_lock_leaves_out_is_filled_in() {
        let mut bare = lock(user("bob"), None);
        bare.spec.as_mut().unwrap().message.clear();
        let lock = check(bare, NOW).unwrap().lock;
        assert_eq!((&*lock.kind, &*lock.version), ("lock", "v2"));
        let spec = lock.spec.unwrap();
        assert_eq!(spec.message, MESSAGE);
        assert_eq!(spec.created_at, Some(Timestamp { seconds: 1000, nanos: 500_000_000 }));
    }

    #[test]
    fn a_name_comes_from_the_target_and_tells_targets_apart() {
        assert_eq!(name(lock(user("bob"), None)), "tenon-lock-bob");
        assert_eq!(name(lock(login("bob"), None)), "tenon-lock-bob");
        let both = LockTarget { login: "bob".into(), ..user("bob") };
        assert_eq!(name(lock(both, None)), "tenon-lock-bob");
        let two = LockTarget { login: "root".into(), ..user("bob") };
        assert_eq!(name(lock(two, None)), "tenon-lock-user:bob:login:root");
        assert_eq!(name(lock(user("user:bob"), None)), "tenon-lock-user%3Abob");
        assert_eq!(name(lock(user("Jürgen"), None)), "tenon-lock-Jürgen");
    }

    #[test]
    fn no_name_reaches_a_terminal_raw_and_none_is_too_long() {
        assert_eq!(name(lock(user("a\x1b[2J\nb"), None)), "tenon-lock-a%1B%5B2J%0Ab");
        assert_eq!(name(named("my lock/1\u{202e}")), "my lock/1%E2%80%AE");
        let (long, other) = ("ü".repeat(500), "ü".repeat(501));
        let (long, other) = (name(lock(user(&long), None)), name(lock(user(&other), None)));
        assert!(long.len() <= LONGEST_NAME && other.len() <= LONGEST_NAME);
        assert_ne!(long, other);
    }

    #[test]
    fn a_summary_says_what_was_checked() {
        let lock = check(lock(user("bob"), Some(2000)), NOW).unwrap().lock;
        let summary = Summary::of(&lock).unwrap();
        assert_eq!((summary.name, summary.message), ("tenon-lock-bob", "too many failures"));
        assert_eq!((summary.target, summary.expires), (vec![("user", "bob")], Some(2_000_000)));
        assert_eq!(Summary::of(&LockV2::default()), None);
    }

    #[test]
    fn a_target_holds_a_user_only_if_it_says_nothing_else() {
        assert_eq!(held(&user("bob")), Some("bob"));
        assert_eq!(held(&login("bob")), Some("bob"));
        assert_eq!(held(&LockTarget { login: "bob".into(), ..user("bob") }), Some("bob"));
        assert_eq!(held(&LockTarget { login: "root".into(), ..user("bob") }), None);
        assert_eq!(held(&LockTarget { role: "admin".into(), ..user("bob") }), None);
        assert_eq!(held(&LockTarget { device: "d".into(), ..login("bob") }), None);
        assert_eq!(held(&LockTarget { role: "admin".into(), ..LockTarget::default() }), None);
    }
}
