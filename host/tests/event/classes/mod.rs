//! The AssemblyScript kit's classes against prost, which reads and writes the same bytes.

mod filled;
mod kit;
mod visitor;

use filled::Filler;
use host_events::{CallError, Pool};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value,
};
use proto::prost::Message;
use std::time::Duration;
use tokio::sync::OnceCell;

const ROOTS: [&str; 5] = [
    "events.OneOf",
    "plugin.HandleEventRequest",
    "plugin.HandleEventResponse",
    "plugin.Alert",
    "types.LockV2",
];

fn roots() -> Vec<MessageDescriptor> {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    ROOTS.map(|name| pool.get_message_by_name(name).unwrap()).into()
}

/// The visitor, which has every class. Compiled once for all tests: that takes seconds.
async fn visitor() -> Pool {
    static POOL: OnceCell<Pool> = OnceCell::const_new();
    let compiled = async || pool("visitor", kit::compile(&visitor::source(&roots()))).await;
    POOL.get_or_init(compiled).await.clone()
}

async fn pool(name: &str, wasm: Vec<u8>) -> Pool {
    let pool = Pool::builder(name, wasm).timeout(Duration::from_secs(60)).concurrency(1);
    pool.build().await.unwrap()
}

async fn visit(message: &MessageDescriptor, bytes: &[u8]) -> Result<Vec<u8>, CallError> {
    visitor().await.call(&format!("visit_{}", visitor::function(message)), bytes).await
}

async fn pass(message: &MessageDescriptor, bytes: &[u8]) -> Vec<u8> {
    visitor().await.call(&format!("pass_{}", visitor::function(message)), bytes).await.unwrap()
}

/// Every event with every field set, and one without any.
fn events(one_of: &MessageDescriptor, filler: &mut Filler) -> Vec<DynamicMessage> {
    let mut events = Vec::new();
    for case in one_of.fields() {
        let Kind::Message(event) = case.kind() else { panic!("{} is no message", case.name()) };
        for depth in [None, Some(7)] {
            let event = match depth {
                None => DynamicMessage::new(event.clone()),
                Some(depth) => filler.fill(&event, depth),
            };
            let mut message = DynamicMessage::new(one_of.clone());
            message.set_field(&case, Value::Message(event));
            events.push(message);
        }
    }
    events
}

fn all(filler: &mut Filler) -> Vec<DynamicMessage> {
    let roots = roots();
    let mut messages = events(&roots[0], filler);
    messages.extend(roots[1..].iter().map(|root| filler.fill(root, 7)));
    messages
}

#[tokio::test]
async fn every_field_of_every_event_is_read_and_written_as_prost_does() {
    for message in all(&mut Filler::new(1)) {
        let (descriptor, bytes) = (message.descriptor(), message.encode_to_vec());
        let visited = visit(&descriptor, &bytes).await.unwrap();
        let [visited, sent] =
            [visited, bytes].map(|it| DynamicMessage::decode(descriptor.clone(), &it[..]).unwrap());
        assert!(visited == sent, "{visited}\n{sent}");
    }
}

#[tokio::test]
async fn what_nobody_reads_keeps_its_bytes() {
    let one_of = &roots()[0];
    for event in events(one_of, &mut Filler::new(2)) {
        let bytes = event.encode_to_vec();
        assert!(pass(one_of, &bytes).await == bytes, "{event}");
    }
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_refused_where_prost_refuses_it() {
    let mut filler = Filler::new(3);
    let messages = events(&roots()[0], &mut filler);
    for message in messages.iter().step_by(25) {
        let bytes = message.encode_to_vec();
        for _ in 0..20.min(bytes.len()) {
            let part = &bytes[..filler.below(bytes.len())];
            match DynamicMessage::decode(message.descriptor(), part) {
                Ok(part_of_it) => {
                    let visited = visit(&message.descriptor(), part).await.unwrap();
                    let visited = DynamicMessage::decode(message.descriptor(), &visited[..]);
                    assert_eq!(visited.unwrap(), part_of_it);
                }
                Err(_) => {
                    let error = visit(&message.descriptor(), part).await.unwrap_err().to_string();
                    assert!(error.contains("damaged message"), "{error}");
                }
            }
        }
    }
}

/// semantics.ts says what each of its exports is about.
#[tokio::test]
async fn plugins_see_and_change_messages_as_promised() {
    let pool = pool("semantics", kit::compile(include_str!("semantics.ts"))).await;
    let (mut kept, mut refused) = (0, 0);
    for name in pool.exports() {
        let result: Result<String, _> = pool.call(name, "").await;
        if name.starts_with("test_") {
            assert!(result.is_ok(), "{name}: {result:?}");
            kept += 1;
        } else if let Some(reason) = name.strip_prefix("fail_") {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(&reason.replace('_', " ")), "{name}: {error}");
            refused += 1;
        }
    }
    assert!(kept > 10 && refused > 1, "{kept} promises, {refused} refusals");
}
