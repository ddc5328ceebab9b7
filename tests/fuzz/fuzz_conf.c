/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of the configuration: no text harms, and a refusal always has a reason. */
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct conf_errors errors;
  own(conf) c = NULL;
  int r = conf_parse(&c, "etc/fuzz.yaml", slice_from(data, n), &errors);
  if ((r == 0) != (c != NULL) || (r == 0) != (errors.n == 0))
    abort();
  return 0;
}
