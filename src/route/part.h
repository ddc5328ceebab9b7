/* SPDX-License-Identifier: Apache-2.0
 * Rules of a plan as they are kept. Inside route. */
#pragma once
#include "conf/field.h"
#include "route/prefix.h"
#include "route/route.h"

enum { PLAN_RULES_MAX = 1000, PLAN_TABLES_MAX = 16, PATTERN_BYTES = 128, HOURS_MAX = 8, GROUPS_MAX = 9 };

struct table { /* a prefix table of the plan */
  char name[CONF_NAME_BYTES], file[CONF_PATH_BYTES];
  struct prefixes *prefixes;
  uint32_t line;
};

struct pattern { /* of a number; nothing said matches everything */
  struct conf_names exact, prefix;
  char regex[PATTERN_BYTES], table_name[CONF_NAME_BYTES];
  void *code; /* code is the compiled regex, NULL without. */
  const struct table *table;
};

struct edit { /* of a number, in this order: to E.164, replace, strip, prefix */
  char country[8], national[8], international[8]; /* country "": not brought to E.164 */
  char match[PATTERN_BYTES], replace[CONF_NAME_BYTES];
  void *code; /* code is match, compiled. */
  uint32_t strip;
  char prefix[24];
};

struct zone;
struct when {   /* nothing said is always */
  uint8_t days; /* days has bit 0 for Monday; 0: all. */
  uint32_t n_hours;
  struct {
    uint16_t from, to; /* minutes of the day; to below from goes over midnight */
  } hours[HOURS_MAX];
  struct conf_names dates, day_words, hour_words;
  char zone_name[CONF_NAME_BYTES];
  struct zone *zone; /* zone is NULL for UTC. */
};

struct rule {
  char name[CONF_NAME_BYTES];
  uint8_t from;      /* from is an enum rule_from. */
  uint8_t anonymous; /* anonymous is an enum rule_flag. */
  char trunk[CONF_NAME_BYTES], tenant[CONF_NAME_BYTES], identity[CONF_NAME_BYTES];
  struct conf_names verified;
  struct pattern called, caller;
  struct when when;
  struct edit edit_called, edit_caller;
  uint32_t n_steps;
  struct route_step *steps;
  uint32_t timeout_s, line;
  bool emergency;
};
enum rule_from { FROM_ANY, FROM_TRUNK, FROM_NATIVE, FROM_FORWARD };
enum rule_flag { FLAG_ANY, FLAG_YES, FLAG_NO };

struct plan {
  char file[CONF_PATH_BYTES];
  uint32_t n, n_tables;
  struct rule *rules;
  struct table tables[PLAN_TABLES_MAX];
  uint32_t n_numbers;
  struct trunk_numbers *numbers; /* of trunks that have any */
};

/* numbers.c */
int numbers_bind(struct plan *p, const struct conf *c, struct conf_errors *errors) must_check;
struct trunk_numbers *numbers_free(struct trunk_numbers *list, uint32_t n);

enum section {
  SECTION_FILE,
  SECTION_TABLE,
  SECTION_RULE,
  SECTION_PATTERN,
  SECTION_TIME,
  SECTION_STEP,
  SECTION_TARGET,
  SECTION_REWRITE,
  SECTION_EDIT
};

/* plan.c: what reads a map by rows of fields. path is where the reader stands: "rules[3]". */
struct plan_reader {
  struct field_reader r;
  struct plan *plan;
  struct rule *rule;
  char path[64];
};
#define ROW(section_, struct_, place, key_, type_, flags_, min_, max_, choices_) \
  { \
    .section = section_, .type = FIELD_##type_, .flags = flags_, .key = key_, \
    .offset = offsetof(struct struct_, place), .bytes = sizeof(((struct struct_ *)0)->place), \
    .min = min_, .max = max_, .choices = choices_ \
  }
void part_read(const struct plan_reader *p, const struct field *rows, size_t n, enum section section,
               const struct tree_node *map, const char *key, void *base);
void part_fail(const struct plan_reader *p, uint32_t line, const char *key, const char *expected);
/* rule.c, step.c, when.c */
int rule_read(struct plan_reader *p, const struct tree_node *node) must_check; /* 0 or -ENOMEM */
void rule_done(struct rule *r);
int steps_read(struct plan_reader *p, const struct tree_node *then) must_check; /* 0 or -ENOMEM */
void when_read(const struct plan_reader *p, const struct tree_node *node, struct when *to);
bool when_fits(const struct when *w, uint64_t wall_s);
void when_done(struct when *w);

/* zone.c: seconds east of UTC of an IANA zone, by the machine's zone files, or of "+01:00". */
int zone_load(struct zone **ret, const char *name, char *error, size_t error_bytes) must_check;
struct zone *zone_free(struct zone *z);
int32_t zone_offset_s(const struct zone *z, uint64_t wall_s);

/* regex.c, the only room with PCRE2: 1, 0, or -EINVAL when it gave up (its limits). groups are the parts
 * that it caught; [0] is the whole. */
int regex_compile(void **ret, const char *regex, char *error, size_t error_bytes) must_check;
void *regex_free(void *code);
uint32_t regex_groups(const void *code); /* how many it catches */
int regex_match(const void *code, struct slice number, struct slice groups[GROUPS_MAX + 1]) must_check;

/* match.c */
enum rule_fit {
  FIT,
  FIT_NOT_FROM,
  FIT_NOT_TRUNK,
  FIT_NOT_TENANT,
  FIT_NOT_IDENTITY,
  FIT_NOT_VERIFIED,
  FIT_NOT_ANONYMOUS,
  FIT_NOT_TIME,
  FIT_NOT_CALLED,
  FIT_NOT_CALLER,
  FIT_GAVE_UP
};
enum rule_fit rule_fits(const struct rule *r, const struct route_facts *f);

/* rewrite.c: 0, -ENOSPC, or -EINVAL when the regex gave up. */
int edit_apply(const struct edit *e, struct slice number, char *dst, size_t dst_bytes) must_check;
int edit_compile(struct edit *e, char *error, size_t error_bytes) must_check;
void edit_done(struct edit *e);
/* A number of national or international form as +COUNTRY…; what is neither stays as it is. */
int number_globalize(const char *country, const char *national, const char *international,
                     struct slice number, char *dst, size_t dst_bytes) must_check;
/* "\1" in replace is the first part that was caught. */
int number_replace(const char *replace, const struct slice *groups, uint32_t n_groups, char *dst,
                   size_t dst_bytes) must_check;
