/* SPDX-License-Identifier: Apache-2.0
 * What requests and answers about trunks and Trunk Doctor hold. A trunk's settings come from the table
 * of the configuration's fields, so that the document knows them all. Pure. */
#include "admin/verb.h"
#include "revise/revise.h"

#include <stdio.h>

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };

static json_t *settings_schema(void) {
  json_t *all = revise_schema();
  json_t *list = json_object_get(json_object_get(all, "properties"), "trunks");
  json_t *one = json_incref(json_object_get(list, "items"));
  json_decref(all);
  return one;
}

/* A merge patch of the settings: nothing is needed, and null takes a setting out. */
static json_t *patch_schema(void) {
  json_t *one = settings_schema(), *member;
  const char *name;
  json_object_foreach(json_object_get(one, "properties"), name, member) {
    json_t *bare = json_copy(member);
    json_object_del(bare, "default");
    json_object_set_new(json_object_get(one, "properties"), name,
                        json_pack("{s:[o, {s:s}]}", "anyOf", bare, "type", "null"));
  }
  json_object_del(one, "required");
  return one;
}

static bool type_ok(const json_t *schema, const json_t *v, bool may_null, struct shape_fault *f);

static bool list_ok(const json_t *schema, const json_t *list, struct shape_fault *f) {
  char at[24];
  for (size_t i = 0; i < json_array_size(list); i++) {
    snprintf(at, sizeof at, "%zu", i);
    size_t was = shape_enter(f, at);
    if (!type_ok(json_object_get(schema, "items"), json_array_get(list, i), false, f))
      return false;
    f->pointer[was] = 0;
  }
  return true;
}

static bool map_ok(const json_t *schema, const json_t *map, bool may_null, struct shape_fault *f) {
  const json_t *properties = json_object_get(schema, "properties");
  const char *name;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)map, name, v) {
    const json_t *of = json_object_get(properties, name);
    size_t was = shape_enter(f, name);
    if (!of)
      return shape_fault(f, "there is no such member");
    if (!(may_null && json_is_null(v)) && !type_ok(of, v, may_null, f))
      return false;
    f->pointer[was] = 0;
  }
  return true;
}

/* The kind of JSON only: what a setting may be is said by the configuration, when it is judged. */
static bool type_ok(const json_t *schema, const json_t *v, bool may_null, struct shape_fault *f) {
  const char *type = json_string_value(json_object_get(schema, "type"));
  if (!type)
    return true;
  if (!strcmp(type, "array"))
    return json_is_array(v) ? list_ok(schema, v, f) : shape_fault(f, "a list is expected");
  if (!strcmp(type, "object"))
    return json_is_object(v) ? map_ok(schema, v, may_null, f) : shape_fault(f, "an object is expected");
  if (!strcmp(type, "integer"))
    return json_is_integer(v) || shape_fault(f, "a whole number is expected");
  if (!strcmp(type, "boolean"))
    return json_is_boolean(v) || shape_fault(f, "true or false is expected");
  return json_is_string(v) || shape_fault(f, "a text is expected");
}

/* What may stand beside settings: what GET gives with them. */
static bool beside_ok(const json_t *body, struct shape_fault *f) {
  static const char *const names[] = {"settings", "name", "etag", "status"};
  const char *name;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)body, name, v) {
    size_t i = 0;
    while (i < COUNT_OF(names) && strcmp(names[i], name) != 0)
      i++;
    if (i == COUNT_OF(names))
      return shape_enter(f, name), shape_fault(f, "there is no such member");
  }
  return true;
}

/* Settings as they are; or as GET gives them. */
static bool settings_ok(const json_t *body, bool may_null, struct shape_fault *f) {
  const json_t *inner = json_object_get(body, "settings");
  if (inner && !beside_ok(body, f))
    return false;
  if (inner)
    shape_enter(f, "settings");
  if (inner && !json_is_object(inner))
    return shape_fault(f, "an object is expected");
  json_t *schema = settings_schema();
  bool ok = map_ok(schema, inner ? inner : body, may_null, f);
  json_decref(schema);
  return ok;
}
static bool whole_ok(const json_t *v, struct shape_fault *f) { return settings_ok(v, false, f); }
static bool patch_ok(const json_t *v, struct shape_fault *f) { return settings_ok(v, true, f); }

#define SETTINGS(name, make) static const struct shape shape_##name = {#name, NULL, 0, true, NULL, make}
SETTINGS(trunk_settings, settings_schema);
SETTINGS(trunk_settings_patch, patch_schema);

/* As they are, or as GET gives them: under "settings". */
static json_t *body_schema(const char *name) {
  json_t *ref = json_sprintf("#/components/schemas/%s", name);
  json_t *j =
      json_pack("{s:[{s:O}, {s:s, s:[s], s:b, s:{s:{s:O}, s:{s:s}, s:{}, s:{}}}]}", "anyOf", "$ref", ref,
                "type", "object", "required", "settings", "additionalProperties", 0, "properties",
                "settings", "$ref", ref, "name", "type", "string", "etag", "status");
  json_decref(ref);
  return j;
}
static json_t *new_schema(void) { return body_schema("trunk_settings"); }
static json_t *change_schema(void) { return body_schema("trunk_settings_patch"); }

#define BODY(name, of, ok, make) \
  const struct shape shape_##name = { \
      #name, (const struct shape_member[]){{"settings", SHAPE_OBJECT, .inner = &shape_##of}}, \
      1,     true, \
      ok,    make}
BODY(trunk_body, trunk_settings, whole_ok, new_schema);
BODY(trunk_change, trunk_settings_patch, patch_ok, change_schema);

