/* SPDX-License-Identifier: Apache-2.0
 * The resolver's place in the program: its questions by asker.h, /etc/hosts before them, its timer.
 * Names of /etc/hosts are addresses only: no service is asked for them. Call thread. */
#include "trunk/asker.h"
#include "trunk/hops.h"
#include "trunk/shun.h"

#include <stdio.h>

/* Does the hosts file say all there is to know? */
static bool hosts_answer(const struct trunks *t, const char *name, enum dns_type type,
                         struct dns_answer *ret) {
  const char *host = name;
  struct dns_answer other;
  if (type == DNS_SRV && *host == '_' && (host = strchr(host, '.')) && host[1] == '_')
    host = strchr(host + 1, '.');
  if (type == DNS_SRV)
    host = host ? host + 1 : name;
  hosts_find(t, host, type == DNS_AAAA ? DNS_AAAA : DNS_A, ret);
  hosts_find(t, host, type == DNS_AAAA ? DNS_A : DNS_AAAA, &other);
  bool has = ret->n || other.n;
  if (type != DNS_A && type != DNS_AAAA)
    ret->n = 0;
  return has;
}

static int ask(void *arg, const char *name, enum dns_type type) {
  struct trunks *t = arg;
  struct dns_answer found;
  if (!hosts_answer(t, name, type, &found))
    return asker_ask(t->asker, name, type);
  resolver_answer(t->resolver, name, type, 0, &found, loop_now_us(t->env.loop));
  return 0;
}

static void on_answer(void *arg, const char *name, enum dns_type type, int error,
                      const struct dns_answer *answer) {
  struct trunks *t = arg;
  if (error)
    log_warn(trunk, "DNS: no server told of %s: %s", name, strerror(-error));
  if (!error && answer && (type == DNS_A || type == DNS_AAAA))
    hosts_learn(t, name, type, answer);
  resolver_answer(t->resolver, name, type, error, answer, loop_now_us(t->env.loop));
  lookup_settle(t);
}

static void on_time(void *arg) {
  struct trunks *t = arg;
  resolver_run(t->resolver, loop_now_us(t->env.loop));
  lookup_settle(t);
}

void lookup_settle(struct trunks *t) {
  uint64_t next = resolver_next_us(t->resolver), now = loop_now_us(t->env.loop);
  if (next == UINT64_MAX)
    loop_disarm(t->env.loop, &t->lookup_timer);
  else
    loop_arm(t->env.loop, &t->lookup_timer, next > now ? next - now : 0);
}

/* sofia's resolver, which follows route sets, asks the same servers; it takes them from a file only. */
static void conf_write(struct trunks *t, const struct addr *servers, uint32_t n) {
  char ip[ADDR_TEXT_BYTES];
  const char *dir = t->env.conf->node.run_dir;
  snprintf(t->resolv_conf, sizeof t->resolv_conf, "%s/resolv.conf", *dir ? dir : ".");
  FILE *f = n ? fopen(t->resolv_conf, "we") : NULL;
  for (uint32_t i = 0; f && i < n; i++)
    fprintf(f, "port %u\nnameserver %s\n", addr_port(&servers[i]),
            addr_ip_text(&servers[i], ip, sizeof ip));
  if (n && !f)
    log_warn(trunk, "node.resolvers: %s: %s", t->resolv_conf, strerror(errno));
  if (!f || fclose(f) != 0)
    t->resolv_conf[0] = 0;
}

int lookup_start(struct trunks *t) {
  struct resolver_env env = {.arg = t, .ask = ask};
  const struct conf *c = t->env.conf;
  struct addr servers[ASKER_SERVERS_MAX];
  uint32_t n = 0;
  for (uint32_t i = 0; i < c->node.resolvers.n && n < ASKER_SERVERS_MAX; i++)
    if (addr_parse_port(&servers[n], slice_of(c->node.resolvers.text[i])) == 0 ||
        addr_parse(&servers[n], slice_of(c->node.resolvers.text[i]), 53) == 0)
      n++;
  conf_write(t, servers, n);
  t->lookup_timer = (struct timer){.fn = on_time, .arg = t};
  int e = resolver_new(&t->resolver, &env);
  if (e == 0)
    e = asker_new(&t->asker, t->env.loop, servers, n, on_answer, t);
  if (e == 0)
    e = shun_new(&t->shunned);
  if (e == 0)
    e = hops_start(t);
  return e;
}

void lookup_stop(struct trunks *t) {
  loop_disarm(t->env.loop, &t->lookup_timer);
  hops_stop(t);
  t->asker = asker_free(t->asker);
  t->resolver = resolver_free(t->resolver);
  t->shunned = shun_free(t->shunned);
}
