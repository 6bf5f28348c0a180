//! The state folder and those in it. What lies there is run, or believed: copies of plugins, compiled
//! code, the record of what was in use. So nobody else may write there, and not everybody above it.

use crate::permissions::{self, Exposed};
use anyhow::{Context, Result, bail};
use std::fs::{self, DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// The folder of copies of plugins, in the state folder.
pub(crate) const COPIES: &str = "plugins";
/// The folder of compiled code.
pub(crate) const CODE: &str = "wasm-cache";

/// A group, or everybody, may write.
const OTHERS: u32 = 0o022;
/// The user who may do anything anyway.
const ROOT: u32 = 0;

/// Makes the folders, unless they are there, and checks whose they are: before anything is loaded.
/// `flag`: what another state folder is chosen with. `exposed`: the user says that it does not matter who
/// may write in the state folder itself. What is in it is this user's in any case.
pub(crate) fn secure(state: &Path, flag: &str, exposed: bool) -> Result<()> {
    secure_all(state, &[COPIES, CODE], flag, exposed)
}

/// The same where compiled code is all that is run.
pub(crate) fn secure_code(state: &Path, flag: &str, exposed: bool) -> Result<()> {
    secure_all(state, &[CODE], flag, exposed)
}

fn secure_all(state: &Path, inner: &[&str], flag: &str, exposed: bool) -> Result<()> {
    let own = nix::unistd::geteuid().as_raw();
    if !exposed {
        let remedy = format!(
            "choose one of your own with {flag}, or allow that with --allow-world-writable"
        );
        check(state, own, &remedy)?;
        // Whoever may write above it may put another in its place.
        if let Err(why @ (Exposed::Writable(_) | Exposed::Foreign(_))) = permissions::check(state) {
            bail!("the folder {} is not safe: {why}, or {remedy}", state.display());
        }
    } else if make(state).is_err() {
        return Ok(()); // whoever needs it says so
    }
    for name in inner {
        check(&state.join(name), own, "remove it, the host makes its own")?;
    }
    Ok(())
}

fn check(folder: &Path, own: u32, remedy: &str) -> Result<()> {
    // One that cannot be made is none: whoever needs it says so.
    if make(folder).is_err() {
        return Ok(());
    }
    let path = folder.display();
    let unreadable = || format!("whose {path} is cannot be told");
    // Of a link its owner counts as well: he may let it lead elsewhere.
    let there = folder.metadata().with_context(unreadable)?;
    let link = folder.symlink_metadata().with_context(unreadable)?;
    if !there.is_dir() {
        bail!("{path} is no folder: move it");
    }
    let foreign = |it: &Metadata| ![own, ROOT].contains(&it.uid());
    if foreign(&there) || foreign(&link) {
        bail!(
            "the folder {path} belongs to another user, who could have the host run anything: {remedy}"
        );
    }
    if there.mode() & OTHERS != 0 {
        bail!(
            "other users may write in the folder {path}, and could have the host run anything: run \
             chmod go-w {path}, or {remedy}"
        );
    }
    Ok(())
}

fn make(folder: &Path) -> std::io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        // A file, or a link that leads nowhere: what is wrong with it is said by who looks at it.
        Err(_) if fs::symlink_metadata(folder).is_ok() => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refused(state: &Path, exposed: bool) -> String {
        secure(state, "--state", exposed).unwrap_err().to_string()
    }

    #[test]
    fn folders_are_made_for_their_owner_alone() {
        let outer = tempfile::tempdir().unwrap();
        let state = outer.path().join("a/state");
        secure(&state, "--state", false).unwrap();
        for folder in [state.clone(), state.join(COPIES), state.join(CODE)] {
            assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700, "{}", folder.display());
        }
        secure(&state, "--state", false).unwrap();
    }

    /// As a volume that a container gets.
    #[test]
    fn in_a_folder_of_everybody_s_only_what_is_in_it_is_one_s_own_if_the_user_says_so() {
        let state = tempfile::tempdir().unwrap();
        chmod(state.path(), 0o777);
        let why = refused(state.path(), false);
        assert!(why.contains("chmod go-w") && why.contains("--allow-world-writable"), "{why}");
        assert!(why.contains("with --state,"), "{why}");
        secure(state.path(), "--state", true).unwrap();
        for name in [COPIES, CODE] {
            let folder = state.path().join(name);
            for mode in [0o770, 0o707] {
                chmod(&folder, mode);
                let why = refused(state.path(), true);
                assert!(why.contains(name) && why.contains("remove it"), "{why}");
            }
            chmod(&folder, 0o755);
        }
        secure(state.path(), "--state", true).unwrap();
    }

    #[test]
    fn a_folder_whose_place_anybody_may_take_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let state = outer.path().join("state");
        secure(&state, "--state", false).unwrap();
        chmod(outer.path(), 0o777);
        let why = refused(&state, false);
        let remedy = format!("run chmod o-w {}, or choose", outer.path().display());
        assert!(why.contains(&remedy) && why.contains("--allow-world-writable"), "{why}");
        secure(&state, "--state", true).unwrap();
        chmod(outer.path(), 0o1777); // as /tmp
        secure(&state, "--state", false).unwrap();
    }

    #[test]
    fn a_folder_of_another_user_s_is_refused() {
        let own = nix::unistd::geteuid().as_raw();
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        fs::create_dir(&folder).unwrap();
        if own == ROOT {
            chown(&folder, Some(12345), None).unwrap();
            assert!(refused(&folder, false).contains("belongs to another user"));
            assert!(check(&folder, 12345, "").is_ok());
        } else {
            assert!(check(&folder, own + 1, "").is_err());
        }
        fs::write(outer.path().join("file"), "").unwrap();
        assert!(refused(&outer.path().join("file"), false).contains("is no folder"));
    }
}
