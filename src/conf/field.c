/* SPDX-License-Identifier: Apache-2.0
 * Typed fields by rows: see field.h. */
#include "conf/field.h"

#include "conf/host.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

enum { GOT_BYTES = 64, PATH_TEXT_BYTES = 192 };

/* One value on its way from a node (or a default) to its place. */
struct value {
  const struct field_reader *r;
  const struct field *f;
  const char *path; /* path is the field's name in errors: "media.workers". */
  uint32_t line;
  bool is_plain;
  struct slice text;
};

void conf_error_add(struct conf_errors *e, const char *file, uint32_t line, const char *format, ...) {
  uint32_t i = e->n++;
  if (i >= CONF_ERRORS_MAX)
    return;
  e->list[i].line = line;
  slice_copy(e->list[i].file, sizeof(e->list[i].file), slice_of(file));
  va_list ap;
  va_start(ap, format);
  vsnprintf(e->list[i].text, sizeof(e->list[i].text), format, ap);
  va_end(ap);
}

int field_choice(const char *choices, struct slice word) {
  struct slice rest = slice_of(choices);
  for (int i = 0; rest.p; i++)
    if (slice_eq(slice_cut(&rest, '|'), word))
      return i;
  return -1;
}

static const char *list_noun(uint8_t type) {
  static const char *const nouns[] = {
      [FIELD_TEXTS] = "words",
      [FIELD_HOSTS] = "names, addresses or CIDRs, each optionally with :port",
      [FIELD_CIDRS] = "addresses or CIDRs",
      [FIELD_TELS] = "numbers: + and 4 to 15 digits, in quotes",
  };
  return type < COUNT_OF(nouns) && nouns[type] ? nouns[type] : "";
}

static char *expects_list(const struct field *f, char *dst, size_t bytes) {
  if (f->type == FIELD_CHOICES)
    snprintf(dst, bytes, "a list of %u to %u of %s", f->min, f->max, f->choices);
  else
    snprintf(dst, bytes, "a list of %u to %u %s", f->min, f->max, list_noun(f->type));
  return dst;
}

char *field_expects(const struct field *f, char *dst, size_t bytes) {
  static const char *const fixed[] = {
      [FIELD_HOST] = "a host name or address, optionally with :port",
      [FIELD_FQDN] = "a full host name of at most 63 characters",
      [FIELD_PATH] = "a path of a file",
      [FIELD_BOOL] = "true or false",
      [FIELD_ADDR] = "an address without port",
      [FIELD_ADDR_PORT] = "ADDRESS:PORT",
      [FIELD_SUB] = "a map or list",
  };
  if (f->type >= FIELD_TEXTS && f->type <= FIELD_CHOICES)
    return expects_list(f, dst, bytes);
  if (f->type == FIELD_NUMBER)
    snprintf(dst, bytes, "a whole number %u-%u", f->min, f->max);
  else if (f->type == FIELD_CHOICE || f->type == FIELD_CHOICE_TEXT)
    snprintf(dst, bytes, "one of %s", f->choices);
  else if (f->type == FIELD_TEXT || f->type == FIELD_NAME)
    snprintf(dst, bytes, "%s of %u to %u characters",
             f->type == FIELD_NAME       ? "letters, digits and . _ -"
             : f->flags & FIELD_ASCII ? "a text in ASCII"
                                      : "a text",
             f->min, f->max);
  else
    snprintf(dst, bytes, "%s", f->type < COUNT_OF(fixed) && fixed[f->type] ? fixed[f->type] : "");
  return dst;
}

static void value_fail(const struct value *v) {
  char want[160], got[GOT_BYTES];
  conf_error_add(v->r->errors, v->r->file, v->line, "%s: expected %s, got \"%s\"", v->path,
                 field_expects(v->f, want, sizeof(want)), slice_escape(got, sizeof(got), v->text));
}

bool field_is_name(struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    char c = (char)(s.p[i] | 0x20);
    if (!((c >= 'a' && c <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' || s.p[i] == '_' ||
          s.p[i] == '-'))
      return false;
  }
  return s.n > 0;
}

bool field_is_tel(struct slice s) {
  uint64_t v;
  return s.n >= 5 && s.n <= 16 && s.p[0] == '+' &&
         slice_u64(slice_from(s.p + 1, s.n - 1), UINT64_MAX, &v) == 0;
}

int field_path(char *dst, size_t dst_bytes, const char *file, struct slice path) {
  const char *slash = strrchr(file, '/');
  int folder = path.n && path.p[0] == '/' ? 0 : (slash ? (int)(slash - file) + 1 : 0);
  int n = snprintf(dst, dst_bytes, "%.*s%.*s", folder, file, SLICE_ARG(path));
  if (n >= 0 && (size_t)n < dst_bytes)
    return 0;
  dst[0] = 0;
  return -ENOSPC;
}

