/* SPDX-License-Identifier: Apache-2.0
 * Which codecs a leg serves and in which order: PCMU, PCMA, G.722, Opus, telephone-event (at 8000 and
 * 48000) and, toward trunks, comfort noise. The media process bridges any two of them. Pure. */
#pragma once
#include "call/offer.h"

/* Audio that we can decode and encode: not events, not comfort noise. */
bool codec_is_speech(const struct desc_codec *c);
/* Of ours the one that c names, by kind and clock; NULL: none. */
const struct desc_codec *codec_same(const struct desc_audio *ours, const struct desc_codec *c);
/* Our offer: a trunk's codecs in its own order, all of them by policy toward an app. */
void codecs_offer(const struct ability *a, struct desc_audio *ret);
/* Our answer: a trunk gets the first offered codec that it is set to, with its events; an app gets all
 * that it offered, ordered by policy. The payload types are the offer's. */
void codecs_answer(const struct ability *a, const struct desc_audio *offer, struct desc_audio *ret);
/* Does the leg serve a codec of the offer? */
bool codecs_meet(const struct ability *a, const struct desc_audio *offer);
/* Their names for a refusal: "PCMU, PCMA or G722". */
const char *codecs_names(const struct ability *a, char *buf, size_t bytes);
