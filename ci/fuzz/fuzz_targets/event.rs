//! Does an event in JSON reach plugins and come back?
//!
//! Whatever has a type becomes an `events.OneOf` that other decoders take. What is printed of it is
//! read as the same again, and printed over the original it is the same as before.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::events::OneOf;

#[allow(dead_code, unused_imports)] // of a part of it
#[path = "../../../host/events/src/codec/mod.rs"]
mod codec;

fuzz_target!(|json: &[u8]| {
    let mut one_of = Vec::new();
    if codec::to_protobuf(json, &mut one_of).is_err() {
        assert!(codec::event_type(json).is_err(), "it has a type, and does not travel");
        return;
    }
    OneOf::decode(&*one_of).expect("other decoders take it");
    let mut printed = Vec::new();
    codec::to_json(&one_of, &mut printed).expect("it comes back");
    assert_eq!(again(&printed), printed);
    let mut over = Vec::new();
    codec::to_json_over(&one_of, json, &mut over).expect("it comes back");
    let mut one_of = Vec::new();
    codec::to_protobuf(&over, &mut one_of).expect("it is an event still");
    let mut same = Vec::new();
    codec::to_json_over(&one_of, &over, &mut same).expect("it comes back again");
    assert_eq!(over, same);
});

/// An event in JSON as it comes back from protobuf.
fn again(json: &[u8]) -> Vec<u8> {
    let (mut one_of, mut printed) = (Vec::new(), Vec::new());
    codec::to_protobuf(json, &mut one_of).expect("it is an event");
    codec::to_json(&one_of, &mut printed).expect("it comes back");
    printed
}
