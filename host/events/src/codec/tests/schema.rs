//! The tables themselves.

use std::collections::HashSet;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind as Type, Value};
use proto::events::OneOf;
use proto::events::one_of::Event;

use super::dynamic::{event_types, one_of};
use crate::codec::print::Printer;
use crate::codec::schema::{Form, Kind, SCHEMA, Step, compile};
use crate::codec::{case_of, encode};

#[test]
fn every_case_and_every_type_is_in_the_tables() {
    assert_eq!(SCHEMA.cases.len(), one_of().fields().len());
    for case in one_of().fields() {
        let table = SCHEMA.case_of_number(case.number()).unwrap();
        assert_eq!(table.name, case.name());
        for event_type in event_types(&case) {
            assert_eq!(SCHEMA.case_of_type(&event_type).unwrap().number, case.number());
        }
    }
}

#[test]
fn every_field_has_a_key_but_for_these() {
    let mut left_out = Vec::new();
    for case in one_of().fields() {
        let object = &SCHEMA.objects[SCHEMA.case_of_number(case.number()).unwrap().object];
        let Type::Message(message) = case.kind() else { panic!() };
        let mut groups = vec![(0, message)];
        while let Some((group, message)) = groups.pop() {
            for field in message.fields() {
                match object.groups[group].field(field.number()) {
                    None => left_out.push(format!("{} in {}", field.full_name(), case.name())),
                    Some(Step::Group { index, .. }) => {
                        let Type::Message(message) = field.kind() else { panic!() };
                        groups.push((index, message));
                    }
                    Some(Step::Member(_)) => {}
                }
            }
        }
    }
    left_out.sort();
    let expected = [
        // The key is `message`, twice at one depth.
        "events.AccessListReviewMetadata.Message in AccessListReview",
        // Teleport's resource, which is not a part of this schema.
        "events.SAMLConnectorCreate.Connector in SAMLConnectorCreate",
        "events.SAMLConnectorUpdate.Connector in SAMLConnectorUpdate",
        "events.Status.UserMessage in AccessListReview",
        // The key is `message`, which a member further out has.
        "events.Status.UserMessage in MCPSessionNotification",
        "events.Status.UserMessage in MCPSessionRequest",
    ];
    assert_eq!(left_out, expected);
}

/// Nothing but a Struct limits how deep a message is.
#[test]
fn no_message_contains_itself() {
    fn visit(index: usize, path: &mut Vec<usize>, done: &mut HashSet<usize>) {
        assert!(!path.contains(&index), "{:?}", SCHEMA.objects[index]);
        if done.contains(&index) {
            return;
        }
        path.push(index);
        for member in &SCHEMA.objects[index].members {
            let (Form::One(kind) | Form::List(kind) | Form::Map(kind)) = member.form;
            if let Kind::Object(index) | Kind::Oneof(index) = kind {
                visit(index, path, done);
            }
        }
        path.pop();
        done.insert(index);
    }
    let mut done = HashSet::new();
    for case in &SCHEMA.cases {
        visit(case.object, &mut Vec::new(), &mut done);
    }
}

/// The descriptors with another option on the field `UserLogin.Client`, which is held by value.
fn with_client_by_pointer() -> DescriptorPool {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    let json = pool.get_extension_by_name("tenon.json").unwrap();
    let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = DynamicMessage::decode(set, proto::DESCRIPTORS).unwrap();
    let file = named(&mut set, "file", "events/events.proto");
    let message = named(file, "message_type", "UserLogin");
    let field = named(message, "field", "Client");
    let Some(Value::Message(options)) = field.get_field_by_name_mut("options") else { panic!() };
    let Value::Message(options) = options.get_extension_mut(&json) else { panic!() };
    options.set_field_by_name("by_value", Value::Bool(false));
    DescriptorPool::decode(&*set.encode_to_vec()).unwrap()
}

/// The element with this name of the list that a field is.
fn named<'a>(message: &'a mut DynamicMessage, field: &str, name: &str) -> &'a mut DynamicMessage {
    let Some(Value::List(list)) = message.get_field_by_name_mut(field) else { panic!("{field}") };
    let mut elements = list.iter_mut().filter_map(|it| match it {
        Value::Message(message) => Some(message),
        _ => None,
    });
    elements.find(|it| it.get_field_by_name("name").unwrap().as_str() == Some(name)).unwrap()
}

#[test]
fn an_embedded_message_that_is_unset_and_not_by_value_is_left_out() {
    let mut schema = compile::compile(&with_client_by_pointer()).unwrap();
    // So that it would be printed if its message were there.
    let case = schema.case_of_type("user.login").unwrap().object;
    let index = schema.objects[case].find("user_agent").unwrap();
    schema.objects[case].members[index].omit_empty = false;
    let case = schema.case_of_type("user.login").unwrap();
    let through = |event: &str| {
        let mut one_of = Vec::new();
        encode::event(&schema, case, event, &mut one_of).unwrap();
        let client = match OneOf::decode(&*one_of).unwrap().event {
            Some(Event::UserLogin(login)) => login.client,
            other => panic!("{other:?}"),
        };
        let (_, message) = case_of(&schema, &one_of).unwrap();
        let mut json = Vec::new();
        let object = &schema.objects[case.object];
        Printer::new(&schema, &mut json).object(object, &message, Vec::new()).unwrap();
        (client.is_some(), String::from_utf8(json).unwrap().contains(r#""user_agent":"""#))
    };
    assert_eq!(through(r#"{"event":"user.login"}"#), (false, false));
    assert_eq!(through(r#"{"event":"user.login","user_agent":""}"#), (true, true));
}
