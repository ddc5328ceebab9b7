/* SPDX-License-Identifier: Apache-2.0
 * What a client's certificate says of whom it was given to, once it has been verified. Pure data. */
#pragma once
#include "base/slice.h"

enum web_peer_kind { WEB_PEER_DNS, WEB_PEER_URI, WEB_PEER_EMAIL, WEB_PEER_CN };
enum { WEB_PEER_NAMES_MAX = 16, WEB_PEER_NAME_BYTES = 256 };

struct web_peer_name {
  enum web_peer_kind kind;
  char text[WEB_PEER_NAME_BYTES]; /* text is printable ASCII or UTF-8 without control characters. */
};

struct web_peer {
  uint8_t digest[32]; /* digest is SHA-256 of the certificate, its fingerprint. */
  uint64_t until_ms;  /* until_ms is when it ends (wall clock). */
  uint64_t lists;     /* lists is web_lists() as it was judged by. */
  size_t names_n;
  struct web_peer_name names[WEB_PEER_NAMES_MAX]; /* of what a longer list holds, the first. */
};

/* Reads a certificate (DER); does not verify anything. 0, or -EINVAL: no certificate, or not for what
 * clients sign. */
