/* SPDX-License-Identifier: Apache-2.0
 * The vtable of the trunk's tests (call/probe.h) on this door. Inside trunk. */
#pragma once
#include "trunk/inner.h"

void probe_stop(struct trunks *t); /* handshakes under way are forgotten */
