/* SPDX-License-Identifier: Apache-2.0
 * SIP messages as they cross the transports, after decryption, become items of the timelines of the
 * calls that their Call-IDs belong to: see trace/trace.h. Call thread. */
#include "trunk/inner.h"
#include "trunk/tls.h"

#include "base/rand.h"

#include <stdio.h>

/* The bytes of the message, piece by piece as they were read or made. Shared: one thread. */
static struct slice bytes_of(const msg_t *msg) {
  static char bytes[MESSAGE_MAX_BYTES];
  size_t n = 0;
  for (const msg_header_t *h = *msg_chain_head(msg); h; h = h->sh_succ) {
    if (!h->sh_data || !h->sh_len)
      continue;
    if (h->sh_len > sizeof bytes - n)
      break;
    memcpy(bytes + n, h->sh_data, h->sh_len);
    n += h->sh_len;
  }
  return slice_from(bytes, n);
}

/* The ends of the message that came last: an INVITE's, when a trace of it begins. */
static struct trace_ends latest;

static void message_add(struct trace *trace, unsigned lane, enum trace_dir dir, const msg_t *msg,
                        const struct trace_ends *ends) {
  struct slice bytes = bytes_of(msg);
  trace_sip(trace, lane, dir, ends, bytes);
  explicit_bzero((void *)(uintptr_t)bytes.p, bytes.n);
}

void timeline_message(void *arg, const struct hook_message *m) {
  const struct trunks *t = arg;
  const sip_t *sip = traces_is_on(t->env.traces) ? sip_object(m->msg) : NULL;
  struct trace_ends ends = {.local = m->local, .transport = m->transport};
  unsigned lane;
  if (!sip || !sip->sip_call_id || !sip->sip_call_id->i_id)
    return;
  addr_from(&ends.peer, &msg_addr(m->msg)->su_sa);
  if (!m->is_out)
    latest = ends;
  struct trace *trace = traces_find_sip(t->env.traces, sip->sip_call_id->i_id, &lane);
  if (!trace)
    return;
  loop_freshen(t->env.loop);
  message_add(trace, lane, m->is_out ? TRACE_OUT : TRACE_IN, m->msg, &ends);
}

/* Its Call-ID was nobody's, so the message has passed by the hook: it is told once more. A call that
 * comes in a circle is two calls; the later one has the messages. */
struct trace *timeline_begin(struct agent *a, msg_t *msg, const sip_t *sip) {
  struct trunks *t = a->t;
  struct trace *trace = trace_begin(t->env.traces, t->env.conf->version);
  if (!trace)
    return NULL;
  trace_bind(trace, sip->sip_call_id->i_id, TRACE_CALLER);
  message_add(trace, TRACE_CALLER, TRACE_IN, msg, &latest);
  return trace;
}

const char *timeline_call_id(struct dialog *d, char dst[128]) {
  const struct leg *l = dialog_leg(d);
  char random[23];
  dst[0] = 0;
  if (!l || !l->call->trace)
    return dst;
  rand_text(random, sizeof random - 1);
  snprintf(dst, 128, "%s@%s", random, dialog_host(d));
  trace_bind(l->call->trace, dst, l->lane);
  return dst;
}
