/* SPDX-License-Identifier: Apache-2.0
 * Trickle fragments (RFC 8840) -> struct desc_frag: see desc.h. Only the first m-line's lines and
 * those ahead of it count; unknown ones are ignored. */
#include "wire/cand.h"
#include "wire/line.h"

static int candidate_take(struct desc_frag *f, struct slice v) {
  if (f->n_candidates == DESC_CANDIDATES_MAX)
    return -E2BIG;
  int got = cand_parse(&f->candidates[f->n_candidates], v);
  if (got == 0)
    f->n_candidates++;
  return got < 0 ? got : 0;
}

static int attr_take(struct desc_frag *f, struct slice v, const char **rule) {
  struct slice name = slice_cut(&v, ':');
  if (slice_eq(name, SLICE("candidate"))) {
    *rule = "at most 64 a=candidate, of the form of RFC 8839";
    return candidate_take(f, v);
  }
  if (slice_eq(name, SLICE("ice-ufrag"))) {
    *rule = "a=ice-ufrag of 4 to 256 characters";
    return line_word_copy(f->ufrag, sizeof(f->ufrag), v, 4);
  }
  if (slice_eq(name, SLICE("ice-pwd"))) {
    *rule = "a=ice-pwd of 22 to 256 characters";
    return line_word_copy(f->pwd, sizeof(f->pwd), v, 22);
  }
  if (slice_eq(name, SLICE("mid"))) {
    *rule = "a=mid: a token of at most 32 characters";
    return line_is_token(slice_trim(v), sizeof(f->mid) - 1) ? line_word_copy(f->mid, sizeof(f->mid), v, 1)
                                                            : -EBADMSG;
  }
  if (slice_eq(name, SLICE("end-of-candidates")))
    f->end_of_candidates = true;
  return 0;
}

static int frag_take(struct desc_frag *f, struct lines *l, const char **rule) {
  char type;
  struct slice value;
  unsigned media = 0;
  int got;
  while ((got = line_next(l, &type, &value)) > 0) {
    media += type == 'm';
    int e = type == 'a' && media <= 1 ? attr_take(f, value, rule) : 0;
    if (e < 0)
      return e;
  }
  if (got < 0)
    *rule = l->rule;
  return got;
}

int desc_frag_parse(struct desc_frag *ret, struct slice text, struct desc_fault *fault) {
  struct lines l = {.rest = text};
  const char *rule = "at most 32 KiB of text";
  memset(ret, 0, sizeof(*ret));
  int e = text.n > DESC_TEXT_MAX_BYTES ? -E2BIG : frag_take(ret, &l, &rule);
  *fault = (struct desc_fault){e < 0 ? rule : "", e < 0 ? l.number : 0};
  if (e < 0)
    explicit_bzero(ret, sizeof(*ret));
  return e;
}
