/* SPDX-License-Identifier: Apache-2.0
 * Accounts: see account.h. */
#include "trunk/account.h"

#include <fcntl.h>
#include <stdio.h>

const char *account_realm(const struct conf_trunk *t) {
  const char *realm = t->attach.digest.realm;
  return *realm ? realm : *t->fqdn ? t->fqdn : t->name;
}

/* A secret file as text on the heap, ACCOUNT_FILE_BYTES; 0 or -errno. */
static int file_read(const char *path, char **ret, size_t *ret_n) {
  own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  char *text = calloc(1, ACCOUNT_FILE_BYTES);
  ssize_t n = text ? read(fd, text, ACCOUNT_FILE_BYTES) : -1;
  if (n < 0) {
    int e = text ? -errno : -ENOMEM;
    free(text);
    return e;
  }
  *ret = text;
  *ret_n = (size_t)n;
  return 0;
}

static void file_free(char *text) {
  if (text)
    explicit_bzero(text, ACCOUNT_FILE_BYTES);
  free(text);
}

static int password_read(struct account *a, const struct conf_trunk *t, char *why, size_t why_bytes) {
  const char *path = t->attach.credentials.password_file;
  char *text = NULL;
  size_t n = 0;
  int e = file_read(path, &text, &n);
  struct slice rest = slice_from(text, n), line = slice_trim(slice_cut(&rest, '\n'));
  if (e == 0 && (!line.n || slice_copy(a->password, sizeof a->password, line) < 0))
    e = -EINVAL;
  if (e < 0)
    snprintf(why, why_bytes, "%s: expected a password of 1 to %zu characters in the first line (%s)",
             path, sizeof a->password - 1, strerror(-e));
  file_free(text);
  return e;
}

static bool is_hash(struct slice s, enum digest_algorithm a) {
  if (s.n != (a == DIGEST_MD5 ? 32 : 64))
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (!strchr("0123456789abcdefABCDEF", s.p[i]))
      return false;
  return true;
}

/* REALM:ALGORITHM:HASH; false if it is not that (then it is a password with colons in it). */
static bool hash_take(struct account_user *u, struct slice s, const char *realm, bool *ret_is_other) {
  struct slice rest = s, of = slice_cut(&rest, ':'), word = slice_cut(&rest, ':');
  for (unsigned a = 0; a < DIGEST_ALGORITHMS; a++) {
    if (!slice_ieq(word, slice_of(digest_algorithm_text(a))) || !is_hash(rest, a))
      continue;
    *ret_is_other = !slice_eq(of, slice_of(realm));
    for (size_t i = 0; i < rest.n && !*ret_is_other; i++)
      u->ha1[a][i] = (char)(rest.p[i] >= 'A' && rest.p[i] <= 'F' ? rest.p[i] | 0x20 : rest.p[i]);
    return true;
  }
  return false;
}

static struct account_user *user_place(struct account *a, struct slice name) {
  for (uint32_t i = 0; i < a->n_users; i++)
    if (slice_eq(slice_of(a->users[i].name), name))
      return &a->users[i];
  if (a->n_users == ACCOUNT_USERS_MAX || !name.n ||
      slice_copy(a->users[a->n_users].name, CONF_NAME_BYTES, name) < 0)
    return NULL;
  return &a->users[a->n_users++];
}

/* What is wrong with the line, NULL if nothing is. */
static const char *user_take(struct account *a, struct slice line, const char *realm) {
  char password[DIGEST_TEXT_BYTES];
  struct slice secret = line, name = slice_cut(&secret, ':');
  struct account_user *u = user_place(a, name);
  bool is_other = false;
  if (!u)
    return a->n_users == ACCOUNT_USERS_MAX ? "at most 64 users" : "expected NAME:PASSWORD";
  if (hash_take(u, secret, realm, &is_other))
    return is_other ? "the hash is of another realm" : NULL;
  if (!secret.n || slice_copy(password, sizeof password, secret) < 0)
    return "expected a password of 1 to 255 characters";
  for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++)
    digest_ha1(i, u->name, realm, password, u->ha1[i]);
  explicit_bzero(password, sizeof password);
  return NULL;
}

static int account_users_parse(struct account *a, struct slice text, const char *realm, char *why,
                               size_t why_bytes) {
  if (!a->users)
    a->users = calloc(ACCOUNT_USERS_MAX, sizeof *a->users);
  if (!a->users)
    return -ENOMEM;
  for (unsigned number = 1; text.n; number++) {
    struct slice line = slice_trim(slice_cut(&text, '\n'));
    const char *wrong = line.n && line.p[0] != '#' ? user_take(a, line, realm) : NULL;
    if (wrong) {
      snprintf(why, why_bytes, "line %u: %s", number, wrong);
      return -EINVAL;
    }
  }
  return 0;
}

static int users_read(struct account *a, const struct conf_trunk *t, char *why, size_t why_bytes) {
  const char *path = t->attach.digest.users_file;
  char *text = NULL, inner[128] = "";
  size_t n = 0;
  int e = file_read(path, &text, &n);
  if (e == 0)
    e = account_users_parse(a, slice_from(text, n), account_realm(t), inner, sizeof inner);
  if (e < 0)
    snprintf(why, why_bytes, "%s: %s", path, *inner ? inner : strerror(-e));
  file_free(text);
  return e;
}

int account_read(struct account *ret, const struct conf_trunk *t, char *why, size_t why_bytes) {
  int e = 0, e2 = 0;
  *ret = (struct account){.next_nonce = 0};
  if (*t->attach.credentials.username)
    e = password_read(ret, t, why, why_bytes);
  if (*t->attach.digest.users_file)
    e2 = users_read(ret, t, why, why_bytes);
  return e < 0 ? e : e2;
}

void account_wipe(struct account *a) {
  if (a->users)
    explicit_bzero(a->users, ACCOUNT_USERS_MAX * sizeof *a->users);
  free(a->users);
  explicit_bzero(a, sizeof *a);
}

uint32_t account_nonce_count(struct account *a, const char *nonce) {
  for (unsigned i = 0; i < ACCOUNT_NONCES; i++)
    if (*nonce && !strcmp(a->nonces[i].nonce, nonce))
      return ++a->nonces[i].nc;
  unsigned i = a->next_nonce++ % ACCOUNT_NONCES;
  slice_copy(a->nonces[i].nonce, sizeof a->nonces[i].nonce, slice_of(nonce));
  return a->nonces[i].nc = 1;
}

const struct account_user *account_user_find(const struct account *a, const char *name) {
  for (uint32_t i = 0; i < a->n_users; i++)
    if (!strcmp(a->users[i].name, name))
      return &a->users[i];
  return NULL;
}
