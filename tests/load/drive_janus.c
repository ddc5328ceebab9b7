/* SPDX-License-Identifier: Apache-2.0
 * The load generator's driver of Janus with its NoSIP plugin: a WebRTC client (A) to an SRTP endpoint
 * with SDES keys (B), over the Unix socket of its API. The client offers as DTLS client, B answers. */
#include "base/rand.h"
#include "gen.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

enum { TEXT = 16384, SDP = 4096 };

static int fd = -1;
static json_int_t session;

/* The next message of that transaction that is more than an acknowledgement; NULL: none in time. */
static json_t *take_reply(const char *transaction) {
  static char text[TEXT];
  struct pollfd p = {.fd = fd, .events = POLLIN};
  while (poll(&p, 1, 10000) > 0) {
    ssize_t n = recv(fd, text, sizeof(text), 0);
    json_t *j = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
    const char *kind = json_string_value(json_object_get(j, "janus"));
    const char *of = json_string_value(json_object_get(j, "transaction"));
    if (kind && of && strcmp(of, transaction) == 0 && strcmp(kind, "ack") != 0)
      return j;
    json_decref(j);
    if (n <= 0)
      return NULL;
  }
  return NULL;
}

/* Takes request over; the reply is the caller's. */
static json_t *ask(json_t *request) {
  char transaction[13];
  rand_text(transaction, 12);
  json_object_set_new(request, "transaction", json_string(transaction));
  char *text = json_dumps(request, JSON_COMPACT);
  json_decref(request);
  ssize_t sent = text ? send(fd, text, strlen(text), 0) : -1;
  free(text);
  return sent > 0 ? take_reply(transaction) : NULL;
}

static json_int_t id_of(json_t *reply) {
  json_int_t id = json_integer_value(json_object_get(json_object_get(reply, "data"), "id"));
  json_decref(reply);
  return id;
}

static int janus_start(struct gen *g) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int error = slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(g->control));
  if (error)
    return error;
  fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
    return -errno;
  session = id_of(ask(json_pack("{s:s}", "janus", "create")));
  return session ? 0 : -EPROTO;
}

/* A message to the plugin; the reply, or NULL if it is an error. */
static json_t *plugin_ask(const struct leg *l, json_t *body, const char *sdp) {
  json_t *m = json_pack("{s:s, s:I, s:I, s:o}", "janus", "message", "session_id", session, "handle_id",
                        (json_int_t)l->id, "body", body);
  if (sdp)
    json_object_set_new(m, "jsep",
                        json_pack("{s:s, s:s, s:b}", "type", "offer", "sdp", sdp, "trickle", 0));
  json_t *r = ask(m);
  json_t *data = json_object_get(json_object_get(r, "plugindata"), "data");
  if (r && json_object_get(data, "result"))
    return r;
  char *text = r ? json_dumps(r, JSON_COMPACT) : NULL;
  fprintf(stderr, "janus: %s\n", text ? text : "no answer");
  free(text);
  json_decref(r);
  return NULL;
}

static const char *result_text(const json_t *r, const char *name) {
  const json_t *data = json_object_get(json_object_get(r, "plugindata"), "data");
  return json_string_value(json_object_get(json_object_get(data, "result"), name));
}

static void offer_make(char *sdp, const struct leg *l) {
  char ip[ADDR_TEXT_BYTES], print[100] = "";
  const struct native *n = l->native;
  for (unsigned i = 0; i < 32; i++)
    snprintf(print + 3 * i, 4, "%02X%s", native_fingerprint()[i], i < 31 ? ":" : "");
  addr_ip_text(&l->local, ip, sizeof(ip));
  snprintf(sdp, SDP,
           "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
           "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 %s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
           "a=fingerprint:sha-256 %s\r\na=setup:active\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n"
           "a=rtpmap:0 PCMU/8000\r\na=ssrc:%u cname:load\r\n"
           "a=candidate:1 1 udp 2130706431 %s %u typ host\r\na=end-of-candidates\r\n",
           ip, ip, n->ufrag, n->pwd, print, l->ssrc, ip, addr_port(&l->local));
}