int field_file_open(const struct field_paths *rule, const char *path, int flags) {
  if (rule)
    return rule->open(rule->arg, path, flags);
  int fd = open(path, flags | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

/* ---- one scalar into its place: false if it is not what the row expects ---- */

static bool is_host(struct slice s) {
  struct slice host;
  uint16_t port;
  struct addr ip;
  return host_split(s, &host, &port, &ip) == 0;
}

static bool is_fqdn(struct slice s) {
  return s.n <= 63 && host_is_name(s) && memchr(s.p, '.', s.n) && s.p[s.n - 1] != '.';
}

/* One that may not be named is told the same way whether it is there or not. */
static bool path_store(const struct value *v, char *to) {
  const struct field_paths *p = v->r->paths;
  char got[GOT_BYTES];
  if (field_path(to, v->f->bytes, v->r->file, v->text) < 0)
    return false;
  if (!p || p->may(p->arg, to))
    return true;
  conf_error_add(v->r->errors, v->r->file, v->line,
                 "%s: expected a file under the configuration's own folder or one of admin.paths, got \"%s\"",
                 v->path, slice_escape(got, sizeof(got), v->text));
  to[0] = 0;
  return true; /* told */
}

static bool text_store(const struct value *v, void *to) {
  const struct field *f = v->f;
  if (f->type == FIELD_NAME && v->text.n && !field_is_name(v->text))
    return false;
  if (f->type == FIELD_HOST && v->text.n && !is_host(v->text))
    return false;
  if (f->type == FIELD_FQDN && v->text.n && !is_fqdn(v->text))
    return false;
  if (f->type == FIELD_CHOICE_TEXT && field_choice(f->choices, v->text) < 0)
    return false;
  if (v->text.n == 0 && (f->flags & FIELD_REQUIRED))
    return false;
  if (f->type == FIELD_PATH && v->text.n)
    return path_store(v, to);
  if (f->type == FIELD_TEXT || f->type == FIELD_NAME)
    if (slice_chars(v->text) < f->min || slice_chars(v->text) > f->max)
      return false;
  if (f->flags & FIELD_ASCII && !slice_is_ascii(v->text))
    return false;
  return slice_copy(to, f->bytes, v->text) == 0;
}

static bool number_store(const struct value *v, void *to) {
  uint64_t n;
  if (!v->is_plain || slice_u64(v->text, v->f->max, &n) < 0 || n < v->f->min)
    return false;
  if (v->text.n > 1 && v->text.p[0] == '0')
    return false; /* YAML 1.1 would read it as octal */
  memcpy(to, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
  return true;
}

static bool bool_store(const struct value *v, void *to) {
  bool yes = slice_eq(v->text, SLICE("true"));
  if (!v->is_plain || (!yes && !slice_eq(v->text, SLICE("false"))))
    return false;
  memcpy(to, &yes, sizeof(yes));
  return true;
}

static bool choice_store(const struct value *v, void *to) {
  int i = field_choice(v->f->choices, v->text);
  if (i < 0)
    return false;
  if (v->f->bytes == 1)
    *(uint8_t *)to = (uint8_t)i;
  else
    memcpy(to, &(uint32_t){(uint32_t)i}, sizeof(uint32_t));
  return true;
}

static bool addr_store(const struct value *v, void *to) {
  struct addr a;
  int r = v->f->type == FIELD_ADDR_PORT ? addr_parse_port(&a, v->text) : addr_parse(&a, v->text, 0);
  if (r < 0)
    return false;
  memcpy(to, &a, sizeof(a));
  return true;
}

static bool scalar_store(const struct value *v, void *to) {
  switch ((enum field_type)v->f->type) {
  case FIELD_NUMBER:
    return number_store(v, to);
  case FIELD_BOOL:
    return bool_store(v, to);
  case FIELD_CHOICE:
    return choice_store(v, to);
  case FIELD_ADDR:
  case FIELD_ADDR_PORT:
    return addr_store(v, to);
  case FIELD_TEXT:
  case FIELD_NAME:
  case FIELD_HOST:
  case FIELD_FQDN:
  case FIELD_PATH:
  case FIELD_CHOICE_TEXT:
    return text_store(v, to);
  case FIELD_TEXTS:
  case FIELD_HOSTS:
  case FIELD_CIDRS:
  case FIELD_TELS:
  case FIELD_CHOICES:
  case FIELD_SUB:
    break;
  }
  return false;
}

/* ---- lists ---- */

static bool item_is_good(const struct field *f, struct slice s) {
  struct host_rule rule;
  struct cidr cidr;
  if (f->type == FIELD_HOSTS)
    return host_rule_parse(&rule, s) == 0;
  if (f->type == FIELD_CIDRS)
    return cidr_parse(&cidr, s) == 0;
  if (f->type == FIELD_TELS)
    return field_is_tel(s);
  if (f->type == FIELD_CHOICES)
    return field_choice(f->choices, s) >= 0;
  return s.n > 0 && !memchr(s.p, ' ', s.n) && (!(f->flags & FIELD_ASCII) || slice_is_ascii(s));
}

static void item_store(const struct value *v, struct conf_names *to) {
  struct slice s = v->text;
  for (uint32_t i = 0; i < to->n; i++)
    if (slice_ieq(slice_of(to->text[i]), s)) {
      conf_error_add(v->r->errors, v->r->file, v->line, "%s: stands twice: \"%s\"", v->path,
                     to->text[i]);
      return;
    }
  if (to->n == v->f->max || to->n == CONF_LIST_MAX || !item_is_good(v->f, s) ||
      slice_copy(to->text[to->n], CONF_NAME_BYTES, s) < 0)
    value_fail(v);
  else
    to->n++;
}

static void list_store(struct value *v, const struct tree_node *list, struct conf_names *to) {
  for (const struct tree_node *item = list->child; item; item = item->next) {
    v->line = item->line;
    v->text = item->kind == TREE_SCALAR ? item->text : SLICE("a map or list");
    if (item->kind == TREE_SCALAR)
      item_store(v, to);
    else
      value_fail(v);
  }
  v->line = list->line;
  v->text = SLICE("fewer");
  if (list->n < v->f->min)
    value_fail(v);
}

static void default_store(struct value *v, const char *def, void *to) {
  struct slice rest = slice_of(def);
  v->is_plain = true;
  if (v->f->type < FIELD_TEXTS) {
    v->text = rest;
    if (!scalar_store(v, to))
      value_fail(v);
    return;
  }
  while (rest.n) {
    v->text = slice_trim(slice_cut(&rest, ','));
    item_store(v, to);
  }
}

/* ---- the walk over a map ---- */

static void value_read(struct value *v, const struct tree_node *node, void *to) {
  bool wants_list = v->f->type >= FIELD_TEXTS && v->f->type <= FIELD_CHOICES;
  v->line = node->line;
  v->is_plain = node->is_plain;
  v->text = node->kind == TREE_SCALAR ? node->text
            : node->kind == TREE_MAP  ? SLICE("a map")
                                      : SLICE("a list");
  if (v->f->type == FIELD_SUB)
    return;
  if (wants_list && node->kind == TREE_LIST)
    list_store(v, node, to);
  else if (wants_list || node->kind != TREE_SCALAR || !scalar_store(v, to))
    value_fail(v);
}

static const char *default_of(const struct value *v) {
  for (size_t i = 0; i < v->r->n_defaults; i++)
    if (v->r->defaults[i].kind == v->r->kind && !strcmp(v->r->defaults[i].key, v->f->key))
      return v->r->defaults[i].def;
  return v->f->def;
}

static void absent_read(struct value *v, void *to) {
  char want[160];
  const char *def = default_of(v);
  if (v->f->flags & FIELD_REQUIRED)
    conf_error_add(v->r->errors, v->r->file, v->line, "%s: is missing: expected %s", v->path,
                   field_expects(v->f, want, sizeof(want)));
  else if (def && v->f->type != FIELD_SUB)
    default_store(v, def, to);
}

static bool is_known(const struct field *rows, size_t n, uint8_t section, struct slice key) {
  for (size_t i = 0; i < n; i++)
    if (rows[i].section == section && slice_eq(key, slice_of(rows[i].key)))
      return true;
  return false;
}

static void keys_check(const struct field_reader *r, const struct field *rows, size_t n, uint8_t section,
                       const struct tree_node *map, const char *path) {
  const char *dot = path[0] ? "." : "";
  char got[GOT_BYTES];
  for (const struct tree_node *k = map->child; k && k->next; k = k->next->next) {
    slice_escape(got, sizeof(got), k->text);
    if (k->kind != TREE_SCALAR || !is_known(rows, n, section, k->text)) {
      conf_error_add(r->errors, r->file, k->line, "%s%s%s: unknown key", path, dot, got);
      continue;
    }
    for (const struct tree_node *before = map->child; before != k; before = before->next->next)
      if (before->kind == TREE_SCALAR && slice_eq(before->text, k->text)) {
        conf_error_add(r->errors, r->file, k->line, "%s%s%s: stands twice, first in line %u", path, dot,
                       got, before->line);
        break;
      }
  }
}

void field_map_read(const struct field_reader *r, const struct field *rows, size_t n_rows,
                    uint8_t section, const struct tree_node *map, const char *path, uint32_t line,
                    void *base) {
  if (map && map->kind != TREE_MAP) {
    conf_error_add(r->errors, r->file, map->line, "%s: expected a map of keys and values", path);
    return;
  }
  if (map)
    keys_check(r, rows, n_rows, section, map, path);
  for (size_t i = 0; i < n_rows; i++) {
    char name[PATH_TEXT_BYTES];
    if (rows[i].section != section)
      continue;
    snprintf(name, sizeof(name), "%s%s%s", path, path[0] ? "." : "", rows[i].key);
    struct value v = {.r = r, .f = &rows[i], .path = name, .line = map ? map->line : line};
    const struct tree_node *node = tree_find(map, rows[i].key);
    if (!node)
      node = tree_find(r->base, rows[i].key);
    void *to = (char *)base + rows[i].offset;
    if (node)
      value_read(&v, node, to);
    else
      absent_read(&v, to);
  }
}
