/* SPDX-License-Identifier: Apache-2.0
 * Number forms: global numbers (E.164 with "+", RFC 3966) and dial strings, as native-signaling.md
 * names them. Pure. */
#pragma once
#include "base/slice.h"

bool e164_is_global(struct slice s);   /* "+" and 4 to 15 digits */
bool e164_is_dial(struct slice s);     /* [0-9*#]{1,32} */
bool e164_is_dialable(struct slice s); /* one of the two */
