//! Tests of the conversion as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod any_message;
mod dynamic;
mod every_type;
mod forms;
mod golden;
mod original;
mod refused;
mod schema;
mod unknown;

use super::{to_json, to_json_over, to_protobuf};

fn protobuf(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    to_protobuf(json.as_bytes(), &mut out).unwrap();
    out
}

fn json(one_of: &[u8]) -> String {
    let mut out = Vec::new();
    to_json(one_of, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn over(one_of: &[u8], original: &str) -> String {
    let mut out = Vec::new();
    to_json_over(one_of, original.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
