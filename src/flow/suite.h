/* SPDX-License-Identifier: Apache-2.0
 * The SRTP library's primitives replaced by providers on libcrypto: AES counter mode, AES-GCM and
 * HMAC-SHA1 with one prepared context for each direction of a stream. Once a process. */
#pragma once
#include "base/own.h"

/* Starts the SRTP library and puts the providers in place; the library runs its own test vectors on
 * them, then a packet is sealed to see that they are the ones in use. 0 or -ENOTSUP (the shipped
 * primitives would be used: refuse to run), -EIO (the library does not start). A second call does
 * nothing. Main thread, before the first opener or sealer. */
int suite_start(void) must_check;
void suite_stop(void); /* for leak checks; no opener or sealer may live */
