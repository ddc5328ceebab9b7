/* SPDX-License-Identifier: Apache-2.0
 * Parts of the OpenAPI document that all verbs share: tags, refusals, headers, parameters, who may ask,
 * schemas with their examples. Pure. */
#include "admin/docpart.h"

#include <stdio.h>

json_t *docpart_ref(const char *where, const char *name) {
  return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", where, name));
}

/* Tags --------------------------------------------------------------------------------------------- */

static const struct {
  const char *noun, *tag, *help;
} tags[] = {
#define TAG(noun, tag, help) {noun, tag, help},
#include "admin/tag.def"
#undef TAG
};

json_t *docpart_tags(void) {
  json_t *list = json_array();
  for (size_t i = 0; i < COUNT_OF(tags); i++)
    if (tags[i].help[0])
      json_array_append_new(list,
                            json_pack("{s:s, s:s}", "name", tags[i].tag, "description", tags[i].help));
  return list;
}

const char *docpart_tag(const struct verb *v) {
  struct slice rest = slice_of(v->path + (v->flags & VERB_ROOT ? 1 : sizeof("/admin/v1/") - 1));
  struct slice noun = slice_cut(&rest, '/');
  for (size_t i = 0; i < COUNT_OF(tags); i++)
    if (slice_eq(noun, slice_of(tags[i].noun)))
      return tags[i].tag;
  return "";
}

/* Refusals ----------------------------------------------------------------------------------------- */

static const struct status {
  unsigned status;
  const char *name, *codes, *help;
} statuses[] = {
#define STATUS(status, name, codes, help) {status, #name, codes, help},
#include "admin/status.def"
#undef STATUS
};

static bool may_answer(const struct verb *v, unsigned status) {
  bool has_body = v->method != WEB_GET, commits = v->flags & VERB_COMMITS;
  switch (status) {
  case 401:
    return v->role != ROLE_NONE || v->flags & VERB_SLOW;
  case 403:
    return v->role != ROLE_NONE;
  case 404:
    return strchr(v->path, '{') || commits || !strcmp(v->path, "/");
  case 409:
    return (v->method == WEB_POST && v->role != ROLE_NONE) || commits;
  case 412:
  case 428:
    return v->flags & VERB_MATCH;
  case 413:
  case 415:
  case 422:
    return has_body;
  case 429:
    return v->flags & VERB_SLOW;
  case 504:
    return v->thread == VERB_CALL;
  default: /* anybody's */
    return true;
  }
}

void docpart_problems(const struct verb *v, json_t *responses) {
  char text[8];
  for (size_t i = 0; i < COUNT_OF(statuses); i++) {
    snprintf(text, sizeof text, "%u", statuses[i].status);
    if (may_answer(v, statuses[i].status) && !json_object_get(responses, text))
      json_object_set_new(responses, text, docpart_ref("responses", statuses[i].name));
  }
}

static void words_add(json_t *list, const char *words) {
  struct slice rest = slice_of(words);
  while (rest.p) {
    struct slice one = slice_cut(&rest, '|');
    json_t *word = json_stringn(one.p, one.n), *there;
    size_t i;
    json_array_foreach(list, i, there) if (json_equal(there, word)) break;
    if (i == json_array_size(list))
      json_array_append(list, word);
    json_decref(word);
  }
}

static json_t *problem_example(const struct status *s) {
  struct slice rest = slice_of(s->codes), first = slice_cut(&rest, '|');
  for (enum web_problem p = 0; p < WEB_PROBLEM_COUNT_; p++) {
    struct web_answer a = {0};
    if (!slice_eq(first, slice_of(web_problem_code(p))) ||
        (s->status != 422 && web_problem_status(p) != s->status))
      continue;
    const struct web_problem_error e = {"/name", "this member is needed"};
    bool points = s->status == 422;
    web_answer_problem(&a, p,
                       &(struct web_problem_info){.status = s->status,
                                                  .detail = points ? e.reason : NULL,
                                                  .errors = points ? &e : NULL,
                                                  .errors_n = points});
    json_t *j = a.body ? json_loadb(a.body, a.body_bytes, 0, NULL) : NULL;
    web_answer_done(&a);
    return j;
  }
  return NULL;
}

