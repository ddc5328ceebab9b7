/* SPDX-License-Identifier: Apache-2.0
 * Reports of Trunk Doctor on their way to the disk: the owner's thread leaves them here and never waits,
 * the keeper's turn writes them. Of one report the newest text is kept. */
#include "admin/desk.h"

#include "base/clock.h"

enum { WAITING_MAX = 32 };

struct waiting {
  char id[40];
  char *text; /* NULL: it goes */
};

struct reports {
  pthread_mutex_t lock; /* never held while the disk is written */
  struct waiting list[WAITING_MAX];
  size_t n;
};

/* Under lock. Room for it at the end; where there is none, the oldest that waits is given up. */
static void waiting_add(struct reports *r, const char *id, char *text) {
  if (r->n == WAITING_MAX) {
    free(r->list[0].text);
    memmove(r->list, r->list + 1, --r->n * sizeof(r->list[0]));
  }
  struct waiting *w = &r->list[r->n++];
  *w = (struct waiting){.text = text};
  slice_copy(w->id, sizeof(w->id), slice_of(id));
}

static struct waiting *waiting_find(struct reports *r, const char *id) {
  for (size_t i = 0; i < r->n; i++)
    if (strcmp(r->list[i].id, id) == 0)
      return &r->list[i];
  return NULL;
}

void admin_report(struct admin *a, const char *id, const char *text) {
  struct reports *r = a->reports;
  char *copy = text ? strdup(text) : NULL;
  if (text && !copy)
    return;
  pthread_mutex_lock(&r->lock);
  struct waiting *w = waiting_find(r, id);
  if (w) {
    free(w->text);
    w->text = copy;
  } else {
    waiting_add(r, id, copy);
  }
  pthread_mutex_unlock(&r->lock);
}

static bool waiting_take(struct reports *r, struct waiting *ret) {
  pthread_mutex_lock(&r->lock);
  bool has = r->n > 0;
  if (has) {
    *ret = r->list[0];
    memmove(r->list, r->list + 1, --r->n * sizeof(r->list[0]));
  }
  pthread_mutex_unlock(&r->lock);
  return has;
}

/* It could not be written: again later, unless something newer came. */
static void waiting_back(struct reports *r, struct waiting *w) {
  pthread_mutex_lock(&r->lock);
  if (waiting_find(r, w->id))
    free(w->text);
  else
    waiting_add(r, w->id, w->text);
  pthread_mutex_unlock(&r->lock);
}

void reports_turn(struct admin *a) {
  struct waiting w;
  int e = 0;
  while (e == 0 && waiting_take(a->reports, &w)) {
    e = w.text ? kept_report_put(a->ledger, w.id, w.text, clock_wall_ms())
               : kept_report_del(a->ledger, w.id);
    if (e < 0)
      waiting_back(a->reports, &w);
    else
      free(w.text);
  }
}

void admin_reports(struct admin *a, void (*each)(void *arg, const char *text), void *arg) {
  kept_reports(a->ledger, each, arg);
}

int reports_start(struct admin *a) {
  a->reports = calloc(1, sizeof(*a->reports));
  if (!a->reports)
    return -ENOMEM;
  pthread_mutex_init(&a->reports->lock, NULL);
  return 0;
}

void reports_stop(struct admin *a) {
  struct reports *r = a->reports;
  if (!r)
    return;
  reports_turn(a);
  for (size_t i = 0; i < r->n; i++)
    free(r->list[i].text);
  pthread_mutex_destroy(&r->lock);
  free(r);
  a->reports = NULL;
}
