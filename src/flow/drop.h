/* SPDX-License-Identifier: Apache-2.0
 * Drop reasons of the packet path: the non-zero result of a stage is the reason and the counter. */
#pragma once
#include "base/own.h"

enum drop {
#define DROP(id, text) DROP_##id,
#include "flow/drop.def"
#undef DROP
  DROP_COUNT_
};

const char *drop_text(enum drop d); /* "auth", "wrong_source", … */
