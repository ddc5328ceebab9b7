/* SPDX-License-Identifier: Apache-2.0
 * trunks[].headers: what is added to, removed from and rewritten in header fields, read and checked.
 * What the protocol itself lives on is never touched. Pure. */
#include "conf/trunk.h"

#include <stdio.h>

/* Fields of the message's way, its dialog, its body and its credentials; with their compact forms. */
static const char *const kept[] = {
    "Via",
    "v",
    "Route",
    "Record-Route",
    "Path",
    "Service-Route",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Contact",
    "m",
    "Max-Forwards",
    "Content-Type",
    "c",
    "Content-Length",
    "l",
    "Content-Encoding",
    "e",
    "Content-Disposition",
    "MIME-Version",
    "Require",
    "Supported",
    "k",
    "Proxy-Require",
    "Unsupported",
    "Allow",
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Session-Expires",
    "x",
    "Min-SE",
    "RSeq",
    "RAck",
    "Replaces",
    "Refer-To",
    "r",
    "Event",
    "o",
    "Expires",
    "Session-ID",
    "Identity",
    "y",
};

static bool is_kept(const char *name) {
  for (size_t i = 0; i < COUNT_OF(kept); i++)
    if (slice_ieq(slice_of(name), slice_of(kept[i])))
      return true;
  return slice_istarts(slice_of(name), SLICE("Content-"));
}

static bool is_token(const char *name) {
  for (const char *p = name; *p; p++)
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
          *p == '-' || *p == '_' || *p == '.'))
      return false;
  return *name;
}

static bool is_line(const char *value) {
  for (const char *p = value; *p; p++)
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
      return false;
  return true;
}

/* Only the four words stand in ${…}. */
static bool is_template(const char *value) {
  static const char *const words[] = {"called}", "caller}", "trunk}", "session_id}"};
  for (const char *p = strstr(value, "${"); p; p = strstr(p + 2, "${")) {
    size_t i = 0;
    while (i < COUNT_OF(words) && strncmp(p + 2, words[i], strlen(words[i])) != 0)
      i++;
    if (i == COUNT_OF(words))
      return false;
  }
  return true;
}

static void edit_check(const struct field_reader *r, const struct conf_edit *e, const char *path,
                       uint32_t line) {
  bool sets = e->action != EDIT_REMOVE;
  if (e->name[0] && !is_token(e->name))
    conf_error_add(r->errors, r->file, line, "%s.name: expected the name of a header field, got \"%s\"",
                   path, e->name);
  else if (is_kept(e->name))
    conf_error_add(r->errors, r->file, line, "%s.name: %s is never edited", path, e->name);
  if (sets != (e->value[0] != 0))
    conf_error_add(r->errors, r->file, line, "%s.value: expected %s", path,
                   sets ? "a text" : "none, as the action is remove");
  if (!is_line(e->value) || !is_template(e->value))
    conf_error_add(
        r->errors, r->file, line,
        "%s.value: expected no control characters, and in ${} called, caller, trunk or session_id",
        path);
  if (e->action == EDIT_ADD && (e->match[0] || e->is_prefix))
    conf_error_add(r->errors, r->file, line, "%s.match: is for remove and rewrite", path);
  if (e->is_prefix && !e->match[0])
    conf_error_add(r->errors, r->file, line, "%s.prefix: is for a match", path);
}

static void list_read(const struct field_reader *r, const struct tree_node *list, const char *path,
                      struct conf_edits *to) {
  char name[96];
  if (list && list->kind != TREE_LIST)
    conf_error_add(r->errors, r->file, list->line, "%s: expected a list of maps", path);
  if (!list || list->kind != TREE_LIST)
    return;
  for (const struct tree_node *item = list->child; item; item = item->next) {
    if (to->n == CONF_EDITS_MAX) {
      conf_error_add(r->errors, r->file, item->line, "%s: expected at most %d items", path,
                     CONF_EDITS_MAX);
      return;
    }
    snprintf(name, sizeof(name), "%s[%u]", path, to->n);
    field_map_read(r, conf_fields, conf_fields_n, SECTION_TRUNK_EDIT, item, name, item->line,
                   &to->edit[to->n]);
    edit_check(r, &to->edit[to->n++], name, item->line);
  }
}

void conf_edits_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                     const char *path) {
  char name[64];
  struct field_reader plain = {.file = r->file, .errors = r->errors};
  if (!map)
    return;
  snprintf(name, sizeof(name), "%s.headers", path);
  field_map_read(&plain, conf_fields, conf_fields_n, SECTION_TRUNK_HEADERS, map, name, map->line, t);
  snprintf(name, sizeof(name), "%s.headers.in", path);
  list_read(&plain, tree_find(map, "in"), name, &t->headers.in);
  snprintf(name, sizeof(name), "%s.headers.out", path);
  list_read(&plain, tree_find(map, "out"), name, &t->headers.out);
}
