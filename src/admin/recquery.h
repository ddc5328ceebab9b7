/* SPDX-License-Identifier: Apache-2.0
 * What is asked of records: the members of a query that the list and the export share. */
#pragma once
#include "admin/desk.h"

/* Absent members are fine; false: one is wrong, and ret tells which. */
bool records_query_read(const struct web_ask *ask, struct reader_query *q,
                        struct web_answer *ret) must_check;
