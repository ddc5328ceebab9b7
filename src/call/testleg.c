/* SPDX-License-Identifier: Apache-2.0
 * A test leg: a media session and its offer/answer as a trunk's leg has them, in no call, guard or
 * record: see probe.h. What the rooms of legs read of a leg is in an empty one. Call thread. */
#include "call/inner.h"
#include "call/trunkice.h"

#include <stdio.h>

struct testleg {
  struct list node;
  struct calls *cs;
  struct testleg_user user;
  struct leg_inner in; /* in has no call: it is only filled for remote_fill(). */
  struct leg_media media;
  struct desc *local, *remote;
  bool is_open, is_agreed; /* is_agreed: the first offer has its final answer. */
};

static struct testleg *testleg_find(struct calls *cs, uint64_t session) {
  LIST_EACH(&cs->testlegs, n) {
    struct testleg *l = CONTAINER_OF(n, struct testleg, node);
    if (l->media.session == session)
      return l;
  }
  return NULL;
}

static void testleg_lose(struct testleg *l) {
  l->media.session = 0;
  l->is_open = false;
  if (l->user.lost)
    l->user.lost(l->user.arg);
}

static MEDIUM_REPLY(on_open) {
  struct testleg *l = testleg_find(arg, ctx);
  (void)op;
  if (!l)
    return;
  l->is_open = m && m->h.type == MSET_OPENED && m->opened.n_addrs > 0;
  if (l->is_open)
    l->media.opened = m->opened;
  l->user.opened(l->user.arg, l->is_open);
}

int testleg_new(struct testleg **ret, struct calls *cs, const struct conf_trunk *t,
                const struct testleg_user *user) {
  struct testleg *l = calls_is_ready(cs) ? calloc(1, sizeof(*l)) : NULL;
  union mset_any m;
  if (!l)
    return -EAGAIN;
  l->cs = cs;
  l->user = *user;
  l->in.leg.inner = &l->in;
  l->in.leg.kind = LEG_TRUNK;
  l->media.session = cs->next_session++;
  mset_init(&m, MSET_OPEN, l->media.session);
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = (uint32_t)leg_callee_family(cs->env.conf, LEG_TRUNK, t);
  m.open.rtcp_pair = true;
  m.open.flags = trunkice_flags(t, NULL);
  snprintf(m.open.call, sizeof(m.open.call), "doctor");
  int r = medium_send(cs->medium, &m, on_open, l->media.session, 0);
  if (r < 0) {
    free(l);
    return r;
  }
  list_add_tail(&cs->testlegs, &l->node);
  *ret = l;
  return 0;
}

struct testleg *testleg_free(struct testleg *l) {
  if (!l)
    return NULL;
  if (l->media.session && l->cs->medium)
    (void)medium_end(l->cs->medium, l->media.session, NULL, 0, 0);
  list_del(&l->node);
  leg_set_desc(&l->local, NULL);
  leg_set_desc(&l->remote, NULL);
  free(l);
  return NULL;
}

static struct ability ability_of(const struct testleg *l, const struct conf_trunk *t,
                                 uint8_t direction) {
  return (struct ability){.kind = LEG_TRUNK,
                          .trunk = t,
                          .opened = &l->media.opened,
                          .local = l->is_agreed ? l->local : NULL,
                          .direction = direction};
}

struct verdict testleg_offer(struct testleg *l, const struct conf_trunk *t, uint8_t direction,
                             struct desc *ret) {
  struct ability a = ability_of(l, t, direction);
  if (!l->is_open)
    return verdict_refuse(REFUSE_NO_MEDIA, "the media process has no session for the test");
  if (l->is_agreed) {
    offer_again(&a, ret);
    return verdict_pass();
  }
  if (l->local)
    desc_copy(ret, l->local); /* the same one, as long as it is unanswered */
  else
    offer_make(&a, ret);
  if (!l->local)
    leg_set_desc(&l->local, ret);
  return verdict_pass();
}

