/* SPDX-License-Identifier: Apache-2.0
 * A request's header as fixed fields, and the guards on it (RFC 9110, 9112): what could be read in two
 * ways is refused. Pure. */
#pragma once
#include "base/addr.h"
#include "web/reply.h"

enum head_field {
  HEAD_HOST,
  HEAD_CONTENT_LENGTH,
  HEAD_TRANSFER_ENCODING,
  HEAD_AUTHORIZATION,
  HEAD_CONTENT_TYPE,
  HEAD_IF_MATCH,
  HEAD_IF_NONE_MATCH,
  HEAD_IDEMPOTENCY_KEY,
  HEAD_LAST_EVENT_ID,
  HEAD_DEVICE,
  HEAD_ORIGIN,
  HEAD_COOKIE,
  HEAD_SALLYPORT, /* X-Sallyport: sent by our pages' scripts only */
  HEAD_ACCEPT,    /* may come more than once: the first counts */
  HEAD_REQUEST_METHOD, /* Access-Control-Request-Method */
  HEAD_FIELD_COUNT_
};

#define HEAD_LINES_MAX 64
#define HEAD_TARGET_BYTES 4096

struct head {
  struct slice field[HEAD_FIELD_COUNT_]; /* p NULL: absent; values are the server library's memory. */
  unsigned lines;
  bool twice;   /* twice: a field of the table came more than once. */
  bool control; /* control: a control character in a name or value. */
};

void head_add(struct head *h, struct slice name, struct slice value);
/* The origin-form target: begins with '/', printable ASCII, no '#'. */
bool head_target_ok(struct slice target);
/* What is wrong with the framing; WEB_PROBLEM_COUNT_ if nothing. *ret_why is a literal. */
enum web_problem head_judge(const struct head *h, bool has_body_method, const char **ret_why);
/* Host is one of the names (any port, case ignored) or the literal of the local address. */
bool head_host_ok(struct slice host, const char *const *hosts, size_t n, const struct addr *local);
/* Origin is a page of this server: scheme and Host of the request itself, or one of the names at any port. */
bool head_origin_own(struct slice origin, struct slice host, bool is_tls, const char *const *hosts,
                     size_t n);
/* "application/json; charset=utf-8" is one of "application/json, text/plain"; "*" is any. */
bool head_type_listed(struct slice content_type, const char *types);
uint64_t head_length(const struct head *h); /* Content-Length, 0 if absent */
