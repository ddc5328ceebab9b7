/* SPDX-License-Identifier: Apache-2.0
 * TLS through the SIP library, both ends ours. */
#include "base/log.h"
#include "trunk/tls.h"
#include <stdio.h>
#include <sofia-sip/su.h>
int main(void) {
  char why[256] = "";
  su_init();
  int r = owntls_start(2);
  printf("start %d\n", r);
  r = owntls_self_test(why, sizeof(why));
  printf("self test %d %s\n", r, why);
  owntls_stop();
  for (size_t i = 0; i < owntls_counts.n; i++)
    printf("%s{%s} %llu\n", owntls_counts.rows[i].name, owntls_counts.rows[i].labels, (unsigned long long)count_get(&owntls_counts, i));
  return r != 0;
}
