/* SPDX-License-Identifier: Apache-2.0
 * Whatever stands in a datagram that claims to be a DNS answer. The first byte chooses the type that was
 * asked, for the name a.test and the id 0x1234. */
#include "wire/dns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct dns_answer *a, enum dns_type type) {
  static const char none[DNS_NAME_BYTES];
  if (a->n > DNS_RECORDS_MAX || (a->n && (a->rcode || a->is_truncated)))
    abort();
  for (uint32_t i = 0; i < a->n; i++) {
    const struct dns_record *r = &a->list[i];
    const char *name = type == DNS_SRV ? r->srv.target : type == DNS_NAPTR ? r->naptr.replacement : none;
    if (strnlen(name, DNS_NAME_BYTES) >= DNS_NAME_BYTES || strpbrk(name, " \r\n;@<>\""))
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR};
  struct dns_answer answer;
  if (!n)
    return 0;
  enum dns_type type = types[data[0] % 4];
  char *copy = malloc(n); /* of its own, so that the sanitizer sees its ends */
  if (!copy)
    return 0;
  memcpy(copy, data + 1, n - 1);
  if (dns_read(&answer, slice_from(copy, n - 1), 0x1234, "a.test", type) == 0)
    check(&answer, type);
  free(copy);
  return 0;
}
