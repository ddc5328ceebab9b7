/* SPDX-License-Identifier: Apache-2.0
 * Revocation lists: see crl.h. An authority without a list in the file revokes nothing. A file that
 * cannot be read leaves what was read before in force; a list past its next update refuses everybody.
 * Web threads. */
#include "web/crl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stamp.h"
#include "web/web.h"

#include <pthread.h>

enum { FILE_MAX = 1 << 20, LISTS_MAX = 64 };
#define LOOK_US 400000u
#define TELL_US 10000000u

struct crl {
  pthread_mutex_t lock;
  char *file;
  gnutls_x509_crt_t *authorities;
  unsigned authorities_n;
  gnutls_x509_crl_t *lists; /* lists are NULL until a file was well. */
  unsigned lists_n;
  time_t until_s; /* until_s is the earliest next update; 0: none has one. */
  struct stamp seen;
  bool is_read, is_past; /* is_past: the lists' time was over at the last look. */
  uint64_t generation;   /* generation grows with each change of what is judged by. */
  uint64_t look_us, tell_us;
  const char *told; /* told is what was told last: the same again waits until tell_us. */
};

static void lists_free(gnutls_x509_crl_t *lists, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    gnutls_x509_crl_deinit(lists[i]);
  gnutls_free(lists);
}

struct crl *crl_free(struct crl *c) {
  if (!c)
    return NULL;
  lists_free(c->lists, c->lists_n);
  for (unsigned i = 0; i < c->authorities_n; i++)
    gnutls_x509_crt_deinit(c->authorities[i]);
  gnutls_free(c->authorities);
  pthread_mutex_destroy(&c->lock);
  free(c->file);
  free(c);
  return NULL;
}

static time_t until_of(gnutls_x509_crl_t *lists, unsigned n) {
  time_t until_s = 0;
  for (unsigned i = 0; i < n; i++) {
    time_t next_s = gnutls_x509_crl_get_next_update(lists[i]);
    if (next_s > 0 && (!until_s || next_s < until_s))
      until_s = next_s;
  }
  return until_s;
}

/* The lists of a file, at least one; NULL: why. */
static gnutls_x509_crl_t *lists_read(const char *file, unsigned *ret_n, const char **ret_why) {
  gnutls_x509_crl_t *lists = NULL;
  gnutls_datum_t text = {0};
  struct stat st;
  *ret_n = 0;
  *ret_why = "it cannot be read";
  if (stat(file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX ||
      gnutls_load_file(file, &text) < 0)
    return NULL;
  *ret_why = "there is no revocation list in it";
  int r = gnutls_x509_crl_list_import2(&lists, ret_n, &text, GNUTLS_X509_FMT_PEM, 0);
  gnutls_free(text.data);
  if (r < 0 || !*ret_n || *ret_n > LISTS_MAX) {
    lists_free(r < 0 ? NULL : lists, r < 0 ? 0 : *ret_n);
    return NULL;
  }
  return lists;
}

static bool signed_by(gnutls_x509_crl_t list, const struct crl *c) {
  const unsigned bad = GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_FOUND |
                       GNUTLS_CERT_SIGNER_NOT_CA | GNUTLS_CERT_INSECURE_ALGORITHM;
  unsigned status = bad;
  return gnutls_x509_crl_verify(list, c->authorities, c->authorities_n, 0, &status) >= 0 &&
         !(status & bad);
}

static void load(struct crl *c) {
  const char *why;
  unsigned n;
  gnutls_x509_crl_t *lists = lists_read(c->file, &n, &why);
  for (unsigned i = 0; lists && i < n; i++)
    if (!signed_by(lists[i], c)) {
      why = "a list in it is not signed by an authority of client_ca";
      lists_free(lists, n);
      lists = NULL;
    }
  if (!lists) {
    log_error(web, "admin.client_crl: %s%s", why,
              c->lists ? "; what was read before stays in force" : "");
    return;
  }
  lists_free(c->lists, c->lists_n);
  c->lists = lists;
  c->lists_n = n;
  c->until_s = until_of(lists, n);
  c->generation++;
  log_info(web, "admin.client_crl: %u lists", n);
}

static bool is_over(const struct crl *c) {
  return c->until_s && clock_wall_ms() / 1000u >= (uint64_t)c->until_s;
}

static void look(struct crl *c, uint64_t now_us) {
  if (now_us < c->look_us)
    return;
  c->look_us = now_us + LOOK_US;
  const struct stamp now = stamp_of(c->file);
  if (!c->is_read || !stamp_same(&now, &c->seen)) {
    c->is_read = true; /* one that is not there is told once too */
    c->seen = now;
    load(c);
  }
  bool is_past = is_over(c);
  c->generation += is_past != c->is_past;
  c->is_past = is_past;
}

uint64_t crl_generation(struct crl *c, uint64_t now_us) {
  pthread_mutex_lock(&c->lock);
  look(c, now_us);
  uint64_t generation = c->generation;
  pthread_mutex_unlock(&c->lock);
  return generation;
}

int crl_new(struct crl **ret_crl, const char *authorities, const char *file) {
  own(crl) c = calloc(1, sizeof(*c));
  gnutls_datum_t text = {(unsigned char *)(uintptr_t)authorities, (unsigned)strlen(authorities)};
  if (!c)
    return -ENOMEM;
  pthread_mutex_init(&c->lock, NULL);
  c->file = strdup(file);
  if (!c->file)
    return -ENOMEM;
  if (gnutls_x509_crt_list_import2(&c->authorities, &c->authorities_n, &text, GNUTLS_X509_FMT_PEM, 0) <
      0)
    return -EINVAL;
  look(c, 1);
  *ret_crl = take(c);
  return 0;
}

static bool is_revoked(const struct crl *c, const gnutls_datum_t *der) {
  gnutls_x509_crt_t x;
  if (gnutls_x509_crt_init(&x) < 0)
    return true;
  bool bad = gnutls_x509_crt_import(x, der, GNUTLS_X509_FMT_DER) < 0 ||
             gnutls_x509_crt_check_revocation(x, c->lists, c->lists_n) != 0;
  gnutls_x509_crt_deinit(x);
  return bad;
}

static const char *judge(const struct crl *c, const gnutls_datum_t *chain, unsigned n) {
  if (!c->lists)
    return "no revocation list could be read";
  if (is_over(c))
    return "the revocation list is past its next update";
  for (unsigned i = 0; i < n; i++)
    if (is_revoked(c, &chain[i]))
      return "it is revoked";
  return NULL;
}

const char *crl_judge(struct crl *c, const gnutls_datum_t *chain, unsigned n, uint64_t now_us) {
  pthread_mutex_lock(&c->lock);
  look(c, now_us);
  const char *why = judge(c, chain, n);
  if (why && (why != c->told || now_us >= c->tell_us)) {
    c->told = why;
    c->tell_us = now_us + TELL_US;
    log_warn(web, "a client certificate is refused: %s", why);
  }
  pthread_mutex_unlock(&c->lock);
  return why;
}

int web_crl_check(const char *file, uint64_t *ret_until_s, char *why, size_t why_bytes) {
  const char *told;
  unsigned n;
  gnutls_x509_crl_t *lists = lists_read(file, &n, &told);
  if (!lists) {
    snprintf(why, why_bytes, "%s: %s", file, told);
    return -EINVAL;
  }
  *ret_until_s = (uint64_t)until_of(lists, n);
  lists_free(lists, n);
  return 0;
}
