/* SPDX-License-Identifier: Apache-2.0
 * The sink that gives a copy of what a session receives to a recording (disk.h). Internal to media;
 * worker's thread. */
#pragma once
#include "media/link.h"

struct recsink {
  struct link link;
  uint64_t file;          /* file is its name at the disk's thread. */
  uint64_t source, skips; /* skips counts source's packets that are no audio. */
  uint8_t side;           /* side is an enum record_side. */
};

void recsink_open(struct session *s, uint64_t file, uint8_t side); /* replaces */
void recsink_close(struct session *s);
