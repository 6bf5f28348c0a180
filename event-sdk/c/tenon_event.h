// Event plugins for Tenon in C: one header, no libc, no WASI.
//
// A plugin exports `handle_event_json`, which gets an event as the JSON object that a sink would get
// and answers with the object to forward, or with nothing to skip it:
//
//     #include "tenon_event.h"
//
//     TENON_EXPORT(handle_event_json) {
//       tenon_output(tenon_input());
//       return 0;
//     }
//
// Texts are UTF-8 with a length, not terminated by a zero. What these functions return lives in the
// plugin's memory until the next tenon_input().

#ifndef TENON_EVENT_H
#define TENON_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *data;
  size_t length;
} tenon_text;

#define TENON_TEXT(literal) ((tenon_text){"" literal, sizeof(literal) - 1})

// Begins a function that the host calls. It returns 0, or 1 after tenon_error().
#define TENON_EXPORT(name)                                                     \
  int32_t name(void);                                                          \
  __attribute__((export_name(#name))) int32_t name(void)

// ---------------------------------------------------------------- what the host lends (by Extism)

#define TENON_ENV(name)                                                        \
  __attribute__((import_module("extism:host/env"), import_name(name)))
#define TENON_USER(name)                                                       \
  __attribute__((import_module("extism:host/user"), import_name(name)))

// Blocks of host memory are named by an offset; 0 is none.
typedef uint64_t tenon_offset;

TENON_ENV("input_length") uint64_t extism_input_length(void);
TENON_ENV("input_load_u8") uint8_t extism_input_load_u8(uint64_t at);
TENON_ENV("input_load_u64") uint64_t extism_input_load_u64(uint64_t at);
TENON_ENV("length") uint64_t extism_length(tenon_offset block);
TENON_ENV("alloc") tenon_offset extism_alloc(uint64_t length);
TENON_ENV("free") void extism_free(tenon_offset block);
TENON_ENV("load_u8") uint8_t extism_load_u8(uint64_t at);
TENON_ENV("load_u64") uint64_t extism_load_u64(uint64_t at);
TENON_ENV("store_u8") void extism_store_u8(uint64_t at, uint8_t byte);
TENON_ENV("store_u64") void extism_store_u64(uint64_t at, uint64_t word);
TENON_ENV("output_set") void extism_output_set(tenon_offset block, uint64_t length);
TENON_ENV("error_set") void extism_error_set(tenon_offset text);
TENON_ENV("log_info") void extism_log_info(tenon_offset text);
TENON_ENV("config_get") tenon_offset extism_config_get(tenon_offset name);

TENON_USER("store_take_token") int64_t tenon_host_take_token(tenon_offset scope, int64_t ttl);
TENON_USER("store_release_tokens") int64_t tenon_host_release_tokens(tenon_offset scope);
TENON_USER("store_get") tenon_offset tenon_host_get(tenon_offset key);
TENON_USER("store_set") void tenon_host_set(tenon_offset key, tenon_offset value, int64_t ttl);
TENON_USER("store_delete") void tenon_host_delete(tenon_offset key);
TENON_USER("lock_upsert") void tenon_host_lock_upsert(tenon_offset lock);
TENON_USER("alert") void tenon_host_alert(tenon_offset alert);
TENON_USER("secret_get") tenon_offset tenon_host_secret(tenon_offset name);
TENON_USER("clock_now") int64_t tenon_host_clock_now(void);
TENON_USER("random_seed") int64_t tenon_host_random_seed(void);

// ---------------------------------------------------------------------- what compilers expect of a libc

// Weak: every source file that includes this header brings them.
__attribute__((weak)) void *memmove(void *to, const void *from, size_t length) {
  unsigned char *t = to;
  const unsigned char *f = from;
  if (t < f) {
    for (size_t i = 0; i < length; i++) t[i] = f[i];
  } else {
    for (size_t i = length; i-- > 0;) t[i] = f[i];
  }
  return to;
}

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  unsigned char *t = to;
  const unsigned char *f = from;
  for (size_t i = 0; i < length; i++) t[i] = f[i];
  return to;
}

__attribute__((weak)) void *memset(void *to, int byte, size_t length) {
  unsigned char *t = to;
  for (size_t i = 0; i < length; i++) t[i] = (unsigned char)byte;
  return to;
}

__attribute__((weak)) int memcmp(const void *a, const void *b, size_t length) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < length; i++) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return 0;
}

// -------------------------------------------------------------------------------------------- memory

// Where the linker's own data ends. Everything behind it is for one call.
extern unsigned char __heap_base;
__attribute__((weak)) uintptr_t tenon_heap;

