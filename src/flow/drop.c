/* SPDX-License-Identifier: Apache-2.0
 * Texts of the drop reasons: see drop.h. */
#include "flow/drop.h"

static const char *const texts[DROP_COUNT_] = {
#define DROP(id, text) text,
#include "flow/drop.def"
#undef DROP
};

const char *drop_text(enum drop d) { return (unsigned)d < DROP_COUNT_ ? texts[d] : "unknown"; }
