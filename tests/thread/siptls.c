/* SPDX-License-Identifier: Apache-2.0
 * Own TLS under the SIP library, nta at both ends, on one root; raw sockets where a peer misbehaves.
 * A plain program: Criterion crashes under ThreadSanitizer. */
#define _GNU_SOURCE
#include "../unit/certmake.h"
#include "base/clock.h"
#include "base/log.h"
#include "trunk/tls.h"

struct side;
struct ask;
#define NTA_AGENT_MAGIC_T struct side
#define NTA_OUTGOING_MAGIC_T struct ask
#include "trunk/sofia_peek.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/tport_tag.h>
#include <stdio.h>
#include <sys/socket.h>

#define CHECK(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x); \
      failures++; \
    } \
  } while (0)

static int failures;
static su_root_t *root;
static char dir[64];
static struct certmake ca, good, other, late;

static uint64_t counted(enum tlscount row) { return count_get(&owntls_counts, row); }

/* Agents and exchanges --------------------------------------------------------------------------- */

struct side {
  nta_agent_t *agent;
  nta_leg_t *leg;
  unsigned requests;
  tport_t *last; /* last is the connection of the last request. */
  bool verified, subject_found;
  int64_t peer_expiry_s;
};

struct ask {
  nta_outgoing_t *o;
  int status;
  uint64_t begun_us, ended_us;
};

static int asked(struct side *s, nta_agent_t *agent, msg_t *msg, sip_t *sip) {
  if (!sip || !sip->sip_request) {
    nta_msg_discard(agent, msg);
    return 0;
  }
  struct link_facts f = {0};
  tport_t *all = nta_agent_tports(agent), *tp = tport_delivered_by(all, msg);
  s->requests++;
  s->last = tp;
  CHECK(!tport_has_tls(tp) || !link_facts_of(tp, &f));
  s->verified = f.verified && tport_is_verified(tp);
  s->peer_expiry_s = f.peer_expiry_s;
  su_strlst_t const *l = tport_delivered_from_subjects(all, msg);
  s->subject_found = l && tport_subject_search("other.test", l) && f.subjects && link_subject(tp, 0) &&
                     peername_is(link_subject(tp, 0), SLICE("other.test"));
  nta_msg_treply(agent, msg, SIP_200_OK, TAG_END());
  return 0;
}

static int answered(struct ask *a, nta_outgoing_t *o, sip_t const *sip) {
  a->status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(o);
  a->ended_us = clock_now_us();
  return 0;
}

static void side_start(struct side *s, const char *url, const char *profile) {
  *s = (struct side){.requests = 0};
  s->agent = nta_agent_create(root, URL_STRING_MAKE(url), asked, s, TPTAG_CERTIFICATE(profile),
                              NTATAG_UA(0), TAG_END());
  CHECK(s->agent != NULL);
}

/* A side that sends gets a leg; without one everything comes to asked(). */
static void side_start_client(struct side *s, const char *profile) {
  side_start(s, "sips:127.0.0.1:*;transport=tls", profile);
  s->leg = nta_leg_tcreate(s->agent, NULL, NULL, NTATAG_NO_DIALOG(1), SIPTAG_FROM_STR("<sip:c.test>"),
                           SIPTAG_TO_STR("<sip:s.test>"), TAG_END());
  CHECK(s->leg != NULL);
}

static void turn(int ms) {
  for (uint64_t end = clock_now_us() + (uint64_t)ms * 1000; clock_now_us() < end;)
    su_root_step(root, 5);
}

static void side_stop(struct side *s) {
  if (s->leg)
    nta_leg_destroy(s->leg);
  nta_agent_destroy(s->agent);
  turn(20);
}

static const char *port_of(const struct side *s) {
  tport_t *tp = tport_primaries(nta_agent_tports(s->agent));
  while (tp && !tport_name(tp)->tpn_port)
    tp = tport_next(tp);
  return tp ? tport_name(tp)->tpn_port : "0";
}

static void ask_start(struct ask *a, struct side *client, const char *host, const char *port) {
  char uri[128];
  snprintf(uri, sizeof(uri), "sips:%s:%s;maddr=127.0.0.1", host, port);
  *a = (struct ask){.begun_us = clock_now_us()};
  a->o = nta_outgoing_tcreate(client->leg, answered, a, NULL, SIP_METHOD_OPTIONS, (url_string_t *)uri,
                              TAG_END());
  CHECK(a->o != NULL);
}

