/* SPDX-License-Identifier: Apache-2.0
 * The trunk door over TLS: a call in from a peer with a client certificate, whose verified names reach
 * the border policy, a hang-up over the same connection; a call out to a TLS peer. The peer is raw
 * OpenSSL in a thread of its own. A plain program, real time. */
#include "../unit/certmake.h"
#include "../unit/trunkfake.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHECK(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x); \
      failures++; \
    } \
  } while (0)

static _Atomic int failures;
static char dir[64];
static struct certmake ca, ours, theirs;
static SSL_CTX *client_ctx, *server_ctx;
static _Atomic bool is_done;
static int listen_fd;
static uint16_t listen_port;

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"

static void shape(struct conf *c) {
  struct conf_listener *l = &c->listeners[0];
  strcpy(l->name, "tls");
  l->transport = TRANSPORT_TLS;
  l->mtls = MTLS_REQUIRED;
  snprintf(l->certificate, sizeof l->certificate, "%s", certmake_path(dir, "ours", ".pem"));
  snprintf(l->key, sizeof l->key, "%s", certmake_path(dir, "ours", ".key"));
  snprintf(l->ca, sizeof l->ca, "%s", certmake_path(dir, "ca", ".pem"));
  strcpy(c->trunks[0].listener, "tls");
  snprintf(c->trunks[0].target, sizeof c->trunks[0].target, "sip:127.0.0.1:%u;transport=tls",
           listen_port);
}

static void certs_make(void) {
  snprintf(dir, sizeof dir, "/tmp/trunktls-%d", (int)getpid());
  if (mkdir(dir, 0700) < 0)
    abort();
  ca = certmake(NULL, &(struct certmake_wish){.cn = "root", .ca = true});
  ours = certmake(&ca, &(struct certmake_wish){.san = "DNS:gw.example.test"});
  theirs = certmake(&ca, &(struct certmake_wish){.san = "DNS:peer.example.test,IP:127.0.0.1"});
  certmake_chain(dir, "ca", (const struct certmake *const[]){&ca, NULL});
  certmake_chain(dir, "ours", (const struct certmake *const[]){&ours, NULL});
  certmake_key(dir, "ours", &ours, 0600);
  certmake_chain(dir, "theirs", (const struct certmake *const[]){&theirs, NULL});
  certmake_key(dir, "theirs", &theirs, 0600);
}

static SSL_CTX *ctx_make(const SSL_METHOD *m) {
  SSL_CTX *x = SSL_CTX_new(m);
  if (SSL_CTX_use_certificate_chain_file(x, certmake_path(dir, "theirs", ".pem")) != 1 ||
      SSL_CTX_use_PrivateKey_file(x, certmake_path(dir, "theirs", ".key"), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(x, certmake_path(dir, "ca", ".pem"), NULL) != 1)
    abort();
  return x;
}

static void peer_listen(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  listen_fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listen_fd, (struct sockaddr *)&a, n) < 0 || listen(listen_fd, 4) < 0 ||
      getsockname(listen_fd, (struct sockaddr *)&a, &n) < 0)
    abort();
  listen_port = ntohs(a.sin_port);
}

