//! Events that the schema cannot hold: they are `events.Unknown`, with their text as `Data`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encode::{self, Encoder, Text};
use super::error::CodecError;
use super::original::{Members, members};
use super::print::Printer;
use super::schema::{Case, Schema};
use super::{text, wire};

/// The type of events that are `events.Unknown` in Teleport too.
pub(super) const UNKNOWN: &str = "unknown";

/// The keys of `events.Unknown` beside those of its Metadata.
const TYPE: &str = "unknown_event";
const CODE: &str = "unknown_code";
const DATA: &str = "data";

/// Appends the field of `events.OneOf` that such an event is, with the keys of Metadata that fit.
pub(super) fn encode(
    schema: &Schema,
    event_type: &str,
    json: &str,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let case = schema.case_of_type(UNKNOWN).ok_or(CodecError::NoCase)?;
    let object = &schema.objects[case.object];
    let start = wire::begin(out, case.number);
    let mut encoder = Encoder::new(schema, out);
    let open = encoder.open(object);
    let mut write = |key: &str, value: &RawValue| {
        if let Some(index) = object.find(key).filter(|&it| object.members[it].group != 0) {
            // What does not fit is in Data.
            _ = encoder.member(open, index, value);
        }
    };
    let original = members(json)?;
    for (key, value) in &original {
        write(key, value);
    }
    let code = find(&original, "code").and_then(|it| serde_json::from_str::<Cow<str>>(it).ok());
    let own = [(TYPE, event_type), (CODE, &*code.unwrap_or_default()), (DATA, json)];
    for (key, value) in own {
        if let Some(index) = object.find(key) {
            let value = IntoDeserializer::<serde_json::Error>::into_deserializer(value);
            encoder.member(open, index, value)?;
        }
    }
    encoder.close(open);
    wire::finish(out, start);
    Ok(())
}

/// Prints `events.Unknown`. It is the event in its Data, unless it was `unknown` in Teleport.
pub(super) fn print(
    schema: &Schema,
    case: &Case,
    message: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let printed = printed(schema, case, message, Vec::new())?;
    let answer = Answer::new(&printed)?;
    if answer.is_unknown() {
        out.extend_from_slice(printed.as_bytes());
        return Ok(());
    }
    answer.lay_over(schema, case, &answer.data, out)
}

/// The same over the event that the plugin was asked about.
pub(super) fn print_over(
    schema: &Schema,
    case: &Case,
    message: &[u8],
    original: &str,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let printed = printed(schema, case, message, Vec::new())?;
    let answer = Answer::new(&printed)?;
    if !is_held(schema, original)? {
        if answer.data == original {
            return answer.lay_over(schema, case, original, out);
        }
        members(&answer.data).map_err(CodecError::Data)?;
        out.extend_from_slice(answer.data.as_bytes());
        return Ok(());
    }
    if answer.is_unknown() {
        return super::print_over(schema, case, message, original, out);
    }
    answer.lay_over(schema, case, &answer.data, out)
}

/// Whether the event goes to plugins as a case of its own.
fn is_held(schema: &Schema, json: &str) -> Result<bool, CodecError> {
    let case = schema.case_of_type(&event_type(json)?);
    Ok(case.is_some_and(|case| encode::event(schema, case, json, &mut Vec::new()).is_ok()))
}

/// `events.Unknown` in the form that the schema gives it.
fn printed(
    schema: &Schema,
    case: &Case,
    message: &[u8],
    original: Members<'_>,
) -> Result<String, CodecError> {
    let mut out = Vec::new();
    let object = &schema.objects[case.object];
    let printed = Printer::new(schema, &mut out).object(object, message, original);
    printed.map_err(|error| error.within(&case.name))?;
    String::from_utf8(out).map_err(|error| CodecError::Utf8(error.utf8_error().valid_up_to()))
}

/// What `events.Unknown` says.
struct Answer<'a> {
    metadata: Members<'a>,
    data: String,
}

impl<'a> Answer<'a> {
    fn new(printed: &'a str) -> Result<Self, CodecError> {
        let mut metadata = members(printed)?;
        let data = serde_json::from_str(find(&metadata, DATA).unwrap_or("\"\""))?;
        metadata.retain(|(key, _)| ![TYPE, CODE, DATA].contains(&&**key));
        Ok(Self { metadata, data })
    }

    /// Whether the event's type is `unknown`.
    fn is_unknown(&self) -> bool {
        let event_type = find(&self.metadata, "event");
        event_type.and_then(|it| serde_json::from_str::<Cow<str>>(it).ok()).as_deref()
            == Some(UNKNOWN)
    }

    /// Prints `data`, with those keys of Metadata that differ from its own.
    fn lay_over(
        &self,
        schema: &Schema,
        case: &Case,
        data: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let mut event = members(data).map_err(CodecError::Data)?;
        let mut own = Vec::new();
        let event_type = event_type(data).unwrap_or_default();
        encode(schema, &event_type, data, &mut own)?;
        let (_, own) = super::case_of(schema, &own)?;
        let own = printed(schema, case, &own, Vec::new())?;
        let own = Answer::new(&own)?.metadata;
        let mut has_changed = false;
        let keys = own.iter().chain(&self.metadata).map(|(key, _)| key);
        for key in keys {
            let (old, new) = (find(&own, key), raw(&self.metadata, key));
            if old == new.map(RawValue::get) {
                continue;
            }
            has_changed = true;
            event.retain(|(known, _)| known != key);
            event.extend(new.map(|new| (key.clone(), new)));
        }
        if !has_changed {
            out.extend_from_slice(data.as_bytes());
            return Ok(());
        }
        event.sort_by(|a, b| a.0.cmp(&b.0));
        out.push(b'{');
        for (index, (key, value)) in event.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            text::string(key, out);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        Ok(())
    }
}

fn raw<'a>(members: &Members<'a>, key: &str) -> Option<&'a RawValue> {
    members.iter().find(|(it, _)| it == key).map(|&(_, value)| value)
}

fn find<'a>(members: &Members<'a>, key: &str) -> Option<&'a str> {
    raw(members, key).map(RawValue::get)
}

/// The event's type, once all of the text has been read.
pub(super) fn event_type(json: &str) -> Result<Cow<'_, str>, CodecError> {
    let mut text = serde_json::Deserializer::from_str(json);
    let found = match text.deserialize_map(Type) {
        Err(error) if error.is_data() => None,
        found => found?,
    };
    let event_type = found.ok_or(CodecError::Untyped)?;
    text.end()?;
    Ok(event_type)
}

struct Type;

impl<'de> Visitor<'de> for Type {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key_seed(Text)? {
            if key == "event" {
                found = Some(map.next_value_seed(Text)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