/* Janus's side of the WebRTC leg out of its answer. */
static int answer_read(const char *sdp, struct leg *l) {
  struct native *n = l->native;
  char ip[ADDR_TEXT_BYTES];
  unsigned port, ssrc = 0, byte;
  const char *ufrag = strstr(sdp, "a=ice-ufrag:"), *pwd = strstr(sdp, "a=ice-pwd:");
  const char *print = strstr(sdp, "a=fingerprint:sha-256 "), *c = strstr(sdp, "a=candidate:");
  const char *s = strstr(sdp, "a=ssrc:");
  if (!ufrag || !pwd || !print || !c || sscanf(ufrag, "a=ice-ufrag:%63[^\r\n]", n->their_ufrag) != 1 ||
      sscanf(pwd, "a=ice-pwd:%127[^\r\n]", n->their_pwd) != 1 ||
      sscanf(c, "a=candidate:%*s %*u %*s %*u %63s %u", ip, &port) != 2 ||
      addr_parse(&l->target, slice_of(ip), (uint16_t)port) < 0)
    return -EPROTO;
  print += strlen("a=fingerprint:sha-256 ");
  for (unsigned i = 0; i < 32 && sscanf(print + 3 * i, "%2x", &byte) == 1; i++)
    n->their_fingerprint[i] = (uint8_t)byte;
  if (s && sscanf(s, "a=ssrc:%u", &ssrc) == 1)
    l->rx_ssrc = ssrc;
  return ssrc ? 0 : -EPROTO;
}

/* The trunk leg out of the plain offer that Janus made. */
static int trunk_read(const char *sdp, struct leg *l) {
  char ip[ADDR_TEXT_BYTES], b64[128];
  uint8_t key[96];
  unsigned port;
  const char *m = strstr(sdp, "m=audio "), *c = strstr(sdp, "c=IN IP4 "), *k = strstr(sdp, "inline:");
  if (!m || !c || !k || sscanf(m, "m=audio %u", &port) != 1 || sscanf(c, "c=IN IP4 %63s", ip) != 1 ||
      sscanf(k, "inline:%127[A-Za-z0-9+/=]", b64) != 1 ||
      addr_parse(&l->target, slice_of(ip), (uint16_t)port) < 0)
    return -EPROTO;
  while (strlen(b64) % 4 && strlen(b64) + 1 < sizeof(b64))
    strcat(b64, "=");
  if (EVP_DecodeBlock(key, (const uint8_t *)b64, (int)strlen(b64)) < 0)
    return -EPROTO;
  memcpy(l->rx_key.bytes, key, sizeof(l->rx_key.bytes));
  return 0;
}

static void trunk_answer(char *sdp, const struct gen *g, const struct leg *l) {
  char ip[ADDR_TEXT_BYTES];
  uint8_t b64[80];
  enum srtp_suite suite = (enum srtp_suite)l->tx_key.suite;
  addr_ip_text(&g->at[1], ip, sizeof(ip));
  EVP_EncodeBlock(b64, l->tx_key.bytes, (int)(suite_key_bytes(suite) + suite_salt_bytes(suite)));
  snprintf(sdp, SDP,
           "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/SAVP 0\r\n"
           "a=crypto:1 %s inline:%s\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n",
           ip, ip, addr_port(&g->at[1]), suite_name(suite), (char *)b64);
}

static int janus_open(struct gen *g, struct call *c) {
  struct leg *a = &c->leg[0], *b = &c->leg[1];
  char sdp[SDP];
  a->id = (uint64_t)id_of(ask(json_pack("{s:s, s:I, s:s}", "janus", "attach", "session_id", session,
                                        "plugin", "janus.plugin.nosip")));
  offer_make(sdp, a);
  json_t *r = a->id ? plugin_ask(a,
                                 json_pack("{s:s, s:s, s:s}", "request", "generate", "srtp",
                                           "sdes_mandatory", "srtp_profile", suite_name(g->suite[1])),
                                 sdp)
                    : NULL;
  const char *text = result_text(r, "sdp");
  int error = text ? trunk_read(text, b) : -EPROTO;
  json_decref(r);
  if (error)
    return error;
  trunk_answer(sdp, g, b);
  r = plugin_ask(a,
                 json_pack("{s:s, s:s, s:s, s:s, s:s}", "request", "process", "type", "answer", "sdp",
                           sdp, "srtp", "sdes_mandatory", "srtp_profile", suite_name(g->suite[1])),
                 NULL);
  text = json_string_value(json_object_get(json_object_get(r, "jsep"), "sdp"));
  error = text ? answer_read(text, a) : -EPROTO;
  json_decref(r);
  b->rx_ssrc = a->ssrc;
  return error;
}

static void janus_poll(struct gen *g) {
  char text[TEXT];
  (void)g;
  while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
    ;
}

static void janus_close(struct gen *g, struct call *c) {
  (void)g;
  c->leg[0].native = native_free(c->leg[0].native);
  if (c->leg[0].id)
    json_decref(ask(json_pack("{s:s, s:I, s:I}", "janus", "detach", "session_id", session, "handle_id",
                              (json_int_t)c->leg[0].id)));
  c->leg[0].id = 0;
}

const struct driver drive_janus = {"janus", true, janus_start, janus_open, janus_poll, janus_close};
