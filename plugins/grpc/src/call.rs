//! A method of a service, and how requests and answers in JSON become its messages.

use crate::fields::{FieldPath, Wrong};
use crate::json::Mapping;
use crate::rule::Rule;
use crate::status::{Code, Status};
use crate::template::Template;
use percent_encoding::percent_decode;
use plugin_interface::{Error, Result};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor};
use serde_json::json;
use std::fmt::Display;

/// A method, as requests of one kind call it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: MethodDescriptor,
    /// `/package.Service/Method`.
    pub(crate) path: String,
    body: Body,
    /// What of the answer is sent, where not all.
    response_body: Option<FieldDescriptor>,
    /// The fields of the path's variables.
    variables: Vec<FieldPath>,
}

/// What a request's body is.
#[derive(Debug)]
enum Body {
    Nothing,
    Field(FieldDescriptor),
    Message,
}

impl Call {
    /// With the message as the body.
    pub(crate) fn direct(method: &MethodDescriptor) -> Self {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let (method, body) = (method.clone(), Body::Message);
        Self { method, path, body, response_body: None, variables: Vec::new() }
    }

    /// As a rule says.
    pub(crate) fn ruled(method: &MethodDescriptor, rule: &Rule, path: &Template) -> Result<Self> {
        let (input, output) = (method.input(), method.output());
        let body = match rule.body.as_str() {
            "" => Body::Nothing,
            "*" => Body::Message,
            name => Body::Field(input.get_field_by_name(name).ok_or_else(|| {
                Error::new(format_args!("\"body\": {} has no {name:?}", input.full_name()))
            })?),
        };
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => Some(output.get_field_by_name(name).ok_or_else(|| {
                Error::new(format_args!(
                    "\"response_body\": {} has no {name:?}",
                    output.full_name()
                ))
            })?),
        };
        let variable = |name| match FieldPath::find(&input, name) {
            Ok(field) if !field.is_list() => Ok(field),
            Err(Wrong::Unknown) => {
                Err(Error::new(format_args!("{} has no {name:?}", input.full_name())))
            }
            _ => {
                Err(Error::new(format_args!("{name:?} cannot be in a path: it is no single value")))
            }
        };
        let variables = path.fields().map(variable).collect::<Result<_>>()?;
        Ok(Self { body, response_body, variables, ..Self::direct(method) })
    }

    /// Whether it looks at the request's body.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.body, Body::Nothing)
    }

    /// The message for the service: of the body, of the query as far as the body leaves room, and of
    /// the values of the path's variables.
    pub(crate) fn message(
        &self,
        body: &[u8],
        query: Option<&str>,
        path: &[String],
        mapping: &Mapping,
    ) -> Result<DynamicMessage, Status> {
        let mut message = match &self.body {
            Body::Message if !body.is_empty() => {
                mapping.read(&self.method.input(), body).map_err(|error| bad("body", error))?
            }
            _ => DynamicMessage::new(self.method.input()),
        };
        if let Body::Field(field) = &self.body
            && !body.is_empty()
        {
            self.read_field(&mut message, field, body, mapping)
                .map_err(|error| bad("body", error))?;
        }
        if !matches!(self.body, Body::Message) {
            self.read_query(&mut message, query.unwrap_or_default(), mapping)?;
        }
        for (variable, text) in self.variables.iter().zip(path) {
            variable
                .set(&mut message, std::slice::from_ref(text), mapping)
                .map_err(|error| bad("path", format_args!("{text:?}: {error}")))?;
        }
        Ok(message)
    }

    fn read_field(
        &self,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        body: &[u8],
        mapping: &Mapping,
    ) -> Result<(), serde_json::Error> {
        if let Kind::Message(of) = field.kind()
            && !field.is_list()
            && !field.is_map()
        {
            message.set_field(field, prost_reflect::Value::Message(mapping.read(&of, body)?));
            return Ok(());
        }
        let value: serde_json::Value = serde_json::from_slice(body)?;
        let only = json!({field.json_name(): value});
        *message = mapping.read_value(&self.method.input(), only)?;
        Ok(())
    }

    fn read_query(
        &self,
        message: &mut DynamicMessage,
        query: &str,
        mapping: &Mapping,
    ) -> Result<(), Status> {
        let mut fields: Vec<(&str, FieldPath, Vec<String>)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = form_decoded(value)
                .ok_or_else(|| bad("query", format_args!("{name:?}: it is not UTF-8")))?;
            let path = match FieldPath::find(&self.method.input(), name) {
                Ok(path) => path,
                Err(Wrong::Unknown) if mapping.ignores_unknown => continue,
                Err(Wrong::Unknown) => {
                    return Err(bad("query", format_args!("{name:?}: there is no such field")));
                }
                Err(Wrong::NoText) => {
                    let why = "it can only be in a body, or field by field";
                    return Err(bad("query", format_args!("{name:?}: {why}")));
                }
            };
            let in_body = matches!(&self.body, Body::Field(field) if path.is_in(field));
            if in_body || self.variables.contains(&path) {
                let place = if in_body { "body" } else { "path" };
                return Err(bad("query", format_args!("{name:?}: it is in the {place}")));
            }
            match fields.iter_mut().find(|(_, other, _)| *other == path) {
                Some((.., texts)) => texts.push(text),
                None => fields.push((name, path, vec![text])),
            }
        }
        for (name, path, texts) in fields {
            path.set(message, &texts, mapping)
                .map_err(|error| bad("query", format_args!("{name:?}: {error}")))?;
        }
        Ok(())
    }

    /// Writes what is sent of an answer.
    pub(crate) fn write(
        &self,
        bytes: &[u8],
        json: &mut Vec<u8>,
        mapping: &Mapping,
    ) -> Result<(), String> {
        let message = Mapping::decode(&self.method.output(), bytes)?;
        match &self.response_body {
            None => mapping.write(&message, json),
            Some(field) => mapping.write_field(&message, field, json),
        }
    }
}

fn bad(place: &str, error: impl Display) -> Status {
    Status::new(Code::InvalidArgument, format!("{place}: {error}"))
}

/// As HTML forms encode values: with `+` for a space.
fn form_decoded(text: &str) -> Option<String> {
    let spaces = text.replace('+', " ");
    Some(percent_decode(spaces.as_bytes()).decode_utf8().ok()?.into_owned())
}