static json_t *status_response(const struct status *s) {
  json_t *media = json_pack("{s:o}", "schema", docpart_ref("schemas", "problem")), *codes = json_array();
  json_t *example = problem_example(s), *headers = json_object();
  if (example)
    json_object_set_new(media, "example", example);
  if (s->status == 401)
    json_object_set_new(headers, "WWW-Authenticate", docpart_ref("headers", "WwwAuthenticate"));
  if (s->status == 415) {
    json_object_set_new(headers, "Accept", docpart_ref("headers", "Accept"));
    json_object_set_new(headers, "Accept-Patch", docpart_ref("headers", "Accept"));
  }
  if (s->status == 429 || s->status == 503)
    json_object_set_new(headers, "Retry-After", docpart_ref("headers", "RetryAfter"));
  words_add(codes, s->codes);
  json_t *j = json_pack("{s:s, s:{s:o}, s:o}", "description", s->help, "content",
                        "application/problem+json", media, "x-codes", codes);
  if (json_object_size(headers))
    json_object_set(j, "headers", headers);
  json_decref(headers);
  return j;
}

static json_t *responses(void) {
  json_t *all = json_object();
  for (size_t i = 0; i < COUNT_OF(statuses); i++)
    json_object_set_new(all, statuses[i].name, status_response(&statuses[i]));
  return all;
}

/* Headers, parameters, who may ask ------------------------------------------------------------------ */

/* max 0: what a header may be long. */
static json_t *text_schema(int max) {
  json_t *j = json_pack("{s:s, s:i, s:s}", "type", "string", "minLength", 1, "pattern", "^[ -~]*$");
  if (max)
    json_object_set_new(j, "maxLength", json_integer(max));
  return j;
}

static json_t *parameter(const char *name, bool must, int max, const char *example, const char *help) {
  return json_pack("{s:s, s:s, s:b, s:s, s:s, s:o}", "name", name, "in", "header", "required", (int)must,
                   "description", help, "example", example, "schema", text_schema(max));
}

static json_t *header(const char *help, const char *example) {
  return json_pack("{s:s, s:s, s:{s:s}}", "description", help, "example", example, "schema", "type",
                   "string");
}

static json_t *headers(void) {
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "Accept",
      header("The types that it takes; of a PATCH as Accept-Patch", "application/json"), "ETag",
      header("Strong; for If-Match of a change, If-None-Match of a read", "\"Zm9vYmFyYmF6cXV4MTIzNA\""),
      "Location", header("Where the new thing is", "/admin/v1/users/ann"), "Link",
      header("RFC 8288: the next page, while there is one",
             "</admin/v1/records?limit=100&cursor=…>; rel=\"next\""),
      "SetCookie", header("The session", "sallyport_session=…; Path=/; HttpOnly; SameSite=Strict"),
      "RetryAfter",
      json_pack("{s:s, s:{s:s, s:i}}", "description", "Seconds to wait", "schema", "type", "integer",
                "minimum", 1),
      "WwwAuthenticate", header("RFC 6750", "Bearer realm=\"sallyport\""), "IdempotentReplayed",
      header("true: this was answered before, and nothing was done again", "true"));
}

static json_t *parameters(void) {
  return json_pack(
      "{s:o, s:o, s:o}", "IfMatch",
      parameter("If-Match", true, 0, "\"Zm9vYmFyYmF6cXV4MTIzNA\"",
                "The ETag of the thing as it was read; several, or * for any, as RFC 9110 has it"),
      "IfNoneMatch",
      parameter("If-None-Match", false, 0, "\"Zm9vYmFyYmF6cXV4MTIzNA\"",
                "304 while the thing is still this"),
      "IdempotencyKey",
      parameter("Idempotency-Key", false, 128, "3f1c7d1e-8f5b-4f0a-9a55-0f6a3c0d9b11",
                "The same key with the same body is carried out once in 24 hours"));
}

