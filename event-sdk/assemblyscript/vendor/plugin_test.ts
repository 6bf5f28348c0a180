// The entry of test.wasm: the plugin, and its tests. `host test` runs what assembly/event_handler.test.ts
// exports as `test` and `test_…`.

export * from "./plugin";
export * from "../assembly/event_handler.test";
