/* SPDX-License-Identifier: Apache-2.0
 * Units of codec's files: WAV heads and samples, Opus in Ogg written and read. */
#include "codec/ogg.h"
#include "codec/wav.h"

#include <criterion/criterion.h>
#include <math.h>
#include <ogg/ogg.h>

/* WAV -------------------------------------------------------------------------------------------- */

Test(wav, a_head_is_read_back) {
  uint8_t file[WAV_HEAD_BYTES + 400] = {0};
  struct wav w;
  for (unsigned channels = 1; channels <= 2; channels++) {
    wav_head(file, channels, 48000, 400);
    cr_assert_eq(wav_parse(&w, file, sizeof(file), sizeof(file)), 0);
    cr_assert_eq(w.coding, WAV_PCM16);
    cr_assert_eq(w.channels, channels);
    cr_assert_eq(w.rate_hz, 48000);
    cr_assert_eq(w.frame_bytes, 2 * channels);
    cr_assert_eq(w.data_at, WAV_HEAD_BYTES);
    cr_assert_eq(w.data_bytes, 400);
    wav_head(file, channels, 8000, 0); /* never finished */
    cr_assert_eq(wav_parse(&w, file, sizeof(file), sizeof(file)), 0);
    cr_assert_eq(w.data_bytes, 400);
    wav_head(file, channels, 8000, 1ull << 40); /* cut short */
    cr_assert_eq(wav_parse(&w, file, WAV_HEAD_BYTES, sizeof(file)), 0);
    cr_assert_eq(w.data_bytes, 400);
  }
}

static size_t make(uint8_t *p, unsigned coding, unsigned channels, uint32_t hz, unsigned bits,
                   unsigned align) {
  uint8_t head[WAV_HEAD_BYTES];
  wav_head(head, channels, hz, 64);
  head[20] = (uint8_t)coding;
  head[32] = (uint8_t)align;
  head[34] = (uint8_t)bits;
  memcpy(p, head, sizeof(head));
  for (unsigned i = 0; i < 64; i++)
    p[WAV_HEAD_BYTES + i] = (uint8_t)(i * 37);
  return WAV_HEAD_BYTES + 64;
}

Test(wav, what_is_not_understood_is_refused) {
  uint8_t p[200];
  struct wav w;
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 1, 8000, 16, 2), 108), 0);
  cr_assert_eq(wav_parse(&w, p, make(p, 7, 2, 8000, 8, 2), 108), 0);
  cr_assert_eq(wav_parse(&w, p, make(p, 6, 1, 8000, 8, 1), 108), 0);
  cr_assert_eq(wav_parse(&w, p, make(p, 3, 1, 8000, 32, 4), 108), -ENOTSUP, "float");
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 1, 8000, 24, 3), 108), -ENOTSUP);
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 3, 8000, 16, 6), 108), -ENOTSUP);
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 0, 8000, 16, 0), 108), -ENOTSUP);
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 1, 0, 16, 2), 108), -ENOTSUP);
  cr_assert_eq(wav_parse(&w, p, make(p, 1, 1, 8000, 16, 4), 108), -EBADMSG, "frames of another size");
  make(p, 1, 1, 8000, 16, 2);
  for (size_t n = 0; n <= WAV_HEAD_BYTES; n++)
    cr_assert_eq(wav_parse(&w, p, n, n), -EBADMSG, "%zu bytes", n);
  make(p, 1, 1, 8000, 16, 2);
  p[0] = 'X';
  cr_assert_eq(wav_parse(&w, p, 108, 108), -EBADMSG);
  make(p, 1, 1, 8000, 16, 2);
  memcpy(p + 12, "LIST\xff\xff\xff\xff", 8);
  cr_assert_eq(wav_parse(&w, p, 108, 108), -EBADMSG, "a chunk past the end");
}

