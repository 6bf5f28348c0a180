//! A plugin's signature: the file `PLUGIN.minisig` beside it, in minisign's format.

use super::entry::{Key, key_id};
use minisign_verify::{Error, Signature};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What a signature's file is called, behind the name of what it signs.
const SUFFIX: &str = ".minisig";
/// The longest signature that is read, in bytes; its comments make it as long as it is.
const LONGEST: u64 = 16 << 10;

/// Why no trusted key vouches for a content, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsigned {
    #[error(
        "there is no {}; if you know where it is from: host trust add {} --plugin-trust {}",
        signature.display(), plugin.display(), trust.display()
    )]
    Missing { signature: PathBuf, plugin: PathBuf, trust: PathBuf },
    #[error("its signature {} cannot be read: {error}", signature.display())]
    Unreadable { signature: PathBuf, error: io::Error },
    #[error(
        "its signature {} is damaged; get it anew, or sign again: host sign {}",
        signature.display(), plugin.display()
    )]
    Damaged { signature: PathBuf, plugin: PathBuf },
    #[error(
        "its signature {} is of the legacy form, without a hash; sign again: host sign {}",
        signature.display(), plugin.display()
    )]
    Legacy { signature: PathBuf, plugin: PathBuf },
    #[error(
        "its signature {} is by the key {key}, which is not there either; if you trust that key: \
         host trust add KEY.pub --plugin-trust {}",
        signature.display(), trust.display()
    )]
    OtherKey { signature: PathBuf, key: String, trust: PathBuf },
    #[error(
        "its signature {} by the key {key} is of another content; get both anew, or sign again: \
         host sign {}",
        signature.display(), plugin.display()
    )]
    Different { signature: PathBuf, key: String, plugin: PathBuf },
}

/// Where the signature of a file is.
pub(crate) fn signature_of(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(SUFFIX);
    path.into()
}

/// Whether one of these keys, those of the file `trust`, has signed `content`, which was read from
/// `plugin`. Returns the signature.
pub(super) fn verify<'a>(
    plugin: &Path,
    content: &[u8],
    keys: impl Iterator<Item = &'a Key>,
    trust: &Path,
) -> Result<String, Unsigned> {
    verify_by(signature_of(plugin), plugin, content, keys, trust)
}

/// The same with a signature that is elsewhere.
pub(super) fn verify_by<'a>(
    signature: PathBuf,
    plugin: &Path,
    content: &[u8],
    keys: impl Iterator<Item = &'a Key>,
    trust: &Path,
) -> Result<String, Unsigned> {
    let (plugin, trust) = (plugin.to_owned(), trust.to_owned());
    let text = match read(&signature) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Unsigned::Missing { signature, plugin, trust });
        }
        Err(error) => return Err(Unsigned::Unreadable { signature, error }),
    };
    let by = text.lines().nth(1).and_then(key_id);
    let (Ok(decoded), Some(by)) = (Signature::decode(&text), by) else {
        return Err(Unsigned::Damaged { signature, plugin });
    };
    let mut known = false;
    for key in keys.filter(|key| key.id == by) {
        known = true;
        match key.key.verify(content, &decoded, false) {
            Ok(()) => return Ok(text),
            Err(Error::UnexpectedAlgorithm) => return Err(Unsigned::Legacy { signature, plugin }),
            Err(_) => {} // two keys may have one number
        }
    }
    match known {
        true => Err(Unsigned::Different { signature, key: by, plugin }),
        false => Err(Unsigned::OtherKey { signature, key: by, trust }),
    }
}

fn read(signature: &Path) -> io::Result<String> {
    let file = File::open(signature)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    // What is no text is no signature.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::*;
    use minisign::KeyPair;
    use std::fs;
    use tempfile::TempDir;

    const CONTENT: &[u8] = b"a plugin";

    fn pair() -> (KeyPair, Key) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let Ok(Entry::Key(key)) = Entry::parse(&pair.pk.to_base64()) else { panic!("no key") };
        (pair, key)
    }

    /// A folder with `a.so.minisig`, and what its file says.
    fn signed(pair: &KeyPair) -> (TempDir, PathBuf, String) {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("a.so");
        let text = minisign::sign(None, &pair.sk, CONTENT, None, None).unwrap().into_string();
        fs::write(signature_of(&plugin), &text).unwrap();
        (folder, plugin, text)
    }

    fn refused(plugin: &Path, content: &[u8], keys: &[Key]) -> Unsigned {
        verify(plugin, content, keys.iter(), Path::new("trust")).unwrap_err()
    }

    #[test]
    fn one_of_the_keys_must_have_signed_this_content() {
        let ((pair, key), (_, other)) = (pair(), pair());
        let (_folder, plugin, _) = signed(&pair);
        let both = [other.clone(), key.clone()];
        verify(&plugin, CONTENT, both.iter(), Path::new("trust")).unwrap();
        let different = refused(&plugin, b"another", &both);
        assert!(matches!(&different, Unsigned::Different { key, .. } if *key == both[1].id));
        let other = refused(&plugin, CONTENT, &both[..1]);
        assert!(matches!(&other, Unsigned::OtherKey { key: by, .. } if *by == key.id), "{other}");
        let missing = refused(Path::new("/nowhere/a.so"), CONTENT, &both);
        let words = "there is no /nowhere/a.so.minisig; if you know where it is from: host trust \
                     add /nowhere/a.so --plugin-trust trust";
        assert_eq!(missing.to_string(), words);
    }

    /// The comment that is signed as well, too.
    #[test]
    fn a_signature_that_was_changed_anywhere_but_in_its_first_line_is_refused() {
        let (pair, key) = pair();
        let (_folder, plugin, text) = signed(&pair);
        let keys = [key];
        let first = text.find('\n').unwrap();
        for at in first..text.trim_end().len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            fs::write(signature_of(&plugin), &changed).unwrap();
            let result = verify(&plugin, CONTENT, keys.iter(), Path::new("trust"));
            assert!(result.is_err(), "{at}: {}", String::from_utf8_lossy(&changed));
        }
        for length in 0..text.trim_end().len() {
            fs::write(signature_of(&plugin), &text[..length]).unwrap();
            let result = verify(&plugin, CONTENT, keys.iter(), Path::new("trust"));
            assert!(result.is_err(), "{}", &text[..length]);
        }
        fs::write(signature_of(&plugin), [0xff; 100]).unwrap();
        assert!(matches!(refused(&plugin, CONTENT, &keys), Unsigned::Damaged { .. }));
        fs::remove_file(signature_of(&plugin)).unwrap();
        fs::create_dir(signature_of(&plugin)).unwrap();
        assert!(matches!(refused(&plugin, CONTENT, &keys), Unsigned::Unreadable { .. }));
    }

    /// A signature and its key from minisign's documentation: of the content itself, not of its hash.
    #[test]
    fn a_legacy_signature_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("a.so");
        let text = "untrusted comment: signature from minisign secret key\n\
            RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351\
            vwIasSSbXxwA=\n\
            trusted comment: timestamp:1555779966\tfile:test\n\
            QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
        fs::write(signature_of(&plugin), text).unwrap();
        let entry = Entry::parse(super::super::entry::tests::KEY);
        let Ok(Entry::Key(key)) = entry else { panic!("no key") };
        assert!(key.key.verify(b"test", &Signature::decode(text).unwrap(), true).is_ok());
        assert!(matches!(refused(&plugin, b"test", &[key]), Unsigned::Legacy { .. }));
    }
}
