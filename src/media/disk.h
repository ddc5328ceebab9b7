/* SPDX-License-Identifier: Apache-2.0
 * The thread that writes recordings: it owns their files, decodes, and may wait for the disk. Packets
 * come to it by a queue for each worker, orders from the control thread by a ring; a full queue loses
 * packets and counts them, nobody waits. Files are named {generation, slot} by the control thread. A
 * write that fails ends its file, which can be played as far as it went. Internal to media. */
#pragma once
#include "flow/flow.h"
#include "media/record.h"

enum {
  DISK_FILES_MAX = 512,
  DISK_PIPE_BYTES = 1 << 21, /* of each worker's queue */
  DISK_TICK_US = 50000,
  DISK_BUFFER_BYTES = 1 << 17, /* of each file; written each second, or when half of it is full */
  DISK_WRITE_US = 1000000,
  DISK_ORDERS = 256,
};
#define DISK_BYTES_MAX UINT64_C(0xfffffff0) /* of a file: what a WAV's head can tell */

struct disk_packet { /* worker → thread; the payload follows */
  uint64_t file;
  struct track_packet packet;
  uint32_t side; /* side is an enum record_side. */
};

enum disk_op { DISK_OPEN, DISK_PAUSE, DISK_RESUME, DISK_CLOSE, DISK_LOAD };
struct disk_order { /* control thread → thread */
  uint64_t file, at_us;
  uint64_t bytes_max; /* of OPEN, 0: DISK_BYTES_MAX */
  uint32_t op;        /* op is an enum disk_op. LOAD: file is the number of a prompt, fd its file. */
  int fd;             /* fd of OPEN is the thread's own from then on. */
  uint32_t format, rate_hz;
};

struct disk_done { /* thread → control thread: a file is closed */
  uint64_t file, bytes, ms;
  uint64_t lost; /* lost packets of both sides */
  int32_t error; /* error is 0 or -errno; -EFBIG: bytes_max. */
};

struct disk;
struct prompts;
int disk_new(struct disk **ret, uint32_t workers, struct prompts *prompts,
             int done_fd) must_check;   /* done_fd is woken for each done */
struct disk *disk_free(struct disk *d); /* ends the thread; open files are completed */
OWN_DEFINE(disk)
int disk_start(struct disk *d) must_check;
uint64_t disk_drops(const struct disk *d); /* packets that found no room; any thread */

/* Control thread: */
bool disk_order(struct disk *d, const struct disk_order *o); /* false: full; the descriptor stays */
bool disk_result(struct disk *d, struct disk_done *ret);     /* false: none */
/* Worker's thread: */
enum drop disk_put(struct disk *d, uint32_t worker, const struct disk_packet *p, const uint8_t *payload,
                   size_t n) must_check;
