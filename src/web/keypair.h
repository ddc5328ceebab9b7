/* SPDX-License-Identifier: Apache-2.0
 * A server's certificate chain and key, in two PEM files that are looked at again: who renews them
 * replaces the files. Connections that are open go on; new ones get the new pair. Own lock; any thread.
 */
#pragma once
#include "base/own.h"

#include <gnutls/abstract.h>
#include <stddef.h>
#include <stdint.h>

enum { KEYPAIR_WHY_BYTES = 200 };

struct keypair;
/* name: whom the first certificate is for, "" nobody in particular. 0; -EPERM: others may read the key;
 * -EINVAL: no pair; -EMFILE: too many; -errno. why: a text that stays. */
int keypair_new(struct keypair **ret, const char *cert_file, const char *key_file, const char *name,
                const char **why) must_check;
struct keypair *keypair_free(struct keypair *k);
OWN_DEFINE(keypair)
/* What the TLS library asks at each handshake for the pair. */
gnutls_certificate_retrieve_function3 *keypair_retrieve(const struct keypair *k);
/* Other files from now on (NULL: as before); they are read at once if they are others. */
void keypair_files(struct keypair *k, const char *cert_file, const char *key_file);
/* Looks at the files, at most once a second. True: something is to be told: files that are refused for
 * some seconds, or a certificate that ends within a week (grave: a day, or a refusal). */
bool keypair_alarm(struct keypair *k, char ret_why[KEYPAIR_WHY_BYTES], bool *ret_is_grave);
