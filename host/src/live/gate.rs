//! That a proxy which asks who somebody is does not stop to ask by accident.
//!
//! A file that is gone, replaced or broken says nothing of who may come in. So what would let everybody
//! in is refused, unless the user asks for a reload and his configuration has nobody left who could tell.

use super::declared::{Key, PLACE_OF_GATE};
use super::refused::Refused;
use super::set::{Set, Slot};

impl Slot {
    /// Whether it can tell who a client is.
    pub(super) fn authenticates(&self) -> bool {
        !self.stage.plugin.offers.authenticators.is_empty()
    }
}

impl Set {
    /// Whether requests must have an identity.
    pub(super) fn has_gate(&self) -> bool {
        self.credentials.is_some() || self.slots.iter().any(Slot::authenticates)
    }
}

/// The note of a reload that opens the door because the user asked for it.
pub(super) const OPENED: &str =
    "nobody has to log in any more: the configuration has no authenticator and no user";

/// Whether `next` may take the place of `present`. If it opens the door that is refused; if the user has
/// `asked`, it is refused as long as he still asks for what could tell who a client is. `Ok(true)`: it is
/// open from now on.
pub(super) fn check(present: &Set, next: &Set, asked: bool) -> Result<bool, Vec<Refused>> {
    if !present.has_gate() || next.has_gate() {
        return Ok(false);
    }
    // None of them is in `next` as one: also the same content may register something else by another
    // configuration.
    let lost = present.slots.iter().filter(|slot| slot.authenticates());
    let refused = lost.filter(|slot| !asked || next.sha256(&slot.key).is_some());
    let refused: Vec<_> = refused.map(|slot| refusal(slot, next)).collect();
    match refused.is_empty() {
        true if asked => Ok(true),
        // Credentials change only when that is asked for.
        true => Err(vec![Refused::whole(open("what is in use asks for an identity"))]),
        false => Err(refused),
    }
}

/// Of a slot that is gone, or replaced by what does not authenticate.
fn refusal(slot: &Slot, next: &Set) -> Refused {
    let (key, content) = (slot.key.clone(), next.sha256(&slot.key).map(str::to_owned));
    let what = match content {
        None => format!("{key} is gone"),
        Some(_) => format!("{key} registers no authenticator any more"),
    };
    let path = slot.stage.plugin.path.clone();
    Refused::of(key, path, content, None, open(&what))
}

fn open(what: &str) -> String {
    format!(
        "{what}, and then nobody would have to log in; put it back, or, if that is meant, take it out \
         of the configuration and run host reload"
    )
}

/// Why a command may not open the door.
pub(super) fn stays_closed(present: &Set, next: &Set) -> Result<(), String> {
    match present.has_gate() && !next.has_gate() {
        false => Ok(()),
        true => {
            Err("nobody would have to log in afterwards; if that is meant, take the authenticator \
                     and the user out of the configuration and run host reload"
                .to_owned())
        }
    }
}

impl Key {
    /// Whether it is of the patch that tells who a client is.
    pub(super) fn is_authenticator(&self) -> bool {
        self.place == PLACE_OF_GATE && self.asked.as_os_str().is_empty()
    }
}
