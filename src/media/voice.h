/* SPDX-License-Identifier: Apache-2.0
 * What a session sends through an encoder on a DSP thread: the worker's half of a transcoder
 * (media/dsp.h). Fed by the bridge with what the peer said in another codec, or by a tone; frames come
 * back in a later turn and go out like any others. Internal to media; worker's thread. */
#pragma once
#include "media/dsp.h"
#include "media/link.h"

struct voice {
  uint8_t thread; /* thread is 1 + that of the DSP threads which has it; 0: none. */
  uint8_t epoch;  /* epoch of what was fed last: older frames are not sent. */
  bool is_fed;    /* is_fed: the peer's audio goes this way now. */
  uint8_t tone;   /* tone is 1 + enum tone_kind that was ordered, 0: none. */
  bool has_file;  /* has_file: the file of session.play was ordered, in place of a tone. */
  uint8_t loss_percent;
  uint32_t cost_us;
  struct xcode_form form;
  uint64_t source;            /* source is the stream that it was fed with. */
  uint64_t skips;             /* skips counts the source's packets that were no audio. */
  struct xcode_buffer buffer; /* buffer is where the peer's sound waits, as the last frame said. */
  uint64_t event_us; /* event_us is when a telephone-event went out: sound keeps away from it. */
};

struct session;
struct worker;
/* Has s an encoder, for packets of in_kind (CODEC_OTHER: none yet)? Makes it, or changes it to what
 * the far end wants now. 0, -EBUSY (admission), -ENOTSUP (no such codec), -EAGAIN (the queue is full).
 */
int voice_open(struct session *s, uint8_t in_kind) must_check;
void voice_close(struct session *s);
/* What s is sent when it is encoded. -ENOTSUP: no codec that is known here. */
int voice_form(struct session *s, uint8_t in_kind, struct xcode_form *ret) must_check;
struct bridged;
enum drop voice_put(struct session *s, const struct bridged *b, const uint8_t *payload) must_check;
void voice_skip(struct session *s);                     /* a packet of the source that is not audio */
void voice_rest(struct session *s);                     /* the peer's audio goes another way now */
int voice_tone(struct session *s, int tone) must_check; /* an enum tone_kind, -1: none */
int voice_file(struct session *s, const struct xcode_play *p) must_check; /* in place of a tone */
void voice_tick(struct session *s);
void voice_results(struct worker *w);
static inline bool voice_is_open(const struct voice *v) { return v->thread != 0; }
