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

/// An object that is being printed.
#[derive(Clone, Copy)]
struct Open<'t> {
    object: &'t Object,
    /// Its first slot.
    slots: usize,
    /// Where its fields begin among those found.
    found: usize,
}

impl Open<'_> {
    fn group_slot(&self, index: usize) -> usize {
        self.slots + self.object.members.len() + index
    }
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
        let open = self.open(object);
        self.collect(open, &object.groups[0], message)?;
        self.close(open, original)
    }

    /// Prints the members of a oneof: the last one that was found is the one that is set.
    fn oneof(
        &mut self,
        object: &'t Object,
        members: Slot,
        original: Members<'_>,
    ) -> Result<(), CodecError> {
        let open = self.open(object);
        let set = self.found[members.last].number;
        let mut next = members.first;
        while let Some(&Found { number, payload, next: behind }) = self.found.get(next) {
            if number == set {
                self.place(open, &object.groups[0], number, payload)?;
            }
            next = behind;
        }
        self.close(open, original)
    }

    fn open(&mut self, object: &'t Object) -> Open<'t> {
        let open = Open { object, slots: self.slots.len(), found: self.found.len() };
        let slots = object.members.len() + object.groups.len();
        self.slots.resize(open.slots + slots, Slot::EMPTY);
        open
    }

    fn close(&mut self, open: Open<'t>, original: Members<'_>) -> Result<(), CodecError> {
        self.members(open, original)?;
        self.slots.truncate(open.slots);
        self.found.truncate(open.found);
        Ok(())
    }

    /// Finds the fields of a message.
    fn collect(
        &mut self,
        open: Open<'t>,
        group: &'t Group,
        message: &'a [u8],
    ) -> Result<(), CodecError> {
        let mut fields = Fields(message);
        while let Some((number, payload)) = fields.next()? {
            self.place(open, group, number, payload)?;
        }
        Ok(())
    }

    /// Notes a field, and the fields in it if it is a group.
    fn place(
        &mut self,
        open: Open<'t>,
        group: &'t Group,
        number: u32,
        payload: Payload<'a>,
    ) -> Result<(), CodecError> {
        match group.field(number) {
            // The schema does not know the field.
            None => {}
            Some(Step::Member(index)) => self.note(open.slots + index, number, payload),
            Some(Step::Group { index, .. }) => {
                self.note(open.group_slot(index), number, payload);
                self.collect(open, &open.object.groups[index], payload.bytes()?)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, slot: usize, number: u32, payload: Payload<'a>) {
        let place = self.found.len();
        self.found.push(Found { number, payload, next: usize::MAX });
        let slot = &mut self.slots[slot];
        match self.found.get_mut(slot.last) {
            Some(last) => last.next = place,
            None => slot.first = place,
        }
        slot.last = place;
    }

    fn members(&mut self, open: Open<'t>, original: Members<'_>) -> Result<(), CodecError> {
        let mut original = original.into_iter().peekable();
        self.out.push(b'{');
        let start = self.out.len();
        for (index, member) in open.object.members.iter().enumerate() {
            while let Some((key, value)) = original.next_if(|it| *it.0 < *member.key) {
                self.unknown(start, &key, value);
            }
            let value = original.next_if(|it| it.0 == member.key).map(|(_, value)| value);
            let slot = self.slots[open.slots + index];
            if slot.is_empty() && !self.is_printed_unset(open, member) {
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
    fn is_printed_unset(&self, open: Open, member: &Member) -> bool {
        if member.omit_empty && !member.by_value {
            return false;
        }
        // In an embedded message that is unset, nothing is.
        let mut index = member.group;
        while let Some(parent) = open.object.groups[index].parent {
            let is_set = !self.slots[open.group_slot(index)].is_empty();
            if !is_set && !open.object.groups[index].by_value {
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