static void deadline_set(int fd) {
  struct timeval t = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* One message (its headers and body in one read, or more), "" at the end. */
static const char *read_until(SSL *ssl, const char *word) {
  static char text[20000];
  size_t n = 0;
  for (;;) {
    int got = SSL_read(ssl, text + n, (int)(sizeof text - 1 - n));
    if (got <= 0)
      return "";
    n += (size_t)got;
    text[n] = 0;
    const char *at = strstr(text, word);
    if (at && strstr(at, "\r\n\r\n"))
      return at;
    if (n > 15000)
      return "";
  }
}

static void say(SSL *ssl, const char *format, ...) {
  char text[4000];
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  CHECK(SSL_write(ssl, text, n) == n);
}

static uint16_t own_port(int fd) {
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  getsockname(fd, (struct sockaddr *)&a, &n);
  return ntohs(a.sin_port);
}

/* Calls in, waits for the BYE on the same connection. */
static void *peer_calls(void *arg) {
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(rig_port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  SSL *ssl = SSL_new(client_ctx);
  (void)arg;
  deadline_set(fd);
  SSL_set_tlsext_host_name(ssl, "gw.example.test");
  SSL_set1_host(ssl, "gw.example.test");
  SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
  SSL_set_fd(ssl, fd);
  CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
  CHECK(SSL_connect(ssl) == 1);
  const char *head =
      "Via: SIP/2.0/TLS peer.example.test:5061;branch=z9hG4bK%s\r\nMax-Forwards: 60\r\n"
      "From: <sip:+15559999@peer.example.test>;tag=peer\r\nTo: <sip:+15551234@gw.example.test>%s\r\n"
      "Call-ID: tls-one\r\nCSeq: 1 %s\r\nContact: <sip:bob@127.0.0.1:%u;transport=tls>\r\n";
  char lines[1000], to[200];
  snprintf(lines, sizeof lines, head, "one", "", "INVITE", own_port(fd)); // NOLINT
  say(ssl,
      "INVITE sip:+15551234@gw.example.test SIP/2.0\r\n%sContent-Type: "
      "application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
      lines, strlen(SDP), SDP);
  const char *ok = read_until(ssl, "SIP/2.0 200");
  CHECK(*ok);
  CHECK(strstr(rig_header(ok, "Contact"), "@gw.example.test:") &&
        strstr(rig_header(ok, "Contact"), ";transport=tls"));
  snprintf(to, sizeof to, ";tag=%s", rig_tag(ok, "To"));
  snprintf(lines, sizeof lines, head, "two", to, "ACK", own_port(fd)); // NOLINT
  say(ssl, "ACK sip:+15551234@gw.example.test SIP/2.0\r\n%sContent-Length: 0\r\n\r\n", lines);
  CHECK(*read_until(ssl, "BYE sip:bob@127.0.0.1"));
  is_done = true;
  SSL_free(ssl);
  close(fd);
  return NULL;
}

/* Is called: answers, reads the ACK. */
static void *peer_answers(void *arg) {
  int fd = accept(listen_fd, NULL, NULL);
  SSL *ssl = SSL_new(server_ctx);
  (void)arg;
  deadline_set(fd);
  SSL_set_fd(ssl, fd);
  CHECK(SSL_accept(ssl) == 1);
  static char invite[8000];
  snprintf(invite, sizeof invite, "%s", read_until(ssl, "INVITE "));
  CHECK(strstr(invite, ";transport=tls SIP/2.0"));
  CHECK(strstr(rig_header(invite, "Via"), "SIP/2.0/TLS gw.example.test"));
  CHECK(!strstr(invite, "sips:"));
  say(ssl,
      "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=far\r\nCall-ID: %s\r\nCSeq: %s\r\n"
      "Contact: <sip:far@127.0.0.1:%u;transport=tls>\r\nContent-Type: "
      "application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
      rig_header(invite, "Via"), rig_header(invite, "From"), rig_header(invite, "To"),
      rig_header(invite, "Call-ID"), rig_header(invite, "CSeq"), listen_port, strlen(SDP), SDP);
  CHECK(*read_until(ssl, "ACK sip:far@127.0.0.1"));
  is_done = true;
  SSL_free(ssl);
  close(fd);
  return NULL;
}

static void wait_for(const _Atomic bool *what) {
  for (unsigned i = 0; i < 1500 && !*what; i++)
    rig_wait(10);
  CHECK(*what);
}

static void call_in(void) {
  pthread_t peer;
  is_done = false;
  pthread_create(&peer, NULL, peer_calls, NULL);
  for (unsigned i = 0; i < 1000 && !fake.places; i++)
    rig_wait(10);
  CHECK(fake.places == 1);
  CHECK(fake.ask.transport == TRANSPORT_TLS);
  bool has_name = false;
  for (uint32_t i = 0; i < fake.ask.subjects.n && i < ASK_HOSTS_MAX; i++)
    has_name |= !strcmp(fake.ask.subjects.host[i], "peer.example.test");
  CHECK(has_name);
  fake.door->answered(fake.door_arg, &fake.legs[0].leg);
  for (unsigned i = 0; i < 1000 && !fake.legs[0].confirmed; i++)
    rig_wait(10);
  CHECK(fake.legs[0].confirmed == 1);
  leg_end(&fake.legs[0].leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE});
  wait_for(&is_done);
  pthread_join(peer, NULL);
}

static void call_out(void) {
  pthread_t peer;
  is_done = false;
  pthread_create(&peer, NULL, peer_answers, NULL);
  struct leg *l = rig_ring("+442012345");
  CHECK(l);
  wait_for(&is_done);
  CHECK(fake.legs[1].answered == 1);
  pthread_join(peer, NULL);
  if (l)
    leg_end(l, (struct cause){.reason = END_COMPLETED, .by = BY_CALLER});
}

int main(void) {
  certs_make();
  client_ctx = ctx_make(TLS_client_method());
  server_ctx = ctx_make(TLS_server_method());
  peer_listen();
  rig_shape = shape;
  rig_is_real_time = true;
  rig_start();
  call_in();
  call_out();
  rig_stop();
  SSL_CTX_free(client_ctx);
  SSL_CTX_free(server_ctx);
  certmake_done(&ca);
  certmake_done(&ours);
  certmake_done(&theirs);
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", dir);
  if (system(command) != 0)
    failures++;
  printf("trunktls: %d failed\n", failures);
  return failures != 0;
}
