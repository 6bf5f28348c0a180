//! Skips the logins of a user named secret-santa.

use event_sdk::events::UserLogin;
use event_sdk::{Event, Outcome, Result};

event_sdk::handler!(handle);

fn handle(event: &mut Event<'_>) -> Result<Outcome> {
    // If this is a login
    if let Some(login) = event.get::<UserLogin>()?
        && let Some(user) = &login.user
        // and it is secret-santa's (Teleport leaves the login of its own users empty)
        && (user.login == "secret-santa" || user.user == "secret-santa")
    {
        return Ok(Outcome::Skip);
    }

    // Pass the event on
    Ok(Outcome::Keep)
}

#[cfg(any(test, feature = "tests"))]
mod tests;
