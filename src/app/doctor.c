/* SPDX-License-Identifier: Apache-2.0
 * Trunk Doctor wired to the operators' door. Call thread. */
#include "app/boot.h"

static int start(void *arg, struct slice trunk, char ret_id[40]) {
  struct house *h = arg;
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

int house_doctor(struct house *h, struct admin_settings *s) {
  s->doctor.arg = h;
  s->doctor.start = start;
  s->doctor.list = list;
  s->doctor.report = report;
  s->doctor.page = page;
  s->doctor.stop = stop;
  return doctor_new(&h->doctor, h->loop, h->calls, h->conf);
}
