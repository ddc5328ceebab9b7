/* SPDX-License-Identifier: Apache-2.0
 * The attempts of a call for its record: whom it was led to, for how long, and what became of it. */
#include "call/hunt.h"

#include "base/text.h"

/* Names are of letters, digits and . _ -: nothing to escape. */
static void try_write(struct text *t, const struct hunt_try *a, bool is_first) {
  text_add(t, "%s{\"%s\":\"%s\",\"began_ms\":%llu", is_first ? "" : ",",
           a->kind == LEG_TRUNK ? "trunk" : "user", a->name, (unsigned long long)a->started_ms);
  if (!a->is_live)
    text_add(t, ",\"ms\":%llu,\"reason\":\"%s\",\"sip\":%d",
             (unsigned long long)(a->ended_ms - a->started_ms), end_reason_word(a->reason), a->sip);
  text_add(t, "}");
}

const struct hunt_try *hunt_tries(const struct call *c, uint32_t *ret_n) {
  const struct hunt *h = call_in(c)->hunt;
  *ret_n = h ? h->n_tries : 0;
  return h ? h->tries : NULL;
}

void hunt_record(const struct call *c, char *dst, size_t dst_bytes) {
  const struct hunt *h = call_in(c)->hunt;
  struct text t;
  text_init(&t, dst, dst_bytes - 1); /* room for the end */
  for (uint32_t i = 0; h && i < h->n_tries; i++) {
    size_t before = t.n;
    text_add(&t, i ? "" : "[");
    try_write(&t, &h->tries[i], i == 0);
    if (t.error) {
      t.n = before;
      break;
    }
  }
  if (t.n)
    memcpy(dst + t.n, "]", 2);
  else
    dst[0] = 0;
}
