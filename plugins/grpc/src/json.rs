//! Messages as JSON, by the mapping of proto3.

use crate::status::Status;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, MessageDescriptor,
    ReflectMessage, SerializeOptions, Value,
};
use prost_types::Any;
use serde_json::json;

/// Messages within messages, those in `google.protobuf.Any` included.
///
/// Reading the binary form ends at 100, but begins anew in each `Any`, and writing JSON follows: a
/// service could use up the stack, and with it the process.
const DEEPEST: usize = 100;

const ANY: &str = "google.protobuf.Any";

/// How messages and JSON become each other.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) pool: DescriptorPool,
    pub(crate) read: DeserializeOptions,
    pub(crate) write: SerializeOptions,
    /// What `read` does with fields that the message does not have, for queries.
    pub(crate) ignores_unknown: bool,
}

impl Mapping {
    /// A message from its JSON; the error says where, and what was expected there.
    pub(crate) fn read(
        &self,
        of: &MessageDescriptor,
        json: &[u8],
    ) -> Result<DynamicMessage, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let message =
            DynamicMessage::deserialize_with_options(of.clone(), &mut reader, &self.read)?;
        reader.end()?;
        Ok(message)
    }

    /// The same from a value.
    pub(crate) fn read_value(
        &self,
        of: &MessageDescriptor,
        json: serde_json::Value,
    ) -> Result<DynamicMessage, serde_json::Error> {
        DynamicMessage::deserialize_with_options(of.clone(), json, &self.read)
    }

    /// A message from its binary form, which nobody has looked at, as a message that can be written.
    pub(crate) fn decode(
        &self,
        of: &MessageDescriptor,
        bytes: &[u8],
    ) -> Result<DynamicMessage, String> {
        let message =
            DynamicMessage::decode(of.clone(), bytes).map_err(|error| error.to_string())?;
        check_depth(&message, 0)?;
        Ok(message)
    }

    /// Writes the JSON of a message that [`Self::decode`] has made.
    pub(crate) fn write(&self, message: &DynamicMessage, json: &mut Vec<u8>) -> Result<(), String> {
        let mut writer = serde_json::Serializer::new(json);
        message.serialize_with_options(&mut writer, &self.write).map_err(|error| error.to_string())
    }

    /// The same for one field; one that is not set is written as its default.
    pub(crate) fn write_field(
        &self,
        message: &DynamicMessage,
        field: &FieldDescriptor,
        json: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut only = DynamicMessage::new(message.descriptor());
        let mut options = self.write.clone();
        if message.has_field(field) {
            only.set_field(field, message.get_field(field).into_owned());
        } else {
            options = options.skip_default_fields(false);
        }
        let fields = only.serialize_with_options(serde_json::value::Serializer, &options);
        let mut fields = fields.map_err(|error| error.to_string())?;
        let mut taken = |name| fields.as_object_mut()?.remove(name);
        let value = taken(field.json_name()).or_else(|| taken(field.name())).unwrap_or_default();
        serde_json::to_writer(json, &value).map_err(|error| error.to_string())
    }

    /// A status as the body of an answer.
    pub(crate) fn status(&self, status: &Status) -> serde_json::Value {
        let details: Vec<_> = status.details.iter().map(|detail| self.detail(detail)).collect();
        json!({"code": status.code as u8, "message": status.message, "details": details})
    }

    /// A detail of a status. Servers have details whose types the descriptor set need not have; such
    /// a one comes as its bytes.
    fn detail(&self, any: &Any) -> serde_json::Value {
        let fields = || {
            let (_, name) = any.type_url.rsplit_once('/')?;
            let of = self.pool.get_message_by_name(name)?;
            let message = self.decode(&of, &any.value).ok()?;
            message.serialize_with_options(serde_json::value::Serializer, &self.write).ok()
        };
        match fields() {
            Some(serde_json::Value::Object(mut fields)) => {
                fields.insert("@type".to_owned(), any.type_url.clone().into());
                fields.into()
            }
            Some(value) => json!({"@type": any.type_url, "value": value}),
            None => json!({"@type": any.type_url, "value": BASE64_STANDARD.encode(&any.value)}),
        }
    }
}

fn check_depth(message: &DynamicMessage, depth: usize) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("messages are nested more than {DEEPEST} times"));
    }
    let of = message.descriptor();
    if of.full_name() == ANY {
        let Ok(any) = message.transcode_to::<Any>() else { return Ok(()) };
        let name = any.type_url.rsplit_once('/').map(|(_, name)| name);
        let inside = name.and_then(|name| of.parent_pool().get_message_by_name(name));
        // What does not decode or is not known is an error when it is written.
        let inside = inside.and_then(|of| DynamicMessage::decode(of, any.value.as_slice()).ok());
        return inside.map_or(Ok(()), |inside| check_depth(&inside, depth + 1));
    }
    message.fields().try_for_each(|(_, value)| check_value(value, depth))
}

fn check_value(value: &Value, depth: usize) -> Result<(), String> {
    match value {
        Value::Message(message) => check_depth(message, depth + 1),
        Value::List(values) => values.iter().try_for_each(|value| check_value(value, depth)),
        Value::Map(values) => values.values().try_for_each(|value| check_value(value, depth)),
        _ => Ok(()),
    }
}
