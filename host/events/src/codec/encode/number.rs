//! Whole numbers.

use serde::de::{Error, Unexpected};

use super::value::{Place, Value};
use crate::codec::schema::Kind;
use crate::codec::wire;

impl Value<'_, '_, '_> {
    pub(super) fn varint(self, value: u64) {
        let out = &mut *self.encoder.out;
        match self.place {
            Place::Field { .. } | Place::Entry if value == 0 => {}
            Place::Packed => wire::put_varint(out, value),
            _ => {
                wire::put_tag(out, self.number, wire::VARINT);
                wire::put_varint(out, value);
            }
        }
    }

    /// Writes a whole number as the kind wants it.
    pub(super) fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        let range = match self.kind {
            Kind::Enum(_) | Kind::Int32 => i32::MIN.into()..=i32::MAX.into(),
            Kind::Int64 => i64::MIN.into()..=i64::MAX.into(),
            Kind::Uint32 | Kind::Uint32Value => 0..=u32::MAX.into(),
            Kind::Uint64 | Kind::Uint64Value => 0..=u64::MAX.into(),
            _ => return Err(E::invalid_type(Unexpected::Other("a number"), &self)),
        };
        // Teleport's server makes doubles of numbers, and of the greatest ones a greater one.
        #[allow(clippy::cast_precision_loss, clippy::float_cmp)] // that is the point
        let rounded_up = value > *range.end() && value as f64 == *range.end() as f64;
        let value = if rounded_up { *range.end() } else { value };
        if !range.contains(&value) {
            return Err(E::custom(format_args!("{value} is not {}", self.kind.expected())));
        }
        // Negative numbers are extended to 64 bits, whatever their type.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bits = value as u64;
        match self.kind {
            Kind::Uint32Value | Kind::Uint64Value => self.message(|out| {
                if bits != 0 {
                    wire::put_tag(out, 1, wire::VARINT);
                    wire::put_varint(out, bits);
                }
            }),
            _ => self.varint(bits),
        }
        Ok(())
    }
}
