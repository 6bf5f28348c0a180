//! Requests that become calls by `google.api.http` options and by routes of the configuration.

use crate::shop::{GetOrder, Page, Shop};
use crate::{Proxy, body, error, start};
use fixtures::get;
use prost_types::Timestamp;
use serde_json::json;

fn got(shop: &Shop) -> GetOrder {
    shop.got.lock().unwrap().take().expect("the service should have been called")
}

#[test]
fn a_path_and_a_query_make_a_message() {
    let shop = Shop::default();
    let server = shop.server();
    let proxy = start(&server, json!({}));
    let query = "view=1&fields=a&fields=b+c%26&at=1970-01-01T00:00:02Z&fresh=true&page.pageSize=5";
    let reply = get(proxy.address(), &format!("/v1/shops/x%20y/orders/a%2Fb?{query}"), &[]);
    assert_eq!(body(&reply, 200)["id"], "a/b");
    let expected = GetOrder {
        id: "a/b".to_owned(),
        shop: "shops/x y".to_owned(),
        view: 1,
        fields: vec!["a".to_owned(), "b c&".to_owned()],
        at: Some(Timestamp { seconds: 2, nanos: 0 }),
        fresh: Some(true),
        page: Some(Page { page_size: 5 }),
    };
    assert_eq!(got(&shop), expected);
}

#[test]
fn a_query_that_does_not_fit_the_message_is_refused_by_name() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    for (query, message) in [
        ("vieww=1", "query: \"vieww\": there is no such field"),
        ("page=1", "query: \"page\": it can only be in a body, or field by field"),
        ("page.x=1", "query: \"page.x\": there is no such field"),
        ("id.x=1", "query: \"id.x\": there is no such field"),
        ("id=8", "query: \"id\": it is in the path"),
        ("shop=a&shop=b", "query: \"shop\": it is given more than once"),
        ("shop=%ff", "query: \"shop\": it is not UTF-8"),
        ("view=HALF", "query: \"view\": unrecognized enum value 'HALF'"),
        ("fresh=maybe", "query: \"fresh\": invalid type: string \"maybe\", expected a boolean"),
    ] {
        let reply = get(proxy.address(), &format!("/v1/orders/7?{query}"), &[]);
        assert_eq!(body(&reply, 400), error(3, message), "{query}");
    }
    let reply = get(proxy.address(), "/v1/orders/%ff", &[]);
    assert_eq!(body(&reply, 400), error(3, "path: it is not UTF-8"));
    assert!(server.seen().is_empty());
}

fn put(proxy: &Proxy, path: &str, json: &str) -> fixtures::Reply {
    proxy.send("PUT", path, &[("Content-Type", "application/json")], json)
}

#[test]
fn a_body_is_one_field_or_the_message() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    let reply = put(&proxy, "/v1/orders/7?validate_only=true", r#"{"id": "8", "total": 1}"#);
    let expected = json!({"id": "7", "total": "1", "tags": ["validated"]});
    assert_eq!(body(&reply, 200), expected, "the path counts");
    let reply = proxy.post("/v1/orders", r#"{"order": {"id": "9"}, "validateOnly": true}"#);
    assert_eq!(body(&reply, 200), json!({"id": "9", "tags": ["validated"]}));

    let message = "query: \"order.total\": it is in the body";
    let reply = put(&proxy, "/v1/orders/7?order.total=2", "{}");
    assert_eq!(body(&reply, 400), error(3, message));
    let message = "body: unrecognized field name 'validateOnly' at line 1 column 15";
    let reply = put(&proxy, "/v1/orders/7", r#"{"validateOnly": true}"#);
    assert_eq!(body(&reply, 400), error(3, message));
}

#[test]
fn a_part_of_the_answer_can_be_all_that_is_sent() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({"metadata": ["x-request-id"]}));
    let tags =
        |headers: &[(&str, &str)]| body(&get(proxy.address(), "/v1/orders/7/tags", headers), 200);
    assert_eq!(tags(&[("X-Request-Id", "1")]), json!(["x-request-id=1"]));
    assert_eq!(tags(&[]), json!([]), "a field that is not set has a default");
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    for (method, path, allow) in [
        ("GET", "/shop.Orders/Get", "POST"),
        ("DELETE", "/v1/orders/7", "GET, PUT"),
        ("PUT", "/v1/orders", "POST"),
    ] {
        let reply = proxy.send(method, path, &[], "");
        assert_eq!(body(&reply, 405), error(12, &format!("this path is for {allow}")));
        assert_eq!(reply.header("allow"), Some(allow));
    }
    // A method of its own, at a path that another rule has as well.
    assert_eq!(body(&proxy.send("LOCK", "/v1/orders/7:lock", &[], ""), 200), json!({"id": "7"}));
    assert!(proxy.upstream.requests().is_empty());
}

#[test]
fn routes_of_the_configuration_go_before_those_of_the_options() {
    let shop = Shop::default();
    let server = shop.server();
    let routes = json!({"routes": [
        {"method": "GET", "path": "/orders/{shop}/{id=**}", "call": "shop.Orders/Get"},
        {"method": "POST", "path": "/pages", "call": "shop.Orders.Get", "body": "page"},
        {"method": "POST", "path": "/fields", "call": "/shop.Orders/Get", "body": "fields"},
        {"method": "GET", "path": "/v1/orders/{shop}", "call": "shop.Orders/Get"},
    ]});
    let proxy = start(&server, routes);
    body(&get(proxy.address(), "/orders/a/b/c", &[]), 200);
    let expected = GetOrder { shop: "a".to_owned(), id: "b/c".to_owned(), ..GetOrder::default() };
    assert_eq!(got(&shop), expected);
    body(&proxy.post("/pages?id=1", r#"{"pageSize": 2}"#), 200);
    let page = Some(Page { page_size: 2 });
    assert_eq!(got(&shop), GetOrder { id: "1".to_owned(), page, ..GetOrder::default() });
    body(&proxy.post("/fields", r#"["a"]"#), 200);
    assert_eq!(got(&shop).fields, ["a"]);
    let message = "body: trailing characters at line 1 column 6";
    assert_eq!(body(&proxy.post("/fields", r#"["a"], "id": "7""#), 400), error(3, message));
    body(&get(proxy.address(), "/v1/orders/7", &[]), 200);
    assert_eq!(got(&shop).shop, "7");
}

#[test]
fn calls_with_a_stream_of_requests_are_not_made() {
    let server = Shop::default().server();
    let proxy = start(&server, json!({}));
    for path in ["/shop.Orders/Import", "/shop.Orders/Chat", "/v1/chat"] {
        let message = "a call with a stream of requests cannot be made over JSON";
        assert_eq!(body(&proxy.post(path, "{}"), 501), error(12, message));
    }
    assert!(server.seen().is_empty());
}
