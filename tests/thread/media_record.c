/* SPDX-License-Identifier: Apache-2.0
 * A recording as the controller orders it: a descriptor goes down, two legs on two workers talk, the
 * file has each on its side; and what is refused. */
#include "codec/g711.h"
#include "codec/wav.h"
#include "media_rig.h"

#include <fcntl.h>
#include <math.h>

static char path[64];

static int file_new(void) {
  snprintf(path, sizeof(path), "/tmp/sallyport-record-test.%d", (int)getpid());
  return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* ask(), with a descriptor. */
static union mset_any ask_with(union mset_any *m, int fd) {
  union mset_any reply = {0};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec iov = {m, m->h.bytes};
  struct msghdr msg = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  *c = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), &fd, sizeof(int));
  m->h.seq = ++con.seq;
  CHECK(sendmsg(con.fd, &msg, 0) > 0);
  while (take_one(3000, &reply)) {
    if (reply.h.seq == m->h.seq)
      return reply;
    keep(&reply);
  }
  return reply;
}

static union mset_any record(uint64_t a, uint64_t b, int fd) {
  union mset_any m;
  mset_init(&m, MSET_RECORD, a);
  m.record.op = 77;
  m.record.peer = b;
  m.record.rate_hz = 8000;
  return ask_with(&m, fd);
}

static bool simple(enum mset_type type, uint64_t session, uint32_t on) {
  union mset_any m;
  mset_init(&m, type, session);
  if (type == MSET_RECORD_PAUSE)
    m.record_pause.on = on;
  return ask_ok(&m);
}

static void say(struct leg *l, double hz) {
  uint8_t payload[160];
  for (unsigned i = 0; i < 160; i++)
    payload[i] = g711_compress(l->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW,
                               (int16_t)(8000 * sin(2 * M_PI * hz * (double)(l->ts - 1000 + i) / 8000)));
  leg_send(l, l->pt, false, l->ts, payload, sizeof(payload));
  l->ts += 160;
}

static void talk(struct leg *a, struct leg *b, unsigned frames) {
  for (unsigned i = 0; i < frames; i++) {
    say(a, 440);
    say(b, 1000);
    nap(20);
  }
}

static double share(const int16_t *both, size_t n, unsigned side, double hz) {
  double s = 0, c = 0, power = 0;
  for (size_t i = 0; i < n; i++) {
    double v = both[2 * i + side];
    s += v * sin(2 * M_PI * hz * (double)i / 8000);
    c += v * cos(2 * M_PI * hz * (double)i / 8000);
    power += v * v;
  }
  return power > 0 ? 2 * (s * s + c * c) / (double)n / power : 0;
}

static void look(const union mset_any *done) {
  static uint8_t bytes[1 << 18];
  static int16_t both[1 << 16];
  struct wav w = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, bytes, sizeof(bytes));
  close(fd);
  CHECK(n > 0 && (uint64_t)n == done->record_done.bytes);
  CHECK(wav_parse(&w, bytes, (size_t)n, (uint64_t)n) == 0 && w.channels == 2 && w.rate_hz == 8000);
  CHECK(done->record_done.ms > 900 && done->record_done.ms < 6000 && done->record_done.error == 0);
  memcpy(both, bytes + w.data_at, w.data_bytes);
  size_t from = 2000, count = 4000;
  CHECK(share(both + 2 * from, count, 0, 440) > 0.8, "%f", share(both + 2 * from, count, 0, 440));
  CHECK(share(both + 2 * from, count, 1, 1000) > 0.8, "%f", share(both + 2 * from, count, 1, 1000));
}

