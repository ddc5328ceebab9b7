/* SPDX-License-Identifier: Apache-2.0
 * An answer that is made a page at a time while it is sent, so that a long one needs the memory of one
 * page. What is sent embeds a struct paged as its first member. Web threads. */
#pragma once
#include "admin/desk.h"

#include <stdatomic.h>
#include <stdio.h>

struct paged {
  /* The next page: 0, or -errno. Sets ended with the last one. */
  int (*write)(struct paged *p, FILE *f);
  _Atomic unsigned *open;
  bool ended;
  char *text; /* text is what of a page is not yet sent, from `at`. */
  size_t bytes, at;
};

/* An object of so many bytes that begins with a struct paged, zeroed; *open counts those of its kind.
 * NULL: four are being sent already (ret is 503), or no memory. Freed by its owner, after paged_done. */
void *paged_new(size_t bytes, int (*write)(struct paged *p, FILE *f), _Atomic unsigned *open,
                struct web_answer *ret);
void paged_done(struct paged *p);
int paged_make(struct paged *p) must_check; /* the next page, before it is asked for: what is wrong is told */
ssize_t paged_read(void *p, char *dst, size_t max); /* as web_source wants it */
