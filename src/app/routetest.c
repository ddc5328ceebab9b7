/* SPDX-License-Identifier: Apache-2.0
 * sallyport route-test: the rules of the dialplan one by one for a number, the one that takes it, the
 * numbers as they are rewritten, the steps; forwards are followed. Nothing is called, no other program
 * is asked. */
#include "app/cli.h"
#include "base/clock.h"
#include "route/route.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

enum { FORWARDS_MAX = 3, STEP_TEXT_BYTES = 2200 };

struct words {
  const char *number, *trunk, *user, *from, *time, *verified, *config, *plan;
  bool is_json, is_anonymous;
};

static const struct argp_option options[] = {
    {"trunk", 't', "NAME", 0, "The call comes in by this trunk", 0},
    {"user", 'u', "NAME", 0, "The call is one of this user (default: the first one)", 0},
    {"from", 'f', "NUMBER", 0, "The caller's number (default: the user's first)", 0},
    {"anonymous", 'a', 0, 0, "The caller hides the number", 0},
    {"verified", 'v', "A|B|C|failed", 0, "What the caller's signature is worth", 0},
    {"time", 'T', "TIME", 0, "When: 2026-12-24T17:30 (UTC); default: now", 0},
    {"config", 'c', "FILE", 0, "The configuration", 0},
    {"plan", 'p', "FILE", 0, "Another dialplan than the configuration's: one that is not in force yet",
     0},
    {"json", 'j', 0, 0, "As JSON", 0},
    {0},
};

static error_t option_take(int key, char *arg, struct argp_state *state) {
  struct words *w = state->input;
  const struct {
    int key;
    const char **to;
  } texts[] = {{'t', &w->trunk},    {'u', &w->user},   {'f', &w->from}, {'T', &w->time},
               {'v', &w->verified}, {'c', &w->config}, {'p', &w->plan}};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    if (key == texts[i].key) {
      *texts[i].to = arg;
      return 0;
    }
  if (key == 'j')
    w->is_json = true;
  else if (key == 'a')
    w->is_anonymous = true;
  else if (key == ARGP_KEY_ARG && !w->number)
    w->number = arg;
  else if (key == ARGP_KEY_ARG || key == ARGP_KEY_NO_ARGS)
    argp_usage(state);
  else
    return ARGP_ERR_UNKNOWN;
  return 0;
}

static int fault(const char *what, const char *name) {
  fprintf(stderr, "sallyport: %s %s\n", what, name);
  return -EINVAL;
}

static int load(const struct words *w, struct conf **ret_conf, struct plan **ret_plan) {
  own_mem struct conf_errors *e = calloc(1, sizeof(*e));
  const char *file = cli_config(w->config);
  if (!e)
    return -ENOMEM;
  int r = conf_load(ret_conf, file, true, e);
  if (r == 0)
    r = plan_load(ret_plan, w->plan ? w->plan : (*ret_conf)->dialplan, e);
  if (r == 0)
    r = plan_check(*ret_plan, *ret_conf, e);
  for (uint32_t i = 0; i < e->n && i < CONF_ERRORS_MAX; i++)
    fprintf(stderr, "%s:%u: %s\n", e->list[i].file, e->list[i].line, e->list[i].text);
  return r;
}

/* As the trunk writes numbers. */
static void numbers_read(struct route_facts *f, const char *trunk, const struct plan *p) {
  static char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES];
  if (route_number(p, trunk, ROUTE_IN_CALLED, f->called, called, sizeof(called)) == 0)
    f->called = slice_of(called);
  if (route_number(p, trunk, ROUTE_IN_CALLER, f->caller, caller, sizeof(caller)) == 0)
    f->caller = slice_of(caller);
}

