//! From JSON to protobuf.
//!
//! The text is read once. Every value is written as a field right away, in the order of the text;
//! when its object ends, the fields are copied into the order of the schema.

mod entries;
mod list;
mod number;
mod value;

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};

use super::schema::{Case, Form, Group, Kind, Member, Object, Schema, Step};
use super::wire;
use entries::Map;
use list::List;
use value::{Place, Value};

/// Appends the field of `events.OneOf` that the event is. What is in `out` after an error is of no
/// use.
pub(super) fn event(
    schema: &Schema,
    case: &Case,
    json: &str,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let start = wire::begin(out, case.number);
    let object = &schema.objects[case.object];
    let mut text = serde_json::Deserializer::from_str(json);
    Content { encoder: &mut Encoder::new(schema, out), object }.deserialize(&mut text)?;
    text.end()?;
    wire::finish(out, start);
    Ok(())
}

/// What the parts of one event share.
pub(super) struct Encoder<'t, 'o> {
    schema: &'t Schema,
    out: &'o mut Vec<u8>,
    /// One for each member of the objects that are being read, the innermost object's last.
    slots: Vec<Slot>,
    /// How many objects and lists of a Struct are open.
    depth: usize,
}

/// Where the field of a member is in the output.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot {
    start: usize,
    end: usize,
}

impl Slot {
    /// The object has no such key.
    const MISSING: Self = Self { start: usize::MAX, end: usize::MAX };
}

/// An object that is being read.
#[derive(Clone, Copy)]
pub(super) struct Open<'t> {
    object: &'t Object,
    /// Its first slot.
    slots: usize,
    /// Where its fields begin in the output.
    start: usize,
}

impl<'t, 'o> Encoder<'t, 'o> {
    pub(super) fn new(schema: &'t Schema, out: &'o mut Vec<u8>) -> Self {
        Self { schema, out, slots: Vec::with_capacity(128), depth: 0 }
    }

    pub(super) fn open(&mut self, object: &'t Object) -> Open<'t> {
        let open = Open { object, slots: self.slots.len(), start: self.out.len() };
        self.slots.resize(open.slots + object.members.len(), Slot::MISSING);
        open
    }

    /// Writes a member's value. Of a key that occurs more than once the last one counts.
    pub(super) fn member<'de, D: Deserializer<'de>>(
        &mut self,
        open: Open<'t>,
        index: usize,
        value: D,
    ) -> Result<(), D::Error> {
        Field { encoder: self, open, index }.deserialize(value)
    }

    /// Puts the fields of an object into order.
    pub(super) fn close(&mut self, open: Open<'t>) {
        let end = self.out.len();
        self.group(open, &open.object.groups[0]);
        self.out.drain(open.start..end);
        self.slots.truncate(open.slots);
    }

    fn group(&mut self, open: Open<'t>, group: &Group) {
        for step in &group.steps {
            match *step {
                Step::Member(index) => {
                    let Slot { start, end } = self.slots[open.slots + index];
                    if start < end {
                        self.out.extend_from_within(start..end);
                    } else if open.object.members[index].by_value {
                        self.unset(&open.object.members[index]);
                    }
                }
                Step::Group { number, index } => {
                    let group = &open.object.groups[index];
                    if group.by_value || self.has_any(open, group) {
                        let start = wire::begin(self.out, number);
                        self.group(open, group);
                        wire::finish(self.out, start);
                    }
                }
            }
        }
    }

    /// A message that is there although the object does not have its key. A time is not: that it is
    /// unset is said by its absence.
    fn unset(&mut self, member: &Member) {
        let start = match member.form {
            Form::One(Kind::Object(index)) => {
                let start = wire::begin(self.out, member.number);
                let open = self.open(&self.schema.objects[index]);
                self.close(open);
                start
            }
            Form::One(Kind::Labels) => wire::begin(self.out, member.number),
            _ => return,
        };
        wire::finish(self.out, start);
    }

    fn has_any(&self, open: Open, group: &Group) -> bool {
        group.steps.iter().any(|step| match *step {
            Step::Member(index) => self.slots[open.slots + index] != Slot::MISSING,
            Step::Group { index, .. } => self.has_any(open, &open.object.groups[index]),
        })
    }
}

/// The fields of a message, from its object.
struct Content<'e, 't, 'o> {
    encoder: &'e mut Encoder<'t, 'o>,
    object: &'t Object,
}

impl<'de> DeserializeSeed<'de> for Content<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Content<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { encoder, object } = self;
        let open = encoder.open(object);
        while let Some(known) = map.next_key_seed(Key(object))? {
            match known {
                Some(index) => map.next_value_seed(Field { encoder, open, index })?,
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let slots = &encoder.slots[open.slots..];
        if object.oneof && slots.iter().filter(|slot| slot.start < slot.end).count() > 1 {
            return Err(A::Error::custom("more than one member of a oneof"));
        }
        encoder.close(open);
        Ok(())
    }
}

/// A key, as the index of its member.
struct Key<'t>(&'t Object);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(key))
    }
}

/// The field of a member.
struct Field<'e, 't, 'o> {
    encoder: &'e mut Encoder<'t, 'o>,
    open: Open<'t>,
    index: usize,
}

impl<'de> DeserializeSeed<'de> for Field<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        let Self { encoder, open, index } = self;
        let member = &open.object.members[index];
        let (number, by_value) = (member.number, member.by_value);
        let start = encoder.out.len();
        match member.form {
            Form::One(kind) => {
                let place = Place::Field { by_value };
                Value { encoder, kind, number, place }.deserialize(value)
            }
            Form::List(kind) => value.deserialize_any(List { encoder, kind, number }),
            Form::Map(kind) => value.deserialize_any(Map { encoder, kind, number }),
        }
        .map_err(|error| D::Error::custom(format_args!("{}: {error}", member.key)))?;
        encoder.slots[open.slots + index] = Slot { start, end: encoder.out.len() };
        Ok(())
    }
}

/// A string, borrowed where it has no escapes.
pub(super) struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Self::Value, D::Error> {
        text.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
