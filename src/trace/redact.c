/* SPDX-License-Identifier: Apache-2.0
 * The cutting: see redact.h. Lines end with LF, CR or both, since peers' parsers differ; a header goes
 * on over its folded lines. In doubt more is cut. */
#include "trace/redact.h"

#include <strings.h>

struct sink {
  char *p;
  size_t n, room;
};

static void put(struct sink *s, struct slice t) {
  size_t fit = s->room - s->n - 1;
  size_t n = t.n < fit ? t.n : fit;
  if (n)
    memcpy(s->p + s->n, t.p, n);
  s->n += n;
  s->p[s->n] = 0;
}

/* One line with its end. */
static struct slice line_cut(struct slice *rest) {
  size_t n = 0;
  while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
    n++;
  if (n < rest->n && rest->p[n] == '\r')
    n++;
  if (n < rest->n && rest->p[n] == '\n')
    n++;
  struct slice line = slice_from(rest->p, n);
  *rest = slice_from(rest->p + n, rest->n - n);
  return line;
}

static struct slice ending_of(struct slice line) {
  size_t n = line.n;
  while (n && (line.p[n - 1] == '\n' || line.p[n - 1] == '\r'))
    n--;
  return slice_from(line.p + n, line.n - n);
}

static bool is_folded(struct slice rest) { return rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t'); }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

/* word is in lower case. */
static bool has_word(struct slice s, const char *word) {
  size_t n = strlen(word);
  for (size_t i = 0; i + n <= s.n; i++)
    if (lower(s.p[i]) == word[0] && strncasecmp(s.p + i, word, n) == 0)
      return true;
  return false;
}

/* Anywhere in a text ------------------------------------------------------------------------------- */

/* What follows one of these is a secret, up to a delimiter. */
static const char *const marks[] = {
    "inline:", "ice-pwd:", "key-mgmt:", "token=", "ticket=",  "password=", "secret=", "bearer ",
    "basic ",  "passwd=",  "digits=",   "pwd=",   "api_key=", "response=", "cnonce=", "authorization=",
    "k=clear:", "k=base64:"};
/* The same as a parameter of a user's name: up to the @ too. What is dialled after the answer, a PIN. */
static const char *const user_marks[] = {"postd=", "pin=", "passcode="};
/* JSON members of which the value is one. */
static const char *const members[] = {
    "token",      "ticket",        "secret",        "password",   "credential", "pwd",
    "digits",     "digit",         "authorization", "cookie",     "api_key",    "access_token",
    "id_token",   "refresh_token", "private_key",   "passphrase", "ice_pwd",    "icePwd",
    "privateKey", "accessToken",   "credentials"};

/* Could one of all these begin with that pair? Most places of a message are passed by here. */
static bool may_begin(char first, char second) {
  static const char *const seconds[26] = {
      ['a' - 'a'] = "pu", ['b' - 'a'] = "ea", ['c' - 'a'] = "n", ['d' - 'a'] = "i",  ['i' - 'a'] = "nc",
      ['k' - 'a'] = "e=", ['p' - 'a'] = "awoi", ['r' - 'a'] = "e", ['s' - 'a'] = "ei", ['t' - 'a'] = "oi"};
  char c = lower(first);
  if (c == '"')
    return true;
  if (c < 'a' || c > 'z' || !seconds[c - 'a'])
    return false;
  char d = lower(second);
  return d && strchr(seconds[c - 'a'], d);
}

static bool is_delimiter(char c) {
  return (unsigned char)c <= ' ' || c == '"' || c == '\\' || c == ';' || c == '&' || c == '<' ||
         c == '>' || c == 0x7f;
}

/* Its length, 0: none begins here. */
static size_t mark_at(struct slice s, const char *const *list, size_t list_n) {
  for (size_t i = 0; i < list_n; i++) {
    size_t n = list[i][0] == lower(s.p[0]) && list[i][1] == lower(s.p[1]) ? strlen(list[i]) : 0;
    if (n && n <= s.n && strncasecmp(s.p, list[i], n) == 0)
      return n;
  }
  return 0;
}

/* A member's name with colon and the quote that opens its value; 0: none begins here. */
static size_t member_at(struct slice s) {
  if (!s.n || s.p[0] != '"')
    return 0;
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    size_t n = strlen(members[i]), at = n + 2;
    if (at >= s.n || strncasecmp(s.p + 1, members[i], n) != 0 || s.p[n + 1] != '"')
      continue;
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == ':'))
      at++;
    if (at < s.n && s.p[at] == '"' && at > n + 2)
      return at + 1;
  }
  return 0;
}

