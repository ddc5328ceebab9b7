/* SPDX-License-Identifier: Apache-2.0
 * What a stranger writes into a request: target, parameters, query, Host, media type, a JSON body. */
#include "web/head.h"
#include "web/path.h"
#include "web/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct web_row rows[] = {
    {.method = WEB_GET, .pattern = "/v1/calls"},
    {.method = WEB_POST, .pattern = "/v1/calls/{id}/ice"},
    {.method = WEB_POST, .pattern = "/v1/whip/{to}/{a}/{b}/{c}/{d}"},
};

static void head_try(struct slice text) {
  struct head h = {0};
  const char *why = NULL;
  while (text.p) {
    struct slice value = slice_cut(&text, '\n'), name = slice_cut(&value, ':');
    head_add(&h, name, slice_trim(value));
  }
  if (head_judge(&h, true, &why) == WEB_PROBLEM_COUNT_ && h.field[HEAD_CONTENT_LENGTH].p &&
      h.field[HEAD_TRANSFER_ENCODING].p)
    abort();
  (void)head_type_listed(h.field[HEAD_CONTENT_TYPE], "application/json");
  struct addr local = {0};
  static const char *const hosts[] = {"edge.example"};
  (void)head_host_ok(h.field[HEAD_HOST], hosts, 1, &local);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct slice rest = slice_from(data, n), target = slice_cut(&rest, '\n'), query = target;
  struct web_params params;
  unsigned allow;
  char value[64];
  json_t *j = NULL;
  struct slice path = slice_cut(&query, '?');
  (void)head_target_ok(target);
  const struct web_row *row = web_path_find(rows, COUNT_OF(rows), WEB_POST, path, &params, &allow);
  for (unsigned i = 0; row && i < params.n; i++)
    if (!params.text[i][0] || strchr(params.text[i], '/'))
      abort();
  (void)!web_query(&(struct web_ask){.query = query}, "a", value, sizeof(value));
  head_try(rest);
  if (web_json_parse(rest, &j) == 0)
    json_decref(j);
  return 0;
}