static int ask_end(struct ask *a, int ms) {
  for (uint64_t end = clock_now_us() + (uint64_t)ms * 1000; a->status < 200 && clock_now_us() < end;)
    su_root_step(root, 5);
  nta_outgoing_destroy(a->o);
  return a->status;
}

static int ask(struct side *client, const char *host, const char *port, unsigned *ret_ms) {
  struct ask a;
  ask_start(&a, client, host, port);
  int status = ask_end(&a, 8000);
  if (ret_ms)
    *ret_ms = (unsigned)((a.ended_us - a.begun_us) / 1000);
  return status;
}

static int tcp(const char *port) {
  struct sockaddr_in in = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)atoi(port)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(!connect(fd, (struct sockaddr *)&in, sizeof(in)));
  return fd;
}

static bool is_closed(int fd) {
  char c;
  ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Profiles --------------------------------------------------------------------------------------- */

static struct profile_settings settings(const char *cert) {
  return (struct profile_settings){
      .cert = {{cert ? certmake_path(dir, cert, ".pem") : NULL,
                cert ? certmake_path(dir, cert, ".key") : NULL}},
      .certs = cert ? 1 : 0,
      .ca_file = certmake_path(dir, "ca", ".pem"),
      .handshake_ms = 700,
  };
}

static void profile(const char *name, struct profile_settings s) {
  char why[256] = "";
  int r = profile_add(name, &s, why, sizeof(why));
  if (r)
    fprintf(stderr, "%s: %s\n", name, why);
  CHECK(!r);
}

static void leaf(struct certmake *c, const char *name, const char *san, long end_s) {
  *c = certmake(&ca, &(struct certmake_wish){.san = san, .start_s = -60, .end_s = end_s});
  certmake_chain(dir, name, (const struct certmake *[]){c, NULL});
  certmake_key(dir, name, c, 0600);
}

static void profiles_make(void) {
  strcpy(dir, "/tmp/siptls.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  ca = certmake(NULL, &(struct certmake_wish){.cn = "root", .ca = true});
  certmake_chain(dir, "ca", (const struct certmake *[]){&ca, NULL});
  leaf(&good, "good", "DNS:good.test,DNS:*.wild.test", 9000);
  leaf(&other, "other", "DNS:other.test", 5000);
  leaf(&late, "late", "DNS:good.test", 7000);
  struct profile_settings s = settings("good");
  s.mtls = MTLS_OPTIONAL;
  profile("server", s);
  s.mtls = MTLS_REQUIRED;
  profile("mtls", s);
  profile("client", settings("other"));
  profile("bare", settings(NULL));
  s = settings("good");
  s.max_shakes_source = 3;
  profile("capped", s);
}

static void profiles_drop(void) {
  char command[96];
  profile_clear();
  certmake_done(&ca), certmake_done(&good), certmake_done(&other), certmake_done(&late);
  snprintf(command, sizeof(command), "rm -rf %s", dir);
  CHECK(!system(command));
}

/* Scenarios ---------------------------------------------------------------------------------------- */

static void test_mutual(void) {
  struct side server, client, bare;
  unsigned ms = 0;
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:mtls");
  side_start_client(&client, "profile:client");
  side_start_client(&bare, "profile:bare");
  CHECK(ask(&client, "good.test", port_of(&server), NULL) == 200);
  CHECK(server.verified && server.subject_found && server.peer_expiry_s > 0);
  CHECK(ask(&client, "a.wild.test", port_of(&server), NULL) == 200);
  unsigned before = server.requests;
  CHECK(ask(&bare, "good.test", port_of(&server), &ms) == 503 && ms < 1500);
  CHECK(server.requests == before);
  side_stop(&bare), side_stop(&client), side_stop(&server);
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:server");
  side_start_client(&bare, "profile:bare");
  CHECK(ask(&bare, "good.test", port_of(&server), NULL) == 200);
  CHECK(!server.verified && !server.subject_found && !server.peer_expiry_s);
  side_stop(&bare), side_stop(&server);
}

/* A name that the peer cannot prove gets neither a new connection nor one that is open. */
static void test_names(void) {
  struct side server, client;
  unsigned ms = 0;
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:server");
  side_start_client(&client, "profile:client");
  uint64_t done = counted(TLSCOUNT_done), wrong = counted(TLSCOUNT_wrong_name),
           kept = counted(TLSCOUNT_other_name);
  CHECK(ask(&client, "evil.test", port_of(&server), &ms) == 503 && ms < 1500);
  CHECK(counted(TLSCOUNT_wrong_name) == wrong + 1 && server.requests == 0);
  CHECK(ask(&client, "good.test", port_of(&server), NULL) == 200);
  CHECK(ask(&client, "good.test", port_of(&server), NULL) == 200); /* the same connection */
  CHECK(counted(TLSCOUNT_done) == done + 3);                       /* evil's server side, good's two */
  CHECK(ask(&client, "evil.test", port_of(&server), &ms) == 503 && ms < 1500);
  CHECK(counted(TLSCOUNT_other_name) > kept && server.requests == 2);
  CHECK(ask(&client, "good.test", port_of(&server), NULL) == 200);
  struct ask a[6];
  for (int i = 0; i < 6; i++) /* while in handshake likewise */
    ask_start(&a[i], &client, i % 2 ? "b.wild.test" : "evil.test", port_of(&server));
  for (int i = 0; i < 6; i++)
    CHECK(ask_end(&a[i], 4000) == (i % 2 ? 200 : 503));
  side_stop(&client), side_stop(&server);
}

static void test_silence(void) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(in);
  struct side server, client;
  unsigned ms = 0;
  char port[8];
  int mute = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(!bind(mute, (struct sockaddr *)&in, len) && !listen(mute, 8) &&
        !getsockname(mute, (struct sockaddr *)&in, &len));
  snprintf(port, sizeof(port), "%u", ntohs(in.sin_port));
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:capped");
  side_start_client(&client, "profile:client");
  CHECK(ask(&client, "good.test", port, &ms) == 503 && ms >= 600 && ms < 2500);
  uint64_t capped = counted(TLSCOUNT_capped);
  int fd[5];
  for (int i = 0; i < 5; i++)
    fd[i] = tcp(port_of(&server));
  turn(100);
  int open = 0;
  for (int i = 0; i < 5; i++)
    open += !is_closed(fd[i]);
  CHECK(open == 3 && counted(TLSCOUNT_capped) == capped + 2);
  CHECK(send(fd[0], "\x16\x03\x01", 3, MSG_NOSIGNAL) == 3); /* a ClientHello that never ends */
  turn(1200);
  for (int i = 0; i < 5; i++) {
    CHECK(is_closed(fd[i]));
    close(fd[i]);
  }
  CHECK(hooks_connections() == 0);
  CHECK(ask(&client, "good.test", port_of(&server), NULL) == 200);
  close(mute);
  side_stop(&client), side_stop(&server);
}

/* Every exchange succeeds while certificates change; new connections show the new one. */
static void test_reload(void) {
  struct side server, client;
  char why[256];
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:server");
  side_start_client(&client, "profile:client");
  const char *port = port_of(&server);
  for (int i = 0; i < 30; i++) {
    struct ask a[4];
    struct profile_settings s = settings(i % 2 ? "good" : "late");
    for (int k = 0; k < 4; k++)
      ask_start(&a[k], &client, "good.test", port);
    CHECK(!profile_reload("server", &s, why, sizeof(why)));
    for (int k = 0; k < 4; k++)
      CHECK(ask_end(&a[k], 4000) == 200);
    if (i % 5 == 0) { /* the client begins anew */
      side_stop(&client);
      side_start_client(&client, "profile:client");
    }
  }
  struct profile_settings bad = settings("late");
  bad.cert[0].key_file = certmake_path(dir, "good", ".key");
  CHECK(profile_reload("server", &bad, why, sizeof(why)) == -EINVAL);
  CHECK(ask(&client, "good.test", port, NULL) == 200);
  side_stop(&client), side_stop(&server);
}

/* Agents that end while handshakes are in flight. */
static void test_early_end(void) {
  struct side server, client;
  struct ask a[8];
  for (int round = 0; round < 12; round++) {
    side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:server");
    side_start_client(&client, "profile:client");
    for (int i = 0; i < 8; i++)
      ask_start(&a[i], &client, i % 2 ? "good.test" : "evil.test", port_of(&server));
    for (int i = 0; i < round; i++)
      su_root_step(root, 0);
    for (int i = 0; i < 8; i++)
      nta_outgoing_destroy(a[i].o);
    nta_leg_destroy(client.leg);
    nta_agent_destroy(round % 2 ? client.agent : server.agent);
    su_root_step(root, 0);
    nta_agent_destroy(round % 2 ? server.agent : client.agent);
  }
  turn(200);
}

/* A peer that is not the library: big messages, goodbye at the end. */
struct raw {
  char port[8];
  int status;
  bool goodbye;
};

static void *raw_client(void *arg) {
  struct raw *r = arg;
  static const char head[] =
      "OPTIONS sip:good.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKraw;rport\r\n"
      "From: <sip:a@b.test>;tag=1\r\nTo: <sip:c@d.test>\r\nCall-ID: raw\r\nCSeq: 1 OPTIONS\r\n"
      "Max-Forwards: 9\r\nContent-Type: text/plain\r\nContent-Length: 40000\r\n\r\n";
  char in[4096], *body = calloc(1, 40000);
  memset(body, 'x', 40000);
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(ctx);
  int fd = tcp(r->port);
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) == 1 && SSL_write(ssl, head, sizeof(head) - 1) > 0 &&
      SSL_write(ssl, body, 40000) == 40000) {
    int n = SSL_read(ssl, in, sizeof(in) - 1);
    in[n > 0 ? n : 0] = 0;
    r->status = n > 12 ? atoi(in + 8) : -1;
    n = SSL_read(ssl, in, sizeof(in)); /* the agent ends meanwhile */
    r->goodbye = n == 0 && SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
  }
  SSL_free(ssl);
  SSL_CTX_free(ctx);
  close(fd);
  free(body);
  OPENSSL_thread_stop();
  return NULL;
}

