/* SPDX-License-Identifier: Apache-2.0
 * The main program of a fuzz target where libFuzzer is absent: runs every file of the target's
 * corpus (tests/fuzz/corpus/<name> for fuzz_<name>, or the files and folders given) once, so that
 * corpora are part of make check. A single input over 100 ms fails. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned ran, slow;

static uint64_t cpu_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

static void run_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f)
    return;
  uint8_t *data = malloc(1 << 20);
  size_t n = data ? fread(data, 1, 1 << 20, f) : 0;
  fclose(f);
  uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees a read past the end */
  if (data && exact) {
    memcpy(exact, data, n);
    uint64_t before = cpu_ms();
    LLVMFuzzerTestOneInput(exact, n);
    if (cpu_ms() - before > 100) {
      printf("slow: %s\n", path);
      slow++;
    }
    ran++;
  }
  free(exact);
  free(data);
}

static void run_path(const char *path) {
  struct stat st;
  if (stat(path, &st) < 0)
    return;
  if (!S_ISDIR(st.st_mode)) {
    run_file(path);
    return;
  }
  DIR *d = opendir(path);
  struct dirent *e;
  while (d && (e = readdir(d))) {
    char sub[4096];
    if (e->d_name[0] == '.')
      continue;
    snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
    run_path(sub);
  }
  if (d)
    closedir(d);
}

int main(int argc, char **argv) {
  const char *name = strrchr(argv[0], '/'), *src = getenv("SRCDIR");
  char corpus[4096];
  name = name ? name + 1 : argv[0];
  if (strncmp(name, "fuzz_", 5) == 0)
    name += 5;
  snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", src ? src : ".", name);
  if (argc > 1)
    for (int i = 1; i < argc; i++)
      run_path(argv[i]);
  else
    run_path(corpus);
  printf("%s: %u inputs, %u slow\n", name, ran, slow);
  return ran == 0 || slow ? 1 : 0;
}
