/* SPDX-License-Identifier: Apache-2.0
 * Door of the area native: the service's own signaling (docs/native-signaling is the contract): REST
 * verbs, event streams, devices; a struct door toward the call model. Call thread only, but for the
 * HTTP server's own threads inside. */
#pragma once
#include "call/call.h"
#include "web/web.h"

struct native;

struct native_settings {
  const struct conf *conf;
  struct calls *calls;
  struct loop *loop;
  struct guard *guard;
  struct traces *traces;           /* traces gets requests and events of calls; NULL: nobody does. */
  struct tokens *tokens;           /* tokens is the embedded issuer's keys; borrowed. */
  const struct native_file *files; /* files are served as they are (the phone page); may be NULL. */
  size_t files_n;
};

struct native_file {
  const char *path, *type, *etag; /* path is exact: "/phone"; type its media type. */
  struct slice bytes;
};

/* Starts the HTTPS server and joins the calls as the door "native". 0 or -errno, *ret_why (literal). */
int native_new(struct native **ret_native, const struct native_settings *s,
               const char **ret_why) must_check;
struct native *native_free(struct native *n);
OWN_DEFINE(native)
/* What is to be told of the service door's certificate: see web_cert_alarm(). */
bool native_cert_alarm(struct native *n, char ret_why[WEB_CERT_BYTES], bool *ret_is_grave);
uint16_t native_port(const struct native *n);
/* Tells every stream system.drain; new calls are the call model's to refuse. */
void native_drain(struct native *n, uint32_t deadline_s);
struct counts *native_web_counts(struct native *n);
/* A live call for the operators: a new reference. The mark changes with what
 * of a row is news. */
json_t *native_call(struct call *c);
uint64_t native_call_mark(struct call *c);
/* What its row says of trunk, user and state (trying, ringing, live); NULL fits all. */
bool native_call_is(struct call *c, const char *trunk, const char *user, const char *state);
/* The configuration of coturn for that relay of ours, with its secrets: 0, -ENOSPC, or what is wrong
 * with secret_file (-EINVAL, -errno). */
int native_relay_config(char *dst, size_t dst_bytes, const struct conf *c,
                        const struct conf_relay *r) must_check;
void native_reload(struct native *n,
                   const struct conf *conf); /* numbers, limits, names; not the listener */
