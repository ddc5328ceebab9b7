/* SPDX-License-Identifier: Apache-2.0
 * /admin/v1/bans: sources that nothing is heard from. The guard knows them: call thread. */
#include "admin/desk.h"

SHAPE(ban_new, {"addr", SHAPE_TEXT, SHAPE_MUST, 2, 64, .help = "An address; IPv6 counts by its /64"},
      {"ttl_s", SHAPE_INT, 0, 1, 31536000, .help = "Absent: an hour"}, {"why", SHAPE_TEXT, 0, 1, 64});
SHAPE(ban_made, {"addr", SHAPE_TEXT, SHAPE_MUST}, {"ttl_s", SHAPE_INT, SHAPE_MUST});
SHAPE(ban, {"addr", SHAPE_TEXT, SHAPE_MUST}, {"why", SHAPE_TEXT, SHAPE_MUST},
      {"until", SHAPE_TIME, SHAPE_MUST}, {"by", SHAPE_TEXT, SHAPE_MUST},
      {"hits", SHAPE_INT, SHAPE_MUST});
SHAPE(bans, {"bans", SHAPE_LIST, SHAPE_MUST, .max = 1024, .inner = &shape_ban},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});

static json_t *bans_take(struct admin *a) {
  json_t *doc = a->set.bans ? a->set.bans(a->set.calls_arg) : NULL;
  json_t *list = doc ? json_incref(json_object_get(doc, "bans")) : json_array();
  json_decref(doc);
  return list;
}

void verb_bans(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *list = bans_take(a);
  desk_sort(list, "addr", false);
  desk_page(ask, "bans", "addr", list, ret);
}

void verb_ban_new(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  const json_t *ttl = json_object_get(ask->body, "ttl_s");
  const char *addr = json_string_value(json_object_get(ask->body, "addr"));
  const char *why = json_string_value(json_object_get(ask->body, "why"));
  uint32_t seconds = ttl ? (uint32_t)json_integer_value(ttl) : 3600;
  int r =
      a->set.ban ? a->set.ban(a->set.calls_arg, addr, seconds, why ? why : "", ask->who->name) : -ENOSPC;
  if (r == 0)
    keep_bans(a);
  if (r == -EINVAL)
    desk_wrong(ret, "/addr", "an address is expected");
  else if (r < 0)
    desk_wrong(ret, "/addr", "there are 512 bans by hand already");
  else
    desk_json(ret, 201, json_pack("{s:s, s:i}", "addr", addr, "ttl_s", (int)seconds));
}

void verb_ban_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  if (a->set.unban && a->set.unban(a->set.calls_arg, ask->web->params.text[0]) == 0) {
    keep_bans(a);
    ret->status = 204;
  } else {
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  }
}
