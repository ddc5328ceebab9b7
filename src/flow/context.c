/* SPDX-License-Identifier: Apache-2.0
 * Sessions of the SRTP library: see context.h. RFC 3711, RFC 4568 6.2, RFC 7714 section 14. */
#include "flow/context.h"

struct material {
  uint8_t key[SRTP_MAX_KEY_LEN];
  uint8_t mki[SRTPKEY_MKI_MAX_BYTES];
  srtp_master_key_t master;
  srtp_master_key_t *masters[1];
};

static int policy_suite(srtp_policy_t *p, uint32_t suite) {
  switch ((enum srtp_suite)suite) {
  case SUITE_AES_CM_128_HMAC_SHA1_80:
    srtp_crypto_policy_set_rtp_default(&p->rtp);
    srtp_crypto_policy_set_rtcp_default(&p->rtcp);
    return 0;
  case SUITE_AES_CM_128_HMAC_SHA1_32: /* SRTCP keeps the long tag */
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&p->rtp);
    srtp_crypto_policy_set_rtcp_default(&p->rtcp);
    return 0;
  case SUITE_AEAD_AES_128_GCM:
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
    return 0;
  case SUITE_AEAD_AES_256_GCM:
    srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
    srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
    return 0;
  case SUITE_AES_256_CM_HMAC_SHA1_80:
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
    return 0;
  case SUITE_AES_256_CM_HMAC_SHA1_32:
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&p->rtp);
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
    return 0;
  case SUITE_NONE:
  case SUITE_COUNT_:
  default:
    return -EINVAL;
  }
}

/* The library copies all of it. */
static int policy_fill(srtp_policy_t *p, struct material *m, const struct srtp_key *key) {
  if (key->mki_bytes > SRTPKEY_MKI_MAX_BYTES || policy_suite(p, key->suite) < 0)
    return -EINVAL;
  memset(m, 0, sizeof(*m));
  memcpy(m->key, key->bytes, sizeof(key->bytes));
  for (size_t i = 0; i < sizeof(key->mki) && i < key->mki_bytes; i++)
    m->mki[key->mki_bytes - 1 - i] = key->mki[sizeof(key->mki) - 1 - i];
  m->master = (srtp_master_key_t){m->key, m->mki, key->mki_bytes};
  m->masters[0] = &m->master;
  p->window_size = CONTEXT_WINDOW;
  if (key->mki_bytes) {
    p->keys = m->masters;
    p->num_master_keys = 1;
  } else {
    p->key = m->key;
  }
  return 0;
}

static int error_of(srtp_err_status_t status) {
  if (status == srtp_err_status_ok)
    return 0;
  return status == srtp_err_status_alloc_fail ? -ENOMEM : -EIO;
}

int context_new(srtp_t *ret, const struct srtp_key *key, srtp_ssrc_type_t type, uint32_t ssrc) {
  srtp_policy_t p = {.ssrc = {.type = type, .value = ssrc}};
  struct material m;
  srtp_t session = NULL;
  if (policy_fill(&p, &m, key) < 0)
    return -EINVAL;
  int e = error_of(srtp_create(&session, &p));
  explicit_bzero(&m, sizeof(m));
  if (e == 0)
    *ret = session;
  return e;
}

int context_rekey(srtp_t session, const struct srtp_key *key, uint32_t ssrc) {
  srtp_policy_t p = {.ssrc = {.type = ssrc_specific, .value = ssrc}};
  struct material m;
  if (policy_fill(&p, &m, key) < 0)
    return -EINVAL;
  int e = error_of(srtp_update(session, &p));
  explicit_bzero(&m, sizeof(m));
  return e;
}

void context_free(srtp_t *session) {
  if (*session)
    srtp_dealloc(*session);
  *session = NULL;
}

enum drop context_drop(srtp_err_status_t status, enum drop form) {
  if (status == srtp_err_status_ok)
    return DROP_NONE;
  if (status == srtp_err_status_auth_fail || status == srtp_err_status_no_ctx ||
      status == srtp_err_status_cant_check) /* SRTCP that says it is not encrypted */
    return DROP_AUTH;
  if (status == srtp_err_status_replay_fail || status == srtp_err_status_replay_old ||
      status == srtp_err_status_pkt_idx_old)
    return DROP_REPLAY;
  if (status == srtp_err_status_bad_mki)
    return DROP_MKI;
  if (status == srtp_err_status_key_expired)
    return DROP_KEY_WORN;
  if (status == srtp_err_status_bad_param || status == srtp_err_status_parse_err)
    return form;
  return DROP_CRYPTO;
}

bool context_same_key(const struct srtp_key *a, const struct srtp_key *b) {
  size_t n = suite_key_bytes((enum srtp_suite)a->suite) + suite_salt_bytes((enum srtp_suite)a->suite);
  return a->suite == b->suite && a->mki_bytes == b->mki_bytes &&
         memcmp(a->mki, b->mki, sizeof(a->mki)) == 0 &&
         slice_eq_secret(slice_from(a->bytes, n), slice_from(b->bytes, n));
}

uint64_t context_guess(uint64_t highest, uint16_t seq) {
  uint64_t same = (highest & ~(uint64_t)0xffff) | seq;
  if (highest <= 0x8000) /* there is no roll-over before the first */
    return same;
  if (same > highest && same - highest > 0x8000 && same >= 0x10000)
    return same - 0x10000;
  if (same < highest && highest - same > 0x8000)
    return same + 0x10000;
  return same;
}
