/* SPDX-License-Identifier: Apache-2.0
 * The life of what regist.h keeps, along with the door's: made at the start, anew at each reload. */
#include "trunk/regist.h"

static void accounts_read(struct trunks *t) {
  char why[CONF_PATH_BYTES + 160];
  for (uint32_t i = 0; i < t->env.conf->n_trunks && i < CONF_TRUNKS_MAX; i++) {
    const struct conf_trunk *trunk = &t->env.conf->trunks[i];
    if (account_read(&t->regist->accounts[i], trunk, why, sizeof why) < 0)
      log_warn(trunk, "trunk %s: %s", trunk->name, why);
  }
}

int regist_start(struct trunks *t) {
  if (!t->regist)
    t->regist = calloc(1, sizeof *t->regist);
  if (!t->regist || (!t->regist->nonces && nonces_new(&t->regist->nonces) < 0))
    return -ENOMEM;
  accounts_read(t);
  register_start(t);
  registrar_start(t);
  return 0;
}

void regist_reload(struct trunks *t, const struct conf *next) {
  if (!t->regist)
    return;
  register_prune(t, next);
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++)
    account_wipe(&t->regist->accounts[i]);
}

void regist_drain(struct trunks *t) { register_leave(t); }
bool regist_is_idle(const struct trunks *t) { return !register_is_leaving(t); }

void regist_free(struct trunks *t) {
  if (!t->regist)
    return;
  register_free(t);
  registrar_stop(t);
  for (uint32_t i = 0; i < CONF_TRUNKS_MAX; i++)
    account_wipe(&t->regist->accounts[i]);
  nonces_free(t->regist->nonces);
  free(take(t->regist));
}

struct account *regist_account(struct trunks *t, const struct conf_trunk *trunk) {
  const struct conf *c = t->env.conf;
  bool is_one = trunk >= c->trunks && trunk < c->trunks + c->n_trunks;
  return is_one && t->regist ? &t->regist->accounts[trunk - c->trunks] : NULL;
}

int regist_rank(struct trunks *t, const struct conf_trunk *trunk) {
  bool is_reached = trunk->attach.registration.registrars.n ? register_is_up(t, trunk->name)
                    : trunk->attach.accept_register         ? registrar_binding(t, trunk->name) != NULL
                                                            : true;
  return is_reached ? 0 : *trunk->target ? 1 : -ENOTCONN;
}

const char *regist_routes(struct trunks *t, const struct conf_trunk *trunk) {
  const struct line *l = register_line(t, trunk->name);
  const struct binding *b = registrar_binding(t, trunk->name);
  return l ? l->service_route : b ? b->path : "";
}
