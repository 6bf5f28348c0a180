//! The trust file: read, changed, written.
//!
//! A line is a hash or a key, then a note for people. Empty lines and those that begin with `#` are
//! left alone, and so is the comment over a key in minisign's files: the output of `sha256sum`, and
//! `KEY.pub`, can be appended as they are.

use super::entry::{COMMENT, Entry, Key};
use super::permissions::{self, Exposed};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What a new file begins with.
const HEAD: &str = "\
# What a host with --plugin-trust may load. A line is the SHA-256 of a plugin, or a public key of
# minisign whose signature lies beside the plugin; what stands behind it is a note.
";

/// A trust file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("the trust file {} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the trust file {} may be changed by others: {why}", path.display())]
    Exposed { path: PathBuf, why: Exposed },
    #[error("the trust file {}, line {line}: {mistake}", path.display())]
    Mistake { path: PathBuf, line: usize, mistake: String },
}

/// What may be loaded.
#[derive(Debug, Default)]
pub(super) struct TrustFile {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    entry: Option<Entry>,
}

impl TrustFile {
    /// Reads a file. One that anybody may change, or with a mistake in it, is none.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let unreadable = |error| FileError::Unreadable { path: path.to_owned(), error };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        permissions::check(path)
            .map_err(|why| FileError::Exposed { path: path.to_owned(), why })?;
        Self::parse(&text).map_err(|(line, mistake)| FileError::Mistake {
            path: path.to_owned(),
            line,
            mistake,
        })
    }

    /// The same, of a file that need not be there yet.
    pub(super) fn read_or_new(path: &Path) -> Result<Self, FileError> {
        match Self::read(path) {
            Err(FileError::Unreadable { error, .. }) if error.kind() == ErrorKind::NotFound => {
                let lines = HEAD.lines().map(|text| Line { text: text.to_owned(), entry: None });
                Ok(Self { lines: lines.collect() })
            }
            read => read,
        }
    }

    /// An error is the number of a line, and what is wrong with it.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut lines = Vec::new();
        for (number, text) in (1..).zip(text.lines()) {
            let content = text.trim_start();
            let entry = match content.split_whitespace().next() {
                None => None,
                Some(_) if content.starts_with('#') || content.starts_with(COMMENT) => None,
                Some(word) => Some(Entry::parse(word).map_err(|mistake| (number, mistake))?),
            };
            lines.push(Line { text: text.to_owned(), entry });
        }
        Ok(Self { lines })
    }

    /// What is allowed, each with its note.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Entry, &str)> {
        self.lines.iter().filter_map(|line| {
            let note = line.text.trim().split_once(char::is_whitespace);
            Some((line.entry.as_ref()?, note.map_or("", |(_, note)| note.trim())))
        })
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match &line.entry {
            Some(Entry::Hash(hash)) => Some(hash.as_str()),
            _ => None,
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.lines.iter().filter_map(|line| match &line.entry {
            Some(Entry::Key(key)) => Some(key),
            _ => None,
        })
    }

    /// Allows something; false if it was allowed already.
    pub(super) fn add(&mut self, entry: Entry, note: &str) -> bool {
        if self.entries().any(|(there, _)| *there == entry) {
            return false;
        }
        // A note stays in its line, whatever is in a file's name.
        let note: String = note.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let text = format!("{}  {note}", entry.text()).trim_end().to_owned();
        self.lines.push(Line { text, entry: Some(entry) });
        true
    }

    /// Takes out what `is` says; false if there was nothing.
    pub(super) fn remove(&mut self, is: impl Fn(&Entry) -> bool) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !line.entry.as_ref().is_some_and(&is));
        self.lines.len() < before
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        replace(path, text.as_bytes())
    }
}

/// Puts a file in the place of one that may be there already, whose owner and permissions it then
/// has. A reader sees the old or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays one.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(content)?;
    let mut permissions = Permissions::from_mode(0o644);
    if let Ok(there) = path.metadata() {
        permissions = there.permissions();
        let own = file.as_file().metadata()?;
        if (there.uid(), there.gid()) != (own.uid(), own.gid()) {
            fchown(file.as_file(), Some(there.uid()), Some(there.gid()))?;
        }
    }
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::KEY;
    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn hash(digit: char) -> Entry {
        Entry::Hash(digit.to_string().repeat(64))
    }

    #[test]
    fn what_sha256sum_and_minisign_print_is_understood_as_it_is() {
        let text = format!(
            "# ours\n\n{HASH}  a name.so\n{} *b.so\n  {HASH}\n\
             untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n",
            "A".repeat(64)
        );
        let file = TrustFile::parse(&text).unwrap();
        let entries: Vec<_> = file.entries().map(|(entry, note)| (entry.text(), note)).collect();
        let upper = "a".repeat(64);
        assert_eq!(entries, [(HASH, "a name.so"), (&upper, "*b.so"), (HASH, ""), (KEY, "")]);
        assert_eq!(file.hashes().count(), 3);
        assert_eq!(file.keys().count(), 1);
    }

    #[test]
    fn a_mistake_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust");
        fs::write(&path, format!("# ours\n{HASH}\n{}  b.so\n", &HASH[2..])).unwrap();
        let error = TrustFile::read(&path).unwrap_err().to_string();
        let place = format!("the trust file {}, line 3: ", path.display());
        assert!(error.starts_with(&place) && error.contains("62 hexadecimal digits"), "{error}");
        fs::write(&path, [0xff]).unwrap();
        let error = TrustFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("cannot be read: stream did not contain valid UTF-8"), "{error}");
    }

    #[test]
    fn a_file_that_anybody_may_change_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust");
        TrustFile::default().write(&path).unwrap();
        TrustFile::read(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
        let error = TrustFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("may be changed by others: anybody may write"), "{error}");
    }

    #[test]
    fn a_change_leaves_the_other_lines_alone() {
        let text = format!("# ours\n\n{}   one\n# more\n{}\n", hash('1').text(), hash('2').text());
        let mut file = TrustFile::parse(&text).unwrap();
        assert!(!file.add(hash('2'), "another note"));
        assert!(file.add(hash('3'), "line\nbreak"));
        assert!(file.add(hash('4'), ""));
        assert!(file.remove(|entry| *entry == hash('2')));
        assert!(!file.remove(|entry| *entry == hash('2')));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust");
        file.write(&path).unwrap();
        let [one, three, four] = ['1', '3', '4'].map(|digit| hash(digit).text().to_owned());
        let expected = format!("# ours\n\n{one}   one\n# more\n{three}  line?break\n{four}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        TrustFile::read(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions_and_the_link_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        replace(&file, b"one").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o644);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
