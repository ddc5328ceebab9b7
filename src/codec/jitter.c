/* SPDX-License-Identifier: Apache-2.0
 * Jitter buffer: see jitter.h. Slots by sequence number; payloads lie in one arena of chunks (a bit
 * each). Two states: playing, where each frame follows the one before; and waiting (at first, in a gap,
 * after an underrun), where the first packet's time is set anew: fastest transit + target. */
#include "codec/jitter.h"
#include "codec/jitterspread.h"

enum {
  CHUNK_BYTES = 192,
  CHUNKS = 64,
  LOST_MAX_US = 120000,   /* a longer hole is a gap */
  JUMP_US = 2000000,      /* timestamps off by more are a new count, and not a delay */
  LONGEST_US = 600000000, /* time between two packets that is looked at */
  STEPS_MAX = 3000,       /* numbers between two packets that are looked at */
  FORCE_US = 80000,       /* so far over the target, frames go even while there is sound, */
  FORCE_FRAMES = 10,      /* one in so many */
  QUIET_FRAMES = 2,       /* and in silence one in so many. */
  SHRINK_PACKETS = 8,     /* after so many packets the target is looked at, */
  SHRINK_US = 1000,       /* and gives up at most so much. */
};

struct slot {
  int64_t ts; /* ts is without wraps and jumps. */
  uint64_t arrived_us;
  bool is_skip;                /* is_skip: a number without audio (jitter_skip()). */
  struct jitter_packet packet; /* packet.payload points into the arena; NULL: the slot is free. */
};

struct jitter {
  uint32_t clock_hz, target_us, delay_us;
  unsigned count;        /* count of slots in use. */
  unsigned until_shrink; /* until_shrink counts packets down. */
  unsigned since_change; /* since_change counts frames since one was left out or held back. */
  bool is_started;       /* is_started: something was given, next_ext stands. */
  bool is_playing, is_quiet;
  bool is_gap;         /* is_gap: nothing is due, by the sender's own will. */
  uint64_t next_ext;   /* next_ext is the number that plays next; while not started, the lowest here. */
  int64_t next_ts;     /* next_ts is where it should stand, while playing. */
  uint32_t last_units; /* last_units of the last frame that had some. */
  bool has_top;        /* has_top: the following are set. */
  uint64_t top_ext, top_us; /* of the packet with the highest number, */
  int64_t top_ts;
  uint32_t top_raw, top_units; /* top_raw is its timestamp as it came. */
  uint64_t recent;             /* recent has bit i set when top_ext - i came. */
  uint64_t used;               /* used chunks of the arena. */
  uint64_t held;               /* held chunks are of what get gave last. */
  struct jitter_figures figures;
  struct spread spread;
  struct slot slots[JITTER_PACKETS_MAX];
  uint8_t arena[CHUNKS * CHUNK_BYTES];
};

/* In two steps: no count of units overflows it. */
static int64_t us_of(const struct jitter *j, int64_t units) {
  return units / j->clock_hz * 1000000 + units % j->clock_hz * 1000000 / j->clock_hz;
}

static struct slot *slot_at(struct jitter *j, uint64_t ext) {
  return &j->slots[ext % JITTER_PACKETS_MAX];
}

