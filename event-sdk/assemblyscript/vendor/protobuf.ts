// Protobuf's wire form, for the classes in teleport.ts.
//
// Decoding is lazy: a message remembers where its texts, bytes and messages stand in the buffer it came
// from, and decodes one when it is first read. What nobody read is copied when the message is encoded,
// so an event that passes through costs little and keeps every byte. Positions are checked against the
// buffer whenever they are used: the buffer belongs to the author, who may write into it.
//
// A message that comes twice in a field for one is not merged, the last one counts: no encoder writes it.

/** The form of a field on the wire, which stands in its tag. */
const enum Wire {
  VARINT = 0,
  FIXED64 = 1,
  BYTES = 2,
  FIXED32 = 5,
}

/** Whoever reads a message gives up on one that is nested deeper, as protobuf's decoders do. */
const MAX_DEPTH: u32 = 100;

/** A position that stands for "set by the plugin": the message is written even when it is empty. */
export const SET: u32 = u32.MAX_VALUE;

const NOTHING = new ArrayBuffer(0);

/** A message of the schema. Its fields are in the classes of teleport.ts. */
export abstract class Message {
  /** What the message was decoded from. */
  __source: ArrayBuffer = NOTHING;
  /**
   * Where fields stand that this schema does not know, as pairs of start and end: those of a newer host
   * must not get lost.
   */
  __unknown: Array<u32> | null = null;

  abstract __read(from: Reader): void;
  abstract __write(to: Writer): void;

  /** The message in wire form. */
  encode(): DataView {
    const writer = shared.reset();
    this.__write(writer);
    return new DataView(writer.finish());
  }

  /** The length of the message in wire form. */
  size(): i32 {
    const writer = shared.reset();
    this.__write(writer);
    return writer.length;
  }
}

/** Decodes a whole message. Throws when there is none, or when it is damaged. */
export function decode<T extends Message>(view: DataView | null): T {
  if (view === null) throw new Error("there is no message to decode");
  const at = <u32>view.byteOffset;
  return read<T>(new Reader(view.buffer, at, at + <u32>view.byteLength));
}

/** Decodes the message whose length stands at `at`; an empty one when `at` is 0 or `SET`. */
export function messageAt<T extends Message>(source: ArrayBuffer, at: u32): T {
  if (at == 0 || at == SET) return instantiate<T>();
  return read<T>(inside(source, at));
}

/** Decodes the text whose length stands at `at`; an empty one when `at` is 0. The host has checked it. */
export function textAt(source: ArrayBuffer, at: u32): string {
  if (at == 0) return "";
  const span = lookInside(source, at);
  return String.UTF8.decodeUnsafe(span.pointer, span.left);
}

/** Decodes the bytes whose length stands at `at`; none when `at` is 0. */
export function bytesAt(source: ArrayBuffer, at: u32): Uint8Array {
  if (at == 0) return new Uint8Array(0);
  const span = lookInside(source, at);
  return Uint8Array.wrap(source.slice(span.at, span.end));
}

/** Whether a field for a message would be written. */
export function present(value: Message | null, at: u32): bool {
  return at != 0 || (value !== null && value.size() > 0);
}

function read<T extends Message>(from: Reader): T {
  const message = instantiate<T>();
  message.__source = from.source;
  message.__read(from);
  return message;
}

/** What the length at `at` covers. */
function inside(source: ArrayBuffer, at: u32): Reader {
  return new Reader(source, 0, 0).moveTo(source, at);
}

/** As `inside`, without an allocation: good until the next look. */
function lookInside(source: ArrayBuffer, at: u32): Reader {
  return glance.moveTo(source, at);
}

/** Reads fields one after another, never past the end. */
export class Reader {
  /** The number of the field that `next` found. */
  field: u32 = 0;
  private wire: u32 = 0;
  /** Where the tag of that field began. */
  private start: u32 = 0;

  constructor(public source: ArrayBuffer, public at: u32, public end: u32) {}

  /** To what the length at `at` covers. */
  moveTo(source: ArrayBuffer, at: u32): Reader {
    this.source = source;
    this.at = at;
    this.end = source.byteLength;
    this.end = this.after(this.varint());
    return this;
  }

  get left(): u32 {
    return this.end - this.at;
  }

