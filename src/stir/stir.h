/* SPDX-License-Identifier: Apache-2.0
 * Door of the area stir: who vouches for a caller's number. Identity header fields are verified on a
 * thread of its own, which also fetches certificates (https, allowed hosts, 2 s, 64 KiB, no redirects, a
 * cache, a breaker); ours are signed on the call thread. RFC 8224, 8225, 8226, 8588, 8946. */
#pragma once
#include "base/count.h"
#include "base/loop.h"
#include "conf/conf.h"

enum {
  STIR_FIELDS_MAX = 4,
  STIR_FIELD_BYTES = 2048,
  STIR_NUMBER_BYTES = 24, /* canonical: digits, * and # */
  STIR_HEADER_BYTES = 2048,
  STIR_WAIT_MS = 2500, /* a call waits no longer */
};

enum stir_outcome {
  STIR_NONE,    /* not known: too late, too many, a certificate that could not be had for now */
  STIR_VALID,   /* attest and orig are vouched for */
  STIR_STALE,   /* 403 */
  STIR_INFO,    /* 436: the certificate cannot be had */
  STIR_CERT,    /* 437: or is not trusted */
  STIR_INVALID, /* 438 */
};

/* One call's header fields and what they must say. By value between threads. */
struct stir_ask {
  uint64_t cookie;
  uint32_t n;
  char field[STIR_FIELDS_MAX][STIR_FIELD_BYTES];
  char caller[2][STIR_NUMBER_BYTES]; /* of From, of P-Asserted-Identity; "": none */
  char called[2][STIR_NUMBER_BYTES]; /* of To, of the Request-URI */
  int64_t date_s;                    /* of Date, for compact tokens; 0: none */
  uint64_t call;                     /* call is a hash of the Call-ID: another one is a replay. */
};

struct stir_result {
  uint64_t cookie;
  enum stir_outcome outcome;
  char attest; /* A, B, C; 0 for a token that is not SHAKEN's */
  char orig[STIR_NUMBER_BYTES];
  char detail[120];
};

struct stir_settings {
  const struct conf *conf;
  struct loop *loop;
  void (*done)(void *arg, const struct stir_result *r); /* on the loop's thread */
  void *arg;
};
struct stir;
/* Without trunks that verify or sign there is no thread. 0, -EINVAL with a sentence: roots, a key. */
int stir_new(struct stir **ret, const struct stir_settings *s, char *why, size_t why_bytes) must_check;
struct stir *stir_free(struct stir *s);
OWN_DEFINE(stir)
/* Roots and keys looked at without starting anything: 0 or -EINVAL with a sentence. */
int stir_check(const struct conf *conf, char *why, size_t why_bytes) must_check;
/* Roots and keys anew; -EINVAL with a sentence: the old ones stay. conf replaces the former. */
int stir_reload(struct stir *s, const struct conf *conf, char *why, size_t why_bytes) must_check;
/* done() follows, exactly once. -EAGAIN: as many are under way as may be. */
int stir_verify(struct stir *s, const struct stir_ask *ask) must_check;
/* Digits, * and # of a number. 0 or -EINVAL. */
int stir_number(char dst[STIR_NUMBER_BYTES], struct slice number) must_check;

/* What we sign for. */
struct stir_call {
  const char *orig, *dest; /* numbers, as they are */
  const char *div;         /* whom it was for before it was diverted; NULL: a SHAKEN token is made */
  char attest;
  const char *origid; /* a UUID as 32 hexadecimal digits */
};
/* The value of an Identity header field for that trunk. 0; -ENOENT: it does not sign; -EINVAL: no
 * numbers; -ENOSPC. */
int stir_sign(const struct stir *s, const struct conf_trunk *t, const struct stir_call *c, char *dst,
              size_t bytes) must_check;
const struct counts *stir_counts(void);
