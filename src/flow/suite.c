/* SPDX-License-Identifier: Apache-2.0
 * Primitives of SRTP on libcrypto: see suite.h. RFC 3711 4.1.1 (counter mode), RFC 7714 (GCM),
 * RFC 2104 (HMAC). A context belongs to the thread of its session. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: their state is a plain struct that can be copied */
#include "flow/suite.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <srtp2/auth.h>
#include <srtp2/cipher.h>
#include <srtp2/crypto_types.h>
#include <srtp2/srtp.h>
#include <stdatomic.h>

enum {
  ICM_SALT_BYTES = 14,
  GCM_SALT_BYTES = 12,
  GCM_IV_BYTES = 12,
  BLOCK_BYTES = 16,
  HMAC_BLOCK_BYTES = 64
};

static atomic_uint made; /* contexts that our providers made, for the check at the start */

/* Counter mode ----------------------------------------------------------------------------------- */
struct icm {
  EVP_CIPHER_CTX *ctx; /* one for both directions: counter mode is its own inverse */
  uint8_t offset[BLOCK_BYTES];
  uint8_t key_bytes;
};

static srtp_cipher_t *cipher_new(const srtp_cipher_type_t *type, size_t state_bytes, int key_len,
                                 int algorithm) {
  srtp_cipher_t *c = calloc(1, sizeof(*c) + state_bytes);
  if (!c)
    return NULL;
  c->type = type;
  c->state = c + 1;
  c->key_len = key_len;
  c->algorithm = algorithm;
  atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
  return c;
}

extern const srtp_cipher_type_t suite_icm_128, suite_icm_256, suite_gcm_128, suite_gcm_256;

static srtp_err_status_t icm_alloc(srtp_cipher_pointer_t *ret, int key_len, int tag_len) {
  (void)tag_len;
  if (key_len != SRTP_AES_ICM_128_KEY_LEN_WSALT && key_len != SRTP_AES_ICM_256_KEY_LEN_WSALT)
    return srtp_err_status_bad_param;
  bool wide = key_len == SRTP_AES_ICM_256_KEY_LEN_WSALT;
  srtp_cipher_t *c = cipher_new(wide ? &suite_icm_256 : &suite_icm_128, sizeof(struct icm), key_len,
                                wide ? SRTP_AES_ICM_256 : SRTP_AES_ICM_128);
  struct icm *s = c ? c->state : NULL;
  if (!c || !(s->ctx = EVP_CIPHER_CTX_new())) {
    free(c);
    return srtp_err_status_alloc_fail;
  }
  s->key_bytes = (uint8_t)(key_len - ICM_SALT_BYTES);
  *ret = c;
  return srtp_err_status_ok;
}

static srtp_err_status_t icm_dealloc(srtp_cipher_pointer_t c) {
  struct icm *s = c->state;
  EVP_CIPHER_CTX_free(s->ctx); /* wipes the key */
  OPENSSL_cleanse(s, sizeof(*s));
  free(c);
  return srtp_err_status_ok;
}

static srtp_err_status_t icm_init(void *state, const uint8_t *key) {
  struct icm *s = state;
  memset(s->offset, 0, sizeof(s->offset));
  memcpy(s->offset, key + s->key_bytes, ICM_SALT_BYTES);
  const EVP_CIPHER *aes = s->key_bytes == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  return EVP_EncryptInit_ex(s->ctx, aes, NULL, key, s->offset) == 1 ? srtp_err_status_ok
                                                                    : srtp_err_status_init_fail;
}

static srtp_err_status_t icm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction) {
  struct icm *s = state;
  uint8_t counter[BLOCK_BYTES];
  (void)direction;
  for (size_t i = 0; i < BLOCK_BYTES; i++)
    counter[i] = iv[i] ^ s->offset[i];
  return EVP_EncryptInit_ex(s->ctx, NULL, NULL, NULL, counter) == 1 ? srtp_err_status_ok
                                                                    : srtp_err_status_cipher_fail;
}

static srtp_err_status_t icm_crypt(void *state, uint8_t *buf, unsigned *n) {
  struct icm *s = state;
  int done = 0;
  if (EVP_EncryptUpdate(s->ctx, buf, &done, buf, (int)*n) != 1)
    return srtp_err_status_cipher_fail;
  *n = (unsigned)done;
  return srtp_err_status_ok;
}