  get pointer(): usize {
    return changetype<usize>(this.source) + this.at;
  }

  /** Steps to the next field; false at the end. */
  next(): bool {
    this.start = this.at;
    if (this.at == this.end) return false;
    const tag = this.varint();
    if (tag < 8 || tag > u32.MAX_VALUE) throw new Error("damaged message: not a field number");
    this.field = <u32>tag >> 3;
    this.wire = <u32>tag & 7;
    return true;
  }

  /** Remembers where a text, bytes or a message stand, and steps over them. */
  span(): u32 {
    this.expect(Wire.BYTES);
    const at = this.at;
    this.at = this.after(this.varint());
    return at;
  }

  text(): string {
    return textAt(this.source, this.span());
  }

  bytes(): Uint8Array {
    return bytesAt(this.source, this.span());
  }

  message<T extends Message>(): T {
    return messageAt<T>(this.source, this.span());
  }

  /** One entry of a map: field 1 is the key, field 2 the value. */
  entry(): Reader {
    return inside(this.source, this.span());
  }

  /** Numbers of a repeated field: packed, or one by one as old encoders write them. */
  numbers(wire: u32): Reader {
    let numbers: Reader;
    if (this.wire == Wire.BYTES) {
      numbers = inside(this.source, this.span());
    } else {
      const at = this.at;
      this.skip();
      numbers = new Reader(this.source, at, this.at);
      wire = this.wire;
    }
    numbers.wire = wire;
    return numbers;
  }

  int<T>(): T {
    this.expect(Wire.VARINT);
    return <T>this.varint();
  }

  bool(): bool {
    this.expect(Wire.VARINT);
    return this.varint() != 0;
  }

  zigzag<T>(): T {
    this.expect(Wire.VARINT);
    const value = this.varint();
    return <T>(<i64>(value >> 1) ^ -(<i64>(value & 1)));
  }

  fixed<T>(): T {
    this.expect(sizeof<T>() == 8 ? Wire.FIXED64 : Wire.FIXED32);
    const at = this.pointer;
    this.at = this.after(sizeof<T>());
    return load<T>(at);
  }

  skip(): void {
    if (this.wire == Wire.VARINT) this.varint();
    else if (this.wire == Wire.FIXED64) this.at = this.after(8);
    else if (this.wire == Wire.BYTES) this.at = this.after(this.varint());
    else if (this.wire == Wire.FIXED32) this.at = this.after(4);
    else throw new Error("damaged message: field " + this.field.toString() + " has no known form");
  }

  /** Steps over a field that the schema does not know, and remembers it. */
  keep(message: Message): void {
    this.skip();
    let spans = message.__unknown;
    if (spans === null) message.__unknown = spans = [];
    const count = spans.length;
    if (count && spans[count - 1] == this.start) {
      spans[count - 1] = this.at;
    } else {
      spans.push(this.start);
      spans.push(this.at);
    }
  }

  varint(): u64 {
    let value: u64 = 0;
    for (let shift: u64 = 0; shift < 64; shift += 7) {
      const byte = <u64>this.byte();
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("damaged message: a number of more than 64 bits");
  }

  /** The position behind the next `length` bytes. */
  after(length: u64): u32 {
    if (length > this.left) throw new Error("damaged message: cut short");
    return this.at + <u32>length;
  }

  private byte(): u8 {
    if (this.at >= this.end) throw new Error("damaged message: cut short");
    return load<u8>(changetype<usize>(this.source) + this.at++);
  }

  private expect(wire: u32): void {
    if (this.wire != wire) {
      throw new Error("damaged message: field " + this.field.toString() + " is of another type");
    }
  }
}

/**
 * Writes fields from the last to the first, from the end of the buffer towards its start: the length of
 * a message is known when it has to be written.
 */
export class Writer {
  private buffer: ArrayBuffer = new ArrayBuffer(1024);
  private at: u32 = 1024;
  private depth: u32 = 0;

  reset(): Writer {
    this.at = this.buffer.byteLength;
    this.depth = 0;
    return this;
  }

  get length(): u32 {
    return this.buffer.byteLength - this.at;
  }

  /** A copy of all that was written. */
  finish(): ArrayBuffer {
    return this.buffer.slice(this.at);
  }

