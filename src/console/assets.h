/* SPDX-License-Identifier: Apache-2.0
 * The console's files, embedded at build time by src/console/embed. Constant, for any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct asset {
  const char *path;     /* path is that of the URL, exact: "/phone", "/phone/phone.js". */
  const char *type;     /* type is the value of Content-Type. */
  const uint8_t *bytes; /* bytes are the body. */
  size_t n;             /* n is their count. */
  const char
      *etag; /* etag is quoted as the header wants it; it changes with the bytes and nothing else. */
};

/* The phone page, as its files are. */
extern const struct asset assets[];
extern const size_t assets_count;

/* The operators' console: "/" and "/console/…", whose names change with their bytes. All gzipped. */
extern const struct asset console_files[];
extern const size_t console_files_count;

/* ASSETS_CSP is the Content-Security-Policy that every asset is served with. */
#define ASSETS_CSP \
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " \
  "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
