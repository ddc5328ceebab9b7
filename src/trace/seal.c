/* SPDX-License-Identifier: Apache-2.0
 * Digits: collected while the call lives, sealed (XSalsa20-Poly1305, a key of the machine's in a file of
 * mode 0600) before they leave memory. Who has the timeline alone has not the digits. */
#include "trace/inner.h"

#include "base/keyfile.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

_Static_assert(KEY_BYTES == crypto_secretbox_KEYBYTES, "the key of a secretbox");
enum { BOX_BYTES = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + DIGITS_MAX };

static int key_make(struct traces *ts, const char *key_file) {
  randombytes_buf(ts->key, sizeof(ts->key));
  return keyfile_write(key_file, ts->key, sizeof(ts->key));
}

int seal_open(struct traces *ts, const char *key_file) {
  char text[KEY_BYTES + 1];
  size_t n;
  if (sodium_init() < 0)
    return -EIO;
  int r = keyfile_read(key_file, O_NOFOLLOW, text, sizeof(text), &n);
  if (r == -ENOENT)
    r = key_make(ts, key_file);
  else if (r == 0 && n != sizeof(ts->key))
    r = -EINVAL;
  else if (r == 0)
    memcpy(ts->key, text, sizeof(ts->key));
  explicit_bzero(text, sizeof(text));
  ts->has_key = r == 0;
  return r;
}

void trace_digit(struct trace *t, unsigned lane, char digit) {
  if (!t || !t->ts->has_key || t->is_over)
    return;
  struct digits *d = t->digits;
  while (d && d->lane != lane)
    d = d->next;
  if (!d) {
    d = calloc(1, sizeof(*d));
    if (!d)
      return;
    d->lane = (uint8_t)lane;
    d->next = t->digits;
    t->digits = d;
  }
  if (d->n < DIGITS_MAX)
    d->text[d->n++] = digit;
}

static void digits_seal(struct trace *t, const struct digits *d) {
  uint8_t box[BOX_BYTES];
  char text[2 * BOX_BYTES + 1];
  size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + d->n;
  randombytes_buf(box, crypto_secretbox_NONCEBYTES);
  if (crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const uint8_t *)d->text, d->n, box,
                            t->ts->key) != 0)
    return;
  sodium_bin2hex(text, sizeof(text), box, n);
  item_add(t, &(struct item){
                  .kind = TRACE_SEALED, .lane = d->lane, .title = "digits", .text = slice_of(text)});
}

void digits_free(struct trace *t) {
  while (t->digits) {
    struct digits *d = t->digits;
    t->digits = d->next;
    explicit_bzero(d, sizeof(*d));
    free(d);
  }
}

void seal_digits(struct trace *t) {
  for (const struct digits *d = t->digits; d; d = d->next)
    digits_seal(t, d);
  digits_free(t);
}

int trace_unseal(const struct traces *ts, const struct trace_item *i, char *dst, size_t dst_bytes) {
  uint8_t box[BOX_BYTES];
  size_t n = 0, head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  if (!ts->has_key || i->kind != TRACE_SEALED || !i->text ||
      sodium_hex2bin(box, sizeof(box), i->text, i->text_n, NULL, &n, NULL) != 0 || n < head ||
      n - head >= dst_bytes ||
      crypto_secretbox_open_easy((uint8_t *)dst, box + crypto_secretbox_NONCEBYTES,
                                 n - crypto_secretbox_NONCEBYTES, box, ts->key) != 0)
    return -EPERM;
  dst[n - head] = 0;
  return 0;
}
