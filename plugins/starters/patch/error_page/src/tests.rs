use crate::register;
use plugin_interface::testing::{Host, TestExchange};

/// The page for a failure of a request for this path.
fn page(config: &str, path: &str, status: u16) -> (TestExchange, String) {
    let plugin = Host::new().load(register, config).unwrap();
    let mut exchange = TestExchange::get(path);
    plugin.render(&mut exchange, status).unwrap();
    let text = exchange.text().unwrap();
    (exchange, text)
}

#[test]
fn a_page_says_what_happened_and_whom_to_ask() {
    let (exchange, text) = page(include_str!("../config.json"), "/a", 502);
    assert_eq!(exchange.status(), Some(502));
    assert_eq!(exchange.response_header("content-type"), Some("text/html; charset=utf-8"));
    assert!(text.contains("<h1>502 Bad Gateway</h1>"), "{text}");
    assert!(text.contains("<code>/a</code>") && text.contains("ask help@example.test"), "{text}");
}

#[test]
fn without_a_contact_nobody_is_to_be_asked() {
    assert!(!page("", "/", 404).1.contains("ask"));
}

#[test]
fn nothing_leaves_its_place_in_the_page() {
    let (_, text) = page(r#"{"contact": "<b>&"}"#, "/a&b", 500);
    assert!(text.contains("<code>/a&amp;b</code>") && text.contains("&lt;b&gt;&amp;"), "{text}");
}
