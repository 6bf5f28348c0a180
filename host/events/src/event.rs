//! An audit event on its way through the plugins.

use crate::codec::{self, CodecError};
use bytes::Bytes;

/// So many bytes larger a plugin may make an event: what becomes of events is in the host's memory.
const GROWTH: usize = 256 << 10;

/// An audit event: a JSON object, and its protobuf form once a plugin has asked for that.
///
/// An event that no plugin changes keeps its JSON byte for byte.
#[derive(Clone, Debug)]
pub struct Event {
    json: Bytes,
    one_of: Option<Bytes>,
    changed: bool,
}

impl Event {
    /// An event from its JSON object. Whether it is one shows when a plugin asks for it.
    pub fn new(json: impl Into<Bytes>) -> Self {
        Self { json: json.into(), one_of: None, changed: false }
    }

    /// The JSON object, as a sink gets it.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Whether a plugin has changed it.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The event as an `events.OneOf`.
    pub(crate) fn one_of(&mut self) -> Result<&Bytes, CodecError> {
        let one_of = match self.one_of.take() {
            Some(one_of) => one_of,
            None => {
                let mut one_of = Vec::with_capacity(self.json.len());
                codec::to_protobuf(&self.json, &mut one_of)?;
                one_of.into()
            }
        };
        Ok(self.one_of.insert(one_of))
    }

    /// Takes a plugin's `events.OneOf` for its own. Another encoding of the same event is no
    /// change. Keys that the schema does not know stay.
    pub(crate) fn change_one_of(&mut self, one_of: Bytes) -> Result<bool, CodecError> {
        let mut json = Vec::with_capacity(self.json.len() + 64);
        codec::to_json_over(&one_of, &self.json, &mut json)?;
        let mut same = Vec::with_capacity(self.json.len() + 64);
        let before = self.one_of()?.clone();
        codec::to_json_over(&before, &self.json, &mut same)?;
        if json == same {
            return Ok(false);
        }
        // It may be larger in JSON than what the plugin has returned.
        self.check_growth(json.len())?;
        *self = Self { json: json.into(), one_of: Some(one_of), changed: true };
        Ok(true)
    }

    /// Whether it may become what has so many bytes.
    pub(crate) fn check_growth(&self, bytes: usize) -> Result<(), CodecError> {
        match bytes.saturating_sub(self.json.len()) {
            by if by > GROWTH => Err(CodecError::Grown { by, most: GROWTH }),
            _ => Ok(()),
        }
    }

    /// Takes a plugin's JSON object for its own.
    pub(crate) fn change_json(&mut self, json: Bytes) {
        *self = Self { json, one_of: None, changed: true };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In JSON each of its bytes is six.
    #[test]
    fn what_becomes_much_larger_than_it_was_is_refused() {
        let event = |name: &str| Event::new(format!(r#"{{"event":"user.login","user":"{name}"}}"#));
        let mut before = event("ann");
        let large = event(&"\\u0001".repeat(GROWTH / 4)).one_of().unwrap().clone();
        assert!(large.len() < GROWTH);
        let refused = before.change_one_of(large).unwrap_err();
        assert!(matches!(refused, CodecError::Grown { by, .. } if by > GROWTH), "{refused}");
        assert!(!before.is_changed());
        let fits = event(&"x".repeat(GROWTH / 2)).one_of().unwrap().clone();
        assert!(before.change_one_of(fits).unwrap());
    }
}
