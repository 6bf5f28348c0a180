//! What keeps a candidate from having effects: while it only sees copies, and afterwards in calls
//! that are still about copies.

use crate::store::{MemoryStore, Store, StoreError};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::Span;

/// What a candidate may keep, in bytes.
const STORE: usize = 8 << 20;
/// Keys that it may have set or deleted.
const KEYS: usize = 100_000;

thread_local! {
    static ON_COPIES: Cell<bool> = const { Cell::new(false) };
}

/// Runs something in which all calls of candidates are about copies.
pub(crate) fn on_copies<T>(run: impl FnOnce() -> T) -> T {
    /// Puts it back, also after a panic.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON_COPIES.set(self.0);
        }
    }
    let _restore = Restore(ON_COPIES.replace(true));
    run()
}

/// The bounds of one candidate. Clones are of the same.
#[derive(Clone)]
pub struct Isolation {
    bounds: Arc<Bounds>,
    /// As long as there is a candidate, or a task that it has left behind. What is lent to it for ever
    /// does without.
    held: Option<Arc<()>>,
}

/// All bounds of this process. What a candidate holds of the host is never freed; so the next one of the
/// same content and configuration gets the bounds of one that is gone, and holds the same.
#[derive(Default)]
pub(super) struct Isolations(Mutex<HashMap<ContentAndConfig, Vec<Arc<Bounds>>>>);

type ContentAndConfig = (String, String);

impl Isolations {
    /// For a candidate that sees the values of `real`, and changes none.
    pub(super) fn take(&self, sha256: &str, config: &str, real: &Arc<dyn Store>) -> Isolation {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = all.entry((sha256.to_owned(), config.to_owned())).or_default();
        let bounds = match of_it.iter().find(|bounds| bounds.are_free()) {
            Some(bounds) => {
                bounds.store.clear();
                bounds.withheld.store(0, Ordering::Relaxed);
                bounds.clone()
            }
            None => {
                let bounds = Arc::new(Bounds::new(real.clone()));
                of_it.push(bounds.clone());
                bounds
            }
        };
        let held = Arc::new(());
        *bounds.holder() = Arc::downgrade(&held);
        Isolation { bounds, held: Some(held) }
    }
}

struct Bounds {
    /// Gone when nobody has them any more.
    holder: Mutex<Weak<()>>,
    lifted: AtomicBool,
    store: OwnStore,
    withheld: AtomicU64,
}

impl Bounds {
    fn new(real: Arc<dyn Store>) -> Self {
        let own = MemoryStore::new(STORE);
        let store = OwnStore { own, changed: Mutex::default(), real };
        let holder = Mutex::default();
        Self { holder, lifted: AtomicBool::new(false), store, withheld: AtomicU64::new(0) }
    }

    fn holder(&self) -> MutexGuard<'_, Weak<()>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another candidate may have them.
    fn are_free(&self) -> bool {
        self.holder().strong_count() == 0 && !self.lifted.load(Ordering::Acquire)
    }
}

impl Isolation {
    /// For what is lent to the candidate for ever.
    pub(super) fn lent(&self) -> Self {
        Self { bounds: self.bounds.clone(), held: None }
    }

    /// From here on it has effects, but for calls about copies.
    pub(crate) fn lift(&self) {
        self.bounds.lifted.store(true, Ordering::Release);
    }

    /// Whether a call that is made here and now is to have none.
    pub(crate) fn holds(&self) -> bool {
        !self.bounds.lifted.load(Ordering::Acquire) || ON_COPIES.get()
    }

    /// The store that it has meanwhile.
    pub(super) fn store(&self) -> &dyn Store {
        &self.bounds.store
    }

    /// Counts something that is not let out.
    pub(super) fn withhold(&self) {
        self.bounds.withheld.fetch_add(1, Ordering::Relaxed);
    }

    /// How much was not let out.
    pub(crate) fn withheld(&self) -> u64 {
        self.bounds.withheld.load(Ordering::Relaxed)
    }

    /// Its identity, for a key.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.bounds).addr()
    }

    /// The span of what a candidate does on its own account.
    pub(super) fn span(plugin: &str) -> Span {
        tracing::info_span!("candidate", plugin, shadow = true)
    }

    /// A task that the candidate leaves behind: bounded as the call was that it comes from.
    pub(super) fn around<F>(&self, plugin: &str, task: F) -> Bounded<F> {
        let held = self.held.clone().or_else(|| self.bounds.holder().upgrade());
        let isolation = Self { bounds: self.bounds.clone(), held };
        let span = Self::span(plugin);
        Bounded { task, isolation, span, on_copies: ON_COPIES.get() }
    }
}

