/* SPDX-License-Identifier: Apache-2.0
 * The load generator's packet thread. Legs are spread over the 20 ms by the golden ratio, so that any
 * number of them is even; a slot of 40 us is sent as a batch, then what came is taken in batches,
 * with the time at which the kernel had it: this thread sleeps until the next slot that has something
 * to send and is never woken by a packet, which would cost the system under test as well. */
#include "base/clock.h"
#include "base/map.h"
#include "gen.h"
#include "wire/bytes.h"
#include "wire/rtp.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

enum {
  SLOTS = 500,
  SLOT_US = GEN_PERIOD_US / SLOTS,
  BATCH = 32,
  TAKE = 64,
  ROOM = 512,
  IN_ROOM = 2048,
  BEHIND_US = 10000,
  MAGIC = 0x53504c47
};

struct batch {
  unsigned n;
  struct mmsghdr head[BATCH];
  struct iovec iov[BATCH];
  union pktinfo_room info[BATCH];
  uint8_t bytes[BATCH][ROOM];
};

struct slot {
  uint32_t *legs;
  uint32_t n, room;
};

union in_control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct timespec))];
};

struct traffic {
  struct gen *g;
  struct slot slots[SLOTS];
  struct map *by_ssrc;
  unsigned n_placed; /* calls that have their slot */
  struct batch out[2];
  struct mmsghdr in_head[TAKE];
  struct iovec in_iov[TAKE];
  union in_control in_control[TAKE];
  uint8_t in[TAKE][IN_ROOM];
  uint64_t at_slot; /* the next slot to send, counted from base_us */
  uint64_t base_us;
  uint64_t from_us, until_us; /* the window */
};

