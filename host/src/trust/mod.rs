//! Which plugins, native and WebAssembly, this host loads.
//!
//! Two things are checked, each time a plugin is loaded, on the bytes that will run:
//!
//! - Nobody else can put another plugin in its place (`permissions.rs`): always, unless the user
//!   allows that.
//! - With `--plugin-trust FILE` the file allows it: by its SHA-256 (`file.rs`), or by a key that has
//!   signed it (`signature.rs`). A trust file that cannot be read, or has a mistake, allows nothing.
//!
//! The signature of what was admitted is kept beside the host's copy, which may be used when the file has
//! changed since: it must be signed by a key that is trusted then, like the file.
//!
//! A signature says who made a plugin, not which version it is nor what it is for: whoever may write
//! in the folder can bring an older one back. Where that matters, allow hashes.

mod command;
mod entry;
mod file;
mod signature;

pub use command::run;
pub(crate) use entry::key_id;
pub(crate) use file::replace;
pub(crate) use signature::signature_of;

use crate::cli::TrustFlags;
use crate::permissions::{self, Exposed};
use anyhow::{Context, Result, anyhow};
use file::{FileError, TrustFile};
use host_proxy::native::{Admission, sha256};
use signature::Unsigned;
use std::path::{Path, PathBuf};

/// What the user says of plugins: asked about each one that is to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    file: Option<PathBuf>,
    allow_world_writable: bool,
    /// Where copies of plugins are, and signatures beside them.
    copies: Option<PathBuf>,
}

/// Why a plugin is not loaded, and what to do.
#[derive(Debug, thiserror::Error)]
enum NotTrusted {
    #[error("{0}, or allow that with --allow-world-writable")]
    Exposed(#[from] Exposed),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{} does not have its SHA-256 {sha256}, and {why}", trust.display()
    )]
    Unknown { trust: PathBuf, sha256: String, why: Box<Unsigned> },
}

impl Trust {
    pub(crate) fn new(flags: &TrustFlags) -> Self {
        let TrustFlags { plugin_trust: file, allow_world_writable } = flags.clone();
        Self { file, allow_world_writable, copies: None }
    }

    /// Keeps the signatures of what is admitted in the folder of copies: a copy is as good as long as its
    /// key is trusted, whatever lies beside the plugin's file by then.
    #[must_use]
    pub(crate) fn with_copies(self, copies: PathBuf) -> Self {
        Self { copies: Some(copies), ..self }
    }

    /// The file that says what is trusted.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether the user says that others may write where plugins are.
    pub(crate) fn allows_others(&self) -> bool {
        self.allow_world_writable
    }

    /// Reads the trust file, so that a mistake in it shows before there is a plugin to refuse.
    pub(crate) fn check_file(&self) -> Result<()> {
        if let Some(path) = &self.file {
            let file = TrustFile::read(path).context("--plugin-trust cannot be used")?;
            tracing::info!(
                hashes = file.hashes().count(),
                keys = file.keys().count(),
                "only plugins that {} allows are loaded",
                path.display()
            );
        }
        Ok(())
    }

    /// Whether plugins may be loaded from a folder for whatever lies in it. There the sticky bit is
    /// no help: anybody could add one.
    pub(crate) fn check_folder(&self, folder: &Path) -> Result<()> {
        match self.allow_world_writable {
            true => Ok(()),
            false => Ok(permissions::check(folder).map_err(NotTrusted::from)?),
        }
    }

    /// Whether a WebAssembly module may be loaded that was read from `path`.
    pub(crate) fn admit_module(&self, path: &Path, wasm: &[u8]) -> Result<()> {
        self.check(path, wasm, || sha256(wasm))
            .map_err(|why| anyhow!("{}: refused: it is not trusted: {why}", path.display()))
    }

    fn check(
        &self,
        path: &Path,
        content: &[u8],
        sha256: impl FnOnce() -> String,
    ) -> Result<(), NotTrusted> {
        if !self.allow_world_writable {
            permissions::check_plugin(path)?;
        }
        let Some(trust) = &self.file else { return Ok(()) };
        let (file, sha256) = (TrustFile::read(trust)?, sha256());
        if file.hashes().any(|hash| hash == sha256) {
            return Ok(());
        }
        let kept = self.copies.as_ref().map(|copies| signature_of(&copies.join(&sha256)));
        let why = match signature::verify(path, content, file.keys(), trust) {
            Ok(signature) => {
                if let Some(kept) = &kept {
                    keep(kept, &signature);
                }
                return Ok(());
            }
            Err(why) => Box::new(why),
        };
        if let Some(kept) = kept
            && signature::verify_by(kept, path, content, file.keys(), trust).is_ok()
        {
            return Ok(());
        }
        Err(NotTrusted::Unknown { trust: trust.clone(), sha256, why })
    }
}

/// Keeps a signature, unless it is there. Without it the plugin is in use, and its copy is not admitted
/// once another signature lies beside the file.
fn keep(path: &Path, signature: &str) {
    if std::fs::read(path).is_ok_and(|there| there == signature.as_bytes()) {
        return;
    }
    if let Err(error) = replace(path, signature.as_bytes()) {
        tracing::warn!("the signature {} cannot be kept: {error}", path.display());
    }
}

impl Admission for Trust {
    fn admit(&self, path: &Path, content: &[u8], sha256: &str) -> Result<(), String> {
        self.check(path, content, || sha256.to_owned()).map_err(|why| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reload sees what the file says then, and one that is broken meanwhile allows nothing.
    #[test]
    fn the_file_is_read_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let [plugin, file] = ["a.wasm", "trust"].map(|name| folder.path().join(name));
        std::fs::write(&plugin, "").unwrap();
        let trust =
            Trust::new(&TrustFlags { plugin_trust: Some(file.clone()), ..TrustFlags::default() });
        let admitted = || trust.admit_module(&plugin, b"content").map_err(|it| it.to_string());
        assert!(admitted().unwrap_err().contains("trust cannot be read"));
        let hash = sha256(b"content");
        std::fs::write(&file, &hash).unwrap();
        assert_eq!(admitted(), Ok(()));
        std::fs::write(&file, format!("{hash}\n{}", &hash[1..])).unwrap();
        assert!(admitted().unwrap_err().contains("trust, line 2: "));
        std::fs::write(&file, "").unwrap();
        assert!(admitted().unwrap_err().contains("does not have its SHA-256"));
        let without = Trust::new(&TrustFlags::default());
        without.admit_module(&plugin, b"content").unwrap();
    }
}
