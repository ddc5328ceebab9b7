/* SPDX-License-Identifier: Apache-2.0
 * Answers by the page: see paged.h. */
#include "admin/paged.h"

#include <stdlib.h>

enum { AT_ONCE = 4 }; /* a page of rows each, and a connection to the file */

void *paged_new(size_t bytes, int (*write)(struct paged *p, FILE *f), _Atomic unsigned *open,
                struct web_answer *ret) {
  struct paged *p = NULL;
  if (atomic_fetch_add(open, 1) >= AT_ONCE)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "four exports are being sent already"});
  else
    p = calloc(1, bytes);
  if (!p) {
    atomic_fetch_sub(open, 1);
    return NULL;
  }
  p->write = write;
  p->open = open;
  return p;
}

void paged_done(struct paged *p) {
  free(p->text);
  atomic_fetch_sub(p->open, 1);
}

int paged_make(struct paged *p) {
  free(p->text);
  p->text = NULL;
  p->at = p->bytes = 0;
  FILE *f = open_memstream(&p->text, &p->bytes);
  if (!f)
    return -ENOMEM;
  int r = p->write(p, f);
  return fclose(f) == 0 ? r : -ENOMEM;
}

ssize_t paged_read(void *arg, char *dst, size_t max) {
  struct paged *p = arg;
  while (p->at == p->bytes && !p->ended)
    if (paged_make(p) < 0)
      return -1;
  size_t n = p->bytes - p->at < max ? p->bytes - p->at : max;
  if (n)
    memcpy(dst, p->text + p->at, n);
  p->at += n;
  return (ssize_t)n;
}
