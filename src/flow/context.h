/* SPDX-License-Identifier: Apache-2.0
 * What openers and sealers share: sessions of the SRTP library made from our keys, its results as
 * drop reasons, and the packet index of RFC 3711. Inside flow only. */
#pragma once
#include "flow/drop.h"
#include "wire/srtpkey.h"

#include <srtp2/srtp.h>

enum { CONTEXT_WINDOW = 128 };

/* A session for any incoming SSRC, or for one SSRC (incoming or outgoing). 0, -EINVAL, -ENOMEM, -EIO. */
int context_new(srtp_t *ret, const struct srtp_key *key, srtp_ssrc_type_t type,
                uint32_t ssrc) must_check;
/* The stream of ssrc in this session gets another key, its indexes go on. */
int context_rekey(srtp_t session, const struct srtp_key *key, uint32_t ssrc) must_check;
void context_free(srtp_t *session);
enum drop context_drop(srtp_err_status_t status, enum drop form); /* form: for what does not parse */
bool context_same_key(const struct srtp_key *a, const struct srtp_key *b);
/* The index nearest to the highest one that has this sequence number (RFC 3711 3.3.1). */
uint64_t context_guess(uint64_t highest, uint16_t seq);
