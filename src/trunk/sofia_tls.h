/* SPDX-License-Identifier: Apache-2.0
 * The functions by which libsofia-sip-ua's calls to its own TLS reach ours: same names, found first
 * because they are in the program. Declared here for the compiler; nobody of ours calls them. */
#pragma once
#include "trunk/shake.h"
#include "trunk/sofia_peek.h"

struct link;

#define SEEN __attribute__((visibility("default")))
SEEN extern char const tls_version[];
SEEN struct link *tls_init_master(void *issues);
SEEN struct link *tls_init_secondary(struct link *master, int socket, int accepted);
SEEN void tls_free(struct link *t);
SEEN int tls_get_socket(struct link *t);
SEEN ssize_t tls_read(struct link *t);
SEEN void *tls_read_buffer(struct link *t, size_t n);
SEEN int tls_pending(struct link const *t);
SEEN int tls_want_read(struct link *t, int events);
SEEN ssize_t tls_write(struct link *t, void *buf, size_t size);
SEEN int tls_want_write(struct link *t, int events);
SEEN int tls_events(struct link const *t, int mask);
SEEN int tls_connect(su_root_magic_t *magic, su_wait_t *w, tport_t *self);

/* The others below are for our rooms. */
struct link *link_of(const tport_t *tp);   /* NULL: not of TLS, or closed */
bool link_is_ours(const struct link *t);   /* shows the certificate of the name that is wanted now */
/* The peer's own connection to that primary's listener whose Via said `alias` (RFC 5923) with the address
 * and port that are wanted; NULL: none. What it proved is the caller's to check. */
tport_t *link_alias_find(const tport_t *primary, const tp_name_t *wanted);
void link_goodbye(struct link *t);         /* sends close_notify if it is up */
void link_set_size(size_t secondary_size); /* of the TLS kind of transports */
void link_set_shaker(struct shaker *k);
unsigned link_on_way(void); /* connections at the handshake threads, or on their way back */
