/* SPDX-License-Identifier: Apache-2.0
 * Requests, answers and events of the service door in the timelines of their calls: a head line, the
 * JSON without its session descriptions, then each of those by lines. Redaction is trace's. Call thread.
 */
#include "native/inner.h"

#include <stdio.h>

static struct trace *timeline_of(const struct native *n, const char *call_id) {
  return n->traces && call_id[0] ? traces_find(n->traces, slice_of(call_id)) : NULL;
}

/* {"type", "sdp"} becomes {"type", "sdp": "(below)"}; its lines go below. */
static void sdp_take(json_t *doc, FILE *below) {
  static const char *const members[] = {"offer", "answer"};
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    json_t *o = json_object_get(doc, members[i]), *sdp = json_object_get(o, "sdp");
    if (!json_is_string(sdp))
      continue;
    fprintf(below, "\r\n%s", json_string_value(sdp));
    json_t *copy = json_copy(o);
    json_object_set_new(copy, "sdp", json_string("(below)"));
    json_object_set_new(doc, members[i], copy);
  }
}

/* On the heap; NULL: nothing to say, or no memory. */
static char *text_of(const json_t *doc) {
  char *below = NULL, *text = NULL;
  size_t n;
  json_t *copy = json_is_object(doc) ? json_copy((json_t *)(uintptr_t)doc) : NULL;
  FILE *f = copy && json_object_size(copy) ? open_memstream(&below, &n) : NULL;
  if (f) {
    sdp_take(copy, f);
    char *json = json_dumps(copy, JSON_INDENT(1));
    if (fclose(f) == 0 && json && asprintf(&text, "%s\r\n%s", json, below) < 0)
      text = NULL;
    free(json);
  }
  free(below);
  json_decref(copy);
  return text;
}

static const char *method_text(enum web_method m) {
  static const char *const words[WEB_METHOD_COUNT_] = {
      [WEB_GET] = "GET", [WEB_POST] = "POST", [WEB_DELETE] = "DELETE", [WEB_PATCH] = "PATCH"};
  return m < WEB_METHOD_COUNT_ && words[m] ? words[m] : "";
}

void timeline_request(struct req *r, struct trace *t, unsigned lane) {
  char title[160];
  if (!t)
    return;
  struct slice path = r->ask->path;
  own_mem char *text = r->body ? text_of(r->body) : slice_dup(r->ask->body);
  snprintf(title, sizeof(title), "%s %.*s", method_text(r->ask->row->method),
           (int)(path.n < 100 ? path.n : 100), path.p);
  trace_native(t, lane, TRACE_IN, &r->ask->peer, title, text);
  r->to.lane = (uint8_t)lane;
}

void timeline_request_of(struct req *r) {
  struct slice id = slice_of(r->ask->params.n ? r->ask->params.text[0] : "");
  if (!r->n->traces || !r->user || !id.n || r->ask->row->method == WEB_GET ||
      slice_copy(r->to.call, sizeof(r->to.call), id) < 0)
    return;
  struct trace *t = timeline_of(r->n, r->to.call);
  struct nleg *nl = t ? nleg_find(r->user, id, r->device) : NULL;
  struct leg *l = nl ? nleg_leg(nl) : NULL;
  if (nl) /* who has no part in the call is not in its timeline */
    timeline_request(r, t, l ? l->lane : nl->is_callee ? TRACE_CALLEE : TRACE_CALLER);
  else
    r->to.call[0] = 0;
}

void timeline_answer(struct native *n, const struct reply_to *to, const struct web_answer *a) {
  struct trace *t = timeline_of(n, to->call);
  char title[32];
  if (!t)
    return;
  json_t *doc = a->body ? json_loadb(a->body, a->body_bytes, 0, NULL) : NULL;
  own_mem char *text = doc       ? text_of(doc)
                       : a->body ? slice_dup(slice_from(a->body, a->body_bytes))
                                 : NULL;
  json_decref(doc);
  snprintf(title, sizeof(title), "%u", a->status);
  trace_native(t, to->lane, TRACE_OUT, NULL, title, text);
}

void timeline_nleg_event(struct nleg *nl, const char *name, const json_t *data) {
  struct trace *t = timeline_of(nl->n, nl->call_id);
  struct leg *l = t ? nleg_leg(nl) : NULL;
  if (!t || strcmp(name, "media.quality") == 0)
    return;
  own_mem char *text = text_of(data);
  trace_event(t, l ? l->lane : nl->is_callee ? TRACE_CALLEE : TRACE_CALLER, name, text);
}
