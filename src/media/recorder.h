/* SPDX-License-Identifier: Apache-2.0
 * The control thread's book of recordings: which sessions are recorded, to which file of the disk's
 * thread, and what it says of them at their end. A session is in one recording at most. Internal to
 * media; control thread. */
#pragma once
#include "media/disk.h"
#include "mset/mset.h"

struct recorder_user {
  void *arg;
  bool (*tell)(void *arg,
               const union mset_any *m); /* to the worker of m->h.session; false: none, full */
  void (*done)(void *arg, const struct mset_record_done *m); /* the event */
};

struct recorder;
int recorder_new(struct recorder **ret, struct disk *d, const struct recorder_user *user) must_check;
struct recorder *recorder_free(struct recorder *r);
OWN_DEFINE(recorder)
bool recorder_takes(uint32_t type); /* is a command of that type ours? */
/* RECORD, RECORD_PAUSE and RECORD_STOP. 0, or -errno for FAULT: -EBADF (no empty regular file to write
 * came with it), -EEXIST (one of the sessions is recorded), -EMFILE, -ENOENT, -EAGAIN. fd is taken when
 * 0 is returned.
 */
int recorder_command(struct recorder *r, const union mset_any *c, int fd, uint64_t now_us) must_check;
/* That session is no more: the last one of a recording ends it. */
void recorder_gone(struct recorder *r, uint64_t session, uint64_t now_us);
void recorder_results(struct recorder *r); /* what the disk's thread has */
