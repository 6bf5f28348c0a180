//! One field of a class: what the author sees of it, and how it is read and written.

use prost_reflect::{FieldDescriptor, Kind};

use super::Source;
use super::value::{put, put_bare, take, ty, wire, zero};

pub(super) struct Field {
    descriptor: FieldDescriptor,
    shape: Shape,
}

enum Shape {
    /// Read at once: decoding a number costs less than remembering it.
    Number,
    /// Text, bytes or a message, decoded when it is first read.
    Lazy,
    /// A message of a oneof, which holds one message for all of its members.
    MessageMember,
    /// Any other member of a oneof.
    ValueMember,
    List,
    Map {
        key: Kind,
        value: Kind,
    },
}

impl Field {
    pub(super) fn new(descriptor: FieldDescriptor) -> Self {
        let member = descriptor.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        let shape = match descriptor.kind() {
            Kind::Message(entry) if descriptor.is_map() => Shape::Map {
                key: entry.map_entry_key_field().kind(),
                value: entry.map_entry_value_field().kind(),
            },
            _ if descriptor.is_list() => Shape::List,
            Kind::Message(_) if member => Shape::MessageMember,
            _ if member => Shape::ValueMember,
            Kind::Message(_) | Kind::String | Kind::Bytes => Shape::Lazy,
            _ => Shape::Number,
        };
        Self { descriptor, shape }
    }

    pub(super) fn name(&self) -> &str {
        self.descriptor.name()
    }

    pub(super) fn number(&self) -> u32 {
        self.descriptor.number()
    }

    pub(super) fn is_member(&self) -> bool {
        matches!(self.shape, Shape::MessageMember | Shape::ValueMember)
    }

    fn fill(&self, out: &mut Source, template: &str, values: &[(&str, &str)]) {
        let number = self.number().to_string();
        let oneof = self.descriptor.containing_oneof();
        let oneof = oneof.as_ref().map_or("", |oneof| oneof.name());
        let own = [("$name", self.name()), ("$number", &number), ("$oneof", oneof)];
        out.fill(template, &[values, &own].concat());
    }

    pub(super) fn write_accessors(&self, out: &mut Source) {
        let kind = self.descriptor.kind();
        let (ty, zero) = (ty(&kind), zero(&kind));
        let default = &[("$type", &*ty), ("$zero", &*zero)];
        match &self.shape {
            Shape::Number => self.fill(out, "$name: $type = $zero;", default),
            Shape::ValueMember => self.fill(out, VALUE_MEMBER, default),
            Shape::MessageMember => self.fill(out, MESSAGE_MEMBER, default),
            Shape::Lazy => {
                let (decode, set) = match kind {
                    Kind::Message(_) => (&*format!("messageAt<{ty}>"), "pb.SET"),
                    Kind::Bytes => ("bytesAt", "0"),
                    _ => ("textAt", "0"),
                };
                self.fill(out, LAZY, &[("$type", &ty), ("$decode", decode), ("$set", set)]);
                if matches!(kind, Kind::Message(_)) {
                    self.fill(out, PRESENCE, &[]);
                }
            }
            Shape::List => {
                let array = format!("Array<{ty}>");
                self.fill(out, COLLECTION, &[("$type", &array), ("$empty", "[]")]);
            }
            Shape::Map { key, value } => {
                let map = format!("Map<{}, {}>", super::value::ty(key), super::value::ty(value));
                let empty = format!("new {map}()");
                self.fill(out, COLLECTION, &[("$type", &map), ("$empty", &empty)]);
            }
        }
    }

    pub(super) fn write_read(&self, out: &mut Source) {
        let kind = self.descriptor.kind();
        let value: &[_] = &[("$value", &*take(&kind, "from"))];
        match &self.shape {
            Shape::Number | Shape::ValueMember => self.fill(out, READ_VALUE, value),
            Shape::Lazy => self.fill(out, READ_LAZY, &[]),
            Shape::List => match wire(&kind) {
                None => self.fill(out, READ_ITEM, value),
                Some(wire) => {
                    let (value, wire) = (take(&kind, "numbers"), wire.to_string());
                    self.fill(out, READ_NUMBERS, &[("$value", &value), ("$wire", &wire)]);
                }
            },
            Shape::Map { key, value } => self.fill(
                out,
                READ_ENTRY,
                &[
                    ("$key_zero", &*zero(key)),
                    ("$value_zero", &*zero(value)),
                    ("$key", &*take(key, "entry")),
                    ("$value", &*take(value, "entry")),
                ],
            ),
            // With the other members of its oneof.
            Shape::MessageMember => {}
        }
    }

