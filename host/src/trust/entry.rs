//! What a line of a trust file allows: one content, or all that a key signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::PublicKey;

/// The hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;
/// The bytes of a public key, and of a signature, that come before the key's number.
const ALGORITHM: usize = 2;
/// How the first line of minisign's files begins.
pub(super) const COMMENT: &str = "untrusted comment:";

/// What a line allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The content with this SHA-256, in lower-case hexadecimal.
    Hash(String),
    /// What this key has signed.
    Key(Key),
}

/// A public key of minisign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The short number that minisign shows for it.
    pub(super) id: String,
    /// As it is written: `RW…`.
    pub(super) text: String,
    pub(super) key: PublicKey,
}

impl Entry {
    /// Reads a word. An error says what it is not.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        if word.bytes().all(|it| it.is_ascii_hexdigit()) {
            return match word.len() {
                HASH_DIGITS => Ok(Self::Hash(word.to_ascii_lowercase())),
                digits => Err(format!(
                    "{word} has {digits} hexadecimal digits, and a SHA-256 has {HASH_DIGITS}"
                )),
            };
        }
        match (PublicKey::from_base64(word), key_id(word)) {
            (Ok(key), Some(id)) => Ok(Self::Key(Key { id, text: word.to_owned(), key })),
            _ => Err(format!(
                "{word:?} is neither a SHA-256 ({HASH_DIGITS} hexadecimal digits) nor a public key \
                 of minisign (RW…)"
            )),
        }
    }

    /// Reads what minisign writes into `KEY.pub`, or that line of it which is the key. None if the
    /// file is something else, a plugin perhaps; an error says which other file of minisign's it is.
    pub(super) fn of_file(content: &[u8]) -> Result<Option<Self>, String> {
        let Ok(text) = std::str::from_utf8(content) else { return Ok(None) };
        let mut lines = text.lines().filter(|line| !line.starts_with(COMMENT));
        let word = lines.next().unwrap_or_default().trim();
        match Self::parse(word) {
            Ok(Self::Key(key)) => Ok(Some(Self::Key(key))),
            _ if text.starts_with(COMMENT) => Err(
                "is of minisign, but no public key; give the plugin itself, or the KEY.pub that \
                 goes with the secret key"
                    .to_owned(),
            ),
            _ => Ok(None),
        }
    }

    /// As it is written in the file.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Hash(hash) => hash,
            Self::Key(key) => &key.text,
        }
    }
}

/// The number of the key that a public key is, or a signature is by, as minisign shows it.
pub(crate) fn key_id(base64: &str) -> Option<String> {
    let bytes = STANDARD.decode(base64).ok()?;
    let (number, _) = bytes.get(ALGORITHM..)?.split_first_chunk()?;
    Some(format!("{:016X}", u64::from_le_bytes(*number)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The key of minisign's own documentation.
    pub(crate) const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    pub(crate) const ID: &str = "E7620F1842B4E81F";

    #[test]
    fn hashes_and_keys_are_told_apart_by_their_form() {
        let hash = "9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(Entry::parse(hash), Ok(Entry::Hash(hash.to_ascii_lowercase())));
        let Ok(Entry::Key(key)) = Entry::parse(KEY) else { panic!("{KEY} is a key") };
        assert_eq!((key.id.as_str(), key.text.as_str()), (ID, KEY));
        let short = Entry::parse(&hash[1..]).unwrap_err();
        assert!(short.contains("has 63 hexadecimal digits, and a SHA-256 has 64"), "{short}");
        for wrong in ["libpre_plugin.so", &KEY[1..], &KEY[..55], &format!("{KEY}="), "RW"] {
            let error = Entry::parse(wrong).unwrap_err();
            assert!(error.contains("is neither a SHA-256"), "{error}");
        }
    }

    #[test]
    fn the_file_of_a_public_key_is_told_from_a_plugin_and_from_minisigns_other_files() {
        let file = format!("untrusted comment: minisign public key {ID}\n{KEY}\n");
        let key = Some(Entry::parse(KEY).unwrap());
        assert_eq!(Entry::of_file(file.as_bytes()), Ok(key.clone()));
        assert_eq!(Entry::of_file(KEY.as_bytes()), Ok(key));
        assert_eq!(Entry::of_file(b"\x7fELF\xff"), Ok(None));
        assert_eq!(Entry::of_file(b"text"), Ok(None));
        let signature = "untrusted comment: signature\nRUQf6LRCGA9i55\n";
        assert!(Entry::of_file(signature.as_bytes()).unwrap_err().contains("no public key"));
    }
}