/* close_notify comes when a connection is closed and when the agent ends. */
static void raw_peer(bool agent_ends) {
  struct side server;
  struct raw r = {.status = 0};
  pthread_t t;
  side_start(&server, "sips:127.0.0.1:*;transport=tls", "profile:server");
  snprintf(r.port, sizeof(r.port), "%s", port_of(&server));
  CHECK(!pthread_create(&t, NULL, raw_client, &r));
  for (int i = 0; i < 400 && !server.requests; i++)
    su_root_step(root, 10);
  turn(100);
  if (!agent_ends)
    tport_shutdown(server.last, 2);
  else
    side_stop(&server);
  CHECK(!pthread_join(t, NULL));
  CHECK(r.status == 200);
  CHECK(r.goodbye);
  if (!agent_ends)
    side_stop(&server);
}

static void test_raw_peer(void) {
  raw_peer(true);
  raw_peer(false);
}

/* Admission ---------------------------------------------------------------------------------------- */

static bool denied;
static bool admit(void *arg, const struct addr *local, const struct addr *from) {
  CHECK(arg == &denied && addr_is_loopback(from) && addr_is_loopback(local) && addr_port(local));
  return !denied;
}

static int udp_ask(int fd, const char *port, const char *text, size_t n, char *in, size_t in_bytes) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)atoi(port)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(sendto(fd, text, n, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n);
  for (int i = 0; i < 30; i++) {
    su_root_step(root, 5);
    ssize_t got = recv(fd, in, in_bytes - 1, MSG_DONTWAIT);
    if (got > 0) {
      in[got] = 0;
      return got > 12 && !strncmp(in, "SIP/2.0 ", 8) ? atoi(in + 8) : -1;
    }
  }
  return 0;
}

