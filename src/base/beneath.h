/* SPDX-License-Identifier: Apache-2.0
 * Files beneath a folder that is held open: what is opened is what was judged, as no link is followed and
 * nothing leads up or out, whoever changes names meanwhile. Any thread. */
#pragma once
#include "base/own.h"

/* path is relative to the folder; flags as for open(), O_CLOEXEC is added. A descriptor, or -errno:
 * -EXDEV (it leads out: absolute, or by ".."), -ELOOP (a link on the way, or at its end). */
int beneath_open(int folder, const char *path, int flags) must_check;
/* The same without openat2(), component by component: for kernels and filters that lack it. */
int beneath_walk(int folder, const char *path, int flags) must_check;