Test(wav, samples_of_each_coding) {
  static const uint8_t pcm[] = {0x00, 0x40, 0x00, 0xc0, 0x01, 0x00, 0xff, 0xff};
  static const uint8_t ulaw[] = {0xff, 0x80, 0x00};
  int16_t s[8];
  struct wav w = {.coding = WAV_PCM16, .channels = 1, .frame_bytes = 2};
  cr_assert_eq(wav_samples(&w, pcm, 8, s, 8), 4);
  cr_assert(s[0] == 16384 && s[1] == -16384 && s[2] == 1 && s[3] == -1);
  cr_assert_eq(wav_samples(&w, pcm, 7, s, 2), 2);
  w = (struct wav){.coding = WAV_PCM16, .channels = 2, .frame_bytes = 4};
  cr_assert_eq(wav_samples(&w, pcm, 8, s, 8), 2);
  cr_assert(s[0] == 0 && s[1] == 0);
  w = (struct wav){.coding = WAV_ULAW, .channels = 1, .frame_bytes = 1};
  cr_assert_eq(wav_samples(&w, ulaw, 3, s, 8), 3);
  cr_assert(s[0] == 0 && s[1] == 32124 && s[2] == -32124);
}

/* Ogg -------------------------------------------------------------------------------------------- */

struct file {
  uint8_t bytes[400000];
  size_t n;
};

static void write_pages(struct file *f, struct oggout *o) {
  struct slice part[2];
  while (oggout_page(o, part))
    for (int i = 0; i < 2; i++) {
      cr_assert_lt(f->n + part[i].n, sizeof(f->bytes));
      memcpy(f->bytes + f->n, part[i].p, part[i].n);
      f->n += part[i].n;
    }
}

/* seconds of a tone at 48,000 Hz, by frames of 20 ms. */
static void record(struct file *f, unsigned channels, unsigned seconds) {
  struct coder_format c = {
      .kind = CODER_OPUS, .rate_hz = 48000, .complexity = 3, .channels = (uint8_t)channels};
  own(encoder) e = NULL;
  own(oggout) o = NULL;
  int16_t in[1920];
  uint8_t payload[CODER_PAYLOAD_MAX];
  cr_assert_eq(encoder_new(&e, &c), 0);
  struct oggout_format of = {.channels = (uint8_t)channels,
                             .pre_skip = (uint16_t)encoder_delay(e),
                             .rate_hz = 8000,
                             .serial = 0xdeadbeef,
                             .vendor = "sallyport",
                             .comment = "TITLE=a tone"};
  f->n = 0;
  cr_assert_eq(oggout_new(&o, &of), 0);
  write_pages(f, o);
  for (size_t i = 0; i < 50 * seconds; i++) {
    for (size_t k = 0; k < 960; k++)
      for (size_t m = 0; m < channels; m++)
        in[k * channels + m] =
            (int16_t)lround(m ? 0 : 8000 * sin(2 * M_PI * 1004 * (double)(i * 960 + k) / 48000));
    size_t n = encoder_encode(e, in, 960, payload, sizeof(payload));
    cr_assert_gt(n, 0);
    cr_assert_eq(oggout_packet(o, payload, n), 0);
    write_pages(f, o);
  }
  cr_assert_eq(oggout_end(o, 312), 0);
  write_pages(f, o);
}

/* Reads it in pieces; returns the last verdict. Sums up units and the power of what is decoded. */
static enum oggin_verdict play(const struct file *f, size_t piece, uint64_t *ret_units,
                               double *ret_power) {
  struct coder_format c = {.kind = CODER_OPUS, .rate_hz = 48000};
  own(decoder) d = NULL;
  own(oggin) o = NULL;
  static int16_t out[CODER_SAMPLES_MAX];
  struct slice packet;
  uint32_t units;
  double sum = 0;
  enum oggin_verdict v;
  *ret_units = 0;
  cr_assert_eq(decoder_new(&d, &c), 0);
  cr_assert_eq(oggin_new(&o), 0);
  for (size_t at = 0;;) {
    while ((v = oggin_next(o, &packet, &units)) == OGGIN_PACKET) {
      size_t n = decoder_decode(d, (const uint8_t *)packet.p, packet.n, out, CODER_SAMPLES_MAX);
      cr_assert_eq(n, units);
      *ret_units += units;
      for (size_t i = 0; i < n; i++)
        sum += (double)out[i] * out[i];
    }
    if (v != OGGIN_MORE || at == f->n)
      break;
    size_t n = f->n - at < piece ? f->n - at : piece;
    cr_assert_eq(oggin_feed(o, f->bytes + at, n), 0);
    at += n;
  }
  *ret_power = *ret_units ? sum / (double)*ret_units : 0;
  return v;
}

static struct file file;

