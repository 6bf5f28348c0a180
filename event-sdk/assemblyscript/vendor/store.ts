// The store that the host keeps for this plugin. Counts and values survive a restart of the host.

import { lendBytes, lendText, release, takeBytes, takeText, utf8 } from "./memory";

// @ts-ignore: decorator
@external("extism:host/user", "store_take_token")
declare function storeTakeToken(scope: u64, ttl: i64): i64;
// @ts-ignore: decorator
@external("extism:host/user", "store_release_tokens")
declare function storeReleaseTokens(scope: u64): i64;
// @ts-ignore: decorator
@external("extism:host/user", "store_get")
declare function storeGet(key: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "store_set")
declare function storeSet(key: u64, value: u64, ttl: i64): void;
// @ts-ignore: decorator
@external("extism:host/user", "store_delete")
declare function storeDelete(key: u64): void;

/**
 * Adds a token to the scope and returns how many are there, the new one included. Each token goes by
 * itself after `ttl` seconds. Scopes are exact: "foo" and "foobar" have nothing in common.
 */
export function takeToken(scope: string, ttl: i32): i32 {
  const lent = lendText(scope);
  const count = storeTakeToken(lent, ttl);
  release(lent);
  return <i32>min<i64>(count, i32.MAX_VALUE);
}

/** Drops all tokens of the scope and returns how many there were. */
export function releaseTokens(scope: string): i32 {
  const lent = lendText(scope);
  const count = storeReleaseTokens(lent);
  release(lent);
  return <i32>min<i64>(count, i32.MAX_VALUE);
}

/** The text that `set` put there; null when there is none or its time is over. */
export function get(key: string): string | null {
  const lent = lendText(key);
  const found = storeGet(lent);
  release(lent);
  return takeText(found);
}

/** Keeps a text for `ttl` seconds; for good when `ttl` is 0. An empty one reads back as null. */
export function set(key: string, value: string, ttl: i32 = 0): void {
  setBytes(key, utf8(value), ttl);
}

/** As `get`, for bytes. */
export function getBytes(key: string): ArrayBuffer | null {
  const lent = lendText(key);
  const found = storeGet(lent);
  release(lent);
  return takeBytes(found);
}

/** As `set`, for bytes. */
export function setBytes(key: string, value: ArrayBuffer, ttl: i32 = 0): void {
  const lentKey = lendText(key);
  const lentValue = lendBytes(new DataView(value));
  storeSet(lentKey, lentValue, ttl);
  release(lentValue);
  release(lentKey);
}

/** Removes a value; there need not be one. `store.delete`, which cannot be declared by that name. */
export function remove(key: string): void {
  const lent = lendText(key);
  storeDelete(lent);
  release(lent);
}

export { remove as delete };
