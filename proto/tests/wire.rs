//! The types are what a peer has on the wire.

use std::fmt::Debug;

use proto::events::cassandra_batch::batch_child::Value;
use proto::events::cassandra_batch::{self, BatchChild};
use proto::events::resource_access_id::Constraints;
use proto::events::session_network::NetworkOperation;
use proto::events::{
    AwsConsoleConstraints, CassandraBatch, EventAction, Metadata, OneOf, ResourceAccessId,
    SamlConnectorCreate, ServerMetadata, SessionNetwork, SessionPrint, Status, UserLogin,
    UserMetadata, one_of,
};
use proto::plugin::{Alert, HandleEventRequest, HandleEventResponse, Severity};
use proto::prost::Message;
use proto::prost_types::Timestamp;
use proto::types::{self, LockSpecV2, LockTarget, LockV2};
use proto::wrappers::{LabelValues, StringValues};

fn login() -> UserLogin {
    UserLogin {
        metadata: Some(Metadata {
            r#type: "user.login".into(),
            code: "T1000W".into(),
            ..Metadata::default()
        }),
        user: Some(UserMetadata { user: "alice".into(), ..UserMetadata::default() }),
        status: Some(Status { error: "denied".into(), ..Status::default() }),
        method: "local".into(),
        ..UserLogin::default()
    }
}

/// A tag is the number of the field times 8, plus 2 for what has a length.
#[test]
fn request_is_encoded_by_hand() {
    let request = HandleEventRequest { event: Some(login().into()) };

    let mut bytes = vec![0x0a, 50]; // HandleEventRequest.Event
    bytes.extend([0x0a, 48]); // OneOf.UserLogin
    bytes.extend([0x0a, 20]); // UserLogin.Metadata
    bytes.extend(b"\x12\x0auser.login");
    bytes.extend(b"\x22\x06T1000W");
    bytes.extend([0x12, 7]); // UserLogin.User
    bytes.extend(b"\x0a\x05alice");
    bytes.extend([0x1a, 8]); // UserLogin.Status
    bytes.extend(b"\x12\x06denied");
    bytes.extend(b"\x22\x05local"); // UserLogin.Method
    assert_eq!(request.encode_to_vec(), bytes);
    assert_eq!(HandleEventRequest::decode(&*bytes).unwrap(), request);
}

#[test]
fn response_without_event_is_two_bytes() {
    let response = HandleEventResponse { success: true, ..HandleEventResponse::default() };
    assert_eq!(response.encode_to_vec(), [0x08, 1]);
}

#[track_caller]
fn survives<T: Message + Default + PartialEq + Debug>(message: &T) {
    assert_eq!(T::decode(&*message.encode_to_vec()).as_ref(), Ok(message));
}

#[test]
fn events_survive_the_wire() {
    survives(&OneOf::from(CassandraBatch {
        children: vec![BatchChild {
            query: "SELECT".into(),
            values: vec![Value { r#type: 7, contents: vec![0, 255] }],
            ..cassandra_batch::BatchChild::default()
        }],
        ..CassandraBatch::default()
    }));
    survives(&OneOf::from(SessionNetwork {
        server: Some(ServerMetadata {
            server_labels: [("env".into(), "dev".into())].into(),
            ..ServerMetadata::default()
        }),
        dst_port: -1,
        operation: NetworkOperation::Send.into(),
        action: EventAction::Denied.into(),
        ..SessionNetwork::default()
    }));
    survives(&OneOf::from(SessionPrint { data: b"ls\n".into(), ..SessionPrint::default() }));
    survives(&ResourceAccessId {
        constraints: Some(Constraints::AwsConsole(AwsConsoleConstraints {
            role_arns_count: 3,
            ..AwsConsoleConstraints::default()
        })),
        ..ResourceAccessId::default()
    });
    survives(&UserMetadata {
        user_traits: Some(LabelValues {
            values: [("team".into(), StringValues { values: vec!["dev".into(), "ops".into()] })]
                .into(),
        }),
        ..UserMetadata::default()
    });
}

/// A connector is a message in Teleport, whose fields nobody here knows.
#[test]
fn connectors_survive_although_their_fields_are_unknown() {
    let connector = LockV2 { kind: "saml".into(), ..LockV2::default() }.encode_to_vec();
    let mut bytes = vec![0x22, u8::try_from(connector.len()).unwrap()];
    bytes.extend(&connector);

    let event = SamlConnectorCreate::decode(&*bytes).unwrap();
    assert_eq!(event.connector, connector);
    assert_eq!(event.encode_to_vec(), bytes);
}

#[test]
fn locks_and_alerts_survive_the_wire() {
    survives(&LockV2 {
        kind: "lock".into(),
        version: "v2".into(),
        metadata: Some(types::Metadata { name: "tenon".into(), ..types::Metadata::default() }),
        spec: Some(LockSpecV2 {
            target: Some(LockTarget { login: "root".into(), ..LockTarget::default() }),
            message: "too many attempts".into(),
            expires: Some(Timestamp { seconds: 1_700_000_000, nanos: 5 }),
            ..LockSpecV2::default()
        }),
        ..LockV2::default()
    });
    survives(&Alert {
        message: "look".into(),
        event: Some(login().into()),
        metadata: [("plugin".into(), "lockout".into())].into(),
        severity: Severity::High.into(),
    });
}

#[test]
fn maps_have_one_encoding() {
    let labels = |order: [&str; 3]| ServerMetadata {
        server_labels: order.map(|name| (name.into(), String::new())).into(),
        ..ServerMetadata::default()
    };
    assert_eq!(labels(["a", "b", "c"]).encode_to_vec(), labels(["c", "a", "b"]).encode_to_vec());
}

#[test]
fn any_event_says_its_case_and_its_metadata() {
    let event = OneOf::from(login());
    assert_eq!(event.case(), "UserLogin");
    assert_eq!(event.metadata().unwrap().code, "T1000W");
    assert_eq!(OneOf::default().case(), "");
    assert_eq!(OneOf::default().metadata(), None);
}

#[test]
fn an_event_is_as_large_as_a_pointer_and_its_case() {
    assert!(size_of::<one_of::Event>() <= 2 * size_of::<usize>());
}
