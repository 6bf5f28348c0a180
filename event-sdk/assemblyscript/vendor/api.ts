// What a plugin can do beside changing its event.

import { lendBytes, lendText, Offset, release, takeText } from "./memory";
import { events, google, plugin, types } from "./teleport";

// @ts-ignore: decorator
@external("extism:host/user", "lock_upsert")
declare function lockUpsert(lock: u64): void;
// @ts-ignore: decorator
@external("extism:host/user", "alert")
declare function hostAlert(alert: u64): void;
// @ts-ignore: decorator
@external("extism:host/user", "secret_get")
declare function secretGet(name: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "config_get")
declare function configGet(name: u64): u64;

/**
 * Locks a user out for `seconds`, or until somebody removes the lock when that is 0. A lock that the
 * user already has is renewed. `message` is what they are told.
 */
export function createLock(user: events.UserMetadata, seconds: i32, message: string): void {
  if (user.User == "" && user.Login == "") {
    throw new Error("the event names no user that could be locked");
  }
  const now = Date.now();
  const lock = new types.LockV2();
  lock.Spec.Target.User = user.User;
  lock.Spec.Target.Login = user.Login;
  lock.Spec.Message = message;
  lock.Spec.CreatedAt = timestamp(now);
  if (seconds > 0) lock.Spec.Expires = timestamp(now + <i64>seconds * 1000);
  upsertLock(lock);
}

/**
 * Creates a lock, or renews the one of the same name. The host fills in what is left out: kind,
 * version, and a name that follows from the target. Without `Expires` it lasts until it is removed.
 */
export function upsertLock(lock: types.LockV2): void {
  const lent = lendBytes(lock.encode());
  lockUpsert(lent);
  release(lent);
}

/** Tells people of something: in the host's log, its metrics and wherever it sends alerts. */
export function alert(
  severity: plugin.Severity,
  message: string,
  event: events.OneOf | null = null,
  metadata: Map<string, string> | null = null,
): void {
  const alert = new plugin.Alert();
  alert.Severity = severity;
  alert.Message = message;
  if (event !== null) alert.Event = event;
  if (metadata !== null) alert.Metadata = metadata;
  const lent = lendBytes(alert.encode());
  hostAlert(lent);
  release(lent);
}

/** A secret that the host's configuration lets this plugin read; null when it does not. */
export function secret(name: string): string | null {
  const lent = lendText(name);
  const found: Offset = secretGet(lent);
  release(lent);
  return takeText(found);
}

/** A value of this plugin's configuration; null when there is none. */
export function config(name: string): string | null {
  const lent = lendText(name);
  const found: Offset = configGet(lent);
  release(lent);
  return takeText(found);
}

/** A moment in milliseconds since 1970, as `Date.now` has it, for a field of an event or a lock. */
export function timestamp(milliseconds: i64): google.protobuf.Timestamp {
  const time = new google.protobuf.Timestamp();
  const rest = (milliseconds % 1000 + 1000) % 1000;
  time.seconds = (milliseconds - rest) / 1000;
  time.nanos = <i32>rest * 1000000;
  return time;
}
