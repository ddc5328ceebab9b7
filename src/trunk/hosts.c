/* SPDX-License-Identifier: Apache-2.0
 * Names of /etc/hosts: sofia's resolver asks DNS only, so they are laid into its cache, where it looks
 * first, and again before they expire. Call thread. hosts(5). */
#include "trunk/hops.h"

#include "base/clock.h"
#include "base/slice.h"

#include <ctype.h>
#include <sofia-resolv/sres_cache.h>
#include <sofia-resolv/sres_record.h>
#include <stdio.h>

enum {
  HOSTS_LINES_MAX = 4096, /* further ones are not read */
  HOSTS_LINE_BYTES = 1024,
  HOSTS_NAMES_MAX = 32, /* of one line */
  HOSTS_TTL_S = 60,     /* they are read again every half of it */
  CACHE_BUCKETS = 64,
};

/* The resolver counts by the wall clock. */
static time_t now_s(void) { return (time_t)(clock_wall_ms() / 1000); }

static struct slice word(struct slice *line) {
  while (line->n && strchr(" \t\r\n", line->p[0]))
    *line = slice_from(line->p + 1, line->n - 1);
  size_t n = 0;
  while (n < line->n && !strchr(" \t\r\n", line->p[n]))
    n++;
  struct slice found = slice_from(line->p, n);
  *line = slice_from(line->p + n, line->n - n);
  return found;
}

static void put(sres_cache_t *cache, const struct addr *ip, struct slice host, uint32_t ttl_s) {
  char name[256];
  bool is_ip6 = addr_family(ip) == AF_INET6;
  sres_record_t rr = {.sr_record[0] = {.r_name = name,
                                       .r_size = is_ip6 ? sizeof rr.sr_aaaa[0] : sizeof rr.sr_a[0],
                                       .r_type = is_ip6 ? sres_type_aaaa : sres_type_a,
                                       .r_class = sres_class_in,
                                       .r_ttl = ttl_s,
                                       .r_rdlen = is_ip6 ? 16 : 4,
                                       .r_parsed = 1}};
  if (host.n == 0 || host.n + 2 > sizeof name)
    return;
  snprintf(name, sizeof name, "%.*s%s", SLICE_ARG(host), host.p[host.n - 1] == '.' ? "" : ".");
  for (char *c = name; *c; c++)
    *c = (char)tolower((unsigned char)*c);
  if (is_ip6)
    memcpy(&rr.sr_aaaa[0].aaaa_addr, &ip->in6.sin6_addr, 16);
  else
    memcpy(&rr.sr_a[0].a_addr, &ip->in4.sin_addr, 4);
  sres_record_t *stored = sres_cache_alloc_record(cache, &rr, 0);
  if (stored)
    sres_cache_store(cache, stored, now_s());
}

static void take_line(sres_cache_t *cache, struct slice line) {
  struct addr ip;
  line = slice_cut(&line, '#');
  if (addr_parse(&ip, word(&line), 0) < 0)
    return;
  for (unsigned i = 0; i < HOSTS_NAMES_MAX; i++)
    put(cache, &ip, word(&line), HOSTS_TTL_S);
}

/* What our resolver found: sofia's looks there for the hosts of route sets and Contacts. */
void hosts_learn(struct trunks *t, const char *name, enum dns_type type,
                 const struct dns_answer *answer) {
  for (uint32_t i = 0; i < answer->n; i++) {
    struct addr ip = {0};
    if (type == DNS_A) {
      ip.in4.sin_family = AF_INET;
      memcpy(&ip.in4.sin_addr, answer->list[i].ip, 4);
    } else {
      ip.in6.sin6_family = AF_INET6;
      memcpy(&ip.in6.sin6_addr, answer->list[i].ip, 16);
    }
    put(t->names, &ip, slice_of(name), answer->ttl_s > HOSTS_TTL_S ? answer->ttl_s : HOSTS_TTL_S);
  }
}

void hosts_read(sres_cache_t *cache, const char *path) {
  char line[HOSTS_LINE_BYTES];
  FILE *f = fopen(path, "re");
  for (unsigned i = 0; f && i < HOSTS_LINES_MAX && fgets(line, sizeof line, f); i++)
    take_line(cache, slice_of(line));
  if (f)
    fclose(f);
}

/* Records of the hosts file, as an answer; n is 0 if the name is not there. */
void hosts_find(const struct trunks *t, const char *name, enum dns_type type, struct dns_answer *ret) {
  char fqdn[DNS_NAME_BYTES + 1];
  sres_record_t **found = NULL;
  snprintf(fqdn, sizeof fqdn, "%s.", name);
  *ret = (struct dns_answer){.ttl_s = HOSTS_TTL_S};
  int n = sres_cache_get(t->hosts, (uint16_t)type, fqdn, &found);
  for (int i = 0; i < n && ret->n < DNS_RECORDS_MAX; i++) {
    uint8_t *ip = ret->list[ret->n++].ip;
    if (type == DNS_A)
      memcpy(ip, &found[i]->sr_a[0].a_addr, 4);
    else
      memcpy(ip, &found[i]->sr_aaaa[0].aaaa_addr, 16);
  }
  if (found)
    sres_cache_free_answers(t->hosts, found);
}

static void again(void *arg) {
  struct trunks *t = arg;
  hosts_read(t->names, HOSTS_FILE);
  hosts_read(t->hosts, HOSTS_FILE);
  loop_arm(t->env.loop, &t->names_timer, (uint64_t)(HOSTS_TTL_S / 2) * 1000000);
}

int hosts_start(struct trunks *t) {
  t->names = sres_cache_new(CACHE_BUCKETS);
  t->hosts = sres_cache_new(CACHE_BUCKETS);
  t->names_timer = (struct timer){.fn = again, .arg = t};
  if (!t->names || !t->hosts)
    return -ENOMEM;
  again(t);
  return 0;
}

void hosts_stop(struct trunks *t) {
  loop_disarm(t->env.loop, &t->names_timer);
  if (t->names)
    sres_cache_unref(t->names);
  if (t->hosts)
    sres_cache_unref(t->hosts);
  t->names = t->hosts = NULL;
}
