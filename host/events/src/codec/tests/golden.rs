//! Lines as Teleport's event handler sends them.

use prost::Message;
use proto::events::OneOf;
use proto::events::one_of::Event;

use super::{json, protobuf};

/// A failed login.
pub(super) const LOGIN: &str = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;

/// A user that was created, with a time that nobody has set.
const CREATE: &str = r#"{"addr.remote":"127.0.0.1:47976","cluster_name":"teleport.example.com","code":"T1002I","connector":"local","ei":0,"event":"user.create","expires":"0001-01-01T00:00:00Z","name":"teleport-admin","roles":["access","editor","aws-dynamodb-access"],"time":"2024-02-23T19:08:33.987Z","uid":"002e4b73-4fb5-47d5-98d3-a6deeb67f893","user":"b321c207-fd08-46c8-b248-0c20436feb62.teleport.example.com","user_kind":1}"#;

#[test]
fn real_lines_come_back_byte_for_byte() {
    for line in [LOGIN, CREATE] {
        assert_eq!(json(&protobuf(line)), line);
    }
}

#[test]
fn a_real_line_is_the_message_that_its_keys_say() {
    let one_of = OneOf::decode(&*protobuf(LOGIN)).unwrap();
    let Some(Event::UserLogin(login)) = &one_of.event else { panic!("{one_of:?}") };
    let metadata = login.metadata.as_ref().unwrap();
    assert_eq!(metadata.r#type, "user.login");
    assert_eq!(metadata.cluster_name, "teleport.example.com");
    let time = metadata.time.unwrap();
    assert_eq!((time.seconds, time.nanos), (1_708_714_822, 473_000_000));
    assert_eq!(login.user.as_ref().unwrap().user, "teleport-admin");
    assert_eq!(login.client.as_ref().unwrap().user_agent, "Go-http-client/1.1");
    let status = login.status.as_ref().unwrap();
    assert!(!status.success);
    assert_eq!(status.error, "invalid username, password or second factor");
    // The canonical form is the one that other encoders of the schema write.
    assert_eq!(one_of.encode_to_vec(), protobuf(LOGIN));
}

#[test]
fn a_time_that_is_the_beginning_of_go_s_calendar_is_unset() {
    let one_of = OneOf::decode(&*protobuf(CREATE)).unwrap();
    let Some(Event::UserCreate(create)) = one_of.event else { panic!("another event") };
    assert_eq!(create.resource.unwrap().expires, None);
}
