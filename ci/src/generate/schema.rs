//! The tables as one schema: every row checked, every name resolved.

use std::collections::BTreeMap;

use anyhow::Result;

use super::table::{EnumRow, EventTypeRow, FieldRow, Place, ReservedRow, Row, Tables};

/// The message whose cases are the events.
pub(super) const ONE_OF: &str = "OneOf";

/// Types of other packages that fields may have, each with the file that defines it.
const FOREIGN: [(&str, &str); 7] = [
    ("google.protobuf.Struct", "google/protobuf/struct.proto"),
    ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
    ("google.protobuf.UInt32Value", "google/protobuf/wrappers.proto"),
    ("google.protobuf.UInt64Value", "google/protobuf/wrappers.proto"),
    ("teleport.accesslist.v1.MembershipKind", "teleport/accesslist/v1/accesslist.proto"),
    ("types.LockTarget", "types/types.proto"),
    ("wrappers.LabelValues", "wrappers/wrappers.proto"),
];

const SCALARS: [&str; 7] = ["bool", "bytes", "int32", "int64", "string", "uint32", "uint64"];

/// The package `events`. The name of a nested type has its parent's before it, with a dot.
#[derive(Default)]
pub(super) struct Schema {
    pub(super) enums: BTreeMap<String, Vec<(String, i32)>>,
    pub(super) messages: BTreeMap<String, Message>,
    /// The files that define what is used of other packages, sorted.
    pub(super) imports: Vec<&'static str>,
}

#[derive(Default)]
pub(super) struct Message {
    /// Sorted by number.
    pub(super) fields: Vec<Field>,
    pub(super) reserved_numbers: Vec<i32>,
    pub(super) reserved_names: Vec<String>,
}

pub(super) struct Field {
    pub(super) name: String,
    pub(super) number: i32,
    /// As a .proto file has it.
    pub(super) kind: String,
    pub(super) repeated: bool,
    pub(super) oneof: Option<String>,
    pub(super) json: Json,
    /// Of a case of [`ONE_OF`].
    pub(super) event_types: Vec<String>,
}

/// The option `tenon.json`.
#[allow(clippy::struct_excessive_bools, reason = "options")]
pub(super) struct Json {
    pub(super) key: Option<String>,
    pub(super) flatten: bool,
    pub(super) omit_empty: bool,
    pub(super) by_value: bool,
    pub(super) skip: bool,
}

impl Schema {
    pub(super) fn new(tables: &Tables) -> Result<Self> {
        let mut schema = Self::default();
        for row in &tables.enums {
            schema.add_value(row)?;
        }
        for row in &tables.fields {
            schema.add_field(row)?;
        }
        for row in &tables.reserved {
            schema.add_reserved(row)?;
        }
        for row in &tables.fields {
            schema.check(row)?;
        }
        for row in &tables.event_types {
            schema.add_event_type(row)?;
        }
        for message in schema.messages.values_mut() {
            message.fields.sort_by_key(|field| field.number);
        }
        schema.imports.sort_unstable();
        schema.imports.dedup();
        Ok(schema)
    }

    /// The cases of [`ONE_OF`], by number.
    pub(super) fn cases(&self) -> &[Field] {
        self.messages.get(ONE_OF).map_or(&[], |message| &message.fields)
    }

    fn add_value(&mut self, Row { place, value: row }: &Row<EnumRow>) -> Result<()> {
        let values = self.enums.entry(row.name.clone()).or_default();
        if values.is_empty() && row.number != 0 {
            return Err(place.error(format!("the first value of {} is not 0", row.name)));
        }
        if values.iter().any(|(name, number)| *name == row.value || *number == row.number) {
            let EnumRow { name, value, number } = row;
            return Err(place.error(format!("{name} has {value} or {number} twice")));
        }
        values.push((row.value.clone(), row.number));
        Ok(())
    }

    fn add_field(&mut self, Row { place, value: row }: &Row<FieldRow>) -> Result<()> {
        let message = self.messages.entry(row.message.clone()).or_default();
        if row.field.is_empty() {
            return Ok(());
        }
        let field = field(*place, row)?;
        let twice = |other: &Field| other.name == field.name || other.number == field.number;
        if let Some(other) = message.fields.iter().find(|other| twice(other)) {
            return Err(place.error(format!(
                "{} has {} = {} and {} = {}",
                row.message, other.name, other.number, field.name, field.number
            )));
        }
        message.fields.push(field);
        Ok(())
    }

    fn add_reserved(&mut self, Row { place, value: row }: &Row<ReservedRow>) -> Result<()> {
        let Some(message) = self.messages.get_mut(&row.message) else {
            return Err(place.error(format!("there is no message {}", row.message)));
        };
        for item in row.reserved.split(',').map(str::trim) {
            let name = item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match (name, item.parse()) {
                (Some(name), _) => message.reserved_names.push(name.to_owned()),
                (None, Ok(number)) => message.reserved_numbers.push(number),
                (None, Err(_)) => {
                    return Err(place.error(format!("{item} is neither a number nor a name")));
                }
            }
        }
        Ok(())
    }

