/* SPDX-License-Identifier: Apache-2.0
 * Units of floor 0. */
#include "base/addr.h"
#include "base/beneath.h"
#include "base/hmac.h"
#include "base/keyfile.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mbox.h"
#include "base/pipe.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/stamp.h"
#include "base/zrun.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

Test(slice, numbers_are_strict) {
  uint64_t v;
  cr_assert_eq(slice_u64(SLICE("70000"), 65535, &v), -ERANGE);
  cr_assert_eq(slice_u64(SLICE("70000abc"), UINT64_MAX, &v), -EINVAL);
  cr_assert_eq(slice_u64(SLICE(""), 9, &v), -EINVAL);
  cr_assert_eq(slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &v), -ERANGE);
  cr_assert_eq(slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &v), 0);
}

Test(slice, escape_leaves_no_control_character) {
  char out[32];
  cr_assert_str_eq(slice_escape(out, sizeof(out), SLICE("a\r\n\"\\\x1b")), "a\\x0d\\x0a\\x22\\x5c\\x1b");
  cr_assert_str_eq(slice_escape(out, 4, SLICE("\x01")), "");
}

Test(slice, characters_of_any_script) {
  cr_assert(slice_chars(SLICE("aü€💥")) == 4 && slice_chars(SLICE("")) == 0);
  cr_assert_eq(CHARS_BYTES(2), sizeof("💥💥"));
  cr_assert(slice_is_ascii(SLICE(" az~")) && !slice_is_ascii(SLICE("ü")) && !slice_is_ascii(SLICE("\t")));
}