Test(ogg, what_was_written_is_read) {
  static const size_t pieces[] = {1, 100, 4096, 65536};
  uint64_t units;
  double power;
  for (unsigned channels = 1; channels <= 2; channels++) {
    record(&file, channels, 3);
    cr_assert_eq(memcmp(file.bytes, "OggS", 4), 0);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
      cr_assert_eq(play(&file, pieces[i], &units, &power), OGGIN_END);
      cr_assert_eq(units, 3 * 48000);
      double db = 10 * log10(power / 32e6);
      cr_assert(channels == 1 ? fabs(db) < 1 : db > -9 && db < -3, "%u channels: %.1f dB", channels, db);
    }
  }
}

Test(ogg, the_last_page_says_what_to_play) {
  record(&file, 1, 2);
  size_t last = 0;
  unsigned pages = 0;
  for (size_t i = 0; i + 27 < file.n; i++)
    if (memcmp(file.bytes + i, "OggS", 4) == 0) {
      last = i;
      pages++;
    }
  cr_assert(pages >= 4 && pages <= 5, "head, tags, and one a second: %u", pages);
  cr_assert_eq(file.bytes[last + 5] & 4, 4, "the end of the stream");
  uint64_t granule = 0;
  for (int i = 7; i >= 0; i--)
    granule = granule << 8 | file.bytes[last + 6 + (size_t)i];
  cr_assert_eq(granule, 2 * 48000 - 312);
}

Test(ogg, damage_is_passed_over_or_refused) {
  uint64_t units;
  double power;
  record(&file, 1, 4);
  file.bytes[file.n / 2] ^= 0x55; /* a page of a second is lost */
  cr_assert_eq(play(&file, 4096, &units, &power), OGGIN_END);
  cr_assert(units >= 2 * 48000 && units < 4 * 48000, "%lu", units);
  file.n /= 2; /* cut short */
  cr_assert_eq(play(&file, 4096, &units, &power), OGGIN_MORE);
  cr_assert_gt(units, 0);
  record(&file, 1, 1);
  memmove(file.bytes, file.bytes + 47, file.n - 47); /* its first page is gone */
  file.n -= 47;
  cr_assert_eq(play(&file, 4096, &units, &power), OGGIN_BAD);
  memset(file.bytes, 'x', file.n);
  cr_assert_eq(play(&file, 4096, &units, &power), OGGIN_MORE, "nothing in it");
  cr_assert_eq(units, 0);
}

/* A byte of the head changed, and the page's checksum made to fit it. */
static enum oggin_verdict with_head(size_t at, uint8_t v) {
  uint64_t units;
  double power;
  record(&file, 1, 1);
  file.bytes[28 + at] = v;
  ogg_page page = {.header = file.bytes, .header_len = 28, .body = file.bytes + 28, .body_len = 19};
  ogg_page_checksum_set(&page);
  return play(&file, 4096, &units, &power);
}

Test(ogg, a_head_that_is_not_understood_is_refused) {
  cr_assert_eq(with_head(8, 1), OGGIN_END);
  cr_assert_eq(with_head(8, 15), OGGIN_END, "a minor version");
  cr_assert_eq(with_head(8, 16), OGGIN_BAD, "another version");
  cr_assert_eq(with_head(0, 'o'), OGGIN_BAD, "another codec");
  cr_assert_eq(with_head(9, 3), OGGIN_BAD, "3 channels");
  cr_assert_eq(with_head(9, 0), OGGIN_BAD);
  cr_assert_eq(with_head(18, 1), OGGIN_BAD, "another mapping");
}

Test(ogg, bounds) {
  struct oggout *o = NULL;
  struct oggout_format f = {.channels = 3};
  static uint8_t payload[CODER_PAYLOAD_MAX + 1];
  cr_assert_eq(oggout_new(&o, &f), -EINVAL);
  f.channels = 1;
  cr_assert_eq(oggout_new(&o, &f), 0);
  cr_assert_eq(oggout_packet(o, payload, 0), -EINVAL);
  cr_assert_eq(oggout_packet(o, payload, sizeof(payload)), -EINVAL);
  cr_assert_eq(oggout_end(o, 0), 0);
  cr_assert_eq(oggout_packet(o, payload, 10), -EINVAL, "behind the end");
  oggout_free(o);
}
