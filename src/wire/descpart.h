/* SPDX-License-Identifier: Apache-2.0
 * What the reader and the writer of descriptions share. Inside wire only. Pure. */
#pragma once
#include "wire/desc.h"

const char *desc_profile_name(enum desc_profile p); /* "RTP/AVP" … */
/* The RTCP port that goes without saying (RFC 3605): one up; 0 of a refused line. */
uint16_t desc_rtcp_port(uint16_t rtp_port);
