/* SPDX-License-Identifier: Apache-2.0
 * YAML -> struct conf by the table of settings: see conf.h. The file is read here, and nowhere else
 * than in conf_load(). */
#include "base/hmac.h"
#include "base/map.h"
#include "conf/trunk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct loader {
  struct field_reader r;
  struct conf *c;
  struct conf_lines lines;
};

static void section_read(struct loader *l, uint8_t section, const struct tree_node *map,
                         const char *path, uint32_t line, void *base) {
  field_map_read(&l->r, conf_fields, conf_fields_n, section, map, path, line, base);
}

/* Each item of a list of maps into its place in an array; returns how many, at most max. */
static uint32_t list_read(struct loader *l, uint8_t section, const struct tree_node *list,
                          const char *path, void *array, size_t bytes, uint32_t max, uint32_t *lines) {
  uint32_t i = 0;
  char name[64];
  if (!list)
    return 0;
  if (list->kind != TREE_LIST) {
    conf_error_add(l->r.errors, l->r.file, list->line, "%s: expected a list of maps", path);
    return 0;
  }
  for (const struct tree_node *item = list->child; item; item = item->next, i++) {
    if (i == max) {
      conf_error_add(l->r.errors, l->r.file, item->line, "%s: expected at most %u items", path, max);
      break;
    }
    snprintf(name, sizeof(name), "%s[%u]", path, i);
    if (lines)
      lines[i] = item->line;
    section_read(l, section, item, name, item->line, (char *)array + i * bytes);
  }
  return i;
}

static void media_read(struct loader *l, const struct tree_node *map) {
  struct conf *c = l->c;
  const struct tree_node *list = tree_find(map, "addresses");
  section_read(l, SECTION_MEDIA, map, "media", l->lines.root, c);
  c->media.n_addresses = list_read(l, SECTION_MEDIA_ADDRESS, list, "media.addresses", c->media.addresses,
                                   sizeof(c->media.addresses[0]), COUNT_OF(c->media.addresses), NULL);
  const struct tree_node *turn = tree_find(map, "turn");
  if (turn)
    section_read(l, SECTION_MEDIA_TURN, turn, "media.turn", turn->line, c);
  if (list && list->kind == TREE_LIST && list->n == 0)
    conf_error_add(l->r.errors, l->r.file, list->line,
                   "media.addresses: expected a list of 1 to 4 maps");
}

static void records_read(struct loader *l, const struct tree_node *map) {
  const struct tree_node *push = tree_find(map, "push");
  l->lines.records = push ? push->line : l->lines.root;
  section_read(l, SECTION_RECORDS, map, "records", l->lines.root, l->c);
  if (push)
    section_read(l, SECTION_RECORDS_PUSH, push, "records.push", push->line, l->c);
}

static void admin_read(struct loader *l, const struct tree_node *map) {
  struct conf *c = l->c;
  section_read(l, SECTION_ADMIN, map, "admin", l->lines.admin, c);
  c->admin.n_certificates =
      list_read(l, SECTION_ADMIN_CERTIFICATE, tree_find(map, "certificates"), "admin.certificates",
                c->admin.certificates, sizeof(c->admin.certificates[0]), CONF_CERTIFICATES_MAX,
                l->lines.certificates);
}

static void listeners_read(struct loader *l, const struct tree_node *list) {
  l->c->n_listeners = list_read(l, SECTION_LISTENER, list, "listeners", l->c->listeners,
                                sizeof(l->c->listeners[0]), CONF_LISTENERS_MAX, l->lines.listeners);
}

static void relays_read(struct loader *l, const struct tree_node *list) {
  l->c->n_relays = list_read(l, SECTION_RELAY, list, "relays", l->c->relays, sizeof(l->c->relays[0]),
                             CONF_RELAYS_MAX, l->lines.relays);
}

static void caps_read(struct loader *l, const struct tree_node *list) {
  l->c->n_caps = list_read(l, SECTION_CAP, list, "caps", l->c->caps, sizeof(l->c->caps[0]),
                           CONF_CAPS_MAX, l->lines.caps);
  for (uint32_t i = 0; i < l->c->n_caps; i++)
    l->c->caps[i].line = l->lines.caps[i];
}

