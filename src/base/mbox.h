/* SPDX-License-Identifier: Apache-2.0
 * A bounded mailbox between threads: messages of one fixed size by value, an eventfd to wait on.
 * Any thread puts, one thread gets. */
#pragma once
#include "base/own.h"

struct mbox;
int mbox_new(struct mbox **ret_mbox, size_t message_bytes, size_t capacity) must_check;
struct mbox *mbox_free(struct mbox *b);
OWN_DEFINE(mbox)
int mbox_fd(const struct mbox *b);                            /* readable while messages wait */
int mbox_put(struct mbox *b, const void *message) must_check; /* 0, or -EAGAIN when full */
bool mbox_get(struct mbox *b, void *ret_message);             /* false when empty */
