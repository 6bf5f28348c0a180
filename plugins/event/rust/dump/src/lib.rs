//! Logs the type of every event.

use event_sdk::{Event, Outcome, Result, log};

event_sdk::handler!(handle);

fn handle(event: &mut Event<'_>) -> Result<Outcome> {
    log::info!("Event of type {} received", event.name());

    Ok(Outcome::Keep)
}

#[cfg(any(test, feature = "tests"))]
mod tests;
