/* SPDX-License-Identifier: Apache-2.0
 * TNAuthList: for which numbers a certificate speaks, from its extension's DER: a provider's code (whose
 * numbers it does not tell), ranges and single numbers. Pure. RFC 8226 9. */
#pragma once
#include "base/slice.h"

/* May it speak for that number (digits, * and #)? True also where it names a provider; false where the
 * list is malformed. */
bool tnauth_covers(struct slice der, struct slice number);
