/* SPDX-License-Identifier: Apache-2.0
 * Causes of ISDN (ITU-T Q.850) and SIP statuses, both ways: RFC 3398 sections 7.2.4.1 and 8.2.6.1, for
 * causes that it leaves out their class's default; RFC 8197, 8688 (607, 608), TS 29.163 (433). Reason:
 * of RFC 3326. Pure. Why a call ended in the words of native signaling is call's (end_reason). */
#pragma once
#include "base/slice.h"

int q850_of_status(int status); /* 16 for 1xx-3xx, 127 (interworking) where no row says more */
int q850_to_status(
    int cause); /* 4xx-6xx; its class's default where no row says more, 500 out of 1-127 */
const char *q850_text(int cause); /* "User busy"; "" if unknown */
/* The cause of one value of a Reason header, `Q.850;cause=17;text="x"`: 0, or -EINVAL (form, range),
 * -ENOENT (another protocol, no cause). */
int q850_parse(struct slice reason, int *ret_cause) must_check;