static uint64_t chunks_of(const struct jitter *j, const struct jitter_packet *p) {
  unsigned n = (unsigned)((p->bytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
  return ((1ull << n) - 1) << ((size_t)(p->payload - j->arena) / CHUNK_BYTES);
}

/* The chunks are free from now on, or with keep when the next call comes. */
static void slot_clear(struct jitter *j, struct slot *s, bool keep) {
  if (!s->packet.payload)
    return;
  if (keep)
    j->held |= chunks_of(j, &s->packet);
  else
    j->used &= ~chunks_of(j, &s->packet);
  s->packet.payload = NULL;
  j->count--;
}

static void let_go(struct jitter *j) {
  j->used &= ~j->held;
  j->held = 0;
}

static void clear(struct jitter *j) {
  for (unsigned i = 0; i < JITTER_PACKETS_MAX; i++)
    slot_clear(j, &j->slots[i], false);
  j->is_playing = false;
}

static uint32_t within(uint32_t v, uint32_t min, uint32_t max) {
  return v < min ? min : v > max ? max : v;
}

int jitter_new(struct jitter **ret, uint32_t clock_hz) {
  if (clock_hz < 1000 || clock_hz > 192000)
    return -EINVAL;
  struct jitter *j = calloc(1, sizeof(*j));
  if (!j)
    return -ENOMEM;
  jitter_reset(j, clock_hz);
  *ret = j;
  return 0;
}

struct jitter *jitter_free(struct jitter *j) {
  free(j);
  return NULL;
}

void jitter_reset(struct jitter *j, uint32_t clock_hz) {
  clear(j);
  let_go(j);
  j->clock_hz = clock_hz >= 1000 && clock_hz <= 192000 ? clock_hz : 8000;
  j->is_started = j->is_quiet = j->is_gap = j->has_top = false;
  j->target_us = within(JITTER_START_US, JITTER_MIN_US, JITTER_MAX_US);
  j->delay_us = j->last_units = j->since_change = 0;
  j->until_shrink = SHRINK_PACKETS;
  spread_reset(&j->spread);
}

void jitter_quiet(struct jitter *j, bool is_quiet) { j->is_quiet = is_quiet; }

/* Put ---------------------------------------------------------------------------------------- */

/* The target follows the spread: up at once, down by little. */
static void aim(struct jitter *j, int64_t transit_us) {
  bool beyond = transit_us - j->spread.least > j->target_us;
  if (!beyond && --j->until_shrink)
    return;
  uint32_t wanted = within(spread_us(&j->spread), JITTER_MIN_US, JITTER_MAX_US);
  if (wanted >= j->target_us)
    j->target_us = wanted;
  else if (j->until_shrink == 0)
    j->target_us = j->target_us - wanted > SHRINK_US ? j->target_us - SHRINK_US : wanted;
  if (j->until_shrink == 0)
    j->until_shrink = SHRINK_PACKETS;
}

static int64_t distance(int64_t a, int64_t b) { return a > b ? a - b : b - a; }

/* Where p stands on the one count of time: its timestamp without wraps; and when neither the packets
 * between nor the time that passed explain a jump, as much later as it came, or what follows the packet
 * before. */
static int64_t unwrap(const struct jitter *j, const struct jitter_packet *p, uint64_t now_us) {
  int32_t step = (int32_t)(p->ts - j->top_raw);
  int64_t between = (int64_t)(p->ext - j->top_ext);
  between = between > STEPS_MAX ? STEPS_MAX : between < -STEPS_MAX ? -STEPS_MAX : between;
  int64_t step_us = us_of(j, step), passed_us = (int64_t)(now_us - j->top_us);
  int64_t each = j->top_units ? j->top_units : j->last_units, counted_us = us_of(j, between * each);
  if (distance(step_us, passed_us) <= JUMP_US || distance(step_us, counted_us) <= JUMP_US)
    return j->top_ts + step;
  if (between < 0)
    return j->top_ts + between * each;
  int64_t passed = (passed_us < LONGEST_US ? passed_us : LONGEST_US) * j->clock_hz / 1000000;
  return j->top_ts + (passed > each ? passed : each);
}

static void note_top(struct jitter *j, const struct jitter_packet *p, int64_t ts, uint64_t now_us) {
  uint64_t ahead = j->has_top ? p->ext - j->top_ext : 64;
  j->recent = ahead < 64 ? j->recent << ahead | 1 : 1;
  j->top_ext = p->ext;
  j->top_ts = ts;
  j->top_raw = p->ts;
  j->top_us = now_us;
  j->top_units = p->units;
  j->has_top = true;
}

/* Whether its number came before; marks it. */
static bool came_before(struct jitter *j, uint64_t ext) {
  uint64_t behind = j->top_ext - ext;
  if (behind >= 64)
    return false; /* too old to know: late it is, whatever it is */
  bool was = j->recent >> behind & 1;
  j->recent |= 1ull << behind;
  return was;
}

/* First fit for n bytes; NULL: no room. */
static uint8_t *arena_take(struct jitter *j, size_t n) {
  unsigned chunks = (unsigned)((n + CHUNK_BYTES - 1) / CHUNK_BYTES);
  uint64_t run = (1ull << chunks) - 1;
  for (unsigned at = 0; at + chunks <= CHUNKS; at++)
    if (!(j->used >> at & run)) {
      j->used |= run << at;
      return j->arena + (size_t)at * CHUNK_BYTES;
    }
  return NULL;
}

/* The lowest number here; only with count. */
static uint64_t first_ext(struct jitter *j) {
  uint64_t ext = j->next_ext;
  while (!slot_at(j, ext)->packet.payload)
    ext++;
  return ext;
}

static void discard_first(struct jitter *j) {
  uint64_t ext = first_ext(j);
  slot_clear(j, slot_at(j, ext), false);
  j->next_ext = ext + 1;
  j->is_started = true; /* older ones are late from now on */
  j->is_playing = false;
  j->figures.discarded++;
}

/* Slots and arena for p: what is oldest gives way. */
static uint8_t *make_room(struct jitter *j, const struct jitter_packet *p) {
  while (j->count && p->ext - j->next_ext >= JITTER_PACKETS_MAX)
    discard_first(j);
  if (p->ext - j->next_ext >= JITTER_PACKETS_MAX) { /* a hole before it that nobody waits for */
    j->next_ext = p->ext;
    j->is_playing = false;
  }
  uint8_t *at = arena_take(j, p->bytes);
  while (!at && j->count) {
    discard_first(j);
    at = p->ext >= j->next_ext ? arena_take(j, p->bytes) : NULL;
  }
  return at;
}

/* While nothing was given, a lower number may still come, and be the first. */
static bool is_late(struct jitter *j, uint64_t ext) {
  if (j->is_started || j->count == 0)
    return j->is_started && ext < j->next_ext;
  if (ext < j->next_ext) {
    uint64_t highest = j->top_ext > ext ? j->top_ext : ext;
    if (highest - ext >= JITTER_PACKETS_MAX)
      return true;
    j->next_ext = ext;
  }
  return false;
}

static bool refuse(uint64_t *counter) {
  ++*counter;
  return false;
}

/* A transit that is far from all before it is a new beginning (a pause that the timestamps do not show).
 */
static void note_transit(struct jitter *j, int64_t transit_us) {
  if (j->spread.count && distance(transit_us, j->spread.least) > JUMP_US)
    spread_reset(&j->spread);
  spread_add(&j->spread, transit_us);
  aim(j, transit_us);
}

static bool insert(struct jitter *j, const struct jitter_packet *p, bool is_skip, uint64_t now_us) {
  int64_t ts = j->has_top ? unwrap(j, p, now_us) : p->ts;
  if (!j->has_top || p->ext > j->top_ext)
    note_top(j, p, ts, now_us);
  else if (came_before(j, p->ext))
    return refuse(&j->figures.duplicate);
  if (!is_skip)
    note_transit(j, (int64_t)now_us - us_of(j, ts));
  if (!j->is_started && j->count == 0)
    j->next_ext = p->ext;
  if (is_late(j, p->ext))
    return refuse(&j->figures.late);
  if (p->ext - j->next_ext < JITTER_PACKETS_MAX && slot_at(j, p->ext)->packet.payload)
    return refuse(&j->figures.duplicate); /* older than what recent tells */
  uint8_t *at = make_room(j, p);
  if (!at)
    return refuse(&j->figures.discarded);
  memcpy(at, p->payload, p->bytes);
  struct slot *s = slot_at(j, p->ext);
  *s = (struct slot){.ts = ts, .arrived_us = now_us, .is_skip = is_skip, .packet = *p};
  s->packet.payload = at;
  j->count++;
  return true;
}

bool jitter_put(struct jitter *j, const struct jitter_packet *p, uint64_t now_us) {
  if (p->bytes == 0 || p->bytes > JITTER_BYTES_MAX || p->units > j->clock_hz)
    return refuse(&j->figures.discarded);
  return insert(j, p, false, now_us);
}

void jitter_skip(struct jitter *j, uint64_t ext, uint64_t now_us) {
  static const uint8_t nothing_at_all[1];
  struct jitter_packet p = {.ext = ext, .ts = j->top_raw, .payload = nothing_at_all, .bytes = 1};
  if (j->has_top)
    (void)insert(j, &p, true, now_us);
}

/* Get ---------------------------------------------------------------------------------------- */

/* When a packet that begins a run of them is to be played: never later than max after it came. */
static uint64_t due_us(const struct jitter *j, const struct slot *s) {
  int64_t due = j->spread.least + us_of(j, s->ts) + j->target_us;
  int64_t last = (int64_t)s->arrived_us + JITTER_MAX_US;
  due = due < last ? due : last;
  return due > 0 ? (uint64_t)due : 0;
}

/* How much later than the fastest packets need it plays now. */
static int64_t delay_of(const struct jitter *j, const struct slot *s, uint64_t now_us) {
  return (int64_t)now_us - us_of(j, s->ts) - j->spread.least;
}

static enum jitter_verdict give(struct jitter *j, uint64_t ext, uint64_t now_us,
                                struct jitter_frame *ret) {
  struct slot *s = slot_at(j, ext);
  int64_t delay = delay_of(j, s, now_us);
  j->delay_us = delay < 0 ? 0 : delay > UINT32_MAX ? UINT32_MAX : (uint32_t)delay;
  ret->packet = s->packet;
  ret->units = s->packet.units;
  j->next_ext = ext + 1;
  if (s->packet.units || s->ts > j->next_ts || !j->is_playing)
    j->next_ts = s->ts + s->packet.units;
  j->is_started = j->is_playing = true;
  j->is_gap = s->packet.units == 0;
  if (s->packet.units)
    j->last_units = s->packet.units;
  j->since_change++;
  j->figures.frames++;
  slot_clear(j, s, true);
  return JITTER_FRAME;
}

/* A frame is left out here when the delay is too long by more than it. */
static bool may_leave_out(const struct jitter *j, int64_t excess_us, uint32_t units) {
  if (j->count < 2 || units == 0 || excess_us < us_of(j, units))
    return false;
  if (excess_us + j->target_us > JITTER_MAX_US + FORCE_US)
    return true;
  if (j->is_quiet)
    return j->since_change >= QUIET_FRAMES;
  return excess_us > FORCE_US && j->since_change >= FORCE_FRAMES;
}

/* One packet of the hole before the packet ext: true with a LOST, or false: passed over, because the
 * hole is long (then the rest is a gap) or the delay too long anyhow. */
static bool hole(struct jitter *j, uint64_t ext, uint64_t now_us, struct jitter_frame *ret) {
  struct slot *s = slot_at(j, ext);
  int64_t missing = (int64_t)(ext - j->next_ext), span = s->ts - j->next_ts, each = span / missing;
  if (j->last_units && each > j->last_units)
    each = j->last_units;
  bool is_long = each <= 0 || us_of(j, each * missing) > LOST_MAX_US;
  uint64_t passed = is_long ? (uint64_t)missing : 1;
  int64_t excess_us = delay_of(j, s, now_us) + us_of(j, span) - j->target_us;
  j->figures.lost += passed;
  j->next_ext += passed;
  if (is_long)
    return false;
  j->next_ts += each;
  if (excess_us >= us_of(j, each))
    return false;
  ret->units = (uint32_t)each;
  if (missing == 1 && !s->is_skip)
    ret->next = s->packet;
  return true;
}

static enum jitter_verdict wait_for(struct jitter *j, uint64_t ext, uint64_t now_us,
                                    struct jitter_frame *ret) {
  if (now_us >= due_us(j, slot_at(j, ext)))
    return give(j, ext, now_us, ret);
  return j->is_gap ? JITTER_GAP : JITTER_EMPTY;
}

/* Leaves the packet ext out if it may go; what follows is then the first. */
static bool leave_out(struct jitter *j, uint64_t ext, uint64_t now_us) {
  struct slot *s = slot_at(j, ext);
  if (!may_leave_out(j, delay_of(j, s, now_us) - j->target_us, s->packet.units))
    return false;
  j->next_ext = ext + 1;
  j->next_ts = s->ts + s->packet.units;
  j->since_change = 0;
  j->figures.discarded++;
  slot_clear(j, s, false);
  return true;
}

/* Held back for a moment in silence while the delay is short of the target by more than half of it. */
static enum jitter_verdict play(struct jitter *j, uint64_t ext, uint64_t now_us,
                                struct jitter_frame *ret) {
  struct slot *s = slot_at(j, ext);
  int64_t short_us = j->target_us - delay_of(j, s, now_us);
  if (j->is_quiet && s->packet.units && short_us > us_of(j, s->packet.units) / 2 &&
      j->since_change >= QUIET_FRAMES) {
    j->since_change = 0;
    j->figures.stretched++;
    return JITTER_GAP;
  }
  return give(j, ext, now_us, ret);
}

static enum jitter_verdict nothing(struct jitter *j) {
  if (j->is_playing && !j->is_gap)
    j->figures.underruns++;
  j->is_playing = false;
  return j->is_gap ? JITTER_GAP : JITTER_EMPTY;
}

/* Numbers without audio that are next; then the first packet, or false: none is left. */
static bool find_first(struct jitter *j, uint64_t *ret_ext) {
  while (j->count) {
    uint64_t ext = first_ext(j);
    *ret_ext = ext;
    if (!slot_at(j, ext)->is_skip || (j->is_playing && ext > j->next_ext))
      return true;
    slot_clear(j, slot_at(j, ext), false);
    j->next_ext = ext + 1;
    j->is_started = true;
  }
  return false;
}

enum jitter_verdict jitter_get(struct jitter *j, uint64_t now_us, struct jitter_frame *ret) {
  uint64_t ext;
  *ret = (struct jitter_frame){0};
  let_go(j);
  while (find_first(j, &ext)) {
    if (j->is_playing && ext > j->next_ext) {
      if (hole(j, ext, now_us, ret))
        return JITTER_LOST;
      continue;
    }
    if (j->is_playing && slot_at(j, ext)->ts > j->next_ts) {
      j->is_playing = false;
      j->is_gap = true;
    }
    if (!j->is_playing)
      return wait_for(j, ext, now_us, ret);
    if (!leave_out(j, ext, now_us))
      return play(j, ext, now_us, ret);
  }
  return nothing(j);
}

void jitter_figures(const struct jitter *j, struct jitter_figures *ret) {
  *ret = j->figures;
  ret->delay_us = j->delay_us;
  ret->target_us = j->target_us;
  ret->max_us = j->delay_us > j->target_us ? j->delay_us : j->target_us;
  ret->abs_max_us = JITTER_MAX_US;
}