pin_project! {
    /// See [`Isolation::around`].
    pub(super) struct Bounded<F> {
        #[pin]
        task: F,
        isolation: Isolation,
        span: Span,
        on_copies: bool,
    }
}

impl<F: Future> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = || this.task.poll(cx);
        if *this.on_copies {
            return this.span.in_scope(|| on_copies(poll));
        }
        if this.isolation.holds() { this.span.in_scope(poll) } else { poll() }
    }
}

/// What the candidate has set or deleted, in front of what the plugin in use has. Tokens are its
/// own from the beginning: they cannot be counted without taking one.
struct OwnStore {
    own: MemoryStore,
    changed: Mutex<HashSet<String>>,
    real: Arc<dyn Store>,
}

impl OwnStore {
    fn clear(&self) {
        self.own.clear();
        self.changed().clear();
    }

    fn changed(&self) -> MutexGuard<'_, HashSet<String>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, key: &str) -> Result<(), StoreError> {
        let mut changed = self.changed();
        if changed.len() >= KEYS && !changed.contains(key) {
            return Err(StoreError::Full(STORE));
        }
        changed.insert(key.to_owned());
        Ok(())
    }
}

impl Store for OwnStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if self.changed().contains(key) { self.own.get(key) } else { self.real.get(key) }
    }

    fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        self.change(key)?;
        self.own.set(key, value, ttl)
    }

    fn delete(&self, key: &str) -> Result<bool, StoreError> {
        let there = self.get(key)?.is_some();
        self.change(key)?;
        self.own.delete(key)?;
        Ok(there)
    }

    fn take_token(&self, scope: &str, ttl: Duration) -> Result<u64, StoreError> {
        self.own.take_token(scope, ttl)
    }

    fn release_tokens(&self, scope: &str) -> Result<u64, StoreError> {
        self.own.release_tokens(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(1000))
    }

    #[test]
    fn the_bounds_of_a_candidate_that_is_gone_are_the_next_one_s() {
        let (all, real) = (Isolations::default(), store());
        let take = || all.take("content", "config", &real);
        let first = take();
        first.store().set("a", b"1", None).unwrap();
        first.store().take_token("t", Duration::from_secs(60)).unwrap();
        let (address, lent) = (first.address(), first.lent());
        let second = take();
        assert_ne!(second.address(), address, "the first one is there");
        assert_ne!(all.take("content", "another", &real).address(), address);
        drop(first);
        let third = take();
        assert_eq!(third.address(), address);
        assert_eq!(third.store().get("a"), Ok(None), "it begins anew");
        assert_eq!(third.store().take_token("t", Duration::from_secs(60)), Ok(1));
        third.lift();
        drop((third, lent));
        assert_ne!(take().address(), address, "what is in use is no candidate's");
    }

    /// Else what it stores, or is let do once that one is promoted, would be the next one's.
    #[test]
    fn bounds_are_not_the_next_one_s_while_a_task_of_the_one_before_runs() {
        let (all, real) = (Isolations::default(), store());
        let first = all.take("content", "config", &real);
        let (address, lent) = (first.address(), first.lent());
        let task = lent.around("plugin", std::future::pending::<()>());
        drop(first);
        let second = all.take("content", "config", &real);
        assert_ne!(second.address(), address, "a task has them");
        drop((task, second));
        assert_eq!(all.take("content", "config", &real).address(), address);
    }

    #[test]
    fn what_it_stores_is_its_own_and_what_it_reads_is_real() {
        let real = Arc::new(MemoryStore::new(10_000));
        real.set("a", b"real", None).unwrap();
        real.take_token("t", Duration::from_secs(60)).unwrap();
        let isolation = Isolations::default().take("", "", &(real.clone() as Arc<dyn Store>));
        let store = isolation.store();
        assert_eq!(store.get("a").unwrap().unwrap(), b"real");
        store.set("a", b"own", None).unwrap();
        assert_eq!(store.get("a").unwrap().unwrap(), b"own");
        assert_eq!(store.delete("a"), Ok(true));
        assert_eq!((store.get("a"), store.delete("a")), (Ok(None), Ok(false)));
        assert_eq!(store.take_token("t", Duration::from_secs(60)), Ok(1));
        assert_eq!(real.get("a").unwrap().unwrap(), b"real");
        assert_eq!(real.release_tokens("t"), Ok(1));
    }

    #[test]
    fn once_lifted_it_holds_for_copies_only() {
        let isolation = Isolations::default().take("", "", &store());
        assert!(isolation.holds());
        isolation.lift();
        assert!(!isolation.holds());
        assert!(on_copies(|| isolation.holds()));
        assert!(!isolation.holds());
    }
}
