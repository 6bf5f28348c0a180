// AssemblyScript's special imports, on what the host lends. asc puts them in place of its own by
// `use` in asconfig.json; nobody imports this file.

import { Date as Calendar } from "date";
import { lendText, release } from "./memory";

// @ts-ignore: decorator
@external("extism:host/env", "error_set")
declare function errorSet(text: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "log_info")
declare function logInfo(text: u64): void;
// @ts-ignore: decorator
@external("extism:host/user", "clock_now")
declare function clockNow(): i64;
// @ts-ignore: decorator
@external("extism:host/user", "random_seed")
declare function randomSeed(): i64;

/** What `throw`, a failed `assert` and the runtime's own checks end in: the call fails with this text. */
export function abort(text: string | null, file: string | null, line: u32, column: u32): void {
  const what = text === null ? "aborted" : text;
  const where = file === null ? "?" : file;
  errorSet(lendText(`${what} (${where}:${line}:${column})`));
  unreachable();
}

/** Writes a line into the plugin's log: the text, then the first `n` numbers. */
export function trace(
  text: string,
  n: i32 = 0,
  a0: f64 = 0,
  a1: f64 = 0,
  a2: f64 = 0,
  a3: f64 = 0,
  a4: f64 = 0,
): void {
  let line = text;
  if (n > 0) line += " " + decimal(a0);
  if (n > 1) line += " " + decimal(a1);
  if (n > 2) line += " " + decimal(a2);
  if (n > 3) line += " " + decimal(a3);
  if (n > 4) line += " " + decimal(a4);
  const lent = lendText(line);
  logInfo(lent);
  release(lent);
}

/** A whole number without the ".0" that AssemblyScript prints after it, as far as f64 is exact. */
function decimal(value: f64): string {
  const whole = value == Math.trunc(value) && Math.abs(value) <= <f64>F64.MAX_SAFE_INTEGER;
  return whole ? (<i64>value).toString() : value.toString();
}

/** What `Math.random` starts from. */
export function seed(): f64 {
  return reinterpret<f64>(randomSeed());
}

/** AssemblyScript's `Date`, with the host's clock behind `Date.now`. */
export class Date extends Calendar {
  static now(): i64 {
    return clockNow();
  }

  static parse(text: string): Date {
    return new Date(Calendar.parse(text).getTime());
  }

  static fromString(text: string): Date {
    return Date.parse(text);
  }
}
