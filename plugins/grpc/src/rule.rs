//! Which HTTP request means which call: routes of the configuration, and `google.api.http` options
//! of the methods themselves.

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use serde::Deserialize;

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The HTTP method; `*` for all.
    pub(crate) method: String,
    /// The path's template.
    pub(crate) path: String,
    /// Where the request's body goes: nowhere, into this field, or with `*` it is the message.
    pub(crate) body: String,
    /// The field of the answer that is sent; empty: all of it.
    pub(crate) response_body: String,
}

/// A route of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// `package.Service/Method`.
    pub(crate) call: String,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) response_body: String,
}

impl Route {
    /// Its rule, and the names of its service and method.
    pub(crate) fn split(self) -> (Rule, String, String) {
        let Self { method, path, call, body, response_body } = self;
        let (service, name) = call.rsplit_once(['/', '.']).unwrap_or_default();
        let (service, name) = (service.trim_start_matches('/').to_owned(), name.to_owned());
        (Rule { method, path, body, response_body }, service, name)
    }
}

/// The rules in a method's options (`google/api/annotations.proto`).
pub(crate) fn annotated(method: &MethodDescriptor) -> Vec<Rule> {
    let pool = method.parent_service().parent_pool();
    let Some(http) = pool.get_extension_by_name("google.api.http") else { return Vec::new() };
    let options = method.options();
    if !options.has_extension(&http) {
        return Vec::new();
    }
    let option = options.get_extension(&http);
    let Some(main) = option.as_message() else { return Vec::new() };
    let more = main.get_field_by_name("additional_bindings");
    let more = more.as_ref().and_then(|more| more.as_list()).unwrap_or_default();
    let more = more.iter().filter_map(Value::as_message);
    std::iter::once(main).chain(more).filter_map(rule).collect()
}

fn rule(http: &DynamicMessage) -> Option<Rule> {
    let text = |of: &DynamicMessage, name: &str| {
        Some(of.get_field_by_name(name)?.as_str()?.to_owned()).filter(|text| !text.is_empty())
    };
    let standard = ["get", "put", "post", "delete", "patch"];
    let standard = standard.iter().find_map(|name| Some((name.to_uppercase(), text(http, name)?)));
    let custom = || {
        let custom = http.get_field_by_name("custom")?;
        let custom = custom.as_message()?;
        Some((text(custom, "kind")?, text(custom, "path")?))
    };
    let (method, path) = standard.or_else(custom)?;
    Some(Rule {
        method,
        path,
        body: text(http, "body").unwrap_or_default(),
        response_body: text(http, "response_body").unwrap_or_default(),
    })
}