#define TAIL \
  "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKa;rport\r\nMax-Forwards: 5\r\nCSeq: 7 OPTIONS\r\n" \
  "To: <sip:u@e.test>\r\nFrom: <sip:a@e.test>;tag=1\r\nCall-ID: c1\r\nContent-Length: 0\r\n\r\n"

static void test_datagrams(void) {
  static const char binding[20] = {0, 1, 0, 0, 0x21, 0x12, (char)0xa4, 0x42, 1};
  const struct hook_admission a = {.arg = &denied, .datagram = admit, .accept = admit};
  struct side s;
  char in[4096], good_one[] = "OPTIONS sip:u@e.test SIP/2.0\r\n" TAIL,
                 bad_one[] = "OPTIONS sip:u@e.test; lr SIP/2.0\r\n" TAIL;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  hooks_set(&a);
  side_start(&s, "sip:127.0.0.1:*;transport=udp", NULL);
  denied = false;
  CHECK(udp_ask(fd, port_of(&s), good_one, sizeof(good_one) - 1, in, sizeof(in)) == 200 &&
        s.requests == 1);
  CHECK(udp_ask(fd, port_of(&s), bad_one, sizeof(bad_one) - 1, in, sizeof(in)) == 400 &&
        s.requests == 1);
  CHECK(strstr(in, ";rport=") && strstr(in, ";received=127.0.0.1"));
  uint64_t stun = counted(TLSCOUNT_dgram_stun), deny = counted(TLSCOUNT_dgram_denied);
  CHECK(udp_ask(fd, port_of(&s), binding, sizeof(binding), in, sizeof(in)) == 0);
  CHECK(counted(TLSCOUNT_dgram_stun) == stun + 1);
  CHECK(udp_ask(fd, port_of(&s), "", 0, in, sizeof(in)) == 0);
  CHECK(udp_ask(fd, port_of(&s), "\xf8\x01\x02", 3, in, sizeof(in)) == 0);
  denied = true;
  CHECK(udp_ask(fd, port_of(&s), good_one, sizeof(good_one) - 1, in, sizeof(in)) == 0);
  CHECK(udp_ask(fd, port_of(&s), bad_one, sizeof(bad_one) - 1, in, sizeof(in)) == 0);
  CHECK(counted(TLSCOUNT_dgram_denied) == deny + 2 && s.requests == 1);
  denied = false;
  CHECK(udp_ask(fd, port_of(&s), good_one, sizeof(good_one) - 1, in, sizeof(in)) == 200 &&
        s.requests == 2);
  hooks_set(NULL);
  close(fd);
  side_stop(&s);
}

