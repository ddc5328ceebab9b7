/* SPDX-License-Identifier: Apache-2.0
 * A broken database goes out of the way, as FILE.broken-<time>. Only while this program has it closed. */
#pragma once
#include "base/own.h"

int aside_put(const char *file) must_check; /* 0 or -errno */
