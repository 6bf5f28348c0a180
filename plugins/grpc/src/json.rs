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
    pub(crate) fn decode(of: &MessageDescriptor, bytes: &[u8]) -> Result<DynamicMessage, String> {
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
            let message = Self::decode(&of, &any.value).ok()?;
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

#[cfg(test)]
mod tests {
    use super::Mapping;
    use proptest::prelude::*;
    use prost_reflect::{DeserializeOptions, MessageDescriptor, SerializeOptions};
    use std::sync::LazyLock;

    static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
        let mut compiler = protox::Compiler::new([protos]).unwrap();
        compiler.include_imports(true).open_file("shop.proto").unwrap();
        Mapping {
            pool: compiler.descriptor_pool(),
            read: DeserializeOptions::new(),
            write: SerializeOptions::new(),
            ignores_unknown: false,
        }
    });

    fn order() -> MessageDescriptor {
        MAPPING.pool.get_message_by_name("shop.Order").unwrap()
    }

    /// What a service may send: fields of the message's numbers with any type and any bytes.
    fn fields() -> impl Strategy<Value = Vec<u8>> {
        let field = (1_u8..11, 0_u8..6, prop::collection::vec(any::<u8>(), 0..24));
        let field = field.prop_map(|(number, wire, bytes)| {
            let mut field = vec![number << 3 | wire];
            if wire == 2 {
                field.push(u8::try_from(bytes.len()).unwrap());
            }
            [field, bytes].concat()
        });
        prop::collection::vec(field, 0..6).prop_map(|fields| fields.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_service_make_it_panic(bytes in fields()) {
            if let Ok(message) = Mapping::decode(&order(), &bytes) {
                let _ = MAPPING.write(&message, &mut Vec::new());
            }
        }

        #[test]
        fn what_is_written_is_read_as_the_same(bytes in fields()) {
            let mut json = Vec::new();
            let Ok(message) = Mapping::decode(&order(), &bytes) else { return Ok(()) };
            if MAPPING.write(&message, &mut json).is_ok() {
                let mut again = Vec::new();
                MAPPING.write(&MAPPING.read(&order(), &json).unwrap(), &mut again).unwrap();
                // Compared as JSON: fields that are not known are not in it.
                let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
                prop_assert_eq!(value(&again), value(&json));
            }
        }

        #[test]
        fn no_json_makes_it_panic(json in "[{}\\[\\]\",:@a-z0-9]{0,40}") {
            let _ = MAPPING.read(&order(), json.as_bytes());
        }
    }

    #[test]
    fn json_nested_beyond_measure_is_refused() {
        let json = r#"{"parent":"#.repeat(100_000);
        let error = MAPPING.read(&order(), json.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("recursion limit exceeded"), "{error}");
    }
}
