/* SPDX-License-Identifier: Apache-2.0
 * The sound files that are played, each decoded once for all who hear it. The control thread enters a
 * file by what it is (device, inode, time, size), the disk's thread decodes it, the DSP threads read it.
 * Bounded, and kept until the process ends: nobody waits for who still reads. Internal to media. */
#pragma once
#include "media/sound.h"

enum { PROMPTS_MAX = 64 };
#define PROMPTS_BYTES_MAX ((size_t)256 << 20) /* of samples, of all */

struct prompts;
int prompts_new(struct prompts **ret) must_check;
struct prompts *prompts_free(struct prompts *p); /* after all threads */
OWN_DEFINE(prompts)
struct disk;
/* Control thread: the number of a file; a new one is loaded by d, and *fd is taken then. -EBADF (no
 * regular file, or not to be read), -EFBIG, -ENOSPC (PROMPTS_MAX other ones), -EAGAIN: d has too many
 * orders. */
int prompts_order(struct prompts *p, struct disk *d, uint32_t *ret_number, int *fd) must_check;
void prompts_load(struct prompts *p, uint32_t number, int fd); /* disk's thread; fd stays the caller's */
/* Any thread: NULL while it is not loaded; *ret_error says when it never will be. */
const struct sound *prompts_get(const struct prompts *p, uint32_t number, int *ret_error);
