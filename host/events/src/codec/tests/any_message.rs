//! Properties of any message and any text.

use proptest::prelude::*;
use std::fmt;

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};
use proto::events::OneOf;
use serde_json::Value as Json;

use super::dynamic::{self, Source, event_types, is_message};
use super::{json, protobuf};
use crate::codec::{to_json, to_json_over, to_protobuf};

/// Reads decisions from bytes; zero from their end on, which is what shrinking aims at.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Source for Choices<'_> {
    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn below(&mut self, limit: u64) -> u64 {
        let bytes = [self.byte(), self.byte()];
        u64::from(u16::from_le_bytes(bytes)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
            % limit
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 10] = [
            "",
            "a",
            "b\u{0}\u{1f}\u{7f}",
            "\"\\/\u{8}\u{c}\n\r\t",
            "<script>&",
            "ünï",
            "\u{2028}\u{1f980}",
            "event",
            "0001-01-01T00:00:00Z",
            "\u{fffd}",
        ];
        let choice = usize::from(self.byte());
        TEXTS[choice % TEXTS.len()].repeat(1 + choice / 200)
    }

    fn number(&mut self) -> u64 {
        const NUMBERS: [u64; 8] =
            [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, (1 << 53) + 1, 1 << 31, u32::MAX as u64];
        NUMBERS[usize::from(self.byte()) % NUMBERS.len()]
    }

    fn double(&mut self) -> f64 {
        const DOUBLES: [f64; 12] = [
            0.0,
            -0.0,
            1.0,
            0.1,
            -2.5,
            1e21,
            1e20,
            1e-6,
            9.99e-7,
            f64::MAX,
            f64::MIN_POSITIVE,
            9_007_199_254_740_993.0,
        ];
        DOUBLES[usize::from(self.byte()) % DOUBLES.len()]
    }
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }
}

/// An `events.OneOf`; as JSON in what a failed test says.
#[derive(Clone)]
struct AnyEvent(DynamicMessage);

impl fmt::Debug for AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", dynamic::event(&self.0))
    }
}

/// An event of any type with any contents.
fn any_event() -> impl Strategy<Value = AnyEvent> {
    let one_of = dynamic::one_of();
    let cases: Vec<FieldDescriptor> =
        one_of.fields().filter(|it| !is_message(it, "events.Unknown")).collect();
    (0..cases.len(), proptest::collection::vec(any::<u8>(), 0..2000)).prop_map(
        move |(case, choices)| {
            let case = &cases[case];
            let Kind::Message(descriptor) = case.kind() else { panic!() };
            let mut event = dynamic::message(&descriptor, &mut Choices(choices.iter()));
            let is_metadata = |it: &FieldDescriptor| is_message(it, "events.Metadata");
            let field = descriptor.fields().find(is_metadata).unwrap();
            let Value::Message(metadata) = event.get_field_mut(&field) else { panic!() };
            let event_type = event_types(case).pop().unwrap_or_default();
            metadata.set_field_by_name("Type", Value::String(event_type));
            let mut wrapped = DynamicMessage::new(one_of.clone());
            wrapped.set_field(case, Value::Message(event));
            AnyEvent(wrapped)
        },
    )
}

/// JSON that is somehow like an event.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
        Just(Json::from("2024-02-23T19:00:22.4735+01:00")),
    ];
    let key = prop_oneof![
        Just("ei"),
        Just("time"),
        Just("user"),
        Just("success"),
        Just("attributes"),
        Just("user_traits"),
        Just("user_roles"),
        Just("mfa_device"),
        Just("trusted_device"),
        Just("scope_pin"),
        Just("assignments"),
        Just("roles"),
        Just("code"),
        Just("other"),
        Just("event"),
        Just("unknown_event"),
        Just("data"),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_message_is_in_json_what_its_descriptors_say(AnyEvent(one_of) in any_event()) {
        let printed: Json = serde_json::from_str(&json(&one_of.encode_to_vec())).unwrap();
        prop_assert_eq!(printed, dynamic::event(&one_of));
    }

    #[test]
    fn what_is_printed_is_read_again_as_the_same(AnyEvent(one_of) in any_event()) {
        let there = json(&one_of.encode_to_vec());
        let back = protobuf(&there);
        prop_assert_eq!(json(&back), there);
        let decoded = OneOf::decode(&*back).unwrap();
        prop_assert_eq!(decoded.encode_to_vec(), back, "the form is not canonical");
    }

    #[test]
    fn any_object_with_a_type_travels(
        event in any_json(),
        event_type in prop_oneof![Just("user.login"), Just("unknown"), Just("new.type")],
    ) {
        let Json::Object(mut event) = event else { return Ok(()) };
        event.insert("event".into(), event_type.into());
        let text = Json::from(event).to_string();
        let one_of = protobuf(&text);
        OneOf::decode(&*one_of).unwrap();
        let there = json(&one_of);
        prop_assert_eq!(json(&protobuf(&there)), there);
        let mut over = Vec::new();
        to_json_over(&one_of, text.as_bytes(), &mut over).unwrap();
        let over: Json = serde_json::from_slice(&over).unwrap();
        for (key, value) in serde_json::from_str::<Json>(&text).unwrap().as_object().unwrap() {
            if key == "other" {
                prop_assert_eq!(&over[key], value);
            }
        }
    }

    #[test]
    fn any_bytes_are_converted_or_refused(bytes in any::<Vec<u8>>(), number in 1_u32..260) {
        let mut one_of = Vec::new();
        crate::codec::wire::put_bytes(&mut one_of, number, &bytes);
        for input in [&bytes, &one_of] {
            let mut out = b"kept".to_vec();
            match to_json(input, &mut out) {
                Ok(()) => drop(serde_json::from_slice::<Json>(&out[4..]).unwrap()),
                Err(_) => prop_assert_eq!(&out, b"kept"),
            }
            let mut out = b"kept".to_vec();
            if to_protobuf(input, &mut out).is_err() {
                prop_assert_eq!(&out, b"kept");
            }
        }
    }
}
