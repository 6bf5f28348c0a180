//! What is lent to a plugin under test, beside what it has in production.

use super::mock::Mock;
use crate::fixture::Fixtures;
use crate::functions::Refusal;
use crate::guest::{self, function};
use crate::pool::SlotState;
use extism::{Error, Function};
use std::sync::Arc;

/// The functions for a slot.
pub(super) fn all(
    fixtures: &Arc<Fixtures>,
    mock: &Arc<Mock>,
    state: &Arc<SlotState>,
) -> Vec<Function> {
    vec![
        fixture(fixtures.clone()),
        latest_api_request(mock.clone()),
        alert(mock.clone(), state.clone()),
    ]
}

/// `test_fixture(number) -> bytes`: the fixture's message in protobuf.
fn fixture(fixtures: Arc<Fixtures>) -> Function {
    function("test_fixture", 1, 1, move |plugin, arguments| {
        let number = guest::integer(arguments, 0)?.cast_unsigned();
        let fixture = fixtures.find(number).map_err(|reason| Error::new(Refusal(reason)))?;
        guest::put(plugin, &fixture.to_protobuf()).map(Some)
    })
}

/// `test_latest_api_request() -> bytes or 0`: the last lock that was upserted, a `types.LockV2`.
fn latest_api_request(mock: Arc<Mock>) -> Function {
    function("test_latest_api_request", 0, 1, move |plugin, _| {
        let latest = mock.locks().pop().unwrap_or_default();
        guest::put(plugin, &latest).map(Some)
    })
}

/// `test_alert(index) -> bytes or 0`: an alert that was sent, a `plugin.Alert`; 0 is the first.
fn alert(mock: Arc<Mock>, state: Arc<SlotState>) -> Function {
    function("test_alert", 1, 1, move |plugin, arguments| {
        // Alerts are sent when the call has ended, and the test is within it.
        state.settle();
        let index = usize::try_from(guest::integer(arguments, 0)?).ok();
        let alert = index.and_then(|index| mock.alerts().into_iter().nth(index));
        guest::put(plugin, &alert.unwrap_or_default()).map(Some)
    })
}
