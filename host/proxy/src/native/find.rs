//! From what the user wrote to the file of a library.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where to look for libraries that are given without a folder.
#[derive(Clone, Debug)]
pub struct Locator {
    folders: Vec<PathBuf>,
}

/// No file for what the user wrote.
#[derive(Debug, thiserror::Error)]
#[error("no plugin {asked:?}: there is no {tried}")]
pub struct NotFound {
    asked: String,
    tried: String,
}

impl Locator {
    /// Looks in these folders, in order.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The file for a path (`target/release/libpre_plugin.so`), a library's name
    /// (`libpre_plugin.so`) or a bare name (`pre_plugin`, `pre-plugin`).
    pub fn find(&self, asked: &Path) -> Result<PathBuf, NotFound> {
        if asked.is_file() {
            return Ok(asked.to_owned());
        }
        let candidates = self.candidates(asked);
        if let Some(found) = candidates.iter().find(|path| path.is_file()) {
            return Ok(found.clone());
        }
        let mut tried = asked.display().to_string();
        for path in &candidates {
            tried = format!("{tried}, {}", path.display());
        }
        Err(NotFound { asked: asked.display().to_string(), tried })
    }

    fn candidates(&self, asked: &Path) -> Vec<PathBuf> {
        if asked.components().count() != 1 {
            return Vec::new(); // a path means what it says
        }
        let text = asked.to_string_lossy();
        let mut names = vec![text.to_string()];
        let is_file = |it: &OsStr| it == "so" || it == "wasm";
        if !asked.extension().is_some_and(is_file) {
            let name = text.replace('-', "_");
            names = vec![format!("lib{name}.so"), format!("{name}.so"), format!("{name}.wasm")];
        }
        let in_folder = |folder: &PathBuf| names.iter().map(|name| folder.join(name)).collect();
        self.folders.iter().flat_map::<Vec<_>, _>(in_folder).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_names_and_bare_names_find_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libmy_plugin.so");
        std::fs::write(&file, "").unwrap();
        let locator = Locator::new(vec![PathBuf::from("/nowhere"), folder.path().to_owned()]);
        for asked in ["my_plugin", "my-plugin", "libmy_plugin.so", file.to_str().unwrap()] {
            assert_eq!(locator.find(Path::new(asked)).unwrap(), file, "{asked}");
        }
        let error = locator.find(Path::new("other")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/libother.so"), "{error}");
        let error = locator.find(Path::new("./my_plugin")).unwrap_err().to_string();
        assert_eq!(error, "no plugin \"./my_plugin\": there is no ./my_plugin");
    }
}
