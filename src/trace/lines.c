/* SPDX-License-Identifier: Apache-2.0
 * Texts as pieces told by earlier pieces: see lines.h. A token's lowest two bits say which of three it
 * is; an earlier piece is named by how far back it stands, so that the recent ones cost one byte. */
#include "trace/lines.h"

enum { TOKEN_SAME, TOKEN_PLAIN, TOKEN_LIKE, GROW_BYTES = 512, GROW_REFS = 32, KEY_BYTES = 24 };

void lines_done(struct lines *l) {
  if (l->p)
    explicit_bzero(l->p, l->n);
  free(l->p);
  free(l->ref);
  *l = (struct lines){.max = l->max};
}

void lines_forget(struct lines *l) {
  free(l->ref);
  *l = (struct lines){.p = NULL};
}

struct lines_mark lines_mark(const struct lines *l) {
  return (struct lines_mark){l->n, l->n_ref};
}

void lines_cut(struct lines *l, struct lines_mark m) {
  l->n = m.n;
  l->n_ref = m.n_ref;
}

uint32_t lines_bytes(const struct lines *l) { return l->room + l->room_ref * (uint32_t)sizeof(*l->ref); }

/* Writing ------------------------------------------------------------------------------------------ */

static bool has_room(const struct lines *l, size_t more) {
  size_t all = l->n + more + (size_t)l->n_ref * sizeof(*l->ref);
  return all <= l->max && l->n + more <= LINES_MAX_BYTES;
}

int lines_raw(struct lines *l, const void *p, size_t n) {
  if (!has_room(l, n))
    return -ENOSPC;
  if (l->n + n > l->room) {
    uint32_t room = (uint32_t)(l->n + n + GROW_BYTES);
    uint8_t *more = realloc(l->p, room);
    if (!more)
      return -ENOMEM;
    l->p = more;
    l->room = room;
  }
  if (n)
    memcpy(l->p + l->n, p, n);
  l->n += (uint32_t)n;
  return 0;
}

int lines_byte(struct lines *l, uint8_t b) { return lines_raw(l, &b, 1); }

int lines_number(struct lines *l, uint64_t v) {
  uint8_t b[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7)
    b[n++] = (uint8_t)(v | 0x80);
  b[n++] = (uint8_t)v;
  return lines_raw(l, b, n);
}

static uint16_t hash_of(const char *p, size_t n) {
  uint32_t h = 2166136261U;
  for (size_t i = 0; i < n; i++)
    h = (h ^ (uint8_t)p[i]) * 16777619U;
  return (uint16_t)(h ^ h >> 16);
}

/* "Via:", "a=rtpmap:", "o=-": what alike lines begin with. */
static uint8_t key_of(struct slice s) {
  size_t n = 0;
  while (n < s.n && n < KEY_BYTES && s.p[n] != ':' && s.p[n] != ' ' && s.p[n] != '\r' && s.p[n] != '\n')
    n++;
  uint16_t h = hash_of(s.p, n);
  return (uint8_t)(h ^ h >> 8);
}

static int ref_add(struct lines *l, struct line_ref r) {
  if (l->n_ref == l->room_ref) {
    uint32_t room = l->room_ref + GROW_REFS;
    struct line_ref *more = realloc(l->ref, room * sizeof(*more));
    if (!more)
      return -ENOMEM;
    l->ref = more;
    l->room_ref = room;
  }
  l->ref[l->n_ref++] = r;
  return 0;
}

static int piece_read(const struct lines *l, uint32_t id, char dst[LINE_BYTES], size_t *ret_n,
                      unsigned depth);

static uint32_t same_find(const struct lines *l, struct slice s, uint16_t hash) {
  char text[LINE_BYTES];
  size_t n;
  for (uint32_t i = l->n_ref; i-- > 0;)
    if (l->ref[i].hash == hash && piece_read(l, i, text, &n, 0) == 0 && n == s.n &&
        memcmp(text, s.p, n) == 0)
      return i;
  return UINT32_MAX;
}

