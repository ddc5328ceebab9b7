/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/system/bundle: what support needs to see, as tar.gz. Secrets never stand in it; numbers
 * of people are cut unless ?numbers=true. Web threads. */
#include "admin/desk.h"
#include "admin/tarball.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

SHAPE(bundle_query, {"numbers", SHAPE_BOOL, 0, .help = "With telephone numbers as they are"});

#define DIGITS_SHOWN 3
#define DIGITS_MIN 6

/* +14255550100 becomes +142xxxxxxxx; addresses, ports and years have shorter runs. */
static void numbers_cut(char *text) {
  for (char *p = text; *p;) {
    size_t n = strspn(p, "0123456789");
    if (n >= DIGITS_MIN)
      memset(p + DIGITS_SHOWN, 'x', n - DIGITS_SHOWN);
    p += n ? n : 1;
  }
}

/* "https://user:password@host/path?key=…": who writes such a thing should not show it to support. */
static void urls_cut(char *text) {
  for (char *p = text; (p = strstr(p, "://")); p += 3) {
    size_t n = strcspn(p + 3, "/?# \t\r\n\"'"), all = strcspn(p + 3, " \t\r\n\"'");
    const char *at = memrchr(p + 3, '@', n);
    char *query = memchr(p + 3, '?', all);
    if (at)
      memset(p + 3, 'x', (size_t)(at - p) - 3);
    if (query)
      memset(query + 1, 'x', (size_t)(p + 3 + all - query) - 1);
  }
}

/* Comments of the configuration are people's notes: passwords of old have been seen in such. */
static void comments_cut(char *text) {
  char quote = 0, *to = text;
  for (const char *p = text; *p;) {
    bool begins = !quote && *p == '#' && (p == text || p[-1] == ' ' || p[-1] == '\t' || p[-1] == '\n');
    if (begins) {
      p += strcspn(p, "\n");
      continue;
    }
    if (*p == '\n')
      quote = 0;
    else if (quote == *p)
      quote = 0;
    else if (!quote && (*p == '"' || *p == '\''))
      quote = *p;
    *to++ = *p++;
  }
  *to = 0;
}

struct bundle {
  struct admin *a;
  struct tarball tar;
  uint64_t now_ms;
  bool numbers;
};

/* Takes the text. personal: it may name people's numbers. */
static void file_add(struct bundle *b, const char *name, char *text, bool personal) {
  char path[100];
  snprintf(path, sizeof(path), "sallyport/%s", name);
  if (!text)
    return;
  urls_cut(text);
  if (personal && !b->numbers)
    numbers_cut(text);
  tarball_add(&b->tar, path, slice_of(text), b->now_ms);
  free(text);
}

static void json_add(struct bundle *b, const char *name, json_t *doc, bool personal) {
  file_add(b, name, json_dumps(doc, JSON_INDENT(1)), personal);
  json_decref(doc);
}

static void answer_add(struct bundle *b, const char *name, desk_fn *fn) {
  struct web_answer answer = {0};
  const struct web_ask none = {0};
  struct desk_ask ask = {.web = &none};
  fn(b->a, &ask, &answer);
  file_add(b, name, answer.body ? strndup(answer.body, answer.body_bytes) : NULL, true);
  web_answer_done(&answer);
}

static char *uncommented(const char *text) {
  char *copy = text ? strdup(text) : NULL;
  if (copy)
    comments_cut(copy);
  return copy;
}

static void config_add(struct bundle *b) {
  struct revise_state s;
  if (!b->a->set.revise || revise_state(b->a->set.revise, &s) < 0)
    return;
  file_add(b, "sallyport.yaml", uncommented(s.text), true); /* secrets are kept back */
  file_add(b, "plan.yaml", uncommented(s.plan_text), true);
  revise_state_done(&s);
}

static void alarms_add(struct bundle *b) {
  json_t *list = json_array();
  pthread_mutex_lock(&b->a->lock);
  for (size_t i = 0; i < ALARMS_MAX; i++)
    if (b->a->alarms.list[i].raised_ms)
      json_array_append_new(list, alarm_json(&b->a->alarms.list[i]));
  pthread_mutex_unlock(&b->a->lock);
  json_add(b, "alarms.json", list, true);
}

void verb_bundle(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char word[8];
  size_t bytes;
  int r = web_query(ask->web, "numbers", word, sizeof(word));
  if ((r < 0 && r != -ENOENT) || (r == 0 && strcmp(word, "true") != 0 && strcmp(word, "false") != 0)) {
    desk_wrong_query(ret, "numbers", "true or false");
    return;
  }
  struct bundle b = {.a = a, .now_ms = clock_wall_ms(), .numbers = r == 0 && strcmp(word, "true") == 0};
  answer_add(&b, "system.json", verb_system);
  answer_add(&b, "ready.json", verb_ready);
  answer_add(&b, "overview.json", verb_overview);
  file_add(&b, "metrics.txt", desk_metrics(a, false, &bytes), false);
  alarms_add(&b);
  config_add(&b);
  file_add(&b, "log.txt", log_last(), true);
  file_add(&b, "schema.sql", store_schema(a->store_file), false);
  ret->body = tarball_end(&b.tar, &ret->body_bytes);
  ret->status = ret->body ? 200 : 500;
  ret->type = ret->body ? "application/gzip" : NULL;
  ret->extra[0] =
      (struct web_header){"Content-Disposition", "attachment; filename=\"sallyport-support.tar.gz\""};
}
