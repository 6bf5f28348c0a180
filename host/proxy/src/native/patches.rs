//! The patches folder.

use std::io;
use std::path::{Path, PathBuf};

/// The parts of the host that a patch can replace.
pub const PATCH_POINTS: [&str; 3] = ["reverse_proxy", "authenticator", "error_page"];

/// A patch in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchFile {
    /// What it replaces: one of [`PATCH_POINTS`].
    pub point: &'static str,
    /// The library.
    pub path: PathBuf,
}

/// A patches folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// It cannot be listed.
    #[error("the patches folder {} cannot be read: {error}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A library whose name is no patch point's: a typo would otherwise go unseen.
    #[error(
        "{}: there is no patch point of that name; the points are {}",
        path.display(), PATCH_POINTS.join(", ")
    )]
    Unknown {
        /// The library.
        path: PathBuf,
    },
    /// Two libraries for one point.
    #[error("{} and {} both replace {point}; remove one", first.display(), second.display())]
    Twice {
        /// What they replace.
        point: &'static str,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// The patches in a folder, by the order of their points. `reverse_proxy.so`,
/// `libreverse_proxy.so` and `reverse-proxy.so` are all the point `reverse_proxy`; what is not a
/// `.so` file is left alone.
pub fn scan(folder: &Path) -> Result<Vec<PatchFile>, PatchError> {
    let unreadable = |error| PatchError::Unreadable { folder: folder.to_owned(), error };
    let mut patches: Vec<PatchFile> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "so") || path.is_dir() {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
        let is_point = |point: &&&str| stem == ***point || stem == format!("lib{point}");
        let Some(point) = PATCH_POINTS.iter().find(is_point).copied() else {
            return Err(PatchError::Unknown { path });
        };
        if let Some(first) = patches.iter().find(|patch| patch.point == point) {
            let (first, second) = (first.path.clone(), path);
            return Err(PatchError::Twice { point, first, second });
        }
        patches.push(PatchFile { point, path });
    }
    patches.sort_by_key(|patch| PATCH_POINTS.iter().position(|point| *point == patch.point));
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_patches() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        touch("README.md");
        std::fs::create_dir(folder.path().join("reverse-proxy")).unwrap();
        assert_eq!(scan(folder.path()).unwrap(), []);

        touch("error_page.so");
        touch("libreverse_proxy.so");
        let points: Vec<_> = scan(folder.path()).unwrap().iter().map(|it| it.point).collect();
        assert_eq!(points, ["reverse_proxy", "error_page"]);

        touch("reverse-proxy.so");
        let error = scan(folder.path()).unwrap_err().to_string();
        assert!(error.contains("both replace reverse_proxy; remove one"), "{error}");

        touch("reverse_prxy.so");
        let twice = folder.path().join("reverse-proxy.so");
        std::fs::remove_file(twice).unwrap();
        let error = scan(folder.path()).unwrap_err().to_string();
        assert!(error.contains("reverse_prxy.so: there is no patch point of that name"), "{error}");
        assert!(error.ends_with("the points are reverse_proxy, authenticator, error_page"));

        let error = scan(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
