/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of wire/desc: no input harms, and what was understood is written and understood again as
 * the same (parse -> write -> parse). */
#include "wire/desc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Takes out what is not written by intent. */
static void normalise(struct desc *d) {
  struct desc_audio *a = &d->audio;
  uint8_t n = 0;
  for (uint8_t i = 0; i < a->n_candidates; i++)
    if (a->candidates[i].is_udp && !a->candidates[i].is_name)
      a->candidates[n++] = a->candidates[i];
  memset(&a->candidates[n], 0, (DESC_CANDIDATES_MAX - n) * sizeof(a->candidates[0]));
  a->n_candidates = n;
  n = 0;
  for (uint8_t i = 0; i < a->n_crypto; i++)
    if (a->crypto[i].key.suite != SUITE_NONE)
      a->crypto[n++] = a->crypto[i];
  memset(&a->crypto[n], 0, (DESC_CRYPTO_MAX - n) * sizeof(a->crypto[0]));
  a->n_crypto = n;
  for (uint8_t i = 0; i < d->n_media; i++) {
    bool is_audio = d->has_audio && i == a->index;
    if (!is_audio)
      d->media[i].port = 0;
    if (is_audio) {
      memset(d->media[i].formats, 0, sizeof(d->media[i].formats));
      memset(d->media[i].media, 0, sizeof(d->media[i].media));
      memset(d->media[i].proto, 0, sizeof(d->media[i].proto));
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct desc first, second;
  static char text[4 * DESC_TEXT_MAX_BYTES];
  struct desc_fault fault;
  size_t text_n;
  if (desc_parse(&first, slice_from(data, n), &fault) < 0) {
    if (!fault.rule[0])
      abort();
    return 0;
  }
  normalise(&first);
  if (desc_write(&first, text, sizeof(text), &text_n) < 0)
    abort();
  if (text_n > DESC_TEXT_MAX_BYTES)
    return 0;
  if (desc_parse(&second, slice_from(text, text_n), &fault) < 0)
    abort();
  normalise(&second);
  if (memcmp(&first, &second, sizeof(first)) != 0)
    abort();
  return 0;
}
