//! Every event type with every field set.

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};
use proto::events::OneOf;
use serde_json::Value as Json;

use super::dynamic::{Source, event, event_types, is_message, message, one_of};
use super::{json, protobuf};

/// Sets all fields, each to something else.
struct All(u64);

impl Source for All {
    fn flag(&mut self) -> bool {
        true
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        self.0 % limit
    }

    fn text(&mut self) -> String {
        self.0 += 1;
        format!("text {}", self.0)
    }

    fn number(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    fn double(&mut self) -> f64 {
        self.0 += 1;
        f64::from(u32::try_from(self.0).unwrap()) / 4.0
    }
}

/// Fields whose key another one has.
const KEYLESS: [(&str, &str, &str); 4] = [
    ("AccessListReview", "Review", "Message"),
    ("AccessListReview", "status", "UserMessage"),
    ("MCPSessionNotification", "status", "UserMessage"),
    ("MCPSessionRequest", "status", "UserMessage"),
];

/// An event of each type, with all fields set that have a form in JSON.
pub(super) fn events() -> Vec<(String, DynamicMessage)> {
    let one_of = one_of();
    let mut events = Vec::new();
    for case in one_of.fields() {
        let prost_reflect::Kind::Message(descriptor) = case.kind() else { panic!() };
        for event_type in event_types(&case) {
            let mut event = message(&descriptor, &mut All(events.len() as u64));
            let is_metadata = |it: &FieldDescriptor| is_message(it, "events.Metadata");
            let field = descriptor.fields().find(is_metadata).unwrap();
            let Value::Message(metadata) = event.get_field_mut(&field) else { panic!() };
            metadata.set_field_by_name("Type", Value::String(event_type.clone()));
            for (_, parent, field) in KEYLESS.iter().filter(|it| it.0 == case.name()) {
                let parent = event.get_field_by_name_mut(parent).unwrap();
                let Value::Message(parent) = parent else { panic!() };
                parent.clear_field_by_name(field);
            }
            let mut wrapped = DynamicMessage::new(one_of.clone());
            wrapped.set_field(&case, Value::Message(event));
            events.push((event_type, wrapped));
        }
    }
    events
}

#[test]
fn every_type_with_every_field_round_trips_exactly() {
    let events = events();
    assert!(events.len() > 255, "{}", events.len());
    for (event_type, event) in events {
        // By way of the prost types, whose maps are in order.
        let bytes = OneOf::decode(&*event.encode_to_vec()).unwrap().encode_to_vec();
        let there = json(&bytes);
        let back = protobuf(&there);
        assert_eq!(OneOf::decode(&*back).unwrap(), OneOf::decode(&*bytes).unwrap(), "{event_type}");
        assert!(back == bytes, "{event_type}: the form is not canonical");
        assert_eq!(json(&back), there, "{event_type}");
    }
}

#[test]
fn every_field_is_under_its_key_in_its_form() {
    for (event_type, one_of) in events() {
        let printed: Json = serde_json::from_str(&json(&one_of.encode_to_vec())).unwrap();
        assert_eq!(printed, event(&one_of), "{event_type}");
    }
}
