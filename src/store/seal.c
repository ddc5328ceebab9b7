/* SPDX-License-Identifier: Apache-2.0
 * The seal of the audit: where its chain begins and ends, signed by a key that lies beside the database
 * and not in it. Who can write the database alone cannot make a chain that passes. See ledgerpart.h. */
#include "store/ledgerpart.h"

#include "base/hmac.h"
#include "base/keyfile.h"
#include "base/rand.h"

#include <fcntl.h>
#include <stdio.h>

static int key_make(const char *file) {
  char text[65];
  uint8_t key[SEAL_KEY_BYTES];
  rand_bytes(key, sizeof(key));
  for (unsigned i = 0; i < sizeof(key); i++)
    snprintf(text + 2 * i, 3, "%02x", key[i]);
  text[64] = '\n';
  explicit_bzero(key, sizeof(key));
  int r = keyfile_write(file, text, sizeof(text));
  explicit_bzero(text, sizeof(text));
  return r;
}

static int key_read(const char *file, uint8_t ret[SEAL_KEY_BYTES]) {
  char text[80];
  size_t n;
  int r = keyfile_read(file, O_NOFOLLOW, text, sizeof(text), &n);
  if (r < 0)
    return r;
  if (n < 64 || strspn(text, "0123456789abcdef") != 64 || text[64 + strspn(text + 64, "\r\n")])
    r = -EINVAL;
  for (unsigned i = 0; r == 0 && i < SEAL_KEY_BYTES; i++) {
    unsigned byte = 0;
    r = sscanf(text + 2 * i, "%2x", &byte) == 1 ? 0 : -EINVAL;
    ret[i] = (uint8_t)byte;
  }
  explicit_bzero(text, sizeof(text));
  return r;
}

int seal_key_open(const char *file, uint8_t ret[SEAL_KEY_BYTES], bool *ret_is_new) {
  int r = key_read(file, ret);
  *ret_is_new = r == -ENOENT;
  if (r == -ENOENT) {
    r = key_make(file);
    if (r == 0)
      r = key_read(file, ret);
  }
  return r;
}

static uint8_t *number_put(uint8_t *at, uint64_t v) {
  for (int i = 0; i < 8; i++)
    *at++ = (uint8_t)(v >> (8 * i));
  return at;
}

static void seal_mac(const struct ledger *l, const struct seal *s, uint8_t ret[32]) {
  static const char label[] = "sallyport audit seal 1";
  uint8_t text[sizeof(label) + 3 * 8 + 2 * 32], *at = text;
  memcpy(at, label, sizeof(label));
  at = number_put(at + sizeof(label), s->seq);
  at = number_put(at, s->floor_seq);
  at = number_put(at, s->since);
  memcpy(at, s->hash, 32);
  memcpy(at + 32, s->floor_hash, 32);
  hmac_sha256(slice_from((const char *)l->key, sizeof(l->key)),
              slice_from((const char *)text, sizeof(text)), ret);
}

int seal_read(struct ledger *l, struct seal *ret, bool *ret_is_ours) {
  uint8_t shown[32], mac[32];
  sqlite3_stmt *st = ledger_ask(
      l, "SELECT seq, hash, floor_seq, floor_hash, since, mac FROM audit_seal WHERE one=1", "");
  memset(ret, 0, sizeof(*ret));
  bool found = st && sqlite3_step(st) == SQLITE_ROW;
  if (found) {
    ret->seq = (uint64_t)sqlite3_column_int64(st, 0);
    ledger_digest(st, 1, ret->hash);
    ret->floor_seq = (uint64_t)sqlite3_column_int64(st, 2);
    ledger_digest(st, 3, ret->floor_hash);
    ret->since = (uint64_t)sqlite3_column_int64(st, 4);
    ledger_digest(st, 5, shown);
    seal_mac(l, ret, mac);
  }
  sqlite3_finalize(st);
  *ret_is_ours = found && slice_eq_secret(slice_from((char *)mac, sizeof(mac)),
                                          slice_from((char *)shown, sizeof(shown)));
  return st ? 0 : -EIO;
}

int seal_put(struct ledger *l, const struct seal *s) {
  uint8_t mac[32];
  seal_mac(l, s, mac);
  return ledger_run(
             l,
             "INSERT OR REPLACE INTO audit_seal (one, seq, hash, floor_seq, floor_hash, since, mac)"
             " VALUES (1,?,?,?,?,?,?)",
             "ibibib", (int64_t)s->seq, s->hash, (int64_t)s->floor_seq, s->floor_hash, (int64_t)s->since,
             mac) < 0
             ? -EIO
             : 0;
}

/* The last row that there is, or where the rows that went ended. */
static void tail_read(struct ledger *l, const struct seal *s, uint64_t *ret_seq, uint8_t ret_hash[32]) {
  sqlite3_stmt *st = ledger_ask(l, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "");
  *ret_seq = s->floor_seq;
  memcpy(ret_hash, s->floor_hash, 32);
  if (st && sqlite3_step(st) == SQLITE_ROW) {
    *ret_seq = (uint64_t)sqlite3_column_int64(st, 0);
    ledger_digest(st, 1, ret_hash);
  }
  sqlite3_finalize(st);
}

int seal_take(struct ledger *l, struct seal *ret) {
  bool is_ours;
  uint64_t seq;
  uint8_t hash[32];
  int r = seal_read(l, ret, &is_ours);
  if (r < 0)
    return r;
  tail_read(l, ret, &seq, hash);
  if (is_ours && seq == ret->seq && memcmp(hash, ret->hash, 32) == 0)
    return 0;
  /* It goes on, but it is never forgotten that what was before is not vouched for. */
  ret->since = (seq > ret->seq ? seq : ret->seq) + 1;
  ret->seq = ret->since - 1;
  memcpy(ret->hash, hash, 32);
  return 0;
}
