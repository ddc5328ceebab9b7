/* SPDX-License-Identifier: Apache-2.0
 * Names of a hosts file in the resolver's cache. */
#include "trunk/inner.h"

#include <criterion/criterion.h>
#include <sofia-resolv/sres_record.h>
#include <stdio.h>
#include <unistd.h>

static char path[] = "/tmp/check_hosts-XXXXXX";

static void say(const char *text) {
  FILE *f = fopen(path, "we");
  cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int count_of(sres_cache_t *c, uint16_t type, const char *name, const char *first) {
  sres_record_t **found = NULL;
  char text[64] = "";
  int n = sres_cache_get(c, type, name, &found);
  if (n > 0 && type == sres_type_a)
    inet_ntop(AF_INET, &found[0]->sr_a[0].a_addr, text, sizeof text);
  else if (n > 0)
    inet_ntop(AF_INET6, &found[0]->sr_aaaa[0].aaaa_addr, text, sizeof text);
  cr_expect_str_eq(text, first, "%s: %s", name, text);
  if (found)
    sres_cache_free_answers(c, found);
  return n;
}

Test(hosts, names_and_aliases) {
  close(mkstemp(path));
  say("# 192.0.2.9 nobody\n192.0.2.1\tsbc.test sbc  Edge.test. # 192.0.2.8 not\n2001:db8::5 "
      "sbc.test\nrubbish name\n\n"
      "192.0.2.300 bad\n192.0.2.2");
  sres_cache_t *c = sres_cache_new(8);
  cr_assert(c);
  hosts_read(c, path);
  hosts_read(c, path); /* again is no second record */
  cr_expect_eq(count_of(c, sres_type_a, "sbc.test.", "192.0.2.1"), 1);
  cr_expect_eq(count_of(c, sres_type_a, "sbc.", "192.0.2.1"), 1);
  cr_expect_eq(count_of(c, sres_type_a, "edge.test.", "192.0.2.1"), 1);
  cr_expect_eq(count_of(c, sres_type_aaaa, "sbc.test.", "2001:db8::5"), 1);
  cr_expect_leq(count_of(c, sres_type_a, "nobody.", ""), 0);
  cr_expect_leq(count_of(c, sres_type_a, "bad.", ""), 0);
  cr_expect_leq(count_of(c, sres_type_a, "not.", ""), 0);
  say("192.0.2.7 late.test\n");
  hosts_read(c, path);
  cr_expect_eq(count_of(c, sres_type_a, "late.test.", "192.0.2.7"), 1);
  unlink(path);
  hosts_read(c, path); /* no file: nothing new */
  sres_cache_unref(c);
}
