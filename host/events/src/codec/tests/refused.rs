//! What is refused, and what is said about it.

use crate::codec::wire::{begin, finish, put_bytes, put_tag, put_varint};
use crate::codec::{event_type, to_json, to_json_over, to_protobuf};

#[test]
fn text_that_is_no_event() {
    for (text, expected) in [
        (&b""[..], "the event is not valid JSON: EOF while parsing a value at line 1 column 0"),
        (b"{", "the event is not valid JSON: EOF while parsing an object at line 1 column 1"),
        (
            b"{\"event\":\"user.login\"} x",
            "the event is not valid JSON: trailing characters at line 1 column 24",
        ),
        (
            b"{\"event\":\"user.login\",\"x\":01}",
            "the event is not valid JSON: invalid number at line 1 column 28",
        ),
        (b"{\"event\":\"a\xff\"}", "the event is not valid UTF-8: byte 11"),
        (b"[]", "the event is not a JSON object whose key `event` holds its type as a string"),
        (b"7", "the event is not a JSON object whose key `event` holds its type as a string"),
        (b"{}", "the event is not a JSON object whose key `event` holds its type as a string"),
        (
            b"{\"event\":7}",
            "the event is not a JSON object whose key `event` holds its type as a string",
        ),
    ] {
        let mut out = b"kept".to_vec();
        let error = to_protobuf(text, &mut out).unwrap_err().to_string();
        assert_eq!(error, expected, "{}", text.escape_ascii());
        assert_eq!(out, b"kept");
        assert_eq!(event_type(text).unwrap_err().to_string(), expected);
    }
}

/// A field of `events.OneOf`: an event of this number with these bytes.
fn event(number: u32, message: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let start = begin(&mut out, number);
    message(&mut out);
    finish(&mut out, start);
    out
}

/// A login with a Struct as its attributes.
fn attributes(content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    event(1, |out| {
        let start = begin(out, 5);
        content(out);
        finish(out, start);
    })
}

fn nested(out: &mut Vec<u8>, depth: usize) {
    let entry = begin(out, 1);
    put_bytes(out, 1, b"a");
    let value = begin(out, 2);
    if depth > 1 {
        let inner = begin(out, 5);
        nested(out, depth - 1);
        finish(out, inner);
    }
    finish(out, value);
    finish(out, entry);
}

#[test]
fn protobuf_that_is_no_event() {
    let user = |bytes: &'static [u8]| event(1, |out| put_bytes(out, 2, bytes));
    let time = |seconds: i64, nanos: u64| {
        event(2, |out| {
            let resource = begin(out, 3);
            let expires = begin(out, 2);
            put_tag(out, 1, 0);
            put_varint(out, seconds.cast_unsigned());
            put_tag(out, 2, 0);
            put_varint(out, nanos);
            finish(out, expires);
            finish(out, resource);
        })
    };
    let number = |value: f64| {
        attributes(|out| {
            let entry = begin(out, 1);
            put_bytes(out, 1, b"n");
            let field = begin(out, 2);
            put_tag(out, 2, 1);
            out.extend(value.to_le_bytes());
            finish(out, field);
            finish(out, entry);
        })
    };
    let deep = "attributes".to_owned() + &".a".repeat(32);
    for (one_of, expected) in [
        (vec![], "the event's protobuf holds no case of events.OneOf that this schema knows"),
        (
            event(1000, |_| {}),
            "the event's protobuf holds no case of events.OneOf that this schema knows",
        ),
        (vec![0x0a, 5, 1], "the event's protobuf is wrong at OneOf: it is cut short or damaged"),
        (
            vec![0x08, 1],
            "the event's protobuf is wrong at OneOf: its wire type is not the schema's",
        ),
        (vec![0xff; 11], "the event's protobuf is wrong at OneOf: it is cut short or damaged"),
        (vec![0x0b, 0x0c], "the event's protobuf is wrong at OneOf: it is cut short or damaged"),
        (vec![0x02, 0], "the event's protobuf is wrong at OneOf: it is cut short or damaged"),
        (
            user(b"\x0a\x02a"),
            "the event's protobuf is wrong at UserLogin: it is cut short or damaged",
        ),
        (
            user(b"\x0a\x02a\xff"),
            "the event's protobuf is wrong at UserLogin.user: it is not valid UTF-8",
        ),
        (
            user(b"\x08\x02"),
            "the event's protobuf is wrong at UserLogin.user: its wire type is not the schema's",
        ),
        (
            user(b"\x7a\x0b\x0a\x09\x0a\x01k\x12\x04\x0a\x02\xff\xff"),
            "the event's protobuf is wrong at UserLogin.user_traits.k: it is not valid UTF-8",
        ),
        (
            time(253_402_300_800, 0),
            "the event's protobuf is wrong at UserCreate.expires: \
             it is no time between the years 1 and 9999",
        ),
        (
            time(0, 1_000_000_000),
            "the event's protobuf is wrong at UserCreate.expires: \
             it is no time between the years 1 and 9999",
        ),
        (
            number(f64::NAN),
            "the event's protobuf is wrong at UserLogin.attributes.n: \
             it is a number that JSON does not have",
        ),
        (
            number(f64::NEG_INFINITY),
            "the event's protobuf is wrong at UserLogin.attributes.n: \
             it is a number that JSON does not have",
        ),
        (
            attributes(|out| nested(out, 33)),
            &format!("the event's protobuf is wrong at UserLogin.{deep}: it is nested too deeply"),
        ),
    ] {
        for original in [None, Some(r#"{"event":"user.login"}"#)] {
            let mut out = b"kept".to_vec();
            let converted = match original {
                None => to_json(&one_of, &mut out),
                Some(original) => to_json_over(&one_of, original.as_bytes(), &mut out),
            };
            assert_eq!(converted.unwrap_err().to_string(), expected, "{one_of:02x?}");
            assert_eq!(out, b"kept");
        }
    }
}

#[test]
fn a_message_in_pieces_is_one() {
    let mut one_of = event(1, |out| {
        let user = begin(out, 2);
        put_bytes(out, 1, b"old");
        put_bytes(out, 2, b"kept");
        finish(out, user);
        let device = begin(out, 6);
        put_bytes(out, 1, b"name");
        finish(out, device);
        let device = begin(out, 6);
        put_bytes(out, 2, b"id");
        finish(out, device);
    });
    one_of.extend(event(1, |out| {
        let user = begin(out, 2);
        put_bytes(out, 1, b"new");
        finish(out, user);
    }));
    let mut out = Vec::new();
    to_json(&one_of, &mut out).unwrap();
    let event: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&event["user"], &event["login"]), (&"new".into(), &"kept".into()));
    let device = &event["mfa_device"];
    assert_eq!(
        (&device["mfa_device_name"], &device["mfa_device_uuid"]),
        (&"name".into(), &"id".into())
    );
}
