/* SPDX-License-Identifier: Apache-2.0
 * The OpenAPI 3.1 document of the operators' door, written from the table of verbs and the shapes; a
 * unit test holds docs/api/openapi.json against it. Web threads. */
#include "admin/openapi.h"

#include "admin/desk.h"
#include "admin/docpart.h"

#include <config.h> /* not our neighbour of that name */
#include <stdio.h>

static const char about[] = "Configure, watch and steer the gateway. Who asks shows the admin token or "
                            "an API token (Authorization: "
                            "Bearer), a session's cookie, or a client certificate (by the last two a "
                            "change needs X-Sallyport: 1 "
                            "too). Roles: viewer, operator, security, admin; x-role names the least. "
                            "Errors are problem documents "
                            "(RFC 9457), code is for programs, errors[].pointer names the member (RFC "
                            "6901). Changes of things with "
                            "an ETag need If-Match (428 without, 412 stale). A POST with "
                            "Idempotency-Key is carried out once in 24 "
                            "hours. Lists come in pages: limit, cursor, and Link to the next. How to "
                            "use it: docs/api/README.md.";

static const char *const methods[] = {[WEB_GET] = "get",
                                      [WEB_POST] = "post",
                                      [WEB_PUT] = "put",
                                      [WEB_PATCH] = "patch",
                                      [WEB_DELETE] = "delete"};

static void path_parameters(json_t *list, const char *path) {
  for (const char *p = path; (p = strchr(p, '{')); p++) {
    const char *end = strchr(p, '}');
    json_array_append_new(list,
                          json_pack("{s:s%, s:s, s:b, s:{s:s, s:i, s:i}}", "name", p + 1,
                                    (size_t)(end - p - 1), "in", "path", "required", 1, "schema", "type",
                                    "string", "minLength", 1, "maxLength", WEB_PARAM_BYTES - 1));
  }
}

static void query_parameters(json_t *list, const struct shape *s) {
  json_t *schema = shape_schema(s), *properties = json_object_get(schema, "properties");
  for (size_t i = 0; i < s->n; i++) {
    const struct shape_member *m = &s->members[i];
    json_t *one = json_copy(json_object_get(properties, m->name));
    json_object_del(one, "description");
    json_t *p = json_pack("{s:s, s:s, s:b, s:o}", "name", m->name, "in", "query", "required",
                          (m->flags & SHAPE_MUST) != 0, "schema", one);
    if (m->help)
      json_object_set_new(p, "description", json_string(m->help));
    json_array_append_new(list, p);
  }
  json_decref(schema);
}

static bool takes_key(const struct verb *v) { return v->method == WEB_POST && v->role != ROLE_NONE; }

static bool is_conditional(const struct verb *v) {
  return v->method == WEB_GET && v->flags & VERB_TAGGED;
}

static json_t *parameters(const struct verb *v) {
  json_t *list = json_array();
  path_parameters(list, v->path);
  query_parameters(list, v->query);
  if (v->flags & VERB_MATCH)
    json_array_append_new(list, docpart_ref("parameters", "IfMatch"));
  if (is_conditional(v))
    json_array_append_new(list, docpart_ref("parameters", "IfNoneMatch"));
  if (takes_key(v))
    json_array_append_new(list, docpart_ref("parameters", "IdempotencyKey"));
  return list;
}

static bool has_pages(const struct verb *v) {
  for (size_t i = 0; i < v->query->n; i++)
    if (!strcmp(v->query->members[i].name, "cursor"))
      return true;
  return false;
}

static json_t *headers(const struct verb *v) {
  json_t *all = json_object();
  if (v->flags & VERB_TAGGED)
    json_object_set_new(all, "ETag", docpart_ref("headers", "ETag"));
  if (v->flags & VERB_PLACED)
    json_object_set_new(all, "Location", docpart_ref("headers", "Location"));
  if (has_pages(v))
    json_object_set_new(all, "Link", docpart_ref("headers", "Link"));
  if (takes_key(v))
    json_object_set_new(all, "Idempotent-Replayed", docpart_ref("headers", "IdempotentReplayed"));
  if (!strcmp(v->id, "login") || !strcmp(v->id, "logout"))
    json_object_set_new(all, "Set-Cookie", docpart_ref("headers", "SetCookie"));
  return all;
}

static json_t *typed(const char *type, json_t *schema) {
  return json_pack("{s:{s:o}}", type, "schema", schema);
}

/* What is answered beside JSON, by the verb. */
static json_t *other_content(const struct verb *v) {
  static const struct {
    const char *id, *types;
  } rows[] = {{"health", "text/plain"},
              {"metrics", "text/plain|application/openmetrics-text"},
              {"page", "text/html"},
              {"file", "*/*"},
              {"pcap", "application/vnd.tcpdump.pcap"},
              {"records_export", "text/csv|application/jsonl"},
              {"audit_export", "application/jsonl"},
              {"bundle", "application/gzip"},
              {"doctor_show", "text/html"}};
  json_t *all = json_object();
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct slice rest = strcmp(rows[i].id, v->id) ? (struct slice){0} : slice_of(rows[i].types);
    while (rest.p) {
      char type[64];
      (void)!slice_copy(type, sizeof type, slice_cut(&rest, '|'));
      json_object_set_new(all, type, json_pack("{s:{s:s}}", "schema", "type", "string"));
    }
  }
  return all;
}

