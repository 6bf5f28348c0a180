//! Where a shadow stands: beside the links of what it is compared with.

use super::Link;
use super::auth::Auth;
use crate::shadow::{Shadow, Watch};
use crate::stage::Place;
use std::sync::Arc;

/// A shadow beside the links that it is compared with; none if they are no more there.
pub(super) fn beside(shadow: Arc<Shadow>, links: &[Link]) -> Option<Watch> {
    let place = shadow.place();
    // Where a plugin would be that comes last at its place.
    let before = |behind: &[Place]| {
        let end = links.iter().position(|link| behind.contains(&link.stage().place));
        end.unwrap_or(links.len())
    };
    let in_use = links.iter().position(|link| shadow.is_compared_with(link.stage()));
    let (first, last) = match (place, in_use) {
        (Place::ReverseProxy | Place::ErrorPage, _) => (0, 0), // they are no links
        (_, Some(first)) => {
            let stage = links[first].stage();
            let of_it = links[first..].iter().take_while(|it| Arc::ptr_eq(it.stage(), stage));
            (first, first + of_it.count())
        }
        (_, None) if !shadow.is_compared_with_nothing() => return None,
        (_, None) => {
            let end = match place {
                Place::Pre => before(&[Place::Authenticator, Place::Post]),
                Place::Authenticator => before(&[Place::Post]),
                _ => links.len(),
            };
            (end, end)
        }
    };
    let challenge = match links.get(first) {
        Some(Link::Gate(gate)) if first < last => gate.auth.as_ref().map(Auth::challenge),
        _ => None,
    };
    Some(Watch { shadow, first, last, challenge: challenge.unwrap_or_default().into() })
}
