/* SPDX-License-Identifier: Apache-2.0
 * See cli_rows.h: words become a path, a query and a body; the answer is shown. */
#include "app/cli_rows.h"

#include "app/cli.h"
#include "app/cli_view.h"
#include "base/slice.h"

#include <getopt.h>

enum { PATH_BYTES = 2048, FILE_MAX = 8 << 20, VALUE_BYTES = 1024, PROBATION_S = 300 };

const struct cli_row cli_rows[] = {
#define CLI(words, method, path, arguments, options, fixed, view, match, about) \
  {words, method, path, arguments, options, fixed, view, match, about},
#include "app/cli_rows.def"
#undef CLI
};
const unsigned cli_rows_n = COUNT_OF(cli_rows);

struct ask {
  const struct cli_row *row;
  struct api_settings settings;
  struct api *api;
  bool is_json;
  json_t *params; /* what was said, by name */
  json_t *whole;  /* the whole body, of a file; NULL: none */
};

const struct cli_row *cli_row_find(int argc, char **argv, int *ret_words) {
  char two[80] = "";
  if (argc > 1)
    snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
  for (unsigned i = 0; argc && i < cli_rows_n; i++)
    if (strcmp(cli_rows[i].words, argv[0]) == 0 || strcmp(cli_rows[i].words, two) == 0) {
      *ret_words = strchr(cli_rows[i].words, ' ') ? 2 : 1;
      return &cli_rows[i];
    }
  return NULL;
}

bool cli_name_next(const char **at, struct cli_name *ret) {
  const char *p = *at + strspn(*at, " ");
  size_t n = strcspn(p, " ");
  if (!n)
    return false;
  size_t name = strcspn(p, " :.+*");
  snprintf(ret->name, sizeof(ret->name), "%.*s", (int)name, p);
  ret->kind = name == n ? 't' : p[name] == ':' ? p[name + 1] : p[name];
  if (p[n - 1] == '*')
    ret->kind = '*';
  *at = p + n;
  return true;
}

static void cli_row_usage(const struct cli_row *row, FILE *to) {
  struct cli_name n;
  fprintf(to, "Usage: sallyport %s", row->words);
  for (const char *at = row->arguments; cli_name_next(&at, &n);)
    fprintf(to,
            n.kind == '.'                    ? " KEY=VALUE…"
            : n.kind == '@' || n.kind == '*' ? " FILE"
                                             : " <%s>",
            n.name);
  for (const char *at = row->options; cli_name_next(&at, &n);)
    fprintf(to, n.kind == 'b' ? " [--%s[=no]]" : n.kind == '@' ? " [--%s FILE]" : " [--%s …]", n.name);
  fprintf(
      to,
      " [--json]\n  %s\n\nOf every verb: --json the API's document as it is; --url URL, --token-file "
      "FILE,\n"
      "--ca FILE, --config FILE: where the gateway is (else $SALLYPORT_URL, $SALLYPORT_TOKEN_FILE, the\n"
      "configuration); --cert FILE, --key FILE: a client certificate instead of a token (else\n"
      "$SALLYPORT_CERT, $SALLYPORT_KEY).\n",
      row->about);
}

/* Words --------------------------------------------------------------------------------------------- */

static char *file_read(const char *name) {
  bool is_in = strcmp(name, "-") == 0;
  FILE *f = is_in ? stdin : fopen(name, "re");
  char *text = NULL;
  size_t n = 0, room = 0;
  while (f && !feof(f) && !ferror(f) && n < FILE_MAX) {
    if (n + 4096 >= room) {
      char *grown = realloc(text, room = room * 2 + 8192);
      if (!grown)
        break;
      text = grown;
    }
    n += fread(text + n, 1, 4096, f);
  }
  bool good = f && feof(f) && text;
  if (!good)
    fprintf(stderr, "sallyport: %s: %s\n", name, f ? "cannot be read whole" : strerror(errno));
  if (f && !is_in)
    fclose(f);
  if (!good) {
    free(text);
    return NULL;
  }
  text[n] = 0;
  return text;
}

static json_t *number_of(const char *text) {
  char *end;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (errno || end == text || *end) {
    fprintf(stderr, "sallyport: '%s' is no number\n", text);
    return NULL;
  }
  return json_integer(v);
}

static json_t *list_of(const char *text) {
  json_t *list = json_array();
  struct slice rest = slice_of(text);
  while (rest.n) {
    struct slice one = slice_cut(&rest, ',');
    json_array_append_new(list, json_stringn(one.p, one.n));
  }
  return list;
}

/* A value as YAML would have it: true, false, a number, JSON in brackets, else text. */
static json_t *plain_of(const char *text) {
  json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
  return v ? v : json_string(text);
}

