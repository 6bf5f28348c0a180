//! Files that change.
//!
//! The system's notices say only that it is worth a look; what has changed says the look itself, which
//! asks for each file what would be different if another was there. So renamed, linked and removed
//! files are seen whatever the notices call that, and where there are none (network file systems, and
//! folders that are not there yet) a look now and then does in their place. What is in a file, and
//! whether it is whole, is for the reload to find out.

use super::Live;
use super::declared::File;
use super::refused::Why;
use super::reload::Trigger;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// After a notice the next one is waited for that long, since files seldom change by one step …
const QUIET: Duration = Duration::from_millis(50);
/// … but not longer than that in all.
const LONGEST: Duration = Duration::from_millis(300);
/// Without a notice there is a look that often …
const NOW_AND_THEN: Duration = Duration::from_secs(2);
/// … and that often if the system gives no notices.
const WITHOUT_NOTICES: Duration = Duration::from_millis(400);

/// What is different when another file is there, or the same one was written to: device, number, size,
/// and the times of the last change of content and of anything in nanoseconds.
type Print = (u64, u64, u64, i128, i128);

/// Of each file; none if it is not there.
type Prints = BTreeMap<PathBuf, Option<Print>>;

/// Reloads when plugins' files change, until the process ends.
pub(crate) async fn watch(live: Arc<Live>) {
    let (sender, mut notices) = channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // That somebody reads a file, as we do, is no change.
        let kind = event.map(|event| event.kind);
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        if !matches!(kind, Ok(EventKind::Access(_))) || kind.is_ok_and(|kind| kind == written) {
            let _ = sender.try_send(()); // if it is full there will be a look anyway
        }
    });
    let mut folders = Folders { watcher: None, watched: BTreeMap::new() };
    match watcher {
        Ok(watcher) => folders.watcher = Some(watcher),
        Err(error) => tracing::warn!(
            "the system gives no notices of files that change ({error}); they are looked at every \
             {WITHOUT_NOTICES:?}"
        ),
    }
    // What is there now is what was loaded, but for a moment in which something may have changed; then
    // the first reload finds that out.
    let mut seen: Option<(Prints, Prints)> = None;
    loop {
        let Files { plugins, trust } = tokio::task::block_in_place(|| live.files());
        folders.follow(plugins.iter().chain(&trust));
        let look = || (prints(&plugins), prints(&trust));
        let prints = tokio::task::block_in_place(look);
        if seen.as_ref() != Some(&prints) {
            if seen.is_some_and(|(_, trust)| trust != prints.1) {
                live.forget_refused().await;
            }
            seen = Some(prints);
            // It logs what came of it.
            let _ = live.reload(Trigger::File).await;
            continue;
        }
        folders.notice(&mut notices).await;
    }
}

/// What is looked at.
struct Files {
    /// Those that it depends on what is in use, and folders whose list it does.
    plugins: BTreeSet<PathBuf>,
    /// Those that it depends on what is trusted.
    trust: BTreeSet<PathBuf>,
}

impl Live {
    fn files(&self) -> Files {
        let declared = self.lock().declared.clone();
        let located = declared.locate().unwrap_or_else(|_| declared.locate_lists());
        let mut plugins: BTreeSet<_> = located
            .into_iter()
            .map(|declaration| match declaration.file {
                File::At(path) => path,
                File::Missing(_) | File::None => declaration.key.asked,
            })
            .chain(declared.events.iter().map(|manifest| manifest.path.clone()))
            .chain(declared.shadows.iter().filter_map(|it| declared.locate_shadow(it).ok()))
            .collect();
        plugins.remove(Path::new(""));
        let trust = declared.trust_files(plugins.iter()).into_iter().collect();
        plugins.insert(declared.patches_dir().to_owned());
        Files { plugins, trust }
    }

    /// What was refused may be trusted by now.
    async fn forget_refused(&self) {
        // A reload that is under way would put them back.
        let Ok(_turn) = self.turn().await else { return };
        self.lock().holds.retain(|_, (_, why)| *why != Why::Refused);
    }
}

/// The folders that the system gives notices of.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// By device and number: one that was put in the place of another is not watched.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl Folders {
    /// Watches the folders that files are in: where they are by name, and where links lead.
    fn follow<'a>(&mut self, files: impl Iterator<Item = &'a PathBuf> + Clone) {
        let Some(watcher) = &mut self.watcher else { return };
        let real = files.clone().filter_map(|file| file.canonicalize().ok());
        let folders: BTreeSet<_> =
            files.cloned().chain(real).filter_map(|file| folder(&file)).collect();
        let there: BTreeMap<_, _> = folders
            .into_iter()
            .filter_map(|folder| folder.metadata().ok().map(|it| (folder, (it.dev(), it.ino()))))
            .collect();
        self.watched.retain(|folder, identity| {
            let stays = there.get(folder) == Some(identity);
            if !stays {
                let _ = watcher.unwatch(folder); // it may have been removed
            }
            stays
        });
        for (folder, identity) in there {
            // One that cannot be watched is looked at now and then.
            if !self.watched.contains_key(&folder)
                && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder, identity);
            }
        }
    }

    /// Waits until there is something to look at, perhaps.
    async fn notice(&self, notices: &mut Receiver<()>) {
        let limit = if self.watcher.is_some() { NOW_AND_THEN } else { WITHOUT_NOTICES };
        if let Ok(Some(())) = timeout(limit, notices.recv()).await {
            let quiet = async { while timeout(QUIET, notices.recv()).await == Ok(Some(())) {} };
            let _ = timeout(LONGEST, quiet).await;
        }
    }
}

/// A folder itself, or that of a file.
fn folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

fn prints(files: &BTreeSet<PathBuf>) -> Prints {
    let print = |path: &Path| {
        let it = path.metadata().ok()?;
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let times = (nanos(it.mtime(), it.mtime_nsec()), nanos(it.ctime(), it.ctime_nsec()));
        Some((it.dev(), it.ino(), it.size(), times.0, times.1))
    };
    files.iter().map(|path| (path.clone(), print(path))).collect()
}
