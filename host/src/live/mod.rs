//! The plugins of the running host: what is in use, and what takes its place.
//!
//! ```text
//! config (flags, file) → declared → build (contents, loaded) → set → chain, in one store
//!                          ↑                                     ↓
//! watch, SIGHUP, commands ─┘                        record, past, status
//! ```
//!
//! - A [`Set`] is everything in use. A new one is built wholly before it is: what has the same content
//!   and configuration is the same object in both, the rest is loaded. If anything is refused, nothing
//!   changes.
//! - A request keeps the chain that it began with. Stages that have left drain, and retire with the
//!   last request that passes them.
//! - A content that was refused is tried again when its file changes, or the user asks for a reload. One
//!   that was rolled back is tried again when its file changes only. Until then what is in use stays
//!   ([`refused::Holds`]).
//! - Rollback brings the set before the present one back, an authenticator that was replaced too; a second
//!   rollback takes that back. The user of the configuration stays: a password that was changed must not
//!   be good again.
//! - After each swap the record says what is in use, so that a host that was killed comes up with it
//!   ([`first`]).

mod build;
mod build_events;
mod choose;
mod config;
mod contents;
mod declared;
mod disabled;
mod first;
mod gate;
mod handover;
mod marks;
mod operate;
mod past;
mod promote;
mod record;
mod refused;
mod reload;
mod rollback;
mod set;
mod shadows;
mod status;
mod watch;

pub(crate) use config::Source;
pub(crate) use declared::Declared;
pub(crate) use first::First;
pub(crate) use handover::{Request, Requests};
pub(crate) use marks::Marks;
pub(crate) use operate::Operated;
pub(crate) use record::{Folder, Record};
pub(crate) use reload::Trigger;
pub(crate) use watch::watch;

use crate::admin::Access;
use crate::events::EventLoader;
use crate::operator;
use crate::plugins::Loaders;
use arc_swap::ArcSwap;
use declared::Key;
use disabled::Disabled;
use host_events::locks::Locks;
use host_events::store::DiskStore;
use host_proxy::{AuditLog, AuditQueue, Chain, InUse, Links, LockCheck, Metrics, Proxy, Tls};
use past::Past;
use record::Held;
use refused::{Holds, Why};
use set::Set;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a change that is under way has when the host ends.
const LAST_CHANGE: Duration = Duration::from_secs(5);

/// What plugins are loaded with, and where they are put: fixed while the host runs.
pub(crate) struct World {
    pub(crate) source: Source,
    pub(crate) loaders: Loaders,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) locks: Option<Arc<dyn LockCheck>>,
    pub(crate) audit: Option<Arc<dyn AuditLog>>,
    /// What event plugins are loaded with, and the chain that events pass.
    pub(crate) events: Option<(EventLoader, Arc<ArcSwap<host_events::Chain>>)>,
    pub(crate) store: Option<Arc<DiskStore>>,
    pub(crate) tls: Option<Arc<Tls>>,
    /// Who may use the admin API, if there is one.
    pub(crate) access: Option<Access>,
    /// The state folder; none if another host has it, or it cannot be used.
    pub(crate) folder: Option<Folder>,
    pub(crate) budget: usize,
    /// Whether another process takes over when the budget is used up.
    pub(crate) reexec: bool,
    pub(crate) successors: Requests,
    pub(crate) queue: Option<Arc<AuditQueue>>,
    pub(crate) started: SystemTime,
    /// The URL of where it listens.
    pub(crate) listening: String,
}

/// The plugins of the running host.
pub(crate) struct Live {
    world: World,
    /// One change at a time.
    turn: tokio::sync::Mutex<()>,
    now: Mutex<Now>,
    meters: status::Meters,
    /// The process that has taken over.
    heir: OnceLock<u32>,
    /// Whether the record is written for good. Held while it is written.
    ended: Mutex<bool>,
}

/// What is in use.
struct Now {
    declared: Arc<Declared>,
    set: Set,
    number: u64,
    since: SystemTime,
    /// What rollback brings back, with what was asked for then.
    before: Option<(Arc<Declared>, Set)>,
    /// The numbers of chains that requests under way still pass.
    draining: BTreeSet<u64>,
    holds: Holds,
    /// What an operator has disabled.
    disabled: Disabled,
    /// What is not as it was asked for.
    notes: Vec<String>,
    past: Past,
    last_reload: Option<operator::Reload>,
    /// The present chain.
    chain: InPlace,
}

/// A chain that new requests take.
struct InPlace {
    drained: Drained,
    held: Arc<Links>,
}

/// Ends when nothing passes a chain any more.
pub(crate) type Drained = tokio::sync::oneshot::Receiver<()>;

/// Drops what may be the last of a plugin where its destructor makes nobody wait.
fn bury(plugins: impl Send + 'static) {
    drop(tokio::task::spawn_blocking(move || drop(plugins)));
}

/// For a chain to hold, and what ends when it does no more.
pub(crate) fn in_use() -> (InUse, Drained) {
    let (held, drained) = tokio::sync::oneshot::channel();
    (Arc::new(held), drained)
}

