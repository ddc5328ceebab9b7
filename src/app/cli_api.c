/* SPDX-License-Identifier: Apache-2.0
 * See cli_api.h. libcurl; the token is read for each run and wiped with it. */
#include "app/cli_api.h"

#include "app/cli.h"
#include "base/addr.h"
#include "conf/conf.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

enum { URL_BYTES = 2048, TOKEN_BYTES = 256, BODY_MAX = 256 << 20, SILENT_S = 60L, PEM_BYTES = 16384 };

struct api {
  CURL *curl;
  struct curl_slist *heads;
  struct conf *conf;
  struct conf_errors *errors;
  char root[URL_BYTES];
  char pem[PEM_BYTES]; /* pem is the listener's own certificate, "" none. */
  const char *ca, *cert, *key;
};

struct api *api_free(struct api *a) {
  if (!a)
    return NULL;
  for (struct curl_slist *h = a->heads; h; h = h->next)
    explicit_bzero(h->data, strlen(h->data));
  curl_slist_free_all(a->heads);
  if (a->curl)
    curl_easy_cleanup(a->curl);
  conf_free(a->conf);
  free(a->errors);
  free(a);
  return NULL;
}

static int told(const char *what, const char *name) {
  fprintf(stderr, "sallyport: %s: %s\n", name, what);
  return -EINVAL;
}

static const char *first_of(const char *a, const char *name) {
  const char *env = getenv(name);
  return a ? a : env && *env ? env : NULL;
}

static int conf_read(struct api *a, const char *file) {
  if (a->conf)
    return 0;
  a->errors = calloc(1, sizeof(*a->errors));
  if (!a->errors)
    return -ENOMEM;
  int r = conf_load(&a->conf, cli_config(file), true, a->errors);
  return r < 0 ? told(a->errors->n ? a->errors->list[0].text : strerror(-r), cli_config(file)) : 0;
}

/* The first certificate of the chain: exactly that one is trusted for the listener of this machine. */
static void leaf_read(struct api *a, const char *file) {
  FILE *f = fopen(file, "re");
  size_t n = f ? fread(a->pem, 1, sizeof(a->pem) - 1, f) : 0;
  if (f)
    fclose(f);
  a->pem[n] = 0;
  char *end = strstr(a->pem, "-----END CERTIFICATE-----");
  if (end)
    end[strlen("-----END CERTIFICATE-----")] = 0;
  else
    a->pem[0] = 0;
}

static int where(struct api *a, const struct api_settings *s) {
  char text[ADDR_TEXT_BYTES];
  const char *url = first_of(s->url, "SALLYPORT_URL");
  if (url) {
    size_t n = strlen(url);
    while (n && url[n - 1] == '/')
      n--;
    return snprintf(a->root, sizeof(a->root), "%.*s", (int)n, url) < URL_BYTES / 2
               ? 0
               : told("too long", url);
  }
  int r = conf_read(a, s->config);
  if (r < 0)
    return r;
  bool is_tls = a->conf->admin.certificate[0];
  if (is_tls && !s->ca)
    leaf_read(a, a->conf->admin.certificate);
  snprintf(a->root, sizeof(a->root), "%s://%s", is_tls ? "https" : "http",
           addr_text(&a->conf->admin.listen, text, sizeof(text)));
  return 0;
}

static int token_take(struct api *a, const char *file) {
  char line[TOKEN_BYTES], head[TOKEN_BYTES + 32];
  FILE *f = fopen(file, "re");
  if (!f)
    return told(strerror(errno), file);
  char *got = fgets(line, sizeof(line), f);
  fclose(f);
  if (!got)
    return told("holds no token", file);
  line[strcspn(line, "\r\n")] = 0;
  snprintf(head, sizeof(head), "Authorization: Bearer %s", line);
  a->heads = curl_slist_append(a->heads, head);
  explicit_bzero(line, sizeof(line));
  explicit_bzero(head, sizeof(head));
  return a->heads ? 0 : -ENOMEM;
}

static int token_find(struct api *a, const struct api_settings *s) {
  const char *file = first_of(s->token_file, "SALLYPORT_TOKEN_FILE");
  if (a->cert && !file)
    return 0;
  int r = file ? 0 : conf_read(a, s->config);
  return r < 0 ? r : token_take(a, file ? file : a->conf->admin.token_file);
}

int api_new(struct api **ret, const struct api_settings *s) {
  own(api) a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  a->curl = curl_easy_init();
  a->ca = s->ca;
  a->cert = first_of(s->cert, "SALLYPORT_CERT");
  a->key = a->cert ? first_of(s->key, "SALLYPORT_KEY") : NULL;
  int r = a->curl ? where(a, s) : -ENOMEM;
  if (r == 0)
    r = token_find(a, s);
  if (r == 0)
    *ret = take(a);
  return r;
}

