//! Whether anybody may put another file in a plugin's place.
//!
//! Looked at are the file, and each folder on the way to it from the root, as the system walks it: also
//! those that a symbolic link is in, and that it leads through. Writable for everybody is what is refused; that a group may
//! write is the user's business.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Everybody may write.
const WORLD: u32 = 0o002;
/// In such a folder only its owner may rename or remove a file.
const STICKY: u32 = 0o1000;
/// So many links are followed on the way, as by the system (`path_resolution(7)`).
const LINKS: usize = 40;
/// The user who may do anything anyway.
const ROOT: u32 = 0;

/// A file that is not only its owner's, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Exposed {
    /// The file, or a folder above it.
    #[error("anybody may write {path}; run chmod o-w {path}", path = .0.display())]
    Writable(PathBuf),
    /// It is in a folder like `/tmp`, where everybody may write and nobody take another's away.
    #[error(
        "{} belongs to another user, in a folder that anybody may write; copy it to one of your own",
        .0.display()
    )]
    Foreign(PathBuf),
    /// Nobody knows.
    #[error("the permissions of {} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
}

/// Refuses a file or folder that anybody may change, replace or, if it is a folder, add to.
pub(crate) fn check(path: &Path) -> Result<(), Exposed> {
    check_for(path, nix::unistd::geteuid().as_raw())
}

/// The same for a plugin's file. Of one that is gone, since a copy of it is used, the folder counts: it
/// was not for anybody to remove.
pub(crate) fn check_plugin(path: &Path) -> Result<(), Exposed> {
    match (check(path), path.parent()) {
        (Err(Exposed::Unreadable { error, .. }), Some(folder))
            if error.kind() == io::ErrorKind::NotFound && folder != Path::new("") =>
        {
            check(folder)
        }
        (checked, _) => checked,
    }
}

fn check_for(path: &Path, own: u32) -> Result<(), Exposed> {
    let unreadable = |error| Exposed::Unreadable { path: path.to_owned(), error };
    let way = std::path::absolute(path).map_err(unreadable)?;
    let mut left: Vec<OsString> = parts(&way);
    // Without links and `..`: so the folder before each part is the one that it is in.
    let mut so_far = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            so_far.pop();
            continue;
        }
        let next = so_far.join(&part);
        check_in(&so_far, &next, own)?;
        if !examine(&next, Path::symlink_metadata)?.is_symlink() {
            so_far = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(unreadable(io::Error::other("too many symbolic links")));
        }
        let target = fs::read_link(&next).map_err(unreadable)?;
        if target.is_absolute() {
            so_far = PathBuf::from("/");
        }
        left.extend(parts(&target));
    }
    match mode(&so_far)? & WORLD {
        0 => Ok(()),
        _ => Err(Exposed::Writable(so_far)),
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

/// Whether nobody else can put something in the place of `entry` in a folder.
fn check_in(folder: &Path, entry: &Path, own: u32) -> Result<(), Exposed> {
    let mode = mode(folder)?;
    if mode & WORLD == 0 {
        return Ok(());
    }
    if mode & STICKY == 0 {
        return Err(Exposed::Writable(folder.to_owned()));
    }
    // Of a link the owner counts, not that of what it points to.
    let owner = examine(entry, Path::symlink_metadata)?.uid();
    match [own, ROOT].contains(&owner) {
        true => Ok(()),
        false => Err(Exposed::Foreign(entry.to_owned())),
    }
}

fn mode(path: &Path) -> Result<u32, Exposed> {
    Ok(examine(path, Path::metadata)?.mode())
}

fn examine(path: &Path, how: impl Fn(&Path) -> io::Result<Metadata>) -> Result<Metadata, Exposed> {
    how(path).map_err(|error| Exposed::Unreadable { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use tempfile::TempDir;

    /// A folder with `plugins/a.so`.
    fn folders() -> (TempDir, PathBuf, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let plugins = outer.path().join("plugins");
        create_dir(&plugins).unwrap();
        let file = plugins.join("a.so");
        write(&file, "").unwrap();
        (outer, plugins, file)
    }

    fn chmod(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn writable(path: &Path) -> PathBuf {
        match check(path) {
            Err(Exposed::Writable(what)) => what,
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    /// Whoever could remove it could have put it there.
    #[test]
    fn a_file_that_is_gone_is_as_safe_as_its_folder() {
        let (_outer, plugins, file) = folders();
        std::fs::remove_file(&file).unwrap();
        check_plugin(&file).unwrap();
        chmod(&plugins, 0o777);
        assert!(matches!(check_plugin(&file), Err(Exposed::Writable(what)) if what == plugins));
    }

    #[test]
    fn a_file_is_as_safe_as_it_and_all_folders_above_it() {
        let (outer, plugins, file) = folders();
        check(&file).unwrap();
        for exposed in [&file, &plugins, outer.path()] {
            let before = exposed.metadata().unwrap().permissions();
            chmod(exposed, before.mode() | 0o002);
            assert_eq!(writable(&file), *exposed);
            chmod(exposed, before.mode() | 0o020); // a group's is not refused
            check(&file).unwrap();
            set_permissions(exposed, before).unwrap();
        }
    }

    #[test]
    fn both_ends_of_a_link_are_looked_at() {
        let (_outer, plugins, file) = folders();
        let (_other, open, _) = folders();
        let link = open.join("link.so");
        symlink(&file, &link).unwrap();
        check(&link).unwrap();
        chmod(&open, 0o777);
        assert_eq!(writable(&link), open);
        chmod(&open, 0o755);
        chmod(&plugins, 0o777);
        assert_eq!(writable(&link), plugins.canonicalize().unwrap());
    }

    /// `a.so` leads to a link in a folder that anybody may write in, and that one to a safe place.
    #[test]
    fn a_link_on_the_way_is_looked_at_as_well() {
        let (_outer, plugins, file) = folders();
        let (_middle, open, _) = folders();
        let hop = open.join("hop");
        symlink(&plugins, &hop).unwrap();
        let (_other, own, _) = folders();
        let link = own.join("link.so");
        symlink(hop.join("a.so"), &link).unwrap();
        check(&link).unwrap();
        chmod(&open, 0o777);
        assert_eq!(writable(&link), open);
        assert_eq!(writable(&own.join("..").join(own.file_name().unwrap()).join("link.so")), open);
        check(&file).unwrap();
        let around = own.join("around");
        symlink(&around, &around).unwrap();
        assert!(matches!(check(&around), Err(Exposed::Unreadable { .. })));
    }

    #[test]
    fn in_a_sticky_folder_is_safe_what_is_ones_own_but_not_the_folder() {
        let (_outer, plugins, file) = folders();
        chmod(&plugins, 0o1777);
        check(&file).unwrap();
        assert_eq!(writable(&plugins), plugins, "anybody may add to it");
        let owner = file.metadata().unwrap().uid();
        if owner == ROOT {
            chown(&file, Some(12345), None).unwrap();
        }
        let another = owner + 1;
        let refused = check_for(&file, another).unwrap_err();
        assert!(matches!(&refused, Exposed::Foreign(path) if *path == file), "{refused}");
    }

    #[test]
    fn what_is_not_there_cannot_be_safe() {
        assert!(matches!(check(Path::new("/nowhere/a.so")), Err(Exposed::Unreadable { .. })));
    }
}
