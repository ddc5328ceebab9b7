/* SPDX-License-Identifier: Apache-2.0
 * The document in force and what is done with it: see revise.h. */
#include "revise/inner.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/file.h>

enum { CONFIRM_MAX_S = 86400 };

/* ---- the start ---- */

static int state_dir_of(const char *file, const char *text, char dst[CONF_PATH_BYTES]) {
  own(tree) t = NULL;
  own_mem struct conf_errors *e = errors_new();
  if (!e)
    return -ENOMEM;
  int r = tree_new(&t, file, slice_of(text), e);
  if (r < 0)
    return r;
  const struct tree_node *dir = tree_find(tree_find(t->root, "node"), "state_dir");
  return field_path(dst, CONF_PATH_BYTES, file,
                    dir && dir->kind == TREE_SCALAR ? dir->text : SLICE("state"));
}

static int once_write(const char *path, const char *text) {
  struct held h = {.fd = -1};
  held_open(&h, path);
  int r = held_write(&h, path, slice_of(text));
  held_close(&h);
  return r;
}

/* Edited while nobody ran, in a folder where a commit waited. */
static void crash_edits(struct book *b, const char *file, const char *back[2], uint32_t to) {
  own_mem char *was = NULL, *was_plan = NULL, *text = NULL, *plan = NULL;
  char path[CONF_PATH_BYTES];
  if (book_text(b, to, &was, &was_plan) < 0 || file_read(file, &text) < 0)
    return;
  plan_path_of(file, text, path);
  if (file_read(path, &plan) < 0)
    return;
  bool is_text = strcmp(text, was) == 0 || strcmp(text, back[0]) == 0,
       is_plan = strcmp(plan, was_plan) == 0 || strcmp(plan, back[1]) == 0;
  if (!is_text || !is_plan)
    edits_keep(b, text, plan);
}

static int recover_write(struct book *b, const char *file, const struct book_mark *m, char *why,
                         size_t bytes) {
  own_mem char *text = NULL, *plan = NULL;
  char path[CONF_PATH_BYTES];
  struct revise_entry e = {.of = m->back, .how = "crash", .who = "gateway"};
  int r = book_text(b, m->back, &text, &plan);
  if (r < 0)
    return r;
  crash_edits(b, file, (const char *[]){text, plan}, m->to);
  e.version = book_find(b, m->back)->version;
  plan_path_of(file, text, path);
  if (path[0])
    r = once_write(path, plan);
  if (r == 0)
    r = once_write(file, text);
  if (r == 0 && book_add(b, &e, text, plan) < 0)
    log_warn(conf, "going back to configuration %u is not in the history", m->back);
  if (r == 0)
    r = book_mark(b, NULL);
  snprintf(why, bytes, "configuration %u was not confirmed before the program ended: back to %u", m->to,
           m->back);
  return r;
}