static json_t *security(void) {
  json_t *all = json_object();
  json_object_set_new(all, "token",
                      json_pack("{s:s, s:s, s:s}", "type", "http", "scheme", "bearer", "description",
                                "The admin token (role admin) or an API token (spa_…)"));
  json_object_set_new(all, "session",
                      json_pack("{s:s, s:s, s:s, s:s}", "type", "apiKey", "in", "cookie", "name",
                                "sallyport_session", "description", "Of POST /admin/v1/login"));
  json_object_set_new(all, "certificate",
                      json_pack("{s:s, s:s}", "type", "mutualTLS", "description",
                                "A client certificate that a row of admin.certificates[] gives a role"));
  json_object_set_new(
      all, "sallyport",
      json_pack("{s:s, s:s, s:s, s:s}", "type", "apiKey", "in", "header", "name", "X-Sallyport",
                "description",
                "The digit 1: a change by cookie or certificate needs it, against forged requests"));
  return all;
}

/* Schemas ------------------------------------------------------------------------------------------ */

static const struct {
  const char *name, *example;
} examples[] = {
#define EXAMPLE(name, ...) {#name, #__VA_ARGS__},
#include "admin/example.def"
#undef EXAMPLE
};

static json_t *example_of(const char *name) {
  for (size_t i = 0; i < COUNT_OF(examples); i++)
    if (!strcmp(examples[i].name, name))
      return json_loads(examples[i].example, 0, NULL);
  return NULL;
}

static void schema_add(json_t *all, const struct shape *s) {
  if (s == &shape_none || json_object_get(all, s->name))
    return;
  json_t *j = shape_schema(s), *example = example_of(s->name);
  if (example)
    json_object_set_new(j, "examples", json_pack("[o]", example));
  json_object_set_new(all, s->name, j);
  for (size_t i = 0; i < s->n; i++)
    if (s->members[i].inner)
      schema_add(all, s->members[i].inner);
}

SHAPE(problem_error,
      {"pointer", SHAPE_TEXT, SHAPE_MUST, .help = "RFC 6901, into the body; of a query its name"},
      {"reason", SHAPE_TEXT, SHAPE_MUST});
SHAPE(problem, {"type", SHAPE_TEXT, SHAPE_MUST, .help = "urn:sallyport:problem:<code>"},
      {"title", SHAPE_TEXT, SHAPE_MUST}, {"status", SHAPE_INT, SHAPE_MUST},
      {"detail", SHAPE_TEXT, SHAPE_MUST, .help = "What it was this time, for people"},
      {"code", SHAPE_TEXT, SHAPE_MUST,
       .help = "For programs; x-codes of a response are those it can have"},
      {"retry_after", SHAPE_INT, 0, .help = "Seconds; as the header"},
      {"errors", SHAPE_LIST, 0, .inner = &shape_problem_error});
extern const struct shape shape_overview, shape_call, shape_call_gone, shape_trunk_row, shape_trunk_gone,
    shape_alarm, shape_event_config;

/* One event of the stream: its name, and what its data holds. */
static json_t *event_schema(json_t *all) {
  static const struct {
    const char *event;
    const struct shape *data;
  } rows[] = {{"overview", &shape_overview},     {"call", &shape_call},
              {"call.gone", &shape_call_gone},   {"trunk", &shape_trunk_row},
              {"trunk.gone", &shape_trunk_gone}, {"alarm", &shape_alarm},
              {"config", &shape_event_config}};
  json_t *list = json_array();
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    schema_add(all, rows[i].data);
    json_array_append_new(list,
                          json_pack("{s:s, s:[s, s], s:{s:{s:s}, s:o}}", "type", "object", "required",
                                    "event", "data", "properties", "event", "const", rows[i].event,
                                    "data", docpart_ref("schemas", rows[i].data->name)));
  }
  return json_pack("{s:s, s:o}", "description",
                   "One event of the stream: the line event names it, the line data is its JSON",
                   "oneOf", list);
}

static json_t *schemas(void) {
  json_t *all = json_object(), *codes = json_array();
  for (size_t i = 0; i < verbs_n; i++) {
    schema_add(all, verbs[i].body);
    schema_add(all, verbs[i].answer);
  }
  schema_add(all, &shape_problem);
  json_object_set_new(all, "event", event_schema(all));
  for (size_t i = 0; i < COUNT_OF(statuses); i++)
    words_add(codes, statuses[i].codes);
  json_t *problem = json_object_get(json_object_get(all, "problem"), "properties");
  json_object_set_new(json_object_get(problem, "code"), "enum", codes);
  return all;
}

json_t *docpart_components(void) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "schemas", schemas(), "responses", responses(),
                   "headers", headers(), "parameters", parameters(), "securitySchemes", security());
}
