//! From descriptors to tables.

use std::collections::HashMap;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor,
    Kind as Type, MessageDescriptor,
};
use proto::tenon::Json;

use super::{Case, Form, Group, Kind, Member, Object, Precision, Schema, Step};

/// The tables of the schema that this program carries.
#[allow(clippy::expect_used)] // they are a part of this program, and every test of it compiles them
pub(super) fn events() -> Schema {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("the descriptors are whole");
    compile(&pool).expect("the descriptors have events.OneOf and the JSON options")
}

/// The tables of `events.OneOf` and what it contains.
pub(in crate::codec) fn compile(pool: &DescriptorPool) -> Option<Schema> {
    let one_of = pool.get_message_by_name("events.OneOf")?;
    Some(Compiler::new(pool)?.compile(&one_of))
}

struct Compiler {
    schema: Schema,
    json: ExtensionDescriptor,
    event_type: ExtensionDescriptor,
    /// What has its index already, by full name.
    objects: HashMap<String, usize>,
    enums: HashMap<String, usize>,
}

/// Where a message stands in the object that it is a part of.
#[derive(Clone, Copy, Default)]
struct Embedding {
    depth: usize,
    parent: Option<usize>,
    by_value: bool,
}

/// An object in the making: its members with the depth that they were found at.
#[derive(Default)]
struct Draft {
    members: Vec<(usize, Member)>,
    groups: Vec<Group>,
}

impl Compiler {
    fn new(pool: &DescriptorPool) -> Option<Self> {
        Some(Self {
            schema: Schema::default(),
            json: pool.get_extension_by_name("tenon.json")?,
            event_type: pool.get_extension_by_name("tenon.event_type")?,
            objects: HashMap::new(),
            enums: HashMap::new(),
        })
    }

    fn compile(mut self, one_of: &MessageDescriptor) -> Schema {
        let mut fields: Vec<_> = one_of.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        for field in fields {
            let Type::Message(message) = field.kind() else { continue };
            let object = self.object(&message);
            let options = field.options();
            let types = options.get_extension(&self.event_type);
            for event_type in types.as_list().into_iter().flatten() {
                let event_type = event_type.as_str().unwrap_or_default().to_owned();
                self.schema.types.insert(event_type, self.schema.cases.len());
            }
            self.schema.cases.push(Case {
                name: field.name().to_owned(),
                number: field.number(),
                is_unknown: message.full_name() == "events.Unknown",
                object,
            });
        }
        self.schema
    }

    /// The index of the object that a message is in JSON.
    fn object(&mut self, message: &MessageDescriptor) -> usize {
        self.object_of(message.full_name(), message.fields().collect(), false)
    }

    fn object_of(&mut self, name: &str, fields: Vec<FieldDescriptor>, oneof: bool) -> usize {
        if let Some(&index) = self.objects.get(name) {
            return index;
        }
        // It has its index before its members are looked at: a message may contain itself.
        let index = self.schema.objects.len();
        self.objects.insert(name.to_owned(), index);
        self.schema.objects.push(Object::default());
        let mut draft = Draft::default();
        self.group(&mut draft, fields, Embedding::default(), oneof);
        self.schema.objects[index] = draft.finish(oneof);
        index
    }

    /// Adds a message to the draft; returns its index among the groups.
    fn group(
        &mut self,
        draft: &mut Draft,
        mut fields: Vec<FieldDescriptor>,
        embedding: Embedding,
        inside_oneof: bool,
    ) -> usize {
        let group = draft.groups.len();
        let Embedding { depth, parent, by_value } = embedding;
        draft.groups.push(Group { parent, by_value, ..Group::default() });
        fields.sort_by_key(FieldDescriptor::number);
        let mut oneofs = HashMap::new();
        for field in fields {
            let options = self.options(&field);
            if options.skip {
                continue;
            }
            let number = field.number();
            let oneof = field.containing_oneof().filter(|it| !it.is_synthetic() && !inside_oneof);
            let step = match (&oneof, field.kind()) {
                (Some(oneof), _) if oneofs.contains_key(oneof.name()) => oneofs[oneof.name()],
                (Some(oneof), _) => {
                    let object = self.object_of(oneof.full_name(), oneof.fields().collect(), true);
                    let options =
                        Json { key: oneof.name().to_owned(), omit_empty: true, ..Json::default() };
                    let form = Form::One(Kind::Oneof(object));
                    let step = draft.member(depth, group, number, form, options);
                    oneofs.insert(oneof.name().to_owned(), step);
                    step
                }
                (None, Type::Message(message)) if options.flatten => {
                    let fields = message.fields().collect();
                    let Json { by_value, .. } = options;
                    let embedding = Embedding { depth: depth + 1, parent: Some(group), by_value };
                    let index = self.group(draft, fields, embedding, false);
                    Step::Group { number, index }
                }
                (None, _) => {
                    let Some(form) = self.form(&field) else { continue };
                    let omit_empty = options.omit_empty || inside_oneof;
                    draft.member(depth, group, number, form, Json { omit_empty, ..options })
                }
            };
            draft.groups[group].place(number, step);
        }
        group
    }

