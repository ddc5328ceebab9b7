/* SPDX-License-Identifier: Apache-2.0
 * A pair is taken when both files are well, belong together, are not past their time, and are for the
 * name that the one before was for; until then the one before stays: see keypair.h. */
#include "web/keypair.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHAIN_MAX = 10, PEM_MAX_BYTES = 65536, SLOTS = 16, FILE_BYTES = 512, NAME_BYTES = 256 };
#define LOOK_US 1000000u
#define GRACE_US 5000000u /* two files are replaced one after the other */
#define DAY_S 86400

struct pair {
  gnutls_x509_crt_t chain[CHAIN_MAX]; /* leaf first */
  unsigned n;
  gnutls_x509_privkey_t key;
};

struct keypair {
  pthread_mutex_t lock;
  char cert_file[FILE_BYTES], key_file[FILE_BYTES], name[NAME_BYTES];
  struct pair is;
  struct stamp cert_seen, key_seen; /* of the last look */
  uint64_t look_us, bad_us;        /* bad_us is since when the files are refused; 0: they are in use. */
  const char *why;                 /* why they are refused */
  bool is_told;
  int slot;
};

static void pair_done(struct pair *p) {
  for (unsigned i = 0; i < p->n; i++)
    gnutls_x509_crt_deinit(p->chain[i]);
  if (p->key)
    gnutls_x509_privkey_deinit(p->key);
  memset(p, 0, sizeof(*p));
}

/* A PEM file on the heap; secret: nobody else may read it. */
static int pem_read(const char *file, bool secret, gnutls_datum_t *ret) {
  struct stat st;
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || (secret && st.st_mode & 077))
    return -EPERM;
  if (st.st_size <= 0 || st.st_size > PEM_MAX_BYTES)
    return -EFBIG;
  ret->data = calloc(1, (size_t)st.st_size + 1);
  if (!ret->data)
    return -ENOMEM;
  ssize_t n = read(fd, ret->data, (size_t)st.st_size);
  ret->size = n > 0 ? (unsigned)n : 0;
  return 0;
}

static void pem_wipe(gnutls_datum_t *d) {
  if (d->data)
    explicit_bzero(d->data, d->size);
  free(d->data);
}

static int chain_read(const char *file, struct pair *p) {
  gnutls_datum_t pem = {0};
  unsigned n = CHAIN_MAX;
  int r = pem_read(file, false, &pem);
  if (r == 0 && gnutls_x509_crt_list_import(p->chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0) <= 0)
    r = -EINVAL;
  p->n = r == 0 ? n : 0;
  pem_wipe(&pem);
  return r;
}

