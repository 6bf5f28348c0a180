use crate::handle;
use event_sdk::Result;
use event_sdk::events::AccessRequestCreate;
use event_sdk::testing::{fixture, run};

event_sdk::tests! {
    // Fixture 3: foo asks for the role admin.
    fn access_requests_are_labelled() -> Result<()> {
        let event = run(handle, &fixture(3))?.expect("the event was skipped");

        let request = event.get::<AccessRequestCreate>()?.expect("the event is of another type");
        let annotations = request.annotations.as_ref().expect("it has no annotations");
        assert_eq!(annotations.fields["seen-by-us"], "yes".into());
        assert_eq!(annotations.fields["ticket"], "OPS-1".into(), "another label has changed");
        Ok(())
    }
}
