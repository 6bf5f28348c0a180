//! Secret keys: made and read.

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign::{ErrorKind, KeyPair, PublicKey, SecretKey, SecretKeyBox};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What keeps a secret key from those who can read its file.
pub(super) enum Protection {
    Password(String),
    /// A password that is asked for at the terminal.
    Ask,
    None,
}

/// Makes a key in this file, and the public one beside it. Overwrites nothing.
pub(super) fn generate(path: &Path, protection: Protection) -> Result<(PublicKey, PathBuf)> {
    let public_path = path.with_extension("pub");
    ensure!(
        public_path != path,
        "--key is the secret key's file: give it another ending than .pub"
    );
    for path in [path, &public_path] {
        ensure!(
            !path.try_exists().unwrap_or(true),
            "{} is there already: use it, move it, or give another --key",
            path.display()
        );
    }
    let (pair, comment) = match protection {
        Protection::Password(password) => {
            (KeyPair::generate_encrypted_keypair(Some(password))?, "encrypted")
        }
        Protection::Ask => (
            KeyPair::generate_encrypted_keypair(None).context(
                "a password cannot be asked for; give --password-file FILE, or --no-password",
            )?,
            "encrypted",
        ),
        Protection::None => (KeyPair::generate_unencrypted_keypair()?, "unencrypted"),
    };
    if let Some(folder) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let secret = pair.sk.to_box(Some(&format!("minisign {comment} secret key")))?;
    write_new(path, &secret.into_string(), 0o600)?;
    write_new(&public_path, &pair.pk.to_box()?.into_string(), 0o644)?;
    Ok((pair.pk, public_path))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads a key; `password` is asked if it has one, and the terminal if that knows none.
pub(super) fn read(
    path: &Path,
    password: impl FnOnce() -> Result<Option<String>>,
) -> Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "the secret key {} cannot be read; make one with host sign --generate, or give --key",
            path.display()
        )
    })?;
    let no_key = || anyhow!("{} is no secret key of minisign; give another --key", path.display());
    let bytes = text.lines().nth(1).and_then(|line| STANDARD.decode(line.trim()).ok());
    let key = SecretKey::from_bytes(&bytes.ok_or_else(no_key)?).map_err(|_| no_key())?;
    if !key.is_encrypted() {
        // As it is: minisign 0.11 leaves the checksum of such a key empty. One that is damaged shows
        // when its first signature is verified.
        return Ok(key);
    }
    let password = password()?;
    let asked = password.is_none();
    SecretKeyBox::from_string(&text)?.into_secret_key(password).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::Io if asked => "'s password cannot be asked for; give --password-file FILE",
            _ => " cannot be used",
        };
        anyhow!(error).context(format!("the secret key {}{what}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn made(protection: Protection) -> (tempfile::TempDir, PathBuf, PublicKey) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/release.key");
        let (public, public_path) = generate(&path, protection).unwrap();
        assert_eq!(public_path, folder.path().join("new/folder/release.pub"));
        (folder, path, public)
    }

    fn nobody_knows() -> Result<Option<String>> {
        panic!("this key has no password")
    }

    #[test]
    fn a_key_is_its_owners_and_never_overwritten() {
        let (_folder, path, public) = made(Protection::None);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
        let before = std::fs::read(&path).unwrap();
        let error = generate(&path, Protection::None).unwrap_err().to_string();
        assert!(error.contains("release.key is there already"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let secret = read(&path, nobody_knows).unwrap();
        assert!(PublicKey::from_secret_key(&secret).unwrap() == public);
    }

    #[test]
    fn a_password_opens_its_key_and_no_other_does() {
        let password = |text: &str| Ok(Some(text.to_owned()));
        let (_folder, path, public) = made(Protection::Password("right".to_owned()));
        let secret = read(&path, || password("right")).unwrap();
        assert!(PublicKey::from_secret_key(&secret).unwrap() == public);
        let error = format!("{:#}", read(&path, || password("wrong")).map(drop).unwrap_err());
        assert!(error.contains("cannot be used: Wrong password"), "{error}");
    }

    /// Written by the program minisign 0.11, with -W.
    #[test]
    fn a_key_of_minisigns_own_without_a_password_and_checksum_is_one() {
        let (_folder, path, public) = made(Protection::None);
        let text = std::fs::read_to_string(&path).unwrap();
        let (comment, key) = text.trim().split_once('\n').unwrap();
        let mut bytes = STANDARD.decode(key).unwrap();
        let checksum = bytes.len() - 32;
        bytes[checksum..].fill(0);
        std::fs::write(&path, format!("{comment}\n{}\n", STANDARD.encode(bytes))).unwrap();
        let secret = read(&path, nobody_knows).unwrap();
        assert!(PublicKey::from_secret_key(&secret).unwrap() == public);
        minisign::sign(Some(&public), &secret, &b"content"[..], None, None).unwrap();
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("release.key");
        for text in ["", "one line", "untrusted comment: \nRWQf6LRCGA9i53ml", "\u{0}\n\u{0}"] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path, nobody_knows).map(drop).unwrap_err().to_string();
            assert!(error.contains("release.key is no secret key of minisign"), "{error}");
        }
    }
}
