//! The set that a host starts with.
//!
//! After an orderly end a start is strict: what was asked for and does not load stops it. A host that
//! was killed may have been killed while files were being replaced, and nobody may be there to look: a
//! file that does not load is then made up for by the copy that was in use before, and what was not in use
//! is left out if it does not load; the log tells.
//! What was rolled back stays out in either case, until its file changes.

use super::build::Builder;
use super::declared::{Declaration, Declared, File};
use super::disabled::Disabled;
use super::marks::Marks;
use super::promote::Promotions;
use super::record::Record;
use super::refused::{Holds, Refused, Why};
use super::set::{Set, Slot};
use crate::events::EventLoader;
use crate::plugins::Loaders;
use anyhow::{Result, anyhow, bail};
use host_proxy::{Chain, Place};

/// It, and what it came from.
pub(crate) struct First {
    pub(super) declared: Declared,
    pub(super) set: Set,
    pub(super) holds: Holds,
    pub(super) notes: Vec<String>,
    pub(super) disabled: Disabled,
}

impl First {
    /// Loads what was asked for; `link` makes a chain of it, and may find that it makes none.
    pub(crate) async fn load(
        declared: Declared,
        record: &Record,
        loaders: &Loaders,
        events: Option<&EventLoader>,
        link: impl Fn(&Self) -> Result<Chain, String>,
    ) -> Result<(Self, Chain)> {
        let start = Start { record, loaders, events };
        let mut first = Self {
            declared,
            set: Set::default(),
            holds: Holds::new(),
            notes: Vec::new(),
            disabled: Disabled::new(),
        };
        let linked = match start.fill(&mut first, false).await {
            Ok(()) => link(&first).map_err(anyhow::Error::msg),
            Err(refused) => Err(refused),
        };
        // Nobody may be there to see that a file is gone which asked who somebody is.
        let linked = linked.and_then(|chain| match record.clean {
            true => Ok(chain),
            false => first.stays_closed(record).map(|()| chain),
        });
        let error = match linked {
            Ok(chain) => {
                first.disable(&record.marks());
                return Ok((first, chain));
            }
            Err(error) if record.clean => return Err(error),
            Err(error) => error,
        };
        // Each for itself may load, and yet in a place that is not for it.
        let tried = std::mem::take(&mut first.set);
        start.fill(&mut first, true).await.map_err(|_| anyhow!("{error:#}"))?;
        let lost = |slot: &Slot| slot.authenticates() && first.set.sha256(&slot.key).is_none();
        if tried.slots.iter().any(lost) {
            return Err(error);
        }
        let chain = link(&first).map_err(|_| anyhow!("{error:#}"))?;
        first.stays_closed(record).map_err(|_| anyhow!("{error:#}"))?;
        first.disable(&record.marks());
        tracing::error!("{error:#}; what was in use before is used");
        Ok((first, chain))
    }

    /// What an operator has disabled in a process that this one takes over from; its record says the same,
    /// where there is one.
    pub(crate) fn disable(&mut self, marks: &Marks) {
        self.disabled.extend(marks.carried(&self.set));
    }

    /// An error if everybody is let in, and nobody was when the record was written.
    pub(crate) fn stays_closed(&self, record: &Record) -> Result<()> {
        if record.gate && !self.set.has_gate() {
            bail!(
                "the host that ran before asked who clients are, and with what is there now nobody \
                 would have to log in; put the authenticator or the user back, or, if that is meant, \
                 remove plugins.json from the state folder"
            );
        }
        Ok(())
    }

    /// What a chain is made of, but for what the host brings.
    pub(crate) fn parts(&self) -> host_proxy::Parts {
        self.set.parts()
    }

    /// The chain that events pass.
    pub(crate) fn event_chain(&self) -> host_events::Chain {
        host_events::Chain::new(self.set.event_plugins())
    }
}

struct Start<'a> {
    record: &'a Record,
    loaders: &'a Loaders,
    events: Option<&'a EventLoader>,
}

impl Start<'_> {
    async fn fill(&self, first: &mut First, only_copies: bool) -> Result<()> {
        let Record { clean, rolled_back, .. } = self.record;
        let holds = rolled_back.iter().map(|held| {
            tracing::warn!("{} was rolled back, and stays so until its file changes", held.key);
            (held.key.clone(), (held.content.clone(), Why::RolledBack))
        });
        let nothing = Set::default();
        let mut builder = Builder {
            loaders: self.loaders,
            present: &nothing,
            in_use: self.record.in_use(),
            holds: holds.collect(),
            notes: Vec::new(),
            promotions: Promotions::of(&self.record.promoted).asked_for(&first.declared),
            promoted: Promotions::of(&self.record.promoted),
            asked: true,
            copies_do: !clean,
            only_copies,
            settle: false,
            budget: None,
        };
        let mut declarations = self.locate(&first.declared)?;
        declarations.extend(builder.promotions.additions(&first.declared));
        let slots = tokio::task::block_in_place(|| builder.slots(declarations)).map_err(all)?;
        let events = builder.events(&first.declared, self.events).await.map_err(all)?;
        let credentials = first.declared.credentials.clone();
        first.set = Set { slots, events, credentials, shadows: Vec::new() };
        let shadows = tokio::task::block_in_place(|| builder.shadows(&first.declared, &first.set));
        first.set.shadows = shadows?;
        (first.holds, first.notes) = (builder.holds, builder.notes);
        Ok(())
    }

    fn locate(&self, declared: &Declared) -> Result<Vec<Declaration>> {
        let error = match declared.locate() {
            Ok(all) => return Ok(all),
            Err(error) if self.record.clean => return Err(error),
            Err(error) => error,
        };
        tracing::error!("{error:#}; the patches that were in use before are used");
        let mut all = declared.locate_lists();
        for entry in &self.record.plugins {
            if let Some(place) = Place::of(&entry.listed.key.place).filter(|it| it.is_patch()) {
                all.push(declared.patch(place, File::At(entry.file.clone())));
            }
        }
        Ok(all)
    }
}

fn all(refused: Vec<Refused>) -> anyhow::Error {
    let reasons: Vec<_> = refused.into_iter().map(|it| it.why).collect();
    anyhow!(reasons.join("; "))
}
