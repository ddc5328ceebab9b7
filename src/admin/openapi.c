/* SPDX-License-Identifier: Apache-2.0
 * The OpenAPI 3.1 document of the operators' door, written from the table of verbs and the shapes; a
 * unit test holds docs/api/openapi.json against it. Web threads. */
#include "admin/openapi.h"

#include "admin/desk.h"

#include <config.h> /* not our neighbour of that name */
#include <stdio.h>

static const char about[] = "Configure, watch and steer the gateway. Who asks shows the admin token or "
                            "an API token (Authorization: "
                            "Bearer), or a session's cookie (then a change needs X-Sallyport: 1 too). "
                            "Roles: viewer, operator, security, "
                            "admin. Errors are problem documents (RFC 9457). Changes of things with an "
                            "ETag need If-Match (428 without, "
                            "412 stale). A POST with Idempotency-Key is carried out once in 24 hours. "
                            "Lists come in pages: limit, cursor.";

static json_t *ref(const char *where, const char *name) {
  char text[120];
  snprintf(text, sizeof text, "#/components/%s/%s", where, name);
  return json_pack("{s:s}", "$ref", text);
}

static const char *const methods[] = {[WEB_GET] = "get",
                                      [WEB_POST] = "post",
                                      [WEB_PUT] = "put",
                                      [WEB_PATCH] = "patch",
                                      [WEB_DELETE] = "delete"};

/* The noun behind /admin/v1/, else the first segment. */
static json_t *tag_json(const struct verb *v) {
  struct slice rest = slice_of(v->path + (v->flags & VERB_ROOT ? 1 : sizeof("/admin/v1/") - 1));
  struct slice noun = slice_cut(&rest, '/');
  return noun.n ? json_pack("[s%]", noun.p, noun.n) : json_pack("[s]", "console");
}

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

static json_t *parameters(const struct verb *v) {
  json_t *list = json_array();
  path_parameters(list, v->path);
  query_parameters(list, v->query);
  if (v->flags & VERB_MATCH)
    json_array_append_new(list, ref("parameters", "IfMatch"));
  if (v->method == WEB_POST && v->role != ROLE_NONE)
    json_array_append_new(list, ref("parameters", "IdempotencyKey"));
  return list;
}

static json_t *success(const struct verb *v) {
  json_t *j = json_pack("{s:s}", "description", v->status == 204 ? "Done" : v->summary);
  if (v->status == 204)
    return j;
  const char *type = v->flags & VERB_STREAM ? "text/event-stream" : "application/json";
  if (v->answer == &shape_none && !(v->flags & VERB_STREAM))
    type = "*/*";
  json_t *content = v->answer == &shape_none
                        ? json_object()
                        : json_pack("{s:o}", "schema", ref("schemas", v->answer->name));
  json_object_set_new(j, "content", json_pack("{s:o}", type, content));
  return j;
}

static json_t *request_body(const struct verb *v) {
  json_t *content = json_object();
  if (v->method == WEB_PATCH)
    json_object_set_new(content, "application/merge-patch+json",
                        json_pack("{s:o}", "schema", ref("schemas", v->body->name)));
  json_object_set_new(content, "application/json",
                      json_pack("{s:o}", "schema", ref("schemas", v->body->name)));
  return json_pack("{s:b, s:o}", "required", 1, "content", content);
}

static json_t *operation(const struct verb *v) {
  char status[8];
  snprintf(status, sizeof status, "%u", v->status);
  json_t *j = json_pack("{s:s, s:s, s:o, s:s}", "operationId", v->id, "summary", v->summary, "tags",
                        tag_json(v), "x-role", role_text(v->role));
  json_t *list = parameters(v);
  if (json_array_size(list))
    json_object_set(j, "parameters", list);
  json_decref(list);
  if (v->method != WEB_GET && v->body != &shape_none)
    json_object_set_new(j, "requestBody", request_body(v));
  json_object_set_new(j, "responses",
                      json_pack("{s:o, s:o}", status, success(v), "4XX", ref("responses", "Problem")));
  if (v->role == ROLE_NONE)
    json_object_set_new(j, "security", json_array());
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

static json_t *schemas(void) {
  json_t *all = json_object();
  for (size_t i = 0; i < verbs_n; i++) {
    const struct shape *of[] = {verbs[i].body, verbs[i].answer};
    for (size_t k = 0; k < COUNT_OF(of); k++)
      if (of[k] != &shape_none)
        json_object_set_new(all, of[k]->name, shape_schema(of[k]));
  }
  json_object_set_new(all, "problem",
                      json_pack("{s:s, s:[s,s,s,s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, "
                                "s:{s:s}, s:{s:s, s:{s:s, s:{s:{s:s}, "
                                "s:{s:s}}}}}}",
                                "type", "object", "required", "type", "title", "status", "code",
                                "properties", "type", "type", "string", "title", "type", "string",
                                "status", "type", "integer", "detail", "type", "string", "code", "type",
                                "string", "retry_after", "type", "integer", "errors", "type", "array",
                                "items", "type", "object", "properties", "pointer", "type", "string",
                                "reason", "type", "string"));
  return all;
}

static json_t *header_json(const char *name, bool must, const char *help) {
  return json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:i, s:i}}", "name", name, "in", "header", "required",
                   (int)must, "description", help, "schema", "type", "string", "minLength", 1,
                   "maxLength", 128);
}

static json_t *components(void) {
  json_t *problem =
      json_pack("{s:s, s:{s:{s:o}}}", "description", "It was refused: a problem document says why",
                "content", "application/problem+json", "schema", ref("schemas", "problem"));
  return json_pack("{s:o, s:{s:o}, s:{s:o, s:o}, s:{s:{s:s, s:s}, s:{s:s, s:s, s:s}}}", "schemas",
                   schemas(), "responses", "Problem", problem, "parameters", "IfMatch",
                   header_json("If-Match", true, "The ETag of the thing as it was read"),
                   "IdempotencyKey",
                   header_json("Idempotency-Key", false,
                               "The same key with the same body is carried out once in 24 hours"),
                   "securitySchemes", "token", "type", "http", "scheme", "bearer", "session", "type",
                   "apiKey", "in", "cookie", "name", "sallyport_session");
}

json_t *openapi_make(void) {
  return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}, {s:[]}], s:o, s:o}",
                   "openapi", "3.1.0", "info", "title", "Sallyport: operators' door", "version",
                   PACKAGE_VERSION, "description", about, "license", "name", "Apache-2.0", "identifier",
                   "Apache-2.0", "servers", "url", "/", "security", "token", "session", "paths", paths(),
                   "components", components());
}

void verb_openapi(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  ret->status = 200;
  ret->type = "application/json";
  ret->fixed = slice_of(a->openapi);
}