struct likeness {
  uint32_t id;
  size_t prefix, suffix;
};

static struct likeness like_of(struct slice s, const char *text, size_t n, uint32_t id) {
  struct likeness k = {.id = id};
  size_t most = n < s.n ? n : s.n;
  while (k.prefix < most && text[k.prefix] == s.p[k.prefix])
    k.prefix++;
  while (k.suffix < most - k.prefix && text[n - 1 - k.suffix] == s.p[s.n - 1 - k.suffix])
    k.suffix++;
  return k;
}

/* The best of the last few of its name. */
static struct likeness like_find(const struct lines *l, struct slice s, uint8_t key) {
  struct likeness best = {.id = UINT32_MAX};
  char text[LINE_BYTES];
  size_t n;
  unsigned tries = 4;
  for (uint32_t i = l->n_ref; i-- > 0 && tries;) {
    if (l->ref[i].key != key || l->ref[i].depth >= LINE_DEPTH_MAX || piece_read(l, i, text, &n, 0) < 0)
      continue;
    tries--;
    struct likeness k = like_of(s, text, n, i);
    if (best.id == UINT32_MAX || k.prefix + k.suffix > best.prefix + best.suffix)
      best = k;
  }
  return best;
}

static int like_write(struct lines *l, struct slice s, const struct likeness *k) {
  size_t middle = s.n - k->prefix - k->suffix;
  int r = lines_number(l, (uint64_t)(l->n_ref - k->id) << 2 | TOKEN_LIKE);
  if (r == 0)
    r = lines_number(l, k->prefix);
  if (r == 0)
    r = lines_number(l, k->suffix);
  if (r == 0)
    r = lines_number(l, middle);
  return r < 0 ? r : lines_raw(l, s.p + k->prefix, middle);
}

int lines_piece(struct lines *l, struct slice s) {
  struct line_ref ref = {.hash = hash_of(s.p, s.n), .key = key_of(s)};
  if (s.n > LINE_BYTES)
    return -EINVAL;
  uint32_t same = same_find(l, s, ref.hash);
  if (same != UINT32_MAX)
    return lines_number(l, (uint64_t)(l->n_ref - same) << 2 | TOKEN_SAME);
  if (!has_room(l, sizeof(ref)))
    return -ENOSPC;
  struct likeness k = like_find(l, s, ref.key);
  ref.at = (uint16_t)l->n;
  int r;
  if (k.id != UINT32_MAX && k.prefix + k.suffix > 5) {
    ref.depth = (uint8_t)(l->ref[k.id].depth + 1);
    r = like_write(l, s, &k);
  } else {
    r = lines_number(l, (uint64_t)s.n << 2 | TOKEN_PLAIN);
    if (r == 0)
      r = lines_raw(l, s.p, s.n);
  }
  return r < 0 ? r : ref_add(l, ref);
}

static struct slice piece_cut(struct slice *rest) {
  size_t n = 0;
  while (n < rest->n && n < LINE_BYTES && (n == 0 || rest->p[n - 1] != '\n'))
    n++;
  struct slice s = slice_from(rest->p, n);
  *rest = slice_from(rest->p + n, rest->n - n);
  return s;
}

int lines_text(struct lines *l, struct slice text) {
  uint64_t count = 0;
  for (struct slice rest = text; rest.n; count++)
    (void)piece_cut(&rest);
  int r = lines_number(l, count);
  for (struct slice rest = text; r == 0 && rest.n;)
    r = lines_piece(l, piece_cut(&rest));
  return r;
}

/* Reading ------------------------------------------------------------------------------------------ */

int lines_get_byte(const struct lines *l, uint32_t *at, uint8_t *ret) {
  if (*at >= l->n)
    return -EBADMSG;
  *ret = l->p[(*at)++];
  return 0;
}

