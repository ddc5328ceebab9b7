/* SPDX-License-Identifier: Apache-2.0
 * The sink that passes a session's media to its peer on the same worker: another source number,
 * sequence, timestamp, payload type, and the other law of G.711; or to the peer's encoder. Blind to
 * packet times. Internal to media; worker's thread. */
#pragma once
#include "media/link.h"

enum bridged_op { BRIDGED_AUDIO, BRIDGED_EVENT, BRIDGED_SKIP, BRIDGED_DIGIT };

/* What passes, by value: the same to a peer on another worker (xlink.h). */
struct bridged {
  uint64_t source; /* source names the stream, ext is the extended sequence number in it. */
  uint64_t ext;
  uint32_t ts, clock_hz;
  uint8_t op, kind; /* an enum bridged_op; an enum codec_kind of AUDIO */
  bool marker;
  bool is_begin, is_old, is_stamped_anew; /* of EVENT: struct event_told */
  struct telev telev;
  uint32_t segments; /* segments is the duration of the event's segments before this one. */
  uint16_t digit_ms; /* of DIGIT: digit is the character, by_sound: it was heard in the sound. */
  char digit;
  bool by_sound;
  uint16_t n; /* n is the length of the payload of AUDIO. */
};
struct bridged bridged_audio(const struct heard *h);
struct bridged bridged_event(const struct heard *h, const struct telev *t,
                             const struct event_told *told);
struct bridged bridged_skip(const struct heard *h);
struct bridged bridged_digit(char digit, uint32_t ms, bool by_sound);
/* Sends it as what to says; the payload may be changed. */
enum drop bridge_take(struct session *to, const struct bridged *b, uint8_t *payload) must_check;

/* One direction; replaces. 0 or -EBUSY: it needs an encoder, and none is free; what the far end takes
 * as it is passes all the same. */
int bridge_open(struct session *s, struct session *peer) must_check;
void bridge_close(struct session *s); /* s's media goes nowhere; of an xlink, too */
