// Moves bytes between the plugin's memory and the host's.
//
// Extism lends every call a memory of the host's: the plugin copies its input out of it and its output
// into it. What stands there is named by an offset, 0 is nothing. All of it is gone after the call.

// @ts-ignore: decorator
@external("extism:host/env", "input_length")
declare function inputLength(): u64;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u8")
declare function inputLoad8(at: u64): u8;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u64")
declare function inputLoad64(at: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "length")
declare function blockLength(offset: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "alloc")
declare function allocate(length: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "free")
declare function free(offset: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "load_u8")
declare function load8(at: u64): u8;
// @ts-ignore: decorator
@external("extism:host/env", "load_u64")
declare function load64(at: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "store_u8")
declare function store8(at: u64, byte: u8): void;
// @ts-ignore: decorator
@external("extism:host/env", "store_u64")
declare function store64(at: u64, word: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "output_set")
declare function outputSet(offset: u64, length: u64): void;

/** A block of host memory that a call of the host's is lent; `release` gives it back. */
export type Offset = u64;

/** What the host handed to this call. */
export function input(): ArrayBuffer {
  const length = <usize>inputLength();
  const buffer = new ArrayBuffer(<i32>length);
  const to = changetype<usize>(buffer);
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) store<u64>(to + i, inputLoad64(i));
  for (; i < length; i++) store<u8>(to + i, inputLoad8(i));
  return buffer;
}

/** Makes the view's bytes the result of this call. */
export function output(view: DataView): void {
  outputSet(lendBytes(view), view.byteLength);
}

/** Copies a view into the host's memory. Nothing is 0, which the host reads as no bytes. */
export function lendBytes(view: DataView): Offset {
  const length = <usize>view.byteLength;
  const from = view.dataStart;
  const offset = allocate(length);
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) store64(offset + i, load<u64>(from + i));
  for (; i < length; i++) store8(offset + i, load<u8>(from + i));
  return offset;
}

/** Copies a text into the host's memory, as UTF-8. Half a surrogate pair becomes U+FFFD. */
export function lendText(text: string): Offset {
  return lendBytes(new DataView(utf8(text)));
}

/** A text as UTF-8. Half a surrogate pair becomes U+FFFD: the host takes nothing but UTF-8. */
export function utf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** Gives a lent block back before the call ends: a batch would pile them up. */
export function release(offset: Offset): void {
  if (offset) free(offset);
}

/** Copies a result of the host's and gives its block back; null when the host had none. */
export function takeBytes(offset: Offset): ArrayBuffer | null {
  if (!offset) return null;
  const length = <usize>blockLength(offset);
  const buffer = new ArrayBuffer(<i32>length);
  const to = changetype<usize>(buffer);
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) store<u64>(to + i, load64(offset + i));
  for (; i < length; i++) store<u8>(to + i, load8(offset + i));
  free(offset);
  return buffer;
}

/** As `takeBytes`, for text. */
export function takeText(offset: Offset): string | null {
  const bytes = takeBytes(offset);
  return bytes === null ? null : String.UTF8.decode(bytes);
}