static int users_read(struct loader *l, const struct tree_node *list) {
  uint32_t n = list && list->kind == TREE_LIST ? list->n : 0;
  n = n < CONF_USERS_MAX ? n : CONF_USERS_MAX;
  l->c->users = calloc(n + 1, sizeof(*l->c->users));
  l->lines.users = calloc(n + 1, sizeof(*l->lines.users));
  if (!l->c->users || !l->lines.users)
    return -ENOMEM;
  l->c->n_users =
      list_read(l, SECTION_USER, list, "users", l->c->users, sizeof(l->c->users[0]), n, l->lines.users);
  return 0;
}

static uint32_t line_of(const struct loader *l, const struct tree_node *node) {
  return node ? node->line : l->lines.root;
}

static int root_read(struct loader *l, const struct tree_node *root) {
  const struct tree_node *media = tree_find(root, "media"), *service = tree_find(root, "service");
  const struct tree_node *admin = tree_find(root, "admin");
  l->lines.root = root->line;
  l->lines.tree = root;
  l->lines.media = line_of(l, media);
  l->lines.service = line_of(l, service);
  l->lines.admin = line_of(l, admin);
  section_read(l, SECTION_ROOT, root, "", root->line, l->c);
  section_read(l, SECTION_NODE, tree_find(root, "node"), "node", root->line, l->c);
  if (media)
    media_read(l, media);
  if (service)
    section_read(l, SECTION_SERVICE, service, "service", service->line, l->c);
  admin_read(l, admin);
  section_read(l, SECTION_STIR, tree_find(root, "stir"), "stir", root->line, l->c);
  records_read(l, tree_find(root, "records"));
  listeners_read(l, tree_find(root, "listeners"));
  conf_trunks_read(l->c, &l->r, tree_find(root, "trunks"));
  conf_attach_read(l->c, &l->r, tree_find(root, "trunks"));
  relays_read(l, tree_find(root, "relays"));
  caps_read(l, tree_find(root, "caps"));
  return users_read(l, tree_find(root, "users"));
}

static int user_put(struct loader *l, uint32_t i, struct map *m, const char *key, const char *what) {
  struct conf_user *u = &l->c->users[i], *other = map_get(m, slice_of(key));
  if (!other)
    return map_put(m, slice_of(key), u);
  conf_error_add(l->r.errors, l->r.file, l->lines.users[i],
                 "users[%u].%s: \"%s\" is already that of users[%u]", i, what, key,
                 (unsigned)(other - l->c->users));
  return 0;
}

/* By name and by number; what stands twice is an error. */
static int users_index(struct loader *l) {
  struct conf *c = l->c;
  int r = map_new(&c->by_name, CONF_USERS_MAX);
  if (r == 0)
    r = map_new(&c->by_number, (size_t)CONF_USERS_MAX * CONF_LIST_MAX);
  for (uint32_t i = 0; i < c->n_users && r == 0; i++) {
    r = user_put(l, i, c->by_name, c->users[i].name, "name");
    for (uint32_t k = 0; k < c->users[i].numbers.n && r == 0; k++)
      r = user_put(l, i, c->by_number, c->users[i].numbers.text[k], "numbers");
  }
  return r;
}

static uint64_t version_of(struct slice yaml) {
  uint8_t hash[HMAC_SHA256_BYTES];
  uint64_t v;
  hash_sha256(yaml, hash);
  memcpy(&v, hash, sizeof(v));
  return v;
}

static int tree_take(struct loader *l, struct slice yaml, bool with_files) {
  own(tree) t = NULL;
  int r = tree_new(&t, l->r.file, yaml, l->r.errors);
  if (r < 0)
    return r;
  if (!t->root || t->root->kind != TREE_MAP) {
    conf_error_add(l->r.errors, l->r.file, 1, "expected a map of sections: media, service, dialplan, …");
    return -EINVAL;
  }
  if ((r = root_read(l, t->root)) < 0)
    return r;
  if (l->r.errors->n == 0 && (r = users_index(l)) < 0)
    return r;
  if (l->r.errors->n == 0)
    conf_check(l->c, &l->lines, l->r.errors);
  if (l->r.errors->n == 0 && with_files)
    conf_check_files(l->c, &l->lines, l->r.errors);
  return l->r.errors->n ? -EINVAL : 0;
}