    /// `None`: the type is not one of those that the schema uses.
    fn form(&mut self, field: &FieldDescriptor) -> Option<Form> {
        if field.is_map() {
            let Type::Message(entry) = field.kind() else { return None };
            let is_text = entry.map_entry_key_field().kind() == Type::String;
            let value = self.kind(&entry.map_entry_value_field())?;
            return is_text.then_some(Form::Map(value));
        }
        let kind = self.kind(field)?;
        Some(if field.cardinality() == Cardinality::Repeated {
            Form::List(kind)
        } else {
            Form::One(kind)
        })
    }

    fn kind(&mut self, field: &FieldDescriptor) -> Option<Kind> {
        Some(match field.kind() {
            Type::Bool => Kind::Bool,
            Type::Bytes => Kind::Bytes,
            Type::Int32 => Kind::Int32,
            Type::Int64 => Kind::Int64,
            Type::String => Kind::String,
            Type::Uint32 => Kind::Uint32,
            Type::Uint64 => Kind::Uint64,
            Type::Enum(descriptor) => Kind::Enum(self.enumeration(&descriptor)),
            Type::Message(message) => match message.full_name() {
                "google.protobuf.Struct" => Kind::Struct,
                "google.protobuf.UInt32Value" => Kind::Uint32Value,
                "google.protobuf.UInt64Value" => Kind::Uint64Value,
                "wrappers.LabelValues" => Kind::Labels,
                "google.protobuf.Timestamp" if field.full_name() == "events.Metadata.Time" => {
                    Kind::Time(Precision::Milliseconds)
                }
                "google.protobuf.Timestamp" => Kind::Time(Precision::Nanoseconds),
                _ => Kind::Object(self.object(&message)),
            },
            _ => return None,
        })
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> usize {
        let index = self.schema.enums.len();
        *self.enums.entry(descriptor.full_name().to_owned()).or_insert_with(|| {
            let values = descriptor.values().map(|it| (it.name().to_owned(), it.number()));
            self.schema.enums.push(values.collect());
            index
        })
    }

    fn options(&self, field: &FieldDescriptor) -> Json {
        let options = field.options();
        let json = options.get_extension(&self.json);
        let json = json.as_message().and_then(|json| json.transcode_to::<Json>().ok());
        let mut json = json.unwrap_or_default();
        if json.key.is_empty() {
            field.name().clone_into(&mut json.key);
        }
        json
    }
}

impl Draft {
    fn member(
        &mut self,
        depth: usize,
        group: usize,
        number: u32,
        form: Form,
        options: Json,
    ) -> Step {
        let Json { key, omit_empty, by_value, .. } = options;
        let quoted = format!("\"{key}\":");
        let member = Member { key, quoted, group, number, form, omit_empty, by_value };
        self.members.push((depth, member));
        Step::Member(self.members.len() - 1)
    }

    /// Sorts the members and leaves out those that have no key, by Go's rule for embedded structs:
    /// of several members with one key the outermost has it, and if there is more than one of
    /// those, none.
    fn finish(self, oneof: bool) -> Object {
        let Self { members, mut groups } = self;
        let mut order: Vec<_> = (0..members.len()).collect();
        order.sort_by_key(|&index| (&members[index].1.key, members[index].0));
        order = order
            .chunk_by(|&a, &b| members[a].1.key == members[b].1.key)
            .filter_map(|same| match same {
                [only] => Some(*only),
                [first, second, ..] if members[*first].0 < members[*second].0 => Some(*first),
                _ => None,
            })
            .collect();
        for group in &mut groups {
            group.renumber(&order);
        }
        let members: Vec<_> = order.into_iter().map(|index| members[index].1.clone()).collect();
        let keys = members.iter().enumerate().map(|(index, it)| (it.key.clone(), index)).collect();
        Object { members, keys, groups, oneof }
    }
}

impl Group {
    fn place(&mut self, number: u32, step: Step) {
        // The members of a oneof are one step.
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
        let index = number as usize;
        self.by_number.resize(self.by_number.len().max(index + 1), None);
        self.by_number[index] = Some(step);
    }

    /// Puts the members' places in `order` where their places in the draft were.
    fn renumber(&mut self, order: &[usize]) {
        let renumbered = |step| match step {
            Step::Member(old) => order.iter().position(|&kept| kept == old).map(Step::Member),
            group @ Step::Group { .. } => Some(group),
        };
        self.steps = self.steps.iter().copied().filter_map(renumbered).collect();
        for step in &mut self.by_number {
            *step = step.and_then(renumbered);
        }
    }
}
