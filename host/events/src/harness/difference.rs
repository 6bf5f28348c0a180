//! What is other than expected.

use crate::fixture::Partial;
use prost_reflect::{DynamicMessage, ReflectMessage, SerializeOptions};
use serde_json::Value;
use std::fmt::{Display, Formatter};

/// Stands for a value that is not there.
const NOTHING: &str = "nothing";

/// A value that is another than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place: `event.UserLogin.User.Login`.
    pub at: String,
    /// What the fixture says.
    pub expected: String,
    /// What the plugin has made of it.
    pub got: String,
}

impl Difference {
    pub(super) fn new(
        at: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self { at: at.into(), expected: expected.into(), got: got.into() }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  expected  {}\n  got       {}", self.at, self.expected, self.got)
    }
}

/// Compares an event that goes on.
pub(super) fn event(expected: &Partial, one_of: &[u8], into: &mut Vec<Difference>) {
    let decoded = DynamicMessage::decode(expected.message.descriptor(), one_of);
    let name = |message: &DynamicMessage| {
        message.fields().next().map(|(field, _)| field.name().to_owned())
    };
    match decoded {
        Ok(got) => match (name(&expected.message), name(&got)) {
            (Some(expected), got) if Some(&expected) != got.as_ref() => {
                let got = got.unwrap_or_else(|| NOTHING.to_owned());
                into.push(Difference::new("event", expected, got));
            }
            _ => message(expected, &got, "event", into),
        },
        Err(error) => into.push(Difference::new("event", "an event", error.to_string())),
    }
}

/// Compares messages, which must be as many as expected.
pub(super) fn list(
    at: &str,
    expected: &[Partial],
    messages: &[Vec<u8>],
    into: &mut Vec<Difference>,
) {
    for (index, (expected, bytes)) in expected.iter().zip(messages).enumerate() {
        let at = format!("{at}[{index}]");
        match DynamicMessage::decode(expected.message.descriptor(), &**bytes) {
            Ok(got) => message(expected, &got, &at, into),
            Err(error) => into.push(Difference::new(at, "a message", error.to_string())),
        }
    }
    let (expected, got) = (expected.len(), messages.len());
    if expected != got {
        into.push(Difference::new(
            format!("number of {at}"),
            expected.to_string(),
            got.to_string(),
        ));
    }
}

fn message(expected: &Partial, got: &DynamicMessage, at: &str, into: &mut Vec<Difference>) {
    match (json(&expected.message), json(got)) {
        (Ok(wanted), Ok(got)) => walk(&expected.given, Some(&wanted), Some(&got), at, into),
        (Err(error), _) | (_, Err(error)) => {
            into.push(Difference::new(at, expected.given.to_string(), error.to_string()));
        }
    }
}

/// The one form of a message: zero values too, since some may be expected.
fn json(message: &DynamicMessage) -> Result<Value, serde_json::Error> {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options)
}

/// Follows what is given; `wanted` is the same in the form that `got` has.
fn walk(
    given: &Value,
    wanted: Option<&Value>,
    got: Option<&Value>,
    at: &str,
    into: &mut Vec<Difference>,
) {
    match (given, wanted, got) {
        (Value::Object(given), Some(wanted @ Value::Object(_)), Some(got @ Value::Object(_))) => {
            for (key, given) in given {
                walk(given, wanted.get(key), got.get(key), &format!("{at}.{key}"), into);
            }
        }
        (Value::Array(given), Some(Value::Array(wanted)), Some(Value::Array(got)))
            if given.len() == got.len() =>
        {
            for (index, given) in given.iter().enumerate() {
                let at = format!("{at}[{index}]");
                walk(given, wanted.get(index), got.get(index), &at, into);
            }
        }
        _ if wanted == got => {}
        (Value::Object(_) | Value::Array(_), _, _) => {
            into.push(Difference::new(at, given.to_string(), show(got)));
        }
        _ => into.push(Difference::new(at, show(wanted), show(got))),
    }
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), Value::to_string)
}