  /** A text that is copied from `source` if it stands there, else is written unless it is empty. */
  textOr(field: u32, value: string | null, source: ArrayBuffer, at: u32): void {
    if (at) this.copy(field, source, at);
    else if (value !== null && value.length) this.text(field, value);
  }

  /** Bytes that are copied from `source` unless they were read, for they may have been changed then. */
  bytesOr(field: u32, value: Uint8Array | null, source: ArrayBuffer, at: u32): void {
    if (value === null) this.copy(field, source, at);
    else if (value.length) this.bytes(field, value);
  }

  /**
   * A message that is copied from `source` unless it was read. One that was only made by being read,
   * and got nothing, is left out.
   */
  messageOr(field: u32, value: Message | null, source: ArrayBuffer, at: u32): void {
    if (value === null) return this.copy(field, source, at);
    const end = this.length;
    this.content(value);
    if (at || this.length > end) this.close(field, end);
  }

  message(field: u32, value: Message): void {
    const end = this.length;
    this.content(value);
    this.close(field, end);
  }

  text(field: u32, value: string): void {
    const length = <u32>String.UTF8.byteLength(value);
    const to = this.reserve(length);
    const replace = String.UTF8.ErrorMode.REPLACE;
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, to, false, replace);
    this.varint(length);
    this.tag(field, Wire.BYTES);
  }

  bytes(field: u32, value: Uint8Array): void {
    const end = this.length;
    this.raw(value.dataStart, value.byteLength);
    this.close(field, end);
  }

  int<T>(value: T): void {
    this.varint(isSigned<T>() ? <u64>(<i64>value) : <u64>value);
  }

  zigzag<T>(value: T): void {
    this.varint((<u64>value << 1) ^ <u64>(<i64>value >> 63));
  }

  fixed<T>(value: T): void {
    store<T>(this.reserve(sizeof<T>()), value);
  }

  /** Makes the number that was written last a field. */
  tag(field: u32, wire: u32): void {
    this.varint((field << 3) | wire);
  }

  /** Turns what was written since `end` into one field: a message, an entry of a map, packed numbers. */
  close(field: u32, end: u32): void {
    this.varint(this.length - end);
    this.tag(field, Wire.BYTES);
  }

  /** The fields of a message that the schema does not know. */
  unknown(message: Message): void {
    const spans = message.__unknown;
    if (spans === null) return;
    const source = changetype<usize>(message.__source);
    for (let i = spans.length; i; i -= 2) {
      this.raw(source + spans[i - 2], spans[i - 1] - spans[i - 2]);
    }
  }

  raw(from: usize, length: u32): void {
    memory.copy(this.reserve(length), from, length);
  }

  varint(value: u64): void {
    const length = <u32>(value ? (70 - clz(value)) / 7 : 1);
    const to = this.reserve(length);
    const last = length - 1;
    for (let i: u32 = 0; i < last; i++) {
      store<u8>(to + i, <u8>value | 0x80);
      value >>= 7;
    }
    store<u8>(to + last, <u8>value);
  }

  /** The text, bytes or message whose length stands at `at` in `source`. */
  copy(field: u32, source: ArrayBuffer, at: u32): void {
    if (at == 0) return;
    const span = lookInside(source, at);
    this.raw(span.pointer, span.left);
    this.varint(span.left);
    this.tag(field, Wire.BYTES);
  }

  private content(value: Message): void {
    if (++this.depth > MAX_DEPTH) {
      throw new Error("a message is nested deeper than " + MAX_DEPTH.toString() + " levels");
    }
    value.__write(this);
    this.depth--;
  }

  /** Room for `length` bytes before what is written. */
  private reserve(length: u32): usize {
    if (length > this.at) this.grow(length);
    this.at -= length;
    return changetype<usize>(this.buffer) + this.at;
  }

  private grow(length: u32): void {
    const written = this.length;
    const larger = new ArrayBuffer(max(<u32>this.buffer.byteLength * 2, written + length));
    const at = <u32>larger.byteLength - written;
    const from = changetype<usize>(this.buffer) + this.at;
    memory.copy(changetype<usize>(larger) + at, from, written);
    this.buffer = larger;
    this.at = at;
  }
}

const glance = new Reader(NOTHING, 0, 0);

/** Every message is written here first: what it needs is known when it is done. */
const shared = new Writer();
