/* SPDX-License-Identifier: Apache-2.0
 * Rooms as their controller and members see them: members on two workers, mixed on a DSP thread. See
 * media_rig.h. */
#include "codec/g711.h"
#include "codec/level.h"
#include "codec/tone.h"
#include "media_rig.h"

enum { LEGS = 6, LOUD_DBM0 = -16, SILENT_DBM0 = -60 };

struct party {
  struct leg legs[LEGS];
  unsigned n;
  struct tone tone;
  unsigned talker, got[LEGS], gaps[LEGS];
  uint16_t seq[LEGS];
  double level[LEGS]; /* level of the newest frame, dBm0 */
};

static union mset_any room_ask(enum mset_type type, uint64_t session, uint64_t room, uint32_t flags) {
  union mset_any m;
  mset_init(&m, type, session);
  m.room.room = room;
  m.room.flags = flags;
  return ask(&m);
}

static bool room_ok(enum mset_type type, uint64_t session, uint64_t room, uint32_t flags) {
  return room_ask(type, session, room, flags).h.type == MSET_OK;
}

static int room_error(enum mset_type type, uint64_t session, uint64_t room) {
  union mset_any r = room_ask(type, session, room, 0);
  return r.h.type == MSET_FAULT ? r.fault.error : 0;
}

static void party_hear(struct party *p) {
  struct got g;
  for (unsigned i = 0; i < p->n; i++)
    while (p->legs[i].sealer && leg_take(&p->legs[i], 0, &g)) {
      if (g.is_rtcp || g.rtp.pt != p->legs[i].pt)
        continue;
      p->gaps[i] += p->got[i] && g.rtp.seq != (uint16_t)(p->seq[i] + 1);
      p->seq[i] = g.rtp.seq;
      p->got[i]++;
      enum g711_law law = p->legs[i].kind == CODEC_PCMU ? G711_ULAW : G711_ALAW;
      p->level[i] = level_dbm0(law, g.rtp.payload, g.rtp.payload_bytes);
    }
}

/* All send for so many packets of 20 ms; the talker a tone. */
static void party_on(struct party *p, unsigned frames) {
  uint8_t law[160];
  uint64_t next_us = clock_now_us();
  for (unsigned f = 0; f < frames; f++, next_us += 20000) {
    for (unsigned i = 0; i < p->n; i++) {
      struct leg *l = &p->legs[i];
      if (!l->sealer)
        continue;
      enum g711_law of = l->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW;
      memset(law, g711_silence(of), sizeof(law));
      if (i == p->talker)
        tone_fill(&p->tone, of, law, sizeof(law));
      leg_send(l, l->pt, false, l->ts, law, sizeof(law));
      l->ts += 160;
    }
    while (clock_now_us() < next_us + 20000) {
      party_hear(p);
      nap(2);
    }
  }
}

static void party_open(struct party *p, unsigned n) {
  memset(p, 0, sizeof(*p));
  tone_init(&p->tone, TONE_1004);
  for (p->n = 0; p->n < n; p->n++) {
    struct leg *l = &p->legs[p->n];
    CHECK(leg_open(l, MSET_TRUNK_LEG, 0));
    l->kind = p->n & 1 ? CODEC_PCMA : CODEC_PCMU;
    l->pt = p->n & 1 ? 8 : 0;
    CHECK(leg_describe(l, 1, SUITE_AEAD_AES_128_GCM, 8000, MSET_SYMMETRIC_OFF));
  }
}

static void party_close(struct party *p) {
  for (unsigned i = 0; i < p->n; i++)
    if (p->legs[i].sealer)
      leg_close(&p->legs[i]);
}

