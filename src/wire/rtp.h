/* SPDX-License-Identifier: Apache-2.0
 * RTP packets (RFC 3550 section 5, header extensions skipped by RFC 8285's length, padding cut):
 * bytes <-> struct rtp. Bounds-checked, allocation-free, pure. */
#pragma once
#include "base/own.h"

enum { RTP_HEAD_BYTES = 12, RTP_PT_MAX = 127 };

struct rtp {
  uint32_t ssrc, ts; /* ts is the timestamp as it stands. */
  uint16_t seq;
  uint8_t pt; /* pt is the payload type, 0-127. */
  bool marker;
  const uint8_t *payload; /* payload points into the packet, behind CSRCs and extension. */
  size_t payload_bytes;   /* payload_bytes is without the padding. */
  const uint8_t *ext;     /* ext is the header extension's body; NULL: none. */
  uint16_t ext_bytes, ext_profile;
};

/* False: too short, wrong version, CSRCs, extension or padding past the end. */
bool rtp_parse(struct rtp *ret, const uint8_t *packet, size_t n) must_check;
/* The element of that id in an extension of one-byte or two-byte form (RFC 8285), its length in *ret_n;
 * NULL: not there, another form, or cut. */
const uint8_t *rtp_ext_find(const struct rtp *r, uint8_t id, size_t *ret_n);
/* The audio level of RFC 6464, 0 (loudest) to 127 dB below overload; -1: none. */
int rtp_level(const struct rtp *r, uint8_t id);
/* Writes the fixed header (12 bytes), never CSRC, extension or padding; returns its size. */
size_t rtp_put(uint8_t *dst, uint8_t pt, bool marker, uint16_t seq, uint32_t ts, uint32_t ssrc);
