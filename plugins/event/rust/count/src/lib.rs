//! Locks a user who fails to log in more than three times within five minutes.

use event_sdk::events::UserLogin;
use event_sdk::{Event, Outcome, Result, lock, log, store};
use std::time::Duration;

const MAX_FAILED_LOGIN_ATTEMPTS: u64 = 3; // 3 tries
const FAILED_ATTEMPTS_TIMEOUT: Duration = Duration::from_secs(60 * 5); // within 5 minutes
const LOCK_DURATION: Duration = Duration::from_secs(3600);

event_sdk::handler!(handle);

fn handle(event: &mut Event<'_>) -> Result<Outcome> {
    // If this event is a login that was not successful
    if let Some(login) = event.get::<UserLogin>()?
        && !login.status.as_ref().is_some_and(|status| status.success)
        && let Some(user) = &login.user
        // and it is known whose (Teleport leaves the login of its own users empty)
        && !(user.user.is_empty() && user.login.is_empty())
    {
        // Record the attempt and get how many there were within the time frame for this user
        let scope = format!("{}\0{}", user.user, user.login);
        let count = store::take_token(scope, FAILED_ATTEMPTS_TIMEOUT);

        // If the limit is exceeded
        if count > MAX_FAILED_LOGIN_ATTEMPTS {
            log::warn!("Suspicious login activity detected, attempts made: {count}");

            lock::create(user, LOCK_DURATION, "Suspicious login activity")?;
        }
    }

    // Pass the event on
    Ok(Outcome::Keep)
}

#[cfg(any(test, feature = "tests"))]
mod tests;
