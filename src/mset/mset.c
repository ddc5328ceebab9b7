/* SPDX-License-Identifier: Apache-2.0
 * Checks and names of the messages between the programs: see mset.h. */
#include "mset/mset.h"

enum { NOWHERE, DOWN, UP };

static const struct {
  const char *name;
  uint32_t bytes;
  uint8_t direction;
} rows[MSET_COUNT_] = {
#define MSET(id, dir, body) [MSET_##id] = {#id, sizeof(struct mset_##body), dir},
#include "mset/mset.def"
#undef MSET
};

const char *mset_name(uint32_t type) { return type < MSET_COUNT_ ? rows[type].name : "unknown"; }

size_t mset_init(union mset_any *m, enum mset_type type, uint64_t session) {
  memset(m, 0, sizeof(*m));
  m->h.bytes = rows[type].bytes;
  m->h.type = type;
  m->h.session = session;
  m->h.deadline_ms = MSET_DEADLINE_MS;
  return rows[type].bytes;
}

#define IS_TEXT(field) (memchr(field, 0, sizeof(field)) != NULL)

static bool is_addr(const struct addr *a) {
  int f = addr_family(a);
  return f == AF_INET || f == AF_INET6 || f == AF_UNSPEC;
}

static bool is_key(const struct srtp_key *k) {
  return k->suite < SUITE_COUNT_ && k->mki_bytes <= SRTPKEY_MKI_MAX_BYTES;
}

static bool remote_is_sound(const struct mset_remote *r) {
  if (r->remote < 1 || r->remote > MSET_REMOTES_MAX || r->security > MSET_DTLS ||
      r->symmetric > MSET_SYMMETRIC_ONCE || r->n_codecs > MSET_CODECS_MAX ||
      r->n_sources > MSET_SOURCES_MAX || r->n_deny > MSET_DENY_MAX || r->fingerprint_bytes > 64 ||
      r->level_ext > 14 || r->dtmf > MSET_DTMF_SIGNALED)
    return false;
  if (!is_addr(&r->rtp) || !is_addr(&r->rtcp) || !is_key(&r->tx) || !is_key(&r->rx) ||
      !IS_TEXT(r->ufrag) || !IS_TEXT(r->pwd))
    return false;
  for (uint32_t i = 0; i < r->n_codecs; i++)
    if (r->codecs[i].pt > 127 || r->codecs[i].clock_hz == 0 || r->codecs[i].ptime_ms > MSET_PTIME_MAX_MS)
      return false;
  for (uint32_t i = 0; i < r->n_sources; i++)
    if (!is_addr(&r->sources[i].base) || r->sources[i].bits > 128)
      return false;
  for (uint32_t i = 0; i < r->n_deny; i++)
    if (!is_addr(&r->deny[i]))
      return false;
  return true;
}

static bool candidates_are_sound(const struct mset_candidate *c, uint32_t n, uint32_t max) {
  for (uint32_t i = 0; n <= max && i < n; i++)
    if (!is_addr(&c[i].address) || c[i].type > 3 || c[i].component > 255 || !IS_TEXT(c[i].foundation))
      return false;
  return n <= max;
}

static bool digits_are_sound(const struct mset_digits *d) {
  return IS_TEXT(d->digits) && strspn(d->digits, "0123456789*#ABCD,") == strlen(d->digits);
}

static bool record_is_sound(const struct mset_record *r) {
  return r->format <= MSET_RECORD_OGG && r->peer != r->h.session &&
         (r->rate_hz == 0 || r->rate_hz == 8000 || r->rate_hz == 16000);
}

static bool headers_are_sound(const struct mset_headers *m) {
  for (uint32_t i = 0; m->n <= MSET_HEADERS_MAX && i < m->n; i++) {
    const struct mset_header *h = &m->header[i];
    if (!is_addr(&h->from) || !is_addr(&h->to) || h->n > MSET_HEADER_BYTES || h->n > h->bytes)
      return false;
  }
  return m->n <= MSET_HEADERS_MAX;
}