    pub(super) fn write_write(&self, out: &mut Source) {
        let kind = self.descriptor.kind();
        match &self.shape {
            Shape::Number => {
                let put = put(&kind, self.number(), &format!("this.{}", self.name()));
                self.fill(out, "if (this.$name) { $put }", &[("$put", &put)]);
            }
            Shape::Lazy => {
                let put = match kind {
                    Kind::Message(_) => "messageOr",
                    Kind::Bytes => "bytesOr",
                    _ => "textOr",
                };
                self.fill(out, WRITE_LAZY, &[("$put", put)]);
            }
            Shape::List if wire(&kind).is_some() => {
                self.fill(out, WRITE_NUMBERS, &[("$put", &*put_bare(&kind, "items[i]"))]);
            }
            Shape::List => {
                self.fill(out, WRITE_LIST, &[("$put", &*put(&kind, self.number(), "items[i]"))]);
            }
            Shape::Map { key, value } => {
                let put_key = put(key, 1, "keys[i]");
                let put_value = put(value, 2, "items.get(keys[i])");
                self.fill(out, WRITE_MAP, &[("$put_key", &put_key), ("$put_value", &put_value)]);
            }
            Shape::MessageMember | Shape::ValueMember => {}
        }
    }
}

const LAZY: &str = "
private $name_at: u32 = 0;
private $name_: $type | null = null;
get $name(): $type {
  let value = this.$name_;
  if (value === null) this.$name_ = value = pb.$decode(this.__source, this.$name_at);
  return value;
}
set $name(value: $type) {
  this.$name_ = value;
  this.$name_at = $set;
}
";

const PRESENCE: &str = "
get has$name(): bool {
  return pb.present(this.$name_, this.$name_at);
}
clear$name(): void {
  this.$name_ = null;
  this.$name_at = 0;
}
";

const WRITE_LAZY: &str = "to.$put($number, this.$name_, this.__source, this.$name_at);";

const COLLECTION: &str = "
private $name_: $type | null = null;
get $name(): $type {
  let value = this.$name_;
  if (value === null) this.$name_ = value = $empty;
  return value;
}
set $name(value: $type) {
  this.$name_ = value;
}
";

const READ_VALUE: &str = "case $number: this.$name = $value; break;";

const READ_LAZY: &str = "case $number: this.$name_at = from.span(); break;";

const READ_ITEM: &str = "case $number: this.$name.push($value); break;";

const READ_NUMBERS: &str = "
case $number: {
  const numbers = from.numbers($wire);
  while (numbers.left) this.$name.push($value);
  break;
}
";

const WRITE_NUMBERS: &str = "
{
  const items = this.$name_;
  if (items !== null && items.length) {
    const end = to.length;
    for (let i = items.length - 1; i >= 0; i--) { $put }
    to.close($number, end);
  }
}
";

const WRITE_LIST: &str = "
{
  const items = this.$name_;
  if (items !== null) {
    for (let i = items.length - 1; i >= 0; i--) { $put }
  }
}
";

const READ_ENTRY: &str = "
case $number: {
  const entry = from.entry();
  let key = $key_zero;
  let value = $value_zero;
  while (entry.next()) {
    if (entry.field == 1) key = $key;
    else if (entry.field == 2) value = $value;
    else entry.skip();
  }
  this.$name.set(key, value);
  break;
}
";

const WRITE_MAP: &str = "
{
  const items = this.$name_;
  if (items !== null) {
    const keys = items.keys();
    for (let i = keys.length - 1; i >= 0; i--) {
      const end = to.length;
      $put_value
      $put_key
      to.close($number, end);
    }
  }
}
";

const MESSAGE_MEMBER: &str = "
get $name(): $type | null {
  if (this.$oneof_case != $number) return null;
  let value = this.$oneof_;
  if (value === null) this.$oneof_ = value = pb.messageAt<$type>(this.__source, this.$oneof_at);
  return value as $type;
}
set $name(value: $type | null) {
  if (value !== null) this.$oneof_set($number, value);
  else if (this.$oneof_case == $number) this.$oneof_set(0, null);
}
";

const VALUE_MEMBER: &str = "
private $name_: $type = $zero;
get $name(): $type {
  return this.$oneof_case == $number ? this.$name_ : $zero;
}
set $name(value: $type) {
  this.$oneof_set($number, null);
  this.$name_ = value;
}
";
