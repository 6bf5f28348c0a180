//! Messages with every field set.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// Fills messages with values that follow from a seed. Chance prefers the ends of a type's range.
pub(super) struct Filler {
    seed: u64,
}

impl Filler {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Every field, of a oneof one member, down to `depth` messages in messages.
    pub(super) fn fill(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut fields: Vec<_> =
            descriptor.fields().filter(|field| field.containing_oneof().is_none()).collect();
        for oneof in descriptor.oneofs() {
            let members: Vec<_> = oneof.fields().collect();
            fields.push(members[self.below(members.len())].clone());
        }
        for field in fields {
            if depth > 0 || !matches!(field.kind(), Kind::Message(_)) {
                message.set_field(&field, self.value(&field, depth));
            }
        }
        message
    }

    fn value(&mut self, field: &FieldDescriptor, depth: u32) -> Value {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let value = entry.map_entry_value_field().kind();
                let keys = ["", "key", "schlüssel"].map(|key| MapKey::String(key.to_owned()));
                Value::Map(keys.map(|key| (key, self.single(&value, depth))).into())
            }
            kind if field.is_list() => {
                Value::List((0..3).map(|_| self.single(&kind, depth)).collect())
            }
            kind => self.single(&kind, depth),
        }
    }

    fn single(&mut self, kind: &Kind, depth: u32) -> Value {
        let any = self.next();
        let at = self.below(5);
        match kind {
            Kind::Message(message) => Value::Message(self.fill(message, depth - 1)),
            // -1: a value that the schema does not know.
            Kind::Enum(_) if at == 0 => Value::EnumNumber(-1),
            Kind::Enum(it) => Value::EnumNumber(it.values().last().unwrap().number()),
            Kind::String => Value::String(self.text(at)),
            Kind::Bytes => Value::Bytes(any.to_le_bytes()[..at].to_vec().into()),
            Kind::Bool => Value::Bool(any % 2 == 1),
            Kind::Int32 => Value::I32([i32::MIN, i32::MAX, -1, 300, 0][at]),
            Kind::Int64 => Value::I64([i64::MIN, i64::MAX, -1, i64::MAX / 7, 0][at]),
            Kind::Uint32 => Value::U32([0, u32::MAX, 1 << 31, 300, 127][at]),
            Kind::Uint64 => Value::U64([0, u64::MAX, 1 << 63, any, 128][at]),
            Kind::Double => Value::F64([0.0, f64::MAX, f64::MIN_POSITIVE, -1.5, 1e300][at]),
            other => panic!("the schema has {other:?}, which no test sets"),
        }
    }

    fn text(&mut self, at: usize) -> String {
        match at {
            0 => String::new(),
            1 => "ünïcödé 漢字 🦀 \u{10ffff}".to_owned(),
            2 => "\0\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}".to_owned(),
            _ => "x".repeat(self.below(300)),
        }
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// xorshift64: the same everywhere, so a failure can be repeated.
    fn next(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed
    }
}
