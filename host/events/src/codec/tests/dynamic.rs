//! Messages made from the descriptors, and what they have to be in JSON, written down once more in
//! the plainest way.

use std::collections::BTreeMap;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage, Value,
};
use proto::tenon::Json as Options;
use serde_json::{Map, Value as Json, json};

use super::super::time::{self, UNSET};

pub(super) fn one_of() -> MessageDescriptor {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    pool.get_message_by_name("events.OneOf").unwrap()
}

/// The types that choose a case of `events.OneOf`.
pub(super) fn event_types(case: &FieldDescriptor) -> Vec<String> {
    let pool = case.parent_message().parent_pool().clone();
    let extension = pool.get_extension_by_name("tenon.event_type").unwrap();
    let options = case.options();
    let types = options.get_extension(&extension);
    types.as_list().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn options(field: &FieldDescriptor) -> Options {
    let pool = field.parent_message().parent_pool().clone();
    let extension = pool.get_extension_by_name("tenon.json").unwrap();
    let options = field.options();
    let mut options: Options =
        options.get_extension(&extension).as_message().unwrap().transcode_to().unwrap();
    if options.key.is_empty() {
        options.key = field.name().to_owned();
    }
    options
}

/// The event in a `events.OneOf`, in JSON.
pub(super) fn event(one_of: &DynamicMessage) -> Json {
    let (_, case) = one_of.fields().next().unwrap();
    object(case.as_message().unwrap())
}

fn object(message: &DynamicMessage) -> Json {
    let mut found = Vec::new();
    members(message, 0, &mut found);
    let mut object = Map::new();
    let mut by_key: BTreeMap<String, Vec<(usize, Option<Json>)>> = BTreeMap::new();
    for (key, depth, value) in found {
        by_key.entry(key).or_default().push((depth, value));
    }
    for (key, mut members) in by_key {
        members.sort_by_key(|(depth, _)| *depth);
        let is_ambiguous = members.len() > 1 && members[0].0 == members[1].0;
        if let (false, Some(value)) = (is_ambiguous, members.remove(0).1) {
            object.insert(key, value);
        }
    }
    object.into()
}

/// Keys with the depth that they are found at; `None` if a value is left out.
fn members(message: &DynamicMessage, depth: usize, found: &mut Vec<(String, usize, Option<Json>)>) {
    let descriptor = message.descriptor();
    for field in descriptor.fields() {
        let options = options(&field);
        if options.skip || field.containing_oneof().is_some() {
            continue;
        }
        let value = message.get_field(&field);
        if options.flatten {
            members(value.as_message().unwrap(), depth + 1, found);
            continue;
        }
        let is_set = message.has_field(&field);
        let printed = field_value(&field, &options, is_set, &value);
        found.push((options.key, depth, printed));
    }
    for oneof in descriptor.oneofs() {
        let set = oneof.fields().find(|field| message.has_field(field));
        let printed = set.map(|field| {
            let value = object(message.get_field(&field).as_message().unwrap());
            json!({ options(&field).key: value })
        });
        found.push((oneof.name().to_owned(), depth, printed));
    }
}

fn field_value(
    field: &FieldDescriptor,
    options: &Options,
    is_set: bool,
    value: &Value,
) -> Option<Json> {
    let is_time = is_message(field, "google.protobuf.Timestamp");
    let is_labels = is_message(field, "wrappers.LabelValues");
    let is_singular_message =
        matches!(field.kind(), Kind::Message(_)) && !field.is_list() && !field.is_map();
    let is_empty = match value {
        Value::Message(message) if is_labels => labels(message).is_null(),
        _ if is_singular_message => !is_set && !options.by_value,
        _ => !is_set,
    };
    if is_empty {
        let is_null = field.is_list() || field.is_map() || matches!(value, Value::Bytes(_));
        return match options.omit_empty {
            true => None,
            false if is_null || is_singular_message => Some(Json::Null),
            false => Some(single(field, value)),
        };
    }
    if is_time && !is_set {
        return Some(Json::from("0001-01-01T00:00:00Z"));
    }
    Some(match value {
        Value::List(values) => values.iter().map(|value| single(field, value)).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                let Kind::Message(entry) = field.kind() else { panic!() };
                (key.as_str().unwrap().to_owned(), single(&entry.map_entry_value_field(), value))
            })
            .collect(),
        value => single(field, value),
    })
}

pub(super) fn is_message(field: &FieldDescriptor, name: &str) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == name)
}

fn single(field: &FieldDescriptor, value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::I32(value) | Value::EnumNumber(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Bytes(value) if value.is_empty() => Json::Null,
        Value::Bytes(value) => {
            use base64::Engine;
            json!(base64::prelude::BASE64_STANDARD.encode(value))
        }
        Value::Message(message) => match message.descriptor().full_name() {
            "google.protobuf.Timestamp" => {
                let is_event_time = field.full_name() == "events.Metadata.Time";
                rfc3339(message, if is_event_time { 1_000_000 } else { 1 })
            }
            "google.protobuf.UInt32Value" | "google.protobuf.UInt64Value" => {
                let field = message.descriptor().get_field(1).unwrap();
                single(&field, &message.get_field(&field))
            }
            "google.protobuf.Struct" => struct_value(&message.transcode_to().unwrap()),
            "wrappers.LabelValues" => labels(message),
            _ => object(message),
        },
        other => panic!("{other:?}"),
    }
}