SHAPE(trunk, {"name", SHAPE_TEXT, M}, {"etag", SHAPE_TEXT, M, .help = "For If-Match, as the header"},
      {"settings", SHAPE_OBJECT, M, .inner = &shape_trunk_settings, .help = "As the file has them"},
      {"status", SHAPE_ANY, N, .help = "Its row of GET /trunks, at most five seconds old; null: not known yet"});

static SHAPE(trunk_target, {"uri", SHAPE_TEXT, M},
             {"state", SHAPE_TEXT, M, .choices = "unknown|up|down"});
static SHAPE(trunk_figures, {"seizures", SHAPE_INT, M}, {"answered", SHAPE_INT, M},
             {"ner_percent", SHAPE_NUMBER, M, .help = "Network effectiveness"},
             {"acd_s", SHAPE_NUMBER, M, .help = "Mean call duration"},
             {"weak_sample", SHAPE_BOOL, M, .help = "Fewer than 100 seizures"});
static SHAPE(trunk_binding, {"contact", SHAPE_TEXT, M}, {"source", SHAPE_TEXT, M},
             {"until_ms", SHAPE_INT, M});
static SHAPE(trunk_registration,
             {"bindings", SHAPE_LIST, 0, .inner = &shape_trunk_binding,
              .help = "Where its peer registers with us; the rest is then absent"},
             {"state", SHAPE_TEXT, 0, .choices = "off|trying|registered|waiting|leaving"},
             {"registrar", SHAPE_TEXT, SHAPE_NULL}, {"last_status", SHAPE_INT, 0},
             {"until_ms", SHAPE_INT, 0, .help = "Since 1970; 0: nothing is registered"});
SHAPE(trunk_row, {"name", SHAPE_TEXT, M}, {"kind", SHAPE_TEXT, M, .choices = "carrier|direct-routing"},
      {"role", SHAPE_TEXT, N, .choices = "hub|sbc"}, {"base", SHAPE_TEXT, N}, {"fqdn", SHAPE_TEXT, M},
      {"enabled", SHAPE_BOOL, M}, {"state", SHAPE_TEXT, M, .choices = "unknown|up|down"},
      {"tls", SHAPE_TEXT, M, .choices = "unknown|active|cert_expiring|cert_expired"},
      {"options", SHAPE_TEXT, M, .choices = "unknown|active|expired|error"},
      {"overall", SHAPE_TEXT, M, .choices = "unknown|online|inactive"}, {"last_status", SHAPE_INT, M},
      {"options_sent", SHAPE_INT, M}, {"options_answered", SHAPE_INT, M},
      {"options_failed", SHAPE_INT, M}, {"options_received", SHAPE_INT, M},
      {"last_received_ms", SHAPE_INT, M, .help = "Since 1970; 0: never"},
      {"certificate_expiry_s", SHAPE_INT, M, .help = "Ours, since 1970; 0: none"},
      {"peer_certificate_expiry_s", SHAPE_INT, M}, {"calls", SHAPE_INT, M, .help = "SIP dialogs alive"},
      {"targets", SHAPE_LIST, M, .inner = &shape_trunk_target},
      {"figures", SHAPE_OBJECT, M, .inner = &shape_trunk_figures},
      {"registration", SHAPE_OBJECT, N, .inner = &shape_trunk_registration});
SHAPE(trunk_gone, {"name", SHAPE_TEXT, M});
static SHAPE(trunk_alarm, {"trunk", SHAPE_TEXT, N},
             {"severity", SHAPE_TEXT, M, .choices = "error|warning"}, {"text", SHAPE_TEXT, M});
SHAPE(trunks, {"trunks", SHAPE_LIST, M, .inner = &shape_trunk_row},
      {"alarms", SHAPE_LIST, M, .inner = &shape_trunk_alarm}, {"cursor", SHAPE_TEXT, N});

/* Trunk Doctor ------------------------------------------------------------------------------------- */

static SHAPE(doctor_summary, {"passed", SHAPE_INT, M}, {"failed", SHAPE_INT, M},
             {"not_offered", SHAPE_INT, M}, {"skipped", SHAPE_INT, M}, {"running", SHAPE_INT, M});
#define RUN \
  {"id", SHAPE_TEXT, M}, {"trunk", SHAPE_TEXT, M}, \
      {"state", SHAPE_TEXT, M, .choices = "running|done|canceled"}, {"started_at", SHAPE_TIME, N}, \
      {"ended_at", SHAPE_TIME, N}, {"calls", SHAPE_INT, M, .help = "Test calls made so far"}, \
      {"detail", SHAPE_TEXT, N}, { \
    "summary", SHAPE_OBJECT, M, .inner = &shape_doctor_summary \
  }
static SHAPE(doctor_head, RUN);
static SHAPE(doctor_check, {"id", SHAPE_TEXT, M}, {"group", SHAPE_TEXT, M}, {"title", SHAPE_TEXT, M},
             {"proves", SHAPE_TEXT, M}, {"rfc", SHAPE_TEXT, M},
             {"result", SHAPE_TEXT, M, .choices = "running|passed|failed|not_offered|skipped"},
             {"seen", SHAPE_TEXT, M}, {"advice", SHAPE_TEXT, M, .help = "What to change"},
             {"ms", SHAPE_INT, M});
static SHAPE(doctor_profile, {"diff", SHAPE_TEXT, N},
             {"patch", SHAPE_OBJECT, N, .help = "For PATCH /trunks/{name}"});
SHAPE(doctors, {"runs", SHAPE_LIST, M, .inner = &shape_doctor_head}, {"cursor", SHAPE_TEXT, N});
SHAPE(doctor_run, RUN, {"checks", SHAPE_LIST, M, .inner = &shape_doctor_check},
      {"profile", SHAPE_OBJECT, M, .inner = &shape_doctor_profile,
       .help = "Settings that the findings suggest"});
