//! What happens when a plugin fails, hangs or takes its time, as the user has said it.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::duration;
use host_proxy::{Breaker, OnPanic, Place, Policy};
use serde::Deserialize;
use std::time::Duration;

/// From here on a step is slow, unless the user says otherwise: long enough for a plugin that asks
/// another service.
const SLOW: Duration = Duration::from_secs(1);
/// A breaker remembers the time of each failure.
const MOST_FAILURES: u32 = 10_000;

/// The keys of a policy in a plugin's or a patch's table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PolicyKeys {
    pub(crate) on_panic: Option<OnPanicKey>,
    pub(crate) breaker: Option<BreakerTable>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) slow: Option<Duration>,
}

/// [`OnPanic`] in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnPanicKey {
    Fail,
    Bypass,
}

/// [`Breaker`] in the file: `{ failures = 5, window = "10s", rest = "5s" }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BreakerTable {
    failures: u32,
    #[serde(default, deserialize_with = "duration")]
    window: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    rest: Option<Duration>,
}

/// What holds for plugins whose tables say nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    deadline: Option<Duration>,
    slow: Duration,
}

impl Defaults {
    /// Those of the flags.
    pub(crate) fn check(args: &ProxyArgs) -> Result<Self, Usage> {
        let slow = not_zero("--plugin-slow", args.plugin_slow)?.unwrap_or(SLOW);
        Ok(Self { deadline: not_zero("--plugin-deadline", args.plugin_deadline)?, slow })
    }

    /// The policy of a plugin whose table is called `table`, as in `[patches.error_page]`.
    ///
    /// There is no breaker by default: whoever finds a request that makes a plugin fail could turn
    /// the plugin, or the service, off for everybody else.
    pub(crate) fn policy(
        &self,
        table: &str,
        place: Place,
        keys: &PolicyKeys,
    ) -> Result<Policy, Usage> {
        let on_panic = match keys.on_panic {
            Some(OnPanicKey::Bypass) if place == Place::Authenticator => {
                return Err(Usage(format!(
                    "{table}: on-panic = \"bypass\" would let everybody in; leave it at \"fail\""
                )));
            }
            Some(OnPanicKey::Bypass) => OnPanic::Bypass,
            Some(OnPanicKey::Fail) | None => OnPanic::Fail,
        };
        if place == Place::ErrorPage && (keys.on_panic.is_some() || keys.deadline.is_some()) {
            return Err(Usage(format!(
                "{table}: on-panic and deadline are not for error pages, which cannot defer, and \
                 for which the built-in page stands in"
            )));
        }
        let own = |key: &str, time| not_zero(&format!("{table}: {key}"), time);
        Ok(Policy {
            on_panic,
            breaker: keys.breaker.map(|breaker| breaker.check(table)).transpose()?,
            deadline: own("deadline", keys.deadline)?.or(self.deadline),
            slow: Some(own("slow", keys.slow)?.unwrap_or(self.slow)),
        })
    }
}

impl BreakerTable {
    fn check(&self, table: &str) -> Result<Breaker, Usage> {
        if !(1..=MOST_FAILURES).contains(&self.failures) {
            return Err(Usage(format!("{table}: failures must be from 1 to {MOST_FAILURES}")));
        }
        let time = |key: &str, time, default| {
            let time = not_zero(&format!("{table}: the breaker's {key}"), time)?;
            Ok(time.unwrap_or(Duration::from_secs(default)))
        };
        let (window, rest) = (time("window", self.window, 10)?, time("rest", self.rest, 5)?);
        Ok(Breaker { failures: self.failures, window, rest })
    }
}

fn not_zero(what: &str, time: Option<Duration>) -> Result<Option<Duration>, Usage> {
    match time {
        Some(Duration::ZERO) => Err(Usage(format!("{what} cannot be 0; leave it out for none"))),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(place: Place, keys: PolicyKeys) -> Result<Policy, String> {
        let args = ProxyArgs { plugin_deadline: Some(3 * SECOND), ..ProxyArgs::default() };
        let defaults = Defaults::check(&args).unwrap();
        defaults.policy("[[pre-plugin]] x", place, &keys).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_goes_before_the_flags_and_those_before_the_defaults() {
        let plain = policy(Place::Pre, PolicyKeys::default()).unwrap();
        let expected = Policy {
            on_panic: OnPanic::Fail,
            breaker: None,
            deadline: Some(3 * SECOND),
            slow: Some(SLOW),
        };
        assert_eq!(plain, expected);
        let keys = PolicyKeys {
            on_panic: Some(OnPanicKey::Bypass),
            breaker: Some(BreakerTable { failures: 2, window: None, rest: Some(SECOND) }),
            deadline: Some(SECOND),
            slow: Some(2 * SECOND),
        };
        let breaker = Breaker { failures: 2, window: 10 * SECOND, rest: SECOND };
        let expected = Policy {
            on_panic: OnPanic::Bypass,
            breaker: Some(breaker),
            deadline: Some(SECOND),
            slow: Some(2 * SECOND),
        };
        assert_eq!(policy(Place::Post, keys).unwrap(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let zero = Some(Duration::ZERO);
        let breaker = |failures, window, rest| PolicyKeys {
            breaker: Some(BreakerTable { failures, window, rest }),
            ..PolicyKeys::default()
        };
        let bypass = PolicyKeys { on_panic: Some(OnPanicKey::Bypass), ..PolicyKeys::default() };
        for (place, keys, expected) in [
            (Place::Pre, PolicyKeys { deadline: zero, ..PolicyKeys::default() }, "deadline cannot"),
            (Place::Pre, PolicyKeys { slow: zero, ..PolicyKeys::default() }, "slow cannot be 0"),
            (Place::Pre, breaker(0, None, None), "failures must be from 1"),
            (Place::Pre, breaker(1, zero, None), "the breaker's window cannot be 0"),
            (Place::Pre, breaker(1, None, zero), "the breaker's rest cannot be 0"),
            (Place::Authenticator, bypass, "would let everybody in"),
            (Place::ErrorPage, bypass, "are not for error pages"),
        ] {
            let error = policy(place, keys).unwrap_err();
            assert!(error.starts_with("[[pre-plugin]] x: "), "{error}");
            assert!(error.contains(expected), "{error}");
        }
        let args = ProxyArgs { plugin_slow: zero, ..ProxyArgs::default() };
        let error = Defaults::check(&args).unwrap_err().to_string();
        assert_eq!(error, "--plugin-slow cannot be 0; leave it out for none");
    }
}
