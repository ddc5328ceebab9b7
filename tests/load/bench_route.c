/* SPDX-License-Identifier: Apache-2.0
 * make bench-route: a million prefixes of a plan. Nanoseconds to find the longest prefix of a number,
 * and for the whole decision of a plan with that table; beside, on the same numbers, a binary search in
 * a sorted array for each length, and a hash for each length. Medians of rounds; ends with the benches'
 * line of JSON. */
#include "base/rand.h"
#include "route/prefix.h"
#include "route/route.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

enum { PREFIXES = 1000000, NUMBERS = 1 << 18, ROUNDS = 7, BATCH = 1024, LENGTHS = 11, SLOTS = 1 << 21 };

struct found {
  double ours_ns, slow_ns, decide_ns, search_ns, hash_ns; /* slow: the 99th percentile of batches */
};

static uint64_t keys[PREFIXES]; /* a prefix as digits after a leading 1 */
static char numbers[NUMBERS][20];
static uint64_t state = 88172645463325252u;

static uint64_t draw(void) { /* the same each run */
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Floors: for each length apart, the longest first ---------------------------------------------------
 */

static uint64_t *sorted[LENGTHS];
static uint32_t sorted_n[LENGTHS];
static uint64_t *slots; /* open addressing over all lengths: the leading 1 tells them apart */

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint32_t slot_of(uint64_t key) { return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 43) % SLOTS; }

static void floors_make(void) {
  slots = calloc(SLOTS, sizeof(*slots));
  for (uint32_t i = 0; i < LENGTHS; i++)
    sorted[i] = calloc(PREFIXES, sizeof(*sorted[i]));
  for (uint32_t i = 0; i < PREFIXES; i++) {
    uint32_t length = 0, s = slot_of(keys[i]);
    for (uint64_t k = keys[i]; k >= 10; k /= 10)
      length++;
    sorted[length][sorted_n[length]++] = keys[i];
    while (slots[s])
      s = (s + 1) % SLOTS;
    slots[s] = keys[i];
  }
  for (uint32_t i = 0; i < LENGTHS; i++)
    qsort(sorted[i], sorted_n[i], sizeof(uint64_t), by_value);
}

static bool in_sorted(uint64_t key, uint32_t length) {
  return bsearch(&key, sorted[length], sorted_n[length], sizeof(key), by_value) != NULL;
}

static bool in_hash(uint64_t key, uint32_t length) {
  (void)length;
  for (uint32_t s = slot_of(key); slots[s]; s = (s + 1) % SLOTS)
    if (slots[s] == key)
      return true;
  return false;
}

static uint32_t longest(const char *number, bool (*has)(uint64_t key, uint32_t length)) {
  uint64_t at[LENGTHS] = {1};
  for (uint32_t i = 1; i < LENGTHS; i++)
    at[i] = at[i - 1] * 10 + (uint64_t)(number[i] - '0');
  for (uint32_t i = LENGTHS - 1; i > 0; i--)
    if (sorted_n[i] && has(at[i], i))
      return i;
  return 0;
}

static uint32_t search_one(const void *arg, uint32_t i) {
  return (void)arg, longest(numbers[i], in_sorted);
}
static uint32_t hash_one(const void *arg, uint32_t i) { return (void)arg, longest(numbers[i], in_hash); }

/* Ours -----------------------------------------------------------------------------------------------
 */

static uint32_t ours_one(const void *arg, uint32_t i) {
  const struct prefix_row *row;
  uint32_t digits;
  (void)prefixes_find(arg, slice_from(numbers[i], 16), &row, &digits);
  return digits;
}

static uint32_t decide_one(const void *arg, uint32_t i) {
  struct route_facts f = {.from_kind = SLICE("native"),
                          .tenant = SLICE("default"),
                          .called = slice_from(numbers[i], 16),
                          .caller = SLICE("+15550100001")};
  struct route_decision d = route_decide(arg, &f);
  return (uint32_t)strlen(d.prefix);
}

/* Numbers --------------------------------------------------------------------------------------------
 */

static char *csv_make(size_t *ret_n) {
  char *csv = malloc((size_t)PREFIXES * 32);
  uint64_t *seen = calloc(SLOTS, sizeof(*seen));
  size_t n = 0;
  if (!csv || !seen)
    abort();
  for (uint32_t i = 0; i < PREFIXES;) {
    uint32_t digits = 4 + (uint32_t)(draw() % 7),
             s; /* 4 to 10, as country, area and exchange are long */
    uint64_t key = 1;
    for (uint32_t k = 0; k < digits; k++)
      key = key * 10 + (k ? draw() % 10 : 1 + draw() % 9);
    for (s = slot_of(key); seen[s] && seen[s] != key; s = (s + 1) % SLOTS)
      ;
    if (seen[s])
      continue;
    seen[s] = keys[i++] = key;
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)key);
    n += (size_t)sprintf(csv + n, "%s,carrier%u,%u,%u\n", text + 1, (unsigned)(draw() % 20),
                         1 + (unsigned)(draw() % 9), (unsigned)(draw() % 1000));
  }
  free(seen);
  *ret_n = n;
  return csv;
}

/* Half of them begin with a prefix of the table. */
static void numbers_make(void) {
  for (uint32_t i = 0; i < NUMBERS; i++) {
    char text[24] = "1";
    if (i % 2)
      snprintf(text, sizeof(text), "%llu", (unsigned long long)keys[draw() % PREFIXES]);
    size_t n = strlen(text);
    numbers[i][0] = '+';
    memcpy(numbers[i] + 1, text + 1, n - 1);
    for (size_t k = n; k < 16; k++)
      numbers[i][k] = (char)('0' + (k == 1 ? 1 + draw() % 9 : draw() % 10));
  }
}

