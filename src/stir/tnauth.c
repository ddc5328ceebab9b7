/* SPDX-License-Identifier: Apache-2.0
 * TNAuthList: see tnauth.h. Its three kinds of entries have explicit tags, lengths of at most 64 KB. */
#include "stir/tnauth.h"

enum {
  TAG_INTEGER = 0x02,
  TAG_IA5 = 0x16,
  TAG_SEQUENCE = 0x30,
  TAG_SPC = 0xa0,
  TAG_RANGE = 0xa1,
  TAG_ONE = 0xa2,
  DIGITS_MAX = 15,
  COUNT_BYTES_MAX = 7,
};

/* Takes one tag, length and value off: the tag, or -1. */
static int cut(struct slice *s, struct slice *ret_value) {
  const uint8_t *p = (const uint8_t *)s->p;
  size_t head = 2, n;
  if (s->n < 2)
    return -1;
  n = p[1];
  if (n >= 0x80) {
    size_t more = n & 0x7f;
    if (more < 1 || more > 2 || s->n < 2 + more)
      return -1;
    n = more == 1 ? p[2] : (size_t)p[2] << 8 | p[3];
    head += more;
  }
  if (s->n - head < n)
    return -1;
  *ret_value = slice_from(s->p + head, n);
  *s = slice_from(s->p + head + n, s->n - head - n);
  return p[0];
}

static bool cut_as(struct slice *s, int tag, struct slice *ret_value) {
  return cut(s, ret_value) == tag;
}

/* The count of numbers from start on that the range has. */
static bool count_read(struct slice v, uint64_t *ret) {
  *ret = 0;
  if (!v.n || v.n > COUNT_BYTES_MAX || (uint8_t)v.p[0] >= 0x80)
    return false;
  for (size_t i = 0; i < v.n; i++)
    *ret = *ret << 8 | (uint8_t)v.p[i];
  return true;
}

static bool is_in_range(struct slice entry, struct slice number) {
  struct slice range, start, count;
  uint64_t first, n, asked;
  return cut_as(&entry, TAG_SEQUENCE, &range) && cut_as(&range, TAG_IA5, &start) &&
         cut_as(&range, TAG_INTEGER, &count) && start.n == number.n && start.n <= DIGITS_MAX &&
         count_read(count, &n) && slice_u64(start, UINT64_MAX, &first) == 0 &&
         slice_u64(number, UINT64_MAX, &asked) == 0 && asked >= first && asked - first < n;
}

static bool is_number(struct slice entry, struct slice number) {
  struct slice one;
  return cut_as(&entry, TAG_IA5, &one) && slice_eq(one, number);
}

bool tnauth_covers(struct slice der, struct slice number) {
  struct slice list, entry;
  if (!cut_as(&der, TAG_SEQUENCE, &list))
    return false;
  while (list.n) {
    int tag = cut(&list, &entry);
    if (tag == TAG_SPC || (tag == TAG_RANGE && is_in_range(entry, number)) ||
        (tag == TAG_ONE && is_number(entry, number)))
      return true;
    if (tag < 0)
      return false;
  }
  return false;
}
