/* SPDX-License-Identifier: Apache-2.0
 * One call's timeline for operators: as JSON, as pcap, its digits. The call thread is asked; what the
 * disk has comes later, and is made into an answer here. Call thread. */
#include "admin/desk.h"

#include "base/clock.h"

#include <stdio.h>

enum { POINTS_MAX = 128 };

static void asked(struct admin *a, struct desk_ask *ask, enum admin_timeline_form form,
                  struct web_answer *ret) {
  if (!a->set.timeline)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else
    a->set.timeline(a->set.calls_arg, ask->web->params.text[0], form, ask->web->handle);
}

void verb_timeline(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  asked(a, ask, ADMIN_TIMELINE_JSON, ret);
}
void verb_pcap(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  asked(a, ask, ADMIN_TIMELINE_PCAP, ret);
}
void verb_digits(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  asked(a, ask, ADMIN_TIMELINE_DIGITS, ret);
}

SHAPE(capture, {"seconds", SHAPE_INT, SHAPE_MUST, 1, 60});
SHAPE(captured, {"call", SHAPE_TEXT, SHAPE_MUST}, {"until", SHAPE_TIME, SHAPE_MUST});

void verb_capture(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_int_t seconds = json_integer_value(json_object_get(ask->body, "seconds"));
  int r = a->set.capture ? a->set.capture(a->set.calls_arg, ask->web->params.text[0], (uint32_t)seconds)
                         : -ENOENT;
  char until[CLOCK_TEXT_BYTES];
  if (r == 0)
    desk_json(ret, 202,
              json_pack("{s:s, s:s}", "call", ask->web->params.text[0], "until",
                        clock_text(clock_wall_ms() + (uint64_t)seconds * 1000, until)));
  else if (r == -ENOENT)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else
    web_answer_problem(ret, r == -ENODATA ? WEB_PROBLEM_wrong_state : WEB_PROBLEM_rate,
                       &(struct web_problem_info){
                           .detail = r == -ENODATA ? "this call has no timeline (records.trace)"
                                                   : "too many captures run: wait for one to end"});
}

/* JSON --------------------------------------------------------------------------------------------- */

struct page {
  json_t *items, *media, *client, *digits;
  const struct traces *traces;
  char cause[256];
  unsigned lanes; /* lanes are bits of those seen. */
};

/* Peers' bytes: what is no UTF-8 is shown by its octets. */
static json_t *text_json(const char *text, size_t n) {
  json_t *j = text ? json_stringn(text, n) : NULL;
  if (j || !text)
    return j ? j : json_null();
  char *safe = malloc(4 * n + 1);
  size_t at = 0;
  for (size_t i = 0; safe && i < n; i++)
    if ((unsigned char)text[i] < 0x80 && text[i])
      safe[at++] = text[i];
    else
      at += (size_t)snprintf(safe + at, 5, "\\x%02x", (unsigned char)text[i]);
  j = safe ? json_stringn(safe, at) : json_null();
  free(safe);
  return j;
}

static json_t *word_json(const char *s) { return text_json(s, s ? strlen(s) : 0); }

static json_t *data_json(const struct trace_item *i) {
  if (!i->local && !i->is_again)
    return json_null();
  return json_pack("{s:o,s:o,s:b}", "local", word_json(i->local && i->local[0] ? i->local : NULL),
                   "transport", word_json(i->transport && i->transport[0] ? i->transport : NULL),
                   "again", i->is_again);
}

static void item_show(struct page *p, const struct trace_item *i) {
  static const char *const ways[] = {NULL, "in", "out", NULL};
  char lane[16];
  bool has_sdp = i->text && (strstr(i->text, "\nv=0") || strncmp(i->text, "v=0", 3) == 0);
  json_array_append_new(
      p->items, json_pack("{s:I,s:s,s:o,s:s,s:o,s:o,s:o,s:b,s:o}", "t_us", (json_int_t)i->t_us, "lane",
                          trace_lane_word(i->lane, lane), "dir", word_json(ways[i->dir & 3]), "kind",
                          trace_kind_word((enum trace_kind)i->kind), "title", word_json(i->title),
                          "peer", word_json(i->peer), "text", text_json(i->text, i->text_n), "sdp",
                          has_sdp, "data", data_json(i)));
  p->lanes |= 1U << i->lane;
}

static void points_show(struct page *p, const struct trace_item *i) {
  struct trace_point points[POINTS_MAX];
  uint32_t step_s;
  char lane[16];
  size_t n = trace_points(i, &step_s, points, POINTS_MAX);
  json_t *list = json_array();
  for (size_t k = 0; k < n; k++) {
    const struct trace_point *q = &points[k];
    json_t *level = q->level_db > 0 ? json_null() : json_integer(q->level_db);
    json_array_append_new(list, json_pack("[i,i,i,i,o,i,i]", (int)q->t_s, q->packets, q->lost,
                                          q->jitter_ms, level, q->auth_failures, q->wrong_source));
  }
  json_array_append_new(p->media, json_pack("{s:s,s:s,s:i,s:o}", "leg", trace_lane_word(i->lane, lane),
                                            "direction", i->dir == TRACE_IN ? "rx" : "tx", "step_ms",
                                            (int)step_s * 1000, "points", list));
}

