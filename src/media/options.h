/* SPDX-License-Identifier: Apache-2.0
 * What the media process is started with (media.h): checked, and what was left out filled in. */
#pragma once
#include "media/media.h"

/* 0, or -EINVAL with what is allowed in *ret_text (a literal). */
int options_check(const struct media_options *o, const char **ret_text) must_check;
void options_fill(struct media_options *ret, const struct media_options *o);
