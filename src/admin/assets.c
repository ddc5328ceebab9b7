/* SPDX-License-Identifier: Apache-2.0
 * The console's files: the page at "/", the rest below /console/ by names that change with their bytes.
 * Web threads. The bytes are gzipped, and sent so whatever the client says: what asks is a browser. */
#include "admin/desk.h"

#define PAGE_POLICY \
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " \
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " \
  "trusted-types 'none'"

static const struct asset *file_find(const struct admin *a, struct slice path) {
  for (size_t i = 0; i < a->set.files_n; i++)
    if (slice_eq(path, slice_of(a->set.files[i].path)))
      return &a->set.files[i];
  return NULL;
}

/* cache is what a cache may do with it. */
static void file_answer(struct admin *a, const struct desk_ask *ask, const char *cache,
                        struct web_answer *ret) {
  const struct asset *f = file_find(a, ask->web->path);
  if (!f) {
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
    return;
  }
  slice_copy(ret->etag, sizeof(ret->etag), slice_of(f->etag));
  ret->extra[0] = (struct web_header){"Content-Security-Policy", PAGE_POLICY};
  ret->extra[1] = (struct web_header){"Referrer-Policy", "no-referrer"};
  ret->extra[2] = (struct web_header){"Cache-Control", cache};
  if (slice_eq(ask->web->if_none_match, slice_of(f->etag))) {
    ret->status = 304;
    return;
  }
  ret->extra[3] = (struct web_header){"Content-Encoding", "gzip"};
  ret->status = 200;
  ret->type = f->type;
  ret->fixed = slice_from(f->bytes, f->n);
}

void verb_page(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  file_answer(a, ask, "no-cache", ret);
}

void verb_file(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  file_answer(a, ask, "public, max-age=31536000, immutable", ret);
}
