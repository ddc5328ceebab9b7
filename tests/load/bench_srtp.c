/* SPDX-License-Identifier: Apache-2.0
 * make bench-srtp: nanoseconds to protect and unprotect a packet of 20 ms of G.711, for each suite:
 * the library with our primitives (1 and 10,000 streams), the same with our keys room around it (seal,
 * open), the bare libcrypto operations on the same bytes, and the library as shipped. Medians of some
 * alternating rounds; ends with the benches' line of JSON. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: the floor takes the state that can be copied */
#include "flow/flow.h"
#include "wire/bytes.h"
#include "wire/rtp.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <time.h>

enum { STREAMS = 10000, FEW = 1024, PACKETS = 20000, BYTES = 172, ROUNDS = 5, ROOM = 512 };

static const struct {
  const char *name;
  srtp_profile_t profile;
  enum srtp_suite suite;
} suites[] = {{"aes_cm_128_sha1_80", srtp_profile_aes128_cm_sha1_80, SUITE_AES_CM_128_HMAC_SHA1_80},
              {"aead_aes_128_gcm", srtp_profile_aead_aes_128_gcm, SUITE_AEAD_AES_128_GCM},
              {"aead_aes_256_gcm", srtp_profile_aead_aes_256_gcm, SUITE_AEAD_AES_256_GCM}};

/* What a suite was found to cost. */
struct found {
  double one, many, room, bare, shipped, shipped_many;
};

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *v) {
  qsort(v, ROUNDS, sizeof(*v), by_size);
  return v[ROUNDS / 2];
}

/* The library ----------------------------------------------------------------------------------------
 */
static srtp_t sessions_out[STREAMS], sessions_in[STREAMS];

static srtp_t session(srtp_profile_t profile, unsigned fill) {
  uint8_t key[64];
  srtp_policy_t p = {.ssrc = {.type = ssrc_specific, .value = 1}, .key = key, .window_size = 128};
  srtp_t s = NULL;
  memset(key, (int)fill & 0xff, sizeof(key));
  srtp_crypto_policy_set_from_profile_for_rtp(&p.rtp, profile);
  srtp_crypto_policy_set_from_profile_for_rtcp(&p.rtcp, profile);
  if (srtp_create(&s, &p) != srtp_err_status_ok)
    abort();
  return s;
}

static void sessions_make(srtp_profile_t profile, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    sessions_out[i] = session(profile, i);
    sessions_in[i] = session(profile, i);
  }
}

static void sessions_end(unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    srtp_dealloc(sessions_out[i]);
    srtp_dealloc(sessions_in[i]);
  }
}

/* Protects with each stream in turn and unprotects again; half the time of both. */
static double library_turn(unsigned streams, unsigned *seq) {
  uint8_t p[ROOM] = {0x80, 0};
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < PACKETS; i++) {
    int n = BYTES;
    p[0] = 0x80;
    *seq += i % streams == 0;
    bytes_put_u16(p + 2, (uint16_t)*seq);
    bytes_put_u32(p + 8, 1);
    if (srtp_protect(sessions_out[i % streams], p, &n) != srtp_err_status_ok ||
        srtp_unprotect(sessions_in[i % streams], p, &n) != srtp_err_status_ok)
      abort();
  }
  return (double)(now_ns() - begin) / PACKETS / 2;
}

/* Our keys room ----------------------------------------------------------------------------------------
 */
static double room_turn(struct sealer *s, struct opener *o) {
  uint8_t p[ROOM];
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < PACKETS; i++) {
    size_t n = BYTES;
    rtp_put(p, 0, false, 0, i, 1);
    if (seal_rtp_next(s, p, &n, ROOM) || open_rtp(o, p, &n, i))
      abort();
  }
  return (double)(now_ns() - begin) / PACKETS / 2;
}

/* Bare libcrypto: a vector set, the same bytes, a tag. -------------------------------------------------
 */