static void telemetry_show(struct page *p, const struct trace_item *i) {
  char lane[16];
  json_t *doc = i->text ? json_loadb(i->text, i->text_n, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
  if (doc)
    json_array_append_new(p->client, json_pack("{s:I,s:s,s:o}", "t_us", (json_int_t)i->t_us, "leg",
                                               trace_lane_word(i->lane, lane), "data", doc));
}

static int item_take(void *arg, const struct trace_item *i) {
  struct page *p = arg;
  if (i->kind == TRACE_POINTS)
    points_show(p, i);
  else if (i->kind == TRACE_CAUSE)
    snprintf(p->cause, sizeof(p->cause), "%s", i->title);
  else if (i->kind != TRACE_SEALED && i->kind != TRACE_PACKETS)
    item_show(p, i);
  if (i->kind == TRACE_NATIVE && i->dir == TRACE_IN && strstr(i->title, "/telemetry"))
    telemetry_show(p, i);
  return 0;
}

static json_t *lanes_json(unsigned lanes) {
  json_t *list = json_pack("[s,s]", "caller", "gateway");
  char lane[16];
  for (unsigned i = TRACE_CALLEE; i < TRACE_LANES; i++)
    if (i == TRACE_CALLEE || lanes & 1U << i)
      json_array_append_new(list, json_string(trace_lane_word(i, lane)));
  if (lanes & 1U << TRACE_MEDIA)
    json_array_append_new(list, json_string("media"));
  return list;
}

static bool is_cut(const struct admin_timeline *t) {
  for (size_t i = 0; i < t->n; i++)
    if (t->part[i] != i)
      return true;
  return false;
}

static json_t *page_make(const struct admin_timeline *t) {
  struct page p = {.items = json_array(), .media = json_array(), .client = json_array()};
  struct trace_head head = {0};
  char at[CLOCK_TEXT_BYTES], version[24];
  bool is_bad = false;
  for (size_t i = 0; i < t->n; i++)
    is_bad |= trace_read(t->blob[i], &head, item_take, &p) < 0;
  snprintf(version, sizeof(version), "%016llx", (unsigned long long)head.config_version);
  return json_pack("{s:s,s:s,s:s,s:b,s:s,s:o,s:o,s:o,s:o,s:o}", "call", t->call_id, "started_at",
                   clock_text(head.started_us / 1000, at), "state", t->is_live ? "live" : "ended",
                   "truncated", is_bad || is_cut(t), "config_version", version, "cause",
                   word_json(p.cause[0] ? p.cause : NULL), "lanes", lanes_json(p.lanes), "items",
                   p.items, "media", p.media, "client", p.client);
}

/* Digits and pcap ---------------------------------------------------------------------------------- */

static int digits_take(void *arg, const struct trace_item *i) {
  struct page *p = arg;
  char text[160], lane[16];
  if (i->kind == TRACE_SEALED && trace_unseal(p->traces, i, text, sizeof(text)) == 0) {
    json_array_append_new(
        p->digits, json_pack("{s:s,s:s}", "role", trace_lane_word(i->lane, lane), "digits", text));
    explicit_bzero(text, sizeof(text));
  }
  return 0;
}

static json_t *digits_make(const struct admin_timeline *t) {
  struct page p = {.digits = json_array(), .traces = t->traces};
  struct trace_head head;
  for (size_t i = 0; i < t->n; i++)
    (void)!trace_read(t->blob[i], &head, digits_take, &p);
  return json_pack("{s:o}", "legs", p.digits);
}

static void pcap_make(const struct admin_timeline *t, struct web_answer *ret) {
  own(trace_pcap) p = NULL;
  int r = trace_pcap_new(&p);
  for (size_t i = 0; i < t->n && r == 0; i++)
    (void)!trace_pcap_add(p, t->blob[i]);
  ret->body = r == 0 ? trace_pcap_take(p, &ret->body_bytes) : NULL;
  if (!ret->body) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  ret->status = 200;
  ret->type = "application/vnd.tcpdump.pcap";
  ret->extra[0] = (struct web_header){"Content-Disposition", "attachment; filename=\"call.pcap\""};
}

void admin_timeline_reply(struct admin *a, const struct admin_timeline *t) {
  struct web_answer answer = {0};
  if (t->n == 0)
    web_answer_problem(&answer, WEB_PROBLEM_not_found,
                       &(struct web_problem_info){.detail = "this call has no timeline"});
  else if (t->form == ADMIN_TIMELINE_PCAP)
    pcap_make(t, &answer);
  else {
    json_t *doc = t->form == ADMIN_TIMELINE_JSON ? page_make(t) : digits_make(t);
    if (!doc || web_answer_json(&answer, 200, doc) < 0)
      web_answer_problem(&answer, WEB_PROBLEM_internal, NULL);
    json_decref(doc);
  }
  web_reply(a->web, t->ask, &answer);
}