int traffic_sockets(struct gen *g) {
  int bytes = 16 << 20, on = 1;
  for (unsigned i = 0; i < 2; i++) {
    socklen_t n = sizeof(g->at[i]);
    g->fd[i] = socket(addr_family(&g->local[i]), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (g->fd[i] < 0 || bind(g->fd[i], &g->local[i].sa, addr_len(&g->local[i])) < 0 ||
        getsockname(g->fd[i], &g->at[i].sa, &n) < 0)
      return -errno;
    if (setsockopt(g->fd[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
      return -errno;
    if (setsockopt(g->fd[i], SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
      (void)setsockopt(g->fd[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (setsockopt(g->fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
      (void)setsockopt(g->fd[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  }
  return 0;
}

static struct leg *leg_at(const struct gen *g, uint32_t index) {
  return &g->calls[index / 2].leg[index % 2];
}

static void place(struct traffic *t, uint32_t index) {
  struct leg *l = leg_at(t->g, index);
  uint32_t golden = index * 2654435769u; /* 2^32 over the golden ratio */
  struct slot *s = &t->slots[(uint64_t)golden * SLOTS >> 32];
  if (s->n == s->room) {
    s->room = s->room ? 2 * s->room : 8;
    s->legs = realloc(s->legs, s->room * sizeof(*s->legs));
    if (!s->legs)
      abort();
  }
  s->legs[s->n++] = index;
  if (map_put(t->by_ssrc, slice_from(&l->rx_ssrc, sizeof(l->rx_ssrc)), l) < 0)
    fprintf(stderr, "two legs receive SSRC %08x\n", l->rx_ssrc);
}

/* Sending ------------------------------------------------------------------------------------------ */
static void flush(struct traffic *t, unsigned side) {
  struct batch *b = &t->out[side];
  for (unsigned done = 0; done < b->n;) {
    int n = sendmmsg(t->g->fd[side], b->head + done, b->n - done, 0);
    if (n > 0)
      done += (unsigned)n;
    else if (n < 0 && errno != EINTR && errno != EAGAIN) {
      t->g->stats.refused_sends++;
      done++; /* an ICMP error of somebody's closed port */
    }
  }
  b->n = 0;
}

static void payload_fill(uint8_t *p, uint64_t now_us, uint32_t index) {
  bytes_put_u32(p, MAGIC);
  bytes_put_u32(p + 4, (uint32_t)(now_us >> 32));
  bytes_put_u32(p + 8, (uint32_t)now_us);
  bytes_put_u32(p + 12, index);
  memset(p + 16, 0x55, GEN_PAYLOAD_BYTES - 16);
}

static void leg_send(struct traffic *t, struct leg *l, uint64_t now_us) {
  unsigned side = l->index % 2;
  struct batch *b = &t->out[side];
  uint8_t *p = b->bytes[b->n];
  size_t n = rtp_put(p, 0, l->ts == 0, 0, l->ts, l->ssrc);
  payload_fill(p + n, now_us, l->index);
  n += GEN_PAYLOAD_BYTES;
  l->ts += GEN_PAYLOAD_BYTES;
  if (seal_rtp_next(l->sealer, p, &n, ROOM))
    return;
  b->iov[b->n] = (struct iovec){p, n};
  b->head[b->n].msg_hdr = (struct msghdr){.msg_name = &l->target.sa,
                                          .msg_namelen = addr_len(&l->target),
                                          .msg_iov = &b->iov[b->n],
                                          .msg_iovlen = 1};
  if (addr_family(&l->local))
    pktinfo_put(&b->head[b->n].msg_hdr, &b->info[b->n], &l->local);
  bool counts = now_us >= t->from_us && now_us < t->until_us;
  t->g->stats.sent += counts;
  t->g->stats.sent_checked += counts && l->is_checked;
  if (++b->n == BATCH)
    flush(t, side);
}

static void send_due(struct traffic *t) {
  uint32_t active = 2 * atomic_load_explicit(&t->g->n_active, memory_order_acquire);
  for (; t->n_placed * 2 < active; t->n_placed++) {
    place(t, 2 * t->n_placed);
    place(t, 2 * t->n_placed + 1);
  }
  for (unsigned turns = 0; turns < SLOTS; turns++, t->at_slot++) {
    uint64_t now = clock_now_us(), due = t->base_us + t->at_slot * SLOT_US;
    const struct slot *s = &t->slots[t->at_slot % SLOTS];
    if (due > now)
      break;
    for (uint32_t i = 0; i < s->n && s->legs[i] < active; i++) {
      t->g->stats.behind += now - due > BEHIND_US && now >= t->from_us && now < t->until_us;
      leg_send(t, leg_at(t->g, s->legs[i]), now);
    }
    if (t->out[0].n + t->out[1].n >= BATCH)
      break; /* what came must not wait for long */
  }
  flush(t, 0);
  flush(t, 1);
}

/* Receiving ---------------------------------------------------------------------------------------- */
static void note_delay(struct stats *st, uint64_t us) {
  uint64_t cell = us < GEN_FINE_US ? us : GEN_FINE_US + (us - GEN_FINE_US) / 100;
  st->hist[cell > GEN_FINE_US + GEN_COARSE ? GEN_FINE_US + GEN_COARSE : cell]++;
  st->late += us > GEN_LATE_US;
  st->max_us = us > st->max_us ? us : st->max_us;
  st->got++;
  st->got_checked++;
}

/* A leg that is not opened: what its sequence numbers say, which stand open. */
static void leg_glance(struct traffic *t, struct leg *l, uint16_t seq, uint64_t now_us) {
  int16_t step = (int16_t)(seq - l->last_seq);
  bool counts = now_us >= t->from_us && now_us < t->until_us;
  t->g->stats.got += counts;
  if (l->has_seq && counts)
    t->g->stats.missing += step > 0 ? step - 1 : -1;
  if (step > 0 || !l->has_seq)
    l->last_seq = seq;
  l->has_seq = true;
}

static void leg_take(struct traffic *t, struct leg *l, uint8_t *p, size_t n, uint64_t now_us) {
  struct stats *st = &t->g->stats;
  struct rtp rtp;
  if (!l->is_checked) {
    if (n >= RTP_HEAD_BYTES + GEN_PAYLOAD_BYTES)
      leg_glance(t, l, bytes_u16(p + 2), now_us);
    return;
  }
  if (open_rtp(l->opener, p, &n, now_us)) {
    st->bad_auth++;
    return;
  }
  if (!rtp_parse(&rtp, p, n) || rtp.payload_bytes != GEN_PAYLOAD_BYTES ||
      bytes_u32(rtp.payload) != MAGIC || bytes_u32(rtp.payload + 12) != (l->index ^ 1) ||
      rtp.payload[GEN_PAYLOAD_BYTES - 1] != 0x55) {
    st->bad_payload++;
    return;
  }
  uint64_t at = (uint64_t)bytes_u32(rtp.payload + 4) << 32 | bytes_u32(rtp.payload + 8);
  if (at >= t->from_us && at < t->until_us)
    note_delay(st, now_us > at ? now_us - at : 0);
}

static void take_one(struct traffic *t, uint8_t *p, size_t n, uint64_t now_us) {
  uint32_t ssrc;
  if (n < RTP_HEAD_BYTES || (p[1] >= 192 && p[1] <= 223))
    return; /* reports are the peer's own business */
  ssrc = bytes_u32(p + 8);
  struct leg *l = map_get(t->by_ssrc, slice_from(&ssrc, sizeof(ssrc)));
  if (l)
    leg_take(t, l, p, n, now_us);
  else
    t->g->strays++;
}

static const void *control_find(struct msghdr *m, int level, int type) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
    if (c->cmsg_level == level && c->cmsg_type == type)
      return CMSG_DATA(c);
  return NULL;
}

/* What is no RTP is a WebRTC client's. */
static void forward_one(struct traffic *t, unsigned i) {
  struct in_pktinfo info;
  const void *p = control_find(&t->in_head[i].msg_hdr, IPPROTO_IP, IP_PKTINFO);
  if (!p)
    return;
  memcpy(&info, p, sizeof(info));
  native_forward(&info.ipi_addr, t->in[i], t->in_head[i].msg_len);
}

static uint64_t timespec_us(const struct timespec *ts) {
  return (uint64_t)ts->tv_sec * 1000000u + (uint64_t)ts->tv_nsec / 1000u;
}

/* When the kernel had it, by the monotonic clock; ahead: how far wall-clock time is in front of that. */
static uint64_t came_us(struct msghdr *m, uint64_t ahead_us, uint64_t now_us) {
  struct timespec ts;
  const void *p = control_find(m, SOL_SOCKET, SCM_TIMESTAMPNS);
  if (!p)
    return now_us;
  memcpy(&ts, p, sizeof(ts));
  uint64_t us = timespec_us(&ts) - ahead_us;
  return us < now_us ? us : now_us;
}

static bool receive(struct traffic *t, unsigned side) {
  struct timespec wall;
  for (unsigned i = 0; i < TAKE; i++) {
    t->in_head[i].msg_hdr.msg_control = &t->in_control[i];
    t->in_head[i].msg_hdr.msg_controllen = sizeof(t->in_control[i]);
  }
  int n = recvmmsg(t->g->fd[side], t->in_head, TAKE, MSG_DONTWAIT, NULL);
  uint64_t now = clock_now_us();
  clock_gettime(CLOCK_REALTIME, &wall);
  uint64_t ahead = timespec_us(&wall) - now;
  for (int i = 0; i < n; i++)
    if (t->g->driver->is_native && t->in[i][0] < 128)
      forward_one(t, (unsigned)i);
    else
      take_one(t, t->in[i], t->in_head[i].msg_len, came_us(&t->in_head[i].msg_hdr, ahead, now));
  return n == TAKE;
}

/* The window --------------------------------------------------------------------------------------- */
static void window_turn(struct traffic *t, uint64_t now_us) {
  unsigned asked = atomic_load_explicit(&t->g->window, memory_order_acquire);
  if (asked == atomic_load_explicit(&t->g->window_done, memory_order_relaxed))
    return;
  if (!t->until_us) {
    memset(&t->g->stats, 0, sizeof(t->g->stats));
    t->from_us = now_us;
    t->until_us = now_us + atomic_load(&t->g->window_us);
  } else if (now_us > t->until_us + GEN_DRAIN_US) {
    t->from_us = t->until_us = 0;
    atomic_store_explicit(&t->g->window_done, asked, memory_order_release);
  }
}

static void wait_turn(struct traffic *t) {
  uint64_t now = clock_now_us(), slot = t->at_slot;
  while (slot - t->at_slot < SLOTS / 10 && !t->slots[slot % SLOTS].n)
    slot++;
  uint64_t due = t->base_us + slot * SLOT_US;
  if (due <= now)
    return;
  (void)nanosleep(&(struct timespec){.tv_nsec = (long)(due - now) * 1000}, NULL);
}

static void buffers_init(struct traffic *t) {
  for (unsigned i = 0; i < TAKE; i++) {
    t->in_iov[i] = (struct iovec){t->in[i], IN_ROOM};
    t->in_head[i].msg_hdr = (struct msghdr){.msg_iov = &t->in_iov[i], .msg_iovlen = 1};
  }
}

void *traffic_run(void *gen) {
  struct traffic *t = calloc(1, sizeof(*t));
  if (!t || map_new(&t->by_ssrc, 2 * GEN_CALLS_MAX) < 0)
    abort();
  t->g = gen;
  (void)prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
  buffers_init(t);
  t->base_us = clock_now_us();
  while (!atomic_load_explicit(&t->g->is_ending, memory_order_relaxed)) {
    window_turn(t, clock_now_us());
    send_due(t);
    bool more = receive(t, 0);
    more = receive(t, 1) || more;
    if (!more)
      wait_turn(t);
  }
  for (unsigned i = 0; i < SLOTS; i++)
    free(t->slots[i].legs);
  map_free(t->by_ssrc);
  free(t);
  return NULL;
}
