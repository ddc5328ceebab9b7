/* SPDX-License-Identifier: Apache-2.0
 * The admin token: see gate.h. */
#include "admin/gate.h"

#include "base/hmac.h"
#include "base/keyfile.h"
#include "base/rand.h"

static int token_make(const char *file) {
  char token[44];
  rand_text(token, 42);
  token[42] = '\n';
  int r = keyfile_write(file, token, 43);
  explicit_bzero(token, sizeof(token));
  return r;
}

static int token_read(struct gate *g, const char *file) {
  char text[256];
  size_t n;
  int r = keyfile_read(file, 0, text, sizeof(text), &n);
  if (r < 0)
    return r;
  struct slice token = slice_trim(slice_from(text, n));
  r = token.n < 20 ? -EINVAL : slice_copy(g->token, sizeof(g->token), token);
  explicit_bzero(text, sizeof(text));
  return r < 0 ? -EINVAL : 0;
}

int gate_open(struct gate *ret, const char *file) {
  memset(ret, 0, sizeof(*ret));
  int r = token_read(ret, file);
  if (r == -ENOENT) {
    r = token_make(file);
    if (r == 0)
      r = token_read(ret, file);
  }
  if (r == 0)
    hash_sha256(slice_of(ret->token), ret->digest);
  return r;
}

void gate_done(struct gate *g) { explicit_bzero(g, sizeof(*g)); }
