/* SPDX-License-Identifier: Apache-2.0
 * rtnetlink: see neigh.h. */
#include "media/neigh.h"

#include "base/ring.h"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>

enum { RING = 512, OURS_MAX = 4, TEXT_BYTES = 8192, AGAIN_US = 200000, ANSWER_MS = 100 };
enum { USABLE = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT };

struct asked {
  uint32_t worker;
  struct hop_key key;
  uint8_t via[16]; /* the neighbour's IP, as long as the key's */
  bool is_known;
  uint8_t mac[6];
};

struct neigh {
  unsigned ifindex, n_ours;
  struct addr ours[OURS_MAX];
  uint32_t workers, seq;
  int ask_fd, event_fd, wake_fd; /* netlink for questions, for changes; an eventfd for workers */
  struct ring *asks, *answers;   /* one of each for each worker */
  struct asked *asked;
  uint32_t n_asked, next;
  bool is_stale; /* routes have changed since the hops were looked up */
  struct loop *loop;
  struct watch on_ask, on_event;
  struct timer again;
};

/* Questions to the kernel ------------------------------------------------------------------------------
 */
struct text {
  _Alignas(8) char bytes[TEXT_BYTES];
};

static struct nlmsghdr *begin(struct text *t, uint16_t type, const void *body, size_t n) {
  struct nlmsghdr *h = (struct nlmsghdr *)(void *)t->bytes;
  *h = (struct nlmsghdr){
      .nlmsg_len = (uint32_t)NLMSG_LENGTH(n), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST};
  memcpy(NLMSG_DATA(h), body, n);
  return h;
}