/* GCM -------------------------------------------------------------------------------------------- */
struct gcm {
  EVP_CIPHER_CTX *ctx;
  uint8_t iv[GCM_IV_BYTES];
  uint8_t key_bytes, tag_bytes;
};

static srtp_err_status_t gcm_alloc(srtp_cipher_pointer_t *ret, int key_len, int tag_len) {
  bool wide = key_len == SRTP_AES_GCM_256_KEY_LEN_WSALT;
  if ((key_len != SRTP_AES_GCM_128_KEY_LEN_WSALT && !wide) || (tag_len != 8 && tag_len != 16))
    return srtp_err_status_bad_param;
  srtp_cipher_t *c = cipher_new(wide ? &suite_gcm_256 : &suite_gcm_128, sizeof(struct gcm), key_len,
                                wide ? SRTP_AES_GCM_256 : SRTP_AES_GCM_128);
  struct gcm *s = c ? c->state : NULL;
  if (!c || !(s->ctx = EVP_CIPHER_CTX_new())) {
    free(c);
    return srtp_err_status_alloc_fail;
  }
  s->key_bytes = (uint8_t)(key_len - GCM_SALT_BYTES);
  s->tag_bytes = (uint8_t)tag_len;
  *ret = c;
  return srtp_err_status_ok;
}

static srtp_err_status_t gcm_dealloc(srtp_cipher_pointer_t c) {
  struct gcm *s = c->state;
  EVP_CIPHER_CTX_free(s->ctx);
  OPENSSL_cleanse(s, sizeof(*s));
  free(c);
  return srtp_err_status_ok;
}

static srtp_err_status_t gcm_init(void *state, const uint8_t *key) {
  struct gcm *s = state;
  const EVP_CIPHER *aes = s->key_bytes == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  return EVP_CipherInit_ex(s->ctx, aes, NULL, key, NULL, 1) == 1 ? srtp_err_status_ok
                                                                 : srtp_err_status_init_fail;
}

static srtp_err_status_t gcm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction) {
  struct gcm *s = state;
  memcpy(s->iv, iv, GCM_IV_BYTES);
  int enc = direction == srtp_direction_encrypt;
  return EVP_CipherInit_ex(s->ctx, NULL, NULL, NULL, s->iv, enc) == 1 ? srtp_err_status_ok
                                                                      : srtp_err_status_cipher_fail;
}

static srtp_err_status_t gcm_set_aad(void *state, const uint8_t *aad, uint32_t n) {
  struct gcm *s = state;
  int done = 0;
  return EVP_CipherUpdate(s->ctx, NULL, &done, aad, (int)n) == 1 ? srtp_err_status_ok
                                                                 : srtp_err_status_cipher_fail;
}

static srtp_err_status_t gcm_encrypt(void *state, uint8_t *buf, unsigned *n) {
  struct gcm *s = state;
  int done = 0;
  if (*n && EVP_CipherUpdate(s->ctx, buf, &done, buf, (int)*n) != 1)
    return srtp_err_status_cipher_fail;
  return srtp_err_status_ok;
}

static srtp_err_status_t gcm_get_tag(void *state, uint8_t *tag, uint32_t *n) {
  struct gcm *s = state;
  uint8_t none[BLOCK_BYTES];
  int done = 0;
  if (EVP_CipherFinal_ex(s->ctx, none, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, s->tag_bytes, tag) != 1)
    return srtp_err_status_cipher_fail;
  *n = s->tag_bytes;
  return srtp_err_status_ok;
}

/* The tag was wrong: the same key stream once more gives the ciphertext back, so that the packet can
 * be tried with another key. */
static void gcm_undo(struct gcm *s, uint8_t *buf, int n) {
  int done = 0;
  if (n && (EVP_CipherInit_ex(s->ctx, NULL, NULL, NULL, s->iv, 0) != 1 ||
            EVP_CipherUpdate(s->ctx, buf, &done, buf, n) != 1))
    OPENSSL_cleanse(buf, (size_t)n);
}