// Memory until the next tenon_input(). When there is none left the plugin traps, and the host makes a
// new instance.
static inline void *tenon_alloc(size_t length) {
  if (tenon_heap == 0) tenon_heap = (uintptr_t)&__heap_base;
  uintptr_t start = (tenon_heap + 7) & ~(uintptr_t)7;
  uintptr_t have = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
  if (length > UINTPTR_MAX - 0xffff - start) __builtin_trap();
  if (start + length > have) {
    size_t pages = (start + length - have + 0xffff) >> 16;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) __builtin_trap();
  }
  tenon_heap = start + length;
  return (void *)start;
}

// Copies a text into the host's memory.
static inline tenon_offset tenon_lend(tenon_text text) {
  tenon_offset block = extism_alloc(text.length);
  size_t i = 0;
  for (; i + 8 <= text.length; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, text.data + i, 8);
    extism_store_u64(block + i, word);
  }
  for (; i < text.length; i++) extism_store_u8(block + i, (uint8_t)text.data[i]);
  return block;
}

static inline void tenon_release(tenon_offset block) {
  if (block) extism_free(block);
}

// Copies a block out of the host's memory and gives it back. A text without data: there was none.
static inline tenon_text tenon_take(tenon_offset block) {
  if (!block) return (tenon_text){NULL, 0};
  size_t length = (size_t)extism_length(block);
  char *data = tenon_alloc(length);
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word = extism_load_u64(block + i);
    __builtin_memcpy(data + i, &word, 8);
  }
  for (; i < length; i++) data[i] = (char)extism_load_u8(block + i);
  extism_free(block);
  return (tenon_text){data, length};
}

// ------------------------------------------------------------------------------------ input and output

// What the host handed to this call. Ends the life of everything that was returned before.
static inline tenon_text tenon_input(void) {
  tenon_heap = 0;
  size_t length = (size_t)extism_input_length();
  char *data = tenon_alloc(length);
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word = extism_input_load_u64(i);
    __builtin_memcpy(data + i, &word, 8);
  }
  for (; i < length; i++) data[i] = (char)extism_input_load_u8(i);
  return (tenon_text){data, length};
}

// The result of this call. Without it, or with an empty text, the event is skipped.
static inline void tenon_output(tenon_text text) {
  extism_output_set(tenon_lend(text), text.length);
}

// Why this call failed; return 1 after it.
static inline void tenon_error(tenon_text text) { extism_error_set(tenon_lend(text)); }

// A line in the plugin's log.
static inline void tenon_log(tenon_text text) {
  tenon_offset lent = tenon_lend(text);
  extism_log_info(lent);
  tenon_release(lent);
}

