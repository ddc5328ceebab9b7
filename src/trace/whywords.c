/* SPDX-License-Identifier: Apache-2.0
 * The words of a cause's sentence: one function for each {word} of why.def. See why.h. */
#include "trace/whypart.h"

#include <stdio.h>

static void add_party(struct text *t, bool is_trunk, const char *name) {
  text_add(t, is_trunk ? "carrier (trunk %s)" : "app (user %s)", name[0] ? name : "?");
}

static void add_who(const struct why_view *v, struct text *t) {
  if (v->l)
    add_party(t, v->l->is_trunk, v->l->name);
  else if (v->t)
    add_party(t, v->t->is_trunk, v->t->name);
}

/* What is silent: a browser's microphone, or what a carrier sends. */
static void add_who_sound(const struct why_view *v, struct text *t) {
  text_add(t, v->l->is_trunk ? "sound of " : "microphone of ");
  add_who(v, t);
}

static void add_clock(struct text *t, uint32_t ms) {
  text_add(t, "%u:%02u", ms / 60000, ms / 1000 % 60);
}

static void add_span(struct text *t, uint32_t ms) {
  if (ms < 60000)
    text_add(t, "%u.%u s", ms / 1000, ms / 100 % 10);
  else
    text_add(t, "%u min %u s", ms / 60000, ms / 1000 % 60);
}

static void add_share_of(struct text *t, const struct why_flow *w, uint64_t n) {
  uint64_t all = w->packets + w->lost, permille = all ? n * 1000 / all : 0;
  text_add(t, "%u.%u %%", (unsigned)permille / 10, (unsigned)permille % 10);
}

static void add_share(struct text *t, const struct why_flow *w) { add_share_of(t, w, w->lost); }

static void add_at(const struct why_view *v, struct text *t) { add_span(t, v->f->ms); }
static void add_last(const struct why_view *v, struct text *t) { add_clock(t, v->l->last_ms); }
static void add_first(const struct why_view *v, struct text *t) { add_span(t, v->l->first_ms); }
static void add_dumb(const struct why_view *v, struct text *t) { add_span(t, v->l->dumb_ms); }
static void add_loss(const struct why_view *v, struct text *t) { add_share(t, &v->l->rx); }

/* Only where some were. */
static void add_too_late(const struct why_view *v, struct text *t) {
  const struct why_flow *w = &v->l->rx;
  if (w->discarded * 1000 < w->packets + w->lost || !w->discarded)
    return;
  text_add(t, ", ");
  add_share_of(t, w, w->discarded);
  text_add(t, " too late for our jitter buffer");
}

static void add_loss_there(const struct why_view *v, struct text *t) { add_share(t, &v->l->tx); }

static void add_sound(const struct why_view *v, struct text *t) {
  add_clock(t, v->l->sound_ms ? v->l->sound_ms : v->l->first_ms);
}

static void add_mos(const struct why_view *v, struct text *t) {
  uint16_t mos = v->l->rx.mos_x100;
  text_add(t, "%u.%02u", mos / 100, mos % 100);
}

static void add_mos_there(const struct why_view *v, struct text *t) {
  uint16_t mos = v->l->tx.mos_x100;
  text_add(t, "%u.%02u", mos / 100, mos % 100);
}

static void add_way(const struct why_view *v, struct text *t) {
  static const char *const ways[] = {"sendrecv", "sendonly", "recvonly", "inactive"};
  text_add(t, "%s", v->l->way < COUNT_OF(ways) ? ways[v->l->way] : "");
}

static void add_detail(const struct why_view *v, struct text *t) {
  text_add(t, "%s", v->f->detail[0] ? v->f->detail : "no more is known");
}

static void add_detail_colon(const struct why_view *v, struct text *t) {
  text_add(t, "%s%s", v->f->detail[0] ? ": " : "", v->f->detail);
}

static void add_demoted(const struct why_view *v, struct text *t) {
  text_add(t, "%s", v->t->is_demoted ? "; trunk demoted" : "");
}

static void add_tries(const struct why_view *v, struct text *t) {
  text_add(t, "%u %s", v->t->tries, v->t->tries == 1 ? "try" : "tries");
}

static void add_target(const struct why_view *v, struct text *t) {
  text_add(t, "%s", v->t->target[0] ? v->t->target : "the target");
}

#define NUMBER(word, value) \
  static void add_##word(const struct why_view *v, struct text *t) { \
    text_add(t, "%u", (unsigned)(value)); \
  }
#define WORD(word, value) \
  static void add_##word(const struct why_view *v, struct text *t) { text_add(t, "%s", value); }
