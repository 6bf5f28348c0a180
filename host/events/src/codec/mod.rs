//! Audit events from JSON to protobuf and back.
//!
//! Sources and sinks speak JSON, plugins `events.OneOf` in protobuf. Both forms carry the same
//! event; the options in the descriptors of package `proto` say how each field is written in JSON.
//! They are compiled into tables once, and then an event goes from one form straight to the other.
//!
//! In JSON, `null` and zero are as good as absent, and of a key that occurs more than once the last
//! one counts. A whole number may be written as `5.0`, `5e0` or `"5"`, an enum by its name. Printed
//! are sorted keys, numbers as numbers, enums as their numbers, bytes in base64 and times in UTC:
//! what Teleport's own event handler prints, without escapes for HTML.
//!
//! An event that the schema cannot hold still travels: as the case `Unknown`, with its text as the
//! data. That are the types that the schema does not know, and known ones with a field that does
//! not fit: a string for a number, or a Struct nested deeper than [`MAX_DEPTH`].

mod encode;
mod error;
mod original;
mod print;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod unknown;
mod wire;

use std::borrow::Cow;

pub use error::{CodecError, Fault};

use print::Printer;
use schema::{Case, SCHEMA, Schema};
use wire::Fields;

/// How deep objects and lists may be nested in a field that holds any JSON.
///
/// In protobuf a level takes three messages, and most decoders refuse more than a hundred.
pub const MAX_DEPTH: usize = 32;

/// The type of an event, the value of its key `event`: `user.login`.
///
/// Reads all of the text, so that what has a type is whole JSON.
pub fn event_type(json: &[u8]) -> Result<Cow<'_, str>, CodecError> {
    unknown::event_type(utf8(json)?)
}

/// Appends an event in JSON to `out` as `events.OneOf`.
///
/// The form is canonical: fields in the order of their numbers, zero values left out, and messages
/// that Teleport holds by value always there. `out` is as it was after an error.
pub fn to_protobuf(json: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let json = utf8(json)?;
    let event_type = unknown::event_type(json)?;
    let start = out.len();
    if let Some(case) = SCHEMA.case_of_type(&event_type) {
        let Err(error) = encode::event(&SCHEMA, case, json, out) else { return Ok(()) };
        tracing::debug!(%event_type, %error, "an event does not fit the schema");
        out.truncate(start);
    }
    keep(start, out, |out| unknown::encode(&SCHEMA, &event_type, json, out))
}

/// Appends an event as `events.OneOf` to `out` in JSON.
///
/// `out` is as it was after an error.
pub fn to_json(one_of: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let (case, message) = case_of(&SCHEMA, one_of)?;
    keep(out.len(), out, |out| {
        if case.is_unknown {
            return unknown::print(&SCHEMA, case, &message, out);
        }
        let object = &SCHEMA.objects[case.object];
        let printed = Printer::new(&SCHEMA, out).object(object, &message, Vec::new());
        printed.map_err(|error| error.within(&case.name))
    })
}

/// Appends what a plugin made of an event to `out` in JSON: `one_of`, with the keys of the original
/// that the schema does not know, at every depth.
///
/// Elements of a list keep them by their index if the list is as long as it was. `out` is as it was
/// after an error.
pub fn to_json_over(
    one_of: &[u8],
    original_json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let original = utf8(original_json)?;
    let (case, message) = case_of(&SCHEMA, one_of)?;
    keep(out.len(), out, |out| {
        if case.is_unknown {
            return unknown::print_over(&SCHEMA, case, &message, original, out);
        }
        print_over(&SCHEMA, case, &message, original, out)
    })
}

fn print_over(
    schema: &Schema,
    case: &Case,
    message: &[u8],
    original: &str,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut members = original::members(original)?;
    let asked = schema.case_of_type(&unknown::event_type(original)?);
    if let Some(asked) = asked.filter(|asked| asked.object != case.object) {
        // The plugin made another event of it. What was known of the old one is gone.
        let object = &schema.objects[asked.object];
        members.retain(|(key, _)| object.find(key).is_none());
    }
    let object = &schema.objects[case.object];
    let printed = Printer::new(schema, out).object(object, message, members);
    printed.map_err(|error| error.within(&case.name))
}

/// The case that is set, which is the last one, and its message.
fn case_of<'s, 'a>(
    schema: &'s Schema,
    one_of: &'a [u8],
) -> Result<(&'s Case, Cow<'a, [u8]>), CodecError> {
    let mut set: Option<(&Case, Cow<[u8]>)> = None;
    let mut fields = Fields(one_of);
    let damaged = |fault| CodecError::from(fault).within("OneOf");
    while let Some((number, payload)) = fields.next().map_err(damaged)? {
        let Some(case) = schema.case_of_number(number) else { continue };
        let message = payload.bytes().map_err(damaged)?;
        match &mut set {
            // Several pieces of one message count as one.
            Some((same, pieces)) if same.number == number => pieces.to_mut().extend(message),
            _ => set = Some((case, Cow::Borrowed(message))),
        }
    }
    set.ok_or(CodecError::NoCase)
}

/// Runs `write`; takes back what it wrote if it fails.
fn keep(
    start: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    write(out).inspect_err(|_| out.truncate(start))
}

fn utf8(json: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(json).map_err(|error| CodecError::Utf8(error.valid_up_to()))
}
