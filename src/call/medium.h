/* SPDX-License-Identifier: Apache-2.0
 * The client of sallyport-media: connects to its socket and again when it is lost, numbers commands,
 * finds the command of each reply, gives up after its deadline, maps the facts table. It never blocks:
 * a full socket or a full table of pending commands is -EAGAIN. One that hangs is lost after 8 s. Call
 * thread. */
#pragma once
#include "base/loop.h"
#include "mset/mset.h"

/* The reply to one command; m is NULL when none came in time or the media process was lost. */
#define MEDIUM_REPLY(name) void name(void *arg, uint64_t ctx, uint64_t op, const union mset_any *m)

struct medium_user {
  void *arg;
  void (*ready)(void *arg, bool on);                 /* WELCOME came, or the process was lost */
  void (*event)(void *arg, const union mset_any *m); /* checked; seq is 0 */
};

struct medium;
/* path, loop and instance (32 hex digits) must outlive it. Connects in the next turn. 0 or -errno. */
int medium_new(struct medium **ret, struct loop *loop, const char *path, const char *instance,
               const struct medium_user *user) must_check;
struct medium *medium_free(struct medium *m); /* no callback any more */
OWN_DEFINE(medium)
bool medium_is_ready(const struct medium *m);
/* Sends a command made by mset_init; fn may be NULL. 0, or -EAGAIN (fn is then not called). */
int medium_send(struct medium *m, union mset_any *command, MEDIUM_REPLY((*fn)), uint64_t ctx,
                uint64_t op) must_check;
/* The same with a descriptor (PLAY of a file, RECORD), which stays the caller's. */
int medium_send_with(struct medium *m, union mset_any *command, int fd, MEDIUM_REPLY((*fn)),
                     uint64_t ctx, uint64_t op) must_check;
/* END of a session; when it cannot be sent now it is kept and sent later, then 1 is returned and fn is
 * not called (bounded; past the bound the media process is left to its own timers). */
int medium_end(struct medium *m, uint64_t session, MEDIUM_REPLY((*fn)), uint64_t ctx, uint64_t op);
/* Does a worker take new calls? And the worst of each figure, of all workers. */
bool medium_has_room(const struct medium *m);
void medium_load(const struct medium *m, struct mset_load *ret);
const char *medium_backend(const struct medium *m); /* "" before WELCOME */
bool medium_facts(const struct medium *m, uint32_t slot, uint64_t session, struct mset_facts *ret);
uint64_t medium_lost_count(const struct medium *m);
uint64_t medium_count(const struct medium *m,
                      uint32_t i); /* of MSET_COUNTS_MAX; 0 while not connected */