static int text_parse(struct conf **ret, const char *file, struct slice yaml, bool with_files,
                      const struct field_paths *paths, struct conf_errors *errors) {
  own(conf) c = calloc(1, sizeof(*c));
  if (!c)
    return -ENOMEM;
  struct loader l = {.r = {.file = file, .errors = errors, .paths = paths}, .c = c};
  errors->n = 0;
  c->version = version_of(yaml);
  slice_copy(c->file, sizeof(c->file), slice_of(file));
  int r = tree_take(&l, yaml, with_files);
  free(l.lines.users);
  if (r < 0)
    return r;
  *ret = take(c);
  return 0;
}

int conf_parse(struct conf **ret, const char *file, struct slice yaml, struct conf_errors *errors) {
  return text_parse(ret, file, yaml, false, NULL, errors);
}

int conf_judge(struct conf **ret, const char *file, struct slice yaml, bool skip_files,
               struct conf_errors *errors) {
  return text_parse(ret, file, yaml, !skip_files, NULL, errors);
}

int conf_judge_within(struct conf **ret, const char *file, struct slice yaml, bool skip_files,
                      const struct field_paths *paths, struct conf_errors *errors) {
  return text_parse(ret, file, yaml, !skip_files, paths, errors);
}

int conf_file_read_within(char **ret, size_t *ret_n, const char *file, const struct field_paths *paths,
                          struct conf_errors *errors) {
  own_fd fd = field_file_open(paths, file, O_RDONLY | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > TREE_TEXT_MAX_BYTES) {
    conf_error_add(errors, file, 0, "cannot be read: expected a file of at most 4 MiB (%s)",
                   fd < 0 ? strerror(-fd) : "it is none");
    return -EINVAL;
  }
  own_mem char *text = malloc((size_t)st.st_size + 1);
  if (!text)
    return -ENOMEM;
  ssize_t n = read(fd, text, (size_t)st.st_size);
  if (n < 0)
    return -errno;
  *ret_n = (size_t)n;
  *ret = take(text);
  return 0;
}

int conf_file_read(char **ret, size_t *ret_n, const char *file, struct conf_errors *errors) {
  return conf_file_read_within(ret, ret_n, file, NULL, errors);
}

int conf_load(struct conf **ret, const char *file, bool skip_files, struct conf_errors *errors) {
  own_mem char *text = NULL;
  size_t n = 0;
  errors->n = 0;
  int r = conf_file_read(&text, &n, file, errors);
  return r < 0 ? r : text_parse(ret, file, slice_from(text, n), !skip_files, NULL, errors);
}

struct conf *conf_free(struct conf *c) {
  if (!c)
    return NULL;
  map_free(c->by_name);
  map_free(c->by_number);
  free(c->users);
  free(c);
  return NULL;
}

const struct conf_trunk *conf_trunk_find(const struct conf *c, struct slice name) {
  for (uint32_t i = 0; i < c->n_trunks; i++)
    if (slice_eq(slice_of(c->trunks[i].name), name))
      return &c->trunks[i];
  return NULL;
}

const struct conf_listener *conf_listener_find(const struct conf *c, struct slice name) {
  for (uint32_t i = 0; i < c->n_listeners; i++)
    if (slice_eq(slice_of(c->listeners[i].name), name))
      return &c->listeners[i];
  return NULL;
}

const struct conf_relay *conf_relay_find(const struct conf *c, struct slice name) {
  for (uint32_t i = 0; i < c->n_relays; i++)
    if (slice_eq(slice_of(c->relays[i].name), name))
      return &c->relays[i];
  return NULL;
}

const struct conf_user *conf_user_find(const struct conf *c, struct slice name) {
  return c->by_name ? map_get(c->by_name, name) : NULL;
}

const struct conf_user *conf_user_by_number(const struct conf *c, struct slice number) {
  return c->by_number ? map_get(c->by_number, number) : NULL;
}
