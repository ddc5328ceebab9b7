/* SPDX-License-Identifier: Apache-2.0
 * DTLS associations: see dtls.h. RFC 6347, RFC 5764. Nobody is authenticated before a handshake is
 * done, so nothing that arrives before may end it: plain alerts are dropped and never sent, a
 * ClientHello that differs begins a handshake beside the first, one that fails makes room again. */
#include "flow/dtls_inside.h"

#include "wire/bytes.h"

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <sys/time.h>

enum {
  TYPE_ALERT = 21,
  TYPE_HANDSHAKE = 22,
  CLIENT_HELLO = 1,
  RECORD_HEAD_BYTES = 13,
  RANDOM_BYTES = 32,
  DTLS_1_2 = 0xfefd,
  SECOND_US = 1000000,
  FIRST_TIMEOUT_US = 250000,
  LAST_TIMEOUT_US = 1000000,
};

struct attempt {
  SSL *ssl; /* ssl is NULL while the slot is free. */
  struct dtls_queue in;
  uint64_t begun_us;
  uint8_t random[RANDOM_BYTES]; /* random is the ClientHello's, for servers. */
  bool has_cookie;              /* has_cookie: that ClientHello had our cookie. */
};

struct dtls {
  SSL_CTX *ctx;
  enum dtls_role role;
  enum dtls_state state;
  bool has_fingerprint, has_keys;
  bool is_wary; /* is_wary: handshakes begin with our cookie only. */
  struct dtls_fingerprint fingerprint;
  struct attempt attempts[DTLS_ATTEMPTS]; /* in state UP only the first is used */
  struct dtls_queue early, out;
  uint64_t deadline_us; /* deadline_us is 0 until the first handshake began. */
  uint64_t rate_us;     /* rate_us is when this second of handshakes began. */
  unsigned rate;
  uint64_t asked_us; /* asked_us is when a cookie was last asked for. */
  uint8_t cookie[DTLS_COOKIE_BYTES];
  const char *failure;
  struct srtp_key send, receive;
};

/* One datagram's first record, as far as it is read here. */
struct first_record {
  bool hello;  /* hello: a ClientHello, or a part of one. */
  bool begins; /* begins: its first part; random and version count. */
  uint16_t version;
  const uint8_t *random;
  struct slice cookie;
  bool no_suite; /* no_suite: the list of suites is complete and has none of ours. */
};

/* Setting up -------------------------------------------------------------------------------------- */
static int certificate_fits(X509_STORE_CTX *store, void *arg) {
  const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct dtls *d = ssl ? SSL_get_app_data(ssl) : NULL;
  (void)arg;
  if (d && d->has_fingerprint && dtls_fingerprint_fits(&d->fingerprint, X509_STORE_CTX_get0_cert(store)))
    return 1;
  if (d)
    d->failure = "fingerprint";
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

/* OpenSSL's own cookies: asked for only in attempt_prime(); the true ones were judged before. */
static int cookie_any(SSL *ssl, unsigned char *cookie, unsigned *n) {
  (void)ssl;
  *n = 1;
  cookie[0] = 0;
  return 1;
}
static int cookie_judged(SSL *ssl, const unsigned char *cookie, unsigned n) {
  (void)ssl, (void)cookie;
  return n == DTLS_COOKIE_BYTES;
}

SSL_CTX *dtls_ctx_new(void) {
  SSL_CTX *c = SSL_CTX_new(DTLS_method());
  if (!c)
    return NULL;
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                             SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(c, certificate_fits, NULL);
  SSL_CTX_set_cookie_generate_cb(c, cookie_any);
  SSL_CTX_set_cookie_verify_cb(c, cookie_judged);
  if (SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
      SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") != 1 ||
      SSL_CTX_set_tlsext_use_srtp(
          c, "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80") != 0) {
    SSL_CTX_free(c);
    return NULL;
  }
  return c;
}

int dtls_new(struct dtls **ret, const struct dtlscert *cert, enum dtls_role role) {
  struct dtls *d = calloc(1, sizeof(*d));
  if (!d)
    return -ENOMEM;
  d->ctx = dtlscert_ctx(cert);
  SSL_CTX_up_ref(d->ctx);
  d->role = role;
  d->failure = "";
  dtls_cookie_make(d->cookie);
  d->early.max = DTLS_EARLY_MAX;
  d->out.max = DTLS_OUT_MAX;
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++)
    d->attempts[i].in.max = 2;
  *ret = d;
  return 0;
}

