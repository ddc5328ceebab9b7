/* SPDX-License-Identifier: Apache-2.0
 * The embedded console: every file is there, whole, with its type, and none asks for what the policy
 * forbids. */
#include "config.h"

#include "console/assets.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct asset nothing = {.path = "", .type = "", .bytes = (const uint8_t *)"", .etag = ""};

static const struct asset *asset_find(const char *path) {
  for (size_t i = 0; i < assets_count; i++)
    if (!strcmp(assets[i].path, path))
      return &assets[i];
  return &nothing;
}

static int asset_has(const struct asset *a, const char *text) {
  return memmem(a->bytes, a->n, text, strlen(text)) != NULL;
}

Test(console, files_are_there) {
  const char *paths[] = {"/phone", "/phone/phone.js", "/phone/phone.css", "/phone/sallyport.js"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    cr_assert(asset_find(paths[i])->n > 0, "%s", paths[i]);
  cr_assert(!strcmp(asset_find("/phone")->type, "text/html; charset=utf-8"));
  cr_assert(!strcmp(asset_find("/phone/phone.css")->type, "text/css; charset=utf-8"));
  cr_assert(!strcmp(asset_find("/phone/sallyport.js")->type, "text/javascript; charset=utf-8"));
}

Test(console, bytes_are_the_files) {
  FILE *f = fopen(SRCDIR "/src/console/phone/index.html", "rb");
  cr_assert(f);
  uint8_t buf[32768];
  size_t n = fread(buf, 1, sizeof buf, f);
  fclose(f);
  const struct asset *page = asset_find("/phone");
  cr_assert(page->n == n && !memcmp(page->bytes, buf, n));
}

Test(console, paths_and_tags_are_unique) {
  for (size_t i = 0; i < assets_count; i++) {
    size_t n = strlen(assets[i].etag);
    cr_assert(n == 18 && assets[i].etag[0] == '"' && assets[i].etag[n - 1] == '"', "%s", assets[i].etag);
    cr_assert(!strncmp(assets[i].path, "/phone", 6));
    for (size_t j = 0; j < i; j++) {
      cr_assert(strcmp(assets[i].path, assets[j].path));
      cr_assert(strcmp(assets[i].etag, assets[j].etag));
    }
  }
}

Test(console, nothing_that_the_policy_forbids) {
  const struct asset *page = asset_find("/phone");
  cr_assert(!asset_has(page, " style=") && !asset_has(page, "<style") && !asset_has(page, " onclick="));
  for (size_t i = 0; i < assets_count; i++) {
    cr_assert(!asset_has(&assets[i], "innerHTML"), "%s", assets[i].path);
    cr_assert(!asset_has(&assets[i], "eval("), "%s", assets[i].path);
  }
}

/* The operators' console, gzipped -------------------------------------------------------------- */

enum { CONSOLE_MAX_BYTES = 120 * 1024 };

Test(console, all_is_at_most_120_kb) {
  size_t sum = 0;
  for (size_t i = 0; i < console_files_count; i++) {
    cr_assert(console_files[i].n > 18 && console_files[i].bytes[0] == 0x1f &&
              console_files[i].bytes[1] == 0x8b);
    sum += console_files[i].n;
  }
  cr_assert(sum <= CONSOLE_MAX_BYTES, "%zu bytes", sum);
}

Test(console, page_names_its_files) {
  char page[4096];
  FILE *f = fopen(SRCDIR "/src/console/dist/index.html", "rb");
  cr_assert(f);
  page[fread(page, 1, sizeof page - 1, f)] = 0;
  fclose(f);
  cr_assert(!strstr(page, " style=") && !strstr(page, "<style") && !strstr(page, "onclick"));
  cr_assert(!strcmp(console_files[0].path, "/") && console_files_count == 4);
  for (size_t i = 1; i < console_files_count; i++)
    cr_assert(!strncmp(console_files[i].path, "/console/", 9) && strstr(page, console_files[i].path),
              "%s", console_files[i].path);
}
