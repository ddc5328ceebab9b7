/* SPDX-License-Identifier: Apache-2.0
 * Messages of the domain name system: see dns.h. */
#include "wire/dns.h"

#include "wire/bytes.h"

#include <ctype.h>

enum {
  JUMPS_MAX = 32, /* compression pointers of one name */
  RECORDS_READ_MAX = 256,
  CNAMES_MAX = 8,
  LABEL_MAX = 63,
  FLAG_RESPONSE = 0x8000,
  FLAG_TRUNCATED = 0x0200,
  FLAG_RECURSE = 0x0100,
  CLASS_IN = 1,
};

static bool is_of_name(int c) { return isalnum(c) || c == '-' || c == '_'; }

static int label_write(struct writer *w, struct slice label) {
  if (label.n == 0 || label.n > LABEL_MAX)
    return -EINVAL;
  for (size_t i = 0; i < label.n; i++)
    if (!is_of_name((unsigned char)label.p[i]))
      return -EINVAL;
  writer_u8(w, (uint8_t)label.n);
  writer_slice(w, label);
  return 0;
}

static int name_write(struct writer *w, struct slice name) {
  int e = name.n && name.n < DNS_NAME_BYTES - 2 ? 0 : -EINVAL;
  while (e == 0 && name.n)
    e = label_write(w, slice_cut(&name, '.'));
  writer_u8(w, 0);
  return e;
}

int dns_write(void *dst, size_t bytes, uint16_t id, const char *name, enum dns_type type,
              size_t *ret_bytes) {
  struct writer w = writer_of(dst, bytes);
  writer_u16(&w, id);
  writer_u16(&w, FLAG_RECURSE);
  writer_u16(&w, 1);
  writer_fill(&w, 0, 6);
  int e = name_write(&w, slice_of(name));
  writer_u16(&w, (uint16_t)type);
  writer_u16(&w, CLASS_IN);
  *ret_bytes = writer_bytes(&w);
  return e < 0 ? e : w.bad ? -ENOSPC : 0;
}

/* A name that this program could have to do with; others make the record void, not the message. */
struct name {
  char text[DNS_NAME_BYTES]; /* text is in lower case, without the last dot. */
  bool is_plain;
};

static void name_add(struct name *n, struct slice label, size_t *at) {
  if (*at + label.n + 2 > sizeof n->text) {
    n->is_plain = false;
    return;
  }
  if (*at)
    n->text[(*at)++] = '.';
  for (size_t i = 0; i < label.n; i++) {
    n->is_plain = n->is_plain && is_of_name((unsigned char)label.p[i]);
    n->text[(*at)++] = (char)tolower((unsigned char)label.p[i]);
  }
  n->text[*at] = 0;
}

/* Pointers may only lead back, and not often: every message ends. */
static void name_read(struct reader *r, struct slice message, struct name *ret) {
  struct reader far, *from = r;
  size_t at = 0;
  *ret = (struct name){.is_plain = true};
  for (unsigned jumps = 0; !from->bad;) {
    uint8_t n = reader_u8(from);
    if (n == 0)
      break;
    if (n <= LABEL_MAX) {
      name_add(ret, reader_slice(from, n), &at);
      continue;
    }
    size_t here = (size_t)((const char *)from->p - message.p) - 1;
    size_t to = (size_t)(n & 0x3f) << 8 | reader_u8(from);
    if (n < 0xc0 || to >= here || ++jumps > JUMPS_MAX) {
      r->bad = true;
      return;
    }
    far = reader_of(message.p + to, message.n - to);
    from = &far;
  }
  r->bad = r->bad || from->bad;
}

static void text_read(struct reader *r, char *dst, size_t bytes, bool *is_good) {
  struct slice s = reader_slice(r, reader_u8(r));
  if (slice_copy(dst, bytes, s) < 0 || memchr(dst, 0, bytes) != dst + s.n)
    *is_good = false;
}

static bool naptr_read(struct reader *r, struct slice message, struct dns_naptr *ret) {
  struct name n;
  char regexp[256];
  bool is_good = true;
  ret->order = reader_u16(r);
  ret->preference = reader_u16(r);
  text_read(r, ret->flags, sizeof ret->flags, &is_good);
  text_read(r, ret->service, sizeof ret->service, &is_good);
  text_read(r, regexp, sizeof regexp, &is_good);
  name_read(r, message, &n);
  slice_copy(ret->replacement, sizeof ret->replacement, slice_of(n.text));
  return is_good && n.is_plain;
}

static bool srv_read(struct reader *r, struct slice message, struct dns_srv *ret) {
  struct name n;
  ret->priority = reader_u16(r);
  ret->weight = reader_u16(r);
  ret->port = reader_u16(r);
  name_read(r, message, &n);
  slice_copy(ret->target, sizeof ret->target, slice_of(n.text));
  return n.is_plain;
}

