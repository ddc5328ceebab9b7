/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of Identity header fields and PASSporTs: what was read is written, and read again as the
 * same; a call's judgement on any bytes. The payload is also tried as it is, without base64. */
#include "base/hmac.h"
#include "stir/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void token(struct slice s) {
  static struct passport p, back;
  static char again[PASSPORT_TEXT_BYTES + 128];
  struct slice text;
  uint8_t signature[PASSPORT_SIG_BYTES];
  if (passport_read(s, &p, &text, signature) < 0 || !p.n_dest || !p.orig[0] || strpbrk(p.x5u, "\"\\") ||
      strpbrk(p.origid, "\"\\"))
    return;
  for (const char *c = p.x5u; *c; c++)
    if ((unsigned char)*c < 0x20)
      return;
  for (const char *c = p.origid; *c; c++)
    if ((unsigned char)*c < 0x20)
      return;
  if (passport_write(&p, again, PASSPORT_TEXT_BYTES) < 0)
    return;
  size_t at = strlen(again);
  again[at++] = '.';
  base64_encode(again + at, signature, sizeof signature, true);
  if (passport_read(slice_of(again), &back, &text, signature) < 0 || memcmp(&p, &back, sizeof p) != 0)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct stir_case c;
  static struct stir_ask ask;
  static struct stir_rules rules = {.freshness_s = 60, .hosts = {1, {"cert.example.org"}}};
  struct slice s = slice_from(data, n);
  struct identity_field f;
  const char *why;
  if (identity_field_read(s, &f) == 0 && (!f.token.n || !f.info.n))
    abort();
  token(s);
  const char *split = n ? memchr(data, '\n', n) : NULL;
  if (split && n < 1024) { /* header and payload in the clear */
    char made[4096];
    struct slice body = s, head = slice_cut(&body, '\n');
    size_t at = base64_encode(made, head.p, head.n, true);
    made[at++] = '.';
    at += base64_encode(made + at, body.p, body.n, true);
    made[at++] = '.';
    uint8_t zero[PASSPORT_SIG_BYTES] = {0};
    base64_encode(made + at, zero, sizeof zero, true);
    token(slice_of(made));
  }
  ask.n = 1;
  ask.date_s = 1;
  strcpy(ask.caller[0], "12155551212");
  strcpy(ask.called[0], "12125551213");
  if (n < STIR_FIELD_BYTES && !(n && memchr(data, 0, n))) {
    memcpy(ask.field[0], data, n);
    ask.field[0][n] = 0;
    if (case_read(&c, &ask, &rules, 1443208345, &why) != STIR_VALID && !why)
      abort();
  }
  return 0;
}
