//! From what is asked for now to what is in use: all of it, or nothing.

use super::build::Builder;
use super::declared::{Declared, Key};
use super::gate;
use super::marks::Marks;
use super::record::by_key;
use super::refused::{Holds, Refused, Why};
use super::set::Set;
use super::{Live, Now, bury};
use crate::{logging, operator};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

/// What sets a reload off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A file has changed. What is asked for has not: the configuration is not read.
    File,
    /// SIGHUP.
    Signal,
    /// An operator's command.
    Command,
}

impl Trigger {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Signal => "signal",
            Self::Command => "command",
        }
    }
}

/// What is asked for now.
struct Asked {
    declared: Arc<Declared>,
    filter: Option<String>,
    /// What else is to be said.
    notes: Vec<String>,
}

/// A set that is ready, if it differs from the present one.
struct Ready {
    set: Set,
    holds: Holds,
    notes: Vec<String>,
    /// What is declared, if that was asked for anew.
    keys: Option<BTreeSet<Key>>,
    /// Whether everybody is let in from now on, and nobody was before.
    opens: bool,
}

impl Live {
    /// Loads what has changed and puts it in use. Says what has changed, or why nothing has.
    pub(crate) async fn reload(self: &Arc<Self>, trigger: Trigger) -> Result<String, String> {
        let _turn = self.turn().await?;
        // What is new even if the rest is refused.
        let mut renewed = Vec::new();
        let outcome = match self.asked(trigger, &mut renewed) {
            Ok(asked) => self.build(trigger, &asked).await.map(|ready| (asked, ready)),
            Err(refused) => Err(vec![refused]),
        };
        let outcome = outcome.and_then(|(asked, ready)| self.take(asked, ready));
        let (succeeded, message) = match outcome {
            // Somebody has touched a file, or put the same one there again.
            Ok((changes, notes))
                if trigger == Trigger::File
                    && changes.is_empty()
                    && !(notes.is_empty() && self.has_refused()) =>
            {
                return Ok(String::new());
            }
            Ok((changes, notes)) => (true, told(&changes, &notes)),
            Err(refused) => {
                let (succeeded, message) = self.replace_or_refuse(refused).await;
                (succeeded, [vec![message], renewed].concat().join("; "))
            }
        };
        match succeeded {
            true => tracing::info!(trigger = trigger.as_str(), "reloaded: {message}"),
            false => tracing::error!(
                trigger = trigger.as_str(),
                "reload refused, what is in use stays: {message}"
            ),
        }
        self.meters.reloaded(trigger, succeeded);
        self.lock().last_reload = Some(operator::Reload {
            time: operator::date(SystemTime::now()),
            trigger: trigger.as_str().to_owned(),
            succeeded,
            message: message.clone(),
        });
        if succeeded { Ok(message) } else { Err(message) }
    }

    /// Reads the configuration, unless it is only a file that has changed.
    #[allow(clippy::result_large_err)] // a reload is seldom
    fn asked(&self, trigger: Trigger, renewed: &mut Vec<String>) -> Result<Asked, Refused> {
        if trigger == Trigger::File {
            let declared = self.lock().declared.clone();
            return Ok(Asked { declared, filter: None, notes: Vec::new() });
        }
        let mut notes = Vec::new();
        // For itself: a certificate that ends soon must not wait for a plugin that does not load.
        if let Some(tls) = &self.world.tls {
            match tls.reload() {
                Ok(()) => {
                    tracing::info!("the certificate was read anew");
                    renewed.push("the certificate was read anew all the same".to_owned());
                }
                Err(error) => {
                    let note = format!("the old certificate stays in use: {error}");
                    tracing::error!("{note}");
                    renewed.push(note.clone());
                    notes.push(note);
                }
            }
        }
        let reread = tokio::task::block_in_place(|| self.world.source.read());
        let reread = reread.map_err(|error| Refused::whole(format!("{error:#}")))?;
        if !reread.fixed.is_empty() {
            let note = format!("only a restart changes {}", reread.fixed.join(", "));
            tracing::warn!("{note}");
            notes.push(note);
        }
        // Likewise: a token that has leaked.
        if let (Some(access), Some(read)) = (&self.world.access, &reread.access)
            && let Some(note) = access.renew(read)
        {
            renewed.push(note.to_owned());
            notes.push(note.to_owned());
        }
        Ok(Asked { declared: Arc::new(reread.declared), filter: reread.filter, notes })
    }

    async fn build(&self, trigger: Trigger, asked: &Asked) -> Result<Ready, Vec<Refused>> {
        let (present, holds) = {
            let now = self.lock();
            (now.set.clone(), now.holds.clone())
        };
        let declared = &asked.declared;
        let promotions = present.promotions().asked_for(declared);
        let mut builder = Builder {
            loaders: &self.world.loaders,
            present: &present,
            in_use: by_key(present.entries()),
            holds,
            notes: Vec::new(),
            promotions,
            promoted: present.promotions(),
            asked: trigger != Trigger::File,
            copies_do: false,
            only_copies: false,
            settle: true,
            budget: Some(self.world.budget),
        };
        let located = declared.locate();
        let mut located = located.map_err(|error| vec![Refused::whole(format!("{error:#}"))])?;
        located.extend(builder.promotions.additions(declared));
        let keys = (trigger != Trigger::File).then(|| {
            let keys = located.iter().map(|declaration| declaration.key.clone());
            keys.chain(declared.event_keys().map(|(key, _)| key)).collect::<BTreeSet<_>>()
        });
        if let Some(keys) = &keys {
            builder.holds.retain(|key, _| keys.contains(key));
        }
        let slots = tokio::task::block_in_place(|| builder.slots(located))?;
        let events = self.world.events.as_ref().map(|(loader, _)| loader);
        let events = match builder.events(declared, events).await {
            Ok(events) => events,
            Err(refused) => {
                bury(slots);
                return Err(refused);
            }
        };
        let credentials = match trigger {
            // Not as they were asked for with what rollback has brought back.
            Trigger::File => present.credentials.clone(),
            Trigger::Signal | Trigger::Command => declared.credentials.clone(),
        };
        let mut set = Set { slots, events, credentials, shadows: Vec::new() };
        let shadows = tokio::task::block_in_place(|| builder.shadows(declared, &set));
        let checked = match shadows {
            Ok(shadows) => {
                set.shadows = shadows;
                gate::check(&present, &set, trigger != Trigger::File)
            }
            Err(error) => Err(vec![Refused::error(&error)]),
        };
        let opens = match checked {
            Ok(opens) => opens,
            Err(refused) => {
                bury(set);
                return Err(refused);
            }
        };
        let Builder { holds, notes, .. } = builder;
        Ok(Ready { set, holds, notes, keys, opens })
    }