static int key_read(const char *file, struct pair *p) {
  gnutls_datum_t pem = {0};
  int r = pem_read(file, true, &pem);
  if (r == 0 && gnutls_x509_privkey_init(&p->key) < 0)
    r = -ENOMEM;
  if (r == 0 && gnutls_x509_privkey_import2(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
    r = -EINVAL;
  pem_wipe(&pem);
  return r;
}

static bool belong_together(const struct pair *p) {
  unsigned char a[64], b[64];
  size_t a_n = sizeof(a), b_n = sizeof(b);
  return gnutls_x509_crt_get_key_id(p->chain[0], GNUTLS_KEYID_USE_SHA256, a, &a_n) == 0 &&
         gnutls_x509_privkey_get_key_id(p->key, GNUTLS_KEYID_USE_SHA256, b, &b_n) == 0 && a_n == b_n &&
         memcmp(a, b, a_n) == 0;
}

static int pair_read(struct pair *p, const char *cert_file, const char *key_file, const char **why) {
  *why = "the certificate cannot be read";
  int r = chain_read(cert_file, p);
  if (r < 0)
    return r;
  *why = "the key cannot be read, or others may read it";
  r = key_read(key_file, p);
  if (r < 0)
    return r;
  *why = "the key is not that of the certificate";
  return belong_together(p) ? 0 : -EINVAL;
}

static time_t now_s(void) { return (time_t)(clock_wall_ms() / 1000u); }
static time_t end_s(const struct pair *p) { return gnutls_x509_crt_get_expiration_time(p->chain[0]); }

/* Would it be worse than the one that is in use? */
static bool is_worse(const struct keypair *k, const struct pair *p, const char **why) {
  *why = "the certificate is past its end";
  if (end_s(p) <= now_s() && end_s(&k->is) > now_s())
    return true;
  *why = "the certificate is for another name";
  return k->name[0] && gnutls_x509_crt_check_hostname(k->is.chain[0], k->name) &&
         !gnutls_x509_crt_check_hostname(p->chain[0], k->name);
}

static bool files_differ(struct keypair *k) {
  struct stamp cert = stamp_of(k->cert_file), key = stamp_of(k->key_file);
  bool same = stamp_same(&cert, &k->cert_seen) && stamp_same(&key, &k->key_seen);
  k->cert_seen = cert;
  k->key_seen = key;
  return !same;
}

static void refused(struct keypair *k, const char *why) {
  uint64_t now_us = clock_now_us();
  k->bad_us = k->bad_us ? k->bad_us : now_us;
  k->why = why;
  if (!k->is_told && now_us >= k->bad_us + GRACE_US) {
    log_error(web, "%s is not taken: %s: the one before stays", k->cert_file, why);
    k->is_told = true;
  }
}

/* Under the lock. Files that are refused are read again each time: they may be half written. */
static void look(struct keypair *k) {
  struct pair next = {0};
  const char *why;
  uint64_t now_us = clock_now_us();
  if (now_us < k->look_us)
    return;
  k->look_us = now_us + LOOK_US;
  if (!files_differ(k) && !k->bad_us)
    return;
  if (pair_read(&next, k->cert_file, k->key_file, &why) < 0 || is_worse(k, &next, &why)) {
    pair_done(&next);
    refused(k, why);
    return;
  }
  pair_done(&k->is);
  k->is = next;
  k->bad_us = 0;
  k->is_told = false;
  log_info(web, "%s was read again: new connections get it", k->cert_file);
}

/* The library frees the copies when the connection ends. */
static int pair_copy(const struct pair *p, gnutls_pcert_st **ret_certs, unsigned *ret_n,
                     gnutls_privkey_t *ret_key) {
  gnutls_privkey_t key = NULL;
  gnutls_pcert_st *certs = gnutls_calloc(p->n, sizeof(*certs));
  unsigned n = 0;
  bool ok = certs && gnutls_privkey_init(&key) == 0 &&
            gnutls_privkey_import_x509(key, p->key, GNUTLS_PRIVKEY_IMPORT_COPY) == 0;
  while (ok && n < p->n && (ok = gnutls_pcert_import_x509(&certs[n], p->chain[n], 0) == 0))
    n++;
  if (ok) {
    *ret_certs = certs;
    *ret_n = n;
    *ret_key = key;
    return 0;
  }
  while (n)
    gnutls_pcert_deinit(&certs[--n]);
  gnutls_free(certs);
  if (key)
    gnutls_privkey_deinit(key);
  return -1;
}

/* The library gives its callback nothing of ours: a function for each server. */
static struct keypair *_Atomic slots[SLOTS];

static int retrieve(int slot, gnutls_pcert_st **ret_certs, unsigned *ret_n, gnutls_privkey_t *ret_key,
                    unsigned *ret_flags) {
  struct keypair *k = atomic_load(&slots[slot]);
  if (!k)
    return -1;
  pthread_mutex_lock(&k->lock);
  look(k);
  int r = pair_copy(&k->is, ret_certs, ret_n, ret_key);
  pthread_mutex_unlock(&k->lock);
  *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
  return r;
}

#define EACH_SLOT(X) \
  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define RETRIEVE(i) \
  static int retrieve_##i(gnutls_session_t s, const struct gnutls_cert_retr_st *info, \
                          gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **ocsp, \
                          unsigned *ocsp_n, gnutls_privkey_t *key, unsigned *flags) { \
    (void)s; \
    (void)info; \
    *ocsp = NULL; \
    *ocsp_n = 0; \
    return retrieve(i, certs, n, key, flags); \
  }
EACH_SLOT(RETRIEVE)

gnutls_certificate_retrieve_function3 *keypair_retrieve(const struct keypair *k) {
#define ROW(i) retrieve_##i,
  static gnutls_certificate_retrieve_function3 *const fns[SLOTS] = {EACH_SLOT(ROW)};
  return fns[k->slot];
}

static int slot_take(struct keypair *k) {
  for (k->slot = 0; k->slot < SLOTS; k->slot++) {
    struct keypair *none = NULL;
    if (atomic_compare_exchange_strong(&slots[k->slot], &none, k))
      return 0;
  }
  return -EMFILE;
}

struct keypair *keypair_free(struct keypair *k) {
  if (!k)
    return NULL;
  if (k->slot >= 0 && k->slot < SLOTS)
    atomic_store(&slots[k->slot], NULL);
  pair_done(&k->is);
  pthread_mutex_destroy(&k->lock);
  free(k);
  return NULL;
}

int keypair_new(struct keypair **ret, const char *cert_file, const char *key_file, const char *name,
                const char **why) {
  own(keypair) k = calloc(1, sizeof(*k));
  *why = "no memory";
  if (!k)
    return -ENOMEM;
  k->slot = -1;
  pthread_mutex_init(&k->lock, NULL);
  if (snprintf(k->cert_file, FILE_BYTES, "%s", cert_file) >= FILE_BYTES ||
      snprintf(k->key_file, FILE_BYTES, "%s", key_file) >= FILE_BYTES)
    return -ENAMETOOLONG;
  snprintf(k->name, NAME_BYTES, "%s", name);
  (void)files_differ(k);
  int r = pair_read(&k->is, cert_file, key_file, why);
  if (r == 0)
    r = slot_take(k);
  if (r == 0)
    *ret = take(k);
  return r;
}

void keypair_files(struct keypair *k, const char *cert_file, const char *key_file) {
  pthread_mutex_lock(&k->lock);
  if (cert_file)
    snprintf(k->cert_file, FILE_BYTES, "%s", cert_file);
  if (key_file)
    snprintf(k->key_file, FILE_BYTES, "%s", key_file);
  k->look_us = 0;
  look(k);
  pthread_mutex_unlock(&k->lock);
}

static bool alarm_make(const struct keypair *k, char *ret_why, bool *ret_is_grave) {
  long left_s = (long)(end_s(&k->is) - now_s());
  *ret_is_grave = true;
  if (k->bad_us && clock_now_us() >= k->bad_us + GRACE_US)
    snprintf(ret_why, KEYPAIR_WHY_BYTES, "%.120s is not taken: %s", k->cert_file, k->why);
  else if (left_s <= 0)
    snprintf(ret_why, KEYPAIR_WHY_BYTES, "%.120s has ended: no client accepts it", k->cert_file);
  else if (left_s < 7 * DAY_S) {
    snprintf(ret_why, KEYPAIR_WHY_BYTES, "%.120s ends in %ld days", k->cert_file, left_s / DAY_S);
    *ret_is_grave = left_s < DAY_S;
  } else
    return false;
  return true;
}

bool keypair_alarm(struct keypair *k, char ret_why[KEYPAIR_WHY_BYTES], bool *ret_is_grave) {
  pthread_mutex_lock(&k->lock);
  look(k);
  bool stands = alarm_make(k, ret_why, ret_is_grave);
  pthread_mutex_unlock(&k->lock);
  return stands;
}
