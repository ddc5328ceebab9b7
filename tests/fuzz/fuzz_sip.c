/* SPDX-License-Identifier: Apache-2.0
 * Whatever a trunk's peer sends as SIP: datagrams through the receive hooks, the library and the trunk
 * door, up to a call model of the tests' own. An input is up to six messages with "%%" lines between.
 * A message "ring" lets the gateway call, "late" without an offer. $P and $G are the ports, $T the tag,
 * $I the Call-ID, $B the branch, $F the From, $S the CSeq's number, $R the RSeq of what the gateway said
 * last, so that answers and dialogs can be met. */
#include "../unit/trunkfake.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MESSAGES_MAX = 6, RUNS_A_RIG = 500, LEGS_A_RIG = FAKE_LEGS - 3, OUT_MAX = 60000 };

static char tag[256], call_id[256], branch[256], from[256], number[16], rseq[16];

static void keep(char *to, size_t room, const char *text, const char *end) {
  snprintf(to, room, "%.*s", (int)strcspn(text, end), text);
}

static void hear(void) {
  const char *m;
  while ((m = rig_hear())) {
    const char *b = strstr(rig_header(m, "Via"), "branch=");
    keep(tag, sizeof tag, rig_tag(m, strncmp(m, "SIP/2.0", 7) ? "From" : "To"), ";");
    keep(call_id, sizeof call_id, rig_header(m, "Call-ID"), "");
    keep(number, sizeof number, rig_header(m, "CSeq"), " ");
    if (*rig_header(m, "RSeq"))
      keep(rseq, sizeof rseq, rig_header(m, "RSeq"), "");
    keep(from, sizeof from, rig_header(m, "From"), "");
    keep(branch, sizeof branch, b ? b + 7 : "", ";");
  }
}

static const char *value_of(char letter, char *port, size_t room) {
  switch (letter) {
  case 'P':
    snprintf(port, room, "%u", rig_peer_port);
    return port;
  case 'G':
    snprintf(port, room, "%u", rig_port);
    return port;
  case 'T':
    return tag;
  case 'I':
    return call_id;
  case 'B':
    return branch;
  case 'F':
    return from;
  case 'S':
    return number;
  case 'R':
    return rseq;
  default:
    return NULL;
  }
}

static void say(struct slice message) {
  static char out[OUT_MAX + 300];
  char port[8];
  size_t n = 0;
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(rig_port)};
  for (size_t i = 0; i < message.n && n < OUT_MAX; i++) {
    const char *value =
        message.p[i] == '$' && i + 1 < message.n ? value_of(message.p[i + 1], port, sizeof port) : NULL;
    if (value) {
      n += (size_t)snprintf(out + n, 300, "%s", value);
      i++;
    } else {
      if (message.p[i] == '\n' && (!i || message.p[i - 1] != '\r'))
        out[n++] = '\r';
      out[n++] = message.p[i];
    }
  }
  (void)!sendto(rig_socket, out, n, 0, (struct sockaddr *)&a, sizeof a);
  rig_settle();
}

static struct slice next_message(struct slice *rest) {
  for (size_t i = 0; i + 3 <= rest->n; i++)
    if (memcmp(rest->p + i, "%%\n", 3) == 0) {
      struct slice m = slice_from(rest->p, i);
      *rest = slice_from(rest->p + i + 3, rest->n - i - 3);
      return m;
    }
  struct slice m = *rest;
  rest->n = 0;
  return m;
}

static unsigned legs_used(void) {
  unsigned used = 0;
  for (unsigned i = 0; i < FAKE_LEGS; i++)
    used += fake.legs[i].is_used;
  return used;
}

static void ring(bool is_late) {
  rig_conf.trunks[0].late_offer_out = is_late;
  struct leg *l = rig_ring("+15551234");
  if (l && is_late)
    l->local = NULL;
  rig_settle();
}

/* Each call is answered, early and for good, so that there are dialogs to attack. */
static bool answer_calls(void) {
  bool any = false;
  for (unsigned i = 0; i < FAKE_LEGS; i++) {
    struct fake_leg *f = &fake.legs[i];
    if (f->is_used && !f->is_over && f->leg.role == LEG_CALLER && !f->answered++) {
      fake.door->progress(fake.door_arg, &f->leg);
      fake.door->answered(fake.door_arg, &f->leg);
      any = true;
    }
  }
  return any;
}

static void end_calls(void) {
  for (unsigned i = 0; i < FAKE_LEGS; i++)
    if (fake.legs[i].is_used && !fake.legs[i].is_over)
      leg_end(&fake.legs[i].leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE, .q850 = 16});
  rig_settle();
}

static void shape(struct conf *c) {
  c->trunks[0].prack = PRACK_SUPPORTED;
  c->trunks[0].p_early_media = true;
  c->trunks[0].accept_refer = true;
  c->trunks[0].replaces = REPLACES_ACCEPT;
  c->trunks[0].redirects = REDIRECTS_FOLLOW;
}

static void rig_renew(void) {
  static unsigned runs;
  static bool is_on;
  if (is_on && ++runs < RUNS_A_RIG && legs_used() < LEGS_A_RIG)
    return;
  if (is_on) {
    rig_run(20);
    rig_stop();
  } else if (log_start("fuzz", 2, LOG_ERROR) < 0) {
    abort();
  }
  rig_shape = shape;
  rig_start();
  is_on = true;
  runs = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct slice rest = slice_from(data, n);
  rig_renew();
  for (unsigned i = 0; i < MESSAGES_MAX && rest.n && legs_used() < LEGS_A_RIG; i++) {
    struct slice m = next_message(&rest);
    if (slice_eq(slice_trim(m), SLICE("ring")) || slice_eq(slice_trim(m), SLICE("late"))) {
      ring(slice_eq(slice_trim(m), SLICE("late")));
    } else {
      say(m);
    }
    if (answer_calls())
      rig_settle();
    hear();
  }
  end_calls();
  hear();
  if (trunks_is_idle(rig_trunks)) /* nobody names these legs any more */
    memset(fake.legs, 0, sizeof fake.legs);
  return 0;
}