static json_t *value_of(char kind, const char *text) {
  if (kind == 'i')
    return number_of(text);
  if (kind == '+')
    return list_of(text);
  if (kind == 'b')
    return json_boolean(strcmp(text, "false") != 0 && strcmp(text, "no") != 0);
  if (kind != '@' && kind != 'j' && kind != '*')
    return json_string(text);
  own_mem char *file = file_read(text);
  json_error_t e;
  if (!file)
    return NULL;
  if (kind == '@')
    return json_string(file);
  json_t *v = json_loads(file, JSON_REJECT_DUPLICATES, &e);
  if (!v)
    fprintf(stderr, "sallyport: %s:%d: %s\n", text, e.line, e.text);
  return v;
}

static bool is_password(const struct cli_name *n) { return strcmp(n->name, "password") == 0; }

static bool take_value(struct ask *a, const struct cli_name *n, const char *text) {
  json_t *v = value_of(n->kind, text);
  if (!v)
    return false;
  if (n->kind == '@' && is_password(n)) { /* a line of a file: without its end */
    own_mem char *line = strndup(json_string_value(v), strcspn(json_string_value(v), "\r\n"));
    json_string_set(v, line ? line : "");
  }
  if (n->kind == '*')
    a->whole = v;
  else
    json_object_set_new(a->params, n->name, v);
  return true;
}

static bool take_pairs(struct ask *a, const struct cli_name *n, char **words, int words_n) {
  json_t *pairs = json_object();
  json_object_set_new(a->params, n->name, pairs);
  for (int i = 0; i < words_n; i++) {
    char *eq = strchr(words[i], '=');
    if (!eq) {
      fprintf(stderr, "sallyport: '%s': KEY=VALUE is expected\n", words[i]);
      return false;
    }
    *eq = 0;
    json_object_set_new(pairs, words[i], plain_of(eq + 1));
  }
  return words_n > 0;
}

/* A name in seconds may be said without its unit: --confirm is --confirm_s. */
static bool is_name(const char *name, const char *word) {
  size_t n = strlen(word), whole = strlen(name);
  return strcmp(name, word) == 0 ||
         (whole == n + 2 && !strncmp(name, word, n) && !strcmp(name + n, "_s"));
}

static bool option_find(const struct cli_row *row, const char *word, struct cli_name *ret) {
  for (const char *at = row->options; cli_name_next(&at, ret);)
    if (is_name(ret->name, word))
      return true;
  return false;
}

/* Options that every verb has; NULL: not one of them. */
static const char **common_find(struct ask *a, const char *word) {
  const struct {
    const char *name, **to;
  } all[] = {{"url", &a->settings.url}, {"token-file", &a->settings.token_file},
             {"ca", &a->settings.ca},   {"cert", &a->settings.cert},
             {"key", &a->settings.key}, {"config", &a->settings.config}};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    if (strcmp(all[i].name, word) == 0)
      return all[i].to;
  return NULL;
}

/* "--name", "--name=value", "--name value": how many words it took; 0: wrong. */
static int take_option(struct ask *a, char **argv, int left) {
  struct cli_name n;
  char word[64];
  size_t bytes = strcspn(argv[0] + 2, "=");
  snprintf(word, sizeof(word), "%.*s", (int)bytes, argv[0] + 2);
  const char *value = argv[0][2 + bytes] ? argv[0] + 3 + bytes : NULL;
  if (strcmp(word, "json") == 0 && !value) {
    a->is_json = true;
    return 1;
  }
  const char **common = common_find(a, word);
  bool is_own = !common && option_find(a->row, word, &n);
  if (is_own && n.kind == 'b')
    return take_value(a, &n, value ? value : "true");
  int used = value ? 1 : 2;
  if (!value)
    value = left > 1 ? argv[1] : NULL;
  if (!value || (!common && !is_own)) {
    fprintf(stderr, value ? "sallyport: unknown option --%s\n" : "sallyport: --%s wants a value\n",
            word);
    return 0;
  }
  if (common)
    *common = value;
  else if (!take_value(a, &n, value))
    return 0;
  return used;
}

static bool words_take(struct ask *a, int argc, char **argv) {
  struct cli_name n;
  const char *at = a->row->arguments;
  char *free_words[64];
  int m = 0, used;
  for (int i = 0; i < argc; i += used) {
    used = 1;
    if (argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2])
      used = take_option(a, argv + i, argc - i);
    else if (m < 64)
      free_words[m++] = argv[i];
    if (!used)
      return false;
  }
  int i = 0;
  while (cli_name_next(&at, &n)) {
    if (n.kind == '.')
      return take_pairs(a, &n, free_words + i, m - i);
    if (i == m || !take_value(a, &n, free_words[i]))
      return false;
    i++;
  }
  if (i < m)
    fprintf(stderr, "sallyport: '%.80s' is a word too many\n", free_words[i]);
  return i == m;
}

