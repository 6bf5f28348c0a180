//! Is whatever a plugin answers an event or an error?
//!
//! The bytes are a `plugin.HandleEventResponse` to events of a known and of an unknown type. What is
//! printed of the event in it is a JSON object, and if that is an event again, it is read as what
//! is printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

#[allow(dead_code, unused_imports)] // of a part of it
#[path = "../../../host/events/src/codec/mod.rs"]
mod codec;

#[allow(dead_code, unused_imports)] // of a part of it
#[path = "../../../host/events/src/plugin/message.rs"]
mod message;

const ORIGINALS: [&str; 3] = [
    r#"{"attributes":{"a":[1,{"b":null}]},"ei":0,"event":"user.login","mfa_device":{"x":1},"time":"2024-02-23T19:00:22.473Z","user":"u","x":[{}]}"#,
    r#"{"RequestedResourceAccessIDs":[{"constraints":{"ssh":{"x":1}},"x":1}],"ei":0,"event":"access_request.create","resource_ids":[{"x":1},{"x":2}]}"#,
    r#"{"code":"X","ei":0,"event":"of.a.future.version","time":"2024-02-23T19:00:22.473Z","x":1}"#,
];

fuzz_target!(|response: &[u8]| {
    let Ok(message::Answer::Change(one_of)) = message::Answer::decode(response, &[]) else {
        return;
    };
    let mut printed = Vec::new();
    if codec::to_json(&one_of, &mut printed).is_ok() {
        check(&printed);
    }
    for original in ORIGINALS {
        let mut printed = Vec::new();
        if codec::to_json_over(&one_of, original.as_bytes(), &mut printed).is_ok() {
            check(&printed);
        }
    }
});

fn check(printed: &[u8]) {
    let value: &RawValue = serde_json::from_slice(printed).expect("it is JSON");
    assert!(value.get().starts_with('{'), "it is an object");
    // It may have become another event: the plugin may have changed its type.
    let (mut one_of, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    if codec::to_protobuf(printed, &mut one_of).is_err() {
        return;
    }
    codec::to_json(&one_of, &mut first).expect("it comes back");
    one_of.clear();
    codec::to_protobuf(&first, &mut one_of).expect("it is an event");
    codec::to_json(&one_of, &mut second).expect("it comes back again");
    assert_eq!(first, second);
}