struct bare {
  EVP_CIPHER_CTX *ctx;
  SHA_CTX inner, outer;
  bool is_gcm;
};

static void bare_make(struct bare *b, enum srtp_suite suite) {
  uint8_t key[64] = {1}, iv[16] = {2};
  b->is_gcm = suite != SUITE_AES_CM_128_HMAC_SHA1_80;
  const EVP_CIPHER *type = !b->is_gcm                        ? EVP_aes_128_ctr()
                           : suite == SUITE_AEAD_AES_128_GCM ? EVP_aes_128_gcm()
                                                             : EVP_aes_256_gcm();
  b->ctx = EVP_CIPHER_CTX_new();
  if (!b->ctx || EVP_CipherInit_ex(b->ctx, type, NULL, key, iv, 1) != 1)
    abort();
  SHA1_Init(&b->inner);
  SHA1_Update(&b->inner, key, sizeof(key));
  SHA1_Init(&b->outer);
  SHA1_Update(&b->outer, key, sizeof(key));
}

static void bare_tag(const struct bare *b, const uint8_t *p, size_t n, uint8_t *tag) {
  SHA_CTX c = b->inner;
  SHA1_Update(&c, p, n);
  SHA1_Final(tag, &c);
  c = b->outer;
  SHA1_Update(&c, tag, SHA_DIGEST_LENGTH);
  SHA1_Final(tag, &c);
}

static bool bare_ctr(struct bare *b, uint8_t *p, const uint8_t *iv) {
  int n;
  uint8_t tag[SHA_DIGEST_LENGTH];
  bool done = EVP_CipherInit_ex(b->ctx, NULL, NULL, NULL, iv, 1) == 1 &&
              EVP_CipherUpdate(b->ctx, p + 12, &n, p + 12, BYTES - 12) == 1;
  bare_tag(b, p, BYTES + 4, tag); /* and the roll-over counter */
  memcpy(p + BYTES, tag, 10);
  return done;
}

static bool bare_gcm(struct bare *b, uint8_t *p, const uint8_t *iv, int seals) {
  int n;
  EVP_CIPHER_CTX *c = b->ctx;
  return EVP_CipherInit_ex(c, NULL, NULL, NULL, iv, seals) == 1 &&
         (seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, p + BYTES) == 1) &&
         EVP_CipherUpdate(c, NULL, &n, p, 12) == 1 &&
         EVP_CipherUpdate(c, p + 12, &n, p + 12, BYTES - 12) == 1 &&
         EVP_CipherFinal_ex(c, p + BYTES + 16, &n) == 1 &&
         (!seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, p + BYTES) == 1);
}

static double bare_turn(struct bare *b) {
  uint8_t p[ROOM] = {0x80}, iv[16] = {0};
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < PACKETS; i++) {
    bytes_put_u32(iv + 4, i);
    if (b->is_gcm ? !bare_gcm(b, p, iv, 1) || !bare_gcm(b, p, iv, 0)
                  : !bare_ctr(b, p, iv) || !bare_ctr(b, p, iv))
      abort();
  }
  return (double)(now_ns() - begin) / PACKETS / 2;
}

/* Rounds -----------------------------------------------------------------------------------------------
 */
static void measure_shipped(struct found *f, srtp_profile_t profile) {
  unsigned seq = 0;
  sessions_make(profile, FEW);
  (void)library_turn(FEW, &seq);
  f->shipped_many = library_turn(FEW, &seq);
  sessions_end(FEW);
  sessions_make(profile, 1);
  seq = 0;
  f->shipped = library_turn(1, &seq);
  sessions_end(1);
}

