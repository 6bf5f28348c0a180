//! Which form of a page the client likes best (RFC 9110, section 12.5.1).

/// The forms that a page has. On equal terms the first wins: who names JSON beside others wants to
/// parse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// `text/html`.
    Html,
    /// `text/plain`.
    Text,
}

/// The form for an `Accept` header. Text also when the client accepts none of ours: an error in a
/// form that it did not ask for beats an error about its headers.
///
/// A wildcard says that the client does not care, and then it gets text; only `application/*`
/// leaves no other choice than JSON.
pub(crate) fn preferred(accept: &[u8]) -> Form {
    let accept = String::from_utf8_lossy(accept);
    let mut best = (Form::Text, 0);
    for form in [Form::Problem, Form::Html, Form::Text] {
        let quality = accept.split(',').map(|range| quality(range, form)).max().unwrap_or(0);
        if quality > best.1 {
            best = (form, quality);
        }
    }
    best.0
}

/// How much a media range wants this form, in thousandths; 0: not at all.
fn quality(range: &str, form: Form) -> u16 {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let names_it = match form {
        Form::Problem => {
            matches!(&*name, "application/problem+json" | "application/json" | "application/*")
        }
        Form::Html => name == "text/html",
        Form::Text => matches!(&*name, "text/plain" | "text/*" | "*/*"),
    };
    if !names_it {
        return 0;
    }
    parts.find_map(weight).unwrap_or(1000)
}

/// The weight of `q=0.5`, at most three decimals (section 12.4.2); what is not a weight is none.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, decimals) = value.trim_start().split_once('.').unwrap_or((value.trim(), ""));
    match (whole, decimals.len()) {
        ("1", _) => Some(1000),
        ("0", 0..=3) => format!("{decimals:0<3}").parse().ok().or(Some(0)),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::Form::{Html, Problem, Text};
    use super::{preferred, weight};

    #[test]
    fn clients_get_the_form_they_ask_for() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let table = [
            ("", Text),
            ("*/*", Text),
            ("text/*", Text),
            ("text/plain", Text),
            (browser, Html),
            ("TEXT/HTML", Html),
            ("application/json", Problem),
            ("application/problem+json", Problem),
            ("application/*", Problem),
            ("application/json, text/plain, */*", Problem),
            ("text/html, application/json;q=0.9", Html),
            ("text/html;q=0.5, application/json;q=0.6", Problem),
            ("text/html;level=1;q=0.5, application/json;q=0.6", Problem),
            ("text/html;q=0.5, */*;q=0.6", Text),
            ("text/html;q=0, */*;q=0.1", Text),
            ("application/json;q=0", Text),
            ("image/png", Text),
            (",;=q,;;", Text),
        ];
        for (accept, form) in table {
            assert_eq!(preferred(accept.as_bytes()), form, "{accept:?}");
        }
        assert_eq!(preferred(b"\xff/\xfe, text/html"), Html);
    }

    #[test]
    fn weights_are_thousandths() {
        let table = [
            ("q=1", Some(1000)),
            ("q=1.000", Some(1000)),
            ("Q=0.5", Some(500)),
            ("q=0.25", Some(250)),
            ("q=0.001", Some(1)),
            ("q=0", Some(0)),
            ("q=0.", Some(0)),
            ("q=0.0001", Some(0)),
            ("q=0.-1", Some(0)),
            ("q=2", Some(0)),
            ("q=x", Some(0)),
            ("charset=utf-8", None),
            ("q", None),
        ];
        for (parameter, expected) in table {
            assert_eq!(weight(parameter), expected, "{parameter}");
        }
    }
}
