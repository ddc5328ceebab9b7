/* SPDX-License-Identifier: Apache-2.0
 * GET /calls: rows of live calls, a few of them in a turn of the call thread and then a pause, so that
 * no call waits for an operator's page. One page after the other. Call thread. */
#include "admin/desk.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"

#include <stdio.h>

enum { CALLS_PAGE = 500, TURN_ROWS = 12, WAITING_MAX = 64 };
#define PAUSE_US 300u

SHAPE(calls_query, {"trunk", SHAPE_TEXT, 0, 1, 63}, {"user", SHAPE_TEXT, 0, 1, 63},
      {"state", SHAPE_TEXT, 0, .choices = "trying|ringing|live"},
      {"limit", SHAPE_INT, 0, 1, 500, .help = "Absent: 500"},
      {"cursor", SHAPE_TEXT, 0, 1, 159, .help = "Of the page before"});

/* A page that is being made. */
struct listing {
  struct list node;
  web_handle handle;
  char *path, *query; /* path and query of the request: its link to the next page has them. */
  uint32_t at, left;  /* at is where its next rows begin, left how many there may be. */
  char trunk[CHARS_BYTES(63)], user[CHARS_BYTES(63)], state[CHARS_BYTES(63)];
  bool has_trunk, has_user, has_state, has_rows;
  char *text; /* text is what f has written. */
  size_t bytes;
  FILE *f;
};

/* All of them, the oldest first. */
struct listings {
  struct list list;
  unsigned n;
  struct loop *loop;
  struct timer timer;
};

static bool is_state(const char *text) {
  return strcmp(text, "trying") == 0 || strcmp(text, "ringing") == 0 || strcmp(text, "live") == 0;
}

static bool number_read(const struct desk_ask *ask, const char *name, uint64_t max, uint64_t *ret) {
  char text[160]; /* a cursor that is none of ours too */
  int r = web_query(ask->web, name, text, sizeof text);
  return r == -ENOENT || (r == 0 && slice_u64(slice_of(text), max, ret) == 0);
}

/* What of the calls is asked for; false: it was answered. */
static bool listing_read(const struct desk_ask *ask, struct listing *g, struct web_answer *ret) {
  const struct {
    const char *name;
    char *text;
    bool *has;
  } texts[] = {{"trunk", g->trunk, &g->has_trunk},
               {"user", g->user, &g->has_user},
               {"state", g->state, &g->has_state}};
  uint64_t at = 0, limit = CALLS_PAGE;
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    int r = web_query(ask->web, texts[i].name, texts[i].text, sizeof g->state);
    *texts[i].has = r == 0;
    if ((r < 0 && r != -ENOENT) || (r == 0 && texts[i].text == g->state && !is_state(g->state))) {
      desk_wrong_query(ret, texts[i].name, "a name, or trying, ringing or live");
      return false;
    }
  }
  bool ok = number_read(ask, "limit", CALLS_PAGE, &limit) && limit;
  if (!ok)
    desk_wrong_query(ret, "limit", "1 to 500");
  else if (!(ok = number_read(ask, "cursor", UINT32_MAX, &at)))
    desk_wrong_query(ret, "cursor", "not one of ours");
  g->at = (uint32_t)at;
  g->left = (uint32_t)limit;
  return ok;
}

static void listing_free(struct listing *g) {
  if (!g)
    return;
  list_del(&g->node);
  if (g->f)
    (void)fclose(g->f);
  free(g->text);
  free(g->path);
  free(g->query);
  free(g);
}

/* NULL: no memory. */
static struct listing *listing_begin(const struct desk_ask *ask, const struct listing *wanted) {
  struct listing *g = malloc(sizeof *g);
  if (!g)
    return NULL;
  *g = *wanted;
  g->handle = ask->web->handle;
  g->path = slice_dup(ask->web->path);
  g->query = slice_dup(ask->web->query);
  g->f = open_memstream(&g->text, &g->bytes);
  if (g->path && g->query && g->f)
    return g;
  listing_free(g);
  return NULL;
}