/* Who calls, and when. */
static int facts_fill(struct route_facts *f, const struct words *w, const struct conf *c,
                      const struct plan *p) {
  const struct conf_user *u = w->user      ? conf_user_find(c, slice_of(w->user))
                              : c->n_users ? c->users
                                           : NULL;
  struct tm tm = {0};
  *f = (struct route_facts){.from_kind = w->trunk ? SLICE("trunk") : SLICE("native"),
                            .trunk = slice_of(w->trunk),
                            .called = slice_of(w->number),
                            .caller = slice_of(w->from),
                            .verified = slice_of(w->verified),
                            .anonymous = w->is_anonymous,
                            .wall_s = clock_wall_ms() / 1000};
  if (w->trunk && !conf_trunk_find(c, f->trunk))
    return fault("there is no trunk", w->trunk);
  if (w->user && !u)
    return fault("there is no user", w->user);
  if (w->time && !strptime(w->time, "%Y-%m-%dT%H:%M", &tm))
    return fault("a time is written like 2026-12-24T17:30, not", w->time);
  if (w->time)
    f->wall_s = (uint64_t)timegm(&tm);
  if (w->trunk)
    numbers_read(f, w->trunk, p);
  if (!w->trunk && u) {
    f->identity = slice_of(u->name);
    f->tenant = slice_of(u->tenant);
    if (!w->from && u->numbers.n)
      f->caller = slice_of(u->numbers.text[0]);
  }
  return 0;
}

static json_t *trials_json(const struct plan *p, const struct route_facts *f) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < plan_rules(p); i++) {
    struct route_trial t = route_try(p, i, f);
    json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:s}", "rule", t.name, "line", (int)t.line,
                                          "fits", t.fits, "why", t.why));
    if (t.fits || t.gave_up)
      break;
  }
  return list;
}

static json_t *steps_json(const struct route_decision *d) {
  char text[STEP_TEXT_BYTES];
  json_t *list = json_array();
  for (uint32_t i = 0; i < d->n_steps; i++) {
    route_step_text(d, i, text, sizeof(text));
    json_array_append_new(list, json_string(text));
  }
  return list;
}

static json_t *decision_json(const struct plan *p, const struct route_facts *f,
                             const struct route_decision *d) {
  json_t *j =
      json_pack("{s:s%, s:s%, s:o, s:s, s:s, s:s, s:b, s:o}", "number", f->called.p, f->called.n, "from",
                f->from_kind.p, f->from_kind.n, "rules", trials_json(p, f), "rule", d->rule, "called",
                d->called, "caller", d->caller, "emergency", d->emergency, "steps", steps_json(d));
  if (d->action == ROUTE_REFUSE)
    json_object_set_new(j, "refused", json_integer(d->sip));
  if (d->fault)
    json_object_set_new(j, "fault", json_string(d->fault));
  return j;
}

static const struct route_step *forward_of(const struct route_decision *d) {
  for (uint32_t i = 0; i < d->n_steps; i++)
    if (d->steps[i].action == ROUTE_FORWARD)
      return &d->steps[i];
  return NULL;
}

/* The decision, and those of the numbers that it is forwarded to. */
static struct route_decision show(const struct plan *p, struct route_facts f, bool is_json) {
  struct route_decision first = route_decide(p, &f), d = first;
  json_t *list = json_array();
  own_mem char *text = malloc(65536);
  for (unsigned depth = 0; text; depth++) {
    if (!is_json) {
      route_explain(p, &f, text, 65536);
      printf("%s%.*s:\n%s", depth ? "forwarded to " : "", SLICE_ARG(f.called), text);
    } else {
      json_array_append_new(list, decision_json(p, &f, &d));
    }
    const struct route_step *forward = forward_of(&d);
    if (!forward || depth == FORWARDS_MAX)
      break;
    f.from_kind = SLICE("forward");
    f.called = slice_of(forward->number);
    d = route_decide(p, &f);
  }
  if (is_json) {
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
  }
  json_decref(list);
  return first;
}

int routetest_run(int argc, char **argv) {
  static const struct argp argp = {options,
                                   option_take,
                                   "NUMBER",
                                   "Shows which rule of the dialplan takes a number, and why. Exit "
                                   "status: 0 there is a way, 1 the plan "
                                   "refuses the call, 2 the words or the files are wrong.",
                                   NULL,
                                   NULL,
                                   NULL};
  struct words w = {0};
  struct route_facts f;
  own(conf) conf = NULL;
  own(plan) plan = NULL;
  argp_err_exit_status = CLI_USAGE;
  if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0 || load(&w, &conf, &plan) < 0 ||
      facts_fill(&f, &w, conf, plan) < 0)
    return CLI_USAGE;
  struct route_decision d = show(plan, f, w.is_json);
  return d.action == ROUTE_REFUSE ? CLI_NO : CLI_OK;
}