static srtp_err_status_t gcm_decrypt(void *state, uint8_t *buf, unsigned *n) {
  struct gcm *s = state;
  uint8_t none[BLOCK_BYTES];
  int done = 0, text = (int)*n - s->tag_bytes;
  if (text < 0)
    return srtp_err_status_bad_param;
  if (EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_SET_TAG, s->tag_bytes, buf + text) != 1 ||
      (text && EVP_CipherUpdate(s->ctx, buf, &done, buf, text) != 1))
    return srtp_err_status_cipher_fail;
  if (EVP_CipherFinal_ex(s->ctx, none, &done) != 1) {
    gcm_undo(s, buf, text);
    return srtp_err_status_auth_fail;
  }
  *n = (unsigned)text;
  return srtp_err_status_ok;
}

/* HMAC-SHA1 -------------------------------------------------------------------------------------- */
struct mac { /* the states of SHA-1 after the padded key, computed once */
  uint32_t inner[SHA_DIGEST_LENGTH / 4], outer[SHA_DIGEST_LENGTH / 4];
};
/* Of the packet under way: the library begins, updates and computes one before it begins another. */
static _Thread_local SHA_CTX mac_now;

static void mac_keep(uint32_t ret[5], const SHA_CTX *c) {
  const uint32_t all[] = {c->h0, c->h1, c->h2, c->h3, c->h4};
  memcpy(ret, all, sizeof(all));
}

static void mac_resume(SHA_CTX *ret, const uint32_t h[5]) {
  ret->h0 = h[0];
  ret->h1 = h[1];
  ret->h2 = h[2];
  ret->h3 = h[3];
  ret->h4 = h[4];
  ret->Nl = HMAC_BLOCK_BYTES * 8;
  ret->Nh = ret->num = 0;
}

extern const srtp_auth_type_t suite_hmac;

static srtp_err_status_t mac_alloc(srtp_auth_pointer_t *ret, int key_len, int out_len) {
  if (key_len > SHA_DIGEST_LENGTH || out_len > SHA_DIGEST_LENGTH || key_len < 0 || out_len < 0)
    return srtp_err_status_bad_param;
  srtp_auth_t *a = calloc(1, sizeof(*a) + sizeof(struct mac));
  if (!a)
    return srtp_err_status_alloc_fail;
  a->type = &suite_hmac;
  a->state = a + 1;
  a->key_len = key_len;
  a->out_len = out_len;
  atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
  *ret = a;
  return srtp_err_status_ok;
}

static srtp_err_status_t mac_dealloc(srtp_auth_pointer_t a) {
  OPENSSL_cleanse(a->state, sizeof(struct mac));
  free(a);
  return srtp_err_status_ok;
}

static void mac_pad(uint32_t ret[5], const uint8_t *key, int n, uint8_t with) {
  uint8_t block[HMAC_BLOCK_BYTES];
  for (int i = 0; i < HMAC_BLOCK_BYTES; i++)
    block[i] = (uint8_t)((i < n ? key[i] : 0) ^ with);
  SHA_CTX c;
  SHA1_Init(&c);
  SHA1_Update(&c, block, sizeof(block));
  mac_keep(ret, &c);
  OPENSSL_cleanse(&c, sizeof(c));
  OPENSSL_cleanse(block, sizeof(block));
}

static srtp_err_status_t mac_init(void *state, const uint8_t *key, int n) {
  struct mac *m = state;
  if (n < 0 || n > SHA_DIGEST_LENGTH)
    return srtp_err_status_bad_param;
  mac_pad(m->inner, key, n, 0x36);
  mac_pad(m->outer, key, n, 0x5c);
  mac_resume(&mac_now, m->inner);
  return srtp_err_status_ok;
}

static srtp_err_status_t mac_start(void *state) {
  const struct mac *m = state;
  mac_resume(&mac_now, m->inner);
  return srtp_err_status_ok;
}

static srtp_err_status_t mac_update(void *state, const uint8_t *p, int n) {
  (void)state;
  SHA1_Update(&mac_now, p, (size_t)n);
  return srtp_err_status_ok;
}

static srtp_err_status_t mac_compute(void *state, const uint8_t *p, int n, int tag_len, uint8_t *tag) {
  const struct mac *m = state;
  uint8_t digest[SHA_DIGEST_LENGTH];
  if (tag_len > SHA_DIGEST_LENGTH || tag_len < 0)
    return srtp_err_status_bad_param;
  SHA1_Update(&mac_now, p, (size_t)n);
  SHA1_Final(digest, &mac_now);
  mac_resume(&mac_now, m->outer);
  SHA1_Update(&mac_now, digest, sizeof(digest));
  SHA1_Final(digest, &mac_now);
  memcpy(tag, digest, (size_t)tag_len);
  return srtp_err_status_ok;
}

