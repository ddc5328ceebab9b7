/* SPDX-License-Identifier: Apache-2.0
 * Trunks as single things: their settings as the file has them, written anew, patched, added, taken out.
 * Each change is a commit of the configuration. Web threads. */
#include "admin/config.h"

#include <stdio.h>

/* One change under way. */
struct work {
  struct revise_state state;
  const char *name; /* of the path; NULL: a new one */
  json_t *now;      /* settings in force; NULL: a new one */
  const json_t *body;
  const char *prefix; /* of pointers into the body */
};

static void work_end(struct work *w) {
  json_decref(w->now);
  revise_state_done(&w->state);
}

/* A text that no line of the file can hold, or a null within a list: where it stands, "" none. */
static bool is_odd(const json_t *v, char *pointer, size_t bytes) {
  size_t n = strlen(pointer), i;
  const char *key;
  json_t *one;
  const char *text = json_string_value(v);
  for (; text && *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f)
      return true;
  json_object_foreach((json_t *)(uintptr_t)v, key, one) {
    snprintf(pointer + n, bytes - n, "/%s", key);
    if (is_odd(one, pointer, bytes))
      return true;
    pointer[n] = 0;
  }
  json_array_foreach(v, i, one) {
    snprintf(pointer + n, bytes - n, "/%zu", i);
    if (json_is_null(one) || is_odd(one, pointer, bytes))
      return true;
    pointer[n] = 0;
  }
  return false;
}

/* Settings stand in the body as they are, or under "settings", beside the name as GET tells it. */
static bool body_take(struct work *w, const json_t *body, struct web_answer *ret) {
  const json_t *inner = json_object_get(body, "settings");
  const char *name = json_string_value(json_object_get(body, "name"));
  char pointer[256] = "";
  w->body = inner ? inner : body;
  w->prefix = inner ? "/settings" : "";
  if (inner && !json_is_object(inner)) {
    desk_wrong(ret, "/settings", "a map is expected");
    return false;
  }
  if (inner && name && w->name && strcmp(name, w->name) != 0) {
    desk_wrong(ret, "/name", "expected the name in the path: a trunk keeps its name");
    return false;
  }
  snprintf(pointer, sizeof(pointer), "%s", w->prefix);
  if (!is_odd(w->body, pointer, sizeof(pointer)))
    return true;
  desk_wrong(ret, pointer, "expected a text without control characters or line breaks, and no null in a list");
  return false;
}

/* As the owner told it last; the etag is of the settings alone. */
static json_t *status_of(struct admin *a, const char *name) {
  json_t *row, *found = NULL;
  size_t i;
  pthread_mutex_lock(&a->lock);
  json_array_foreach(json_object_get(a->trunk_rows, "trunks"), i, row) {
    const char *its = json_string_value(json_object_get(row, "name"));
    if (its && strcmp(its, name) == 0)
      found = json_deep_copy(row);
  }
  pthread_mutex_unlock(&a->lock);
  return found ? found : json_null();
}

static json_t *trunk_doc(struct admin *a, const char *name, json_t *settings,
                         char etag[WEB_ETAG_BYTES]) {
  desk_etag(etag, settings);
  return json_pack("{s:s, s:s, s:O, s:o}", "name", name, "etag", etag, "settings", settings, "status",
                   status_of(a, name));
}

/* The trunk of the path and what is in force of it; If-Match where the verb wants it. */
static bool work_begin(struct admin *a, struct desk_ask *ask, struct work *w, struct web_answer *ret) {
  char etag[WEB_ETAG_BYTES];
  *w = (struct work){.name = ask->web->params.text[0]};
  if (!body_take(w, ask->body, ret) || !config_state(a, &w->state, ret))
    return false;
  w->now = revise_item(w->state.text, "trunks", w->name);
  if (!w->now)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else
    desk_etag(etag, w->now);
  if (w->now && (!(ask->verb->flags & VERB_MATCH) || desk_match(ask, etag, ret)))
    return true;
  work_end(w);
  return false;
}

static uint32_t place_of(const struct work *w, const char *name) {
  json_t *list = revise_items(w->state.text, "trunks");
  uint32_t i = 0;
  while (i < json_array_size(list) &&
         strcmp(json_string_value(json_object_get(json_array_get(list, i), "name")) ?: "", name) != 0)
    i++;
  json_decref(list);
  return i;
}

static void item_stuck(struct web_answer *ret, int r) {
  struct web_problem_info info = {.detail = r == -ENOTSUP
                                                ? "the file is one map in brackets: edit it as a whole"
                                                : "the file cannot be edited"};
  web_answer_problem(ret, WEB_PROBLEM_unprocessable, &info);
}