static void measure_ours(struct found *f, unsigned k) {
  double one[ROUNDS], many[ROUNDS], room[ROUNDS], bare[ROUNDS];
  struct srtp_key key;
  struct bare b;
  own(sealer) s = NULL;
  own(opener) o = NULL;
  srtpkey_make(&key, suites[k].suite);
  if (sealer_new(&s, &key, 1) < 0 || opener_new(&o, &key) < 0)
    abort();
  bare_make(&b, suites[k].suite);
  unsigned seq = 0, seq_one = 0;
  sessions_make(suites[k].profile, STREAMS);
  srtp_t first_out = sessions_out[0], first_in = sessions_in[0];
  srtp_t alone_out = session(suites[k].profile, 1), alone_in = session(suites[k].profile, 1);
  for (unsigned i = 0; i < ROUNDS; i++) {
    many[i] = library_turn(STREAMS, &seq);
    sessions_out[0] = alone_out;
    sessions_in[0] = alone_in;
    one[i] = library_turn(1, &seq_one);
    sessions_out[0] = first_out;
    sessions_in[0] = first_in;
    room[i] = room_turn(s, o);
    bare[i] = bare_turn(&b);
  }
  srtp_dealloc(alone_out);
  srtp_dealloc(alone_in);
  sessions_end(STREAMS);
  EVP_CIPHER_CTX_free(b.ctx);
  f->one = median(one);
  f->many = median(many);
  f->room = median(room);
  f->bare = median(bare);
}

static void print_object(const char *title, const struct found *f, size_t at, size_t at_many) {
  printf("\"%s\": {", title);
  for (size_t k = 0; k < COUNT_OF(suites); k++) {
    const char *base = (const char *)&f[k];
    printf("%s\"%s_ns\": %.0f", k ? ", " : "", suites[k].name,
           *(const double *)(const void *)(base + at));
    if (at_many)
      printf(", \"%s_many_ns\": %.0f", suites[k].name, *(const double *)(const void *)(base + at_many));
  }
  printf("}, ");
}

static void print(const struct found *f) {
  double worst = 0, worst_room = 0, worst_many = 0;
  printf("%-20s %8s %8s %10s %10s %8s %8s %10s\n", "ns a packet", "bare", "1", "10,000", "seal, open",
         "ratio", "shipped", "of 1,024");
  for (size_t k = 0; k < COUNT_OF(suites); k++) {
    printf("%-20s %8.0f %8.0f %10.0f %10.0f %8.2f %8.0f %10.0f\n", suites[k].name, f[k].bare, f[k].one,
           f[k].many, f[k].room, f[k].one / f[k].bare, f[k].shipped, f[k].shipped_many);
    worst = f[k].one / f[k].bare > worst ? f[k].one / f[k].bare : worst;
    worst_room = f[k].room / f[k].bare > worst_room ? f[k].room / f[k].bare : worst_room;
    worst_many = f[k].many / f[k].one > worst_many ? f[k].many / f[k].one : worst_many;
  }
  printf("{\"bench\": \"srtp\", ");
  print_object("ours", f, offsetof(struct found, one), offsetof(struct found, many));
  print_object("peer", f, offsetof(struct found, shipped), offsetof(struct found, shipped_many));
  print_object("floor", f, offsetof(struct found, bare), 0);
  printf("\"ratio\": {\"of_bare\": %.3f, \"seal_open_of_bare\": %.3f, \"many_of_one\": %.3f}, "
         "\"goal\": {\"of_bare\": {\"max\": 1.6}, \"many_of_one\": {\"max\": 1.25}}, \"held\": %s}\n",
         worst, worst_room, worst_many, worst <= 1.6 && worst_many <= 1.25 ? "true" : "false");
}

int main(void) {
  static struct found found[COUNT_OF(suites)];
  if (srtp_init() != srtp_err_status_ok)
    return 1;
  for (size_t k = 0; k < COUNT_OF(suites); k++)
    measure_shipped(&found[k], suites[k].profile);
  srtp_shutdown();
  if (suite_start() < 0)
    return 1;
  for (unsigned k = 0; k < COUNT_OF(suites); k++)
    measure_ours(&found[k], k);
  suite_stop();
  print(found);
  return 0;
}