    /// What can be said of a field only once all messages are known.
    fn check(&mut self, Row { place, value: row }: &Row<FieldRow>) -> Result<()> {
        if let Some((parent, _)) = row.message.rsplit_once('.')
            && !self.messages.contains_key(parent)
        {
            return Err(place.error(format!("there is no message {parent} to nest in")));
        }
        if row.field.is_empty() {
            return Ok(());
        }
        let reserved = self.messages.get(&row.message).is_some_and(|message| {
            message.reserved_names.contains(&row.field)
                || row.number.is_some_and(|number| message.reserved_numbers.contains(&number))
        });
        if reserved {
            return Err(place.error(format!("{}.{} is reserved", row.message, row.field)));
        }
        let kind = match row.kind.strip_prefix("map<string,") {
            Some(rest) => rest.strip_suffix('>').unwrap_or(rest),
            None => row.kind.as_str(),
        };
        if let Some((_, file)) = FOREIGN.iter().find(|(name, _)| *name == kind) {
            self.imports.push(file);
        } else if !SCALARS.contains(&kind) && !self.defines(&row.message, kind) {
            return Err(place.error(format!("there is no type {kind}")));
        }
        Ok(())
    }

    /// Whether `name`, as a field of the message `scope` says it, is a type of this package:
    /// protobuf looks for it in the message, in those around it, and then in the package.
    fn defines(&self, scope: &str, name: &str) -> bool {
        let name = name.strip_prefix("events.").unwrap_or(name);
        let known = |full: &str| self.messages.contains_key(full) || self.enums.contains_key(full);
        let mut scope = Some(scope);
        while let Some(outer) = scope {
            if known(&format!("{outer}.{name}")) {
                return true;
            }
            scope = outer.rsplit_once('.').map(|(outer, _)| outer);
        }
        known(name)
    }

    fn add_event_type(&mut self, Row { place, value: row }: &Row<EventTypeRow>) -> Result<()> {
        let EventTypeRow { event_type, message, oneof_number } = row;
        let Some(one_of) = self.messages.get_mut(ONE_OF) else {
            return Err(place.error(format!("there is no message {ONE_OF}")));
        };
        let taken = one_of.fields.iter().find(|case| case.event_types.contains(event_type));
        if let Some(case) = taken {
            return Err(place.error(format!("{event_type} already chooses {}", case.name)));
        }
        let case = one_of.fields.iter_mut().find(|case| case.name == *message);
        match case.filter(|case| case.number == *oneof_number) {
            Some(case) => case.event_types.push(event_type.clone()),
            None => {
                let what = format!("{ONE_OF} has no case {message} = {oneof_number}");
                return Err(place.error(what));
            }
        }
        Ok(())
    }
}

fn field(place: Place, row: &FieldRow) -> Result<Field> {
    let Some(number) = row.number else {
        return Err(place.error(format!("{} has no number", row.field)));
    };
    // Both columns follow from the type; where they did not, the form in JSON would be another.
    let (time, cast) = match row.kind.as_str() {
        "google.protobuf.Timestamp" => ("timestamp", ""),
        "google.protobuf.Struct" => ("", "Struct"),
        "wrappers.LabelValues" => ("", "Traits"),
        _ => ("", ""),
    };
    if row.time != time {
        return Err(place.error(format!("{} with the time {:?} is not known", row.kind, row.time)));
    }
    // The last part of a Go type's path. A named string is printed like any string.
    let named = row.cast_type.rsplit('.').next().unwrap_or_default();
    if named != cast && row.kind != "string" {
        return Err(place.error(format!("{} as a {named:?} is not known", row.kind)));
    }
    let key = Some(&row.json_key).filter(|key| !key.is_empty() && **key != row.field);
    if row.json_flatten && (row.nullable || row.repeated || key.is_some()) {
        let what = "a field that is flattened is not nullable, not repeated and has no key";
        return Err(place.error(what));
    }
    // A member of a oneof is there or not there, whatever it holds.
    let oneof = Some(row.oneof.clone()).filter(|name| !name.is_empty());
    Ok(Field {
        name: row.field.clone(),
        number,
        kind: match row.kind.strip_prefix("map<string,") {
            Some(value) => format!("map<string, {value}"),
            None => row.kind.strip_prefix("events.").unwrap_or(&row.kind).to_owned(),
        },
        repeated: row.repeated,
        json: Json {
            key: key.cloned(),
            flatten: row.json_flatten,
            omit_empty: row.json_omit_empty && oneof.is_none(),
            // Go's lists and maps are never held by value.
            by_value: !row.nullable && !row.repeated && !row.kind.starts_with("map<"),
            skip: row.json_skip,
        },
        oneof,
        event_types: Vec::new(),
    })
}
