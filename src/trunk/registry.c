/* SPDX-License-Identifier: Apache-2.0
 * Bindings: see registrar.h. */
#include "trunk/registrar.h"

static void drop(struct registry *r, uint32_t i) {
  memmove(&r->list[i], &r->list[i + 1], (r->n - i - 1) * sizeof r->list[0]);
  r->n--;
}

/* RFC 3261 10.3, step 7: of one client the later request counts. */
static bool is_old(const struct binding *b, const char *call_id, uint32_t cseq) {
  return !strcmp(b->call_id, call_id) && cseq <= b->cseq;
}

static struct verdict old_refuse(uint32_t cseq) {
  return verdict_refuse(REFUSE_MALFORMED, "CSeq: %u came after a later one", cseq);
}

/* FNV-1a: two of one trunk that fall together cost a try, no more. */
static uint32_t key_of(const char *uri) {
  uint32_t h = 2166136261u;
  for (; *uri; uri++)
    h = (h ^ (uint8_t)*uri) * 16777619u;
  return h ? h : 1;
}

static int binding_make(struct binding *ret, const struct binding_ask *a, uint64_t now_us) {
  memset(ret, 0, sizeof *ret);
  if (slice_copy(ret->uri, sizeof ret->uri, slice_of(a->uri)) < 0 ||
      slice_copy(ret->host, sizeof ret->host, slice_of(a->host)) < 0 ||
      slice_copy(ret->call_id, sizeof ret->call_id, slice_of(a->call_id)) < 0 ||
      slice_copy(ret->path, sizeof ret->path, slice_of(a->path)) < 0)
    return -ENOSPC;
  uint32_t s = a->expires_s < BINDING_MAX_S ? a->expires_s : BINDING_MAX_S;
  ret->bnc = a->bnc;
  ret->q = a->q;
  ret->key = key_of(a->uri);
  ret->cseq = a->cseq;
  ret->source = a->source;
  ret->until_us = now_us + (uint64_t)s * 1000000;
  return 0;
}

struct verdict registry_put(struct registry *r, const struct binding_ask *a, uint64_t now_us) {
  struct binding made;
  uint32_t at = 0;
  if (binding_make(&made, a, now_us) < 0)
    return verdict_refuse(REFUSE_MALFORMED, "Contact, Call-ID or Path is too long");
  while (at < r->n && strcmp(r->list[at].uri, a->uri) != 0)
    at++;
  if (at < r->n && is_old(&r->list[at], a->call_id, a->cseq))
    return old_refuse(a->cseq);
  if (at == r->n && at == BINDINGS_MAX && a->expires_s)
    return verdict_refuse(REFUSE_BINDINGS, "Contact: at most %d at a time", BINDINGS_MAX);
  if (at < r->n)
    drop(r, at);
  if (a->expires_s) {
    for (at = 0; at < r->n && r->list[at].q > made.q;)
      at++;
    memmove(&r->list[at + 1], &r->list[at], (r->n - at) * sizeof r->list[0]);
    r->list[at] = made;
    r->n++;
  }
  return verdict_pass();
}

struct verdict registry_clear(struct registry *r, const char *call_id, uint32_t cseq) {
  for (uint32_t i = 0; i < r->n; i++)
    if (is_old(&r->list[i], call_id, cseq))
      return old_refuse(cseq);
  r->n = 0;
  return verdict_pass();
}

uint64_t registry_sweep(struct registry *r, uint64_t now_us) {
  uint64_t next = UINT64_MAX;
  for (uint32_t i = r->n; i-- > 0;)
    if (r->list[i].until_us <= now_us)
      drop(r, i);
  for (uint32_t i = 0; i < r->n; i++)
    next = r->list[i].until_us < next ? r->list[i].until_us : next;
  return next;
}
