//! Events that the schema cannot hold.

use prost::Message;
use proto::events::one_of::Event;
use proto::events::{OneOf, Unknown};

use super::golden::LOGIN;
use super::{json, over, protobuf};
use crate::codec::{CodecError, to_json_over};

const NEW: &str = r#"{"code":"TX01I","ei":3,"event":"orbit.launch","payload":{"mass":[1.50,2]},"time":"2024-02-23T19:00:22.473Z","uid":"u"}"#;

fn unknown(json: &str) -> Unknown {
    match OneOf::decode(&*protobuf(json)).unwrap().event {
        Some(Event::Unknown(unknown)) => *unknown,
        other => panic!("{other:?}"),
    }
}

fn one_of(unknown: Unknown) -> Vec<u8> {
    OneOf::from(unknown).encode_to_vec()
}

#[test]
fn a_type_that_the_schema_does_not_know_travels_whole() {
    let unknown = unknown(NEW);
    assert_eq!((&*unknown.unknown_type, &*unknown.unknown_code), ("orbit.launch", "TX01I"));
    assert_eq!(unknown.data, NEW);
    let metadata = unknown.metadata.as_ref().unwrap();
    assert_eq!((metadata.index, &*metadata.id), (3, "u"));
    assert_eq!(metadata.time.unwrap().nanos, 473_000_000);
    assert_eq!(json(&one_of(unknown.clone())), NEW);
    assert_eq!(over(&one_of(unknown), NEW), NEW);
}

#[test]
fn a_field_that_does_not_fit_makes_a_known_type_travel_as_unknown() {
    let login = |from: &str, to: &str| LOGIN.replace(from, to);
    for event in [
        login(r#""success":false"#, r#""success":"no""#),
        login(r#""ei":0"#, r#""ei":0.5"#),
        login(r#""ei":0"#, r#""ei":9223372036854780000"#),
        login(r#""ei":0"#, r#""ei":1e999"#),
        login(r#""time":"2024-02-23T19:00:22.473Z""#, r#""time":"yesterday""#),
        login(r#""user":"teleport-admin""#, r#""user":["teleport-admin"]"#),
        login(r#""user":"teleport-admin""#, r#""user":7"#),
        login(r#""ei":0"#, r#""ei":0,"attributes":[]"#),
        login(r#""ei":0"#, r#""ei":0,"user_roles":["a",null]"#),
        login(r#""ei":0"#, r#""ei":0,"user_roles":"a""#),
        login(r#""ei":0"#, r#""ei":0,"user_traits":{"a":"b"}"#),
        login(r#""ei":0"#, r#""ei":0,"mfa_device":"yubikey""#),
        login(r#""ei":0"#, r#""ei":0,"user_kind":"USER_KIND_MARTIAN""#),
        login(r#""ei":0"#, r#""ei":0,"user_kind":2147483648"#),
    ] {
        let unknown = unknown(&event);
        assert_eq!(unknown.unknown_type, "user.login", "{event}");
        assert_eq!(unknown.data, event);
        assert_eq!(json(&one_of(unknown.clone())), event);
        assert_eq!(over(&one_of(unknown), &event), event);
    }
}

#[test]
fn metadata_holds_what_fits_of_it() {
    let event = LOGIN.replace(r#""ei":0"#, r#""ei":"first""#);
    let metadata = unknown(&event).metadata.unwrap();
    assert_eq!((metadata.index, &*metadata.code), (0, "T1000W"));
}

#[test]
fn changed_metadata_is_laid_over_the_original() {
    let mut unknown = unknown(NEW);
    let metadata = unknown.metadata.as_mut().unwrap();
    metadata.code.clear();
    metadata.cluster_name = "example.com".into();
    metadata.r#type = "orbit.abort".into();
    let answer = over(&one_of(unknown), NEW);
    let expected = NEW
        .replace(r#""code":"TX01I""#, r#""cluster_name":"example.com""#)
        .replace("launch", "abort");
    assert_eq!(answer, expected);
}

#[test]
fn changed_data_is_the_answer() {
    let mut unknown = unknown(NEW);
    unknown.data = r#"{ "event": "orbit.abort" }"#.into();
    assert_eq!(over(&one_of(unknown.clone()), NEW), unknown.data);
    for data in ["[]", "", "{", "null"] {
        unknown.data = data.into();
        let mut out = b"kept".to_vec();
        let answer = to_json_over(&one_of(unknown.clone()), NEW.as_bytes(), &mut out);
        assert!(matches!(answer, Err(CodecError::Data(_))), "{data}: {answer:?}");
        assert_eq!(out, b"kept");
    }
}

#[test]
fn an_event_that_is_unknown_to_teleport_is_an_event_like_any_other() {
    let event = r#"{"data":"{}","ei":0,"event":"unknown","other":[],"time":"2024-01-01T00:00:00Z","unknown_code":"X","unknown_event":"new"}"#;
    let mut unknown = unknown(event);
    assert_eq!((&*unknown.unknown_type, &*unknown.data), ("new", "{}"));
    unknown.data = "not JSON".into();
    assert_eq!(over(&one_of(unknown), event), event.replace("{}", "not JSON"));
}
