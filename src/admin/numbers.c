/* SPDX-License-Identifier: Apache-2.0
 * Numbers and whose they are: users[].numbers of the configuration. Each change is a commit of it. Web
 * threads. */
#include "admin/config.h"

#include <stdio.h>

SHAPE(number_put, {"user", SHAPE_TEXT, SHAPE_MUST, 1, 63, .help = "A user of the configuration"});

/* {"numbers":[…],"etag":…} of a text. */
static json_t *numbers_doc(const char *text, char etag[WEB_ETAG_BYTES]) {
  json_t *users = revise_items(text, "users"), *list = json_array(), *user, *number;
  size_t i, k;
  json_array_foreach(users, i, user) {
    json_array_foreach(json_object_get(user, "numbers"), k, number) {
      json_t *row = json_pack("{s:O, s:O, s:O?, s:O?}", "number", number, "user",
                              json_object_get(user, "name"), "display", json_object_get(user, "display"),
                              "tenant", json_object_get(user, "tenant"));
      if (row)
        json_array_append_new(list, row);
    }
  }
  json_decref(users);
  desk_sort(list, "number", false);
  desk_etag(etag, list);
  return json_pack("{s:o, s:s, s:n}", "numbers", list, "etag", etag, "cursor");
}

static void answer(struct admin *a, struct web_answer *ret) {
  struct revise_state s;
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &s, ret))
    return;
  desk_json(ret, 200, numbers_doc(s.text, etag));
  memcpy(ret->etag, etag, sizeof(etag));
  revise_state_done(&s);
}

void verb_numbers(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise_state s;
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &s, ret))
    return;
  desk_page_doc(ask, "numbers", "number", numbers_doc(s.text, etag), ret);
  if (ret->status == 200)
    memcpy(ret->etag, etag, sizeof(etag));
  revise_state_done(&s);
}

/* Who has the number: a new reference, NULL. */
static json_t *holder_of(const char *text, const char *number) {
  json_t *users = revise_items(text, "users"), *user, *n, *found = NULL;
  size_t i, k;
  json_array_foreach(users, i, user) {
    json_array_foreach(json_object_get(user, "numbers"), k, n) {
      if (!found && json_is_string(n) && strcmp(json_string_value(n), number) == 0)
        found = json_incref(user);
    }
  }
  json_decref(users);
  return found;
}

/* The user with the number at the end of the list, or without it. The text is replaced. */
static int user_edit(char **text, json_t *user, const char *number, bool has) {
  json_t *old = json_object_get(user, "numbers"), *list = json_array(), *n;
  char *next = NULL;
  size_t i;
  json_array_foreach(old, i, n) {
    if (!json_is_string(n) || strcmp(json_string_value(n), number) != 0)
      json_array_append(list, n);
  }
  if (has)
    json_array_append_new(list, json_string(number));
  json_object_set_new(user, "numbers", list);
  const char *name = json_string_value(json_object_get(user, "name"));
  int r = name ? revise_item_put(&next, *text, "users", name, user) : -ENOENT;
  if (r < 0)
    return r;
  free(*text);
  *text = next;
  return 0;
}

struct move {
  struct revise_state state;
  const char *number;
  json_t *from, *to; /* users; NULL: nobody */
  char *text;
};

static bool move_begin(struct admin *a, struct desk_ask *ask, struct move *m, struct web_answer *ret) {
  char etag[WEB_ETAG_BYTES];
  *m = (struct move){.number = ask->web->params.text[0]};
  if (!config_state(a, &m->state, ret))
    return false;
  json_decref(numbers_doc(m->state.text, etag));
  if (desk_match(ask, etag, ret)) {
    m->from = holder_of(m->state.text, m->number);
    m->text = strdup(m->state.text);
    return true;
  }
  revise_state_done(&m->state);
  return false;
}

static void move_end(struct move *m) {
  json_decref(m->from);
  json_decref(m->to);
  free(m->text);
  revise_state_done(&m->state);
}

static json_t *holding(const json_t *user) {
  return user ? json_incref(json_object_get(user, "name")) : json_null();
}

static bool move(struct admin *a, struct desk_ask *ask, struct move *m, struct web_answer *ret) {
  char what[REVISE_COMMENT_BYTES];
  struct config_change c = {.what = what, .etag = m->state.etag, .at = {{"", ""}, ""}};
  int r = m->text ? 0 : -ENOMEM;
  if (r == 0 && m->from)
    r = user_edit(&m->text, m->from, m->number, false);
  if (r == 0 && m->to)
    r = user_edit(&m->text, m->to, m->number, true);
  if (r < 0) {
    web_answer_problem(ret, WEB_PROBLEM_unprocessable,
                       &(struct web_problem_info){.detail = "the file cannot be edited in this form"});
    return false;
  }
  c.text = m->text;
  snprintf(what, sizeof(what), "%s numbers/%.40s", web_method_text(ask->verb->method), m->number);
  if (!config_change(a, ask, &c, ret))
    return false;
  ask->before = json_pack("{s:s, s:o}", "number", m->number, "user", holding(m->from));
  ask->after = json_pack("{s:s, s:o}", "number", m->number, "user", holding(m->to));
  return true;
}

void verb_number_put(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct move m;
  const char *user = json_string_value(json_object_get(ask->body, "user"));
  if (!move_begin(a, ask, &m, ret))
    return;
  m.to = revise_item(m.state.text, "users", user);
  const char *holder = m.from ? json_string_value(json_object_get(m.from, "name")) : NULL;
  if (!m.to)
    desk_wrong(ret, "/user", "there is no user of this name");
  else if (holder && strcmp(holder, user) == 0)
    answer(a, ret); /* it is so already */
  else if (move(a, ask, &m, ret))
    answer(a, ret);
  move_end(&m);
}

void verb_number_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct move m;
  if (!move_begin(a, ask, &m, ret))
    return;
  if (!m.from)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else if (move(a, ask, &m, ret))
    ret->status = 204;
  move_end(&m);
}
