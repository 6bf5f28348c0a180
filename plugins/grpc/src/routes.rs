//! Which call a request is for.

use crate::call::Call;
use crate::rule::{Route, Rule, annotated};
use crate::template::Template;
use plugin_interface::{Error, Result};
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use std::collections::HashMap;
use std::sync::Arc;

/// All calls that can be made, by the requests that mean them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// By `/package.Service/Method`, with POST.
    direct: HashMap<String, Arc<Call>>,
    /// The first that fits counts.
    rules: Vec<Ruled>,
}

#[derive(Debug)]
struct Ruled {
    method: String,
    template: Template,
    call: Arc<Call>,
}

/// What a request means.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is not for a service.
    Nothing,
    /// Its path is, with these methods.
    Only(String),
    /// A variable in its path is not UTF-8.
    Malformed,
    /// A call, and the values of the variables of its path.
    Call(Arc<Call>, Vec<String>),
}

impl Routes {
    /// All methods of the services, of all services if none is named, at their own paths and at those
    /// of their options; and the routes of the configuration, which go before the options.
    pub(crate) fn new(
        pool: &DescriptorPool,
        services: Option<&[String]>,
        routes: Vec<Route>,
    ) -> Result<Self> {
        let services = self::services(pool, services)?;
        let mut all = Self::default();
        for route in routes {
            let told = format!("\"routes\": {} {}", route.method, route.path);
            all.configured(&services, route).map_err(|error| error.context(told))?;
        }
        let configured = all.rules.len();
        for method in services.iter().flat_map(ServiceDescriptor::methods) {
            let call = Call::direct(&method);
            all.direct.insert(call.path.clone(), Arc::new(call));
            for rule in annotated(&method) {
                let told = format!(
                    "\"descriptor_set\": google.api.http of {}: {} {}",
                    method.full_name(),
                    rule.method,
                    rule.path
                );
                all.add(rule, &method, configured).map_err(|error| error.context(told))?;
            }
        }
        all.rules.sort_by_cached_key(|rule| rule.template.rank());
        Ok(all)
    }

    fn configured(&mut self, services: &[ServiceDescriptor], route: Route) -> Result<()> {
        if http::Method::from_bytes(route.method.as_bytes()).is_err() {
            return Err(Error::new("its method is none that HTTP allows"));
        }
        let call = route.call.clone();
        let (rule, service, name) = route.split();
        let service = services.iter().find(|it| it.full_name() == service);
        let method = service.and_then(|it| it.methods().find(|method| method.name() == name));
        let method = method.ok_or_else(|| {
            Error::new(format_args!(
                "{call:?} is no method of the services; write package.Service/Method"
            ))
        })?;
        if method.is_client_streaming() {
            return Err(Error::new(format_args!("{call:?} takes a stream of requests")));
        }
        self.add(rule, &method, 0)
    }

    /// Adds a rule; leaves it out if one of the first `before` is for the same requests.
    fn add(&mut self, rule: Rule, method: &MethodDescriptor, before: usize) -> Result<()> {
        let template = Template::parse(&rule.path).map_err(Error::new)?;
        let mut rules = self.rules.iter();
        let same = |it: &Ruled| it.method == rule.method && it.template.is_like(&template);
        if let Some(at) = rules.position(same) {
            if at < before {
                return Ok(());
            }
            let other = self.rules[at].call.method.full_name();
            return Err(Error::new(format_args!("the same requests are for {other}")));
        }
        let call = Arc::new(Call::ruled(method, &rule, &template)?);
        self.rules.push(Ruled { method: rule.method, template, call });
        Ok(())
    }

    /// How many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.direct.len()
    }

    /// The call of a request with this method and this path, percent-encoded as it came.
    pub(crate) fn find(&self, method: &str, path: &str) -> Found {
        if let Some(call) = self.direct.get(path) {
            return match method {
                "POST" => Found::Call(call.clone(), Vec::new()),
                _ => Found::Only("POST".to_owned()),
            };
        }
        let mut allowed: Vec<&str> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.template.fits(path)) {
            if rule.method == method || rule.method == "*" {
                let values = rule.template.capture(path);
                return values
                    .map_or(Found::Malformed, |values| Found::Call(rule.call.clone(), values));
            }
            if !allowed.contains(&rule.method.as_str()) {
                allowed.push(&rule.method);
            }
        }
        if allowed.is_empty() { Found::Nothing } else { Found::Only(allowed.join(", ")) }
    }
}

fn services(pool: &DescriptorPool, named: Option<&[String]>) -> Result<Vec<ServiceDescriptor>> {
    let all = pool.services();
    let Some(named) = named else {
        if all.len() == 0 {
            return Err(Error::new("\"descriptor_set\": there is no service in it"));
        }
        return Ok(all.collect());
    };
    if named.is_empty() {
        return Err(Error::new("\"services\" is empty: leave it out to serve all"));
    }
    let find = |name: &String| {
        pool.get_service_by_name(name).ok_or_else(|| {
            let there: Vec<_> = pool.services().map(|it| it.full_name().to_owned()).collect();
            let there = there.join(", ");
            let text = format_args!("\"services\": there is no {name:?}, only {there}").to_string();
            Error::new(text)
        })
    };
    named.iter().map(find).collect()
}
