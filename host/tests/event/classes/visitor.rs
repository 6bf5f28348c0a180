//! A plugin that reads every field of a message and sets it again, so that none is just copied.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Its source. For each root, with `_` for the dots of its name, it exports `visit_<root>`, and
/// `pass_<root>`, which looks at nothing.
pub(super) fn source(roots: &[MessageDescriptor]) -> String {
    let mut text = String::from(
        "import \"../vendor/env\";
import { input, output } from \"../vendor/memory\";
import { events, google, plugin, teleport, types, wrappers } from \"../vendor/teleport\";
",
    );
    let mut messages = BTreeMap::new();
    for root in roots {
        reach(root, &mut messages);
        let exports = "
export function visit_$name(): void {
  const message = $class.decode(new DataView(input()));
  $name(message);
  output(message.encode());
}
export function pass_$name(): void {
  output($class.decode(new DataView(input())).encode());
}
";
        text += &exports.replace("$class", &class(root)).replace("$name", &function(root));
    }
    for message in messages.values() {
        writeln!(text, "function {}(m: {}): void {{", function(message), class(message)).unwrap();
        message.fields().for_each(|field| text += &visit(&field));
        text += "}\n";
    }
    text
}

fn reach(message: &MessageDescriptor, messages: &mut BTreeMap<String, MessageDescriptor>) {
    if !message.is_map_entry() {
        let name = message.full_name().to_owned();
        if messages.insert(name, message.clone()).is_some() {
            return;
        }
    }
    for field in message.fields() {
        if let Kind::Message(message) = field.kind() {
            reach(&message, messages);
        }
    }
}

fn visit(field: &FieldDescriptor) -> String {
    let member = field.containing_oneof().is_some();
    let (statement, message) = match field.kind() {
        Kind::Message(entry) if field.is_map() => match entry.map_entry_value_field().kind() {
            Kind::Message(value) => (
                "for (let i = 0, k = m.$name.keys(); i < k.length; i++) $visit(m.$name.get(k[i]));",
                Some(value),
            ),
            _ => (
                "for (let i = 0, k = m.$name.keys(); i < k.length; i++) \
                 m.$name.set(k[i], m.$name.get(k[i]));",
                None,
            ),
        },
        Kind::Message(item) if field.is_list() => {
            ("for (let i = 0; i < m.$name.length; i++) $visit(m.$name[i]);", Some(item))
        }
        _ if field.is_list() => {
            ("for (let i = 0; i < m.$name.length; i++) m.$name[i] = m.$name[i];", None)
        }
        Kind::Message(value) if member => (
            "{ const value = m.$name; if (value != null) { $visit(value); m.$name = value; } }",
            Some(value),
        ),
        _ if member => ("if (m.type == \"$name\") m.$name = m.$name;", None),
        // That it is read must not make it present.
        Kind::Message(value) => (
            "{ const value = m.$name; if (m.has$name) { $visit(value); m.$name = value; } }",
            Some(value),
        ),
        _ => ("m.$name = m.$name;", None),
    };
    let visit = message.map(|message| function(&message)).unwrap_or_default();
    format!("  {}\n", statement.replace("$name", field.name()).replace("$visit", &visit))
}

/// The function that visits a message.
pub(super) fn function(message: &MessageDescriptor) -> String {
    message.full_name().replace('.', "_")
}

fn class(message: &MessageDescriptor) -> String {
    let package = message.package_name();
    let name = message.full_name().trim_start_matches(package).trim_start_matches('.');
    format!("{package}.{}", name.replace('.', "_"))
}
