//! Writes the classes of the AssemblyScript kit, `vendor/teleport.ts`, from the schema's descriptors.
//!
//! A class holds where its texts, bytes and messages stand in what it was decoded from, and decodes
//! each when it is first read; event-sdk/assemblyscript/vendor/protobuf.ts does the work. asc leaves
//! out every accessor and every class that a plugin does not use, so one file serves all.

mod class;
mod field;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorError, DescriptorPool, EnumDescriptor, Kind, MessageDescriptor};

/// What plugins name themselves; the rest of the file is what these are made of.
const ROOTS: [&str; 4] =
    ["plugin.HandleEventRequest", "plugin.HandleEventResponse", "plugin.Alert", "types.LockV2"];

const HEADER: &str = "\
// Written by `host` from its schema of audit events: change nothing here, it is replaced by the next
// `host vendor`. protobuf.ts has the parts that are the same for all classes.

import * as pb from \"./protobuf\";
";

/// The text of `teleport.ts`: a class for every message, an enum for every enum, each in a namespace
/// that is called as its package.
///
/// # Errors
///
/// When the descriptors that this host was built with are damaged.
pub fn assemblyscript_classes() -> Result<String, DescriptorError> {
    Ok(write(&DescriptorPool::decode(proto::DESCRIPTORS)?))
}

fn write(pool: &DescriptorPool) -> String {
    let mut schema = Schema::default();
    for root in ROOTS.iter().filter_map(|name| pool.get_message_by_name(name)) {
        schema.add(&root);
    }
    let mut out = Source { text: HEADER.to_owned(), depth: 0 };
    let packages: BTreeSet<&String> = schema.enums.keys().chain(schema.messages.keys()).collect();
    for package in packages {
        out.line("");
        for name in package.split('.') {
            out.line(&format!("export namespace {name} {{"));
        }
        for (name, it) in schema.enums.get(package).into_iter().flatten() {
            write_enum(&mut out, name, it);
        }
        for (name, it) in schema.messages.get(package).into_iter().flatten() {
            class::write(&mut out, name, it);
        }
        for _ in package.split('.') {
            out.line("}");
        }
    }
    out.text
}

/// All that the roots are made of: by package, then by name.
#[derive(Default)]
struct Schema {
    enums: BTreeMap<String, BTreeMap<String, EnumDescriptor>>,
    messages: BTreeMap<String, BTreeMap<String, MessageDescriptor>>,
}

impl Schema {
    fn add(&mut self, message: &MessageDescriptor) {
        if !message.is_map_entry() {
            let package = self.messages.entry(message.package_name().to_owned()).or_default();
            let name = flat_name(message.package_name(), message.full_name());
            if package.insert(name, message.clone()).is_some() {
                return;
            }
        }
        for field in message.fields() {
            match field.kind() {
                Kind::Message(message) => self.add(&message),
                Kind::Enum(it) => {
                    let name = flat_name(it.package_name(), it.full_name());
                    self.enums.entry(it.package_name().to_owned()).or_default().insert(name, it);
                }
                _ => {}
            }
        }
    }
}

/// The name without its package. AssemblyScript has no classes in classes: `Outer.Inner` is
/// `Outer_Inner`.
fn flat_name(package: &str, full_name: &str) -> String {
    full_name.strip_prefix(package).unwrap_or(full_name).trim_start_matches('.').replace('.', "_")
}

/// A class or enum as every namespace can call it.
fn path(package: &str, full_name: &str) -> String {
    format!("{package}.{}", flat_name(package, full_name))
}

fn write_enum(out: &mut Source, name: &str, it: &EnumDescriptor) {
    out.line(&format!("export enum {name} {{"));
    for value in it.values() {
        out.line(&format!("{} = {},", value.name(), value.number()));
    }
    out.line("}");
    out.line("");
}

/// Source text that indents itself: by what begins with a closing brace and ends with an opening one.
struct Source {
    text: String,
    depth: usize,
}

impl Source {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        self.depth -= usize::from(line.starts_with('}')).min(self.depth);
        if !line.is_empty() {
            self.text.push_str(&"  ".repeat(self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
        self.depth += usize::from(line.ends_with('{'));
    }

    /// A template with its `$names` filled in.
    fn fill(&mut self, template: &str, values: &[(&str, &str)]) {
        let filled = values
            .iter()
            .fold(template.trim().to_owned(), |text, (name, value)| text.replace(name, value));
        for line in filled.lines() {
            self.line(line);
        }
    }
}
