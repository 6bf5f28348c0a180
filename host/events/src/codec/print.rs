//! From protobuf to JSON.
//!
//! The fields of a message are found first, then printed in the order of their keys.

mod dynamic;
mod value;

use serde_json::value::RawValue;

use super::error::CodecError;
use super::original::Members;
use super::schema::{Group, Member, Object, Schema, Step};
use super::text;
use super::wire::{Fields, Payload};

/// Prints messages whose bytes live for `'a`.
pub(super) struct Printer<'t, 'o, 'a> {
    schema: &'t Schema,
    out: &'o mut Vec<u8>,
    /// One for each member and each group of the objects that are being printed, the innermost
    /// object's last.
    slots: Vec<Slot>,
    found: Vec<Found<'a>>,
}

/// The fields that were found for a member, as places in [`Printer::found`].
#[derive(Clone, Copy)]
struct Slot {
    first: usize,
    last: usize,
}

impl Slot {
    const EMPTY: Self = Self { first: usize::MAX, last: usize::MAX };

    fn is_empty(self) -> bool {
        self.first == usize::MAX
    }
}

/// A field of a member, and the place of the member's next one.
#[derive(Clone, Copy)]
struct Found<'a> {
    number: u32,
    payload: Payload<'a>,
    next: usize,
}

impl<'t, 'o, 'a> Printer<'t, 'o, 'a> {
    pub(super) fn new(schema: &'t Schema, out: &'o mut Vec<u8>) -> Self {
        let (slots, found) = (Vec::with_capacity(128), Vec::with_capacity(64));
        Self { schema, out, slots, found }
    }

    /// Prints a message with what its original has beyond the schema.
    pub(super) fn object(
        &mut self,
        object: &'t Object,
        message: &'a [u8],
        original: Members<'_>,
    ) -> Result<(), CodecError> {
        self.open(object, original, |this, slots| {
            this.collect(object, slots, &object.groups[0], message)
        })
    }

    /// Prints the members of a oneof: the last one that was found is the one that is set.
    fn oneof(
        &mut self,
        object: &'t Object,
        members: Slot,
        original: Members<'_>,
    ) -> Result<(), CodecError> {
        let number = self.found[members.last].number;
        self.open(object, original, |this, slots| {
            let mut next = members.first;
            while let Some(&found) = this.found.get(next) {
                next = found.next;
                if found.number == number {
                    this.place(object, slots, &object.groups[0], found.number, found.payload)?;
                }
            }
            Ok(())
        })
    }

    fn open(
        &mut self,
        object: &'t Object,
        original: Members<'_>,
        find: impl FnOnce(&mut Self, usize) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let (slots, found) = (self.slots.len(), self.found.len());
        self.slots.resize(slots + object.members.len() + object.groups.len(), Slot::EMPTY);
        find(self, slots)?;
        self.members(object, slots, original)?;
        self.slots.truncate(slots);
        self.found.truncate(found);
        Ok(())
    }

    /// Finds the fields of a message.
    fn collect(
        &mut self,
        object: &'t Object,
        slots: usize,
        group: &'t Group,
        message: &'a [u8],
    ) -> Result<(), CodecError> {
        let mut fields = Fields(message);
        while let Some((number, payload)) = fields.next()? {
            self.place(object, slots, group, number, payload)?;
        }
        Ok(())
    }

    fn place(
        &mut self,
        object: &'t Object,
        slots: usize,
        group: &'t Group,
        number: u32,
        payload: Payload<'a>,
    ) -> Result<(), CodecError> {
        let (slot, inner) = match group.field(number) {
            // The schema does not know the field.
            None => return Ok(()),
            Some(Step::Member(index)) => (slots + index, None),
            Some(Step::Group { index, .. }) => {
                (slots + object.members.len() + index, Some((&object.groups[index], payload)))
            }
        };
        let place = self.found.len();
        self.found.push(Found { number, payload, next: usize::MAX });
        let slot = &mut self.slots[slot];
        match self.found.get_mut(slot.last) {
            Some(last) => last.next = place,
            None => slot.first = place,
        }
        slot.last = place;
        match inner {
            None => Ok(()),
            Some((group, payload)) => self.collect(object, slots, group, payload.bytes()?),
        }
    }

    fn members(
        &mut self,
        object: &'t Object,
        slots: usize,
        original: Members<'_>,
    ) -> Result<(), CodecError> {
        let mut original = original.into_iter().peekable();
        self.out.push(b'{');
        let start = self.out.len();
        for (index, member) in object.members.iter().enumerate() {
            while let Some((key, value)) = original.next_if(|it| *it.0 < *member.key) {
                self.unknown(start, &key, value);
            }
            let value = original.next_if(|it| it.0 == member.key).map(|(_, value)| value);
            let slot = self.slots[slots + index];
            if slot.is_empty() && !self.is_printed_unset(object, slots, member) {
                continue;
            }
            let mark = self.out.len();
            self.comma(start);
            self.out.extend_from_slice(member.quoted.as_bytes());
            let printed = self.member(member, slot, value);
            let is_empty = printed.map_err(|error| error.within(&member.key))?;
            if is_empty && member.omit_empty {
                self.out.truncate(mark);
            }
        }
        for (key, value) in original {
            self.unknown(start, &key, value);
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Whether a member that has no field is printed.
    fn is_printed_unset(&self, object: &Object, slots: usize, member: &Member) -> bool {
        if member.omit_empty && !member.by_value {
            return false;
        }
        // In an embedded message that is unset, nothing is.
        let groups = &self.slots[slots + object.members.len()..];
        let mut index = member.group;
        while let Some(parent) = object.groups[index].parent {
            if !object.groups[index].by_value && groups[index].is_empty() {
                return false;
            }
            index = parent;
        }
        true
    }

    /// A key that only the original has.
    fn unknown(&mut self, start: usize, key: &str, value: &RawValue) {
        self.comma(start);
        text::string(key, self.out);
        self.out.push(b':');
        self.out.extend_from_slice(value.get().as_bytes());
    }

    fn comma(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push(b',');
        }
    }
}