static void two_legs(uint64_t beside_first) {
  struct leg a, b;
  union mset_any done;
  CHECK(leg_open(&a, MSET_TRUNK_LEG, 0) && leg_open(&b, MSET_TRUNK_LEG, beside_first ? a.id : 0));
  a.pt = 0, a.kind = CODEC_PCMU, b.pt = 8, b.kind = CODEC_PCMA;
  CHECK(leg_describe(&a, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 8000, MSET_SYMMETRIC_AUTO));
  CHECK(leg_describe(&b, 1, 0, 8000, MSET_SYMMETRIC_AUTO) && link_legs(a.id, b.id));
  a.ts = b.ts = 1000;
  int fd = file_new();
  CHECK(record(a.id, b.id, fd).h.type == MSET_OK);
  CHECK(record(b.id, 0, fd).fault.error == -EEXIST, "twice");
  close(fd);
  talk(&a, &b, 60);
  CHECK(simple(MSET_RECORD_PAUSE, a.id, 1));
  talk(&a, &b, 10);
  CHECK(simple(MSET_RECORD_PAUSE, a.id, 0));
  talk(&a, &b, 10);
  CHECK(simple(MSET_RECORD_STOP, b.id, 0));
  CHECK(event_wait(MSET_RECORD_DONE, a.id, 3000, &done) && done.record_done.op == 77);
  look(&done);
  leg_close(&a);
  leg_close(&b);
}

static void ends_with_the_call(void) {
  struct leg a, b;
  union mset_any done;
  CHECK(pair_open(&a, &b, SUITE_AEAD_AES_256_GCM, SUITE_AES_CM_128_HMAC_SHA1_80));
  a.ts = b.ts = 1000;
  int fd = file_new();
  CHECK(record(a.id, b.id, fd).h.type == MSET_OK);
  close(fd);
  talk(&a, &b, 60);
  leg_close(&a);
  CHECK(event_count(MSET_RECORD_DONE, a.id) == 0);
  leg_close(&b);
  CHECK(event_wait(MSET_RECORD_DONE, a.id, 3000, &done));
  look(&done);
}

/* Files that are played ---------------------------------------------------------------------------- */
static int wav_new(unsigned ms, bool is_sound) {
  uint8_t bytes[WAV_HEAD_BYTES + 16 * 2000];
  size_t n = 8 * ms;
  wav_head(bytes, 1, 8000, 2 * n);
  for (size_t i = 0; i < n; i++) {
    int v = (int)(8000 * sin(2 * M_PI * 440 * (double)i / 8000));
    bytes[WAV_HEAD_BYTES + 2 * i] = (uint8_t)v;
    bytes[WAV_HEAD_BYTES + 2 * i + 1] = (uint8_t)((unsigned)v >> 8);
  }
  bytes[0] = is_sound ? 'R' : 'X';
  int fd = file_new();
  CHECK(write(fd, bytes, WAV_HEAD_BYTES + 2 * n) > 0);
  return fd;
}

static union mset_any play(uint64_t session, int fd, uint32_t repeat, bool over, uint64_t op) {
  union mset_any m;
  mset_init(&m, MSET_PLAY, session);
  m.play.tone = MSET_TONE_FILE;
  m.play.repeat = repeat;
  m.play.over = over;
  m.play.op = op;
  m.play.level_db = -6;
  return ask_with(&m, fd);
}

/* What comes to l for a while: the frames, and the share of 440 Hz in them where it is G.711. */
static unsigned listen_for(struct leg *l, unsigned ms, double *ret_share, double *ret_rms) {
  static int16_t both[2 * 64000];
  uint64_t until = clock_now_us() + ms * UINT64_C(1000);
  size_t n = 0;
  unsigned frames = 0;
  struct got g;
  while (clock_now_us() < until) {
    if (!leg_take_rtp(l, 40, &g))
      continue;
    frames++;
    for (size_t i = 0; l->kind == CODEC_PCMU && i < g.rtp.payload_bytes && n < 60000; i++, n++)
      both[2 * n] = g711_expand(G711_ULAW, g.rtp.payload[i]);
  }
  *ret_share = n ? share(both, n, 0, 440) : 0;
  *ret_rms = 0;
  for (size_t i = 0; i < n; i++)
    *ret_rms += (double)both[2 * i] * both[2 * i];
  *ret_rms = n ? sqrt(*ret_rms / (double)n) : 0;
  return frames;
}