bool api_escape(struct api *a, const char *text, char *dst, size_t bytes) {
  char *escaped = curl_easy_escape(a->curl, text, 0);
  int n = escaped ? snprintf(dst, bytes, "%s", escaped) : -1;
  curl_free(escaped);
  return n >= 0 && (size_t)n < bytes;
}

/* libcurl holds SIGPIPE back: a reader that has enough ends us as the signal would. */
static size_t to_put(const char *data, size_t bytes, FILE *to) {
  size_t n = fwrite(data, 1, bytes, to);
  if (n < bytes && errno == EPIPE)
    _exit(128 + SIGPIPE);
  return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  struct api_answer *r = arg;
  size_t bytes = size * n;
  if (r->to && r->status == 200)
    return to_put(data, bytes, r->to);
  char *grown = r->bytes + bytes < BODY_MAX ? realloc(r->body, r->bytes + bytes + 1) : NULL;
  if (!grown)
    return 0;
  memcpy(grown + r->bytes, data, bytes);
  r->body = grown;
  r->bytes += bytes;
  r->body[r->bytes] = 0;
  return bytes;
}

static size_t on_head(char *data, size_t size, size_t n, void *arg) {
  struct api_answer *r = arg;
  if (size * n > 12 && strncmp(data, "HTTP/", 5) == 0)
    r->status = strtol(data + strcspn(data, " "), NULL, 10);
  if (size * n > 6 && strncasecmp(data, "etag: ", 6) == 0)
    snprintf(r->etag, sizeof(r->etag), "%.*s", (int)strcspn(data + 6, "\r\n"), data + 6);
  return size * n;
}

/* With the listener's own certificate its name does not matter: no other can be shown. */
static void trust(struct api *a) {
  struct curl_blob blob = {a->pem, strlen(a->pem), CURL_BLOB_NOCOPY};
  if (a->ca) {
    curl_easy_setopt(a->curl, CURLOPT_CAINFO, a->ca);
  } else if (a->pem[0]) {
    curl_easy_setopt(a->curl, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(a->curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

/* Who we are, where it is a certificate that says so. */
static void present(struct api *a) {
  if (!a->cert)
    return;
  curl_easy_setopt(a->curl, CURLOPT_SSLCERT, a->cert);
  curl_easy_setopt(a->curl, CURLOPT_SSLKEY, a->key ? a->key : a->cert);
}

static struct curl_slist *heads_of(struct api *a, const char *etag, bool has_body) {
  char match[200];
  struct curl_slist *list = NULL;
  for (const struct curl_slist *h = a->heads; h; h = h->next)
    list = curl_slist_append(list, h->data);
  if (has_body)
    list = curl_slist_append(list, "Content-Type: application/json");
  if (a->cert)
    list = curl_slist_append(list, "X-Sallyport: 1"); /* a change by certificate needs it */
  if (etag && etag[0]) {
    snprintf(match, sizeof(match), "If-Match: %s", etag);
    list = curl_slist_append(list, match);
  }
  return list;
}

void api_ask(struct api *a, const char *method, const char *path, const json_t *body, const char *etag,
             struct api_answer *ret) {
  char url[2 * URL_BYTES], why[CURL_ERROR_SIZE] = "";
  own_mem char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  *ret = (struct api_answer){.body = strdup(""), .to = ret->to};
  bool is_root = path[0] == '/' && path[1] == '/';
  snprintf(url, sizeof(url), "%s%s%s", a->root, is_root ? "" : "/admin/v1", is_root ? path + 1 : path);
  struct curl_slist *heads = heads_of(a, etag, text != NULL);
  curl_easy_reset(a->curl);
  trust(a);
  present(a);
  curl_easy_setopt(a->curl, CURLOPT_URL, url);
  curl_easy_setopt(a->curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, heads);
  curl_easy_setopt(a->curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(a->curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(a->curl, CURLOPT_PATH_AS_IS, 1L); /* ".." is a name like any other */
  curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(a->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(a->curl, CURLOPT_LOW_SPEED_TIME, SILENT_S);
  curl_easy_setopt(a->curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, ret);
  curl_easy_setopt(a->curl, CURLOPT_HEADERFUNCTION, on_head);
  curl_easy_setopt(a->curl, CURLOPT_HEADERDATA, ret);
  if (text)
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, text);
  else if (strcmp(method, "POST") == 0)
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, "");
  CURLcode code = curl_easy_perform(a->curl);
  curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &ret->status);
  if (code != CURLE_OK) {
    fprintf(stderr, "sallyport: %s: %s\n", a->root, why[0] ? why : curl_easy_strerror(code));
    ret->status = 0;
  }
  curl_slist_free_all(heads);
  if (text)
    explicit_bzero(text, strlen(text));
}

void api_answer_done(struct api_answer *r) {
  if (r->body)
    explicit_bzero(r->body, r->bytes);
  free(take(r->body));
}