static void attempt_free(struct attempt *t) {
  SSL_free(t->ssl); /* and its BIO */
  t->ssl = NULL;
  dtls_queue_clear(&t->in);
}

struct dtls *dtls_free(struct dtls *d) {
  if (!d)
    return NULL;
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++)
    attempt_free(&d->attempts[i]);
  dtls_queue_clear(&d->early);
  dtls_queue_clear(&d->out);
  SSL_CTX_free(d->ctx);
  explicit_bzero(d, sizeof(*d));
  free(d);
  return NULL;
}

static unsigned timeout_us(SSL *ssl, unsigned last_us) {
  (void)ssl;
  if (last_us == 0)
    return FIRST_TIMEOUT_US;
  return last_us * 2 < LAST_TIMEOUT_US ? last_us * 2 : LAST_TIMEOUT_US;
}

static int attempt_begin(struct dtls *d, struct attempt *t, uint64_t now_us) {
  SSL *ssl = SSL_new(d->ctx);
  BIO *bio = ssl ? dtls_bio_new(&t->in, &d->out) : NULL;
  if (!bio) {
    SSL_free(ssl);
    return -ENOMEM;
  }
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, d);
  SSL_set_mtu(ssl, DTLS_DATAGRAM_BYTES);
  DTLS_set_timer_cb(ssl, timeout_us);
  if (d->role == DTLS_CLIENT)
    SSL_set_connect_state(ssl);
  else
    SSL_set_accept_state(ssl);
  t->ssl = ssl;
  t->begun_us = now_us;
  d->state = DTLS_CONNECTING;
  if (!d->deadline_us)
    d->deadline_us = now_us + (uint64_t)DTLS_DEADLINE_S * SECOND_US;
  return 0;
}

static bool may_begin(struct dtls *d, uint64_t now_us) {
  if (now_us - d->rate_us >= SECOND_US) {
    d->rate_us = now_us;
    d->rate = 0;
  }
  return d->rate < DTLS_ATTEMPTS_A_S && ++d->rate;
}

/* The end of a handshake --------------------------------------------------------------------------- */
static enum srtp_suite suite_agreed(SSL *ssl) {
  const SRTP_PROTECTION_PROFILE *p = SSL_get_selected_srtp_profile(ssl);
  if (!p)
    return SUITE_NONE;
  return p->id == SRTP_AEAD_AES_256_GCM    ? SUITE_AEAD_AES_256_GCM
         : p->id == SRTP_AEAD_AES_128_GCM  ? SUITE_AEAD_AES_128_GCM
         : p->id == SRTP_AES128_CM_SHA1_80 ? SUITE_AES_CM_128_HMAC_SHA1_80
                                           : SUITE_NONE;
}

/* RFC 5764 4.2: client key, server key, client salt, server salt. */
static void keys_cut(struct dtls *d, enum srtp_suite suite, const uint8_t *material) {
  size_t key = suite_key_bytes(suite), salt = suite_salt_bytes(suite);
  struct srtp_key *client = d->role == DTLS_CLIENT ? &d->send : &d->receive;
  struct srtp_key *server = d->role == DTLS_CLIENT ? &d->receive : &d->send;
  *client = *server = (struct srtp_key){.suite = suite};
  memcpy(client->bytes, material, key);
  memcpy(server->bytes, material + key, key);
  memcpy(client->bytes + key, material + 2 * key, salt);
  memcpy(server->bytes + key, material + 2 * key + salt, salt);
  d->has_keys = true;
}

static bool keys_export(struct dtls *d, SSL *ssl) {
  static const char label[] = "EXTRACTOR-dtls_srtp";
  enum srtp_suite suite = suite_agreed(ssl);
  uint8_t material[2 * SRTPKEY_MAX_BYTES];
  size_t n = 2 * (suite_key_bytes(suite) + suite_salt_bytes(suite));
  if (suite == SUITE_NONE) {
    d->failure = "use_srtp";
    return false;
  }
  bool done = SSL_export_keying_material(ssl, material, n, label, sizeof(label) - 1, NULL, 0, 0) == 1;
  if (done)
    keys_cut(d, suite, material);
  explicit_bzero(material, sizeof(material));
  return done;
}

static void handshake_done(struct dtls *d, struct attempt *t) {
  if (!keys_export(d, t->ssl)) {
    attempt_free(t);
    return;
  }
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++)
    if (&d->attempts[i] != t)
      attempt_free(&d->attempts[i]);
  d->state = DTLS_UP;
  d->failure = "";
}

