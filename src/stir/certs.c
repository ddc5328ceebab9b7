/* SPDX-License-Identifier: Apache-2.0
 * Certificates by URL. See certs.h. */
#include "stir/certs.h"

#include "base/log.h"

enum cert_state { CERT_FREE, CERT_FETCHING, CERT_GOOD, CERT_BAD };

struct cert {
  struct certs *all;
  enum cert_state state;
  char url[PASSPORT_URL_BYTES];
  uint64_t until_us; /* until_us: kept so long */
  int64_t end_s;     /* end_s: of its certificate's time */
  EVP_PKEY *key;
  char *numbers; /* numbers is its TNAuthList, numbers_n octets. */
  size_t numbers_n;
  enum stir_outcome outcome; /* of one that is BAD */
  const char *why;
  CURL *easy;
  size_t n;
  char *text; /* text is what was fetched so far, of CERT_BYTES. */
};

struct breaker {
  char host[80];
  uint32_t errors;
  uint64_t since_us, open_us; /* since_us: when the window of errors began; open_us: until when */
};

struct certs {
  CURLM *multi;
  X509_STORE *roots;
  struct stir_rules rules;
  struct cert cert[CERTS_MAX];
  struct breaker breaker[BREAKER_HOSTS];
};

static void cert_clear(struct cert *c) {
  if (c->easy) {
    curl_multi_remove_handle(c->all->multi, c->easy);
    curl_easy_cleanup(c->easy);
  }
  EVP_PKEY_free(c->key);
  free(c->text);
  free(c->numbers);
  *c = (struct cert){.all = c->all};
}

int certs_new(struct certs **ret) {
  own(certs) c = calloc(1, sizeof *c);
  if (!c)
    return -ENOMEM;
  for (size_t i = 0; i < CERTS_MAX; i++)
    c->cert[i].all = c;
  c->multi = curl_multi_init();
  if (!c->multi)
    return -ENOMEM;
  curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 16L);
  *ret = take(c);
  return 0;
}

struct certs *certs_free(struct certs *c) {
  if (!c)
    return NULL;
  for (size_t i = 0; i < CERTS_MAX; i++)
    cert_clear(&c->cert[i]);
  if (c->multi)
    curl_multi_cleanup(c->multi);
  X509_STORE_free(c->roots);
  free(c);
  return NULL;
}

void certs_rules(struct certs *c, const struct stir_rules *rules, X509_STORE *roots) {
  for (size_t i = 0; i < CERTS_MAX; i++)
    cert_clear(&c->cert[i]);
  X509_STORE_free(c->roots);
  c->roots = roots;
  c->rules = *rules;
}

/* Breakers -------------------------------------------------------------------------------------------
 */

static struct slice host_of(const char *url) {
  struct slice s = slice_of(url);
  s = slice_from(s.p + 8, s.n - 8); /* https:// */
  size_t n = 0;
  while (n < s.n && s.p[n] != '/' && s.p[n] != '?')
    n++;
  return slice_from(s.p, n);
}

/* That of the host, or the one that was quiet the longest. */
static struct breaker *breaker_of(struct certs *c, const char *url) {
  struct breaker *oldest = &c->breaker[0];
  char host[sizeof oldest->host];
  if (slice_copy(host, sizeof host, host_of(url)) < 0)
    host[0] = 0;
  for (size_t i = 0; i < BREAKER_HOSTS; i++) {
    struct breaker *b = &c->breaker[i];
    if (!strcmp(b->host, host))
      return b;
    if (b->since_us + b->open_us < oldest->since_us + oldest->open_us)
      oldest = b;
  }
  *oldest = (struct breaker){0};
  slice_copy(oldest->host, sizeof oldest->host, slice_of(host));
  return oldest;
}

static void breaker_note(struct breaker *b, bool is_good, uint64_t now_us) {
  if (is_good) {
    b->errors = 0;
    return;
  }
  if (!b->errors || now_us - b->since_us > BREAKER_WINDOW_US) {
    b->errors = 0;
    b->since_us = now_us;
  }
  if (++b->errors < BREAKER_ERRORS)
    return;
  b->open_us = now_us + BREAKER_OPEN_US;
  b->errors = 0;
  log_warn(stir, "certificates of %s: %d errors in a row: not asked for 15 s", b->host, BREAKER_ERRORS);
}

/* Fetching -------------------------------------------------------------------------------------------
 */

static size_t on_bytes(char *p, size_t size, size_t n, void *arg) {
  struct cert *c = arg;
  n *= size;
  if (c->n + n > CERT_BYTES)
    return 0; /* libcurl takes that for an error */
  memcpy(c->text + c->n, p, n);
  c->n += n;
  return n;
}