int revise_recover(const char *file, char *why, size_t why_bytes) {
  own_mem char *text = NULL;
  own(book) b = NULL;
  char dir[CONF_PATH_BYTES], mark[CONF_PATH_BYTES + 32];
  struct book_mark m;
  why[0] = 0;
  if (file_read(file, &text) < 0 || state_dir_of(file, text, dir) < 0)
    return 0; /* the loader says why */
  snprintf(mark, sizeof(mark), "%s/config/pending", dir);
  if (access(mark, F_OK) < 0)
    return 0;
  snprintf(mark, sizeof(mark), "%s/lock", dir);
  own_fd lock = open(mark, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
    return lock >= 0 && errno == EWOULDBLOCK ? 0 : -errno;
  int r = book_open(&b, dir);
  if (r == 0 && !book_marked(b, &m))
    return book_mark(b, NULL);
  if (r == 0)
    r = recover_write(b, file, &m, why, why_bytes);
  return r < 0 ? r : 1;
}

static int texts_read(struct revise *r) {
  own(conf) c = NULL;
  own_mem struct conf_errors *e = errors_new();
  if (!e)
    return -ENOMEM;
  int x = file_read(r->file, &r->text);
  if (x == 0)
    x = conf_judge(&c, r->file, slice_of(r->text), true, e);
  if (x < 0)
    return x;
  r->version = c->version;
  slice_copy(r->plan_path, sizeof(r->plan_path), slice_of(c->dialplan));
  return file_read(r->plan_path, &r->plan_text);
}

/* What was edited while nobody ran is in the history too. */
static int start_note(struct revise *r) {
  own_mem char *text = NULL, *plan = NULL;
  struct revise_entry e = {.how = "start", .who = "gateway", .version = r->version};
  uint32_t n = book_count(r->book);
  if (n && book_text(r->book, book_at(r->book, n - 1)->n, &text, &plan) == 0 &&
      strcmp(text, r->text) == 0 && strcmp(plan, r->plan_text) == 0) {
    r->n = book_at(r->book, n - 1)->n;
    return 0;
  }
  int x = book_add(r->book, &e, r->text, r->plan_text);
  r->n = e.n;
  return x;
}

int revise_new(struct revise **ret, const struct revise_env *env) {
  own(revise) r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->env = *env;
  r->held.fd = r->held_plan.fd = -1;
  pthread_mutex_init(&r->lock, NULL);
  sem_init(&r->wake, 0, 0);
  slice_copy(r->file, sizeof(r->file), slice_of(env->file));
  int x = texts_read(r);
  if (x == 0)
    x = book_open(&r->book, env->state_dir);
  if (x == 0)
    x = start_note(r);
  if (x < 0)
    return x;
  held_open(&r->held, r->file);
  held_open(&r->held_plan, r->plan_path);
  x = pthread_create(&r->thread, NULL, revise_thread, r);
  r->has_thread = x == 0;
  if (x == 0)
    *ret = take(r);
  return -x;
}

struct revise *revise_free(struct revise *r) {
  if (!r)
    return NULL;
  atomic_store(&r->ending, true);
  sem_post(&r->wake);
  if (r->has_thread)
    pthread_join(r->thread, NULL);
  held_close(&r->held);
  held_close(&r->held_plan);
  book_free(r->book);
  free(r->text);
  free(r->plan_text);
  sem_destroy(&r->wake);
  pthread_mutex_destroy(&r->lock);
  free(r);
  return NULL;
}

/* ---- what is in force ---- */

static void etag_write(const struct revise *r, char ret[REVISE_ETAG_BYTES]) {
  uint8_t hash[2][HMAC_SHA256_BYTES], both[HMAC_SHA256_BYTES];
  hash_sha256(slice_of(r->text), hash[0]);
  hash_sha256(slice_of(r->plan_text), hash[1]);
  hash_sha256(slice_from(hash, sizeof(hash)), both);
  for (size_t i = 0; i < (REVISE_ETAG_BYTES - 1) / 2; i++)
    snprintf(ret + 2 * i, 3, "%02x", both[i]);
}

int revise_state(struct revise *r, struct revise_state *ret) {
  memset(ret, 0, sizeof(*ret));
  pthread_mutex_lock(&r->lock);
  ret->text = secrets_hide(conf_fields, conf_fields_n, r->text);
  ret->plan_text = strdup(r->plan_text);
  slice_copy(ret->plan_name, sizeof(ret->plan_name), slice_of(r->plan_path));
  etag_write(r, ret->etag);
  ret->n = r->n;
  ret->version = r->version;
  ret->confirm_by_ms = r->is_pending ? r->mark.until_ms : 0;
  pthread_mutex_unlock(&r->lock);
  if (ret->text && ret->plan_text)
    return 0;
  revise_state_done(ret);
  return -ENOMEM;
}

void revise_state_done(struct revise_state *s) {
  free(s->text);
  free(s->plan_text);
  s->text = s->plan_text = NULL;
}

uint64_t revise_confirm_by_ms(const struct revise *r) { return atomic_load(&r->confirm_by_ms); }

/* ---- candidates ---- */

/* Another dialplan than the one in force: a file of the configuration's own folder, so that no text can
 * make us read or write anywhere else. */
static void plan_path_check(const struct revise *r, struct candidate *c) {
  char path[CONF_PATH_BYTES];
  const char *slash = strrchr(r->file, '/');
  size_t n = slash ? (size_t)(slash - r->file) + 1 : 0;
  plan_path_of(r->file, c->text, path);
  if (!path[0] || strcmp(path, r->plan_path) == 0 ||
      (strncmp(path, r->file, n) == 0 && !strstr(path, "..") && (n || path[0] != '/')))
    return;
  faults_put(&c->faults, "/dialplan", "file",
             "expected the dialplan that is in force, or a file in the configuration's own folder");
}

static void state_dir_check(const struct revise *r, struct candidate *c) {
  char dir[CONF_PATH_BYTES];
  if (state_dir_of(r->file, c->text, dir) == 0 && strcmp(dir, r->env.state_dir) != 0)
    faults_put(&c->faults, "/node/state_dir", "file",
               "expected the folder in force: the history is in it; edit the file and restart");
}

/* is_bound: it comes from somebody who need not be the machine's owner; what was in force once does not. */
static int candidate_judge(struct revise *r, struct candidate *c, bool is_bound) {
  char path[CONF_PATH_BYTES];
  struct judge_with w = {.file = r->file,
                         .current = r->text,
                         .look = r->env.look,
                         .is_bound = is_bound,
                         .current_plan = r->plan_text};
  plan_path_check(r, c);
  state_dir_check(r, c);
  if (c->faults.n)
    return 0;
  plan_path_of(r->file, c->text, path);
  if (!c->plan_text && strcmp(path, r->plan_path) == 0)
    c->plan_text = strdup(r->plan_text);
  else if (!c->plan_text && path[0])
    (void)(file_read(path, &c->plan_text) < 0); /* the reader says why */
  return judge(&w, c->text, c->plan_text, c);
}

int revise_judge(struct revise *r, struct slice text, struct slice plan_text, struct candidate **ret) {
  own(candidate) c = calloc(1, sizeof(*c));
  own_mem char *given = slice_dup(text);
  if (!c || !given)
    return -ENOMEM;
  if (text.n > TREE_TEXT_MAX_BYTES || plan_text.n > TREE_TEXT_MAX_BYTES)
    return -E2BIG;
  if (plan_text.p && !(c->plan_text = slice_dup(plan_text)))
    return -ENOMEM;
  if (strlen(given) != text.n || (plan_text.p && strlen(c->plan_text) != plan_text.n))
    faults_put(&c->faults, "", "syntax", "expected a text without NUL");
  pthread_mutex_lock(&r->lock);
  c->text = secrets_put_back(conf_fields, conf_fields_n, given, r->text, &c->faults);
  int x = !c->text ? -ENOMEM : c->faults.n ? 0 : candidate_judge(r, c, true);
  pthread_mutex_unlock(&r->lock);
  if (x == 0)
    *ret = take(c);
  return x;
}

/* ---- taking into force ---- */

static struct revise_outcome outcome(enum revise_result result, const char *why) {
  struct revise_outcome o = {.result = result};
  snprintf(o.why, sizeof(o.why), "%s", why);
  return o;
}

static void gates_pass(struct revise *r, struct candidate *c) {
  own(conf) old = NULL;
  own(plan) plan = NULL;
  own_mem struct conf_errors *e = errors_new();
  if (!e || conf_judge(&old, r->file, slice_of(r->text), true, e) < 0 ||
      plan_parse(&plan, r->plan_path, slice_of(r->plan_text), e) < 0 || plan_check(plan, old, e) < 0)
    return;
  struct replay_worlds w = {old, c->conf, plan, c->plan};
  gate_check(c, plan, old, &c->faults);
  if (!c->faults.n && strcmp(c->plan_text, r->plan_text) != 0)
    gate_replay(&w, r->env.store_file, &c->faults);
  const char *slash = strrchr(c->conf->dialplan, '/');
  for (uint32_t i = 0; i < c->faults.n; i++) /* what they say is of the plan */
    slice_copy(c->faults.list[i].file, CONF_NAME_BYTES, slice_of(slash ? slash + 1 : c->conf->dialplan));
}

void revise_gates(struct revise *r, struct candidate *c) {
  pthread_mutex_lock(&r->lock);
  if (!c->faults.n && c->conf && c->plan)
    gates_pass(r, c);
  pthread_mutex_unlock(&r->lock);
}

/* What stands against it before anything is touched. */
static struct revise_outcome may_commit(struct revise *r, struct candidate *c,
                                        const struct revise_wish *w) {
  char etag[REVISE_ETAG_BYTES];
  etag_write(r, etag);
  if (c->faults.n || !c->conf || !c->plan)
    return outcome(REVISE_FAULTY, "it has errors");
  if (w->etag && strcmp(w->etag, etag) != 0)
    return outcome(REVISE_STALE, "somebody else changed it meanwhile");
  if (r->is_pending)
    return outcome(REVISE_PENDING, "another commit waits to be confirmed");
  if (w->force)
    return outcome(REVISE_DONE, "");
  if (!files_same(r))
    return outcome(REVISE_EDITED,
                   "the files were edited by hand since they were loaded: reload them first");
  gates_pass(r, c);
  return outcome(c->faults.n ? REVISE_FAULTY : REVISE_DONE, "");
}

static struct revise_outcome commit(struct revise *r, struct candidate *c, const struct revise_wish *w,
                                    const char *how, uint32_t of) {
  struct revise_outcome o = may_commit(r, c, w);
  struct force f = {.c = c, .e = {.of = of}, .confirm_s = w->confirm_s, .why = o.why};
  if (o.result != REVISE_DONE)
    return o;
  if (f.confirm_s > CONFIRM_MAX_S)
    f.confirm_s = CONFIRM_MAX_S;
  snprintf(f.e.how, sizeof(f.e.how), "%s", how);
  snprintf(f.e.who, sizeof(f.e.who), "%s", w->who ? w->who : "");
  snprintf(f.e.comment, sizeof(f.e.comment), "%s", w->comment ? w->comment : "");
  if (revise_force(r, &f) < 0) {
    o.result = REVISE_FAILED;
    return o;
  }
  o.n = r->n;
  o.confirm_by_ms = r->is_pending ? r->mark.until_ms : 0;
  sem_post(&r->wake);
  return o;
}

struct revise_outcome revise_commit(struct revise *r, struct candidate *c, const struct revise_wish *w) {
  pthread_mutex_lock(&r->lock);
  struct revise_outcome o = commit(r, c, w, "commit", 0);
  pthread_mutex_unlock(&r->lock);
  return o;
}

struct revise_outcome revise_confirm(struct revise *r, const char *who) {
  pthread_mutex_lock(&r->lock);
  struct revise_outcome o =
      outcome(r->is_pending ? REVISE_DONE : REVISE_PENDING, "nothing waits to be confirmed");
  if (r->is_pending)
    log_info(conf, "configuration %u confirmed by %s", r->n, who);
  pending_end(r);
  o.n = r->n;
  pthread_mutex_unlock(&r->lock);
  return o;
}

struct revise_outcome revise_cancel(struct revise *r, const char *who) {
  pthread_mutex_lock(&r->lock);
  struct revise_outcome o =
      outcome(r->is_pending ? REVISE_DONE : REVISE_PENDING, "nothing waits to be confirmed");
  struct book_mark m = r->mark;
  if (r->is_pending && revise_back(r, m.back, "cancel", who, o.why) < 0) {
    o.result = REVISE_FAILED;
    pending_keep(r, &m); /* as it was */
  } else {
    pending_end(r);
  }
  o.n = r->n;
  pthread_mutex_unlock(&r->lock);
  return o;
}

struct revise_outcome revise_rollback(struct revise *r, uint32_t n, const struct revise_wish *w,
                                      struct revise_faults *ret_faults) {
  own(candidate) c = calloc(1, sizeof(*c));
  struct revise_outcome o = outcome(REVISE_FAILED, "no memory");
  if (!c)
    return o;
  pthread_mutex_lock(&r->lock);
  int x = book_text(r->book, n, &c->text, &c->plan_text);
  if (x == 0)
    x = candidate_judge(r, c, false);
  if (x == 0)
    o = commit(r, c, w, "rollback", n);
  else
    o = outcome(x == -ENOENT ? REVISE_ABSENT : REVISE_FAILED, strerror(-x));
  if (ret_faults)
    *ret_faults = c->faults;
  pthread_mutex_unlock(&r->lock);
  return o;
}

/* ---- replay ---- */

/* What is in force, as objects of our own: those of the call thread are its. */
int revise_current(struct revise *r, struct conf **ret_conf, struct plan **ret_plan) {
  own_mem struct conf_errors *e = errors_new();
  if (!e)
    return -ENOMEM;
  pthread_mutex_lock(&r->lock);
  int x = conf_judge(ret_conf, r->file, slice_of(r->text), true, e);
  if (x == 0)
    x = plan_parse(ret_plan, r->plan_path, slice_of(r->plan_text), e);
  pthread_mutex_unlock(&r->lock);
  return x < 0 ? x : plan_check(*ret_plan, *ret_conf, e);
}

int revise_replay(struct revise *r, const struct candidate *c, uint64_t since_ms,
                  struct revise_replay *ret) {
  own(conf) conf = NULL;
  own(plan) plan = NULL;
  uint64_t began = clock_now_us();
  if (c->faults.n || !c->conf || !c->plan)
    return -EINVAL;
  if (!r->env.store_file)
    return -EIO;
  if (atomic_exchange(&r->is_replaying, true))
    return -EBUSY;
  int x = revise_current(r, &conf, &plan);
  struct replay_worlds w = {conf, c->conf, plan, c->plan};
  if (x == 0)
    x = replay_run(&w, r->env.store_file, since_ms, REVISE_REPLAY_MAX, ret);
  ret->took_us = clock_now_us() - began;
  atomic_store(&r->is_replaying, false);
  return x;
}

void revise_reload(struct revise *r) {
  atomic_store(&r->is_edited, true);
  sem_post(&r->wake);
}

/* ---- history ---- */

uint32_t revise_history(struct revise *r, struct revise_entry *list, uint32_t max) {
  uint32_t n = 0;
  pthread_mutex_lock(&r->lock);
  for (uint32_t i = book_count(r->book); i > 0 && n < max; i--)
    list[n++] = *book_at(r->book, i - 1);
  pthread_mutex_unlock(&r->lock);
  return n;
}

int revise_history_text(struct revise *r, uint32_t n, struct revise_entry *ret, char **ret_text,
                        char **ret_plan) {
  own_mem char *text = NULL;
  pthread_mutex_lock(&r->lock);
  const struct revise_entry *e = book_find(r->book, n);
  int x = e ? book_text(r->book, n, &text, ret_plan) : -ENOENT;
  if (x == 0)
    *ret = *e;
  pthread_mutex_unlock(&r->lock);
  if (x < 0)
    return x;
  *ret_text = secrets_hide(conf_fields, conf_fields_n, text);
  return *ret_text ? 0 : -ENOMEM;
}