/* Some more rows; false: these were the last. */
static bool listing_turn(struct admin *a, struct listing *g) {
  struct admin_part part = {.at = g->at,
                            .limit = g->left < TURN_ROWS ? g->left : TURN_ROWS,
                            .trunk = g->has_trunk ? g->trunk : NULL,
                            .user = g->has_user ? g->user : NULL,
                            .state = g->has_state ? g->state : NULL};
  json_t *rows = a->set.calls ? a->set.calls(a->set.calls_arg, &part) : NULL, *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    fputs(g->has_rows ? "," : "{\"calls\":[", g->f);
    g->has_rows = true;
    (void)json_dumpf(row, g->f, JSON_COMPACT);
  }
  g->left -= (uint32_t)json_array_size(rows);
  g->at = part.at;
  json_decref(rows);
  return g->at && g->left;
}

static void listing_link(const struct listing *g, const char *next, struct web_answer *ret) {
  own_mem struct web_ask *web = calloc(1, sizeof *web);
  if (!web)
    return;
  web->path = slice_of(g->path);
  web->query = slice_of(g->query);
  desk_next(&(struct desk_ask){.web = web}, next, ret);
}

/* Answers; g is freed. */
static void listing_end(struct admin *a, struct listing *g) {
  struct web_answer answer = {0};
  char next[12] = "";
  if (g->at)
    snprintf(next, sizeof next, "%u", (unsigned)g->at);
  fputs(g->has_rows ? "],\"cursor\":" : "{\"calls\":[],\"cursor\":", g->f);
  fprintf(g->f, next[0] ? "\"%s\"}" : "null}", next);
  bool ok = !ferror(g->f);
  ok = fclose(take(g->f)) == 0 && ok;
  if (ok) {
    answer = (struct web_answer){.status = 200, .type = "application/json", .body_bytes = g->bytes};
    answer.body = take(g->text);
    listing_link(g, next, &answer);
  } else {
    web_answer_problem(&answer, WEB_PROBLEM_overload, NULL);
  }
  web_reply(a->web, g->handle, &answer);
  listing_free(g);
}

/* The pause is from now on, not from when this turn of the loop began. */
static void listings_arm(struct listings *ls) {
  uint64_t now_us = clock_now_us(), turn_us = loop_now_us(ls->loop);
  loop_arm(ls->loop, &ls->timer, (now_us > turn_us ? now_us - turn_us : 0) + PAUSE_US);
}

static void on_timer(void *arg) {
  struct admin *a = arg;
  struct listings *ls = a->listings;
  if (list_is_empty(&ls->list))
    return;
  struct listing *g = CONTAINER_OF(ls->list.next, struct listing, node);
  if (!listing_turn(a, g)) {
    ls->n--;
    listing_end(a, g);
  }
  if (!list_is_empty(&ls->list))
    listings_arm(ls);
}

int listings_start(struct admin *a, struct loop *l) {
  struct listings *ls = a->listings = calloc(1, sizeof *ls);
  if (!ls)
    return -ENOMEM;
  list_init(&ls->list);
  ls->loop = l;
  ls->timer = (struct timer){.fn = on_timer, .arg = a};
  return 0;
}

void listings_stop(struct admin *a) {
  struct listings *ls = take(a->listings);
  if (!ls)
    return;
  loop_disarm(ls->loop, &ls->timer);
  LIST_EACH_SAFE(&ls->list, n)
    listing_free(CONTAINER_OF(n, struct listing, node));
  free(ls);
}

void verb_calls(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct listings *ls = a->listings;
  struct listing wanted = {0}, *g;
  if (!listing_read(ask, &wanted, ret))
    return;
  g = ls->n < WAITING_MAX ? listing_begin(ask, &wanted) : NULL;
  if (!g) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  list_add_tail(&ls->list, &g->node);
  ls->n++;
  if (!timer_is_armed(&ls->timer))
    listings_arm(ls);
}
