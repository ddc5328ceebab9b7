/* SPDX-License-Identifier: Apache-2.0
 * Texts of SIP header fields, made and read without sofia: quoting, Warning, Reason, Session-ID,
 * From and Contact, DTMF bodies. Pure; every output is terminated and cut to fit. RFC 3261 25,
 * RFC 3326, RFC 7989, RFC 3323. */
#pragma once
#include "base/slice.h"

enum { SESSION_ID_BYTES = 33, URI_BYTES = 320 };
enum { PARTY_BYTES = URI_BYTES + 512 }; /* a URI with a display name, each character of it escaped */

/* The inside of a quoted-string: printable ASCII and UTF-8, quote and backslash escaped, the rest as
 * '?'. */
char *header_quote(char *dst, size_t bytes, struct slice text);
/* A display name as it is meant: without its quotes and escapes; always UTF-8, cut between characters.
 */
char *header_display(char *dst, size_t bytes, struct slice name);
/* 399 HOST "TITLE: DETAIL" */
char *header_warning(char *dst, size_t bytes, const char *host, const char *title, const char *detail);
/* Q.850;cause=N;text="TEXT"; "" for cause 0 */
char *header_reason(char *dst, size_t bytes, int q850, const char *text);
/* LOCAL;remote=REMOTE; a missing remote is the nil UUID. "" without a local one. */
char *header_session(char *dst, size_t bytes, const char *local, const char *remote);
/* The sender's UUID of a Session-ID, lower case. False: malformed or nil (ret is ""). */
bool header_session_read(struct slice value, char ret[SESSION_ID_BYTES]);
/* host or host:port as it is, or [host] for bare IPv6 */
char *header_host(char *dst, size_t bytes, const char *host);
/* sip:USER@HOST:PORT;transport=T without brackets; user "", port 0 and transport NULL are left out. */
char *header_uri(char *dst, size_t bytes, const char *user, const char *host, uint16_t port,
                 const char *transport);
/* "DISPLAY" <sip:NUMBER@HOST;user=phone>; anonymous: the form of RFC 3323. user=phone for +digits. */
char *header_party(char *dst, size_t bytes, const char *number, const char *display, const char *host,
                   bool anonymous);
/* The user part of a sip or tel URI as a number or name: unescaped, without parameters, visual
 * separators dropped from +digits. 0, -EINVAL (control characters, bad escapes), -ENOSPC. */
int header_number(char *dst, size_t bytes, struct slice user) must_check;
/* application/dtmf-relay (Signal=, Duration=) or application/dtmf (one character). 0 or -EBADMSG. */
int header_digit(struct slice body, bool relay, char *ret_digit, uint32_t *ret_ms) must_check;
/* The first part of type application/sdp with disposition session (or none) in a multipart body; n is 0
 * if there is none. False: another part says handling=required (RFC 5621 3.4, 8.2). */
bool header_multipart_sdp(struct slice body, struct slice boundary, struct slice *ret_sdp) must_check;
/* The first part of that type, without the blanks around it; n is 0 if there is none. */
struct slice header_multipart_find(struct slice body, struct slice boundary, struct slice type);
