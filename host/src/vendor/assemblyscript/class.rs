//! One class: its fields, then how it is read and written.

use prost_reflect::{Kind, MessageDescriptor, OneofDescriptor};

use super::field::Field;
use super::value::put;
use super::{Source, path};

pub(super) fn write(out: &mut Source, name: &str, message: &MessageDescriptor) {
    let fields: Vec<Field> = message.fields().map(Field::new).collect();
    let oneofs: Vec<OneofDescriptor> = message.oneofs().filter(|it| !it.is_synthetic()).collect();
    let this = path(message.package_name(), message.full_name());
    out.line(&format!("export class {name} extends pb.Message {{"));
    out.line(&format!("static decode(view: DataView | null): {this} {{"));
    out.line(&format!("return pb.decode<{this}>(view);"));
    out.line("}");
    for oneof in &oneofs {
        out.line("");
        out.fill(ONEOF, &[("$name", oneof.name())]);
    }
    if let [oneof] = &oneofs[..]
        && fields.iter().all(|field| field.name() != "type")
    {
        out.line("");
        write_type(out, oneof);
    }
    for field in &fields {
        out.line("");
        field.write_accessors(out);
    }
    out.line("");
    write_read(out, &fields, &oneofs);
    out.line("");
    write_write(out, &fields, &oneofs);
    out.line("}");
    out.line("");
}

/// Which member is set, and the message that it is. A message that was not read is where it stands.
const ONEOF: &str = "
private $name_case: u32 = 0;
private $name_at: u32 = 0;
private $name_: pb.Message | null = null;
private $name_set(field: u32, value: pb.Message | null): void {
  this.$name_case = field;
  this.$name_at = pb.SET;
  this.$name_ = value;
}
";

fn write_type(out: &mut Source, oneof: &OneofDescriptor) {
    out.line("/** The name of the member that is set; empty when none is. */");
    out.line("get type(): string {");
    out.line(&format!("switch (this.{}_case) {{", oneof.name()));
    for field in oneof.fields() {
        out.line(&format!("case {}: return \"{}\";", field.number(), field.name()));
    }
    out.line("default: return \"\";");
    out.line("}");
    out.line("}");
}

fn write_read(out: &mut Source, fields: &[Field], oneofs: &[OneofDescriptor]) {
    out.line("__read(from: pb.Reader): void {");
    out.line("while (from.next()) {");
    out.line("switch (from.field) {");
    for field in fields {
        field.write_read(out);
    }
    for oneof in oneofs {
        write_read_messages(out, oneof);
    }
    out.line("default: from.keep(this);");
    out.line("}");
    out.line("}");
    out.line("}");
}

/// All messages of a oneof are read alike: one arm instead of hundreds.
fn write_read_messages(out: &mut Source, oneof: &OneofDescriptor) {
    let numbers: Vec<String> = oneof
        .fields()
        .filter(|it| matches!(it.kind(), Kind::Message(_)))
        .map(|it| format!("case {}:", it.number()))
        .collect();
    if numbers.is_empty() {
        return;
    }
    for row in numbers.chunks(10) {
        out.line(&row.join(" "));
    }
    out.fill("this.$name_set(from.field, null);", &[("$name", oneof.name())]);
    out.fill("this.$name_at = from.span();", &[("$name", oneof.name())]);
    out.line("break;");
}

/// From the last field to the first: that is how `pb.Writer` writes.
fn write_write(out: &mut Source, fields: &[Field], oneofs: &[OneofDescriptor]) {
    out.line("__write(to: pb.Writer): void {");
    out.line("to.unknown(this);");
    let mut single: Vec<&Field> = fields.iter().filter(|field| !field.is_member()).collect();
    single.sort_by_key(|field| std::cmp::Reverse(field.number()));
    for oneof in oneofs {
        write_oneof(out, oneof);
    }
    for field in single {
        field.write_write(out);
    }
    out.line("}");
}

/// One member is written, whatever its value: that it is set says something.
fn write_oneof(out: &mut Source, oneof: &OneofDescriptor) {
    let name = oneof.name();
    let message =
        format!("to.messageOr(this.{name}_case, this.{name}_, this.__source, this.{name}_at);");
    let values: Vec<_> =
        oneof.fields().filter(|it| !matches!(it.kind(), Kind::Message(_))).collect();
    if values.is_empty() {
        out.line(&format!("if (this.{name}_case) {message}"));
        return;
    }
    out.line(&format!("switch (this.{name}_case) {{"));
    out.line("case 0: break;");
    for member in values {
        let value = format!("this.{}_", member.name());
        let put = put(&member.kind(), member.number(), &value);
        out.line(&format!("case {}: {put} break;", member.number()));
    }
    out.line(&format!("default: {message}"));
    out.line("}");
}