static double by_rounds(uint32_t (*one)(const void *arg, uint32_t i), const void *arg, double *ret_slow,
                        uint64_t *ret_sum) {
  static double batches[ROUNDS * NUMBERS / BATCH];
  size_t n = 0;
  *ret_sum = 0;
  for (uint32_t r = 0; r < ROUNDS; r++)
    for (uint32_t from = 0; from < NUMBERS; from += BATCH) {
      uint64_t begin = now_ns();
      for (uint32_t i = from; i < from + BATCH; i++)
        *ret_sum += one(arg, i);
      batches[n++] = (double)(now_ns() - begin) / BATCH;
    }
  for (size_t i = 1; i < n; i++)
    for (size_t k = i; k && batches[k] < batches[k - 1]; k--) {
      double was = batches[k];
      batches[k] = batches[k - 1];
      batches[k - 1] = was;
    }
  *ret_slow = batches[n * 99 / 100];
  return batches[n / 2];
}

static size_t resident(void) {
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%*u %lu", &pages) != 1)
    pages = 0;
  if (f)
    fclose(f);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct plan *plan_make(const char *folder, const char *csv, size_t n) {
  static const char yaml[] =
      "tables: [{name: costs, file: costs.csv}]\n"
      "rules:\n"
      "  - {name: emergency, from: native, called: ['112', '911'], then: {trunk: carrier0}}\n"
      "  - {name: out, from: native, called: {table: costs}, then: {trunks: table}}\n";
  static struct conf_errors errors;
  char path[256];
  struct plan *p = NULL;
  snprintf(path, sizeof(path), "%s/costs.csv", folder);
  FILE *f = fopen(path, "w");
  if (!f || fwrite(csv, 1, n, f) != n || fclose(f) != 0)
    abort();
  char file[256];
  snprintf(file, sizeof(file), "%s/plan.yaml", folder);
  if (plan_parse(&p, file, slice_of(yaml), &errors) < 0) {
    fprintf(stderr, "%u: %s\n", errors.list[0].line, errors.list[0].text);
    abort();
  }
  unlink(path);
  return p;
}

int main(void) {
  struct found f;
  char folder[] = "/tmp/sallyport-bench-route-XXXXXX";
  static struct conf_errors errors;
  size_t n;
  double ignored;
  uint64_t ours_sum, decide_sum, search_sum, hash_sum;
  own(prefixes) p = NULL;
  own(plan) plan = NULL;
  own_mem char *csv = csv_make(&n);
  if (!mkdtemp(folder))
    return 1;
  size_t before = resident();
  uint64_t begin = now_ns();
  if (prefixes_parse(&p, "bench.csv", slice_from(csv, n), &errors) < 0)
    return 1;
  double load_s = (double)(now_ns() - begin) / 1e9;
  malloc_trim(0);
  double resident_mb = (double)(resident() - before) / 1e6, held_mb = (double)prefixes_bytes(p) / 1e6;
  plan = plan_make(folder, csv, n);
  rmdir(folder);
  floors_make();
  numbers_make();
  f.ours_ns = by_rounds(ours_one, p, &f.slow_ns, &ours_sum);
  f.decide_ns = by_rounds(decide_one, plan, &ignored, &decide_sum);
  f.search_ns = by_rounds(search_one, NULL, &ignored, &search_sum);
  f.hash_ns = by_rounds(hash_one, NULL, &ignored, &hash_sum);
  for (uint32_t i = 0; i < LENGTHS; i++)
    free(sorted[i]);
  free(slots);
  if (ours_sum != search_sum || ours_sum != hash_sum || ours_sum != decide_sum) {
    fprintf(stderr, "they do not agree: %llu %llu %llu %llu\n", (unsigned long long)ours_sum,
            (unsigned long long)decide_sum, (unsigned long long)search_sum,
            (unsigned long long)hash_sum);
    return 1;
  }
  bool held = f.ours_ns < 1000 && f.decide_ns < 1000 && held_mb < 100 && resident_mb < 100;
  printf("%d prefixes read and built in %.2f s, %.1f MB (resident %.1f MB)\n", PREFIXES, load_s, held_mb,
         resident_mb);
  printf("ns a number: prefix %.0f (p99 of batches %.0f), whole decision %.0f; sorted arrays %.0f, hash "
         "%.0f\n",
         f.ours_ns, f.slow_ns, f.decide_ns, f.search_ns, f.hash_ns);
  printf(
      "{\"bench\": \"route\", \"ours\": {\"prefix_ns\": %.0f, \"prefix_p99_ns\": %.0f, \"decision_ns\": "
      "%.0f, "
      "\"memory_mb\": %.1f, \"resident_mb\": %.1f, \"load_s\": %.2f}, \"floor\": {\"sorted_ns\": %.0f, "
      "\"hash_ns\": %.0f}, \"ratio\": {\"of_sorted\": %.3f, \"of_hash\": %.3f}, \"goal\": "
      "{\"decision_ns\": "
      "{\"max\": 1000}, \"memory_mb\": {\"max\": 100}}, \"held\": %s}\n",
      f.ours_ns, f.slow_ns, f.decide_ns, held_mb, resident_mb, load_s, f.search_ns, f.hash_ns,
      f.ours_ns / f.search_ns, f.ours_ns / f.hash_ns, held ? "true" : "false");
  return 0;
}
