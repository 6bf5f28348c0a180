use crate::handle;
use event_sdk::Result;
use event_sdk::testing::{fixture, run};

event_sdk::tests! {
    // Fixture 2: secret-santa logs in.
    fn secret_santa_is_skipped() -> Result<()> {
        assert!(run(handle, &fixture(2))?.is_none(), "the event was not skipped");
        Ok(())
    }

    // Fixture 4: foo fails to log in.
    fn another_login_passes() -> Result<()> {
        assert!(run(handle, &fixture(4))?.is_some(), "the event was skipped");
        Ok(())
    }
}
