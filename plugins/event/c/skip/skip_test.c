#include "tenon_event.h"

bool skips(tenon_text event);

static int32_t expect(bool wanted, tenon_text event) {
  if (skips(event) == wanted) return 0;
  tenon_error(tenon_join(wanted ? TENON_TEXT("not skipped: ") : TENON_TEXT("skipped: "), event));
  return 1;
}

TENON_EXPORT(test_skip) {
  return expect(true, TENON_TEXT("{\"event\": \"user.login\", \"user\": \"secret-santa\"}"));
}

TENON_EXPORT(test_others_pass) {
  return expect(false, TENON_TEXT("{\"event\":\"user.login\",\"user\":\"foo\"}")) ||
         expect(false, TENON_TEXT("{\"event\":\"user.create\",\"user\":\"secret-santa\"}")) ||
         expect(false, TENON_TEXT("{\"event\":\"user.login\",\"labels\":{\"user\":\"secret-santa\"}}"));
}
