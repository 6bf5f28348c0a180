//! What an event costs on its way from JSON to protobuf and back.
#![allow(missing_docs, clippy::unwrap_used)] // a benchmark fails loudly

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use host_events::codec::{to_json, to_json_over, to_protobuf};

const LOGIN: &str = r#"{"addr.remote":"198.51.100.23:36550","cluster_name":"teleport.example.com","code":"T1000W","ei":0,"error":"invalid username, password or second factor","event":"user.login","method":"local","success":false,"time":"2024-02-23T19:00:22.473Z","uid":"6bf5553c-f162-4cb2-85f5-479be47b2aa0","user":"teleport-admin","user_agent":"Go-http-client/1.1"}"#;

/// A login by single sign-on: traits, attributes of any form, lists.
fn large() -> String {
    let group = |number| format!("\"group-{number}-of-the-organisation\"");
    let groups = (0..100).map(group).collect::<Vec<_>>().join(",");
    let attributes = format!(
        r#"{{"department":"platform","groups":[{groups}],"login":{{"attempts":1,"mfa":true,"scores":[0.25,0.5,12]}}}}"#
    );
    LOGIN
        .replace(r#""cluster_name""#, &format!(r#""attributes":{attributes},"cluster_name""#))
        .replace(r#""user_agent""#, &format!(r#""user_roles":[{groups}],"user_traits":{{"groups":[{groups}],"logins":["root","ubuntu"]}},"user_agent""#))
}

fn codec(criterion: &mut Criterion) {
    for (name, event) in [("user.login", LOGIN.to_owned()), ("large", large())] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(event.len() as u64));
        let mut protobuf = Vec::new();
        to_protobuf(event.as_bytes(), &mut protobuf).unwrap();
        let mut out = Vec::new();
        group.bench_function("to protobuf", |bencher| {
            bencher.iter(|| {
                out.clear();
                to_protobuf(black_box(event.as_bytes()), &mut out).unwrap();
            });
        });
        group.bench_function("to JSON", |bencher| {
            bencher.iter(|| {
                out.clear();
                to_json(black_box(&protobuf), &mut out).unwrap();
            });
        });
        group.bench_function("to JSON over the original", |bencher| {
            bencher.iter(|| {
                out.clear();
                to_json_over(black_box(&protobuf), event.as_bytes(), &mut out).unwrap();
            });
        });
        let mut back = Vec::new();
        group.bench_function("both ways", |bencher| {
            bencher.iter(|| {
                out.clear();
                back.clear();
                to_protobuf(black_box(event.as_bytes()), &mut out).unwrap();
                to_json(black_box(&out), &mut back).unwrap();
            });
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
