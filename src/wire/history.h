/* SPDX-License-Identifier: Apache-2.0
 * Who diverted a call on its way, oldest first, and the two forms in which SIP tells it: History-Info
 * and Diversion. Hosts are not kept: what goes out bears our own name. Pure. RFC 7044 and its older
 * form RFC 4244, RFC 5806, RFC 7544, RFC 4458. */
#pragma once
#include "base/text.h"

enum { HISTORY_MAX = 10, HISTORY_NUMBER_BYTES = 64, HISTORY_TEXT_BYTES = 4096 };

struct history_entry {
  char number[HISTORY_NUMBER_BYTES]; /* number, or user part, of who diverted */
  uint16_t cause;  /* cause is the SIP status for which it was diverted: 302 always, 486 busy, 408 no
                      answer, 480 deflected, 503 out of service, 404 unknown. */
  bool is_private; /* is_private: not shown to those who are not trusted. */
};

struct history {
  uint32_t n;
  bool is_over; /* is_over: more entries (or diversions counted) than HISTORY_MAX came: a loop. */
  struct history_entry entry[HISTORY_MAX];
};

/* A further diversion. 0 or -ENOSPC. */
int history_add(struct history *h, struct slice number, uint16_t cause, bool is_private) must_check;
bool history_has(const struct history *h, struct slice number);
/* The values of all fields of the name, joined by commas, into an empty history: 0, or -EBADMSG
 * (nothing is taken of a malformed one). */
int history_read_info(struct history *ret, struct slice value) must_check;
int history_read_diversion(struct history *ret, struct slice value) must_check;
/* The value of the field for a call to target, with our host in each URI. Entries that are private are
 * anonymous (left out of a Diversion) unless shows. An empty history is an empty text. */
void history_write_info(const struct history *h, struct text *t, const char *host, const char *target,
                        bool shows);
void history_write_diversion(const struct history *h, struct text *t, const char *host, bool shows);