static void attempt_run(struct dtls *d, struct attempt *t) {
  ERR_clear_error();
  int r = SSL_do_handshake(t->ssl);
  if (r == 1) {
    handshake_done(d, t);
    return;
  }
  int e = SSL_get_error(t->ssl, r);
  if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
    return;
  ERR_clear_error();
  if (!d->failure[0])
    d->failure = "handshake";
  attempt_free(t);
}

/* After the handshake: the peer's last flight once more, or its close_notify. */
static void established_run(struct dtls *d, struct attempt *t) {
  uint8_t nothing[2048];
  int r;
  ERR_clear_error();
  while ((r = SSL_read(t->ssl, nothing, sizeof(nothing))) > 0)
    ;
  if (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
    d->state = DTLS_CLOSED;
  ERR_clear_error();
}

/* Datagrams ---------------------------------------------------------------------------------------- */
static bool is_our_suite(uint16_t id) { /* ECDHE-ECDSA with AES-GCM or ChaCha20 */
  return id == 0xc02b || id == 0xc02c || id == 0xcca9;
}

/* From client_version on; what a fragment does not hold is not judged. */
static void read_hello(struct first_record *f, struct reader r) {
  f->version = reader_u16(&r);
  f->random = reader_take(&r, RANDOM_BYTES);
  reader_skip(&r, reader_u8(&r)); /* session id */
  f->cookie = reader_slice(&r, reader_u8(&r));
  struct reader suites = reader_sub(&r, reader_u16(&r));
  f->no_suite = !r.bad;
  while (!suites.bad && reader_left(&suites) >= 2)
    if (is_our_suite(reader_u16(&suites)))
      f->no_suite = false;
}

static void read_handshake(struct first_record *f, struct reader r) {
  f->hello = reader_u8(&r) == CLIENT_HELLO;
  reader_skip(&r, 3 + 2);
  uint32_t offset = reader_u24(&r), n = reader_u24(&r);
  struct reader body = reader_sub(&r, n);
  f->begins = f->hello && !body.bad && offset == 0;
  if (f->begins)
    read_hello(f, body);
}

/* Walks the records: how many bytes come before the first plain alert; -1 if they are no records. */
static int read_records(const uint8_t *p, size_t n, struct first_record *f) {
  struct reader r = reader_of(p, n);
  memset(f, 0, sizeof(*f));
  for (unsigned count = 0; reader_left(&r); count++) {
    int at = (int)(r.p - p);
    uint8_t type = reader_u8(&r);
    uint16_t version = reader_u16(&r), epoch = reader_u16(&r);
    reader_skip(&r, 6);
    struct reader body = reader_sub(&r, reader_u16(&r));
    if (r.bad || body.bad || version >> 8 != 0xfe)
      return -1;
    if (type == TYPE_ALERT && epoch == 0)
      return at;
    if (count == 0 && type == TYPE_HANDSHAKE && epoch == 0)
      read_handshake(f, body);
  }
  return n ? (int)n : -1;
}

bool dtls_is_hello(const uint8_t *p, size_t n) {
  struct first_record f;
  return read_records(p, n, &f) > 0 && f.hello;
}

/* A free slot; one of a handshake without cookie for one with; the oldest after a second of its own. */
static struct attempt *slot_for_hello(struct dtls *d, bool has_cookie, uint64_t now_us) {
  struct attempt *worst = &d->attempts[0];
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++) {
    struct attempt *t = &d->attempts[i];
    if (!t->ssl)
      return t;
    if (t->has_cookie != worst->has_cookie ? worst->has_cookie : t->begun_us < worst->begun_us)
      worst = t;
  }
  if (now_us - worst->begun_us < SECOND_US && (!has_cookie || worst->has_cookie))
    return NULL;
  attempt_free(worst);
  return worst;
}

static enum drop ask_cookie(struct dtls *d, uint64_t now_us) {
  uint8_t buf[64];
  if (d->asked_us && now_us - d->asked_us < DTLS_COOKIE_EVERY_MS * 1000u)
    return DROP_DTLS_RATE;
  d->asked_us = now_us;
  (void)dtls_queue_put(&d->out, buf, dtls_cookie_request(d->cookie, buf, sizeof(buf)));
  return DROP_DTLS_COOKIE;
}

