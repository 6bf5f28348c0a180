// The plugin of embed.rs. It imports a function of that program's own, and exports one.

#include "../../../event-sdk/c/tenon_event.h"

__attribute__((import_module("shop"), import_name("price"))) int64_t price(tenon_offset item);

// Takes the name of an item, returns what three of it cost, in cents, as text.
TENON_EXPORT(three) {
  tenon_offset item = tenon_lend(tenon_input());
  int64_t cents = 3 * price(item);
  char digits[20], *first = digits + sizeof digits;
  do {
    *--first = (char)('0' + cents % 10);
    cents /= 10;
  } while (cents);
  tenon_output((tenon_text){first, (size_t)(digits + sizeof digits - first)});
  return 0;
}
