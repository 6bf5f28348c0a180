//! What a candidate is compared with.

use crate::chain::Parts;
use crate::native::{Offers, Plugin};
use crate::stage::{Place, Stage};
use std::sync::Arc;

/// What the user says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Where the candidate would stand; where it belongs if there is none.
    pub place: Option<Place>,
    /// The name of the plugin whose place it would take, or `nothing`; what suits it if there is
    /// none.
    pub replaces: Option<String>,
}

/// The word for no plugin.
const NOTHING: &str = "nothing";

impl Target {
    /// Reads `PLACE` or `PLACE:NAME`; none if it does not begin with a place.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, replaces) = match text.split_once(':') {
            Some((place, name)) => (place, Some(name.to_owned())),
            None => (text, None),
        };
        Some(Self { place: Some(Place::of(place)?), replaces })
    }

    /// The place for a candidate, and the name of the plugin that it is compared with there; none
    /// if that is the built-in part, or nothing. The error says what to write.
    ///
    /// A patch is compared with what is in use at its point. A plugin is compared with the one of
    /// its name; else with the only one there.
    pub fn find(
        &self,
        candidate: &Plugin,
        parts: &Parts,
    ) -> Result<(Place, Option<String>), String> {
        let place = match self.place {
            Some(place) => place,
            None => place_of(candidate, parts)?,
        };
        fits(place, candidate)?;
        let path = candidate.path.display();
        let there = names(parts, place);
        let replaces = match (self.replaces.as_deref(), &there[..]) {
            (Some(NOTHING), _) => None,
            (Some(name), _) => Some(name),
            (None, _) if there.contains(&&*candidate.info.name) => Some(&*candidate.info.name),
            (None, []) => None,
            (None, [only]) => Some(*only),
            (None, several) => {
                return Err(format!(
                    "{path}: none of the {place} plugins is called {}; say with which to compare \
                     it: {place}:{}={path}, or {place}:nothing={path}",
                    candidate.info.name,
                    several.join(&format!("={path}, {place}:")),
                ));
            }
        };
        match replaces.map(|name| there.iter().filter(|there| **there == name).count()) {
            None if place == Place::Pre || place == Place::Post || there.is_empty() => {}
            None => return Err(format!("{path}: a patch of {place} is in use, not nothing")),
            Some(1) => {}
            Some(0) => {
                let name = replaces.unwrap_or_default();
                let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                return Err(format!("{path}: there is no {place} plugin {name}; there is {there}"));
            }
            Some(count) => {
                let name = replaces.unwrap_or_default();
                return Err(format!(
                    "{path}: {count} of the {place} plugins are called {name}; a shadow is \
                     compared with one"
                ));
            }
        }
        Ok((place, replaces.map(str::to_owned)))
    }
}

/// The names of what is in use at a place, built-in parts not among them.
fn names(parts: &Parts, place: Place) -> Vec<&str> {
    let stages: Vec<&Arc<Stage>> = match place {
        Place::Pre => parts.pre.iter().collect(),
        Place::Post => parts.post.iter().collect(),
        Place::Authenticator => parts.authenticator.iter().collect(),
        Place::ReverseProxy => parts.reverse_proxy.iter().collect(),
        Place::ErrorPage => parts.error_page.iter().collect(),
    };
    stages.into_iter().map(|stage| &*stage.plugin.info.name).collect()
}

/// The place where a candidate belongs.
fn place_of(candidate: &Plugin, parts: &Parts) -> Result<Place, String> {
    let Offers { middlewares, authenticators, reverse_proxy, error_page } = &candidate.offers;
    let (middlewares, authenticators) = (!middlewares.is_empty(), !authenticators.is_empty());
    let path = candidate.path.display();
    let named = |place: &Place| names(parts, *place).contains(&&*candidate.info.name);
    let places =
        [Place::Pre, Place::Post, Place::Authenticator, Place::ReverseProxy, Place::ErrorPage];
    let of_its_name: Vec<Place> = places.into_iter().filter(named).collect();
    let choices = match (reverse_proxy.is_some(), error_page.is_some(), &of_its_name[..]) {
        (_, _, [only]) => return Ok(*only),
        (_, _, [_, _, ..]) => of_its_name,
        (true, false, []) if !middlewares && !authenticators => return Ok(Place::ReverseProxy),
        (false, true, []) if !middlewares && !authenticators => return Ok(Place::ErrorPage),
        (false, false, []) if !middlewares => return Ok(Place::Authenticator),
        (false, false, []) => match (&parts.pre[..], &parts.post[..]) {
            ([_], []) => return Ok(Place::Pre),
            ([], [_]) => return Ok(Place::Post),
            _ => vec![Place::Pre, Place::Post],
        },
        (_, _, []) => places.into_iter().filter(|it| fits(*it, candidate).is_ok()).collect(),
    };
    let choices: Vec<String> =
        choices.iter().map(|place| format!("--shadow {place}={path}")).collect();
    Err(format!("{path}: say where it would stand: {}", choices.join(", or ")))
}

/// Whether a candidate can stand there.
fn fits(place: Place, candidate: &Plugin) -> Result<(), String> {
    let offers = &candidate.offers;
    let patch = offers.reverse_proxy.is_some() || offers.error_page.is_some();
    let fits = match place {
        Place::Pre => !patch,
        Place::Post => !patch && offers.authenticators.is_empty(),
        Place::Authenticator => offers.authenticators.len() == 1,
        Place::ReverseProxy => offers.reverse_proxy.is_some(),
        Place::ErrorPage => offers.error_page.is_some(),
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{}: it cannot stand at {place}; it has {}",
            candidate.path.display(),
            offers.list().join(", ")
        )),
    }
}
