/* SPDX-License-Identifier: Apache-2.0
 * What a certificate in a PEM file says, for operators. Any thread. */
#include "web/web.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { NAMES_MAX = 64, SOON_DAYS = 30 };

/* RFC 2253; the bytes of a peer's certificate may be any. */
static json_t *name_json(const X509_NAME *name) {
  char text[512] = "", safe[1100];
  BIO *b = BIO_new(BIO_s_mem());
  if (b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
    int n = BIO_read(b, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
  }
  BIO_free(b);
  json_t *j = json_string(text);
  return j ? j : json_string(slice_escape(safe, sizeof safe, slice_of(text)));
}

static json_t *names_json(X509 *x) {
  json_t *list = json_array();
  GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++) {
    const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
    if (g->type == GEN_DNS || g->type == GEN_URI)
      json_array_append_new(list, json_stringn((const char *)ASN1_STRING_get0_data(g->d.ia5),
                                               (size_t)ASN1_STRING_length(g->d.ia5)));
  }
  GENERAL_NAMES_free(names);
  return list;
}

static int64_t time_s(const ASN1_TIME *t) {
  struct tm tm = {0};
  return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static json_t *time_json(int64_t s) { return web_time(s > 0 ? (uint64_t)s * 1000u : 0); }

static json_t *cert_json(X509 *x, int64_t now_s) {
  int64_t from_s = time_s(X509_get0_notBefore(x)), to_s = time_s(X509_get0_notAfter(x));
  int64_t days = (to_s - now_s) / 86400;
  const char *state = to_s <= now_s ? "expired" : days <= SOON_DAYS ? "soon" : "ok";
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:s}", "subject", name_json(X509_get_subject_name(x)),
                   "issuer", name_json(X509_get_issuer_name(x)), "names", names_json(x), "not_before",
                   time_json(from_s), "not_after", time_json(to_s), "days_left", (json_int_t)days,
                   "state", state);
}

json_t *web_cert_json(const char *file, uint64_t wall_s) {
  FILE *f = fopen(file, "re");
  X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
  json_t *j = x ? cert_json(x, (int64_t)wall_s) : NULL;
  X509_free(x);
  if (f)
    fclose(f);
  return j ? j
           : json_pack("{s:n, s:n, s:[], s:n, s:n, s:n, s:s}", "subject", "issuer", "names",
                       "not_before", "not_after", "days_left", "state", "unreadable");
}
