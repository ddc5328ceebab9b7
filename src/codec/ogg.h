/* SPDX-License-Identifier: Apache-2.0
 * Opus in Ogg (RFC 7845, mapping family 0: mono or stereo), by libogg. The writer makes pages for the
 * caller to write, the reader takes what the caller read; no I/O here. libogg allocates: not for the
 * packet path, a DSP thread may. Bounded: a page a second; a reader holds at most 512 KB. Pure. */
#pragma once
#include "base/slice.h"
#include "codec/coder.h"

enum { OGG_CLOCK_HZ = 48000 };

/* Writing ---------------------------------------------------------------------------------------- */

struct oggout;

struct oggout_format {
  uint8_t channels;    /* channels of the encoder, 1 or 2. */
  uint16_t pre_skip;   /* pre_skip of 48,000 Hz: the encoder's delay, not to be played. */
  uint32_t rate_hz;    /* rate_hz of what went into the encoder; for information. */
  uint32_t serial;     /* serial of the stream, at random. */
  const char *vendor;  /* vendor and */
  const char *comment; /* one comment ("NAME=value") or NULL, UTF-8, at most 1,000 bytes each. */
};

/* 0, -EINVAL or -ENOMEM; the head's pages are ready then. */
int oggout_new(struct oggout **ret, const struct oggout_format *f) must_check;
struct oggout *oggout_free(struct oggout *o); /* NULL */
OWN_DEFINE(oggout)
/* The next packet. 0, -EINVAL (no Opus packet), -ENOMEM. */
int oggout_packet(struct oggout *o, const uint8_t *payload, size_t n) must_check;
/* Nothing follows; the last trim units (48,000 Hz) of the last packet are not to be played. 0 or
 * -ENOMEM. */
int oggout_end(struct oggout *o, uint32_t trim) must_check;
/* The next page, in two parts that live until the next call for o; false: none is ready. To be called
 * until false after each of the above. A page is ready for each second, or 32 KB. */
bool oggout_page(struct oggout *o, struct slice ret[2]);

/* Reading ---------------------------------------------------------------------------------------- */

enum oggin_verdict {
  OGGIN_MORE,   /* feed it */
  OGGIN_PACKET, /* an Opus packet */
  OGGIN_END,    /* the stream ended; what follows in the file is not looked at */
  OGGIN_BAD,    /* not Opus in Ogg, another mapping, or too big: for good */
};

struct oggin;

struct oggin_head {
  uint8_t channels;
  uint16_t pre_skip; /* pre_skip of 48,000 Hz are decoded and not played. */
  int16_t gain_q8;   /* gain_q8 is to be applied, in 256ths of a dB. */
  bool is_known;     /* is_known: the head was read. */
};

int oggin_new(struct oggin **ret) must_check; /* 0 or -ENOMEM */
struct oggin *oggin_free(struct oggin *o);    /* NULL */
OWN_DEFINE(oggin)
/* At most 64 KB, after an OGGIN_MORE. 0, -EINVAL or -ENOMEM. */
int oggin_feed(struct oggin *o, const void *bytes, size_t n) must_check;
/* The packet lives until the next call for o; units are what it plays at 48,000 Hz. Packets that are no
 * Opus, or over CODER_PAYLOAD_MAX, are passed over. */
enum oggin_verdict oggin_next(struct oggin *o, struct slice *ret_packet, uint32_t *ret_units);
const struct oggin_head *oggin_head(const struct oggin *o);
