/* SPDX-License-Identifier: Apache-2.0
 * PATCH /v1/calls/{id}/ice: candidates and ICE restart as RFC 9725 and RFC 8840 say. */
#include "native/inner.h"

#include "base/rand.h"

#include <stdio.h>

static bool is_star(struct slice s) { return slice_eq(slice_trim(s), SLICE("*")); }

static bool tag_matches(const struct nleg *nl, struct slice if_match) {
  char etag[WEB_ETAG_BYTES];
  nleg_etag(nl, etag);
  while (if_match.n)
    if (slice_eq(slice_trim(slice_cut(&if_match, ',')), slice_of(etag)))
      return true;
  return false;
}

static bool is_restart(const struct leg *l, const struct desc_frag *f) {
  if (!f->ufrag[0] || !l->remote)
    return false;
  return strcmp(f->ufrag, l->remote->audio.ufrag) != 0 || strcmp(f->pwd, l->remote->audio.pwd) != 0;
}

static void restart(struct req *r, struct nleg *nl, struct leg *l, const struct desc_frag *f) {
  if (nl->wait != WAIT_NONE) {
    answer_problem(r->n, r->to, WEB_PROBLEM_glare, "another renegotiation is under way");
    return;
  }
  nl->wait = WAIT_ICE;
  nl->waiting = r->to;
  nl->cookie = rand_u64();
  leg_restart_ice(l, nl->cookie, f);
}

static void patch(struct req *r, struct nleg *nl, struct leg *l, const struct desc_frag *f) {
  struct slice tag = r->ask->if_match;
  struct addr deny[MSET_DENY_MAX];
  bool usable, star = is_star(tag);
  if (!star && !tag_matches(nl, tag)) {
    answer_problem(r->n, r->to, WEB_PROBLEM_ice_tag, "If-Match names another ICE session");
    return;
  }
  if (is_restart(l, f)) {
    if (star)
      restart(r, nl, l, f);
    else
      answer_problem(r->n, r->to, WEB_PROBLEM_ice_tag,
                     "other ufrag and pwd are an ICE restart: it needs If-Match: *");
    return;
  }
  leg_deny(l, deny, relay_sift(r->n, f->candidates, f->n_candidates, deny, MSET_DENY_MAX, &usable));
  answer_empty(r->n, r->to, 204);
}

/* While several devices ring, the tag says whose it is when the header does not. */
static struct nleg *meant(struct req *r) {
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  if (!nl || r->device[0] || !r->ask->if_match.p)
    return nl;
  LIST_EACH(&r->user->nlegs, at) {
    struct nleg *other = CONTAINER_OF(at, struct nleg, node);
    if (nleg_may_be(nl, other, "") && tag_matches(other, r->ask->if_match))
      return other;
  }
  return nl;
}

void verb_ice(struct req *r) {
  struct desc_frag f;
  struct desc_fault fault = {0};
  char detail[160];
  struct nleg *nl = meant(r);
  struct leg *l = nl ? nleg_leg(nl) : NULL;
  if (!l) {
    answer_problem(r->n, r->to, nl ? WEB_PROBLEM_ended : WEB_PROBLEM_not_found,
                   nl ? "the call has ended" : "no such call of this identity");
    return;
  }
  if (!r->ask->if_match.p) {
    answer_problem(r->n, r->to, WEB_PROBLEM_ice_tag_missing, "If-Match with the call's ETag is needed");
    return;
  }
  int e = desc_frag_parse(&f, r->ask->body, &fault);
  if (e < 0) {
    snprintf(detail, sizeof(detail), "fragment, line %u: %s", fault.line,
             fault.rule ? fault.rule : "malformed");
    answer_problem(r->n, r->to, e == -E2BIG ? WEB_PROBLEM_too_large : WEB_PROBLEM_bad_request, detail);
    return;
  }
  patch(r, nl, l, &f);
}
