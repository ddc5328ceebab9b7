/* SPDX-License-Identifier: Apache-2.0
 * Announcements: a sound file that the caller hears, as early media or after an answer, before the call
 * ends. Played once the caller's media are up. Call thread. */
#include "call/hunt.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>

enum { LOOK_US = 100000, LOOKS_MAX = 100 };

struct announcement {
  struct call *call;
  struct timer look;
  uint32_t looks;
  int fd; /* of the file, until it is played */
  int sip;
  bool is_answered;
};

struct announcement *announce_free(struct announcement *a) {
  if (!a)
    return NULL;
  loop_disarm(call_in(a->call)->cs->env.loop, &a->look);
  if (a->fd >= 0)
    close(a->fd);
  free(a);
  return NULL;
}

static void announce_end(struct announcement *a) {
  struct cause why = cause_make(END_COMPLETED, BY_GATEWAY, "the announcement was played");
  if (!a->is_answered)
    why = cause_of_sip(a->sip ? a->sip : 480, 0, BY_GATEWAY);
  call_end(a->call, why);
}

void announce_played(struct call *c, int error) {
  struct announcement *a = call_in(c)->announcement;
  if (error == -ECANCELED || a->fd >= 0)
    return;
  if (error)
    log_warn(call, "%s: the announcement could not be played: %s", c->id, strerror(-error));
  announce_end(a);
}

/* The caller hears from the moment on when its media are up. */
static void on_look(void *arg) {
  struct announcement *a = arg;
  struct call_inner *in = call_in(a->call);
  if (in->ending)
    return;
  if (leg_is_up(a->call->caller)) {
    int r = bridge_announce(a->call->caller, a->fd);
    close(a->fd);
    a->fd = -1;
    if (r < 0)
      announce_end(a);
  } else if (++a->looks == LOOKS_MAX) {
    announce_end(a);
  } else {
    calls_arm(in->cs, &a->look, LOOK_US);
  }
}

void announce_begin(struct call *c, const struct route_step *s) {
  struct call_inner *in = call_in(c);
  struct announcement *a = calloc(1, sizeof(*a));
  int fd = a ? open(s->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
  if (fd < 0) {
    log_warn(call, "%s: announcement %s: %s", c->id, s->file, strerror(errno));
    free(a);
    call_end(c, cause_of_sip(s->sip ? s->sip : 480, 0, BY_GATEWAY));
    return;
  }
  *a = (struct announcement){.call = c, .fd = fd, .sip = s->sip, .is_answered = s->is_answered};
  a->look = (struct timer){.fn = on_look, .arg = a};
  in->announcement = a;
  if (a->is_answered)
    call_answer_caller(c);
  else
    (void)fsm_fire(c->caller, EVENT_EARLY);
  if (!in->ending)
    calls_arm(in->cs, &a->look, 0);
}
