/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of trickle fragments: parse -> write -> parse. */
#include "wire/desc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct desc_frag first, second;
  static char text[2 * DESC_TEXT_MAX_BYTES];
  struct desc_fault fault;
  size_t text_n;
  if (desc_frag_parse(&first, slice_from(data, n), &fault) < 0)
    return 0;
  uint8_t kept = 0;
  for (uint8_t i = 0; i < first.n_candidates; i++)
    if (first.candidates[i].is_udp && !first.candidates[i].is_name)
      first.candidates[kept++] = first.candidates[i];
  memset(&first.candidates[kept], 0, (DESC_CANDIDATES_MAX - kept) * sizeof(first.candidates[0]));
  first.n_candidates = kept;
  if (desc_frag_write(&first, text, sizeof(text), &text_n) < 0)
    abort();
  if (text_n > DESC_TEXT_MAX_BYTES)
    return 0;
  if (desc_frag_parse(&second, slice_from(text, text_n), &fault) < 0 ||
      memcmp(&first, &second, sizeof(first)) != 0)
    abort();
  return 0;
}