static void file_make(int folder, const char *name, const char *text) {
  own_fd fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* Both ways: by the kernel, and component by component. */
Test(beneath, nothing_leads_out) {
  char dir[] = "/tmp/check_beneath.XXXXXX", command[64];
  static const struct {
    const char *path;
    int error; /* 0: it opens */
  } rows[] = {{"sub/file", 0},      {"sub//./file", 0},         {"sub", 0},
              {"none", -ENOENT},    {"sub/none", -ENOENT},      {"sub/file/x", -ENOTDIR},
              {"../x", -EXDEV},     {"sub/../../x", -EXDEV},    {"/etc/passwd", -EXDEV},
              {"link", -ELOOP},     {"inner", -ELOOP},          {"far/passwd", -ELOOP},
              {"round/sub", -ELOOP}};
  cr_assert(mkdtemp(dir));
  own_fd folder = open(dir, O_PATH | O_DIRECTORY);
  cr_assert(folder >= 0 && mkdirat(folder, "sub", 0700) == 0);
  file_make(folder, "sub/file", "x");
  cr_assert(symlinkat("/etc/passwd", folder, "link") == 0 && symlinkat("sub/file", folder, "inner") == 0 &&
            symlinkat("/etc", folder, "far") == 0 && symlinkat(".", folder, "round") == 0);
  for (size_t i = 0; i < 2 * COUNT_OF(rows); i++)
    for (unsigned k = 0; k < 2; k++) {
      int flags = k ? O_PATH : O_RDONLY, error = rows[i / 2].error;
      own_fd fd = i % 2 ? beneath_walk(folder, rows[i / 2].path, flags)
                        : beneath_open(folder, rows[i / 2].path, flags);
      cr_expect(error ? fd == error : fd >= 0, "%s (%zu, %u): %d", rows[i / 2].path, i % 2, k, fd);
    }
  snprintf(command, sizeof(command), "rm -r %s", dir);
  cr_assert_eq(system(command), 0);
}

Test(stamp, another_file_another_stamp) {
  char dir[] = "/tmp/check_stamp.XXXXXX", path[64], command[64];
  cr_assert(mkdtemp(dir));
  own_fd folder = open(dir, O_PATH | O_DIRECTORY);
  snprintf(path, sizeof(path), "%s/a", dir);
  const struct stamp none = stamp_of(path), zero = {0};
  file_make(folder, "a", "one");
  file_make(folder, "b", "two");
  const struct stamp one = stamp_of(path), again = stamp_of(path);
  cr_assert(stamp_same(&none, &zero) && stamp_same(&one, &again) && !stamp_same(&one, &none));
  cr_assert_eq(renameat(folder, "b", folder, "a"), 0);
  const struct stamp two = stamp_of(path);
  cr_assert(!stamp_same(&one, &two));
  cr_assert_eq(chmod(path, 0640), 0);
  const struct stamp mode = stamp_of(path);
  cr_assert(!stamp_same(&two, &mode));
  snprintf(command, sizeof(command), "rm -r %s", dir);
  cr_assert_eq(system(command), 0);
}

Test(slice, cut_takes_one_field) {
  struct slice s = SLICE("a;b");
  cr_assert(slice_eq(slice_cut(&s, ';'), SLICE("a")));
  cr_assert(slice_eq(slice_cut(&s, ';'), SLICE("b")));
  cr_assert_eq(s.p, NULL);
}

Test(addr, text_and_ranges) {
  struct addr a, b;
  struct cidr c;
  char buf[ADDR_TEXT_BYTES];
  cr_assert_eq(addr_parse_port(&a, SLICE("[2001:db8::1]:5061")), 0);
  cr_assert_str_eq(addr_text(&a, buf, sizeof(buf)), "[2001:db8::1]:5061");
  cr_assert_eq(addr_parse_port(&a, SLICE("2001:db8::1:5061")), -EINVAL);
  cr_assert_eq(addr_parse(&a, SLICE("10.1.2.3"), 1), 0);
  cr_assert_eq(addr_parse(&b, SLICE("::ffff:10.1.2.3"), 1), 0);
  cr_assert(addr_eq(&a, &b));
  cr_assert_eq(cidr_parse(&c, SLICE("10.1.0.0/16")), 0);
  cr_assert(cidr_has(&c, &b));
  cr_assert_eq(cidr_parse(&c, SLICE("10.1.0.1/16")), -EINVAL);
  cr_assert_eq(cidr_parse(&c, SLICE("10.1.0.0/33")), -EINVAL);
  cr_assert_eq(cidr_parse(&c, SLICE("10.2.3.128/25")), 0);
  cr_assert_eq(addr_parse(&a, SLICE("10.2.3.127"), 0), 0);
  cr_assert_not(cidr_has(&c, &a));
}

Test(map, puts_gets_and_stops_at_its_limit) {
  own(map) m = NULL;
  char key[16];
  cr_assert_eq(map_new(&m, 1000), 0);
  for (int i = 0; i < 1000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    cr_assert_eq(map_put(m, slice_of(key), (void *)(intptr_t)(i + 1)), 0);
  }
  cr_assert_eq(map_put(m, SLICE("more"), &key), -ENOSPC);
  cr_assert_eq(map_put(m, SLICE("k7"), &key), -EEXIST);
  cr_assert_eq(map_get(m, SLICE("k7")), (void *)8);
  cr_assert_eq(map_del(m, SLICE("k7")), (void *)8);
  cr_assert_eq(map_get(m, SLICE("k7")), NULL);
  cr_assert_eq(map_count(m), 999);
}

Test(pool, a_stale_handle_finds_nothing) {
  own(pool) p = NULL;
  pool_handle a, b;
  cr_assert_eq(pool_new(&p, 24, 2), 0);
  int *x = pool_add(p, &a);
  cr_assert(x && pool_get(p, a) == x);
  pool_del(p, a);
  cr_assert_eq(pool_get(p, a), NULL);
  int *y = pool_add(p, &b);
  cr_assert_eq(x, y);
  cr_assert_neq(a, b);
  cr_assert_eq(pool_get(p, a), NULL);
  cr_assert(pool_add(p, &a));
  cr_assert_eq(pool_add(p, &a), NULL);
  cr_assert_eq(pool_get(p, 0), NULL);
}

static void note(void *arg) { ++*(int *)arg; }

Test(timer, fires_in_order_and_once) {
  struct timers ts = {0};
  int n = 0;
  struct timer t[3] = {{.fn = note, .arg = &n}, {.fn = note, .arg = &n}, {.fn = note, .arg = &n}};
  timer_arm(&ts, &t[0], 30);
  timer_arm(&ts, &t[1], 10);
  timer_arm(&ts, &t[2], 20);
  timer_cancel(&ts, &t[2]);
  cr_assert_eq(timers_next_us(&ts), 10);
  timers_run(&ts, 10);
  cr_assert_eq(n, 1);
  timers_run(&ts, 1000);
  cr_assert_eq(n, 2);
  cr_assert_eq(timers_next_us(&ts), UINT64_MAX);
  timers_done(&ts);
}

Test(loop, wakes_for_timers_through_its_descriptor) {
  own(loop) l = NULL;
  int n = 0;
  struct timer t = {.fn = note, .arg = &n};
  cr_assert_eq(loop_new(&l), 0);
  loop_arm(l, &t, 1000);
  loop_settle(l);
  struct epoll_event ev = {.events = EPOLLIN};
  int outer = epoll_create1(0);
  epoll_ctl(outer, EPOLL_CTL_ADD, loop_fd(l), &ev);
  cr_assert_eq(epoll_wait(outer, &ev, 1, 2000), 1);
  loop_turn(l, 0);
  cr_assert_eq(n, 1);
  close(outer);
}

Test(mbox, is_bounded) {
  own(mbox) b = NULL;
  int v = 1;
  cr_assert_eq(mbox_new(&b, sizeof(v), 2), 0);
  cr_assert_eq(mbox_put(b, &v), 0);
  v = 2;
  cr_assert_eq(mbox_put(b, &v), 0);
  cr_assert_eq(mbox_put(b, &v), -EAGAIN);
  cr_assert(mbox_get(b, &v) && v == 1);
  cr_assert(mbox_get(b, &v) && v == 2);
  cr_assert_not(mbox_get(b, &v));
}

Test(ring, is_bounded) {
  static struct ring r; /* a fake stack of ASan aligns less than it asks for */
  int v = 5;
  cr_assert_eq(ring_init(&r, sizeof(v), 3), -EINVAL);
  cr_assert_eq(ring_init(&r, sizeof(v), 2), 0);
  cr_assert(ring_put(&r, &v) && ring_put(&r, &v) && !ring_put(&r, &v));
  cr_assert(ring_get(&r, &v) && v == 5);
  ring_done(&r);
}

Test(pipe, records_of_any_length_in_order) {
  static struct pipe p;
  uint8_t put_n = 0, got_n = 0;
  size_t n;
  cr_assert_eq(pipe_init(&p, 100), -EINVAL);
  cr_assert_eq(pipe_init(&p, 1024), 0);
  cr_assert_null(pipe_peek(&p, &n));
  cr_assert_null(pipe_reserve(&p, 1024));
  srand(1);
  for (unsigned i = 0; i < 100000; i++) {
    size_t want = (size_t)(put_n * 7 % 300);
    uint8_t *to = rand() % 2 ? pipe_reserve(&p, want) : NULL;
    if (to) {
      memset(to, put_n, want);
      pipe_commit(&p);
      put_n++;
    }
    const uint8_t *from = rand() % 2 ? pipe_peek(&p, &n) : NULL;
    if (!from)
      continue;
    cr_assert_eq(n, (size_t)(got_n * 7 % 300));
    for (size_t k = 0; k < n; k++)
      cr_assert_eq(from[k], got_n);
    pipe_pop(&p);
    got_n++;
  }
  pipe_done(&p);
}

Test(pipe, is_bounded) {
  static struct pipe p;
  size_t n;
  cr_assert_eq(pipe_init(&p, 64), 0);
  cr_assert_not_null(pipe_reserve(&p, 24));
  pipe_commit(&p);
  cr_assert_not_null(pipe_reserve(&p, 24));
  cr_assert_not_null(pipe_reserve(&p, 20)); /* the other was not committed */
  pipe_commit(&p);
  cr_assert_null(pipe_reserve(&p, 0));
  cr_assert_not_null(pipe_peek(&p, &n));
  pipe_pop(&p);
  cr_assert_null(pipe_reserve(&p, 25));
  cr_assert_not_null(pipe_reserve(&p, 0));
  pipe_done(&p);
}

Test(hmac, rfc2202_and_base64) {
  uint8_t mac[HMAC_SHA1_BYTES], raw[8];
  char text[64];
  size_t n;
  hmac_sha1(SLICE("Jefe"), SLICE("what do ya want for nothing?"), mac);
  cr_assert_eq(mac[0], 0xef);
  cr_assert_eq(mac[19], 0x79);
  base64_encode(text, "fooba", 5, false);
  cr_assert_str_eq(text, "Zm9vYmE=");
  base64_encode(text, "\xff\xfe", 2, true);
  cr_assert_str_eq(text, "__4");
  cr_assert_eq(base64_decode(SLICE("Zm9vYmE="), false, raw, sizeof(raw), &n), 0);
  cr_assert(n == 5 && memcmp(raw, "fooba", 5) == 0);
  cr_assert_eq(base64_decode(SLICE("Zm9vYmF="), false, raw, sizeof(raw), &n), -EINVAL);
  cr_assert_eq(base64_decode(SLICE("Zm9*"), false, raw, sizeof(raw), &n), -EINVAL);
}

Test(zrun, what_is_packed_comes_back) {
  static uint8_t from[200000], to[sizeof(from)];
  for (int round = 0; round < 200; round++) {
    size_t n = rand_u64() % (round % 4 ? 3000 : sizeof(from)), packed_bytes;
    memset(from, 0, sizeof(from));
    for (uint64_t i = 0, spots = rand_u64() % 40; i < spots && n; i++) {
      size_t at = rand_u64() % n, most = n - at < 70000 ? n - at : 70000;
      memset(from + at, (int)(rand_u64() % 3), rand_u64() % most + 1);
    }
    own_mem uint8_t *packed = zrun_pack(from, n, &packed_bytes);
    memset(to, 0xee, sizeof(to));
    cr_assert_eq(zrun_unpack(packed, packed_bytes, to, n), 0);
    cr_assert_arr_eq(from, to, n);
    if (n)
      cr_assert_eq(zrun_unpack(packed, packed_bytes, to, n - 1), -EBADMSG);
    cr_assert_eq(zrun_unpack(packed, packed_bytes, to, n + 1), -EBADMSG);
  }
}

Test(zrun, zeros_cost_nothing) {
  static const uint8_t from[60000] = {[0] = 1, [30000] = 2, [59999] = 3};
  size_t packed_bytes;
  own_mem uint8_t *packed = zrun_pack(from, sizeof(from), &packed_bytes);
  cr_assert(packed);
  cr_assert_lt(packed_bytes, 24);
}

/* Files with a secret ----------------------------------------------------------------------------------
 */

static void key_paths(char dir[32], char file[64], char link[64]) {
  strcpy(dir, "/tmp/keyfile.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(file, 64, "%s/key", dir);
  snprintf(link, 64, "%s/link", dir);
}

Test(keyfile, comes_back_and_is_its_owner_s) {
  char dir[32], file[64], link[64], text[8];
  size_t n;
  key_paths(dir, file, link);
  cr_assert_eq(keyfile_read(file, 0, text, sizeof(text), &n), -ENOENT);
  cr_assert_eq(keyfile_write(file, "one", 3), 0);
  cr_assert_eq(keyfile_write(file, "second one", 10), 0, "in place of what is there");
  cr_assert_eq(keyfile_read(file, 0, text, sizeof(text), &n), 0);
  cr_assert(n == 7 && !strcmp(text, "second "), "what fits");
  cr_assert_eq(symlink(file, link), 0);
  cr_assert_eq(keyfile_read(link, 0, text, sizeof(text), &n), 0);
  cr_assert_eq(keyfile_read(link, O_NOFOLLOW, text, sizeof(text), &n), -ELOOP);
  cr_assert_eq(chmod(file, 0640), 0);
  cr_assert_eq(keyfile_read(file, 0, text, sizeof(text), &n), -EPERM);
  cr_assert(n == 0 && !text[0]);
  cr_assert_eq(keyfile_read(dir, 0, text, sizeof(text), &n), -EPERM, "a folder");
  unlink(link);
  unlink(file);
  cr_assert_eq(mkfifo(file, 0600), 0);
  cr_assert_eq(keyfile_read(file, 0, text, sizeof(text), &n), -EPERM, "a pipe is not waited for");
  unlink(file);
  cr_assert_eq(rmdir(dir), 0, "nothing half is left");
}
