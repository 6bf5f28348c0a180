//! Another process takes over: what the plugins in use have to do with it.

use super::Live;
use super::marks::Marks;
use tokio::sync::{MutexGuard, mpsc, oneshot};

/// Asks for a successor: the answer is its process, or why there is none.
pub(crate) type Request = oneshot::Sender<Result<u32, String>>;

/// Where successors are asked for.
pub(crate) type Requests = mpsc::Sender<Request>;

impl Live {
    /// Has another process take over, with what is asked for now. Nothing may change meanwhile: the caller
    /// has the turn. Afterwards nothing changes here any more.
    pub(super) async fn hand_over(&self) -> Result<String, String> {
        let (request, answer) = oneshot::channel();
        let ends = || "this host ends".to_owned();
        self.world.successors.send(request).await.map_err(|_| ends())?;
        let pid = answer.await.map_err(|_| ends())??;
        let _ = self.heir.set(pid);
        Ok(format!("process {pid} has taken over, with everything loaded anew"))
    }

    /// The turn to change something, unless nothing changes here any more.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, ()>, String> {
        let turn = self.turn.lock().await;
        self.may_change().map(|()| turn)
    }

    /// Why nothing can be changed here: another process has taken over, or this one ends.
    pub(super) fn may_change(&self) -> Result<(), String> {
        if *self.ended() {
            return Err("this host ends".to_owned());
        }
        match self.heir.get() {
            None => Ok(()),
            Some(pid) => Err(format!("process {pid} has taken over: try again, it will hear you")),
        }
    }

    /// Whether another process has taken over.
    pub(crate) fn has_heir(&self) -> bool {
        self.heir.get().is_some()
    }

    /// Writes the record and leaves the state folder to a successor. Returns what an operator has
    /// disabled, which it does not know otherwise if there is no folder.
    pub(crate) fn give_up(&self) -> Marks {
        self.remember(true);
        if let Some(folder) = &self.world.folder {
            folder.release();
        }
        self.lock().marks()
    }

    /// After [`Self::give_up`]: there is no successor.
    pub(crate) fn take_back(&self) {
        self.remember(false);
    }
}
