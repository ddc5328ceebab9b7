/* SPDX-License-Identifier: Apache-2.0
 * Session-ID (RFC 7989): one identifier of each end of a call, 32 lower-case hex digits. A native
 * client has none of its own: the gateway speaks for it. */
#include "base/rand.h"
#include "call/inner.h"

void sessionid_make(char ret[33]) {
  static const char hex[] = "0123456789abcdef";
  uint8_t b[16];
  rand_bytes(b, sizeof(b));
  b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* a version 4 UUID (RFC 4122), as RFC 7989 4.1 asks */
  b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
  for (size_t i = 0; i < sizeof(b); i++) {
    ret[2 * i] = hex[b[i] >> 4];
    ret[2 * i + 1] = hex[b[i] & 15];
  }
  ret[32] = 0;
}

/* 32 hex digits, not all of them 0 (the nil one says "not known yet"). */
bool sessionid_is_good(struct slice s) {
  bool nil = true;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
      return false;
    nil &= c == '0';
  }
  return s.n == 32 && !nil;
}

void leg_set_session(struct leg *l, struct slice uuid) {
  struct call *c = l->call;
  if (!sessionid_is_good(uuid) || l->kind != LEG_TRUNK)
    return;
  if (l->role == LEG_CALLEE && c->caller->kind == LEG_TRUNK)
    return; /* the record is of the caller's */
  slice_copy(c->session_remote, sizeof(c->session_remote), uuid);
  for (char *p = c->session_remote; *p; p++)
    if (*p >= 'A' && *p <= 'F')
      *p = (char)(*p - 'A' + 'a');
}
