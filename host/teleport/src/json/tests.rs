use super::*;
use fake_teleport::structure;
use proptest::prelude::*;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Any};
use serde_json::json;
use std::collections::BTreeMap;

fn written(message: &[u8]) -> Result<String, Malformed> {
    let mut out = Vec::new();
    write(message, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// A Struct of one number.
fn number(number: f64) -> String {
    let fields = [("n".to_owned(), Any { kind: Some(Kind::NumberValue(number)) })].into();
    written(&Struct { fields }.encode_to_vec()).unwrap()
}

/// An entry of a Struct, by hand: `key` is text, `value` the bytes of a Value.
fn raw(key: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let inner = [&[0x0a, length(key)], key, &[0x12, length(value)], value].concat();
    [&[0x0a, length(&inner)], &inner[..]].concat()
}

#[test]
fn a_real_event_is_written_byte_for_byte() {
    let line = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;
    let event = structure(&serde_json::from_str(line).unwrap());
    assert_eq!(written(&event.encode_to_vec()).unwrap(), line);
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-42.0, "-42"),
        (0.5, "0.5"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (1e20, "100000000000000000000"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (f64::NAN, r#""NaN""#),
        (f64::NEG_INFINITY, r#""-Infinity""#),
    ] {
        assert_eq!(number(value), format!("{{\"n\":{text}}}"));
    }
}

#[test]
fn strings_are_escaped_as_serde_json_does() {
    let strange = json!({"a\"b": "tab\t, line\n, \u{1}, \u{7f}, <&>, \u{2028}, Köln, 🦀, \\"});
    let text = written(&structure(&strange).encode_to_vec()).unwrap();
    assert_eq!(text, serde_json::to_string(&strange).unwrap());
}

#[test]
fn of_two_values_with_one_key_the_last_counts() {
    let twice = [raw(b"k", &[0x20, 1]), raw(b"a", &[]), raw(b"k", &[0x20, 0])].concat();
    assert_eq!(written(&twice).unwrap(), r#"{"a":null,"k":false}"#);
}

#[test]
fn what_is_no_struct_is_refused() {
    for (bytes, message) in [
        (&b"\x0a\x05"[..], "a message ends within a field"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a message ends within a field"),
        (b"\x0b", "a field has a wire type that does not exist"),
        (b"\x08\x01", "a field has another wire type than its schema says"),
        (&raw(b"\xff", &[0x20, 1]), "a string is not UTF-8"),
        (&raw(b"k", b"\x1a\x01\xff"), "a string is not UTF-8"),
        (&raw(b"k", b"\x10\x01"), "a value has another wire type than its schema says"),
    ] {
        assert_eq!(written(bytes), Err(Malformed(message)), "{bytes:?}");
    }
}

#[test]
fn a_tower_of_lists_does_not_fill_the_stack() {
    let mut value = Any { kind: None };
    for _ in 0..200 {
        value = Any { kind: Some(Kind::ListValue(ListValue { values: vec![value] })) };
    }
    let fields = [("deep".to_owned(), value)].into();
    let deep = Struct { fields }.encode_to_vec();
    assert_eq!(written(&deep), Err(Malformed("its values are nested too deeply")));
}

#[test]
fn the_text_of_a_key_is_found() {
    let event = json!({"sid": "5b1a", "nested": {"sid": "other"}, "ei": 1}).clone();
    let bytes = structure(&event).encode_to_vec();
    assert_eq!(text(&bytes, "sid"), Some("5b1a"));
    assert_eq!(
        (text(&bytes, "ei"), text(&bytes, "none"), text(b"\x0a", "sid")),
        (None, None, None)
    );
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|bool| json!(bool)),
        any::<i32>().prop_map(|number| json!(number)),
        (-1e9..1e9_f64).prop_map(|number| json!(number)),
        ".*".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|list| json!(list)),
            prop::collection::btree_map(".{0,12}", inner, 0..8).prop_map(|map| json!(map)),
        ]
    })
}

/// As numbers are compared once they went through a double.
fn doubled(json: &serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Number(number) => json!(number.as_f64()),
        serde_json::Value::Array(list) => list.iter().map(doubled).collect(),
        serde_json::Value::Object(map) => {
            let map: BTreeMap<_, _> = map.iter().map(|(key, it)| (key, doubled(it))).collect();
            json!(map)
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(map in prop::collection::btree_map(".{0,12}", json_value(), 0..8)) {
        let json = json!(map);
        let text = written(&structure(&json).encode_to_vec()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(doubled(&read), doubled(&json));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut out = Vec::new();
        if write(&bytes, &mut out).is_ok() {
            serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        }
        let _ = text(&bytes, "sid");
    }
}
