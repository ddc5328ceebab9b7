/* SPDX-License-Identifier: Apache-2.0
 * Units of route/prefix: the longest prefix wins, compared with a search that tries all; bad lines are
 * told. */
#include "base/clock.h"
#include "base/rand.h"
#include "route/prefix.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct conf_errors errors;

static struct prefixes *good(const char *csv) {
  struct prefixes *p = NULL;
  errors.n = 0;
  cr_assert_eq(prefixes_parse(&p, "t.csv", slice_of(csv), &errors), 0, "line %u: %s",
               errors.list[0].line, errors.list[0].text);
  return p;
}

static const char *labels_of(const struct prefixes *p, const char *number) {
  static char text[200];
  const struct prefix_row *rows = NULL;
  uint32_t digits, n = prefixes_find(p, slice_of(number), &rows, &digits);
  size_t at = (size_t)snprintf(text, sizeof(text), "%u", digits);
  for (uint32_t i = 0; i < n; i++)
    at += (size_t)snprintf(text + at, sizeof(text) - at, " %s/%u/%u", prefix_label(p, rows[i].label),
                           rows[i].weight, rows[i].cost);
  return text;
}

Test(prefix, the_longest_wins) {
  own(prefixes) p = good("prefix,carrier,weight,cost\n# a comment\n+49,telco,1,20\n4930,berlin\n\n"
                         "1,us,5,7\n1,cheap,9,3\n 1425 , seattle , 2 \n+499,special\r\n");
  static const struct {
    const char *number, *want;
  } rows[] = {
      {"+4930123", "4 berlin/1/0"},
      {"493", "2 telco/1/20"},
      {"+49", "2 telco/1/20"},
      {"4", "0"},
      {"+14255550123", "4 seattle/2/0"},
      {"+1425", "4 seattle/2/0"},
      {"+142", "1 cheap/9/3 us/5/7"},
      {"1", "1 cheap/9/3 us/5/7"},
      {"", "0"},
      {"+", "0"},
      {"alice", "0"},
      {"49x30", "2 telco/1/20"},
      {"+4991234567890123456789", "3 special/1/0"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    cr_assert_str_eq(labels_of(p, rows[i].number), rows[i].want, "row %zu: %s", i,
                     labels_of(p, rows[i].number));
  cr_assert_eq(prefix_rows(p), 6);
}

Test(prefix, bad_lines) {
  static const struct {
    const char *csv;
    uint32_t line;
    const char *text;
  } rows[] = {
      {"", 0, "expected lines PREFIX,NAME"},
      {"# nothing\n", 1, "expected lines PREFIX,NAME"},
      {"1,a\nx,b\n", 2, "a prefix of 1 to 15 digits, got \"x\""},
      {"1,a\n12x,b\n", 2, "a prefix of 1 to 15 digits"},
      {"1234567890123456,a\n", 1, "a prefix of 1 to 15 digits"},
      {"1\n", 1, "a name after the prefix"},
      {"1,a b\n", 1, "a name after the prefix, got \"a b\""},
      {"1,a,x\n", 1, "a weight 0-10000"},
      {"1,a,1,-1\n", 1, "a cost"},
      {"1,a,1,1,9\n", 1, "expected PREFIX,NAME[,WEIGHT[,COST]]"},
      {"1,a\n1,b\n1,c\n1,d\n1,e\n1,f\n1,g\n1,h\n1,i\n", 9, "more than 8 lines"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(prefixes) p = NULL;
    errors.n = 0;
    cr_assert_eq(prefixes_parse(&p, "t.csv", slice_of(rows[i].csv), &errors), -EINVAL, "row %zu", i);
    cr_assert(errors.n == 1 && errors.list[0].line == rows[i].line &&
                  strstr(errors.list[0].text, rows[i].text),
              "row %zu: line %u: %s", i, errors.list[0].line, errors.list[0].text);
  }
}

enum { RANDOM_ROWS = 3000, RANDOM_ASKS = 20000 };

/* Against the plainest way: each prefix of the number in a list, the longest first. */
Test(prefix, agrees_with_trying_all) {
  static char keys[RANDOM_ROWS][12], csv[RANDOM_ROWS * 24];
  size_t at = 0;
  for (uint32_t i = 0; i < RANDOM_ROWS; i++) {
    uint32_t digits = 1 + rand_below(7);
    for (uint32_t k = 0; k < digits; k++)
      keys[i][k] = (char)('0' + rand_below(4));
    bool is_new = true;
    for (uint32_t k = 0; k < i; k++)
      is_new = is_new && strcmp(keys[k], keys[i]) != 0;
    if (is_new)
      at += (size_t)snprintf(csv + at, sizeof(csv) - at, "%s,c%u\n", keys[i], i % 100);
    else
      keys[i][0] = 0;
  }
  own(prefixes) p = good(csv);
  for (uint32_t i = 0; i < RANDOM_ASKS; i++) {
    char number[12] = "";
    const struct prefix_row *rows;
    uint32_t best = 0, digits;
    for (uint32_t k = 0; k < 10; k++)
      number[k] = (char)('0' + rand_below(4));
    for (uint32_t k = 0; k < RANDOM_ROWS; k++) {
      uint32_t n = (uint32_t)strlen(keys[k]);
      if (n > best && strncmp(keys[k], number, n) == 0)
        best = n;
    }
    uint32_t n = prefixes_find(p, slice_of(number), &rows, &digits);
    cr_assert(digits == best && (n == 1) == (best > 0), "%s: %u, not %u", number, digits, best);
  }
}
