/* SPDX-License-Identifier: Apache-2.0
 * SIGHUP: configuration and dialplan anew, between two turns; an error leaves the old ones in force.
 * Replaced configurations are kept until the end: live calls point into them. Plans are not: calls have copies. */
#include "app/boot.h"

#include "base/log.h"

static int keep_old(struct house *h) {
  struct conf **confs = realloc(h->old_confs, (h->old_n + 1) * sizeof(struct conf *));
  if (!confs)
    return -ENOMEM;
  h->old_confs = confs;
  h->old_confs[h->old_n++] = h->conf;
  return 0;
}

/* Keys may belong to root, who is gone: what is wrong only with files leaves the certificates as they
 * are. */
static int load_again(const struct house *h, struct conf **ret_conf, struct plan **ret_plan) {
  if (house_load(h->conf_file, false, ret_conf, ret_plan) == 0)
    return 0;
  int r = house_load(h->conf_file, true, ret_conf, ret_plan);
  if (r == 0)
    log_warn(app,
             "reload: keys or certificates cannot be read as user %s: they stay as they were loaded",
             h->conf->node.user);
  return r;
}

void house_reload(struct house *h) {
  struct conf *c = NULL;
  struct plan *p = NULL;
  char why[256] = "";
  if (load_again(h, &c, &p) < 0 || keep_old(h) < 0) {
    log_error(app, "reload refused: the configuration has errors, the old one stays in force");
    conf_free(c);
    plan_free(p);
    return;
  }
  struct plan *old = h->plan;
  h->conf = c;
  h->plan = p;
  guard_reload(h->guard, c);
  calls_reload(h->calls, c, p);
  plan_free(old);
  native_reload(h->native, c);
  if (trunks_reload(h->trunks, c, why, sizeof(why)) < 0)
    log_error(app, "reload: %s", why);
  log_info(app, "configuration reloaded, version %016llx", (unsigned long long)c->version);
}