static void add(struct nlmsghdr *h, uint16_t type, const void *p, size_t n) {
  struct rtattr *a = (struct rtattr *)(void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
  a->rta_type = type;
  a->rta_len = (uint16_t)RTA_LENGTH(n);
  memcpy(RTA_DATA(a), p, n);
  h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* The one answer, of this type; NULL: none. */
static struct nlmsghdr *put_question(struct neigh *g, struct text *t, uint16_t type) {
  struct nlmsghdr *h = (struct nlmsghdr *)(void *)t->bytes;
  h->nlmsg_seq = ++g->seq;
  if (send(g->ask_fd, h, h->nlmsg_len, 0) < 0)
    return NULL;
  for (int i = 0; i < 8; i++) { /* an answer that came too late for its question is passed over */
    ssize_t n = recv(g->ask_fd, t->bytes, sizeof(t->bytes), 0);
    if (n < 0 || !NLMSG_OK(h, (size_t)n))
      return NULL;
    if (h->nlmsg_seq == g->seq)
      return h->nlmsg_type == type ? h : NULL;
  }
  return NULL;
}

/* Attributes by type, at most max. */
static void attributes(const struct nlmsghdr *h, size_t body, struct rtattr **ret, unsigned max) {
  long left = (long)h->nlmsg_len - (long)NLMSG_LENGTH(body);
  struct rtattr *a = (struct rtattr *)(void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(body));
  memset(ret, 0, (max + 1) * sizeof(struct rtattr *));
  for (; left > 0 && RTA_OK(a, left); a = RTA_NEXT(a, left))
    if (a->rta_type <= max)
      ret[a->rta_type] = a;
}

static size_t ip_bytes(const struct hop_key *k) { return k->family == AF_INET ? 4 : 16; }

/* Fills via; false: no way by our interface, or none that is simple. */
static bool find_route(struct neigh *g, struct asked *a) {
  struct text t;
  size_t n = ip_bytes(&a->key);
  const struct addr *from = &g->ours[a->key.address % OURS_MAX];
  const void *source = n == 4 ? (const void *)&from->in4.sin_addr : (const void *)&from->in6.sin6_addr;
  struct rtmsg m = {
      .rtm_family = a->key.family, .rtm_dst_len = (uint8_t)(8 * n), .rtm_src_len = (uint8_t)(8 * n)};
  struct nlmsghdr *h = begin(&t, RTM_GETROUTE, &m, sizeof(m));
  struct rtattr *found[RTA_MAX + 1];
  add(h, RTA_DST, a->key.ip, n);
  add(h, RTA_SRC, source, n);
  h = put_question(g, &t, RTM_NEWROUTE);
  if (!h || h->nlmsg_len < NLMSG_LENGTH(sizeof(m)))
    return false;
  memcpy(&m, NLMSG_DATA(h), sizeof(m));
  attributes(h, sizeof(m), found, RTA_MAX);
  if (m.rtm_type != RTN_UNICAST || !found[RTA_OIF] || found[RTA_VIA] || found[RTA_ENCAP] ||
      *(unsigned *)RTA_DATA(found[RTA_OIF]) != g->ifindex)
    return false;
  const struct rtattr *via = found[RTA_GATEWAY];
  if (via && RTA_PAYLOAD(via) != n)
    return false;
  memcpy(a->via, via ? RTA_DATA(via) : a->key.ip, n);
  return true;
}

static void take_neighbour(struct asked *a, const struct nlmsghdr *h) {
  struct ndmsg m;
  struct rtattr *found[NDA_MAX + 1];
  memcpy(&m, NLMSG_DATA(h), sizeof(m));
  attributes(h, sizeof(m), found, NDA_MAX);
  const struct rtattr *mac = found[NDA_LLADDR];
  a->is_known = h->nlmsg_type == RTM_NEWNEIGH && (m.ndm_state & USABLE) && mac &&
                RTA_PAYLOAD(mac) == sizeof(a->mac);
  if (a->is_known)
    memcpy(a->mac, RTA_DATA(mac), sizeof(a->mac));
}

static void find(struct neigh *g, struct asked *a) {
  struct text t;
  a->is_known = false;
  if (!find_route(g, a)) {
    memset(a->via, 0, sizeof(a->via));
    return;
  }
  struct ndmsg m = {.ndm_family = a->key.family, .ndm_ifindex = (int)g->ifindex};
  struct nlmsghdr *h = begin(&t, RTM_GETNEIGH, &m, sizeof(m));
  add(h, NDA_DST, a->via, ip_bytes(&a->key));
  h = put_question(g, &t, RTM_NEWNEIGH);
  if (h && h->nlmsg_len >= NLMSG_LENGTH(sizeof(m)))
    take_neighbour(a, h);
}

/* Answers ----------------------------------------------------------------------------------------------
 */
static void tell(struct neigh *g, const struct asked *a) {
  struct hop_answer answer = {.key = a->key, .is_known = a->is_known};
  memcpy(answer.mac, a->mac, sizeof(a->mac));
  (void)ring_put(&g->answers[a->worker], &answer); /* full: it asks again */
}

static struct asked *keep(struct neigh *g, uint32_t worker, const struct hop_key *key) {
  for (uint32_t i = 0; i < g->n_asked; i++)
    if (g->asked[i].worker == worker && memcmp(&g->asked[i].key, key, sizeof(*key)) == 0)
      return &g->asked[i];
  uint32_t at = g->n_asked < NEIGH_HOPS_MAX ? g->n_asked++ : g->next++ % NEIGH_HOPS_MAX;
  g->asked[at] = (struct asked){.worker = worker, .key = *key};
  return &g->asked[at];
}

static void on_ask(void *arg, uint32_t events) {
  struct neigh *g = arg;
  uint64_t count;
  struct hop_key key;
  (void)events;
  (void)!read(g->wake_fd, &count, sizeof(count));
  for (uint32_t w = 0; w < g->workers; w++)
    while (ring_get(&g->asks[w], &key)) {
      struct asked *a = keep(g, w, &key);
      find(g, a);
      tell(g, a);
    }
}

static void find_all(void *arg) {
  struct neigh *g = arg;
  g->is_stale = false;
  for (uint32_t i = 0; i < g->n_asked; i++) {
    struct asked was = g->asked[i];
    find(g, &g->asked[i]);
    if (was.is_known != g->asked[i].is_known || memcmp(was.mac, g->asked[i].mac, sizeof(was.mac)) != 0)
      tell(g, &g->asked[i]);
  }
}

static void on_neighbour(struct neigh *g, const struct nlmsghdr *h) {
  struct ndmsg m;
  struct rtattr *found[NDA_MAX + 1];
  if (h->nlmsg_len < NLMSG_LENGTH(sizeof(m)))
    return;
  memcpy(&m, NLMSG_DATA(h), sizeof(m));
  attributes(h, sizeof(m), found, NDA_MAX);
  if (m.ndm_ifindex != (int)g->ifindex || !found[NDA_DST])
    return;
  for (uint32_t i = 0; i < g->n_asked; i++) {
    struct asked *a = &g->asked[i], was = *a;
    size_t n = ip_bytes(&a->key);
    if (a->key.family != m.ndm_family || RTA_PAYLOAD(found[NDA_DST]) != n ||
        memcmp(a->via, RTA_DATA(found[NDA_DST]), n) != 0)
      continue;
    take_neighbour(a, h);
    if (was.is_known != a->is_known || memcmp(was.mac, a->mac, sizeof(was.mac)) != 0)
      tell(g, a);
  }
}

/* All hops anew, but not more often than AGAIN_US. */
static void be_stale(struct neigh *g) {
  if (!g->is_stale)
    loop_arm(g->loop, &g->again, AGAIN_US);
  g->is_stale = true;
}

static void on_event(void *arg, uint32_t events) {
  struct neigh *g = arg;
  struct text t;
  (void)events;
  for (;;) {
    ssize_t n = recv(g->event_fd, t.bytes, sizeof(t.bytes), MSG_DONTWAIT);
    if (n < 0 && errno == ENOBUFS) /* some were lost */
      be_stale(g);
    else if (n <= 0)
      return;
    int left = (int)n;
    for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)t.bytes; n > 0 && NLMSG_OK(h, (unsigned)left);
         h = NLMSG_NEXT(h, left))
      if (h->nlmsg_type == RTM_NEWNEIGH || h->nlmsg_type == RTM_DELNEIGH)
        on_neighbour(g, h);
      else
        be_stale(g);
  }
}

