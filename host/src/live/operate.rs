//! What an operator tells the host.

use super::Live;
use super::promote::NotPromoted;
use super::reload::Trigger;
use super::rollback::NoRollback;
use crate::locks::Lock;
use crate::operator::{Command, Declined, Done, Operator, Reason, Status};
use host_events::locks::Locks;
use host_proxy::{Phase, Stage};
use std::pin::Pin;
use std::sync::Arc;

/// [`Live`] for its operator.
pub(crate) struct Operated(pub(crate) Arc<Live>);

impl Operator for Operated {
    fn phase(&self) -> Phase {
        self.0.world.proxy.phase()
    }

    fn status(&self) -> Status {
        self.0.status_now()
    }

    fn locks(&self) -> Vec<Lock> {
        let locks = self.0.locks().map(Locks::list).unwrap_or_default();
        locks.iter().filter_map(Lock::of).collect()
    }

    fn command<'a>(
        &'a self,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Done, Declined>> + Send + 'a>> {
        let live = self.0.clone();
        Box::pin(async move { live.command(command).await.map(|message| Done { message }) })
    }
}

impl Live {
    async fn command(self: Arc<Self>, command: Command) -> Result<String, Declined> {
        let conflict = |why| declined(Reason::Conflict, why);
        match command {
            Command::Restart => {
                let _turn = self.turn().await.map_err(conflict)?;
                self.hand_over()
                    .await
                    .map_err(|why| declined(Reason::Failed, format!("this process goes on: {why}")))
            }
            Command::Reload => self
                .reload(Trigger::Command)
                .await
                .map_err(|why| declined(Reason::Failed, format!("nothing has changed: {why}"))),
            Command::Rollback => self.rollback().await.map_err(|why| match why {
                NoRollback::Nothing => declined(
                    Reason::Conflict,
                    "there is nothing to bring back: no plugin has been replaced since the start",
                ),
                NoRollback::Refused(why) => conflict(why),
                NoRollback::Failed(why) => declined(Reason::Failed, why),
            }),
            Command::Promote { id, force } => {
                self.promote(id, force).await.map_err(|why| match why {
                    NotPromoted::None(why) => declined(Reason::NotFound, why),
                    NotPromoted::Conflict(why) => conflict(why),
                    NotPromoted::Failed(why) => declined(Reason::Failed, why),
                })
            }
            Command::Disable { id } => {
                let (_turn, stage) = (self.turn().await.map_err(conflict)?, self.stage(id)?);
                self.disable(&stage).map_err(conflict)?;
                Ok(format!("{} is disabled", stage.plugin.info.name))
            }
            Command::Enable { id } => {
                let (_turn, stage) = (self.turn().await.map_err(conflict)?, self.stage(id)?);
                self.enable(&stage).map_err(conflict)?;
                Ok(format!("{} is enabled", stage.plugin.info.name))
            }
            Command::RemoveLock { name } => {
                self.may_change().map_err(conflict)?;
                let missing = || declined(Reason::NotFound, format!("there is no lock {name:?}"));
                let locks = self.locks().ok_or_else(missing)?;
                // It waits for the disk.
                match tokio::task::block_in_place(|| locks.remove(&name)) {
                    Ok(true) => {
                        tracing::info!(lock = name, "a command removes a lock");
                        Ok(format!("{name} is removed"))
                    }
                    Ok(false) => Err(missing()),
                    Err(error) => Err(declined(Reason::Failed, error.to_string())),
                }
            }
        }
    }

    fn stage(&self, id: u64) -> Result<Arc<Stage>, Declined> {
        let chain = self.world.proxy.chain.load();
        let stage = chain.stages().into_iter().find(|stage| stage.life.id() == id).cloned();
        stage.ok_or_else(|| {
            let message = format!("no plugin in use has the number {id}; host status has them");
            declined(Reason::NotFound, message)
        })
    }
}

fn declined(reason: Reason, message: impl Into<String>) -> Declined {
    Declined { reason, message: message.into() }
}