fn rfc3339(message: &DynamicMessage, precision: i64) -> Json {
    let time: prost_types::Timestamp = message.transcode_to().unwrap();
    let half = jiff::SignedDuration::from_nanos(if precision > 1 { precision / 2 } else { 0 });
    let time = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0)
        + jiff::SignedDuration::new(time.seconds, time.nanos)
        + half;
    let nanos = i64::from(time.subsec_nanosecond()) / precision * precision;
    let time = time.with().subsec_nanosecond(nanos.try_into().unwrap()).build().unwrap();
    json!(format!("{time}Z"))
}

fn labels(message: &DynamicMessage) -> Json {
    let labels: proto::wrappers::LabelValues = message.transcode_to().unwrap();
    if labels.values.is_empty() {
        return Json::Null;
    }
    let list = |values: Vec<String>| if values.is_empty() { Json::Null } else { json!(values) };
    labels.values.into_iter().map(|(key, value)| (key, list(value.values))).collect()
}

fn struct_value(fields: &prost_types::Struct) -> Json {
    fields.fields.iter().map(|(key, value)| (key.clone(), any_value(value))).collect()
}

fn any_value(value: &prost_types::Value) -> Json {
    use prost_types::value::Kind;
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => json!(value),
        Some(Kind::StringValue(value)) => json!(value),
        Some(Kind::NumberValue(value)) => serde_json::from_str(&value.to_string()).unwrap(),
        Some(Kind::StructValue(value)) => struct_value(value),
        Some(Kind::ListValue(list)) => list.values.iter().map(any_value).collect(),
    }
}

/// Where the contents of a message come from.
pub(super) trait Source {
    /// Whether to set a field, to add an element, to nest.
    fn flag(&mut self) -> bool;
    /// A number less than this.
    fn below(&mut self, limit: u64) -> u64;
    fn text(&mut self) -> String;
    fn number(&mut self) -> u64;
    fn double(&mut self) -> f64;
}

/// A message of this type with the contents of the source.
pub(super) fn message(descriptor: &MessageDescriptor, source: &mut impl Source) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        // The prost type writes this list of numbers unpacked: prost-build forgets the default where
        // a field has options.
        let is_unpacked = field.full_name() == "events.WindowsCertificateMetadata.ExtendedKeyUsage";
        if options(&field).skip || is_unpacked || !source.flag() {
            continue;
        }
        // Setting a member of a oneof unsets the one before it.
        let is_other_set = field.containing_oneof().is_some() && message.fields().count() > 1;
        if is_other_set && source.below(2) == 0 {
            continue;
        }
        let value = if field.is_list() {
            let count = 1 + source.below(3);
            Value::List((0..count).map(|_| value(&field, source)).collect())
        } else if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let count = 1 + source.below(3);
            let field = entry.map_entry_value_field();
            let entries =
                (0..count).map(|_| (MapKey::String(source.text()), value(&field, source)));
            Value::Map(entries.collect())
        } else {
            value(&field, source)
        };
        message.set_field(&field, value);
    }
    message
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // any number will do
fn value(field: &FieldDescriptor, source: &mut impl Source) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(source.flag()),
        Kind::Bytes => Value::Bytes(source.text().into_bytes().into()),
        Kind::Enum(_) => Value::EnumNumber(source.number() as i32),
        Kind::Int32 => Value::I32(source.number() as i32),
        Kind::Int64 => Value::I64(source.number() as i64),
        Kind::String => Value::String(source.text()),
        Kind::Uint32 => Value::U32(source.number() as u32),
        Kind::Uint64 => Value::U64(source.number()),
        Kind::Message(descriptor) => Value::Message(match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let years = (253_402_300_799 - UNSET.0).cast_unsigned();
                let seconds = UNSET.0 + source.below(years) as i64;
                let mut bytes = Vec::new();
                // Whole milliseconds, as Teleport makes the times of events.
                time::encode((seconds, 1_000_000 * source.below(1000) as i32), &mut bytes);
                DynamicMessage::decode(descriptor, &*bytes).unwrap()
            }
            "google.protobuf.Struct" => {
                let mut dynamic = DynamicMessage::new(descriptor);
                dynamic.transcode_from(&any_struct(source, 0)).unwrap();
                dynamic
            }
            _ => message(&descriptor, source),
        }),
        other => panic!("{other:?}"),
    }
}

fn any_struct(source: &mut impl Source, depth: usize) -> prost_types::Struct {
    let count = 1 + source.below(4);
    let fields = (0..count).map(|_| (source.text(), any(source, depth))).collect();
    prost_types::Struct { fields }
}

fn any(source: &mut impl Source, depth: usize) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match source.below(if depth < 3 { 6 } else { 4 }) {
        0 => Kind::StringValue(source.text()),
        1 => Kind::NumberValue(source.double()),
        2 => Kind::BoolValue(source.flag()),
        3 => Kind::NullValue(0),
        4 => Kind::StructValue(any_struct(source, depth + 1)),
        _ => {
            let count = source.below(3);
            let values = (0..count).map(|_| any(source, depth + 1)).collect();
            Kind::ListValue(prost_types::ListValue { values })
        }
    };
    prost_types::Value { kind: Some(kind) }
}
