/* SPDX-License-Identifier: Apache-2.0
 * Renewing certificates: see certs.h. */
#include "media/certs.h"

int certs_renew(struct certs *c, struct worker *const *workers, uint32_t n, uint64_t now_us) {
  struct dtlscert *cert;
  int error = dtlscert_new(&cert);
  if (error)
    return error;
  uint64_t at = c->n++ % CERTS_MAX;
  dtlscert_free(c->list[at]); /* 16 days old: nobody begins an association with it */
  c->list[at] = cert;
  c->made_us = now_us;
  for (uint32_t i = 0; i < n; i++)
    atomic_store(&workers[i]->cert, cert);
  return 0;
}

bool certs_are_due(const struct certs *c, uint64_t now_us) {
  return now_us - c->made_us > (uint64_t)DTLSCERT_RENEW_S * 1000000u;
}

void certs_done(struct certs *c) {
  for (unsigned i = 0; i < CERTS_MAX; i++)
    dtlscert_free(c->list[i]);
}
