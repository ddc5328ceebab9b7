/* SPDX-License-Identifier: Apache-2.0
 * The rooms of one DSP thread: by id, with members named by worker and session handle. A room is made
 * when the first joins and goes with the last one. Internal to media; that thread's. */
#pragma once
#include "media/room.h"

struct room_form { /* of a member; what a room is made with, too */
  uint64_t room;
  uint32_t rate_hz, speakers, flags; /* flags of enum room_flag */
  struct xcode_form sent;
};

struct rooms_ops {
  void *arg;
  void (*give)(void *arg, uint32_t worker, uint64_t session, uint64_t room, const struct xcode_frame *f,
               const uint8_t *payload);
  /* is_nobody: session is any member, through whom it is told. */
  void (*speaker)(void *arg, uint32_t worker, uint64_t session, uint64_t room, uint8_t level,
                  bool is_nobody);
};

struct rooms;
int rooms_new(struct rooms **ret, uint32_t workers, uint32_t sessions_max) must_check;
struct rooms *rooms_free(struct rooms *r);
OWN_DEFINE(rooms)
uint32_t rooms_count(const struct rooms *r);
/* Joins, or alters who is in that room already. 0 or -errno. */
int rooms_join(struct rooms *r, uint32_t worker, uint64_t session, const struct room_form *f,
               uint64_t now_us) must_check;
bool rooms_put(struct rooms *r, uint32_t worker, uint64_t session, const struct room_packet *p,
               const uint8_t *payload, size_t n, uint64_t now_us);
void rooms_leave(struct rooms *r, uint32_t worker, uint64_t session);
void rooms_run(struct rooms *r, uint64_t now_us, const struct rooms_ops *ops);
