/* SPDX-License-Identifier: Apache-2.0
 * Floor 0, an open library: include the single rooms. This header takes the small ones together. */
#pragma once
#include "base/addr.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/own.h"
#include "base/rand.h"
#include "base/slice.h"
