/* SPDX-License-Identifier: Apache-2.0
 * Who speaks in a room: see room.h. A free place goes to who is loud enough; a taken one to who is
 * clearly louder than the quietest speaker, and was decoded to prove it. Where packets do not say how
 * loud they are, members are decoded in turn, those first that are likely to speak. */
#include "media/roompart.h"

enum {
  LOUD = 77,              /* loudness that wins a place: -50 dBov */
  QUIET = 70,             /* less than this is silence. */
  LIE = 20,               /* louder by so much than it is: that was no mistake. */
  CLEARLY = 6,            /* so much louder takes another's place, */
  KEEP_US = 300000,       /* that was had so long. */
  HANG_US = 600000,       /* a place is kept so long in silence. */
  PROBE_US = 250000,      /* a probe ends without a proof. */
  PROBE_DTX = 20,         /* guessed loudness of who sends nothing to be decoded */
  AGE_DB_S = 30,          /* who was not decoded for a second counts so much more likely to speak. */
  TELL_US = 500000,       /* the active speaker changes so rarely, */
  TELL_AFTER_US = 200000, /* who has a place for so long, no cough */
  ACTIVE_CLEARLY = 3,     /* and only for one who is so much louder over a while. */
};
static const float SLOW = 0.06f;

static bool may_speak(const struct seat *s) {
  return !(s->flags & (ROOM_MUTED | ROOM_LISTENS)) && s->talker.is_fed;
}

static void take_place(struct seat *s, bool is_taken, uint64_t now_us) {
  s->is_speaker = is_taken;
  s->since_us = s->loud_us = now_us;
}

static void drop_silent(struct room *r, uint64_t now_us) {
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    float loud = may_speak(s) ? talker_loudness(&s->talker) : 0;
    s->slow += (loud - s->slow) * SLOW;
    if (loud >= QUIET)
      s->loud_us = now_us;
    if (s->is_speaker &&
        (!may_speak(s) || now_us - s->loud_us > HANG_US || (s->talker.bias > LIE && loud < QUIET)))
      take_place(s, false, now_us); /* silent, or never as loud as it said */
  }
}

static struct seat *loudest(const struct room *r) {
  struct seat *best = NULL;
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    if (s->is_speaker || !may_speak(s) || talker_loudness(&s->talker) < LOUD)
      continue;
    if (!best || talker_loudness(&s->talker) > talker_loudness(&best->talker))
      best = s;
  }
  return best;
}

static struct seat *quietest(const struct room *r, uint32_t *ret_taken) {
  struct seat *least = NULL;
  *ret_taken = 0;
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    *ret_taken += s->is_speaker;
    if (s->is_speaker && (!least || talker_loudness(&s->talker) < talker_loudness(&least->talker)))
      least = s;
  }
  return least;
}

/* True: one more place changed hands. */
static bool fill_place(struct room *r, uint64_t now_us) {
  uint32_t taken;
  struct seat *in = loudest(r), *out = quietest(r, &taken);
  if (!in)
    return false;
  if (taken < r->speakers) {
    if (!talker_is_proven(&in->talker))
      return false;
    take_place(in, true, now_us);
    return true;
  }
  bool is_clear = talker_loudness(&in->talker) > talker_loudness(&out->talker) + CLEARLY;
  if (!is_clear || in->talker.fresh < TALKER_FRESH || now_us - out->since_us < KEEP_US)
    return false;
  take_place(out, false, now_us);
  take_place(in, true, now_us);
  return true;
}

/* How much it is worth to decode it; less than 0: nothing. */
static float worth(const struct seat *s, uint64_t now_us) {
  const struct talker *t = &s->talker;
  float loud = talker_loudness(t);
  if (s->is_speaker || !may_speak(s))
    return -1;
  if (t->is_exact)
    return loud >= LOUD ? loud : -1;
  if (t->heard < PROBE_DTX)
    return -1;
  return loud + (float)(now_us - t->decode_us) * AGE_DB_S / 1000000;
}

static void probe(struct room *r, uint64_t now_us) {
  uint32_t busy = 0;
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    if (s->is_probed &&
        (s->talker.fresh >= TALKER_FRESH || now_us - s->since_us > PROBE_US || worth(s, now_us) < 0))
      s->is_probed = false;
    busy += s->is_probed;
  }
  for (; busy < ROOM_PROBES; busy++) {
    struct seat *best = NULL;
    float most = 0;
    for (uint32_t i = 0; i < r->n_seats; i++) {
      float w = r->seats[i]->is_probed ? -1 : worth(r->seats[i], now_us);
      if (w > most) {
        most = w;
        best = r->seats[i];
      }
    }
    if (!best)
      return;
    best->is_probed = true;
    best->since_us = now_us;
  }
}

static void tell(struct room *r, uint64_t now_us, const struct room_ops *ops) {
  const struct seat *best = NULL;
  for (uint32_t i = 0; i < r->n_seats; i++) {
    const struct seat *s = r->seats[i];
    float extra = s == r->active ? ACTIVE_CLEARLY : 0, least = best == r->active ? ACTIVE_CLEARLY : 0;
    if (!s->is_speaker || (s != r->active && now_us - s->since_us < TELL_AFTER_US))
      continue;
    if (!best || s->slow + extra > best->slow + least)
      best = s;
  }
  if (best == r->active || (r->told_us && now_us - r->told_us < TELL_US))
    return;
  r->active = best;
  r->told_us = now_us;
  struct room_told told = {best ? best->owner : NULL, 127};
  if (best)
    told.level = (uint8_t)(127 - talker_loudness(&best->talker));
  if (ops->speaker)
    ops->speaker(ops->arg, &told);
}

void room_pick(struct room *r, uint64_t now_us, const struct room_ops *ops) {
  drop_silent(r, now_us);
  while (fill_place(r, now_us))
    continue;
  probe(r, now_us);
  for (uint32_t i = 0; i < r->n_seats; i++) {
    struct seat *s = r->seats[i];
    talker_decode(&s->talker, s->is_speaker || s->is_probed || s->is_heard, now_us);
  }
  tell(r, now_us, ops);
}
