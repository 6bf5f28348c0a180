//! What cannot be a plugin is refused when it is loaded, in one sentence.

use crate::kit::{World, manifest};
use fixtures::wat;
use host_events::{EventPlugin, Manifest};

async fn refusal(manifest: Manifest) -> String {
    let world = World::new();
    let loaded = EventPlugin::load(manifest, world.services.clone(), &world.metrics, None).await;
    loaded.err().expect("is refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Manifest::new(path)
    };
    let cut = &std::fs::read(wat("echo")).unwrap()[..100];
    for (manifest, text) in [
        (manifest("no_export"), "handles no events"),
        (manifest("unknown_import"), "which this host does not lend to it"),
        (file("text.wasm", b"#!/bin/sh"), "is no WebAssembly"),
        (file("cut.wasm", cut), "damaged WebAssembly module"),
        (file("empty.wasm", b""), "is no WebAssembly"),
        (file("component.wasm", b"\0asm\x0d\0\x01\0"), "is a component"),
        (Manifest::new(folder.path().join("absent.wasm")), "cannot be read"),
        (manifest("start_loop"), "ran longer than"),
        (manifest("initialize_loop"), "ran longer than"),
    ] {
        let path = manifest.path.display().to_string();
        let refusal = refusal(manifest).await;
        assert!(refusal.contains(text), "{path}: {refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_another_name_is_called_if_it_is_there() {
    let named = |name: &str| Manifest { handler: Some(name.to_owned()), ..manifest("echo") };
    let world = World::new();
    world.load(named("handle_event")).await;
    let refusal = refusal(named("onEvent")).await;
    assert!(refusal.contains("exports no onEvent"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wasi_is_lent_to_those_that_import_it() {
    World::new().load(manifest("needs_wasi")).await;
}