    /// Puts a set in use; what has changed, and what else is to be said.
    fn take(
        self: &Arc<Self>,
        asked: Asked,
        ready: Ready,
    ) -> Result<(Vec<String>, Vec<String>), Vec<Refused>> {
        let Asked { declared, filter, mut notes } = asked;
        let Ready { set, holds, notes: of_plugins, keys, opens } = ready;
        notes.extend(of_plugins.iter().cloned());
        let mut changes = Vec::new();
        if set.is_same(&self.lock().set) {
            let mut now = self.lock();
            // The same plugins may be asked for by other names.
            let mut differs = now.holds != holds || now.set.keys().ne(set.keys());
            differs |= now.carry_marks(&set, keys.as_ref());
            (now.declared, now.holds) = (declared, holds);
            bury(std::mem::replace(&mut now.set, set));
            drop(now);
            if differs {
                self.remember(false);
            }
        } else {
            let chain = match self.chain(&set) {
                Ok(chain) => chain,
                Err(why) => {
                    let refused = misplaced(&set, why);
                    bury(set);
                    return Err(vec![refused]);
                }
            };
            changes = self.swap(declared, &set, holds, chain, keys.as_ref());
            if opens {
                tracing::warn!("{}", gate::OPENED);
                notes.push(gate::OPENED.to_owned());
            }
        }
        self.lock().notes = of_plugins;
        if let Some(filter) = filter {
            // It was read before, as part of the configuration.
            if logging::change(&filter).is_ok() {
                self.world.loaders.native.log_filter_changed();
                tracing::info!(filter, "the log filter was read anew");
            }
        }
        Ok((changes, notes))
    }

    /// Whether the last reload was refused, and the status says so.
    fn has_refused(&self) -> bool {
        self.lock().last_reload.as_ref().is_some_and(|reload| !reload.succeeded)
    }

    /// Has another process take over if all that is missing is room for libraries, which it has.
    async fn replace_or_refuse(&self, refused: Vec<Refused>) -> (bool, String) {
        if !self.world.reexec || !refused.iter().all(|it| it.exhausted) {
            return (false, self.refuse(refused));
        }
        match self.hand_over().await {
            Ok(message) => (true, message),
            Err(why) => (false, format!("{}; {why}", self.refuse(refused))),
        }
    }

    /// Notes what was refused; says why.
    fn refuse(&self, refused: Vec<Refused>) -> String {
        let mut now = self.lock();
        let mut reasons = Vec::new();
        for refused in refused {
            now.past.refused(&refused);
            // What is in use stays, and there is no file that would have to change.
            let in_use = |key: &Key| now.set.sha256(key) == refused.content.as_deref();
            if let Some(key) = refused.key.filter(|key| refused.content.is_none() || !in_use(key)) {
                now.holds.insert(key, (refused.content, Why::Refused));
            }
            // Differences of types are listed line by line.
            let lines: Vec<_> = refused.why.lines().map(str::trim).collect();
            reasons.push(lines.join("; "));
        }
        drop(now);
        self.meters.mapped(self.world.loaders.native.mapped());
        reasons.join("; ")
    }
}

impl Now {
    /// What is disabled, for what comes after the present set.
    pub(super) fn marks(&self) -> Marks {
        Marks { plugins: self.set.listed(), disabled: self.disabled.clone() }
    }

    /// What is disabled in the next set, and of that what is declared still; whether that differs.
    pub(super) fn carry_marks(&mut self, next: &Set, declared: Option<&BTreeSet<Key>>) -> bool {
        let mut carried = self.marks().carried(next);
        carried.retain(|key| declared.is_none_or(|declared| declared.contains(key)));
        let differs = carried != self.disabled;
        self.disabled = carried;
        differs
    }
}

/// Of a chain that cannot be: the plugin is to blame whose file the reason begins with.
fn misplaced(set: &Set, why: String) -> Refused {
    let slot = set.slots.iter().find(|slot| {
        why.strip_prefix(&slot.stage.plugin.path.display().to_string())
            .is_some_and(|rest| rest.starts_with(": "))
    });
    let Some(slot) = slot else { return Refused::whole(why) };
    let plugin = &slot.stage.plugin;
    let (content, info) = (Some(slot.sha256().to_owned()), Some(Box::new(plugin.info.clone())));
    Refused::of(slot.key.clone(), plugin.path.clone(), content, info, why)
}

/// A sentence of what has changed.
pub(super) fn told(changes: &[String], notes: &[String]) -> String {
    let nothing = "nothing has changed".to_owned();
    let changes = if changes.is_empty() { std::slice::from_ref(&nothing) } else { changes };
    [changes, notes].concat().join("; ")
}
