/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events as text (WHATWG HTML 9.2). Whatever the data holds, it stays inside its event:
 * each of its lines becomes a data line of its own. Pure. */
#pragma once
#include "base/text.h"

/* id 0: none. name: letters, digits and . _ - only, else t->error is -EINVAL. */
void sse_event(struct text *t, uint64_t id, const char *name, struct slice data);
void sse_comment(struct text *t, const char *words); /* ": words" and an empty line: a heartbeat */
void sse_retry(struct text *t, uint32_t retry_ms);
