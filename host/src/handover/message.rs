//! What the two processes say.

use crate::live::Marks;
use serde::{Deserialize, Serialize};

/// Set for a successor to the number of the process before, whose child it is: that standard input is
/// the other end.
pub(super) const VARIABLE: &str = "TENON_HANDOVER";

/// The longest first message, in bytes: it names a few sockets.
pub(super) const LONGEST_FIRST: usize = 4096;

/// So many sockets can be lent.
pub(super) const SOCKETS: usize = 8;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The proxy's clients.
    Proxy,
    /// The admin page and API.
    Admin,
}

/// A socket that is lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lent {
    pub(super) role: Role,
    /// Where it listens, as it was asked for.
    pub(super) place: String,
}

/// What the process before says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Before {
    /// First of all. The sockets come with the message, in this order.
    Sockets(Vec<Lent>),
    /// Store and state folder are free.
    Go {
        /// Which plugins an operator has disabled.
        marks: Marks,
    },
    /// An audit event of a request that it still answers: a JSON object.
    Event(String),
}

/// What the successor says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum After {
    /// Everything can be loaded.
    Loaded,
    /// It takes connections.
    Serving,
    /// It ends: why.
    Failed(String),
}

/// A message as it travels.
pub(super) fn line(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines() {
        let event = Before::Event("{\"a\":\n1}".to_owned());
        let sent = line(&event).unwrap();
        assert_eq!(sent.split(|byte| *byte == b'\n').count(), 2, "nothing follows the line");
        assert_eq!(serde_json::from_slice::<Before>(&sent).unwrap(), event);
        assert_eq!(line(&After::Loaded).unwrap(), b"\"loaded\"\n");
    }
}
