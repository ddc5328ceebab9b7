/* SPDX-License-Identifier: Apache-2.0
 * Columns of a record: see field.def. */
#include "store/field.h"

#include <stdio.h>

#define MEMBER(m) offsetof(struct record, m), sizeof(((struct record *)0)->m)
#define TEXT(column, member) {column, true, MEMBER(member)},
#define NUM(column, member) {column, false, MEMBER(member)},
#define FLOW(prefix, flow) \
  NUM(prefix "packets", flow.packets) \
  NUM(prefix "bytes", flow.bytes) \
  NUM(prefix "lost", flow.lost) \
  NUM(prefix "jitter_us", flow.jitter_us) \
  NUM(prefix "auth_failures", flow.auth_failures)
#define LEG(prefix, leg) \
  NUM(prefix "kind", leg.kind) \
  TEXT(prefix "peer", leg.peer) \
  TEXT(prefix "sip_call_id", leg.sip_call_id) \
  TEXT(prefix "remote_addr", leg.remote_addr) \
  TEXT(prefix "media_addr", leg.media_addr) \
  TEXT(prefix "local_user", leg.local_user) \
  TEXT(prefix "remote_user", leg.remote_user) \
  TEXT(prefix "device", leg.device) \
  TEXT(prefix "codec", leg.codec) \
  TEXT(prefix "suite", leg.suite) \
  TEXT(prefix "dtls", leg.dtls) \
  FLOW(prefix "rx_", leg.rx) \
  FLOW(prefix "tx_", leg.tx) \
  NUM(prefix "rtt_us", leg.rtt_us) \
  NUM(prefix "mos_x100", leg.mos_x100) \
  NUM(prefix "dtmf_in", leg.dtmf_in) \
  NUM(prefix "dtmf_out", leg.dtmf_out)

const struct field fields[] = {
#include "store/field.def"
};
const size_t fields_n = COUNT_OF(fields);

static int64_t num_get(const struct field *f, const struct record *r) {
  const char *p = (const char *)r + f->at;
  uint64_t v = 0;
  memcpy(&v, p, f->bytes); /* little-endian, as everything that we build for */
  return (int64_t)v;
}

int field_bind(sqlite3_stmt *st, int slot, const struct field *f, const struct record *r) {
  if (!f->is_text)
    return sqlite3_bind_int64(st, slot, num_get(f, r));
  const char *text = (const char *)r + f->at;
  return sqlite3_bind_text(st, slot, text, (int)strnlen(text, f->bytes - 1), SQLITE_STATIC);
}

static void field_read(sqlite3_stmt *st, int column, const struct field *f, struct record *ret) {
  char *p = (char *)ret + f->at;
  if (!f->is_text) {
    uint64_t v = (uint64_t)sqlite3_column_int64(st, column);
    memcpy(p, &v, f->bytes);
    return;
  }
  const char *text = (const char *)sqlite3_column_text(st, column);
  size_t n = text ? strnlen(text, f->bytes - 1) : 0;
  if (n)
    memcpy(p, text, n);
  p[n] = 0;
}

void fields_read(sqlite3_stmt *st, struct record *ret) {
  memset(ret, 0, sizeof(*ret));
  for (size_t i = 0; i < fields_n; i++)
    field_read(st, (int)i, &fields[i], ret);
}

char *field_columns(char *text, size_t bytes) {
  size_t at = 0;
  text[0] = 0;
  for (size_t i = 0; i < fields_n; i++) {
    int n = snprintf(text + at, bytes - at, "%s%s", i ? ", " : "", fields[i].column);
    if (n < 0 || (size_t)n >= bytes - at)
      abort(); /* a constant of ours */
    at += (size_t)n;
  }
  return text;
}