static size_t string_length(struct slice s) {
  size_t n = 0;
  while (n < s.n && s.p[n] != '"')
    n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
  return n;
}

static size_t run_length(struct slice s, char stop) {
  size_t n = 0;
  while (n < s.n && s.p[n] == ' ')
    n++;
  if (n < s.n && s.p[n] == '"') /* a quoted value */
    n++;
  while (n < s.n && !is_delimiter(s.p[n]) && s.p[n] != stop)
    n++;
  return n;
}

/* sip:user:password@host: where the password begins; 0: there is none. */
static size_t password_at(struct slice s, size_t *ret_n) {
  size_t head = lower(s.p[0]) != 's'                           ? 0
                : s.n > 5 && strncasecmp(s.p, "sips:", 5) == 0 ? 5
                : s.n > 4 && strncasecmp(s.p, "sip:", 4) == 0  ? 4
                                                               : 0;
  size_t colon = 0;
  for (size_t i = head; head && i < s.n; i++) {
    if (is_delimiter(s.p[i]) && s.p[i] != ';' && s.p[i] != '&') /* a user's name may hold these */
      break;
    if (s.p[i] == ':' && !colon)
      colon = i + 1;
    if (s.p[i] == '@') {
      *ret_n = colon ? i - colon : 0;
      return colon;
    }
  }
  return 0;
}

static void scan(struct sink *out, struct slice s) {
  size_t from = 0, i = 0;
  while (i < s.n) {
    struct slice here = slice_from(s.p + i, s.n - i);
    if (here.n < 2 || !may_begin(here.p[0], here.p[1])) {
      i++;
      continue;
    }
    size_t secret = 0, head = member_at(here), user = 0;
    if (head) {
      secret = string_length(slice_from(here.p + head, here.n - head));
    } else if ((head = mark_at(here, marks, COUNT_OF(marks)))) {
      secret = run_length(slice_from(here.p + head, here.n - head), 0);
    } else if ((i == 0 || strchr(";?&, ", here.p[-1])) &&
               (head = mark_at(here, user_marks, COUNT_OF(user_marks)))) {
      secret = run_length(slice_from(here.p + head, here.n - head), '@');
    } else {
      user = head = password_at(here, &secret);
    }
    if (!head || !secret) {
      i++;
      continue;
    }
    put(out, slice_from(s.p + from, i + (user ? 4 : head) - from));
    if (user) /* what stands between sip: and the password, no @ in it */
      scan(out, slice_from(here.p + 4, head - 4));
    put(out, SLICE(REDACT_MARK));
    i += head + secret;
    from = i;
  }
  put(out, slice_from(s.p + from, s.n - from));
}

/* Lines -------------------------------------------------------------------------------------------- */

static bool begins(struct slice line, const char *word) { return slice_istarts(line, slice_of(word)); }

/* Lines of a body that are secret to their end, whatever stands in them. */
static size_t body_head(struct slice line) {
  static const char *const heads[] = {"a=crypto:", "k=", "a=ice-pwd:", "a=key-mgmt:"};
  for (size_t i = 0; i < COUNT_OF(heads); i++)
    if (begins(line, heads[i]))
      return strlen(heads[i]);
  return 0;
}

