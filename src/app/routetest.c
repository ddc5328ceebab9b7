/* SPDX-License-Identifier: Apache-2.0
 * sallyport route-test: the rules of the dialplan one by one for a number, the one that takes it, the
 * numbers as they are rewritten, the steps; forwards are followed. Nothing is called, no other program
 * is asked. */
#include "app/cli.h"
#include "revise/revise.h"

#include <argp.h>
#include <stdio.h>

enum { TEXT_BYTES = 65536 };

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

static int ask(struct trial *t, const struct words *w, const struct conf *c, const struct plan *p) {
  const struct trial_words words = {.called = w->number,
                                    .caller = w->from,
                                    .trunk = w->trunk,
                                    .user = w->user,
                                    .verified = w->verified,
                                    .at = w->time,
                                    .anonymous = w->is_anonymous};
  const char *word, *why;
  int r = trial_ask(t, &words, c, p, &word, &why);
  if (r < 0)
    fprintf(stderr, "sallyport: %s: %s\n", word, why);
  return r;
}

static void show_json(const struct plan *p, const struct route_facts *f) {
  json_t *list = trial_walk(p, *f);
  json_dumpf(list, stdout, JSON_INDENT(2));
  putchar('\n');
  json_decref(list);
}

/* The decision, and those of the numbers that it is forwarded to. */
static void show_text(const struct plan *p, struct route_facts f) {
  own_mem char *text = malloc(TEXT_BYTES);
  for (unsigned depth = 0; text && depth <= TRIAL_FORWARDS_MAX; depth++) {
    struct route_decision d = route_decide(p, &f);
    route_explain(p, &f, text, TEXT_BYTES);
    printf("%s%.*s:\n%s", depth ? "forwarded to " : "", SLICE_ARG(f.called), text);
    if (!trial_forward(&f, &d))
      break;
  }
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
  struct trial t;
  own(conf) conf = NULL;
  own(plan) plan = NULL;
  argp_err_exit_status = CLI_USAGE;
  if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0 || load(&w, &conf, &plan) < 0 ||
      ask(&t, &w, conf, plan) < 0)
    return CLI_USAGE;
  if (w.is_json)
    show_json(plan, &t.f);
  else
    show_text(plan, t.f);
  struct route_decision d = route_decide(plan, &t.f);
  return d.action == ROUTE_REFUSE ? CLI_NO : CLI_OK;
}