/* Our own HelloVerifyRequest was number 0 of both sides: a fresh server object is led to where it
 * expects number 1. */
static void attempt_prime(struct dtls *d, struct attempt *t) {
  uint8_t buf[128];
  struct dtls_queue kept = d->out;
  d->out = (struct dtls_queue){.max = 2};
  SSL_set_options(t->ssl, SSL_OP_COOKIE_EXCHANGE);
  if (dtls_queue_put(&t->in, buf, dtls_cookie_first_hello(buf, sizeof(buf))))
    attempt_run(d, t);
  dtls_queue_clear(&d->out);
  d->out = kept;
}

static void feed(struct dtls *d, struct attempt *t, const uint8_t *p, size_t n) {
  if (dtls_queue_put(&t->in, p, n))
    attempt_run(d, t);
}

static enum drop begin_with_hello(struct dtls *d, const struct first_record *f, bool has_cookie,
                                  const uint8_t *p, size_t n, uint64_t now_us) {
  struct attempt *t = may_begin(d, now_us) ? slot_for_hello(d, has_cookie, now_us) : NULL;
  if (!t || attempt_begin(d, t, now_us) < 0)
    return DROP_DTLS_RATE;
  memcpy(t->random, f->random, RANDOM_BYTES);
  t->has_cookie = has_cookie;
  if (has_cookie)
    attempt_prime(d, t);
  if (t->ssl)
    feed(d, t, p, n);
  return DROP_NONE;
}

static enum drop take_hello(struct dtls *d, const struct first_record *f, const uint8_t *p, size_t n,
                            uint64_t now_us) {
  if (f->version != DTLS_1_2)
    return DROP_DTLS_VERSION;
  if (!f->random || f->no_suite) {
    d->is_wary = true;
    return DROP_DTLS_HELLO;
  }
  bool has_cookie = dtls_cookie_fits(d->cookie, f->cookie), is_first = true;
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++) {
    struct attempt *t = &d->attempts[i];
    is_first = is_first && !t->ssl;
    if (t->ssl && t->has_cookie == has_cookie && memcmp(t->random, f->random, RANDOM_BYTES) == 0) {
      feed(d, t, p, n);
      return DROP_NONE;
    }
  }
  d->is_wary = d->is_wary || !is_first;
  return d->is_wary && !has_cookie ? ask_cookie(d, now_us)
                                   : begin_with_hello(d, f, has_cookie, p, n, now_us);
}

/* Whose flight it is shows when its Finished verifies: every handshake under way gets it. */
static enum drop take_flight(struct dtls *d, const uint8_t *p, size_t n) {
  enum drop result = DROP_DTLS_STRAY;
  for (size_t i = 0; i < DTLS_ATTEMPTS && d->state == DTLS_CONNECTING; i++) {
    if (!d->attempts[i].ssl)
      continue;
    feed(d, &d->attempts[i], p, n);
    result = DROP_NONE;
  }
  return result;
}

static enum drop take_established(struct dtls *d, const uint8_t *p, size_t n) {
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++) {
    struct attempt *t = &d->attempts[i];
    if (t->ssl && dtls_queue_put(&t->in, p, n))
      established_run(d, t);
  }
  return DROP_NONE;
}

static enum drop datagram(struct dtls *d, const uint8_t *p, size_t n, uint64_t now_us) {
  struct first_record f;
  int usable = read_records(p, n, &f);
  if (usable < 0)
    return DROP_DTLS_MALFORMED;
  if (usable == 0)
    return DROP_DTLS_ALERT;
  if (d->state == DTLS_CLOSED || d->state == DTLS_FAILED)
    return DROP_DTLS_FAILED;
  if (f.hello && (d->role == DTLS_CLIENT || d->state == DTLS_UP))
    return DROP_DTLS_HELLO;
  if (!d->has_fingerprint)
    return dtls_queue_put(&d->early, p, (size_t)usable) ? DROP_NONE : DROP_DTLS_EARLY;
  if (d->state == DTLS_UP)
    return take_established(d, p, (size_t)usable);
  if (f.begins)
    return take_hello(d, &f, p, (size_t)usable, now_us);
  return take_flight(d, p, (size_t)usable);
}

enum drop dtls_input(struct dtls *d, const uint8_t *p, size_t n, uint64_t now_us) {
  return n > DTLS_INPUT_BYTES ? DROP_TOO_LONG : datagram(d, p, n, now_us);
}

