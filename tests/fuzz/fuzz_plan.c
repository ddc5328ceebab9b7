/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of dialplans: reading, and a few decisions of what was read. */
#include "route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct conf_errors errors;
  static const char *const numbers[] = {
      "+15550100001", "112", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""};
  own(plan) p = NULL;
  char text[2048];
  if (plan_parse(&p, "fuzz.yaml", slice_from(data, n), &errors) < 0) {
    if (errors.n == 0)
      abort();
    return 0;
  }
  for (size_t i = 0; i < COUNT_OF(numbers); i++) {
    struct route_facts f = {.from_kind = i & 1 ? SLICE("native") : SLICE("trunk"),
                            .trunk = SLICE("demo"),
                            .tenant = SLICE("default"),
                            .called = slice_of(numbers[i]),
                            .caller = SLICE("+4930123456")};
    struct route_decision d = route_decide(p, &f);
    if (d.action == ROUTE_REFUSE && (d.sip < 400 || d.sip > 699))
      abort();
    if (route_explain(p, &f, text, sizeof(text)) >= sizeof(text))
      abort();
  }
  return 0;
}