static void body_line(struct sink *out, struct slice line, bool is_digits) {
  struct slice end = ending_of(line);
  struct slice text = slice_from(line.p, line.n - end.n);
  size_t head = body_head(text);
  if (head && begins(text, "a=crypto:")) { /* tag and suite may stay */
    unsigned spaces = 0;
    for (; head < text.n && spaces < 2; head++)
      spaces += text.p[head] == ' ';
    if (spaces < 2 || has_word(slice_from(text.p, head), "inline"))
      head = strlen("a=crypto:");
  }
  if (is_digits && !begins(text, "duration") && text.n)
    head = begins(text, "signal") ? strlen("signal") : 0;
  else if (!head && begins(text, "signal")) /* of a part of several */
    head = strlen("signal");
  else if (!head) {
    scan(out, line);
    return;
  }
  put(out, slice_from(text.p, head));
  put(out, begins(text, "signal") ? SLICE("=" REDACT_MARK) : SLICE(REDACT_MARK));
  put(out, end);
}

static void parameter_put(struct sink *out, struct slice value, const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; i + n < value.n; i++) {
    bool is_first = i == 0 || strchr(" ,\t\r\n", value.p[i - 1]);
    if (!is_first || strncasecmp(value.p + i, name, n) != 0)
      continue;
    struct slice v = slice_from(value.p + i + n, value.n - i - n);
    if (v.n < 3 || v.p[0] != '=' || v.p[1] != '"')
      continue;
    size_t length = string_length(slice_from(v.p + 2, v.n - 2));
    put(out, SLICE(" "));
    put(out, slice_of(name));
    put(out, SLICE("=\""));
    put(out, slice_from(v.p + 2, length));
    put(out, SLICE("\","));
    return;
  }
}

/* Scheme, username and realm; only of a digest, whose other parts are named. */
static void credentials_put(struct sink *out, struct slice name, struct slice value) {
  struct slice v = slice_trim(value);
  put(out, name);
  put(out, SLICE(": "));
  if (begins(v, "digest ")) {
    put(out, SLICE("Digest"));
    parameter_put(out, v, "username");
    parameter_put(out, v, "realm");
    put(out, SLICE(" "));
  }
  put(out, SLICE(REDACT_MARK "\r\n"));
}

static bool is_secret_header(struct slice name) {
  static const char *const words[] = {"cookie", "token",   "secret", "passw",
                                      "apikey", "api-key", "ticket", "authentication-info"};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (has_word(name, words[i]))
      return true;
  return false;
}

static bool are_digits(struct slice type) {
  return has_word(type, "dtmf") || has_word(type, "telephone-event") || has_word(type, "digit");
}

/* One header with its folded lines. */
static void header_put(struct sink *out, struct slice header, bool *is_digits) {
  struct slice value = header, name = slice_trim(slice_cut(&value, ':'));
  if (has_word(name, "authorization")) {
    credentials_put(out, name, value);
  } else if (is_secret_header(name)) {
    put(out, name);
    put(out, SLICE(": " REDACT_MARK "\r\n"));
  } else {
    bool is_type = slice_ieq(name, SLICE("Content-Type")) || slice_ieq(name, SLICE("c"));
    if (is_type && are_digits(value))
      *is_digits = true;
    scan(out, header);
  }
}

size_t redact_sip(char *dst, size_t dst_bytes, struct slice message) {
  struct sink out = {dst, 0, dst_bytes};
  bool is_digits = false;
  struct slice rest = message;
  dst[0] = 0;
  while (rest.n) {
    struct slice header = line_cut(&rest);
    bool is_end = ending_of(header).n == header.n;
    while (!is_end && is_folded(rest)) {
      struct slice more = line_cut(&rest);
      header.n += more.n;
    }
    if (is_end) {
      put(&out, header);
      break;
    }
    header_put(&out, header, &is_digits);
  }
  bool is_part = false; /* is_part: digits to the part's end */
  while (rest.n) {
    struct slice line = line_cut(&rest);
    bool is_type = begins(line, "content-type:");
    if (begins(line, "--"))
      is_part = false;
    body_line(&out, line, !is_type && (is_digits || is_part));
    is_part = is_part || (is_type && are_digits(line));
  }
  return out.n;
}

size_t redact_text(char *dst, size_t dst_bytes, struct slice text) {
  struct sink out = {dst, 0, dst_bytes};
  dst[0] = 0;
  while (text.n)
    body_line(&out, line_cut(&text), false);
  return out.n;
}
