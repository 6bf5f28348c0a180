//! Tables, .proto files, Rust and descriptors in step, and what bad rows are answered with.

use std::fs;
use std::path::PathBuf;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind};
use tempfile::TempDir;

use super::table::{FieldRow, Row, Tables};
use super::{Schema, generate, stale};
use crate::cargo;

fn proto() -> PathBuf {
    cargo::root().join("proto")
}

/// The descriptors as committed.
fn descriptors() -> DescriptorPool {
    let bytes = fs::read(proto().join("src/generated/descriptors.bin")).unwrap();
    DescriptorPool::decode(&*bytes).unwrap()
}

#[test]
fn committed_files_are_what_the_tables_say() {
    let outputs = generate(&proto()).unwrap();
    let stale = stale(&proto(), &outputs).unwrap();
    assert!(stale.is_empty(), "run `cargo xtask generate`: {stale:?}");
}

#[test]
fn descriptors_have_all_messages_and_cases() {
    let pool = descriptors();
    let events = |name: &str| name.starts_with("events.");
    // Those of maps are there without anybody having declared them.
    let declared = pool.all_messages().filter(|it| events(it.full_name()) && !it.is_map_entry());
    assert_eq!(declared.count(), 329);

    let one_of = pool.get_message_by_name("events.OneOf").unwrap();
    assert_eq!(one_of.oneofs().map(|oneof| oneof.fields().len()).collect::<Vec<_>>(), [255]);
    assert_eq!(one_of.reserved_ranges().collect::<Vec<_>>(), [185..186, 186..187, 187..188]);
    assert_eq!(one_of.reserved_names().len(), 3);
}

#[test]
fn descriptors_have_every_row_of_the_tables() {
    let pool = descriptors();
    let tables = Tables::read(&proto().join("tables")).unwrap();
    for Row { place, value: row } in &tables.fields {
        let message = pool.get_message_by_name(&format!("events.{}", row.message));
        let message = message.unwrap_or_else(|| panic!("{place}: no message"));
        if !row.field.is_empty() {
            let field = message.get_field_by_name(&row.field);
            same(&pool, row, &field.unwrap_or_else(|| panic!("{place}: no field")));
        }
    }
    for Row { place, value: row } in &tables.enums {
        let descriptor = pool.get_enum_by_name(&format!("events.{}", row.name)).unwrap();
        let value = descriptor.get_value_by_name(&row.value);
        assert_eq!(value.map(|value| value.number()), Some(row.number), "{place}");
    }
    let option = pool.get_extension_by_name("tenon.event_type").unwrap();
    let cases = pool.get_message_by_name("events.OneOf").unwrap();
    for Row { place, value: row } in &tables.event_types {
        let case = cases.get_field_by_name(&row.message).unwrap();
        let options = case.options();
        let types = options.get_extension(&option);
        let types: Vec<_> = types.as_list().unwrap().iter().filter_map(|it| it.as_str()).collect();
        assert!(types.contains(&row.event_type.as_str()), "{place}: {types:?}");
    }
}

#[track_caller]
fn same(pool: &DescriptorPool, row: &FieldRow, field: &FieldDescriptor) {
    let name = field.full_name();
    assert_eq!(Some(field.number()), row.number.and_then(|it| it.try_into().ok()), "{name}");
    assert_eq!(field.is_list(), row.repeated, "{name}");
    let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned());
    assert_eq!(oneof.unwrap_or_default(), row.oneof, "{name}");

    let map = row.kind.strip_prefix("map<string,").and_then(|rest| rest.strip_suffix('>'));
    assert_eq!(field.is_map(), map.is_some(), "{name}");
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    let full = match &kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(descriptor) => descriptor.full_name().to_owned(),
        scalar => format!("{scalar:?}"),
    };
    let expected = map.unwrap_or(&row.kind);
    assert!(full == expected || full.ends_with(&format!(".{expected}")), "{name}: {full}");

    let options = field.options();
    let json = options.get_extension(&pool.get_extension_by_name("tenon.json").unwrap());
    let json = json.as_message().unwrap();
    let set = |flag: &str| json.get_field_by_name(flag).unwrap().as_bool().unwrap();
    assert_eq!(set("flatten"), row.json_flatten, "{name}");
    assert_eq!(set("skip"), row.json_skip, "{name}");
    assert_eq!(set("omit_empty"), row.json_omit_empty && row.oneof.is_empty(), "{name}");
    assert_eq!(set("by_value"), !row.nullable && !row.repeated && map.is_none(), "{name}");
    if !row.json_flatten {
        assert_eq!(key(json, field), row.json_key, "{name}");
    }
}