static bool fetch_start(struct cert *c, const struct stir_rules *rules) {
  c->text = malloc(CERT_BYTES);
  c->easy = curl_easy_init();
  if (!c->text || !c->easy)
    return false;
  CURL *e = c->easy;
  curl_easy_setopt(e, CURLOPT_URL, c->url);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)FETCH_MS);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name server that is silent holds up no end */
  curl_easy_setopt(e, CURLOPT_PROXY, "");
  curl_easy_setopt(e, CURLOPT_NETRC, 0L);
  curl_easy_setopt(e, CURLOPT_MAXFILESIZE, (long)CERT_BYTES);
  curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
  curl_easy_setopt(e, CURLOPT_PRIVATE, c);
  if (*rules->https_ca)
    curl_easy_setopt(e, CURLOPT_CAINFO, rules->https_ca);
  return curl_multi_add_handle(c->all->multi, e) == CURLM_OK;
}

static void cert_bad(struct cert *c, enum stir_outcome o, const char *why, uint64_t now_us) {
  c->state = CERT_BAD;
  c->outcome = o;
  c->why = why;
  c->until_us = now_us + 2000000; /* not at once again for each call */
}

static void fetch_done(struct cert *c, CURLcode code, uint64_t now_us, int64_t wall_s) {
  long status = 0;
  curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_multi_remove_handle(c->all->multi, c->easy);
  curl_easy_cleanup(take(c->easy));
  breaker_note(breaker_of(c->all, c->url), code == CURLE_OK && status == 200, now_us);
  int r = -EBADMSG;
  if (code != CURLE_OK || status != 200)
    cert_bad(c, STIR_INFO,
             status && status != 200 ? "x5u is not answered with 200" : "x5u cannot be fetched", now_us);
  else
    r = chain_key(slice_from(c->text, c->n), c->all->roots, wall_s, &c->key, &c->end_s, &c->why);
  if (r == 0)
    c->numbers = chain_numbers(slice_from(c->text, c->n), &c->numbers_n);
  free(take(c->text));
  if (code == CURLE_OK && status == 200 && r < 0)
    cert_bad(c, r == -EBADMSG ? STIR_INFO : STIR_CERT, c->why, now_us);
  if (r == 0) {
    c->state = CERT_GOOD;
    c->until_us = now_us + c->all->rules.cache_s * UINT64_C(1000000);
  }
  log_info(stir, "certificate %s: %s", c->url, r == 0 ? "good" : c->why);
}

bool certs_turn(struct certs *c, int fd, int ms, uint64_t now_us, int64_t wall_s) {
  struct curl_waitfd w = {.fd = fd, .events = CURL_WAIT_POLLIN};
  int running, left;
  bool some = false;
  CURLMsg *m;
  curl_multi_poll(c->multi, &w, 1, ms, NULL);
  curl_multi_perform(c->multi, &running);
  while ((m = curl_multi_info_read(c->multi, &left))) {
    char *at = NULL;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &at);
    if (m->msg == CURLMSG_DONE && at) {
      fetch_done((struct cert *)(void *)at, m->data.result, now_us, wall_s);
      some = true;
    }
  }
  return some;
}

/* Asking ---------------------------------------------------------------------------------------------
 */

static struct cert *cert_find(struct certs *c, const char *url) {
  struct cert *oldest = NULL;
  for (size_t i = 0; i < CERTS_MAX; i++)
    if (c->cert[i].state != CERT_FREE && !strcmp(c->cert[i].url, url))
      return &c->cert[i];
  for (size_t i = 0; i < CERTS_MAX; i++)
    if (c->cert[i].state != CERT_FETCHING && (!oldest || c->cert[i].until_us < oldest->until_us))
      oldest = &c->cert[i];
  if (oldest)
    cert_clear(oldest);
  return oldest;
}

static enum stir_outcome cert_begin(struct cert *t, const char *url, uint64_t now_us,
                                    const char **ret_why) {
  struct certs *c = t->all;
  if (breaker_of(c, url)->open_us > now_us)
    return *ret_why = "the host of x5u failed too often just now", STIR_NONE;
  slice_copy(t->url, sizeof t->url, slice_of(url));
  t->state = CERT_FETCHING;
  if (fetch_start(t, &c->rules))
    return *ret_why = NULL, STIR_NONE;
  cert_clear(t);
  return *ret_why = "no memory", STIR_NONE;
}

enum stir_outcome certs_get(struct certs *c, const char *url, uint64_t now_us, int64_t wall_s,
                            EVP_PKEY **ret, const char **ret_why) {
  struct cert *t = cert_find(c, url);
  *ret = NULL;
  *ret_why = NULL;
  if (!t)
    return *ret_why = "too many certificates are being fetched", STIR_NONE;
  if (t->state == CERT_FETCHING)
    return STIR_NONE;
  if ((t->state == CERT_GOOD && (now_us >= t->until_us || wall_s >= t->end_s)) ||
      (t->state == CERT_BAD && now_us >= t->until_us))
    cert_clear(t);
  if (t->state == CERT_FREE)
    return cert_begin(t, url, now_us, ret_why);
  *ret_why = t->why;
  *ret = t->key;
  return t->state == CERT_GOOD ? STIR_VALID : t->outcome;
}

struct slice certs_numbers(const struct certs *c, const char *url) {
  for (size_t i = 0; i < CERTS_MAX; i++)
    if (c->cert[i].state == CERT_GOOD && !strcmp(c->cert[i].url, url))
      return slice_from(c->cert[i].numbers, c->cert[i].numbers_n);
  return slice_from(NULL, 0);
}
