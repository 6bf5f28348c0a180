//! What a plugin's answer keeps of the event that it was asked about.

use prost::Message;
use proto::events::one_of::Event;
use proto::events::{OneOf, UserDelete, UserLogin};
use serde_json::{Value as Json, json};

use super::every_type::events;
use super::golden::LOGIN;
use super::{json, over, protobuf};

/// Gives every object keys that no schema knows, with a value that fits if it is a map.
fn add_keys(value: &mut Json) {
    match value {
        Json::Array(elements) => elements.iter_mut().for_each(add_keys),
        Json::Object(members) => {
            let added = if members.values().all(Json::is_i64) {
                json!(7)
            } else if members.values().all(Json::is_array) {
                json!(["of a future version"])
            } else if members.values().all(Json::is_object) {
                json!({"roles": ["of a future version"]})
            } else {
                json!("of a future version")
            };
            members.values_mut().for_each(add_keys);
            for key in ["a first", "é last"] {
                members.insert(key.into(), added.clone());
            }
        }
        _ => {}
    }
}

#[test]
fn keys_of_a_future_version_survive_at_every_depth_of_every_type() {
    for (event_type, event) in events() {
        let mut original = serde_json::from_str(&json(&event.encode_to_vec())).unwrap();
        add_keys(&mut original);
        let original = original.to_string();
        let one_of = protobuf(&original);
        let is_unknown = matches!(
            OneOf::decode(&*one_of).unwrap().event,
            Some(Event::Unknown(_)) if event_type != "unknown"
        );
        assert!(!is_unknown, "{event_type} does not fit: {original}");
        assert_eq!(over(&one_of, &original), original, "{event_type}");
    }
}

/// The answer of a plugin that changes an event.
fn changed(original: &str, change: impl FnOnce(&mut OneOf)) -> String {
    let mut one_of = OneOf::decode(&*protobuf(original)).unwrap();
    change(&mut one_of);
    over(&one_of.encode_to_vec(), original)
}

fn login(one_of: &mut OneOf) -> &mut UserLogin {
    match &mut one_of.event {
        Some(Event::UserLogin(login)) => login,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_leaves_the_rest_byte_for_byte() {
    let original = LOGIN.replace("\"time\"", "\"tenant\":[1.0, {\"a\":1e2}],\"time\"");
    let answer = changed(&original, |one_of| {
        login(one_of).user.as_mut().unwrap().user = "somebody".into();
    });
    assert_eq!(answer, original.replace("teleport-admin", "somebody"));
}

#[test]
fn a_key_that_the_plugin_unset_is_gone() {
    let answer = changed(LOGIN, |one_of| login(one_of).status.as_mut().unwrap().error.clear());
    let error = r#""error":"invalid username, password or second factor","#;
    assert_eq!(answer, LOGIN.replace(error, ""));
}

#[test]
fn elements_keep_keys_by_their_index_while_the_list_is_as_long() {
    let original = r#"{"event":"access_request.create","resource_ids":[{"kind":"node","name":"a","x":1},{"kind":"db","name":"b","x":2}],"ei":0,"time":"2024-01-01T00:00:00Z"}"#;
    let request = |one_of: &mut OneOf, keep: usize| match &mut one_of.event {
        Some(Event::AccessRequestCreate(request)) => {
            request.requested_resource_ids.truncate(keep);
            request.requested_resource_ids[0].kind = "app".into();
        }
        other => panic!("{other:?}"),
    };
    let ids = |answer: &str| serde_json::from_str::<Json>(answer).unwrap()["resource_ids"].clone();
    let kept = ids(&changed(original, |one_of| request(one_of, 2)));
    assert_eq!(
        (&kept[0]["kind"], &kept[0]["x"], &kept[1]["x"]),
        (&json!("app"), &json!(1), &json!(2))
    );
    let shorter = ids(&changed(original, |one_of| request(one_of, 1)));
    assert_eq!((&shorter[0]["kind"], &shorter[0]["x"]), (&json!("app"), &Json::Null));
}

#[test]
fn an_event_that_became_another_one_keeps_what_neither_schema_knows() {
    let original = LOGIN.replace("\"uid\"", "\"tenant\":\"t\",\"uid\"");
    let answer = changed(&original, |one_of| {
        let metadata = login(one_of).metadata.clone();
        *one_of = OneOf::from(UserDelete { metadata, ..UserDelete::default() });
    });
    let answer: Json = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["tenant"], "t");
    assert_eq!(answer["event"], "user.login");
    assert_eq!(answer.get("success"), None);
}

#[test]
fn keys_that_two_fields_share_are_the_original_s() {
    let original = r#"{"ei":0,"event":"access_list.review","expires":"0001-01-01T00:00:00Z","message":"looks good","success":true,"time":"2024-01-01T00:00:00Z"}"#;
    assert!(!json(&protobuf(original)).contains("looks good"));
    assert_eq!(over(&protobuf(original), original), original);
}
