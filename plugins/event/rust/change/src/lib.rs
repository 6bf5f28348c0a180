//! Adds a label to all access requests.

use event_sdk::events::AccessRequestCreate;
use event_sdk::{Event, Outcome, Result};

event_sdk::handler!(handle);

fn handle(event: &mut Event<'_>) -> Result<Outcome> {
    if let Some(request) = event.get_mut::<AccessRequestCreate>()? {
        let annotations = request.annotations.get_or_insert_default();
        annotations.fields.insert("seen-by-us".into(), "yes".into());
    }

    // Pass the event on, modified or not
    Ok(Outcome::Keep)
}

#[cfg(any(test, feature = "tests"))]
mod tests;