/* item NULL: taken out. */
static bool change(struct admin *a, struct desk_ask *ask, struct work *w, const char *name,
                   const json_t *item, struct web_answer *ret) {
  char what[REVISE_COMMENT_BYTES];
  own_mem char *text = NULL;
  struct config_change c = {.what = what, .etag = w->state.etag, .at.to = w->prefix};
  int r = revise_item_put(&text, w->state.text, "trunks", w->name, item);
  if (r < 0) {
    item_stuck(ret, r);
    return false;
  }
  c.text = text;
  snprintf(what, sizeof(what), "%s trunks/%s", web_method_text(ask->verb->method), name);
  snprintf(c.at.from[0], sizeof(c.at.from[0]), "/trunks/%s", name);
  snprintf(c.at.from[1], sizeof(c.at.from[1]), "/trunks/%u", place_of(w, name));
  if (!config_change(a, ask, &c, ret))
    return false;
  ask->before = w->now ? json_incref(w->now) : NULL;
  return true;
}

/* As it stands now. */
static void answer(struct admin *a, struct desk_ask *ask, const char *name, unsigned status,
                   struct web_answer *ret) {
  struct revise_state s;
  if (!config_state(a, &s, ret))
    return;
  json_t *settings = revise_item(s.text, "trunks", name);
  if (settings) {
    char etag[WEB_ETAG_BYTES];
    desk_json(ret, status, trunk_doc(a, name, settings, etag));
    memcpy(ret->etag, etag, sizeof(etag));
    if (ask->verb->method != WEB_GET)
      ask->after = json_incref(settings);
  } else {
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  }
  json_decref(settings);
  revise_state_done(&s);
}

void verb_trunk(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  answer(a, ask, ask->web->params.text[0], 200, ret);
}

/* A trunk keeps its name: plans and records know it by that. */
static bool name_ok(const struct work *w, const json_t *item, struct web_answer *ret) {
  char pointer[40];
  const char *name = json_string_value(json_object_get(item, "name"));
  if (name && strcmp(name, w->name) == 0)
    return true;
  snprintf(pointer, sizeof(pointer), "%s/name", w->prefix);
  desk_wrong(ret, pointer, "expected the name in the path: a trunk keeps its name");
  return false;
}

static void put(struct admin *a, struct desk_ask *ask, struct work *w, json_t *item,
                struct web_answer *ret) {
  if (item && name_ok(w, item, ret) && change(a, ask, w, w->name, item, ret))
    answer(a, ask, w->name, 200, ret);
  json_decref(item);
}

void verb_trunk_put(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct work w;
  if (!work_begin(a, ask, &w, ret))
    return;
  json_t *item = json_deep_copy(w.body);
  if (item && !json_object_get(item, "name"))
    json_object_set_new(item, "name", json_string(w.name));
  put(a, ask, &w, item, ret);
  work_end(&w);
}

void verb_trunk_patch(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct work w;
  if (!work_begin(a, ask, &w, ret))
    return;
  put(a, ask, &w, desk_merge(w.now, w.body), ret);
  work_end(&w);
}

SHAPE(trunk_drain, {"on", SHAPE_BOOL, SHAPE_MUST});

/* One setting, which an operator may change who may change no other: no ETag, the last word counts. */
void verb_trunk_drain(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  bool on = json_is_true(json_object_get(ask->body, "on"));
  json_t *patch = json_pack("{s:b}", "enabled", !on), *body = ask->body;
  struct work w;
  ask->body = patch;
  bool ok = work_begin(a, ask, &w, ret);
  ask->body = body;
  if (ok) {
    put(a, ask, &w, desk_merge(w.now, w.body), ret);
    work_end(&w);
  }
  json_decref(patch);
}

/* What a PATCH with that body would change: nothing is changed. */
void verb_trunk_diff(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct work w;
  own_mem char *text = NULL;
  if (!work_begin(a, ask, &w, ret))
    return;
  json_t *item = desk_merge(w.now, w.body);
  if (item && name_ok(&w, item, ret)) {
    int r = revise_item_put(&text, w.state.text, "trunks", w.name, item);
    if (r == 0)
      config_compare(a, text, ret);
    else
      item_stuck(ret, r);
  }
  json_decref(item);
  work_end(&w);
}

void verb_trunk_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct work w;
  if (!work_begin(a, ask, &w, ret))
    return;
  if (change(a, ask, &w, w.name, NULL, ret))
    ret->status = 204;
  work_end(&w);
}

void verb_trunk_new(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct work w = {0};
  char pointer[40];
  if (!body_take(&w, ask->body, ret) || !config_state(a, &w.state, ret))
    return;
  json_t *item = json_deep_copy(w.body);
  if (!json_object_get(item, "name"))
    json_object_set(item, "name", json_object_get(ask->body, "name"));
  const char *name = json_string_value(json_object_get(item, "name"));
  w.now = name ? revise_item(w.state.text, "trunks", name) : NULL;
  snprintf(pointer, sizeof(pointer), "%s/name", w.prefix);
  if (!name || !name[0] || strlen(name) >= CONF_NAME_BYTES) {
    desk_wrong(ret, pointer, "expected a name of 1 to 63 characters");
  } else if (w.now) {
    desk_wrong(ret, pointer, "there is a trunk of this name");
  } else if (change(a, ask, &w, name, item, ret)) {
    answer(a, ask, name, 201, ret);
    snprintf(ret->location, sizeof(ret->location), "/admin/v1/trunks/%s", name);
  }
  json_decref(item);
  work_end(&w);
}