int lines_get_number(const struct lines *l, uint32_t *at, uint64_t *ret) {
  uint8_t b = 0x80;
  *ret = 0;
  for (unsigned shift = 0; b & 0x80; shift += 7) {
    if (shift > 63 || lines_get_byte(l, at, &b) < 0)
      return -EBADMSG;
    *ret |= (uint64_t)(b & 0x7f) << shift;
  }
  return 0;
}

static int plain_read(const struct lines *l, uint32_t *at, uint64_t n, char *dst) {
  if (n > LINE_BYTES || n > l->n - *at)
    return -EBADMSG;
  memcpy(dst, l->p + *at, n);
  *at += (uint32_t)n;
  return 0;
}

/* The base is in dst; its middle is replaced. */
static int like_read(const struct lines *l, uint32_t *at, char dst[LINE_BYTES], size_t *n) {
  uint64_t prefix, suffix, middle;
  if (lines_get_number(l, at, &prefix) < 0 || lines_get_number(l, at, &suffix) < 0 ||
      lines_get_number(l, at, &middle) < 0 || prefix > *n || suffix > *n - prefix ||
      middle > LINE_BYTES || prefix + suffix + middle > LINE_BYTES)
    return -EBADMSG;
  memmove(dst + prefix + middle, dst + *n - suffix, suffix);
  *n = prefix + middle + suffix;
  return plain_read(l, at, middle, dst + prefix);
}

/* One token of the piece that has the number id; *at moves behind it. */
static int token_read(const struct lines *l, uint32_t *at, uint32_t id, char dst[LINE_BYTES],
                      size_t *ret_n, unsigned depth) {
  uint64_t head;
  if (lines_get_number(l, at, &head) < 0)
    return -EBADMSG;
  uint64_t v = head >> 2;
  if ((head & 3) == TOKEN_PLAIN) {
    *ret_n = v;
    return plain_read(l, at, v, dst);
  }
  if (v == 0 || v > id || (head & 3) == 3)
    return -EBADMSG;
  int r = piece_read(l, id - (uint32_t)v, dst, ret_n, depth + 1);
  return r == 0 && (head & 3) == TOKEN_LIKE ? like_read(l, at, dst, ret_n) : r;
}

static int piece_read(const struct lines *l, uint32_t id, char dst[LINE_BYTES], size_t *ret_n,
                      unsigned depth) {
  if (depth > LINE_DEPTH_MAX + 2 || id >= l->n_ref)
    return -EBADMSG;
  uint32_t at = l->ref[id].at;
  return token_read(l, &at, id, dst, ret_n, depth);
}

int lines_get_piece(struct lines *l, uint32_t *at, char dst[LINE_BYTES], size_t *ret_n) {
  struct line_ref ref = {.at = (uint16_t)*at};
  if (*at >= l->n || l->n > LINES_MAX_BYTES)
    return -EBADMSG;
  bool is_new = (l->p[*at] & 3) != TOKEN_SAME;
  int r = token_read(l, at, l->n_ref, dst, ret_n, 0);
  return r == 0 && is_new ? ref_add(l, ref) : r;
}

int lines_get_text(struct lines *l, uint32_t *at, char **ret_text, size_t *ret_n) {
  uint64_t count;
  size_t n = 0, room = 0;
  own_mem char *text = NULL;
  if (lines_get_number(l, at, &count) < 0 || count > l->n)
    return -EBADMSG;
  for (; count; count--) {
    char piece[LINE_BYTES];
    size_t more;
    int r = lines_get_piece(l, at, piece, &more);
    if (r < 0)
      return r;
    if (n + more >= room) {
      room = n + more + 4 * LINE_BYTES;
      char *wider = realloc(text, room);
      if (!wider)
        return -ENOMEM;
      text = wider;
    }
    memcpy(text + n, piece, more);
    n += more;
    text[n] = 0;
  }
  *ret_text = take(text);
  *ret_n = n;
  return 0;
}
