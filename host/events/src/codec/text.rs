//! Strings and numbers in JSON, as protobuf's JSON marshaller for Go writes them: that is what
//! Teleport's event handler sends.

use std::io::Write;

use super::error::Fault;

/// Prints a string in quotes. Only what has to be escaped is: `<`, `>` and `&` are not.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    _ = serde_json::to_writer(out, text);
}

pub(super) fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Prints a double with as few digits as tell it apart: without an exponent from 0.000001 up to 21
/// digits before the point, `1e+21` and `1e-7` beyond.
pub(super) fn double(value: f64, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !value.is_finite() {
        return Err(Fault::Number);
    }
    let magnitude = value.abs();
    // Writing to a vector does not fail.
    _ = if magnitude >= 1e21 {
        write!(out, "{}", format!("{value:e}").replace('e', "e+"))
    } else if magnitude < 1e-6 && magnitude > 0.0 {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    };
    Ok(())
}
