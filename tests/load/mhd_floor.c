/* SPDX-License-Identifier: Apache-2.0
 * A bare libmicrohttpd reply, the floor of make bench-admin: the flags, threads and memory of the admin
 * server, one fixed body, the header fields that any answer of ours has, nothing read of the request.
 * mhd_floor PORT BYTES; says "ready"; ends with its input. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char body[4096];
static size_t body_bytes;

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **context) {
  static int seen;
  (void)cls, (void)url, (void)method, (void)version, (void)upload, (void)upload_bytes;
  if (!*context) {
    *context = &seen;
    return MHD_YES;
  }
  struct MHD_Response *r = MHD_create_response_from_buffer(body_bytes, body, MHD_RESPMEM_PERSISTENT);
  (void)MHD_add_response_header(r, "Content-Type", "application/json");
  (void)MHD_add_response_header(r, "Cache-Control", "no-store");
  (void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
  enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, r);
  MHD_destroy_response(r);
  return result;
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  char c;
  if (argc != 3 || (body_bytes = (size_t)atoi(argv[2])) > sizeof(body))
    return 2;
  at.sin_port = htons((uint16_t)atoi(argv[1]));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memset(body, ' ', sizeof(body));
  struct MHD_Daemon *d = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL,
      NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, 4u,
      MHD_OPTION_CONNECTION_LIMIT, 11256u, MHD_OPTION_PER_IP_CONNECTION_LIMIT, 11256u,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)12288, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
      MHD_OPTION_END);
  if (!d)
    return 1;
  puts("ready");
  fflush(stdout);
  while (read(0, &c, 1) > 0)
    ;
  MHD_stop_daemon(d);
  return 0;
}
