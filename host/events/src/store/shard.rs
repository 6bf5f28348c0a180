//! A part of the index: everything of the names that fall to it, behind one lock.

use super::journal::NEVER;
use super::{Kind, Name, Row};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a value takes beside its name and itself: the maps' entries, the allocations, its row on disk.
const VALUE: usize = 256;
/// What a token takes. Its name counts too: on disk each row has it.
const TOKEN: usize = 160;

pub(crate) fn value_cost(name: &Name, value: &[u8]) -> usize {
    VALUE + name.len() + value.len()
}

pub(crate) fn token_cost(name: &Name) -> usize {
    TOKEN + name.len()
}

#[derive(Debug, Default)]
pub(crate) struct Shard {
    values: HashMap<Name, Value>,
    /// The tokens of each scope: id and expiry.
    scopes: HashMap<Name, HashMap<u64, u64>>,
    /// What expires, by time and id.
    due: BTreeMap<(u64, u64), (Kind, Name)>,
}

#[derive(Debug)]
struct Value {
    id: u64,
    expires: u64,
    bytes: Arc<[u8]>,
}

/// What is no longer there: the rows' ids and the bytes they took.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    pub(crate) ids: Vec<u64>,
    pub(crate) bytes: usize,
    /// What of that was values that were over, each with its bytes.
    pub(crate) values: Vec<(Name, usize)>,
}

impl Shard {
    /// How many values and tokens there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.values.len(), self.scopes.values().map(HashMap::len).sum())
    }

    pub(crate) fn value(&self, name: &Name) -> Option<&[u8]> {
        self.values.get(name).map(|value| &*value.bytes)
    }

    pub(crate) fn add_value(&mut self, id: u64, name: Name, expires: u64, bytes: Arc<[u8]>) {
        if expires != NEVER {
            self.due.insert((expires, id), (Kind::Value, name.clone()));
        }
        self.values.insert(name, Value { id, expires, bytes });
    }

    pub(crate) fn remove_value(&mut self, name: &Name) -> Gone {
        let Some(value) = self.values.remove(name) else { return Gone::default() };
        self.due.remove(&(value.expires, value.id));
        let bytes = value_cost(name, &value.bytes);
        Gone { ids: vec![value.id], bytes, ..Gone::default() }
    }

    /// Says how many tokens the scope has then.
    pub(crate) fn add_token(&mut self, id: u64, name: &Name, expires: u64) -> u64 {
        let scope = self.scopes.entry(name.clone());
        self.due.insert((expires, id), (Kind::Token, scope.key().clone()));
        let tokens = scope.or_default();
        tokens.insert(id, expires);
        tokens.len() as u64
    }

    pub(crate) fn remove_token(&mut self, name: &Name, id: u64) -> Gone {
        let expires = self.scopes.get(name).and_then(|tokens| tokens.get(&id).copied());
        let Some(expires) = expires else { return Gone::default() };
        self.due.remove(&(expires, id));
        self.forget_token(name, id);
        Gone { ids: vec![id], bytes: token_cost(name), ..Gone::default() }
    }

    pub(crate) fn remove_scope(&mut self, name: &Name) -> Gone {
        let Some(tokens) = self.scopes.remove(name) else { return Gone::default() };
        for (id, expires) in &tokens {
            self.due.remove(&(*expires, *id));
        }
        let bytes = tokens.len() * token_cost(name);
        Gone { bytes, ids: tokens.into_keys().collect(), ..Gone::default() }
    }

    /// Removes what is over, at most so many rows.
    pub(crate) fn expire(&mut self, now: u64, most: usize) -> Gone {
        let mut gone = Gone::default();
        while gone.ids.len() < most {
            let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= now) else {
                break;
            };
            let ((_, id), (kind, name)) = first.remove_entry();
            gone.ids.push(id);
            if kind == Kind::Token {
                self.forget_token(&name, id);
                gone.bytes += token_cost(&name);
            } else if let Some(value) = self.values.remove(&name) {
                let bytes = value_cost(&name, &value.bytes);
                gone.bytes += bytes;
                gone.values.push((name, bytes));
            }
        }
        gone
    }

    fn forget_token(&mut self, name: &Name, id: u64) {
        if let Some(tokens) = self.scopes.get_mut(name) {
            tokens.remove(&id);
            if tokens.is_empty() {
                self.scopes.remove(name);
            }
        }
    }

    /// Everything that is there.
    pub(crate) fn rows(&self) -> Vec<(u64, Row)> {
        let values = self.values.iter().map(|(name, value)| {
            let (kind, expires, bytes) = (Kind::Value, value.expires, value.bytes.clone());
            (value.id, Row { kind, name: name.clone(), expires, value: bytes })
        });
        let tokens = self.scopes.iter().flat_map(|(name, tokens)| {
            tokens.iter().map(|(id, expires)| (*id, Row::token(name.clone(), *expires)))
        });
        values.chain(tokens).collect()
    }
}
