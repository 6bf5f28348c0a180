// Skips the logins of a user named secret-santa.

#include "tenon_event.h"

bool skips(tenon_text event) {
  tenon_text type, user;
  return tenon_json_string(event, TENON_TEXT("event"), &type) &&
         tenon_equal(type, TENON_TEXT("user.login")) &&
         tenon_json_string(event, TENON_TEXT("user"), &user) &&
         tenon_equal(user, TENON_TEXT("secret-santa"));
}

TENON_EXPORT(handle_event_json) {
  tenon_text event = tenon_input();

  // Without an output the event is skipped
  if (!skips(event)) {
    tenon_output(event);
  }
  return 0;
}
