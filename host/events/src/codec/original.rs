//! What the original of a changed event has beyond the schema.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encode::Text;

/// The members of an object, each key once and in the order of the keys.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The members of the object that the text is.
pub(super) fn members(json: &str) -> Result<Members<'_>, serde_json::Error> {
    let mut text = serde_json::Deserializer::from_str(json);
    let mut members = text.deserialize_map(Collect)?;
    text.end()?;
    if !members.is_sorted_by(|a, b| a.0 < b.0) {
        // Of several members with one key the last one counts, as everywhere.
        members.reverse();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|a, b| a.0 == b.0);
    }
    Ok(members)
}

/// The members of a value; none if it is no object.
pub(super) fn members_of(value: Option<&RawValue>) -> Result<Members<'_>, serde_json::Error> {
    match value.map(RawValue::get) {
        Some(json) if json.starts_with('{') => members(json),
        _ => Ok(Members::new()),
    }
}

/// The elements of a list, if there are this many of them.
pub(super) fn elements_of(
    value: Option<&RawValue>,
    count: usize,
) -> Result<Vec<&RawValue>, serde_json::Error> {
    match value.map(RawValue::get) {
        Some(json) if json.starts_with('[') => {
            let elements: Vec<_> = serde_json::from_str(json)?;
            Ok(if elements.len() == count { elements } else { Vec::new() })
        }
        _ => Ok(Vec::new()),
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some(key) = map.next_key_seed(Text)? {
            members.push((key, map.next_value()?));
        }
        Ok(members)
    }
}