/* Test vectors of our own, without which the library takes no provider; it runs those of the types
 * in place as well. ------------------------------------------------------------------------------ */
static uint8_t no_iv[16];
static const uint8_t rfc3711_key[] = /* B.2, key and offset */
    "\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c"
    "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd";
static const uint8_t zeros[48];
static const uint8_t rfc3711_stream[] =
    "\xe0\x3e\xad\x09\x35\xc9\x5e\x80\xe1\x66\xb1\x6d\xd9\x2b\x4e\xb4"
    "\xd2\x35\x13\x16\x2b\x02\xd0\xf7\x2a\x43\xa2\xfe\x4a\x5f\x97\xab"
    "\x41\xe9\x5b\x3b\xb0\xa2\xe8\xdd\x47\x79\x01\xe4\xfc\xa8\x94\xc0";
static const srtp_cipher_test_case_t icm_128_case = {.key_length_octets = SRTP_AES_ICM_128_KEY_LEN_WSALT,
                                                     .key = rfc3711_key,
                                                     .idx = no_iv,
                                                     .plaintext_length_octets = 48,
                                                     .plaintext = zeros,
                                                     .ciphertext_length_octets = 48,
                                                     .ciphertext = rfc3711_stream};
/* RFC 6188 7.1: AES-256 key stream. */
static const uint8_t rfc6188_key[] = "\x57\xf8\x2f\xe3\x61\x3f\xd1\x70\xa8\x5e\xc9\x3c\x40\xb1\xf0\x92"
                                     "\x2e\xc4\xcb\x0d\xc0\x25\xb5\x82\x72\x14\x7c\xc4\x38\x94\x4a\x98"
                                     "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd";
static const uint8_t rfc6188_stream[] =
    "\x92\xbd\xd2\x8a\x93\xc3\xf5\x25\x11\xc6\x77\xd0\x8b\x55\x15\xa4"
    "\x9d\xa7\x1b\x23\x78\xa8\x54\xf6\x70\x50\x75\x6d\xed\x16\x5b\xac"
    "\x63\xc4\x86\x8b\x70\x96\xd8\x84\x21\xb5\x63\xb8\xc9\x4c\x9a\x31";
static const srtp_cipher_test_case_t icm_256_case = {.key_length_octets = SRTP_AES_ICM_256_KEY_LEN_WSALT,
                                                     .key = rfc6188_key,
                                                     .idx = no_iv,
                                                     .plaintext_length_octets = 48,
                                                     .plaintext = zeros,
                                                     .ciphertext_length_octets = 48,
                                                     .ciphertext = rfc6188_stream};
/* The zero key, GCM specification test cases 2 and 14 (no additional data). */
static const uint8_t gcm_128_sealed[] =
    "\x03\x88\xda\xce\x60\xb6\xa3\x92\xf3\x28\xc2\xb9\x71\xb2\xfe\x78"
    "\xab\x6e\x47\xd4\x2c\xec\x13\xbd\xf5\x3a\x67\xb2\x12\x57\xbd\xdf";
static const uint8_t gcm_256_sealed[] =
    "\xce\xa7\x40\x3d\x4d\x60\x6b\x6e\x07\x4e\xc5\xd3\xba\xf3\x9d\x18"
    "\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0\x26\x5b\x98\xb5\xd4\x8a\xb9\x19";
static const srtp_cipher_test_case_t gcm_128_case = {.key_length_octets = SRTP_AES_GCM_128_KEY_LEN_WSALT,
                                                     .key = zeros,
                                                     .idx = no_iv,
                                                     .plaintext_length_octets = 16,
                                                     .plaintext = zeros,
                                                     .ciphertext_length_octets = 32,
                                                     .ciphertext = gcm_128_sealed,
                                                     .aad = zeros,
                                                     .tag_length_octets = 16};
static const srtp_cipher_test_case_t gcm_256_case = {.key_length_octets = SRTP_AES_GCM_256_KEY_LEN_WSALT,
                                                     .key = zeros,
                                                     .idx = no_iv,
                                                     .plaintext_length_octets = 16,
                                                     .plaintext = zeros,
                                                     .ciphertext_length_octets = 32,
                                                     .ciphertext = gcm_256_sealed,
                                                     .aad = zeros,
                                                     .tag_length_octets = 16};
