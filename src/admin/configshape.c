/* SPDX-License-Identifier: Apache-2.0
 * What answers about the configuration, its numbers and its dialplan hold. Pure. */
#include "admin/verb.h"

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };

const struct shape shape_json_schema = {"json_schema", NULL, 0, true, NULL, NULL};
const struct shape shape_openapi = {"openapi", NULL, 0, true, NULL, NULL};

static SHAPE(config_text_file, {"name", SHAPE_TEXT, M}, {"text", SHAPE_TEXT, M});
static SHAPE(config_pending, {"confirm_by", SHAPE_TIME, M});
SHAPE(config, {"version", SHAPE_TEXT, M, .help = "As the log and the records have it"},
      {"n", SHAPE_INT, M, .help = "Its number in the history"},
      {"etag", SHAPE_TEXT, M, .help = "For If-Match, as the header"},
      {"text", SHAPE_TEXT, M, .help = "Secrets as (kept); sent back so, they stay"},
      {"files", SHAPE_LIST, M, .inner = &shape_config_text_file, .help = "The dialplan"},
      {"pending", SHAPE_OBJECT, N, .inner = &shape_config_pending,
       .help = "A commit that waits to be confirmed"});

static SHAPE(config_fault, {"file", SHAPE_TEXT, M}, {"line", SHAPE_INT, M, .help = "0: none"},
             {"pointer", SHAPE_TEXT, M}, {"rule", SHAPE_TEXT, M}, {"message", SHAPE_TEXT, M});
SHAPE(config_judged, {"ok", SHAPE_BOOL, M}, {"errors", SHAPE_LIST, M, .inner = &shape_config_fault});
static SHAPE(config_moved, {"path", SHAPE_TEXT, M}, {"old", SHAPE_TEXT, N}, {"new", SHAPE_TEXT, N},
             {"restart", SHAPE_BOOL, M, .help = "It takes effect with the next start"});
SHAPE(config_compared, {"unified", SHAPE_TEXT, M},
      {"changes", SHAPE_LIST, M, .inner = &shape_config_moved},
      {"more", SHAPE_INT, M, .help = "Changes beyond those told"}, {"reloadable", SHAPE_BOOL, M},
      {"restart", SHAPE_LIST, M | SHAPE_OF_TEXT, .help = "Settings that need a start"},
      {"errors", SHAPE_LIST, M, .inner = &shape_config_fault});
SHAPE(trunk_compared, {"unified", SHAPE_TEXT, M},
      {"changes", SHAPE_LIST, M, .inner = &shape_config_moved},
      {"more", SHAPE_INT, M, .help = "Changes beyond those told"}, {"reloadable", SHAPE_BOOL, M},
      {"restart", SHAPE_LIST, M | SHAPE_OF_TEXT, .help = "Settings that need a start"},
      {"errors", SHAPE_LIST, M, .inner = &shape_config_fault},
      {"text", SHAPE_TEXT, M, .help = "The whole file as it would be, for POST /config/commit"},
      {"etag", SHAPE_TEXT, M, .help = "Of the configuration that it is a change of, for If-Match"});
static SHAPE(config_led, {"record", SHAPE_TEXT, M}, {"called", SHAPE_TEXT, M}, {"old", SHAPE_TEXT, M},
             {"new", SHAPE_TEXT, M});
SHAPE(config_replayed, {"calls", SHAPE_INT, M, .help = "Calls that were looked at"},
      {"changed", SHAPE_INT, M}, {"refused", SHAPE_INT, M},
      {"emergency", SHAPE_INT, M, .help = "Of those that change, to an emergency number"},
      {"truncated", SHAPE_BOOL, M}, {"took_ms", SHAPE_INT, M},
      {"list", SHAPE_LIST, M, .inner = &shape_config_led});
SHAPE(config_done, {"n", SHAPE_INT, M}, {"version", SHAPE_TEXT, M}, {"etag", SHAPE_TEXT, M},
      {"confirm_by", SHAPE_TIME, N, .help = "Taken back then unless confirmed; null: for good"});
#define ENTRY \
  {"n", SHAPE_INT, M}, {"at", SHAPE_TIME, N}, {"how", SHAPE_TEXT, M}, {"who", SHAPE_TEXT, M}, \
      {"comment", SHAPE_TEXT, M}, {"of", SHAPE_INT, N, .help = "The one that was taken back to"}, { \
    "version", SHAPE_TEXT, M \
  }
static SHAPE(config_line, ENTRY);
SHAPE(config_history, {"history", SHAPE_LIST, M, .inner = &shape_config_line},
      {"cursor", SHAPE_TEXT, N});
SHAPE(config_entry, ENTRY, {"text", SHAPE_TEXT, M},
      {"files", SHAPE_LIST, M, .inner = &shape_config_text_file});

static SHAPE(number, {"number", SHAPE_TEXT, M}, {"user", SHAPE_TEXT, M}, {"display", SHAPE_TEXT, N},
             {"tenant", SHAPE_TEXT, N});
SHAPE(numbers, {"numbers", SHAPE_LIST, M, .inner = &shape_number},
      {"etag", SHAPE_TEXT, M, .help = "Of them all, for If-Match"}, {"cursor", SHAPE_TEXT, N});

static SHAPE(route_rule, {"name", SHAPE_TEXT, M}, {"line", SHAPE_INT, M}, {"summary", SHAPE_TEXT, M});
SHAPE(routes, {"etag", SHAPE_TEXT, M}, {"file", SHAPE_TEXT, M}, {"text", SHAPE_TEXT, M},
      {"rules", SHAPE_LIST, M, .inner = &shape_route_rule});
static SHAPE(route_trial, {"rule", SHAPE_TEXT, M}, {"line", SHAPE_INT, M}, {"fits", SHAPE_BOOL, M},
             {"why", SHAPE_TEXT, M});
#define DECISION \
  {"number", SHAPE_TEXT, M, .help = "As the rules saw it"}, \
      {"from", SHAPE_TEXT, M, .choices = "trunk|native|forward"}, \
      {"rules", SHAPE_LIST, M, .inner = &shape_route_trial, .help = "Up to the one that fits"}, \
      {"rule", SHAPE_TEXT, M}, {"called", SHAPE_TEXT, M}, {"caller", SHAPE_TEXT, M}, \
      {"emergency", SHAPE_BOOL, M}, {"steps", SHAPE_LIST, M | SHAPE_OF_TEXT}, \
      {"refused", SHAPE_INT, N, .help = "The SIP status; null: it is led on"}, { \
    "fault", SHAPE_TEXT, N \
  }
static SHAPE(route_decision, DECISION);
SHAPE(routed, DECISION, {"forwards", SHAPE_LIST, M, .inner = &shape_route_decision});
