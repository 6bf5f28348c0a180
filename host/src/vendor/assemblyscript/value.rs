//! A single value of a protobuf type: how AssemblyScript calls, reads and writes it.

use prost_reflect::Kind;

use super::path;

/// The statements that write `value` as a whole field.
pub(super) fn put(kind: &Kind, number: u32, value: &str) -> String {
    match (kind, wire(kind)) {
        (_, Some(wire)) => format!("{} to.tag({number}, {wire});", put_bare(kind, value)),
        (Kind::Message(_), _) => format!("to.message({number}, {value});"),
        (Kind::Bytes, _) => format!("to.bytes({number}, {value});"),
        _ => format!("to.text({number}, {value});"),
    }
}

/// The statement that writes a number without its tag.
pub(super) fn put_bare(kind: &Kind, value: &str) -> String {
    format!("to.{}({value});", number_form(kind).1)
}

/// The expression that reads a value from the `pb.Reader` called `from`.
pub(super) fn take(kind: &Kind, from: &str) -> String {
    match kind {
        Kind::Message(_) => format!("{from}.message<{}>()", ty(kind)),
        Kind::String => format!("{from}.text()"),
        Kind::Bytes => format!("{from}.bytes()"),
        Kind::Bool => format!("{from}.bool()"),
        _ => format!("{from}.{}()", number_form(kind).1),
    }
}

/// The type as AssemblyScript writes it.
pub(super) fn ty(kind: &Kind) -> String {
    match kind {
        Kind::Message(it) => path(it.package_name(), it.full_name()),
        Kind::Enum(it) => path(it.package_name(), it.full_name()),
        Kind::String => "string".to_owned(),
        Kind::Bytes => "Uint8Array".to_owned(),
        _ => number_form(kind).0.to_owned(),
    }
}

/// The expression for a value that is not set.
pub(super) fn zero(kind: &Kind) -> String {
    match kind {
        Kind::Message(_) => format!("new {}()", ty(kind)),
        Kind::String => "\"\"".to_owned(),
        Kind::Bytes => "new Uint8Array(0)".to_owned(),
        Kind::Bool => "false".to_owned(),
        _ => "0".to_owned(),
    }
}

/// The wire type of what is a number there; None for what has its length before it.
pub(super) fn wire(kind: &Kind) -> Option<u32> {
    match kind {
        Kind::Message(_) | Kind::String | Kind::Bytes => None,
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Some(1),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Some(5),
        _ => Some(0),
    }
}

/// A number's type, and the method of `pb.Reader` and `pb.Writer` for its form on the wire.
fn number_form(kind: &Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Bool => ("bool", "int<bool>"),
        Kind::Int64 => ("i64", "int<i64>"),
        Kind::Uint32 => ("u32", "int<u32>"),
        Kind::Uint64 => ("u64", "int<u64>"),
        Kind::Sint32 => ("i32", "zigzag<i32>"),
        Kind::Sint64 => ("i64", "zigzag<i64>"),
        Kind::Double => ("f64", "fixed<f64>"),
        Kind::Float => ("f32", "fixed<f32>"),
        Kind::Fixed32 => ("u32", "fixed<u32>"),
        Kind::Fixed64 => ("u64", "fixed<u64>"),
        Kind::Sfixed32 => ("i32", "fixed<i32>"),
        Kind::Sfixed64 => ("i64", "fixed<i64>"),
        _ => ("i32", "int<i32>"),
    }
}