static void a_prompt_over_the_call(void) {
  struct leg a, b;
  struct got g;
  union mset_any done;
  double part, rms;
  CHECK(pair_open(&a, &b, 0, 0));
  a.ts = b.ts = 1000;
  for (unsigned i = 0; i < 5; i++) {
    say(&a, 1000), say(&b, 1000);
    CHECK(leg_take_rtp(&a, COME_MS, &g));
  }
  int fd = wav_new(600, true);
  CHECK(play(a.id, fd, 2, true, 5).h.type == MSET_OK);
  close(fd);
  unsigned frames = 0;
  for (unsigned i = 0; i < 90 && !event_wait(MSET_PLAY_DONE, a.id, 1, &done); i++) {
    say(&b, 1000); /* is not heard meanwhile */
    frames += listen_for(&a, 19, &part, &rms);
    if (frames == 20)
      CHECK(part > 0.9 && rms > 2000 && rms < 3500, "%f %f", part, rms); /* 8000 / sqrt 2, less 6 dB */
  }
  CHECK(done.play_done.op == 5 && done.play_done.error == 0);
  CHECK(frames >= 57 && frames <= 64, "%u frames of 1.2 s", frames);
  say(&b, 1000);
  CHECK(leg_take_rtp(&a, COME_MS, &g), "the call goes on");
  leg_close(&a);
  leg_close(&b);
}

static void music_until_another_order(void) {
  struct leg a;
  union mset_any done, m;
  double part, rms;
  CHECK(leg_open(&a, MSET_TRUNK_LEG, 0));
  a.pt = 111, a.kind = CODEC_OPUS;
  CHECK(leg_describe(&a, 1, 0, 48000, MSET_SYMMETRIC_AUTO));
  int fd = wav_new(200, true);
  CHECK(play(a.id, fd, 0, false, 6).h.type == MSET_OK);
  close(fd);
  unsigned n = listen_for(&a, 1000, &part, &rms);
  CHECK(n >= 30, "%u frames of Opus", n);
  CHECK(event_count(MSET_PLAY_DONE, a.id) == 0);
  mset_init(&m, MSET_PLAY, a.id);
  CHECK(ask_ok(&m));
  CHECK(event_wait(MSET_PLAY_DONE, a.id, 1000, &done) && done.play_done.error == -ECANCELED);
  nap(100);
  (void)leg_drain(&a);
  CHECK(listen_for(&a, 200, &part, &rms) == 0, "it goes on");
  fd = wav_new(200, false);
  CHECK(play(a.id, fd, 1, false, 7).h.type == MSET_OK);
  close(fd);
  CHECK(event_wait(MSET_PLAY_DONE, a.id, 3000, &done) && done.play_done.op == 7 &&
        done.play_done.error == -EBADMSG);
  CHECK(play(a.id, con.fd, 1, false, 8).fault.error == -EBADF, "a socket");
  leg_close(&a);
}

static int tap(uint64_t session, uint64_t listener) {
  union mset_any m, r;
  mset_init(&m, MSET_TAP, session);
  m.tap.listener = listener;
  r = ask(&m);
  return r.h.type == MSET_OK ? 0 : r.fault.error;
}