/* Workers ----------------------------------------------------------------------------------------------
 */
void neigh_ask(struct neigh *g, uint32_t worker, const struct hop_key *key) {
  uint64_t one = 1;
  if (ring_put(&g->asks[worker], key))
    (void)!write(g->wake_fd, &one, sizeof(one));
}

bool neigh_get(struct neigh *g, uint32_t worker, struct hop_answer *ret) {
  return ring_get(&g->answers[worker], ret);
}

/* Life -------------------------------------------------------------------------------------------------
 */
static int open_netlink(int *ret_fd, uint32_t groups) {
  struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = groups};
  struct timeval wait = {.tv_usec = ANSWER_MS * 1000};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0)
    return -errno;
  *ret_fd = fd;
  if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
    return -errno;
  return 0;
}

static int make_rings(struct neigh *g) {
  int error = 0;
  g->asks = aligned_alloc(_Alignof(struct ring), g->workers * sizeof(*g->asks));
  g->answers = aligned_alloc(_Alignof(struct ring), g->workers * sizeof(*g->answers));
  g->asked = calloc(NEIGH_HOPS_MAX, sizeof(*g->asked));
  if (!g->asks || !g->answers || !g->asked)
    return -ENOMEM;
  memset(g->asks, 0, g->workers * sizeof(*g->asks));
  memset(g->answers, 0, g->workers * sizeof(*g->answers));
  for (uint32_t i = 0; !error && i < g->workers; i++) {
    error = ring_init(&g->asks[i], sizeof(struct hop_key), RING);
    if (!error)
      error = ring_init(&g->answers[i], sizeof(struct hop_answer), RING);
  }
  return error;
}

int neigh_new(struct neigh **ret, unsigned ifindex, const struct addr *ours, unsigned n_ours,
              uint32_t workers) {
  own(neigh) g = calloc(1, sizeof(*g));
  if (!g)
    return -ENOMEM;
  g->ifindex = ifindex;
  g->workers = workers;
  g->ask_fd = g->event_fd = -1;
  for (unsigned i = 0; i < n_ours && i < OURS_MAX; i++)
    g->ours[g->n_ours++] = ours[i];
  g->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (g->wake_fd < 0)
    return -errno;
  int error = make_rings(g);
  if (!error)
    error = open_netlink(&g->ask_fd, 0);
  if (!error)
    error =
        open_netlink(&g->event_fd, RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                                       RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1));
  if (error)
    return error;
  *ret = take(g);
  return 0;
}

int neigh_watch(struct neigh *g, struct loop *l) {
  g->loop = l;
  g->on_ask = (struct watch){.fd = g->wake_fd, .fn = on_ask, .arg = g};
  g->on_event = (struct watch){.fd = g->event_fd, .fn = on_event, .arg = g};
  g->again = (struct timer){.fn = find_all, .arg = g};
  int error = loop_watch(l, &g->on_ask, EPOLLIN);
  return error ? error : loop_watch(l, &g->on_event, EPOLLIN);
}

struct neigh *neigh_free(struct neigh *g) {
  if (!g)
    return NULL;
  if (g->loop) {
    loop_disarm(g->loop, &g->again);
    loop_unwatch(g->loop, &g->on_ask);
    loop_unwatch(g->loop, &g->on_event);
  }
  for (uint32_t i = 0; i < g->workers; i++) {
    if (g->asks)
      ring_done(&g->asks[i]);
    if (g->answers)
      ring_done(&g->answers[i]);
  }
  free(g->asks);
  free(g->answers);
  free(g->asked);
  own_fd_close(&g->ask_fd);
  own_fd_close(&g->event_fd);
  own_fd_close(&g->wake_fd);
  free(g);
  return NULL;
}
