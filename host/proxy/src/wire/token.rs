//! The words of a head: methods, versions and field names.

/// How many of the first bytes are of a token (RFC 9110 section 5.6.2).
pub(super) fn len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !TOKEN[usize::from(byte)]).unwrap_or(bytes.len())
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte as usize] = matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
            | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            | b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

/// A word that a read has cut, kept until the rest of it comes.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// One byte longer than `Transfer-Encoding`, the longest word that the scanner knows: what
    /// does not fit is none of them, and stays none of them when cut here.
    bytes: [u8; 18],
    len: usize,
}

impl Held {
    /// Keeps a part of a word of which more is to come, and counts it as read.
    pub(super) fn push(&mut self, fresh: &[u8]) -> usize {
        let kept = fresh.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + kept].copy_from_slice(&fresh[..kept]);
        self.len += kept;
        fresh.len()
    }

    /// The whole word, given its last part: that part itself when nothing was cut.
    pub(super) fn complete<'a>(&'a mut self, last: &'a [u8]) -> &'a [u8] {
        if self.len == 0 {
            return last;
        }
        self.push(last);
        &self.bytes[..self.len]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }
}
