//! How values are read and printed.

use prost::Message;
use proto::events::OneOf;
use proto::events::one_of::Event;
use proto::plugin::HandleEventRequest;

use super::{json, protobuf};
use crate::codec::original::members;
use crate::codec::{MAX_DEPTH, event_type};

/// What comes back of an event's value, as it is printed; empty if it is left out.
fn through(event_type: &str, key: &str, value: &str) -> String {
    let event = format!(r#"{{"event":"{event_type}","{key}":{value}}}"#);
    let printed = json(&protobuf(&event));
    assert_ne!(printed, event, "the event does not fit");
    let members = members(&printed).unwrap();
    let printed = members.into_iter().find(|(it, _)| it == key);
    printed.map(|(_, value)| value.get().to_owned()).unwrap_or_default()
}

#[track_caller]
fn table(event_type: &str, key: &str, values: &[(&str, &str)]) {
    for (value, expected) in values {
        assert_eq!(through(event_type, key, value), *expected, "{event_type} {key}: {value}");
    }
}

#[test]
fn whole_numbers_are_exact_however_they_are_written() {
    let signed = [
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        // What a double makes of the greatest number, printed with as few digits as tell it.
        ("9223372036854775808", "9223372036854775807"),
        ("9223372036854776000", "9223372036854775807"),
        ("5.0", "5"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("\"-12\"", "-12"),
        ("null", "0"),
    ];
    table("user.login", "ei", &signed);
    let unsigned = [
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709552000", "18446744073709551615"),
        ("1.8446744073709552e19", "18446744073709551615"),
        ("\"18446744073709551615\"", "18446744073709551615"),
        ("0", "0"),
    ];
    table("session.data", "tx", &unsigned);
    table("exec", "exitCode", &[("\"0\"", "\"0\""), ("\"\"", "")]);
}

#[test]
fn enums_are_printed_as_numbers_and_read_by_name_too() {
    table("user.login", "user_kind", &[("\"USER_KIND_BOT\"", "2"), ("1", "1"), ("-7", "-7")]);
    table("user.login", "user_kind", &[("0", ""), ("\"USER_KIND_UNSPECIFIED\"", "")]);
}

#[test]
fn times_are_printed_in_utc_as_exactly_as_their_field_says() {
    let event_time = [
        ("\"2024-02-23T19:00:22.4735Z\"", "\"2024-02-23T19:00:22.474Z\""),
        ("\"2024-02-23T19:00:22.4734999Z\"", "\"2024-02-23T19:00:22.473Z\""),
        ("\"2024-02-23T19:00:22.9996Z\"", "\"2024-02-23T19:00:23Z\""),
        ("\"2024-02-23T19:00:22.470Z\"", "\"2024-02-23T19:00:22.47Z\""),
        ("\"2024-02-23T23:30:00+05:30\"", "\"2024-02-23T18:00:00Z\""),
        ("\"2024-02-29T00:00:00-00:00\"", "\"2024-02-29T00:00:00Z\""),
        ("\"1969-12-31T23:59:59.25Z\"", "\"1969-12-31T23:59:59.25Z\""),
        ("\"1970-01-01T00:00:00Z\"", "\"1970-01-01T00:00:00Z\""),
        ("\"9999-12-31T23:59:59.9999Z\"", "\"9999-12-31T23:59:59.999Z\""),
        ("\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""),
        ("null", "\"0001-01-01T00:00:00Z\""),
    ];
    table("user.login", "time", &event_time);
    let other = [
        ("\"2024-02-23T19:00:22.473999001Z\"", "\"2024-02-23T19:00:22.473999001Z\""),
        ("null", "\"0001-01-01T00:00:00Z\""),
    ];
    table("user.create", "expires", &other);
    // By pointer in Teleport: left out, and the year 1 is a time like any other.
    let optional = [("null", ""), ("\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\"")];
    table("access_request.create", "assume_start_time", &optional);
}

#[test]
fn empty_values_are_printed_as_go_prints_them() {
    for (event_type, key, expected) in [
        ("user.create", "roles", "null"),
        ("user.login", "user_roles", ""),
        ("user.login", "user_traits", ""),
        ("user.login", "mfa_device", ""),
        ("user.login", "success", "false"),
        ("user.login", "ei", "0"),
        ("user.create", "connector", "\"\""),
        ("user.login", "user_agent", ""),
        ("sftp", "attributes", ""),
        ("lock.created", "target", "{}"),
        ("db.session.permissions.update", "affected_object_counts", "null"),
        ("db.session.elasticsearch.request", "body", "null"),
    ] {
        assert_eq!(through(event_type, key, "null"), expected, "{event_type} {key}");
    }
    table("user.create", "roles", &[("[]", "null"), ("[\"\"]", "[\"\"]")]);
    table(
        "db.session.elasticsearch.request",
        "body",
        &[("\"\"", "null"), ("\"AP8=\"", "\"AP8=\"")],
    );
    let attributes = r#"{"access_time":"2024-01-01T00:00:00Z","file_size":0,"gid":null,"permissions":420,"uid":null}"#;
    table("sftp", "attributes", &[(attributes, attributes)]);
    table(
        "sftp",
        "attributes",
        &[("{}", r#"{"file_size":null,"gid":null,"permissions":null,"uid":null}"#)],
    );
}

#[test]
fn lists_of_numbers_are_read_in_both_forms_of_the_wire() {
    let event = r#"{"event":"windows.desktop.session.start","certificate":{"extended_key_usage":[1,0,-7]}}"#;
    let packed = protobuf(event);
    let Some(Event::WindowsDesktopSessionStart(start)) = OneOf::decode(&*packed).unwrap().event
    else {
        panic!("another event");
    };
    assert_eq!(start.cert_metadata.as_ref().unwrap().extended_key_usage, [1, 0, -7]);
    let unpacked = OneOf { event: Some(Event::WindowsDesktopSessionStart(start)) };
    assert_eq!(json(&unpacked.encode_to_vec()), json(&packed));
    assert!(json(&packed).contains(r#""extended_key_usage":[1,0,-7]"#));
}

#[test]
fn maps_are_sorted_and_the_last_of_equal_keys_counts() {
    let labels =
        [(r#"{"b":"2","a":"1","b":"3"}"#, r#"{"a":"1","b":"3"}"#), (r#"{"":""}"#, r#"{"":""}"#)];
    table("session.start", "server_labels", &labels);
    let traits = [
        (
            r#"{"logins":["root","ubuntu"],"groups":[]}"#,
            r#"{"groups":null,"logins":["root","ubuntu"]}"#,
        ),
        (r#"{"a":[],"a":["x"],"":null}"#, r#"{"":null,"a":["x"]}"#),
        ("{}", ""),
    ];
    table("user.login", "user_traits", &traits);
    table("user.login", "user", &[(r#""a","user":"b""#, "\"b\""), (r#""a","user":null"#, "")]);
}

#[test]
fn a_struct_holds_any_json() {
    let values = [
        (r#"{"b":[1,[],{"x":null}],"a":true,"b":[1.5]}"#, r#"{"a":true,"b":[1.5]}"#),
        ("{}", "{}"),
        (
            r#"{"n":[0.1,5.0,-0.0,1e21,1e20,0.000001,1e-7,1.5e300]}"#,
            r#"{"n":[0.1,5,-0,1e+21,100000000000000000000,0.000001,1e-7,1.5e+300]}"#,
        ),
        // A double, the nearest one.
        (r#"{"n":9007199254740993}"#, r#"{"n":9007199254740992}"#),
        (r#"{"n":2.2250738585072011e-308}"#, r#"{"n":2.225073858507201e-308}"#),
        ("null", ""),
    ];
    table("user.login", "attributes", &values);
}

#[test]
fn strings_are_escaped_where_json_wants_it_and_nowhere_else() {
    let values = [
        (
            r#""<a href=\"\/\">&\u2028\ud83e\udd80\u0000\u007f\t\b""#,
            "\"<a href=\\\"/\\\">&\u{2028}\u{1f980}\\u0000\u{7f}\\t\\b\"",
        ),
        (r#""\u003cb\u003e""#, r#""<b>""#),
    ];
    table("user.login", "user", &values);
}

#[test]
fn the_member_of_a_oneof_stands_in_an_object_of_the_oneof_s_name() {
    let ids = r#"[{"constraints":{"ssh":{"logins_count":1,"logins_preview":["root"]}},"id":{"cluster":"c","kind":"node","name":"n"}}]"#;
    table("access_request.create", "RequestedResourceAccessIDs", &[(ids, ids)]);
    let none = r#"[{"id":{"cluster":"","kind":"","name":""}}]"#;
    let empty =
        [(r#"[{"constraints":{}}]"#, none), (r#"[{"constraints":null}]"#, none), ("[{}]", none)];
    table("access_request.create", "RequestedResourceAccessIDs", &empty);
}

#[test]
fn session_data_is_printed_although_teleport_s_struct_skips_it() {
    table("print", "data", &[("\"bHMgLWwK\"", "\"bHMgLWwK\"")]);
}

/// An event with a Struct in a member of a member, the deepest that there is, nested this deep.
fn nested(depth: usize) -> String {
    let body = "{\"a\":".repeat(depth) + "0" + &"}".repeat(depth);
    format!(r#"{{"event":"scim.create","request":{{"body":{body}}}}}"#)
}

#[test]
fn the_deepest_struct_is_one_that_other_decoders_take() {
    let one_of = protobuf(&nested(MAX_DEPTH));
    let mut request = vec![0x0a];
    prost::encode_length_delimiter(one_of.len(), &mut request).unwrap();
    request.extend(&one_of);
    let request = HandleEventRequest::decode(&*request).unwrap();
    let Some(Event::ScimResourceEvent(_)) = request.event.unwrap().event else {
        panic!("another event");
    };
    assert!(json(&one_of).contains(&"{\"a\":".repeat(MAX_DEPTH)));
}

#[test]
fn a_deeper_struct_travels_as_text() {
    for depth in [MAX_DEPTH + 1, 100_000] {
        let event = nested(depth);
        assert_eq!(json(&protobuf(&event)), event);
    }
    let lists = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    let event = format!(r#"{{"attributes":{{"a":{lists}}},"event":"user.login"}}"#);
    assert_eq!(json(&protobuf(&event)), event);
}

#[test]
fn the_type_is_read_wherever_it_stands() {
    let types = [
        (r#"{"x":{"event":"inner"},"event":"user.login"}"#, "user.login"),
        (r#" { "\u0065vent" : "us\u0065r.login" } "#, "user.login"),
        (r#"{"event":"a","event":"b"}"#, "b"),
    ];
    for (event, expected) in types {
        assert_eq!(event_type(event.as_bytes()).unwrap(), expected);
    }
}
