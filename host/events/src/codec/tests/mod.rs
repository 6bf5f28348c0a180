//! Tests of the conversion as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails loudly

mod golden;

use super::{to_json, to_protobuf};

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
