/* SPDX-License-Identifier: Apache-2.0
 * One name-addr or addr-spec of a header field that may hold several: display name, URI, parameters,
 * as pieces of the text. Strict, since identities are read by it: what is not clearly one is refused.
 * Pure. RFC 3261 20.10 and 25.1, RFC 3966. */
#pragma once
#include "base/slice.h"

struct nameaddr {
  struct slice display; /* display is as written, with its quotes. */
  struct slice uri;     /* uri is the whole of it, without < and >. */
  struct slice scheme;  /* scheme as written: sip, sips, tel or another */
  struct slice user;    /* user is what stands before the @ without a password; of tel the number. */
  struct slice host;    /* host[:port]; empty for tel */
  struct slice rest;    /* rest: the URI's parameters and headers, from the first ; or ? on. */
  struct slice params; /* params of the header field, behind > (or behind the URI), with their first ; */
};

/* Takes the next value of a comma list from *list. 1; 0 at its end; -EBADMSG: malformed (the list must
 * not be read further). */
int nameaddr_next(struct slice *list, struct nameaddr *ret) must_check;
/* A parameter of params or rest by its name (any case). False: not there. The value is without
 * surrounding blanks, a quoted one with its quotes, empty for a flag. */
bool nameaddr_param(struct slice params, struct slice name, struct slice *ret);
/* Text with %-escapes taken back: 0, -EINVAL (bad escapes, control characters), -ENOSPC; dst is then "".
 */
int nameaddr_unescape(char *dst, size_t bytes, struct slice s) must_check;
/* The user part as a number or name: unescaped, without parameters, visual separators dropped from
 * +digits. Errors as of nameaddr_unescape(). */
int nameaddr_number(char *dst, size_t bytes, struct slice user) must_check;
/* As a URI's user part, or the value of one of its headers: what may not stand there escaped; cut to
 * fit. Returns dst. */
char *nameaddr_escape(char *dst, size_t bytes, const char *text);
