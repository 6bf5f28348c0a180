//! The headers of the message in hand, and what has become of them.

use super::contract::{Answer, Bytes};
use crate::error::{Error, Result};

/// The headers as they are now.
pub(super) struct Headers(pub(super) Vec<(String, Bytes)>);

impl Headers {
    pub(super) fn first(&self, name: &str) -> Option<&[u8]> {
        first(&self.0, name)
    }

    /// The host removes first, then sets, then appends: what was said of a name before does not count
    /// any more once it is removed or set.
    pub(super) fn set(&mut self, name: &str, value: &[u8], answer: &mut Answer) -> Result<()> {
        check(name, value)?;
        forget(name, answer);
        answer.set_headers.push((name.to_owned(), Bytes(value.to_vec())));
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.push((name.to_ascii_lowercase(), Bytes(value.to_vec())));
        Ok(())
    }

    pub(super) fn append(&mut self, name: &str, value: &[u8], answer: &mut Answer) -> Result<()> {
        check(name, value)?;
        answer.append_headers.push((name.to_owned(), Bytes(value.to_vec())));
        self.0.push((name.to_ascii_lowercase(), Bytes(value.to_vec())));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str, answer: &mut Answer) -> bool {
        let before = self.0.len();
        if !is_token(name) || is_framing(name) {
            return false;
        }
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if self.0.len() == before {
            return false;
        }
        forget(name, answer);
        answer.remove_headers.push(name.to_owned());
        true
    }
}

pub(super) fn first<'a>(headers: &'a [(String, Bytes)], name: &str) -> Option<&'a [u8]> {
    let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    Some(&found.1.0)
}

fn forget(name: &str, answer: &mut Answer) {
    answer.remove_headers.retain(|other| !other.eq_ignore_ascii_case(name));
    answer.set_headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    answer.append_headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
}

/// What the host would refuse is refused here, with its words: an author may go on without that header,
/// as in a native plugin, where a refusal by the host fails the request.
fn check(name: &str, value: &[u8]) -> Result<()> {
    let reason = if !is_token(name) {
        "not a valid name"
    } else if is_framing(name) {
        "the host sets the headers of the connection itself"
    } else if value.iter().any(|&byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        "not a valid value"
    } else {
        return Ok(());
    };
    Err(Error::new(format_args!("{name}: {reason}")))
}

/// A token of HTTP (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || special.contains(&it))
}

/// What frames a message or belongs to one connection (RFC 9110, section 7.6.1).
fn is_framing(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.iter().any(|framing| framing.eq_ignore_ascii_case(name))
}