static int open_of(const int *fd, int n) {
  int open = 0;
  for (int i = 0; i < n; i++)
    open += !is_closed(fd[i]);
  return open;
}

static void test_connections(void) {
  struct hook_admission a = {.arg = &denied, .accept = admit, .max_connections_source = 3};
  const char *const url[] = {"sip:127.0.0.1:*;transport=tcp", "sips:127.0.0.1:*;transport=tls"};
  struct side s;
  int fd[5];
  for (int kind = 0; kind < 2; kind++)
    for (int by = 0; by < 3; by++) { /* cap by source, cap of all, denied */
      a.max_connections_source = by == 0 ? 3 : 0;
      a.max_connections = by == 1 ? 2 : 0;
      denied = by == 2;
      hooks_set(&a);
      side_start(&s, url[kind], "profile:server");
      for (int i = 0; i < 5; i++)
        fd[i] = tcp(port_of(&s));
      turn(60);
      CHECK(open_of(fd, 5) == (by == 0 ? 3 : by == 1 ? 2 : 0));
      CHECK(hooks_connections() == (by == 0 ? 3U : by == 1 ? 2U : 0U));
      for (int i = 0; i < 5; i++)
        close(fd[i]);
      for (int i = 0; i < 50 && hooks_connections(); i++)
        turn(60); /* a busy machine takes longer */
      CHECK(hooks_connections() == 0);
      side_stop(&s);
    }
  denied = false;
  hooks_set(NULL);
}

static void test_no_profile(void) {
  CHECK(!nta_agent_create(root, URL_STRING_MAKE("sips:127.0.0.1:*;transport=tls"), asked, NULL,
                          TPTAG_CERTIFICATE("profile:nobody"), NTATAG_UA(0), TAG_END()));
}

int main(void) {
  static const struct {
    const char *name;
    void (*run)(void);
  } test[] = {
      {"mutual", test_mutual},         {"names", test_names},
      {"silence", test_silence},       {"reload", test_reload},
      {"early end", test_early_end},   {"raw peer", test_raw_peer},
      {"datagrams", test_datagrams},   {"connections", test_connections},
      {"no profile", test_no_profile},
  };
  char why[256] = "";
  su_init();
  CHECK(!owntls_start(2));
  int r = owntls_self_test(why, sizeof(why));
  if (r)
    fprintf(stderr, "self test: %s\n", why);
  CHECK(!r);
  root = su_root_create(NULL);
  profiles_make();
  for (size_t i = 0; i < COUNT_OF(test); i++) {
    uint64_t t = clock_now_us();
    test[i].run();
    printf("%s: %u ms\n", test[i].name, (unsigned)((clock_now_us() - t) / 1000));
  }
  owntls_stop();
  su_root_step(root, 0);
  su_root_destroy(root);
  profiles_drop();
  su_deinit();
  CHECK(counted(TLSCOUNT_layout) == 0);
  return failures != 0;
}