static void mixed(void) {
  struct party p;
  union mset_any m;
  party_open(&p, 4);
  CHECK(p.legs[0].o.worker != p.legs[1].o.worker);
  CHECK(room_ok(MSET_ROOM_OPEN, 0, 7, 0));
  for (unsigned i = 0; i < p.n; i++)
    CHECK(room_ok(MSET_ROOM_JOIN, p.legs[i].id, 7, 0));
  party_on(&p, 60);
  CHECK(p.level[0] < SILENT_DBM0, "the talker hears itself: %.1f", p.level[0]);
  for (unsigned i = 1; i < p.n; i++)
    CHECK(p.level[i] > LOUD_DBM0 && p.got[i] > 40, "%u: %.1f dBm0, %u", i, p.level[i], p.got[i]);
  CHECK(event_wait(MSET_ROOM_SPEAKER, p.legs[0].id, 1000, &m) && m.speaker.room == 7 &&
        m.speaker.level < 40);
  /* Muted, it is heard no more. */
  CHECK(room_ok(MSET_ROOM_SET, p.legs[0].id, 7, MSET_ROOM_MUTED));
  party_on(&p, 20);
  CHECK(p.level[1] < SILENT_DBM0, "%.1f", p.level[1]);
  CHECK(room_ok(MSET_ROOM_SET, p.legs[0].id, 7, 0));
  /* One ends, one leaves: the others go on. */
  leg_close(&p.legs[3]);
  p.legs[3].sealer = NULL;
  CHECK(room_ok(MSET_ROOM_LEAVE, p.legs[2].id, 7, 0));
  party_on(&p, 10);
  p.got[2] = 0;
  party_on(&p, 40);
  CHECK(p.level[1] > LOUD_DBM0 && p.got[2] == 0, "%.1f, %u", p.level[1], p.got[2]);
  CHECK(p.gaps[0] == 0 && p.gaps[1] == 0, "%u, %u", p.gaps[0], p.gaps[1]);
  CHECK(room_ok(MSET_ROOM_CLOSE, 0, 7, 0));
  CHECK(room_error(MSET_ROOM_JOIN, p.legs[0].id, 7) == -ENOENT);
  party_on(&p, 5);
  p.got[1] = 0;
  party_on(&p, 10);
  CHECK(p.got[1] == 0, "%u", p.got[1]);
  party_close(&p);
}

static void faults(void) {
  struct party p;
  party_open(&p, 2);
  uint64_t a = p.legs[0].id, b = p.legs[1].id;
  CHECK(room_error(MSET_ROOM_JOIN, a, 1) == -ENOENT && room_error(MSET_ROOM_CLOSE, 0, 1) == -ENOENT);
  CHECK(room_ok(MSET_ROOM_OPEN, 0, 1, 0) && room_error(MSET_ROOM_OPEN, 0, 1) == -EEXIST);
  CHECK(room_error(MSET_ROOM_JOIN, 999999, 1) == -ENOENT);
  CHECK(room_error(MSET_ROOM_LEAVE, a, 1) == -ENOENT && room_error(MSET_ROOM_SET, a, 1) == -ENOENT);
  CHECK(room_ok(MSET_ROOM_JOIN, a, 1, 0) && room_error(MSET_ROOM_JOIN, a, 1) == -EEXIST);
  CHECK(link_legs(a, b)); /* a link takes it out of the room. */
  CHECK(room_error(MSET_ROOM_LEAVE, a, 1) == -ENOENT && room_ok(MSET_ROOM_JOIN, a, 1, 0));
  unsigned rooms = 1;
  while (rooms < 300 && room_ok(MSET_ROOM_OPEN, 0, 100 + rooms, 0))
    rooms++;
  CHECK(rooms > 10 && rooms < 40, "%u rooms by the DSP share", rooms);
  CHECK(room_error(MSET_ROOM_OPEN, 0, 1000) == -EBUSY);
  for (unsigned i = 1; i < rooms; i++)
    CHECK(room_ok(MSET_ROOM_CLOSE, 0, 100 + i, 0));
  CHECK(room_ok(MSET_ROOM_CLOSE, 0, 1, 0));
  party_close(&p);
}

/* Members come and go on both workers while they speak. */
static void churn(void) {
  struct party p;
  party_open(&p, LEGS);
  for (unsigned round = 0; round < 8; round++) {
    uint64_t room = 50 + round;
    CHECK(room_ok(MSET_ROOM_OPEN, 0, room, 0));
    for (unsigned i = 0; i < LEGS; i++)
      CHECK(room_ok(MSET_ROOM_JOIN, p.legs[i].id, room, 0));
    p.talker = round % LEGS;
    party_on(&p, 4);
    for (unsigned i = 0; i < LEGS; i += 2)
      CHECK(room_ok(MSET_ROOM_LEAVE, p.legs[i].id, room, 0));
    party_on(&p, 2);
    CHECK(room_ok(MSET_ROOM_CLOSE, 0, room, 0));
  }
  party_close(&p);
}

int main(void) {
  uint32_t ports = 20000 + (uint32_t)(getpid() % 300) * 40;
  options = (struct media_options){.workers = 2,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 39,
                                   .backend = "auto",
                                   .max_sessions = 64,
                                   .orphan_s = 2};
  if (!rig_start("room"))
    return 1;
  mixed();
  faults();
  churn();
  controller_close();
  rig_stop();
  suite_stop();
  printf("%u failures\n", failures);
  return failures > 0;
}