/* The request -------------------------------------------------------------------------------------- */

static bool param_text(const json_t *v, char *dst, size_t bytes) {
  if (json_is_string(v))
    return snprintf(dst, bytes, "%s", json_string_value(v)) < (int)bytes;
  own_mem char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
  return text && snprintf(dst, bytes, "%s", text) < (int)bytes;
}

/* Braces of the pattern filled with what was said, which then is no longer among the others. */
static bool path_fill(struct ask *a, const char *pattern, char *dst, size_t bytes, bool consumes) {
  char name[32], raw[VALUE_BYTES], value[3 * VALUE_BYTES];
  size_t n = 0;
  while (*pattern && n + 1 < bytes) {
    if (*pattern != '{') {
      dst[n++] = *pattern++;
      continue;
    }
    size_t len = strcspn(pattern, "}");
    snprintf(name, sizeof(name), "%.*s", (int)len - 1, pattern + 1);
    pattern += len + 1;
    if (!param_text(json_object_get(a->params, name), raw, sizeof(raw)) ||
        !api_escape(a->api, raw, value, sizeof(value)))
      return false;
    n += (size_t)snprintf(dst + n, bytes - n, "%s", value);
    if (consumes)
      json_object_del(a->params, name);
  }
  dst[n < bytes ? n : bytes - 1] = 0;
  return n < bytes;
}

static bool query_add(struct ask *a, char *path, size_t bytes) {
  const char *name;
  json_t *v;
  char raw[VALUE_BYTES], value[3 * VALUE_BYTES];
  bool is_first = true;
  json_object_foreach(a->params, name, v) {
    size_t n = strlen(path);
    if (!param_text(v, raw, sizeof(raw)) || !api_escape(a->api, raw, value, sizeof(value)) ||
        snprintf(path + n, bytes - n, "%c%s=%s", is_first ? '?' : '&', name, value) >= (int)(bytes - n))
      return false;
    is_first = false;
  }
  return true;
}

static json_t *body_make(struct ask *a) {
  json_t *body = a->whole ? json_incref(a->whole) : json_object();
  if (a->row->fixed[0] == '{') {
    json_t *fixed = json_loads(a->row->fixed, 0, NULL);
    json_object_update(body, fixed);
    json_decref(fixed);
  }
  json_object_update(body, a->params);
  return body;
}

static int status_exit(long status) {
  if (status == 0)
    return CLI_AWAY;
  if (status == 401 || status == 403)
    return CLI_FORBIDDEN;
  return status < 300 ? CLI_OK : CLI_NO;
}

/* The answer --------------------------------------------------------------------------------------- */

static void table_show(const json_t *doc, const char *view) {
  char noun[40];
  size_t n = strcspn(view, ":");
  snprintf(noun, sizeof(noun), "%.*s", (int)n, view);
  view_table(doc, noun, view + n + 1);
}

/* false: the document itself says that not all is well. */
static bool show(const struct ask *a, const struct api_answer *r) {
  const char *view = a->row->view;
  json_t *doc =
      strcmp(view, "raw") == 0 || !r->bytes ? NULL : json_loads(r->body, JSON_DECODE_ANY, NULL);
  bool is_well = !json_is_false(json_object_get(doc, "ok"));
  if (!doc)
    fwrite(r->body, 1, r->bytes, stdout);
  else if (a->is_json)
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY), putchar('\n');
  else if (strchr(view, ':'))
    table_show(doc, view);
  else if (view[0] && json_is_string(json_object_get(doc, view)))
    fputs(json_string_value(json_object_get(doc, view)), stdout);
  else
    view_object(doc);
  json_decref(doc);
  return is_well;
}

static int too_long(void) {
  fputs("sallyport: a word is too long\n", stderr);
  return CLI_USAGE;
}

static int answer_show(const struct ask *a, struct api_answer *r) {
  if (r->status >= 300)
    a->is_json ? (void)fprintf(stdout, "%s\n", r->body) : view_problem(r->status, r->body);
  else if (r->status)
    return show(a, r) ? CLI_OK : CLI_NO;
  return status_exit(r->status);
}

/* What is not said of a commit of a report's profile: on probation, as on the page. */
static void commit_default(struct ask *a, const json_t *id) {
  struct cli_name n;
  char comment[80];
  snprintf(comment, sizeof(comment), "Trunk Doctor %s", json_string_value(id) ?: "");
  if (option_find(a->row, "confirm_s", &n) && !json_object_get(a->params, "confirm_s"))
    json_object_set_new(a->params, "confirm_s", json_integer(PROBATION_S));
  if (option_find(a->row, "comment", &n) && !json_object_get(a->params, "comment"))
    json_object_set_new(a->params, "comment", json_string(comment));
}

