/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of prefix tables: reading CSV, and asking for numbers that the text itself holds. */
#include "route/prefix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct conf_errors errors;
  own(prefixes) p = NULL;
  const struct prefix_row *rows = NULL;
  uint32_t digits;
  errors.n = 0;
  if (prefixes_parse(&p, "fuzz.csv", slice_from(data, n), &errors) < 0) {
    if (errors.n == 0)
      abort();
    return 0;
  }
  for (size_t i = 0; i < n && i < 64; i++) {
    uint32_t found = prefixes_find(p, slice_from(data + i, n - i), &rows, &digits);
    if ((found > 0) != (digits > 0) || found > PREFIX_SAME_MAX)
      abort();
    for (uint32_t k = 0; k < found; k++)
      if (!prefix_label(p, rows[k].label)[0])
        abort();
  }
  return 0;
}
