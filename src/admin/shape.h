/* SPDX-License-Identifier: Apache-2.0
 * What a body, a query or an answer looks like: one table that the check and the OpenAPI document both
 * read. Pure. */
#pragma once
#include "base/slice.h"

#include <jansson.h>

enum shape_kind {
  SHAPE_TEXT, /* min to max characters (max 0: 4096); choices */
  SHAPE_INT,  /* min to max */
  SHAPE_NUMBER,
  SHAPE_BOOL,
  SHAPE_TIME,   /* RFC 3339 */
  SHAPE_OBJECT, /* of inner; inner NULL: any object */
  SHAPE_LIST,   /* of at most max (0: 1000) objects of inner, or SHAPE_OF_… */
  SHAPE_ANY,
};

enum shape_flag {
  SHAPE_MUST = 1,       /* absent is a fault */
  SHAPE_NULL = 2,       /* null is as good as a value */
  SHAPE_OF_TEXT = 4,    /* a list of texts */
  SHAPE_SECRET = 8,     /* cut out of the audit */
  SHAPE_OF_NUMBER = 16, /* a list of numbers; null where one is not known */
  SHAPE_OF_POINT = 32,  /* a list of lists of such numbers */
  SHAPE_WORD = 64,      /* a text of letters, digits and ._@+- */
  SHAPE_ASCII = 128,    /* a text of printable ASCII */
};

struct shape_fault {
  char pointer[160]; /* pointer is an RFC 6901 pointer into the body. */
  char reason[160];
};

struct shape;
struct shape_member {
  const char *name;
  enum shape_kind kind;
  unsigned flags;
  int64_t min, max;
  const char *choices; /* choices are "a|b|c"; NULL: any. */
  const struct shape *inner;
  const char *help;
};

struct shape {
  const char *name;
  const struct shape_member *members;
  size_t n;
  bool open; /* open: other members are fine, whatever they hold. */
  /* check looks at a value instead, schema makes what the document says of it; NULL: the members do. */
  bool (*check)(const json_t *v, struct shape_fault *f);
  json_t *(*schema)(void);
};

/* Defines shape_<name> of the members that follow. */
#define SHAPE(shape_name, ...) \
  const struct shape shape_##shape_name = {#shape_name, \
                                           (const struct shape_member[]){__VA_ARGS__}, \
                                           sizeof((const struct shape_member[]){__VA_ARGS__}) / \
                                               sizeof(struct shape_member), \
                                           false, \
                                           NULL, \
                                           NULL}

extern const struct shape shape_none; /* nothing: a body must be empty */
extern const struct shape shape_any;  /* any object */

/* True, or false and the first fault. */
bool shape_check(const struct shape *s, const json_t *body, struct shape_fault *ret_fault) must_check;
/* 60.0 and 6e1 are whole numbers too (JSON Schema 4.2.3): they become integers, in place. */
void shape_whole(json_t *body);
/* Into a member, for its faults; ret_fault->pointer[where it returns] = 0 leaves it. */
size_t shape_enter(struct shape_fault *f, const char *name);
printf_like(2, 3) bool shape_fault(struct shape_fault *f, const char *format, ...); /* false */
/* A copy without what is secret (SHAPE_SECRET members become "(cut)"); NULL without memory. */
json_t *shape_cut(const struct shape *s, const json_t *body);
/* JSON Schema 2020-12, new reference; what a member holds is $ref'd as #/components/schemas/<name>. */
json_t *shape_schema(const struct shape *s);
