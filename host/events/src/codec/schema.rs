//! The tables that both directions follow, compiled from the descriptors once.

pub(super) mod compile;

use std::collections::HashMap;
use std::sync::LazyLock;

/// The tables of `events.OneOf`. The first use compiles them, which takes some 20 ms.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(compile::events);

/// Everything that the conversion knows about events.
#[derive(Debug, Default)]
pub(super) struct Schema {
    pub(super) objects: Vec<Object>,
    /// The cases of `events.OneOf`, in the order of their numbers.
    pub(super) cases: Vec<Case>,
    /// The case of each event type.
    types: HashMap<String, usize>,
    enums: Vec<HashMap<String, i32>>,
}

/// A case of `events.OneOf`.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) number: u32,
    /// `events.Unknown`.
    pub(super) is_unknown: bool,
    pub(super) object: usize,
}

/// A JSON object, and the message that it is in protobuf.
///
/// Messages that Teleport embeds have no key of their own: their members stand in the object of the
/// message around them. They are the groups of the object, at any depth; group 0 is the message
/// itself.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// In the order of their keys, which is the order that they are printed in.
    pub(super) members: Vec<Member>,
    /// The members' indices.
    keys: HashMap<String, usize>,
    pub(super) groups: Vec<Group>,
    /// Not a message, but the members of a oneof, which stand in an object of their own in JSON and
    /// in the message around it in protobuf. At most one of them is set.
    pub(super) oneof: bool,
}

/// A key of an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    /// `"key":`
    pub(super) quoted: String,
    pub(super) group: usize,
    /// The number of the field in its message.
    pub(super) number: u32,
    pub(super) form: Form,
    pub(super) omit_empty: bool,
    /// A message that is there although it is unset.
    pub(super) by_value: bool,
}

/// How often a field's kind occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    One(Kind),
    List(Kind),
    /// With strings as keys.
    Map(Kind),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Bytes,
    /// By the index of its names.
    Enum(usize),
    Int32,
    Int64,
    /// `wrappers.LabelValues`.
    Labels,
    /// By the index of its object.
    Object(usize),
    /// The members of a oneof, by the index of their object.
    Oneof(usize),
    String,
    /// `wrappers.StringValues`.
    Strings,
    Struct,
    Time(Precision),
    Uint32,
    Uint64,
    /// `google.protobuf.UInt32Value`.
    Uint32Value,
    /// `google.protobuf.UInt64Value`.
    Uint64Value,
    /// `google.protobuf.Value`.
    Value,
}

/// How exactly a time is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// The time of an event.
    Milliseconds,
    Nanoseconds,
}

/// A message whose members stand in an object, perhaps beside those of others.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The group that it stands in; `None` for the message itself.
    pub(super) parent: Option<usize>,
    /// There although none of its members is set.
    pub(super) by_value: bool,
    /// Its fields that have a form in JSON, in the order of their numbers.
    pub(super) steps: Vec<Step>,
    /// The same, each at its number.
    by_number: Vec<Option<Step>>,
}

/// What a field of a message is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of the object, by its index.
    Member(usize),
    /// A message whose members stand in the same object.
    Group { number: u32, index: usize },
}

impl Schema {
    /// The case for events of this type.
    pub(super) fn case_of_type(&self, event_type: &str) -> Option<&Case> {
        self.types.get(event_type).and_then(|&index| self.cases.get(index))
    }

    /// The case with this number in `events.OneOf`.
    pub(super) fn case_of_number(&self, number: u32) -> Option<&Case> {
        let index = self.cases.binary_search_by_key(&number, |case| case.number).ok()?;
        self.cases.get(index)
    }

    /// The number of the enum's value that has this name.
    pub(super) fn enum_number(&self, index: usize, name: &str) -> Option<i32> {
        self.enums.get(index)?.get(name).copied()
    }
}

impl Object {
    /// The index of the member with this key.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.keys.get(key).copied()
    }
}

impl Group {
    /// What the field with this number is.
    pub(super) fn field(&self, number: u32) -> Option<Step> {
        *self.by_number.get(usize::try_from(number).ok()?)?
    }
}

impl Kind {
    /// Whether a list of these is one field on the wire.
    pub(super) fn is_packed(self) -> bool {
        use Kind::{Bool, Enum, Int32, Int64, Uint32, Uint64};
        matches!(self, Bool | Enum(_) | Int32 | Int64 | Uint32 | Uint64)
    }

    /// What JSON has to have there, for messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Bool => "a boolean",
            Self::Bytes => "bytes in base64",
            Self::Enum(_) => "a number or a name of the enum",
            Self::Int32 => "a 32-bit number",
            Self::Int64 => "a 64-bit number",
            Self::Labels => "an object of lists of strings",
            Self::Object(_) | Self::Oneof(_) | Self::Struct => "an object",
            Self::String => "a string",
            Self::Strings => "a list of strings",
            Self::Time(_) => "a time as in RFC 3339",
            Self::Uint32 | Self::Uint32Value => "a 32-bit number from 0",
            Self::Uint64 | Self::Uint64Value => "a 64-bit number from 0",
            Self::Value => "any value",
        }
    }
}