/* What the length alone does not say, of the messages that have more to check. */
static bool is_sound(const union mset_any *m) {
  switch ((enum mset_type)m->h.type) {
  case MSET_OPEN:
    return m->open.kind <= MSET_TRUNK_LEG && IS_TEXT(m->open.call) && m->open.flags <= MSET_OPEN_ALL_ &&
           (m->open.family == AF_INET || m->open.family == AF_INET6);
  case MSET_REMOTE:
    return remote_is_sound(&m->remote);
  case MSET_SELECT:
  case MSET_DROP:
    return m->pick.remote >= 1 && m->pick.remote <= MSET_REMOTES_MAX;
  case MSET_CANDIDATES:
    return m->candidates.remote >= 1 && m->candidates.remote <= MSET_REMOTES_MAX &&
           candidates_are_sound(m->candidates.candidates, m->candidates.n_candidates,
                                MSET_CANDIDATES_MAX);
  case MSET_PLAY:
    return m->play.tone <= MSET_TONE_FILE && m->play.level_db >= MSET_LEVEL_MIN_DB &&
           m->play.level_db <= MSET_LEVEL_MAX_DB;
  case MSET_ROOM_OPEN:
    return m->room.room && m->room.speakers <= MSET_ROOM_SPEAKERS_MAX &&
           (!m->room.rate_hz || m->room.rate_hz == 8000 || m->room.rate_hz == 16000);
  case MSET_ROOM_JOIN:
  case MSET_ROOM_SET:
  case MSET_ROOM_LEAVE:
    return m->room.room && m->room.flags <= MSET_ROOM_ALL_;
  case MSET_ROOM_SPEAKER:
    return m->speaker.level <= 127;
  case MSET_CAPTURE:
    return m->capture.ms <= MSET_CAPTURE_MAX_MS && m->capture.packets <= MSET_CAPTURE_MAX;
  case MSET_HEADERS:
    return headers_are_sound(&m->headers);
  case MSET_RECORD:
    return record_is_sound(&m->record);
  case MSET_RECORD_PAUSE:
    return m->record_pause.on <= 1;
  case MSET_DIGITS:
    return digits_are_sound(&m->digits);
  case MSET_LOAD:
    return m->load.verdict <= MSET_LOAD_SHEDDING;
  case MSET_LIVE:
    return IS_TEXT(m->live.call);
  case MSET_WELCOME:
    return IS_TEXT(m->welcome.backend);
  case MSET_OPENED:
    return m->opened.n_addrs <= MSET_ADDRS_MAX && IS_TEXT(m->opened.ufrag) && IS_TEXT(m->opened.pwd) &&
           IS_TEXT(m->opened.cname) &&
           candidates_are_sound(m->opened.candidates, m->opened.n_candidates, MSET_CANDIDATES_OURS);
  case MSET_ICE:
    return IS_TEXT(m->ice.ufrag) && IS_TEXT(m->ice.pwd);
  case MSET_STATE:
    return m->state.ice <= MSET_ICE_LOST && m->state.dtls <= MSET_DTLS_FAILED &&
           m->state.suite < SUITE_COUNT_;
  case MSET_NONE:
  case MSET_HELLO:
  case MSET_LINK:
  case MSET_ICE_RESTART:
  case MSET_END:
  case MSET_ROOM_CLOSE:
  case MSET_PING:
  case MSET_OK:
  case MSET_FAULT:
  case MSET_FLOW:
  case MSET_DIGIT:
  case MSET_DIGITS_DONE:
  case MSET_QUALITY:
  case MSET_ONEWAY:
  case MSET_TIMEOUT:
  case MSET_TAP:
  case MSET_RECORD_STOP:
  case MSET_RECORD_DONE:
  case MSET_PLAY_DONE:
  case MSET_ENDED:
  case MSET_COUNT_:
    break;
  }
  return true;
}

int mset_check(const void *message, size_t n, bool down) {
  const union mset_any *m = message;
  if (n < sizeof(m->h) || m->h.bytes != n || m->h.type >= MSET_COUNT_)
    return -EBADMSG;
  if (rows[m->h.type].bytes != n || rows[m->h.type].direction != (down ? DOWN : UP))
    return -EBADMSG;
  return is_sound(m) ? 0 : -EBADMSG;
}

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan" /* it does not know fences; the table is another process's */
#endif
bool mset_facts_read(const struct mset_facts *slot, uint64_t session, struct mset_facts *ret) {
  for (int tries = 0; tries < 100; tries++) {
    uint32_t before = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
    if (before & 1)
      continue;
    memcpy(ret, slot, sizeof(*ret));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == before)
      return ret->session == session;
  }
  return false;
}