fn key(json: &DynamicMessage, field: &FieldDescriptor) -> String {
    let key = json.get_field_by_name("key").unwrap().as_str().unwrap().to_owned();
    if key.is_empty() { field.name().to_owned() } else { key }
}

/// What a row more, tabs given as spaces, makes of reading a table.
#[track_caller]
fn error_of(table: &str, row: &str) -> String {
    let folder = TempDir::new().unwrap();
    for name in ["event-fields.tsv", "event-enums.tsv", "event-types.tsv", "reserved.tsv"] {
        let mut text = fs::read_to_string(proto().join("tables").join(name)).unwrap();
        if name == table {
            // Line 2: the first names the columns.
            let end = text.find('\n').unwrap() + 1;
            text.insert_str(end, &format!("{}\n", row.replace(' ', "\t")));
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    let result = Tables::read(folder.path()).and_then(|tables| Schema::new(&tables).map(drop));
    format!("{:#}", result.unwrap_err())
}

#[test]
fn bad_rows_are_named_by_file_and_line() {
    for (row, expected) in [
        ("Some Field x string 0 key 0 0 0 1    1", "number: invalid digit found in string"),
        ("Some Field 1 string yes key 0 0 0 1    1", "\"yes\" is neither 0 nor 1"),
        ("Some Field 1 string", "4 fields instead of 14"),
        ("Some Field  string 0 key 0 0 0 1    1", "Field has no number"),
        ("Some Field 1 strnig 0 key 0 0 0 1    1", "there is no type strnig"),
        ("No.Nested Field 1 string 0 key 0 0 0 1    1", "there is no message No to nest in"),
        ("DeviceMetadata Field 7 string 0 key 0 0 0 1    1", "DeviceMetadata.Field is reserved"),
        (
            "Some Field 1 Metadata 0 key 0 1 0 0    1",
            "a field that is flattened is not nullable, not repeated and has no key",
        ),
        (
            "Some Field 1 int64 0 key 0 0 0 1 duration   1",
            "int64 with the time \"duration\" is not known",
        ),
        ("Some Field 1 bytes 0 key 0 0 0 1  x.Hex  1", "bytes as a \"Hex\" is not known"),
    ] {
        let error = error_of("event-fields.tsv", row);
        assert_eq!(error, format!("proto/tables/event-fields.tsv:2: {expected}"));
    }
}

#[test]
fn the_second_of_two_that_clash_is_named() {
    let error = error_of("event-fields.tsv", "Metadata Other 1 string 0 key 0 0 0 1    1");
    assert_eq!(error, "proto/tables/event-fields.tsv:3: Metadata has Other = 1 and Index = 1");
    let error = error_of("event-enums.tsv", "OSType OS_TYPE_BSD 0");
    assert!(error.contains("OSType has OS_TYPE_UNSPECIFIED or 0 twice"), "{error}");
    let error = error_of("event-types.tsv", "user.login UserCreate 2");
    assert!(error.ends_with("user.login already chooses UserCreate"), "{error}");
}

#[test]
fn bad_rows_of_the_other_tables_are_named_too() {
    let error = error_of("event-enums.tsv", "Some VALUE 1");
    assert_eq!(error, "proto/tables/event-enums.tsv:2: the first value of Some is not 0");
    let error = error_of("event-types.tsv", "some.event UserLogin 2");
    assert_eq!(error, "proto/tables/event-types.tsv:2: OneOf has no case UserLogin = 2");
    let error = error_of("reserved.tsv", "Nothing 4");
    assert_eq!(error, "proto/tables/reserved.tsv:2: there is no message Nothing");
    let error = error_of("reserved.tsv", "Metadata four");
    assert_eq!(error, "proto/tables/reserved.tsv:2: four is neither a number nor a name");
}
