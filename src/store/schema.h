/* SPDX-License-Identifier: Apache-2.0
 * The shape of the database of records, and what leads older ones to it. */
#pragma once
#include "store/migrate.h"

#define SCHEMA_VERSION 7

/* Makes or upgrades, then adds the columns of field.def that the file lacks: 0, -EIO, -EPROTO. */
int schema_open(sqlite3 *file) must_check;
