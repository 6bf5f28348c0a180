use crate::handle;
use event_sdk::Result;
use event_sdk::events::UserCreate;
use event_sdk::testing::{fixture, run};

event_sdk::tests! {
    // Fixture 1: the user foo is created.
    fn events_pass_unchanged() -> Result<()> {
        let event = run(handle, &fixture(1))?.expect("the event was skipped");

        let create = event.get::<UserCreate>()?.expect("the event is of another type");
        assert_eq!(create.user.as_ref().expect("it has no user").login, "foo");
        Ok(())
    }
}

#[cfg(test)]
#[test]
fn the_type_is_logged() {
    let host = event_sdk::testing::Host::new();
    run(handle, &fixture(1)).unwrap();

    let (_, line) = &host.logs()[0];
    assert_eq!(line, "Event of type UserCreate received");
}