NUMBER(status, v->f->status)
NUMBER(n, v->f->n_attempts)
NUMBER(candidates, v->l->candidates)
NUMBER(reinvite, v->l->key_reinvite)
NUMBER(bad, v->l->key_bad)
NUMBER(good, v->l->key_good)
NUMBER(failures, v->l->key_failures)
NUMBER(plain, v->l->key_plain)
NUMBER(stray, v->l->stray_port)
NUMBER(port, v->l->our_port)
NUMBER(strangers, v->l->wrong_source)
NUMBER(unknown, v->l->bad_payload)
NUMBER(pt, v->l->payload_type)
NUMBER(jitter, v->l->rx.jitter_ms)
NUMBER(jitter_there, v->l->tx.jitter_ms)
NUMBER(rtt, v->l->rtt_ms)
NUMBER(received, v->l->client.received)
NUMBER(ptime, v->l->ptime_ms)
NUMBER(agreed, v->l->agreed_ms)
NUMBER(q850, v->f->q850)
WORD(rule, v->f->rule)
WORD(reason, v->f->reason)
WORD(said, v->l->said[0] ? v->l->said : "nothing")
WORD(stranger, v->l->stranger)
WORD(codec, v->l->codec)
static void add_mic(const struct why_view *v, struct text *t) { add_clock(t, v->l->client.mic_ms); }
static void add_concealed(const struct why_view *v, struct text *t) {
  text_add(t, "%u %%", v->l->client.concealed_permille / 10);
}
static void add_status_last(const struct why_view *v, struct text *t) {
  text_add(t, "%d", v->t ? v->t->status : 0);
  if (v->t && v->t->q850)
    text_add(t, " (Q.850 cause %d)", v->t->q850);
}
/* Each status of the attempts once, in their order. */
static void add_statuses(const struct why_view *v, struct text *t) {
  const struct why_attempt *a = v->f->attempts;
  for (uint32_t i = 0, j; i < v->f->n_attempts; i++) {
    for (j = 0; j < i && a[j].status != a[i].status; j++) {
    }
    if (j == i)
      text_add(t, "%s%d", i ? " or " : "", a[i].status);
  }
}
static void add_bad_at(const struct why_view *v, struct text *t) { add_clock(t, v->l->bad_ms); }
static void add_unheard(const struct why_view *v, struct text *t) { add_clock(t, v->l->unheard_ms); }
static void add_took(const struct why_view *v, struct text *t) { add_span(t, v->t->ms); }

#define ROW(word) \
  { #word, add_##word }
static const struct {
  const char *word;
  void (*add)(const struct why_view *v, struct text *t);
} words[] = {
    ROW(who),       ROW(who_sound), ROW(at),       ROW(last),       ROW(first),     ROW(dumb),
    ROW(loss),      ROW(sound),     ROW(mos),      ROW(way),        ROW(detail),    ROW(detail_colon),
    ROW(demoted),   ROW(tries),     ROW(target),   ROW(status),     ROW(n),         ROW(status_last),
    ROW(reinvite),  ROW(bad),       ROW(good),     ROW(candidates), ROW(stray),     ROW(port),
    ROW(pt),        ROW(strangers), ROW(unknown),  ROW(jitter),     ROW(rtt),       ROW(rule),
    ROW(reason),    ROW(said),      ROW(stranger), ROW(codec),      ROW(took),      ROW(loss_there),
    ROW(bad_at),    ROW(received),  ROW(ptime),    ROW(agreed),     ROW(q850),      ROW(mic),
    ROW(concealed), ROW(failures),  ROW(statuses), ROW(unheard),    ROW(mos_there), ROW(jitter_there),
    ROW(too_late),  ROW(plain),
};

static void add_word(const struct why_view *v, struct text *t, struct slice word) {
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (slice_eq(word, slice_of(words[i].word))) {
      words[i].add(v, t);
      return;
    }
  t->error = t->error ? t->error : -EINVAL; /* a unit writes every row: it is seen there */
}

/* What does not fit is cut; a page and a log take it as it is. */
static void clean(char *p) {
  for (; *p; p++)
    if (*p < ' ' || *p > '~')
      *p = '?';
}

void whywords_write(const struct why_view *v, const char *sentence, char *dst, size_t bytes) {
  struct text t;
  text_init(&t, dst, bytes);
  while (*sentence && !t.error) {
    const char *end = *sentence == '{' ? strchr(sentence, '}') : NULL;
    if (end) {
      add_word(v, &t, slice_from(sentence + 1, (size_t)(end - sentence - 1)));
      sentence = end + 1;
      continue;
    }
    size_t n = strcspn(sentence, "{");
    text_add_slice(&t, slice_from(sentence, n));
    sentence += n;
  }
  dst[t.n < bytes ? t.n : bytes - 1] = 0;
  clean(dst);
}
