//! Is whatever stands in a fixture's file an event or an error?
//!
//! The bytes are the file. What is read of it is also a message to the code that plugins decode it
//! with, and what can be sent to a plugin keeps its type.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::events::OneOf;
use proto::prost::Message;

#[allow(dead_code)]
#[path = "../../../host/events/src/codec/mod.rs"]
mod codec;

#[allow(dead_code)]
#[path = "../../../host/events/src/event.rs"]
mod event;

#[allow(dead_code, unused_imports)]
#[path = "../../../host/events/src/fixture/mod.rs"]
mod fixture;

fuzz_target!(|file: &[u8]| {
    let Ok(fixture) = fixture::Fixture::parse(file) else { return };
    let bytes = fixture.to_protobuf();
    if let Ok(event) = fixture.to_event() {
        let decoded = OneOf::decode(&*bytes).expect("a plugin can decode it");
        assert!(decoded.event.is_some());
        codec::event_type(event.json()).expect("it has a type");
    }
});
