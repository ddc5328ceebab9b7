/* SPDX-License-Identifier: Apache-2.0
 * Idempotency keys of creating POSTs (native-signaling section 1): same key and body -> the stored
 * answer; other body -> 422; in flight -> 409. Kept 10 minutes for each identity, bounded: past the
 * limit the oldest finished one goes. Engine: takes now. Call thread. */
#pragma once
#include "web/web.h"

struct idem;
struct reply_to {
  web_handle ask;
  uint64_t idem; /* idem is the entry to finish, 0 for none. */
  char call[32]; /* call whose timeline gets the answer, "" none */
  uint8_t lane;
};

enum idem_state { IDEM_NEW, IDEM_REPLAY, IDEM_IN_FLIGHT, IDEM_OTHER_BODY, IDEM_BAD_KEY };

int idem_new(struct idem **ret, size_t max) must_check;
struct idem *idem_free(struct idem *i);
OWN_DEFINE(idem)
/* scope: identity and verb; key: the header. IDEM_NEW: *ret_id to be finished (0 when memory is out:
 * the request then runs without protection). IDEM_REPLAY: *ret_answer is a copy to send. */
enum idem_state idem_begin(struct idem *i, struct slice scope, struct slice key, struct slice body,
                           uint64_t now_us, uint64_t *ret_id, struct web_answer *ret_answer);
/* Stores a copy of the answer; an answer of 5xx or 429 is forgotten instead, so that a retry works. */
void idem_finish(struct idem *i, uint64_t id, const struct web_answer *a, uint64_t now_us);
void idem_sweep(struct idem *i, uint64_t now_us);
