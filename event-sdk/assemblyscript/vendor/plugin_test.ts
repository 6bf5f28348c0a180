// The entry of test.wasm: the plugin, and its tests. `host test` runs every export that is called
// `test_…`: `test` of assembly/event_handler.test.ts, and the others there that have such a name.

export * from "./plugin";
export * from "../assembly/event_handler.test";
export { test as test_event_handler } from "../assembly/event_handler.test";
