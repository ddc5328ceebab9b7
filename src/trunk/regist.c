/* SPDX-License-Identifier: Apache-2.0
 * The life of what regist.h keeps, along with the door's: made at the start, anew at each reload. */
#include "base/clock.h"
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
                    : trunk->attach.accept_register ? registrar_binding(t, trunk->name, 0) != NULL
                                                    : true;
  return is_reached ? 0 : *trunk->target ? 1 : -ENOTCONN;
}

const char *regist_words(void *arg, const struct conf_trunk *trunk, char *dst, size_t bytes) {
  const struct line *l = register_line(arg, trunk->name);
  int status = l ? l->engine.last_status : 0;
  if (trunk->attach.accept_register)
    snprintf(dst, bytes, ": its peer did not register with us");
  else if (!status || status == 408 || status == 503)
    snprintf(dst, bytes, ": its registrar does not answer, or has no room");
  else
    snprintf(dst, bytes, ": its registrar answered %d", status);
  return dst;
}

const char *regist_routes(struct trunks *t, const struct conf_trunk *trunk, uint32_t key) {
  const struct line *l = register_line(t, trunk->name);
  const struct binding *b = registrar_binding(t, trunk->name, key);
  return l ? l->service_route : b ? b->path : "";
}

/* The user part of our Contact there; empty: none, or that of all numbers. */
static struct slice contact_user(const struct conf_trunk *trunk) {
  const struct conf_attach *c = &trunk->attach;
  struct slice aor = slice_of(c->registration.aor);
  if (!c->registration.registrars.n || c->registration.bnc || aor.n < strlen("sip:"))
    return slice_from(NULL, 0);
  aor = slice_from(aor.p + strlen("sip:"), aor.n - strlen("sip:"));
  return *c->registration.contact_user ? slice_of(c->registration.contact_user) : slice_cut(&aor, '@');
}

static bool is_contact(const struct conf_trunk *trunk, const sip_t *sip) {
  const char *user = sip->sip_request ? sip->sip_request->rq_url->url_user : NULL;
  struct slice ours = contact_user(trunk);
  return user && ours.n && slice_eq(ours, slice_of(user));
}

const struct conf_trunk *regist_pick(struct agent *a, const struct conf_trunk *found,
                                     const struct addr *source, const struct ask_hosts *subjects,
                                     const sip_t *sip) {
  const struct conf *c = a->t->env.conf;
  for (uint32_t i = 0; i < c->n_trunks; i++)
    if (!strcmp(c->trunks[i].listener, a->listener) && is_contact(&c->trunks[i], sip) &&
        guard_is_peer(a->t->env.guard, &c->trunks[i], source, subjects))
      return &c->trunks[i];
  return found;
}

/* USER of "…<sip:USER@HOST>…"; empty: none. */
static struct slice party_user(const char *value) {
  const char *at = value ? strstr(value, "sip:") : NULL;
  size_t n = at ? strcspn(at + 4, "@>;, ") : 0;
  return at && at[4 + n] == '@' ? slice_from(at + 4, n) : slice_from(NULL, 0);
}

struct slice regist_called(const struct conf_trunk *trunk, const sip_t *sip) {
  struct slice said = slice_of(sip->sip_request->rq_url->url_user);
  if (!trunk || !is_contact(trunk, sip))
    return said;
  struct slice party = party_user(header_unknown(sip, "P-Called-Party-ID"));
  struct slice to = slice_of(sip->sip_to->a_url->url_user);
  return party.n ? party : to.n ? to : said;
}

void regist_target(struct trunks *t, const struct conf_trunk *trunk, uint32_t key, char *target,
                   size_t bytes) {
  const struct binding *b =
      trunk->attach.accept_register ? registrar_binding(t, trunk->name, key) : NULL;
  if (b && !b->bnc && strchr(b->uri, '@') && strlen(b->uri) < bytes)
    slice_copy(target, bytes, slice_of(b->uri));
}

static uint64_t wall_of(const struct trunks *t, uint64_t at_us) {
  uint64_t now = loop_now_us(t->env.loop);
  return at_us > now ? clock_wall_ms() + (at_us - now) / 1000 : 0;
}

static void ours_show(struct trunks *t, const struct line *l, struct trunk_registration *ret) {
  const struct conf_names *registrars = &l->attach.registration.registrars;
  ret->state = registration_state_text(l->engine.state);
  ret->last_status = l->engine.last_status;
  ret->until_ms = wall_of(t, l->engine.until_us);
  slice_copy(ret->at, sizeof ret->at,
             slice_of(registrars->text[l->engine.is_back ? l->engine.held : l->engine.at]));
}

static void theirs_show(struct trunks *t, const struct binding *list, uint32_t n,
                        struct trunk_registration *ret) {
  for (; ret->n_bindings < n && ret->n_bindings < TRUNK_BINDINGS_MAX; ret->n_bindings++) {
    const struct binding *b = &list[ret->n_bindings];
    slice_copy(ret->bindings[ret->n_bindings].contact, sizeof ret->bindings[0].contact,
               slice_of(b->uri));
    addr_text(&b->source, ret->bindings[ret->n_bindings].source, sizeof ret->bindings[0].source);
    ret->bindings[ret->n_bindings].until_ms = wall_of(t, b->until_us);
  }
}

bool trunks_registration(struct trunks *t, const struct conf_trunk *trunk,
                         struct trunk_registration *ret) {
  const struct line *l = register_line(t, trunk->name);
  const struct registry *r = registrar_list(t, trunk->name);
  *ret = (struct trunk_registration){.is_ours = trunk->attach.registration.registrars.n > 0,
                                     .is_theirs = trunk->attach.accept_register,
                                     .state = registration_state_text(REGISTRATION_OFF)};
  if (l)
    ours_show(t, l, ret);
  if (r)
    theirs_show(t, r->list, r->n, ret);
  return ret->is_ours || ret->is_theirs;
}
