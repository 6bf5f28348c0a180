//! Fields of a request that come as text: in its path and its query.

use crate::json::Mapping;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage};
use serde_json::{Value, json};

/// A field of a message, or of a message in it: `order.id`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldPath {
    through: Vec<FieldDescriptor>,
    field: FieldDescriptor,
}

/// What is wrong with a field's path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is no such field.
    Unknown,
    /// There is, and its value cannot be text.
    NoText,
}

impl FieldPath {
    /// Finds the field by its names, as they are in the `.proto` file or in JSON.
    pub(crate) fn find(of: &MessageDescriptor, text: &str) -> Result<Self, Wrong> {
        let (mut of, mut rest) = (of.clone(), text);
        let mut through = Vec::new();
        loop {
            let (name, after) = match rest.split_once('.') {
                Some((name, after)) => (name, Some(after)),
                None => (rest, None),
            };
            let field = of.get_field_by_name(name).or_else(|| of.get_field_by_json_name(name));
            let field = field.ok_or(Wrong::Unknown)?;
            match (after, field.kind()) {
                (None, kind) if is_text(&kind) && !field.is_map() => {
                    return Ok(Self { through, field });
                }
                (None, _) => return Err(Wrong::NoText),
                (Some(after), Kind::Message(inside)) if !field.is_list() && !field.is_map() => {
                    through.push(field);
                    (of, rest) = (inside, after);
                }
                (Some(_), _) => return Err(Wrong::Unknown),
            }
        }
    }

    /// Whether it may have several values.
    pub(crate) fn is_list(&self) -> bool {
        self.field.is_list()
    }

    /// Whether it is `field`, or in it.
    pub(crate) fn is_in(&self, field: &FieldDescriptor) -> bool {
        self.through.first().unwrap_or(&self.field) == field
    }

    /// Sets it to one value, or to several if it is a list. An error says what was expected.
    pub(crate) fn set(
        &self,
        message: &mut DynamicMessage,
        texts: &[String],
        mapping: &Mapping,
    ) -> Result<(), String> {
        let mut of = message;
        for field in &self.through {
            let inside = of.get_field_mut(field).as_message_mut();
            of = inside.ok_or("it is not a message")?;
        }
        let kind = self.field.kind();
        let json = match texts {
            [text] if !self.is_list() => json_of(&kind, text),
            texts if self.is_list() => texts.iter().map(|text| json_of(&kind, text)).collect(),
            _ => return Err("it is given more than once".to_owned()),
        };
        // Through a message with this field only: so all types are read as in a body.
        let only = json!({self.field.json_name(): json});
        let only = mapping.read_value(&of.descriptor(), only);
        let mut only = only.map_err(|error| error.to_string())?;
        if let Some(value) = only.take_field(&self.field) {
            of.set_field(&self.field, value);
        }
        Ok(())
    }
}

/// The messages whose JSON is a scalar.
fn is_text(kind: &Kind) -> bool {
    let Kind::Message(of) = kind else { return true };
    matches!(
        of.full_name().strip_prefix("google.protobuf."),
        Some(
            "Timestamp"
                | "Duration"
                | "FieldMask"
                | "BoolValue"
                | "BytesValue"
                | "DoubleValue"
                | "FloatValue"
                | "Int32Value"
                | "Int64Value"
                | "StringValue"
                | "UInt32Value"
                | "UInt64Value"
        )
    )
}

/// Numbers may be in quotes in JSON; these may not.
fn json_of(kind: &Kind, text: &str) -> Value {
    let as_it_is = || Value::String(text.to_owned());
    match kind {
        Kind::Enum(_) => text.parse::<i32>().map_or_else(|_| as_it_is(), Value::from),
        Kind::Bool => text.parse::<bool>().map_or_else(|_| as_it_is(), Value::from),
        Kind::Message(of) if of.full_name() == "google.protobuf.BoolValue" => {
            json_of(&Kind::Bool, text)
        }
        _ => as_it_is(),
    }
}