/* "+PATH" of match: asked with the settings, it answers the file as it would be, and the ETag that it is
 * made of: those are what is sent then. */
static int file_take(struct ask *a, char *dst, size_t bytes) {
  char path[PATH_BYTES];
  struct api_answer r = {.body = NULL};
  json_t *settings = json_incref(json_object_get(a->params, "settings"));
  json_t *body = json_pack("{s:o}", "settings", settings);
  json_object_del(a->params, "settings");
  if (!path_fill(a, a->row->match + 1, path, sizeof(path), true)) {
    json_decref(body);
    return too_long();
  }
  api_ask(a->api, "POST", path, body, NULL, &r);
  json_decref(body);
  int status = r.status == 200 ? CLI_OK : answer_show(a, &r);
  json_t *doc = status == CLI_OK ? json_loads(r.body, 0, NULL) : NULL;
  const char *etag = json_string_value(json_object_get(doc, "etag"));
  snprintf(dst, bytes, "%s", etag ? etag : "");
  if (doc)
    json_object_set(a->params, "text", json_object_get(doc, "text"));
  json_decref(doc);
  api_answer_done(&r);
  return status;
}

/* The ETag of what is changed; a thing that is not there is told here. */
static int etag_get(struct ask *a, char *dst, size_t bytes) {
  char path[PATH_BYTES];
  struct api_answer r = {.body = NULL};
  if (!a->row->match[0])
    return CLI_OK;
  if (a->row->match[0] == '+')
    return file_take(a, dst, bytes);
  if (!path_fill(a, a->row->match, path, sizeof(path), false))
    return too_long();
  api_ask(a->api, "GET", path, NULL, NULL, &r);
  int status = r.status == 200 ? CLI_OK : answer_show(a, &r);
  snprintf(dst, bytes, "%s", r.etag);
  api_answer_done(&r);
  return status;
}

/* The report that fixed names: its trunk and the settings that it proposes, as if they had been said. */
static int report_take(struct ask *a) {
  char path[PATH_BYTES];
  struct api_answer r = {.body = NULL};
  if (a->row->fixed[0] != '@')
    return CLI_OK;
  if (!path_fill(a, a->row->fixed + 1, path, sizeof(path), true))
    return too_long();
  api_ask(a->api, "GET", path, NULL, NULL, &r);
  int status = r.status == 200 ? CLI_OK : answer_show(a, &r);
  json_t *doc = status == CLI_OK ? json_loads(r.body, 0, NULL) : NULL;
  json_t *trunk = json_object_get(doc, "trunk"),
         *patch = json_object_get(json_object_get(doc, "profile"), "patch");
  if (json_object_size(patch)) {
    json_object_set(a->params, "trunk", trunk);
    json_object_set(a->params, "settings", patch);
    commit_default(a, json_object_get(doc, "id"));
  } else if (status == CLI_OK) {
    fputs("sallyport: the report proposes nothing\n", stderr);
    status = CLI_NO;
  }
  json_decref(doc);
  api_answer_done(&r);
  return status;
}

static int ask_run(struct ask *a) {
  char path[2 * PATH_BYTES], etag[160] = "";
  struct api_answer r = {.to = strcmp(a->row->view, "raw") == 0 ? stdout : NULL};
  bool has_body = strcmp(a->row->method, "GET") != 0 && strcmp(a->row->method, "DELETE") != 0;
  int status = report_take(a);
  if (status == CLI_OK)
    status = etag_get(a, etag, sizeof(etag));
  if (status != CLI_OK)
    return status;
  if (!path_fill(a, a->row->path, path, sizeof(path), true) ||
      (!has_body && !query_add(a, path, sizeof(path))))
    return too_long();
  json_t *body = has_body ? body_make(a) : NULL;
  bool is_empty = body && !json_object_size(body) && !a->row->fixed[0];
  api_ask(a->api, a->row->method, path, is_empty ? NULL : body, etag, &r);
  json_decref(body);
  status = answer_show(a, &r);
  api_answer_done(&r);
  return status;
}

int cli_row_run(const struct cli_row *row, int argc, char **argv) {
  struct ask a = {.row = row, .params = json_object()};
  int status = CLI_USAGE;
  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      cli_row_usage(row, stdout);
      json_decref(a.params);
      return CLI_OK;
    }
  if (!words_take(&a, argc, argv))
    cli_row_usage(row, stderr);
  else if (api_new(&a.api, &a.settings) == 0)
    status = ask_run(&a);
  a.api = api_free(a.api);
  json_decref(a.params);
  json_decref(a.whole);
  return status;
}