static inline bool tenon_equal(tenon_text a, tenon_text b) {
  return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static inline tenon_text tenon_join(tenon_text a, tenon_text b) {
  char *data = tenon_alloc(a.length + b.length);
  memcpy(data, a.data, a.length);
  memcpy(data + a.length, b.data, b.length);
  return (tenon_text){data, a.length + b.length};
}

// ------------------------------------------------------------------- configuration, secrets, the store

static inline tenon_text tenon_ask(tenon_offset (*question)(tenon_offset), tenon_text name) {
  tenon_offset lent = tenon_lend(name);
  tenon_offset found = question(lent);
  tenon_release(lent);
  return tenon_take(found);
}

// A value of the plugin's configuration; a text without data when there is none.
static inline tenon_text tenon_config(tenon_text name) {
  return tenon_ask(extism_config_get, name);
}

// A secret that the configuration lets this plugin read; a text without data when it does not.
static inline tenon_text tenon_secret(tenon_text name) {
  return tenon_ask(tenon_host_secret, name);
}

// What tenon_set() put there; a text without data when there is none or its time is over.
static inline tenon_text tenon_get(tenon_text key) { return tenon_ask(tenon_host_get, key); }

// Keeps a value for `ttl` seconds; for good when `ttl` is 0.
static inline void tenon_set(tenon_text key, tenon_text value, int64_t ttl) {
  tenon_offset lent_key = tenon_lend(key), lent_value = tenon_lend(value);
  tenon_host_set(lent_key, lent_value, ttl);
  tenon_release(lent_value);
  tenon_release(lent_key);
}

// Removes a value; there need not be one.
static inline void tenon_delete(tenon_text key) {
  tenon_offset lent = tenon_lend(key);
  tenon_host_delete(lent);
  tenon_release(lent);
}

// Adds a token, which goes by itself after `ttl` seconds, and returns how many the scope has.
static inline int64_t tenon_take_token(tenon_text scope, int64_t ttl) {
  tenon_offset lent = tenon_lend(scope);
  int64_t count = tenon_host_take_token(lent, ttl);
  tenon_release(lent);
  return count;
}

// Drops the tokens of a scope and returns how many there were.
static inline int64_t tenon_release_tokens(tenon_text scope) {
  tenon_offset lent = tenon_lend(scope);
  int64_t count = tenon_host_release_tokens(lent);
  tenon_release(lent);
  return count;
}

// Milliseconds since 1970.
static inline int64_t tenon_now(void) { return tenon_host_clock_now(); }

// --------------------------------------------------------------------------------- locks and alerts

// Both are small messages of protobuf, written field by field into `to`, which is large enough.
static inline char *tenon_write_number(char *to, unsigned field, uint64_t value) {
  if (value == 0) return to;
  *to++ = (char)(field << 3);
  for (; value > 0x7f; value >>= 7) *to++ = (char)(value | 0x80);
  *to++ = (char)value;
  return to;
}

static inline char *tenon_write_text(char *to, unsigned field, tenon_text text) {
  if (text.length == 0) return to;
  *to++ = (char)(field << 3 | 2);
  uint64_t length = text.length;
  for (; length > 0x7f; length >>= 7) *to++ = (char)(length | 0x80);
  *to++ = (char)length;
  memcpy(to, text.data, text.length);
  return to + text.length;
}

static inline tenon_text tenon_written(const char *from, const char *to) {
  return (tenon_text){from, (size_t)(to - from)};
}

// Locks out who has both this user and this login, each unless it is empty, for `seconds`, or until
// the lock is removed when that is 0. A lock that they already have is renewed. They are told `message`.
static inline void tenon_create_lock(tenon_text user, tenon_text login, int64_t seconds,
                                     tenon_text message) {
  size_t room = user.length + login.length + message.length + 128;
  char *target = tenon_alloc(room), *end = target;
  end = tenon_write_text(end, 1, user);
  end = tenon_write_text(end, 3, login);

  char *expires = tenon_alloc(16), *expires_end = expires;
  if (seconds > 0) {
    uint64_t until = (uint64_t)(tenon_now() / 1000 + seconds);
    expires_end = tenon_write_number(expires_end, 1, until);
  }

  char *spec = tenon_alloc(room), *spec_end = spec;
  spec_end = tenon_write_text(spec_end, 1, tenon_written(target, end));
  spec_end = tenon_write_text(spec_end, 2, message);
  spec_end = tenon_write_text(spec_end, 3, tenon_written(expires, expires_end));

  char *lock = tenon_alloc(room);
  tenon_offset lent =
      tenon_lend(tenon_written(lock, tenon_write_text(lock, 5, tenon_written(spec, spec_end))));
  tenon_host_lock_upsert(lent);
  tenon_release(lent);
}

typedef enum {
  TENON_INFO = 0,
  TENON_LOW = 1,
  TENON_MEDIUM = 2,
  TENON_HIGH = 3,
  TENON_CRITICAL = 4,
} tenon_severity;

// Tells people of something: in the host's log, its metrics and wherever it sends alerts.
static inline void tenon_alert(tenon_severity severity, tenon_text message) {
  char *alert = tenon_alloc(message.length + 32), *end = alert;
  end = tenon_write_text(end, 1, message);
  end = tenon_write_number(end, 4, severity);
  tenon_offset lent = tenon_lend(tenon_written(alert, end));
  tenon_host_alert(lent);
  tenon_release(lent);
}

// ------------------------------------------------------------------------------------- reading JSON
//
// Enough to look at the keys of an event. Nothing is read outside of the text, whatever is in it; a
// text that is no JSON object has no keys.

static inline size_t tenon_json_space(tenon_text json, size_t at) {
  while (at < json.length && (json.data[at] == ' ' || json.data[at] == '\t' ||
                              json.data[at] == '\n' || json.data[at] == '\r')) {
    at++;
  }
  return at;
}

static inline bool tenon_json_at(tenon_text json, size_t at, char wanted) {
  return at < json.length && json.data[at] == wanted;
}

// Behind the string that begins at `at`; 0 when it does not end.
static inline size_t tenon_json_string_end(tenon_text json, size_t at) {
  for (at++; at < json.length; at++) {
    if (json.data[at] == '\\') {
      at++;
    } else if (json.data[at] == '"') {
      return at + 1;
    }
  }
  return 0;
}

// Behind the value that begins at `at`, whatever is nested in it; 0 when it does not end.
static inline size_t tenon_json_value_end(tenon_text json, size_t at) {
  size_t depth = 0;
  while (at < json.length) {
    char c = json.data[at];
    if (c == '"') {
      at = tenon_json_string_end(json, at);
      if (at == 0) return 0;
    } else if (c == '{' || c == '[') {
      depth++;
      at++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      depth--;
      at++;
    } else if (c == ',' && depth == 0) {
      return at;
    } else {
      at++;
      continue;
    }
    if (depth == 0) return at;
  }
  return 0;
}

// Four hexadecimal digits, or -1.
static inline int32_t tenon_json_hex(const char *digits) {
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    char c = digits[i];
    int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

static inline char *tenon_json_utf8(char *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (char)c;
  } else if (c < 0x800) {
    *to++ = (char)(0xc0 | c >> 6);
    *to++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *to++ = (char)(0xe0 | c >> 12);
    *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    *to++ = (char)(0x80 | (c & 0x3f));
  } else {
    *to++ = (char)(0xf0 | c >> 18);
    *to++ = (char)(0x80 | (c >> 12 & 0x3f));
    *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    *to++ = (char)(0x80 | (c & 0x3f));
  }
  return to;
}

// What a string, with its quotes, stands for. Half a surrogate pair becomes U+FFFD.
static inline bool tenon_json_unquote(tenon_text string, tenon_text *out) {
  // An escape is never shorter than what it stands for: \u and four digits are at most three bytes.
  char *data = tenon_alloc(string.length), *to = data;
  size_t end = string.length - 1;
  for (size_t at = 1; at < end; at++) {
    char c = string.data[at];
    if (c != '\\') {
      *to++ = c;
      continue;
    }
    switch (string.data[++at]) {
    case 'b': *to++ = '\b'; break;
    case 'f': *to++ = '\f'; break;
    case 'n': *to++ = '\n'; break;
    case 'r': *to++ = '\r'; break;
    case 't': *to++ = '\t'; break;
    case '"': *to++ = '"'; break;
    case '/': *to++ = '/'; break;
    case '\\': *to++ = '\\'; break;
    case 'u': {
      if (end - at <= 4) return false;
      int32_t unit = tenon_json_hex(string.data + at + 1);
      if (unit < 0) return false;
      at += 4;
      uint32_t character = (uint32_t)unit;
      if (character >= 0xd800 && character < 0xdc00 && end - at > 6 &&
          string.data[at + 1] == '\\' && string.data[at + 2] == 'u') {
        int32_t low = tenon_json_hex(string.data + at + 3);
        if (low >= 0xdc00 && low < 0xe000) {
          character = 0x10000 + ((character - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
          at += 6;
        }
      }
      if (character >= 0xd800 && character < 0xe000) character = 0xfffd;
      to = tenon_json_utf8(to, character);
      break;
    }
    default: return false;
    }
  }
  *out = tenon_written(data, to);
  return true;
}

// Finds the value of a key of an object, as it stands there. Of keys that come twice the last counts,
// as it does for the host.
static inline bool tenon_json_find(tenon_text object, tenon_text key, tenon_text *value) {
  bool found = false;
  size_t at = tenon_json_space(object, 0);
  if (!tenon_json_at(object, at, '{')) return false;
  do {
    at = tenon_json_space(object, at + 1);
    if (!tenon_json_at(object, at, '"')) break;
    size_t end = tenon_json_string_end(object, at);
    if (end == 0) return false;
    tenon_text name;
    if (!tenon_json_unquote(tenon_written(object.data + at, object.data + end), &name)) return false;
    at = tenon_json_space(object, end);
    if (!tenon_json_at(object, at, ':')) return false;
    at = tenon_json_space(object, at + 1);
    end = tenon_json_value_end(object, at);
    if (end == 0) return false;
    if (tenon_equal(name, key)) {
      *value = tenon_written(object.data + at, object.data + end);
      found = true;
    }
    at = tenon_json_space(object, end);
  } while (tenon_json_at(object, at, ','));
  return found && tenon_json_at(object, at, '}');
}

// The text of a key; false when the object has no such key, or it is no string.
static inline bool tenon_json_string(tenon_text object, tenon_text key, tenon_text *text) {
  tenon_text value;
  return tenon_json_find(object, key, &value) && tenon_json_at(value, 0, '"') &&
         tenon_json_unquote(value, text);
}

// Whether a key is true; false also when the object has no such key.
static inline bool tenon_json_true(tenon_text object, tenon_text key) {
  tenon_text value;
  if (!tenon_json_find(object, key, &value)) return false;
  while (value.length && tenon_json_space(value, value.length - 1) == value.length) value.length--;
  return tenon_equal(value, TENON_TEXT("true"));
}

#endif
