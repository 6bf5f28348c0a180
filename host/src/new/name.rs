//! The name of a new plugin.

use std::path::Path;

/// The last part of the folder's path, as cargo and npm allow it: small letters, digits, hyphens,
/// and a letter first.
pub(super) fn of(folder: &Path) -> String {
    // `.` and what ends in `..` have a name only when they are resolved.
    let path = folder.canonicalize().or_else(|_| std::path::absolute(folder));
    let path = path.as_deref().map_or(folder, |path: &Path| path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("-").to_ascii_lowercase();
    match name.chars().next() {
        Some('a'..='z') => name,
        Some(_) => format!("plugin-{name}"),
        None => "plugin".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::path::Path;

    #[test]
    fn any_folder_gives_a_name_that_cargo_and_npm_take() {
        for (folder, name) in [
            ("my-plugin", "my-plugin"),
            ("/home/ann/my_plugin/", "my_plugin"),
            ("My Plugin!", "my-plugin"),
            ("3-strikes", "plugin-3-strikes"),
            ("_hidden", "plugin-_hidden"),
            ("v1.2", "v1-2"),
            ("été", "t"),
            ("---", "plugin"),
            ("/", "plugin"),
        ] {
            assert_eq!(of(Path::new(folder)), name, "{folder}");
        }
    }

    #[test]
    fn a_folder_that_is_there_has_its_own_name() {
        let folder = tempfile::Builder::new().prefix("mine").tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        assert!(of(&inside.join("..")).starts_with("mine"));
    }
}