impl Live {
    /// Takes the first set over, which is in use already.
    pub(crate) fn new(world: World, first: First, drained: Drained) -> Arc<Self> {
        let First { declared, set, holds, notes, disabled } = first;
        let meters = status::Meters::new(&world.metrics, world.budget);
        let since = SystemTime::now();
        let live = Self {
            turn: tokio::sync::Mutex::default(),
            now: Mutex::new(Now {
                declared: Arc::new(declared),
                set: set.clone(),
                number: 1,
                since,
                before: None,
                holds,
                disabled: disabled.clone(),
                notes,
                draining: BTreeSet::new(),
                past: Past::default(),
                last_reload: None,
                chain: InPlace { drained, held: world.proxy.chain.load().hold() },
            }),
            meters,
            heir: OnceLock::new(),
            ended: Mutex::default(),
            world,
        };
        set.take_over(&Set::default());
        set.switch(&disabled);
        live.remember(false);
        if let Some(folder) = &live.world.folder {
            folder.tidy(&set.entries().into_iter().map(|entry| entry.sha256).collect());
        }
        live.meters.mapped(live.world.loaders.native.mapped());
        Arc::new(live)
    }

    /// The chain of a set.
    fn chain(&self, set: &Set) -> Result<(Chain, Drained), String> {
        let (in_use, drained) = in_use();
        let mut parts = set.parts();
        parts.locks.clone_from(&self.world.locks);
        parts.audit.clone_from(&self.world.audit);
        parts.in_use = Some(in_use);
        Ok((Chain::new(parts, self.world.metrics.clone())?, drained))
    }

    /// Puts a set in the place of the present one, in one store. Says what has changed. `keys`: what is
    /// declared, if that was asked for anew.
    fn swap(
        self: &Arc<Self>,
        declared: Arc<Declared>,
        set: &Set,
        holds: Holds,
        (chain, drained): (Chain, Drained),
        keys: Option<&BTreeSet<Key>>,
    ) -> Vec<String> {
        let mut now = self.lock();
        for stage in chain.stages() {
            stage.activate();
        }
        now.carry_marks(set, keys);
        set.switch(&now.disabled);
        let in_place = InPlace { drained, held: chain.hold() };
        self.world.proxy.chain.store(Arc::new(chain));
        if let Some((_, chain)) = &self.world.events {
            chain.store(Arc::new(host_events::Chain::new(set.event_plugins())));
        }
        let before = std::mem::replace(&mut now.set, set.clone());
        let mut gone = (before.clone(), None);
        set.take_over(&before);
        now.past.left(&before, set);
        let changes = set.changes(&before);
        let declared_before = std::mem::replace(&mut now.declared, declared);
        // Who may log in is nothing that rollback brings back.
        if !set.has_same_plugins(&before) {
            gone.1 = now.before.replace((declared_before, before.kept()));
        }
        (now.holds, now.since) = (holds, SystemTime::now());
        let number = now.number;
        now.draining.insert(number);
        now.number += 1;
        let left = std::mem::replace(&mut now.chain, in_place);
        drop(now);
        bury(gone);
        tokio::spawn(self.clone().when_drained(number, left));
        self.meters.mapped(self.world.loaders.native.mapped());
        self.remember(false);
        changes
    }

    /// When the last request has ended that passed a chain, what only that one had ends. When none passes
    /// any chain but the present one, what is kept for rollback drains no more: it may have been part of
    /// several.
    async fn when_drained(self: Arc<Self>, number: u64, chain: InPlace) {
        let _ = chain.drained.await; // nothing is ever sent: the other end is dropped
        bury(chain.held);
        let mut now = self.lock();
        now.draining.remove(&number);
        if now.draining.is_empty()
            && let Some((_, before)) = &now.before
        {
            before.keep_but(&now.set);
        }
    }

    /// Writes down what is in use.
    fn remember(&self, clean: bool) {
        self.write_down(clean, &mut self.ended());
    }

    fn write_down(&self, clean: bool, ended: &mut bool) {
        let is_ours = !*ended && !self.has_heir();
        let Some(folder) = self.world.folder.as_ref().filter(|_| is_ours) else { return };
        let now = self.lock();
        let rolled_back = now.holds.iter().filter(|(_, (_, why))| *why == Why::RolledBack);
        let held = |(key, (content, _)): (&declared::Key, &(Option<String>, Why))| Held {
            key: key.clone(),
            content: content.clone(),
        };
        let record = Record {
            clean,
            plugins: now.set.entries(),
            rolled_back: rolled_back.map(held).collect(),
            promoted: now.set.promotions().record(),
            gate: now.set.has_gate(),
            disabled: now.disabled.clone(),
        };
        drop(now);
        // It waits for the disk, and requests do not wait for it.
        if let Err(error) = tokio::task::block_in_place(|| folder.write(&record)) {
            tracing::error!("{error:#}");
        }
    }

    /// The host ends in an orderly way: nothing changes any more, and the record says so.
    pub(crate) async fn end(&self) {
        // A change that hangs must not keep the process; it writes nothing down any more.
        let _turn = tokio::time::timeout(LAST_CHANGE, self.turn.lock()).await;
        let mut ended = self.ended();
        self.write_down(true, &mut ended);
        *ended = true;
    }

    fn ended(&self) -> MutexGuard<'_, bool> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.world.store.as_deref().map(|store| store as &dyn Locks)
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
