//! Path templates, as in `/v1/{name=shelves/*}/books/{id}:move` (`google/api/http.proto`).

use percent_encoding::percent_decode_str;
use std::fmt;

/// A pattern of paths, with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    verb: Option<String>,
    variables: Vec<Variable>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// `*`: one segment, not empty.
    One,
    /// `**`: all that are left, none at all included.
    Rest,
}

/// The segments `from..to` of the template, and the field that they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    field: String,
    from: usize,
    to: usize,
}

impl Template {
    /// Reads a template. An error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.strip_prefix('/').ok_or("it does not begin with a slash")?;
        let mut template = Self { segments: Vec::new(), verb: None, variables: Vec::new() };
        if let Some((before, verb)) = rest.rsplit_once(':')
            && !verb.contains(['/', '}'])
        {
            template.verb = Some(literal(verb)?);
            rest = before;
        }
        loop {
            let end = match rest.strip_prefix('{') {
                Some(inside) => {
                    let (variable, after) =
                        inside.split_once('}').ok_or("a variable has no closing brace")?;
                    template.variable(variable)?;
                    after
                }
                None => {
                    let at = rest.find('/').unwrap_or(rest.len());
                    template.segment(&rest[..at])?;
                    &rest[at..]
                }
            };
            if end.is_empty() {
                return Ok(template);
            }
            rest = end.strip_prefix('/').ok_or("a variable is not a whole segment")?;
        }
    }

    fn variable(&mut self, text: &str) -> Result<(), &'static str> {
        let (field, pattern) = text.split_once('=').unwrap_or((text, "*"));
        if field.is_empty() {
            return Err("a variable has no name");
        }
        if self.variables.iter().any(|variable| variable.field == field) {
            return Err("a variable is there twice");
        }
        let from = self.segments.len();
        pattern.split('/').try_for_each(|segment| self.segment(segment))?;
        let to = self.segments.len();
        self.variables.push(Variable { field: field.to_owned(), from, to });
        Ok(())
    }

    fn segment(&mut self, text: &str) -> Result<(), &'static str> {
        if self.segments.last() == Some(&Segment::Rest) {
            return Err("something follows **");
        }
        self.segments.push(match text {
            "*" => Segment::One,
            "**" => Segment::Rest,
            text => Segment::Literal(literal(text)?),
        });
        Ok(())
    }

    /// The fields that its variables are for, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.field.as_str())
    }

    /// Whether exactly the same paths fit both.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }

    /// What sorts templates so that the first that fits is the one that says most.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        (self.verb.is_none(), self.verb.clone(), self.segments.clone())
    }

    /// Whether this path, percent-encoded as it came, fits.
    pub(crate) fn fits(&self, path: &str) -> bool {
        let Some(path) = self.without_verb(path) else { return false };
        let mut parts = path.split('/');
        for segment in &self.segments {
            let fits = match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::Literal(literal), Some(part)) => literal == part,
                (Segment::One, Some(part)) => !part.is_empty(),
                (_, None) => false,
            };
            if !fits {
                return false;
            }
        }
        parts.next().is_none()
    }

    /// The values of the variables in a path that fits; none if one is not UTF-8.
    pub(crate) fn capture(&self, path: &str) -> Option<Vec<String>> {
        let parts: Vec<&str> = self.without_verb(path)?.split('/').collect();
        let value = |variable: &Variable| {
            let rest = self.segments.get(variable.to - 1) == Some(&Segment::Rest);
            let to = if rest { parts.len() } else { variable.to };
            let parts = parts.get(variable.from..to).unwrap_or_default();
            match self.segments[variable.from..variable.to] {
                [Segment::One] => decoded(parts.first().unwrap_or(&"")),
                // An encoded slash is part of a segment, and stays apart from those between them.
                _ => {
                    let parts = parts.iter().map(|part| decoded_but_slashes(part));
                    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
                }
            }
        };
        self.variables.iter().map(value).collect()
    }

    fn without_verb<'a>(&self, path: &'a str) -> Option<&'a str> {
        let path = path.strip_prefix('/')?;
        match &self.verb {
            Some(verb) => path.strip_suffix(verb.as_str())?.strip_suffix(':'),
            None => Some(path),
        }
    }
}

fn literal(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("a segment is empty"),
        text if text.contains(['{', '}', '*', '=', '?', '#']) => {
            Err("a segment is neither a literal nor *, ** or a variable")
        }
        text => Ok(text.to_owned()),
    }
}

fn decoded(part: &str) -> Option<String> {
    Some(percent_decode_str(part).decode_utf8().ok()?.into_owned())
}

