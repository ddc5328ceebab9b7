/* SPDX-License-Identifier: Apache-2.0
 * Rows of typed fields, and the walk that reads a YAML map by them: unknown and double keys, wrong
 * types, ranges, missing ones and defaults are told for each field with file and line. Pure. */
#pragma once
#include "conf/tree.h"

enum field_type {
  FIELD_TEXT,        /* char[]; min and max are lengths in characters: CHARS_BYTES(max) unless FIELD_ASCII */
  FIELD_NAME,        /* char[]; letters, digits and . _ - */
  FIELD_HOST,        /* char[]; a host name or address, optionally :port */
  FIELD_FQDN,        /* char[]; a host name with a dot, at most 63 characters */
  FIELD_PATH,        /* char[]; relative ones are taken from the folder of the file */
  FIELD_NUMBER,      /* uint32_t; a whole number without quotes or unit */
  FIELD_BOOL,        /* bool; true or false */
  FIELD_CHOICE,      /* uint8_t or uint32_t: place of the word in choices ("a|b|c") */
  FIELD_CHOICE_TEXT, /* char[]: the word itself */
  FIELD_ADDR,        /* struct addr, without port */
  FIELD_ADDR_PORT,   /* struct addr with port */
  FIELD_TEXTS,       /* struct conf_names of words */
  FIELD_HOSTS,       /* … of host rules (host.h) */
  FIELD_CIDRS,       /* … of addresses and CIDRs */
  FIELD_TELS,        /* … of + and 4 to 15 digits */
  FIELD_CHOICES,     /* … of words in choices */
  FIELD_SUB,         /* a map or list that the caller reads itself */
};
/* LIVE: a reload changes it in the running program. SECRET: never shown, see revise. ASCII: printable
 * ASCII only. */
enum { FIELD_REQUIRED = 1, FIELD_LIVE = 2, FIELD_SECRET = 4, FIELD_ASCII = 8 };

struct field {
  uint8_t section, type, flags;
  const char *key;
  size_t offset, bytes; /* where in the section's struct */
  uint32_t min, max;    /* of the number, the text's length or the list's length */
  const char *def;      /* def is the default as text, lists by commas; NULL: none (zero) */
  const char *choices, *doc;
};

struct field_default { /* another default than the row's, in some place */
  uint8_t kind;
  const char *key, *def;
};

/* Which files a text may name, where somebody else than the machine's owner wrote it. */
struct field_paths {
  bool (*may)(void *arg, const char *path);
  /* Opens one that may be named, as judged at that moment: a descriptor or -errno. */
  int (*open)(void *arg, const char *path, int flags);
  void *arg;
};
/* Opens a file by the rule; rule NULL: any. A descriptor or -errno. */
int field_file_open(const struct field_paths *rule, const char *path, int flags) must_check;

struct field_reader {
  const char *file; /* file is shown in errors; its folder is where paths begin. */
  struct conf_errors *errors;
  const struct tree_node *base; /* base has the value of a key that the map lacks; may be NULL. */
  const struct field_default *defaults;
  size_t n_defaults;
  uint8_t kind; /* kind: whose defaults hold. */
  const struct field_paths *paths; /* NULL: all paths are good. */
};

void conf_error_add(struct conf_errors *e, const char *file, uint32_t line, const char *format, ...)
    printf_like(4, 5);
/* Reads the rows of that section from map into base, which is zeroed by the caller. path is the
 * prefix in errors ("media", "trunks[2]", ""). map NULL: defaults, and an error for each required at
 * that line. */
void field_map_read(const struct field_reader *r, const struct field *rows, size_t n_rows,
                    uint8_t section, const struct tree_node *map, const char *path, uint32_t line,
                    void *base);
/* The words of choices that are numbered for FIELD_CHOICE: -1 if absent. */
int field_choice(const char *choices, struct slice word);
/* "whole number 1-64": what a field expects, for errors and for the documentation. */
char *field_expects(const struct field *f, char *dst, size_t dst_bytes);
/* Joins a path of the file's folder: 0 or -ENOSPC. */
int field_path(char *dst, size_t dst_bytes, const char *file, struct slice path) must_check;
bool field_is_tel(struct slice s);  /* + and 4 to 15 digits */
bool field_is_name(struct slice s); /* letters, digits, . _ - */