/* RFC 2202, case 1. */
static const uint8_t rfc2202_key[] =
    "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b";
static const uint8_t rfc2202_tag[] =
    "\xb6\x17\x31\x86\x55\x05\x72\x64\xe2\x8b\xc0\xb6\xfb\x37\x8c\x8e\xf1\x46\xbe\x00";
static const srtp_auth_test_case_t hmac_case = {.key_length_octets = 20,
                                                .key = rfc2202_key,
                                                .data_length_octets = 8,
                                                .data = (const uint8_t *)"Hi There",
                                                .tag_length_octets = 20,
                                                .tag = rfc2202_tag};

#define ICM(bits) \
  { \
    .alloc = icm_alloc, .dealloc = icm_dealloc, .init = icm_init, .encrypt = icm_crypt, \
    .decrypt = icm_crypt, .set_iv = icm_set_iv, .description = "AES-" #bits " counter mode, libcrypto", \
    .test_data = &icm_##bits##_case, .id = SRTP_AES_ICM_##bits \
  }
#define GCM(bits) \
  { \
    .alloc = gcm_alloc, .dealloc = gcm_dealloc, .init = gcm_init, .set_aad = gcm_set_aad, \
    .encrypt = gcm_encrypt, .decrypt = gcm_decrypt, .set_iv = gcm_set_iv, .get_tag = gcm_get_tag, \
    .description = "AES-" #bits " GCM, libcrypto", .test_data = &gcm_##bits##_case, \
    .id = SRTP_AES_GCM_##bits \
  }
const srtp_cipher_type_t suite_icm_128 = ICM(128), suite_icm_256 = ICM(256);
const srtp_cipher_type_t suite_gcm_128 = GCM(128), suite_gcm_256 = GCM(256);
const srtp_auth_type_t suite_hmac = {.alloc = mac_alloc,
                                     .dealloc = mac_dealloc,
                                     .init = mac_init,
                                     .compute = mac_compute,
                                     .update = mac_update,
                                     .start = mac_start,
                                     .description = "HMAC-SHA1, libcrypto",
                                     .test_data = &hmac_case,
                                     .id = SRTP_HMAC_SHA1};

/* Start ------------------------------------------------------------------------------------------ */
static bool providers_placed(void) {
  static const struct {
    const srtp_cipher_type_t *type;
    srtp_cipher_type_id_t id;
  } rows[] = {{&suite_icm_128, SRTP_AES_ICM_128},
              {&suite_icm_256, SRTP_AES_ICM_256},
              {&suite_gcm_128, SRTP_AES_GCM_128},
              {&suite_gcm_256, SRTP_AES_GCM_256}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (srtp_replace_cipher_type(rows[i].type, rows[i].id) != srtp_err_status_ok)
      return false;
  return srtp_replace_auth_type(&suite_hmac, SRTP_HMAC_SHA1) == srtp_err_status_ok;
}

/* A session of that profile must take each of its primitives from us: two ciphers (SRTP and SRTCP),
 * the key derivation's, and where the suite has one the two HMACs. */
static bool profile_is_ours(srtp_profile_t profile, unsigned at_least) {
  unsigned before = atomic_load_explicit(&made, memory_order_relaxed);
  uint8_t key[SRTP_MAX_KEY_LEN] = {1};
  srtp_policy_t policy = {.ssrc = {.type = ssrc_any_outbound}, .key = key};
  srtp_t session = NULL;
  if (srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile) != srtp_err_status_ok ||
      srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile) != srtp_err_status_ok ||
      srtp_create(&session, &policy) != srtp_err_status_ok)
    return false;
  srtp_dealloc(session);
  return atomic_load_explicit(&made, memory_order_relaxed) - before >= at_least;
}

static bool started;

int suite_start(void) {
  if (started)
    return 0;
  if (srtp_init() != srtp_err_status_ok)
    return -EIO;
  if (!providers_placed() || !profile_is_ours(srtp_profile_aes128_cm_sha1_80, 5) ||
      !profile_is_ours(srtp_profile_aead_aes_128_gcm, 3) ||
      !profile_is_ours(srtp_profile_aead_aes_256_gcm, 3)) {
    srtp_shutdown();
    return -ENOTSUP;
  }
  started = true;
  return 0;
}

void suite_stop(void) {
  if (started)
    srtp_shutdown();
  started = false;
}