static void a_listener(void) {
  struct leg a, b, c;
  struct got g;
  double part, rms;
  CHECK(pair_open(&a, &b, 0, SUITE_AES_CM_128_HMAC_SHA1_80));
  CHECK(leg_open(&c, MSET_TRUNK_LEG, a.id));
  c.pt = 0, c.kind = CODEC_PCMU;
  CHECK(leg_describe(&c, 1, SUITE_AEAD_AES_128_GCM, 8000, MSET_SYMMETRIC_AUTO));
  a.ts = b.ts = c.ts = 1000;
  CHECK(tap(b.id, c.id) == 0);
  for (unsigned i = 0; i < 30; i++) { /* b's A-law, whole for a and for c */
    say(&b, 440);
    CHECK(leg_take_rtp(&a, COME_MS, &g) && leg_take_rtp(&c, COME_MS, &g), "frame %u", i);
    say(&c, 1000); /* is not heard */
    say(&a, 1000); /* goes to b alone */
    CHECK(leg_take_rtp(&b, COME_MS, &g));
  }
  for (unsigned i = 0; i < 20; i++)
    say(&b, 440);
  CHECK(listen_for(&c, 200, &part, &rms) == 20 && part > 0.9, "%f", part);
  CHECK(leg_drain(&a) == 20 && leg_drain(&b) == 0);
  CHECK(tap(a.id, c.id) == -EISCONN && tap(a.id, b.id) == -EISCONN && tap(a.id, a.id) == -EXDEV);
  CHECK(tap(a.id, 99999) == -ENOENT);
  CHECK(tap(b.id, 0) == 0 && tap(a.id, c.id) == 0);
  say(&b, 440);
  CHECK(leg_take_rtp(&a, COME_MS, &g) && leg_drain(&c) == 0);
  leg_close(&c);
  say(&a, 440);
  CHECK(leg_take_rtp(&b, COME_MS, &g), "the listener is gone, the call is not");
  leg_close(&a);
  leg_close(&b);
}

static void refused(void) {
  struct leg a;
  union mset_any m;
  CHECK(leg_open(&a, MSET_TRUNK_LEG, 0));
  mset_init(&m, MSET_RECORD, a.id);
  CHECK(ask(&m).fault.error == -EBADF, "no descriptor");
  int pipe_fds[2];
  CHECK(pipe(pipe_fds) == 0);
  CHECK(record(a.id, 0, pipe_fds[1]).fault.error == -EBADF, "a pipe");
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  int fd = file_new();
  CHECK(record(a.id, 999999, fd).fault.error == -ENOENT);
  close(fd);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(record(a.id, 0, fd).fault.error == -EBADF, "not to be written");
  close(fd);
  fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  CHECK(record(a.id, 0, fd).fault.error == -EBADF, "every write would go to its end");
  CHECK(write(fd, "x", 1) == 1);
  close(fd);
  fd = open(path, O_WRONLY | O_CLOEXEC);
  CHECK(record(a.id, 0, fd).fault.error == -EBADF, "something is in it");
  close(fd);
  mset_init(&m, MSET_RECORD_STOP, a.id);
  CHECK(ask(&m).fault.error == -ENOENT);
  leg_close(&a);
}

int main(void) {
  pthread_t thread;
  const char *text = "";
  uint32_t ports = 33000 + (uint32_t)(getpid() % 200) * 40;
  options = (struct media_options){.workers = 2,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 39,
                                   .backend = "auto",
                                   .max_sessions = 64,
                                   .orphan_s = 2};
  snprintf(options.socket, sizeof(options.socket), "/tmp/sallyport-record-socket.%d", (int)getpid());
  (void)!addr_parse(&options.addresses[0].bind, SLICE("127.0.0.1"), 0);
  if (media_new(&media, &options, &text) < 0) {
    printf("start: %s\n", text);
    return 1;
  }
  pthread_create(&thread, NULL, serve, NULL);
  CHECK(controller_connect(1));
  two_legs(1);
  two_legs(0);
  ends_with_the_call();
  a_prompt_over_the_call();
  music_until_another_order();
  a_listener();
  refused();
  controller_close();
  media_stop(media);
  pthread_join(thread, NULL);
  media = media_free(media);
  suite_stop();
  unlink(path);
  printf("%u failures\n", failures);
  return failures > 0;
}
