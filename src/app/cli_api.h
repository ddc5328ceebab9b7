/* SPDX-License-Identifier: Apache-2.0
 * One request to the operators' API: where it is and with which token by the configuration, or as told.
 */
#pragma once
#include "base/own.h"

#include <jansson.h>
#include <stdio.h>

struct api_settings {
  const char *url; /* url is "http://127.0.0.1:8081"; NULL: by $SALLYPORT_URL or the configuration. */
  const char *token_file; /* NULL: by $SALLYPORT_TOKEN_FILE or the configuration. */
  const char
      *ca; /* ca is a PEM file to trust; NULL: the listener's own certificate, else the system's. */
  const char *cert,
      *key; /* PEM files of a client certificate, NULL: by $SALLYPORT_CERT and $SALLYPORT_KEY, else
               none. With one a token is shown only where it is named. key NULL: in cert too */
  const char *config; /* NULL: see cli_config(). */
};

struct api;
int api_new(struct api **ret, const struct api_settings *s) must_check; /* says itself what is wrong */
struct api *api_free(struct api *a);
OWN_DEFINE(api)

struct api_answer {
  long status; /* status is 0 where nothing answered; it was said why. */
  char *body;  /* bytes long, and a NUL */
  size_t bytes;
  char etag[160];
  FILE *to; /* to takes the bytes of a 200 as they come, none of them stays in body; NULL: body */
};
void api_answer_done(struct api_answer *r);
/* path stands below /admin/v1, with // below the root; body NULL: none; etag "" or NULL: no If-Match. Of
 * ret only to is read. */
void api_ask(struct api *a, const char *method, const char *path, const json_t *body, const char *etag,
             struct api_answer *ret);
/* Text with what a URL may not hold as it is escaped, in the bounded dst; false: no room. */
bool api_escape(struct api *a, const char *text, char *dst, size_t bytes) must_check;
