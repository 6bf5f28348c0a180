//! What is wrong with the configuration stops the start, by its key.

use crate::{descriptors, plugin};
use fixtures::{Host, library};
use serde_json::{Value, json};

fn refusal(plugin: &str) -> String {
    let failed = Host::fails(&["--target", "http://127.0.0.1:1", "--post-plugin", plugin]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    failed.stderr
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    let route = |more: Value| {
        let mut route = json!({"method": "GET", "path": "/x", "call": "shop.Orders/Get"});
        route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"routes": [route]})
    };
    for (more, message) in [
        (json!({"timeuot": "1s"}), "unknown field `timeuot`"),
        (json!({"timeout": "soon"}), "\"timeout\": \"soon\" is no time such as 500ms or 30s"),
        (json!({"stream_timeout": "0s"}), "\"stream_timeout\": \"0s\" is no time"),
        (json!({"message_limit": 0}), "\"message_limit\" is in bytes, from 1 to 268435456"),
        (json!({"metadata": ["te"]}), "\"metadata\": \"te\" is set by gRPC or HTTP"),
        (json!({"services": []}), "\"services\" is empty: leave it out to serve all"),
        (
            json!({"services": ["shop.Order"]}),
            "\"services\": there is no \"shop.Order\", only shop.Orders, shop.Hidden",
        ),
        (
            route(json!({"call": "shop.Orders/Got"})),
            "\"routes\": GET /x: \"shop.Orders/Got\" is no method of the services",
        ),
        (
            route(json!({"call": "shop.Orders/Import"})),
            "\"routes\": GET /x: \"shop.Orders/Import\" takes a stream of requests",
        ),
        (route(json!({"method": "G T"})), "its method is none that HTTP allows"),
        (route(json!({"path": "x"})), "\"routes\": GET x: it does not begin with a slash"),
        (route(json!({"path": "/{idd}"})), "shop.GetOrder has no \"idd\""),
        (
            route(json!({"path": "/{fields}"})),
            "\"fields\" cannot be in a path: it is no single value",
        ),
        (route(json!({"body": "x"})), "\"body\": shop.GetOrder has no \"x\""),
        (route(json!({"response_body": "x"})), "\"response_body\": shop.Order has no \"x\""),
        (
            json!({"routes": [
                {"method": "GET", "path": "/{id}", "call": "shop.Orders/Get"},
                {"method": "GET", "path": "/{shop}", "call": "shop.Orders/Get"},
            ]}),
            "\"routes\": GET /{shop}: the same requests are for shop.Orders.Get",
        ),
    ] {
        let stderr = refusal(&plugin("http://127.0.0.1:1", more.clone()));
        assert!(stderr.contains(message), "{more} should be refused with {message:?}:\n{stderr}");
    }
    for origin in ["localhost:1", "ftp://a", "http://a/b", "http://a:b@c", "http://"] {
        let stderr = refusal(&plugin(origin, json!({})));
        let message = format!("\"upstream\": {origin:?} is not like http://host:port");
        assert!(stderr.contains(&message), "{stderr}");
    }
}

#[test]
fn a_file_that_is_no_whole_descriptor_set_stops_the_start() {
    let with = |file: &std::path::Path| plugin("http://a", json!({"descriptor_set": file}));
    let missing = refusal(&with("/nowhere/api.pb".as_ref()));
    assert!(missing.contains("\"descriptor_set\": /nowhere/api.pb: No such file"), "{missing}");

    let other = refusal(&with(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").as_ref()));
    assert!(other.contains("it is no complete descriptor set"), "{other}");

    let alone = descriptors(false);
    let alone = refusal(&with(alone.path()));
    assert!(
        alone.contains("write it with protoc --include_imports --descriptor_set_out"),
        "{alone}"
    );

    let none = refusal(&library("grpc-plugin").display().to_string());
    assert!(none.contains("it needs at least {\"upstream\": "), "{none}");
}