static bool ip_read(struct reader *r, size_t n, struct dns_record *ret) {
  const uint8_t *ip = reader_left(r) == n ? reader_take(r, n) : NULL;
  if (ip)
    memcpy(ret->ip, ip, n);
  return ip != NULL;
}

static bool data_read(struct reader *r, struct slice message, enum dns_type type,
                      struct dns_record *ret) {
  *ret = (struct dns_record){0};
  if (type == DNS_A || type == DNS_AAAA)
    return ip_read(r, type == DNS_A ? 4 : 16, ret);
  bool is_good = type == DNS_SRV ? srv_read(r, message, &ret->srv) : naptr_read(r, message, &ret->naptr);
  return is_good && !r->bad;
}

/* One record's head; the data is left in ret_data. */
struct head {
  struct name owner;
  uint16_t type, class;
  uint32_t ttl_s;
  struct reader data;
};

static bool head_read(struct reader *r, struct slice message, struct head *ret) {
  name_read(r, message, &ret->owner);
  ret->type = reader_u16(r);
  ret->class = reader_u16(r);
  ret->ttl_s = reader_u32(r);
  ret->data = reader_sub(r, reader_u16(r));
  if (ret->ttl_s > INT32_MAX)
    ret->ttl_s = 0; /* RFC 2181 8 */
  return !r->bad;
}

static bool is_owned(const struct head *h, uint16_t type, const struct name *by) {
  return h->class == CLASS_IN && h->type == type && h->owner.is_plain &&
         !strcmp(h->owner.text, by->text);
}

static void ttl_take(struct dns_answer *ret, uint32_t ttl_s, bool *is_first) {
  ret->ttl_s = *is_first || ttl_s < ret->ttl_s ? ttl_s : ret->ttl_s;
  *is_first = false;
}

/* The name that the asked one is another name of. A message that is malformed sets r->bad. */
static bool cname_follow(struct reader r, struct slice message, uint32_t n, struct name *at,
                         struct dns_answer *ret, bool *is_first) {
  struct head h;
  struct name to;
  for (uint32_t i = 0; i < n && head_read(&r, message, &h); i++) {
    if (!is_owned(&h, DNS_CNAME, at))
      continue;
    name_read(&h.data, message, &to);
    if (h.data.bad || !to.is_plain)
      return false;
    ttl_take(ret, h.ttl_s, is_first);
    *at = to;
    return true;
  }
  return false;
}

static int records_read(struct dns_answer *ret, struct reader r, struct slice message, uint32_t n,
                        struct name *at, enum dns_type type) {
  struct head h;
  bool is_first = true;
  for (unsigned i = 0; i < CNAMES_MAX && cname_follow(r, message, n, at, ret, &is_first); i++) {
  }
  for (uint32_t i = 0; i < n; i++) {
    if (!head_read(&r, message, &h))
      return -EBADMSG;
    if (ret->n < DNS_RECORDS_MAX && is_owned(&h, (uint16_t)type, at) &&
        data_read(&h.data, message, type, &ret->list[ret->n])) {
      ret->n++;
      ttl_take(ret, h.ttl_s, &is_first);
    }
  }
  if (ret->n == 0)
    ret->ttl_s = 0;
  return 0;
}

/* Is it the question that was asked? */
static bool question_fits(struct reader *r, struct slice message, const char *name, enum dns_type type) {
  struct name asked;
  struct slice wanted = slice_of(name);
  name_read(r, message, &asked);
  bool is_type = reader_u16(r) == (uint16_t)type;
  bool is_class = reader_u16(r) == CLASS_IN;
  if (wanted.n && wanted.p[wanted.n - 1] == '.')
    wanted.n--;
  return !r->bad && is_type && is_class && slice_ieq(slice_of(asked.text), wanted);
}

int dns_read(struct dns_answer *ret, struct slice message, uint16_t id, const char *name,
             enum dns_type type) {
  struct reader r = reader_of(message.p, message.n);
  struct name at = {.is_plain = true};
  ret->n = ret->ttl_s = 0;
  uint16_t got = reader_u16(&r), flags = reader_u16(&r), questions = reader_u16(&r);
  uint32_t answers = reader_u16(&r);
  reader_skip(&r, 4);
  if (r.bad || got != id || !(flags & FLAG_RESPONSE) || questions != 1)
    return -ENOMSG;
  if (!question_fits(&r, message, name, type))
    return -ENOMSG;
  ret->rcode = flags & 0x0f;
  ret->is_truncated = flags & FLAG_TRUNCATED;
  if (ret->rcode || ret->is_truncated)
    return 0;
  struct slice start = slice_of(name);
  if (start.n && start.p[start.n - 1] == '.')
    start.n--;
  size_t n = 0;
  name_add(&at, start, &n);
  if (answers > RECORDS_READ_MAX)
    answers = RECORDS_READ_MAX;
  return records_read(ret, r, message, answers, &at, type);
}
