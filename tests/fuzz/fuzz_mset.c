/* SPDX-License-Identifier: Apache-2.0
 * Messages between the programs: the first byte picks the direction, the second a type whose head is
 * made right (or none: then the bytes are the message). What is found sound is given to the engines
 * that the media process gives it to. */
#include "media/digits.h"
#include "media/remote.h"
#include "mset/mset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool c) {
  if (!c)
    abort();
}

static void is_text(const char *s, size_t n) { must(memchr(s, 0, n) != NULL); }

static void remote_used(const struct mset_remote *m) {
  static struct remote r;
  struct remote *order[4];
  struct addr to;
  is_text(m->ufrag, sizeof(m->ufrag));
  is_text(m->pwd, sizeof(m->pwd));
  must(m->remote >= 1 && m->remote <= MSET_REMOTES_MAX);
  if (remote_set(&r, m, 1) == 0) {
    const struct mset_codec *c;
    for (unsigned pt = 0; pt < 128; pt++)
      c = remote_codec(&r, (uint8_t)pt);
    c = remote_audio(&r);
    c = c ? remote_event(&r, c->clock_hz) : NULL;
    (void)c;
    (void)remote_may_come(&r, &m->rtp, false);
    remote_heard(&r, &m->rtp, false, 2);
    (void)remote_target(&r, false, 3, &to);
    (void)remote_target(&r, true, 4000000, &to);
    must(remote_order(&r, 1, &m->rtp, false, order, 4) <= 1);
  }
  remote_drop(&r);
}

static void digits_used(const struct mset_digits *m) {
  struct digits d = {0};
  struct digits_step step;
  is_text(m->digits, sizeof(m->digits));
  must(digits_add(&d, m) == 0);
  unsigned most = (DIGITS_MAX_MS * 2 + DIGITS_COMMA_MS) / 20 * (MSET_DIGITS_MAX + 1);
  while (digits_are_due(&d) && most--)
    digits_tick(&d, &step);
  must(!digits_are_due(&d));
  digits_done(&d);
}

static void used(const union mset_any *m) {
  if (m->h.type == MSET_REMOTE)
    remote_used(&m->remote);
  else if (m->h.type == MSET_DIGITS)
    digits_used(&m->digits);
  else if (m->h.type == MSET_OPEN)
    is_text(m->open.call, sizeof(m->open.call));
  else if (m->h.type == MSET_LIVE)
    is_text(m->live.call, sizeof(m->live.call));
  else if (m->h.type == MSET_OPENED)
    must(m->opened.n_addrs <= MSET_ADDRS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static union mset_any m;
  static bool started;
  if (!started && suite_start() < 0)
    abort();
  started = true;
  if (n < 2)
    return 0;
  bool down = data[0] & 1;
  uint32_t type = data[1];
  memset(&m, 0, sizeof(m));
  n -= 2;
  if (type == 0 || type >= MSET_COUNT_) {
    size_t bytes = n < sizeof(m) ? n : sizeof(m);
    memcpy(&m, data + 2, bytes);
    if (mset_check(&m, bytes, down) == 0)
      used(&m);
    return 0;
  }
  size_t bytes = mset_init(&m, (enum mset_type)type, 1), body = bytes - sizeof(m.h);
  memcpy((uint8_t *)&m + sizeof(m.h), data + 2, n < body ? n : body);
  bool is_down = mset_check(&m, bytes, true) == 0, is_up = mset_check(&m, bytes, false) == 0;
  must(!(is_down && is_up) && mset_check(&m, bytes - 1, is_down) < 0);
  must(mset_name(type)[0] != 0);
  if (is_down || is_up)
    used(&m);
  return 0;
}
