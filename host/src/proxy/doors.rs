//! Where operators come in: the control socket, and the admin listener.

use crate::admin::Admin;
use crate::control;
use crate::handover::{Role, Socket};
use crate::operator::Operator;
use anyhow::Result;
use host_proxy::Listen;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The doors. What came in goes on when they are closed.
pub(super) struct Doors {
    /// The folder of the control socket, if this host has it.
    control: Option<PathBuf>,
    operator: Arc<dyn Operator>,
    admin: Option<AdminDoor>,
    open: Vec<JoinHandle<()>>,
    conversations: TaskTracker,
}

/// The admin listener.
pub(super) struct AdminDoor {
    pub(super) admin: Arc<Admin>,
    pub(super) listener: Arc<TcpListener>,
    pub(super) place: Listen,
}

/// How long those who have come in have to hear what came of it when the process ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

impl Doors {
    /// The doors, still closed.
    pub(super) fn new(
        control: Option<PathBuf>,
        operator: Arc<dyn Operator>,
        admin: Option<AdminDoor>,
    ) -> Self {
        let conversations = TaskTracker::new();
        Self { control, operator, admin, open: Vec::new(), conversations }
    }

    /// Opens them. An error is of the control socket's; the rest is open then.
    pub(super) fn open(&mut self) -> Result<()> {
        if let Some(AdminDoor { admin, listener, .. }) = &self.admin {
            let (admin, listener) = (admin.clone(), listener.clone());
            self.open.push(tokio::spawn(admin.serve(listener, self.conversations.clone())));
        }
        if let Some(folder) = &self.control {
            let socket = control::listen(folder)?;
            let (operator, conversations) = (self.operator.clone(), self.conversations.clone());
            self.open.push(tokio::spawn(control::serve(socket, operator, conversations)));
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.open.drain(..).for_each(|door| door.abort());
    }

    /// Closes them for good. Ends when those who have come in have heard what came of it.
    pub(super) async fn leave(mut self) {
        self.close();
        self.admin = None;
        self.conversations.close();
        let _ = tokio::time::timeout(LAST_ANSWERS, self.conversations.wait()).await;
    }

    /// The admin listener's socket, to lend.
    pub(super) fn socket(&self) -> Option<std::io::Result<Socket>> {
        let AdminDoor { listener, place, .. } = self.admin.as_ref()?;
        Some(Socket::new(Role::Admin, place.to_string(), listener))
    }
}
