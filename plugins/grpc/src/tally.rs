//! Counts how calls end.

use crate::status::{CODES, Code};
use plugin_interface::{Counter, HostServices, Result};

/// A counter for each code.
#[derive(Clone, Copy)]
pub(crate) struct Tally([Counter; CODES.len()]);

impl Tally {
    pub(crate) fn new(host: &HostServices) -> Result<Self> {
        let counter =
            |name| host.counter("grpc_calls_total", "Calls by how they ended", &[("code", name)]);
        let mut counters = [counter(Code::Ok.name())?; CODES.len()];
        for (counter_of, (_, name, _)) in counters.iter_mut().zip(CODES) {
            *counter_of = counter(name)?;
        }
        Ok(Self(counters))
    }

    /// A call that begins.
    pub(crate) fn call(self) -> Counted {
        Counted { tally: self, code: Code::Cancelled }
    }
}

/// A call until it has ended: one that is dropped before was cancelled by the client.
pub(crate) struct Counted {
    tally: Tally,
    code: Code,
}

impl Counted {
    pub(crate) fn ended(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.0[self.code as usize].add(1);
    }
}