void dtls_be_wary(struct dtls *d) { d->is_wary = d->is_wary || d->role == DTLS_SERVER; }

static void client_begin(struct dtls *d, uint64_t now_us) {
  struct attempt *t = &d->attempts[0];
  if (!t->ssl && may_begin(d, now_us) && attempt_begin(d, t, now_us) == 0)
    attempt_run(d, t);
}

void dtls_expect(struct dtls *d, const struct dtls_fingerprint *f, uint64_t now_us) {
  struct dtls_datagram *waiting;
  if (d->has_fingerprint || d->state != DTLS_WAITING)
    return;
  d->fingerprint = *f;
  d->has_fingerprint = true;
  if (d->role == DTLS_CLIENT)
    client_begin(d, now_us);
  while ((waiting = dtls_queue_take(&d->early))) {
    enum drop dropped = datagram(d, waiting->bytes, waiting->n, now_us);
    (void)dropped; /* they were counted when they came */
    free(waiting);
  }
}

/* An alert of an unfinished handshake would end the true peer's, if a forger made us fail. */
size_t dtls_output(struct dtls *d, uint8_t *buf, size_t room) {
  struct dtls_datagram *next;
  size_t n = 0;
  while (n == 0 && (next = dtls_queue_take(&d->out))) {
    bool plain_alert =
        next->n < RECORD_HEAD_BYTES || (next->bytes[0] == TYPE_ALERT && bytes_u16(next->bytes + 3) == 0);
    if (!plain_alert && next->n <= room) {
      memcpy(buf, next->bytes, next->n);
      n = next->n;
    }
    free(next);
  }
  return n;
}

/* Time --------------------------------------------------------------------------------------------- */
uint64_t dtls_next_us(const struct dtls *d, uint64_t now_us) {
  uint64_t next = UINT64_MAX;
  if (d->state != DTLS_CONNECTING)
    return next;
  next = d->deadline_us;
  if (d->role == DTLS_CLIENT && !d->attempts[0].ssl && now_us + FIRST_TIMEOUT_US < next)
    next = now_us + FIRST_TIMEOUT_US;
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++) {
    struct timeval tv;
    if (!d->attempts[i].ssl || DTLSv1_get_timeout(d->attempts[i].ssl, &tv) != 1)
      continue;
    uint64_t at = now_us + (uint64_t)tv.tv_sec * SECOND_US + (uint64_t)tv.tv_usec;
    next = at < next ? at : next;
  }
  return next;
}

static void attempt_tick(struct dtls *d, struct attempt *t) {
  ERR_clear_error();
  if (DTLSv1_handle_timeout(t->ssl) < 0) {
    if (!d->failure[0])
      d->failure = "silence";
    attempt_free(t);
  }
  ERR_clear_error();
}

void dtls_tick(struct dtls *d, uint64_t now_us) {
  if (d->state != DTLS_CONNECTING)
    return;
  if (now_us >= d->deadline_us) {
    for (size_t i = 0; i < DTLS_ATTEMPTS; i++)
      attempt_free(&d->attempts[i]);
    d->state = DTLS_FAILED;
    d->failure = d->failure[0] ? d->failure : "deadline";
    return;
  }
  for (size_t i = 0; i < DTLS_ATTEMPTS; i++)
    if (d->attempts[i].ssl)
      attempt_tick(d, &d->attempts[i]);
  if (d->role == DTLS_CLIENT)
    client_begin(d, now_us);
}

/* Results ------------------------------------------------------------------------------------------- */
enum dtls_state dtls_state(const struct dtls *d) { return d->state; }
const char *dtls_failure(const struct dtls *d) { return d->failure; }

int dtls_keys(const struct dtls *d, struct srtp_key *ret_send, struct srtp_key *ret_receive) {
  if (d->state != DTLS_UP || !d->has_keys)
    return -EAGAIN;
  *ret_send = d->send;
  *ret_receive = d->receive;
  return 0;
}

void dtls_keys_wipe(struct dtls *d) {
  srtpkey_wipe(&d->send);
  srtpkey_wipe(&d->receive);
  d->has_keys = false;
}

void dtls_close(struct dtls *d) {
  for (size_t i = 0; i < DTLS_ATTEMPTS && d->state == DTLS_UP; i++)
    if (d->attempts[i].ssl)
      SSL_shutdown(d->attempts[i].ssl);
  d->state = DTLS_CLOSED;
  dtls_keys_wipe(d);
}
