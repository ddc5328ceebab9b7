/* SPDX-License-Identifier: Apache-2.0
 * Trunk Doctor wired to the operators' door. Call thread. */
#include "app/boot.h"

static bool is_emergency(const struct house *h, const char *number) {
  bool is = !strcmp(number, "112") || !strcmp(number, "911");
  for (uint32_t i = 0; h->plan && !is && plan_emergency(h->plan, i); i++)
    is = !strcmp(number, plan_emergency(h->plan, i));
  return is;
}

/* A run calls its number some twenty times: never one that leads to an emergency call. */
static int start(void *arg, struct slice trunk, char ret_id[40]) {
  struct house *h = arg;
  const struct conf_trunk *t = conf_trunk_find(h->conf, trunk);
  if (t && (is_emergency(h, t->doctor.number) || is_emergency(h, t->doctor.unknown) ||
            is_emergency(h, t->doctor.busy)))
    return -EPERM;
  return doctor_start(h->doctor, trunk, ret_id);
}
static json_t *list(void *arg) { return doctor_list(((struct house *)arg)->doctor); }
static json_t *report(void *arg, struct slice id) {
  return doctor_report(((struct house *)arg)->doctor, id);
}
static char *page(void *arg, struct slice id, bool is_text) {
  return doctor_page(((struct house *)arg)->doctor, id, is_text);
}
static int stop(void *arg, struct slice id) { return doctor_cancel(((struct house *)arg)->doctor, id); }

static void put(void *arg, const char *id, const char *text) {
  struct house *h = arg;
  if (h->admin)
    admin_report(h->admin, id, text);
}
static void drop(void *arg, const char *id) { put(arg, id, NULL); }
static void recall(void *arg, const char *text) { doctor_recall(arg, text); }

void house_doctor_recall(struct house *h) { admin_reports(h->admin, recall, h->doctor); }

int house_doctor(struct house *h, struct admin_settings *s) {
  s->doctor.arg = h;
  s->doctor.start = start;
  s->doctor.list = list;
  s->doctor.report = report;
  s->doctor.page = page;
  s->doctor.stop = stop;
  const struct doctor_keep keep = {.arg = h, .put = put, .drop = drop};
  return doctor_new(&h->doctor, h->loop, h->calls, h->conf, &keep);
}