static json_t *success(const struct verb *v) {
  json_t *j = json_pack("{s:s}", "description", v->status == 204 ? "Done" : v->summary);
  json_t *content = other_content(v), *heads = headers(v);
  if (v->flags & VERB_STREAM)
    json_object_update_new(content, typed("text/event-stream", docpart_ref("schemas", "event")));
  else if (v->answer != &shape_none)
    json_object_update_new(content, typed("application/json", docpart_ref("schemas", v->answer->name)));
  if (json_object_size(content))
    json_object_set(j, "content", content);
  if (json_object_size(heads))
    json_object_set(j, "headers", heads);
  json_decref(content);
  json_decref(heads);
  return j;
}

static json_t *responses(const struct verb *v) {
  char status[8];
  snprintf(status, sizeof status, "%u", v->status);
  json_t *all = json_pack("{s:o}", status, success(v));
  if (is_conditional(v))
    json_object_set_new(all, "304",
                        json_pack("{s:s, s:{s:o}}", "description", "It is still that of If-None-Match",
                                  "headers", "ETag", docpart_ref("headers", "ETag")));
  if (!strcmp(v->id, "ready"))
    json_object_set_new(all, "503",
                        json_pack("{s:s, s:o}", "description", "Not now, and why", "content",
                                  typed("application/json", docpart_ref("schemas", v->answer->name))));
  docpart_problems(v, all);
  return all;
}

/* A change by what a browser shows by itself needs a header too. */
static json_t *security(const struct verb *v) {
  if (v->role == ROLE_NONE)
    return json_array();
  if (v->method == WEB_GET)
    return json_pack("[{s:[]}, {s:[]}, {s:[]}]", "token", "session", "certificate");
  return json_pack("[{s:[]}, {s:[], s:[]}, {s:[], s:[]}]", "token", "session", "sallyport",
                   "certificate", "sallyport");
}

static json_t *request_body(const struct verb *v) {
  json_t *content = typed("application/json", docpart_ref("schemas", v->body->name));
  if (v->method == WEB_PATCH)
    json_object_update_new(content,
                           typed("application/merge-patch+json", docpart_ref("schemas", v->body->name)));
  return json_pack("{s:b, s:o}", "required", 1, "content", content);
}

/* What the row says of it, in words. */
static json_t *description(const struct verb *v) {
  static const struct {
    unsigned flag;
    const char *words;
  } rows[] = {
      {VERB_MATCH,
       " If-Match says which state of the thing is changed: 428 without, 412 if it is stale."},
      {VERB_COMMITS,
       " It is a commit of the configuration: 409 while another one waits to be confirmed."},
      {VERB_QUIET, " Nothing is changed."},
      {VERB_TOLD, " Who reads it is written into the audit."},
      {VERB_ONCE, " The answer holds a secret and is not told again, whatever the Idempotency-Key."},
      {VERB_SLOW, " A password is computed: 429 where too many are, or too many failed."},
      {VERB_STREAM, " The answer goes on until one side ends it."}};
  char text[512];
  int n = snprintf(text, sizeof text, v->role == ROLE_NONE ? "Needs no credential" : "Roles:");
  for (enum role r = ROLE_VIEWER; v->role != ROLE_NONE && r < ROLE_COUNT_; r++)
    if (role_may(r, v->role))
      n += snprintf(text + n, sizeof text - (size_t)n, " %s,", role_text(r));
  n -= v->role != ROLE_NONE; /* the last comma */
  n += snprintf(text + n, sizeof text - (size_t)n, ".");
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (v->flags & rows[i].flag)
      n += snprintf(text + n, sizeof text - (size_t)n, "%s", rows[i].words);
  if (has_pages(v))
    snprintf(text + n, sizeof text - (size_t)n,
             " In pages: cursor of the answer leads to the next, null ends them.");
  return json_string(text);
}

static json_t *operation(const struct verb *v) {
  json_t *j = json_pack("{s:s, s:s, s:o, s:[s], s:s, s:o, s:o}", "operationId", v->id, "summary",
                        v->summary, "description", description(v), "tags", docpart_tag(v), "x-role",
                        role_text(v->role), "security", security(v), "responses", responses(v));
  json_t *list = parameters(v);
  if (json_array_size(list))
    json_object_set(j, "parameters", list);
  json_decref(list);
  if (v->method != WEB_GET && v->body != &shape_none)
    json_object_set_new(j, "requestBody", request_body(v));
  return j;
}

static json_t *paths(void) {
  json_t *all = json_object();
  for (size_t i = 0; i < verbs_n; i++) {
    json_t *path = json_object_get(all, verbs[i].path);
    if (!path) {
      path = json_object();
      json_object_set_new(all, verbs[i].path, path);
    }
    json_object_set_new(path, methods[verbs[i].method], operation(&verbs[i]));
  }
  return all;
}

json_t *openapi_make(void) {
  return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s}, s:{s:s, s:s}}, s:[{s:s, s:s}], s:o, s:o, s:o}",
                   "openapi", "3.1.0", "info", "title", "Sallyport: operators' door", "version",
                   PACKAGE_VERSION, "description", about, "contact", "name", "Whoever runs this gateway",
                   "license", "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url", "/",
                   "description", "This gateway", "tags", docpart_tags(), "paths", paths(), "components",
                   docpart_components());
}

void verb_openapi(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  ret->status = 200;
  ret->type = "application/json";
  ret->fixed = slice_of(a->openapi);
}
