/* SPDX-License-Identifier: Apache-2.0
 * Audio of sipgen's calls: plain RTP, 50 packets a second each way, both ends in this process. What is
 * sent tells in its payload when and in which window; the kernel says when it came. */
#pragma once
#include <netinet/in.h>
#include <stdint.h>

enum media_side { MEDIA_CALLER, MEDIA_CALLEE };

/* Sockets at both addresses (any port), for calls 0 to calls - 1. 0 or -errno. */
int media_open(unsigned calls, const struct sockaddr_in *caller, const struct sockaddr_in *callee);
unsigned media_port(enum media_side side);
/* Where a message's description says that audio shall go; from then on it goes there. */
void media_learn(unsigned call, enum media_side side, const char *message);
int media_fd(enum media_side side);
void media_turn(uint64_t now_us); /* sends what is due, takes what came */
/* Ends a window and begins the next; its figures are printed a moment later, a line of JSON. */
void media_mark(uint64_t now_us);