fn decoded_but_slashes(part: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = part;
    while let Some(at) = rest.find("%2F").into_iter().chain(rest.find("%2f")).min() {
        text += &decoded(&rest[..at])?;
        text += &rest[at..at + 3];
        rest = &rest[at + 3..];
    }
    Some(text + &decoded(rest)?)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments.iter().enumerate() {
            f.write_str("/")?;
            if let Some(variable) = self.variables.iter().find(|variable| variable.from == at) {
                write!(f, "{{{}=", variable.field)?;
            }
            match segment {
                Segment::Literal(literal) => f.write_str(literal)?,
                Segment::One => f.write_str("*")?,
                Segment::Rest => f.write_str("**")?,
            }
            if self.variables.iter().any(|variable| variable.to == at + 1) {
                f.write_str("}")?;
            }
        }
        self.verb.as_ref().map_or(Ok(()), |verb| write!(f, ":{verb}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Template;
    use proptest::prelude::*;

    /// The values of the variables; none if the path does not fit.
    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        let template = Template::parse(template).unwrap();
        template.fits(path).then(|| template.capture(path).unwrap())
    }

    #[test]
    fn literals_and_variables_fit_whole_segments() {
        assert_eq!(values("/v1/orders", "/v1/orders"), Some(vec![]));
        for other in ["/v1/order", "/v1/orders/", "/v1", "/v1/orders/1", "/", "v1/orders", ""] {
            assert_eq!(values("/v1/orders", other), None, "{other}");
        }
        assert_eq!(values("/v1/orders/{id}", "/v1/orders/a%20b"), Some(vec!["a b".to_owned()]));
        assert_eq!(values("/v1/orders/{id}", "/v1/orders/a%2Fb"), Some(vec!["a/b".to_owned()]));
        assert_eq!(values("/v1/orders/{id}", "/v1/orders/"), None);
        assert_eq!(values("/{a.b}/x/{c}", "/1/x/2"), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(values("/*/x", "/any/x"), Some(vec![]));
    }

    #[test]
    fn a_variable_of_many_segments_keeps_encoded_slashes() {
        let template = "/v1/{name=shelves/*/books/*}";
        let name = "shelves/1/books/a%2Fb%2fä".to_owned();
        assert_eq!(values(template, "/v1/shelves/1/books/a%2Fb%2f%C3%A4"), Some(vec![name]));
        assert_eq!(values(template, "/v1/shelves/1/book/2"), None);
        assert_eq!(values("/f/{path=**}", "/f/a/b"), Some(vec!["a/b".to_owned()]));
        assert_eq!(values("/f/{path=**}", "/f"), Some(vec![String::new()]));
        assert_eq!(values("/{path=a/**}:go", "/a/b/c:go"), Some(vec!["a/b/c".to_owned()]));
    }

    #[test]
    fn a_verb_is_the_end() {
        assert_eq!(values("/v1/{id}:cancel", "/v1/7:cancel"), Some(vec!["7".to_owned()]));
        assert_eq!(values("/v1/{id}:cancel", "/v1/7"), None);
        assert_eq!(values("/v1/{id}:cancel", "/v1/7:cancelled"), None);
        assert_eq!(values("/v1/{id}", "/v1/7:x"), Some(vec!["7:x".to_owned()]));
    }

    #[test]
    fn the_one_that_says_most_comes_first() {
        let order = ["/a/{x}:v", "/a/b", "/a/b/c", "/a/b/{x=**}", "/a/{x}", "/a/{x=**}", "/{x}"];
        let mut sorted: Vec<_> = order.iter().map(|it| Template::parse(it).unwrap()).collect();
        sorted.reverse();
        sorted.sort_by_cached_key(Template::rank);
        let expected: Vec<_> = order.iter().map(|it| Template::parse(it).unwrap()).collect();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn templates_are_alike_whatever_their_variables_are_called() {
        let like =
            |a: &str, b: &str| Template::parse(a).unwrap().is_like(&Template::parse(b).unwrap());
        assert!(like("/v1/{a}", "/v1/{b=*}"));
        assert!(!like("/v1/{a}", "/v1/{a=**}"));
        assert!(!like("/v1/{a}", "/v1/{a}:verb"));
    }

    #[test]
    fn a_wrong_template_is_refused() {
        let error = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(error("v1"), "it does not begin with a slash");
        assert_eq!(error("/v1//a"), "a segment is empty");
        assert_eq!(error("/v1/{a"), "a variable has no closing brace");
        assert_eq!(error("/v1/{a}b"), "a variable is not a whole segment");
        assert_eq!(error("/v1/{}"), "a variable has no name");
        assert_eq!(error("/{a}/{a}"), "a variable is there twice");
        assert_eq!(error("/**/a"), "something follows **");
        assert_eq!(error("/a*"), "a segment is neither a literal nor *, ** or a variable");
        assert_eq!(error("/{a=b{c}}"), "a segment is neither a literal nor *, ** or a variable");
        assert_eq!(error("/a:"), "a segment is empty");
    }

    #[test]
    fn what_is_not_utf8_has_no_value() {
        let template = Template::parse("/{a}/{b=**}").unwrap();
        assert!(template.fits("/%ff/a") && template.fits("/a/%ff"));
        assert_eq!(template.capture("/%ff/a"), None);
        assert_eq!(template.capture("/a/%ff%2F"), None);
    }

    proptest! {
        #[test]
        fn no_template_and_no_path_panics(template in "[/a*{}=:.%]{0,16}", path in "\\PC{0,16}") {
            if let Ok(template) = Template::parse(&template) {
                let again = Template::parse(&template.to_string()).unwrap();
                prop_assert!(again.is_like(&template));
                template.fits(&path);
                template.capture(&path);
            }
        }
    }
}