static struct verdict remote_tell(struct testleg *l, const struct conf_trunk *t,
                                  const struct desc *local, const struct desc *remote,
                                  bool is_ours_answer) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, l->media.session);
  m.remote.remote = 1;
  l->in.leg.trunk = t;
  remote_fill(&m.remote, &l->in.leg, local, remote, is_ours_answer);
  l->in.leg.trunk = NULL;
  int r = medium_send(l->cs->medium, &m, NULL, 0, 0);
  bool has_ice = m.remote.ufrag[0];
  explicit_bzero(&m, sizeof(m));
  for (unsigned i = 0; !r && has_ice; i++) {
    mset_init(&m, MSET_CANDIDATES, l->media.session);
    m.candidates.remote = 1;
    if (!trunkice_candidates(&remote->audio, i, &m.candidates))
      break;
    r = medium_send(l->cs->medium, &m, NULL, 0, 0);
  }
  return r == 0 ? verdict_pass()
                : verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands now");
}

static void agree(struct testleg *l, const struct desc *ours, const struct desc *theirs) {
  struct desc kept;
  desc_copy(&kept, ours);
  keep_chosen_crypto(&kept, theirs);
  leg_set_desc(&l->local, &kept);
  leg_set_desc(&l->remote, theirs);
  desc_wipe(&kept);
  l->is_agreed = true;
}

struct verdict testleg_take(struct testleg *l, const struct conf_trunk *t, const struct desc *ours,
                            const struct desc *theirs, bool is_final) {
  struct verdict v = answer_check(ours, theirs);
  if (!l->is_open)
    v = verdict_refuse(REFUSE_NO_MEDIA, "the media process has no session for the test");
  if (!verdict_is_pass(&v))
    return v;
  v = remote_tell(l, t, ours, theirs, false);
  if (verdict_is_pass(&v) && is_final)
    agree(l, ours, theirs);
  return v;
}

struct verdict testleg_answer(struct testleg *l, const struct conf_trunk *t, const struct desc *offer,
                              struct desc *ret) {
  struct ability a = ability_of(l, t, DIR_SENDRECV);
  struct verdict v = offer_check(&a, offer);
  if (!l->is_open)
    v = verdict_refuse(REFUSE_NO_MEDIA, "the media process has no session for the test");
  if (!verdict_is_pass(&v))
    return v;
  offer_answer(&a, offer, ret);
  v = remote_tell(l, t, ret, offer, true);
  if (verdict_is_pass(&v))
    agree(l, ret, offer);
  else
    desc_wipe(ret);
  return v;
}

int testleg_tone(struct testleg *l, bool on) {
  union mset_any m;
  mset_init(&m, MSET_PLAY, l->media.session);
  m.play.tone = on ? MSET_TONE_1004 : MSET_TONE_NONE;
  return l->is_open ? medium_send(l->cs->medium, &m, NULL, 0, 0) : -ENOTCONN;
}

int testleg_digits(struct testleg *l, struct slice digits) {
  union mset_any m;
  if (!l->is_open || digits.n == 0 || digits.n > MSET_DIGITS_MAX)
    return l->is_open ? -EINVAL : -ENOTCONN;
  mset_init(&m, MSET_DIGITS, l->media.session);
  m.digits.duration_ms = 120;
  m.digits.gap_ms = 80;
  memcpy(m.digits.digits, digits.p, digits.n);
  return medium_send(l->cs->medium, &m, NULL, 0, 0);
}

bool testleg_facts(const struct testleg *l, struct mset_facts *ret) {
  return l->is_open && l->cs->medium &&
         medium_facts(l->cs->medium, l->media.opened.facts_slot, l->media.session, ret);
}

void testleg_event(struct calls *cs, const union mset_any *m) {
  struct testleg *l = m->h.session ? testleg_find(cs, m->h.session) : NULL;
  if (!l)
    return;
  if (m->h.type == MSET_DIGIT && l->user.digit)
    l->user.digit(l->user.arg, (char)m->digit.digit, m->digit.ms);
  if (m->h.type == MSET_ENDED)
    testleg_lose(l);
}

void testleg_lose_all(struct calls *cs) {
  LIST_EACH(&cs->testlegs, n) {
    struct testleg *l = CONTAINER_OF(n, struct testleg, node);
    if (l->is_open)
      testleg_lose(l);
  }
}
