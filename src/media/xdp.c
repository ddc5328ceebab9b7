/* SPDX-License-Identifier: Apache-2.0
 * The XDP program and what belongs to it: see xdp.h. The program is assembled here: our addresses are
 * constants in it. All that is not plainly ours is the kernel's (XDP_PASS). */
#include "media/xdp.h"

#include "base/log.h"
#include "media/media.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { INSNS_MAX = 200, WANTS_MAX = 120, PORTS = 65536 };
enum { HEAD4 = 14 + 20 + 8, HEAD6 = 14 + 40 + 8 };

/* Text -----------------------------------------------------------------------------------------------
 */
enum label { PASS, IS_V6, FOUND4, FOUND6, LOOKUP, NEXT, LABELS_ = NEXT + XDP_ADDRESSES_MAX };
enum reg { R0, R1, R2_DATA, R3, R4, R5, R6_CTX, R7, R8_ADDRESS, R9, R10_STACK };

struct text {
  struct bpf_insn at[INSNS_MAX];
  unsigned n, n_wants;
  struct {
    unsigned at;
    enum label to;
  } wants[WANTS_MAX];
  unsigned labels[LABELS_];
};

static void put(struct text *t, int code, enum reg dst, enum reg src, int off, int32_t imm) {
  t->at[t->n++] = (struct bpf_insn){.code = (uint8_t)code,
                                    .dst_reg = (uint8_t)(dst & 15),
                                    .src_reg = (uint8_t)(src & 15),
                                    .off = (int16_t)off,
                                    .imm = imm};
}

static void put_load(struct text *t, int size, enum reg dst, enum reg src, int off) {
  put(t, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

static void put_set(struct text *t, enum reg dst, int32_t imm) {
  put(t, BPF_ALU64 | BPF_MOV | BPF_K, dst, R0, 0, imm);
}

static void put_copy(struct text *t, enum reg dst, enum reg src) {
  put(t, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void put_label(struct text *t, enum label l) { t->labels[l] = t->n; }

static void want(struct text *t, enum label to) {
  t->wants[t->n_wants].at = t->n;
  t->wants[t->n_wants++].to = to;
}

/* Compares 32 bits. */
static void put_if(struct text *t, int op, enum reg r, uint32_t imm, enum label to) {
  want(t, to);
  put(t, BPF_JMP32 | op | BPF_K, r, R0, 0, (int32_t)imm);
}

static void put_if_reg(struct text *t, int op, enum reg a, enum reg b, enum label to) {
  want(t, to);
  put(t, BPF_JMP | op | BPF_X, a, b, 0, 0);
}

static void put_map(struct text *t, enum reg dst, int fd) {
  put(t, BPF_LD | BPF_DW | BPF_IMM, dst, (enum reg)BPF_PSEUDO_MAP_FD, 0, fd);
  put(t, 0, R0, R0, 0, 0);
}

static void resolve(struct text *t) {
  for (unsigned i = 0; i < t->n_wants; i++)
    t->at[t->wants[i].at].off = (int16_t)(t->labels[t->wants[i].to] - t->wants[i].at - 1);
}

/* The program ------------------------------------------------------------------------------------------
 */
static uint32_t u32_at(const void *p) {
  uint32_t v;
  memcpy(&v, p, sizeof(v));
  return v;
}

/* R3: the end; R4 is used. */
static void put_bounds(struct text *t, int at_least) {
  put_copy(t, R4, R2_DATA);
  put(t, BPF_ALU64 | BPF_ADD | BPF_K, R4, R0, 0, at_least);
  put_if_reg(t, BPF_JGT, R4, R3, PASS);
}

static void put_ethernet(struct text *t, const uint8_t mac[6]) {
  put_copy(t, R6_CTX, R1);
  put_load(t, BPF_W, R2_DATA, R6_CTX, offsetof(struct xdp_md, data));
  put_load(t, BPF_W, R3, R6_CTX, offsetof(struct xdp_md, data_end));
  put_copy(t, R4, R2_DATA);
  put(t, BPF_ALU64 | BPF_ADD | BPF_K, R4, R0, 0, XSK_IN_MAX);
  put_if_reg(t, BPF_JLT, R4, R3, PASS);
  put_bounds(t, HEAD4);
  put_load(t, BPF_W, R5, R2_DATA, 0);
  put_if(t, BPF_JNE, R5, u32_at(mac), PASS);
  put_load(t, BPF_H, R5, R2_DATA, 4);
  put_if(t, BPF_JNE, R5, (uint32_t)(uint16_t)(mac[4] | mac[5] << 8), PASS);
  put_load(t, BPF_H, R5, R2_DATA, 12);
  put_if(t, BPF_JEQ, R5, htons(ETH_P_IPV6), IS_V6);
  put_if(t, BPF_JNE, R5, htons(ETH_P_IP), PASS);
}

static void put_jump(struct text *t, enum label to) {
  want(t, to);
  put(t, BPF_JMP | BPF_JA, R0, R0, 0, 0);
}

static bool has_family(const struct xdp_options *o, int family) {
  for (unsigned i = 0; i < o->n_addresses; i++)
    if (addr_family(&o->addresses[i]) == family)
      return true;
  return false;
}

static void put_v4(struct text *t, const struct xdp_options *o) {
  if (!has_family(o, AF_INET)) { /* the verifier takes no text that is never reached */
    put_jump(t, PASS);
    return;
  }
  put_load(t, BPF_B, R5, R2_DATA, 14);
  put_if(t, BPF_JNE, R5, 0x45, PASS);
  put_load(t, BPF_B, R5, R2_DATA, 14 + 9);
  put_if(t, BPF_JNE, R5, IPPROTO_UDP, PASS);
  put_load(t, BPF_H, R5, R2_DATA, 14 + 6);
  put_if(t, BPF_JSET, R5, htons(IP_MF | IP_OFFMASK), PASS);
  put_load(t, BPF_W, R5, R2_DATA, 14 + 16);
  for (unsigned i = 0; i < o->n_addresses; i++) {
    if (addr_family(&o->addresses[i]) != AF_INET)
      continue;
    put_set(t, R8_ADDRESS, (int32_t)i);
    put_if(t, BPF_JEQ, R5, o->addresses[i].in4.sin_addr.s_addr, FOUND4);
  }
  put_jump(t, PASS);
  put_label(t, FOUND4);
  put_load(t, BPF_H, R5, R2_DATA, HEAD4 - 6);
  put_jump(t, LOOKUP);
}

static void put_v6(struct text *t, const struct xdp_options *o) {
  put_label(t, IS_V6);
  if (!has_family(o, AF_INET6)) {
    put_jump(t, PASS);
    return;
  }
  put_bounds(t, HEAD6);
  put_load(t, BPF_B, R5, R2_DATA, 14 + 6);
  put_if(t, BPF_JNE, R5, IPPROTO_UDP, PASS);
  for (unsigned i = 0; i < o->n_addresses; i++) {
    if (addr_family(&o->addresses[i]) != AF_INET6)
      continue;
    const uint8_t *ip = o->addresses[i].in6.sin6_addr.s6_addr;
    put_set(t, R8_ADDRESS, (int32_t)i);
    for (int word = 0; word < 4; word++) {
      put_load(t, BPF_W, R5, R2_DATA, 14 + 24 + 4 * word);
      put_if(t, BPF_JNE, R5, u32_at(ip + 4 * word), (enum label)(NEXT + i));
    }
    put_jump(t, FOUND6);
    put_label(t, (enum label)(NEXT + i));
  }
  put_jump(t, PASS);
  put_label(t, FOUND6);
  put_load(t, BPF_H, R5, R2_DATA, HEAD6 - 6);
}

/* The port's worker must own the queue: the frame cannot go to the socket of another. */
static void put_lookup(struct text *t, const struct xdp *x) {
  put_label(t, LOOKUP);
  put(t, BPF_STX | BPF_MEM | BPF_W, R10_STACK, R5, -4, 0);
  put_map(t, R1, x->ports_fd);
  put_copy(t, R2_DATA, R10_STACK);
  put(t, BPF_ALU64 | BPF_ADD | BPF_K, R2_DATA, R0, 0, -4);
  put(t, BPF_JMP | BPF_CALL, R0, R0, 0, BPF_FUNC_map_lookup_elem);
  want(t, PASS);
  put(t, BPF_JMP | BPF_JEQ | BPF_K, R0, R0, 0, 0);
  put(t, BPF_ALU64 | BPF_ADD | BPF_X, R0, R8_ADDRESS, 0, 0);
  put_load(t, BPF_B, R5, R0, 0);
  put_load(t, BPF_W, R2_DATA, R6_CTX, offsetof(struct xdp_md, rx_queue_index));
  put_copy(t, R4, R2_DATA);
  put(t, BPF_ALU64 | BPF_MOD | BPF_K, R4, R0, 0, (int32_t)x->options.workers);
  put(t, BPF_ALU64 | BPF_ADD | BPF_K, R4, R0, 0, 1);
  put_if_reg(t, BPF_JNE, R4, R5, PASS);
  put_map(t, R1, x->queues_fd);
  put_set(t, R3, XDP_PASS); /* where the queue has no socket */
  put(t, BPF_JMP | BPF_CALL, R0, R0, 0, BPF_FUNC_redirect_map);
  put(t, BPF_JMP | BPF_EXIT, R0, R0, 0, 0);
  put_label(t, PASS);
  put_set(t, R0, XDP_PASS);
  put(t, BPF_JMP | BPF_EXIT, R0, R0, 0, 0);
}

/* The kernel's side ------------------------------------------------------------------------------------
 */
static int bpf_call(int what, union bpf_attr *a) {
  int fd = (int)syscall(SYS_bpf, what, a, sizeof(*a));
  return fd < 0 ? -errno : fd;
}

static int make_map(int *ret_fd, uint32_t type, uint32_t value_bytes, uint32_t n, uint32_t flags) {
  union bpf_attr a = {
      .map_type = type, .key_size = 4, .value_size = value_bytes, .max_entries = n, .map_flags = flags};
  *ret_fd = bpf_call(BPF_MAP_CREATE, &a);
  return *ret_fd < 0 ? *ret_fd : 0;
}

static int load_program(struct xdp *x) {
  struct text *t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  put_ethernet(t, x->mac);
  put_v4(t, &x->options);
  put_v6(t, &x->options);
  put_lookup(t, x);
  resolve(t);
  union bpf_attr a = {.prog_type = BPF_PROG_TYPE_XDP,
                      .insn_cnt = t->n,
                      .insns = (uintptr_t)t->at,
                      .license = (uintptr_t) "Apache-2.0",
                      .expected_attach_type = BPF_XDP,
                      .prog_name = "sallyport"};
  x->program_fd = bpf_call(BPF_PROG_LOAD, &a);
  free(t);
  return x->program_fd < 0 ? x->program_fd : 0;
}

/* In the driver where it can, else behind it. Another program is not displaced (-EBUSY). */
static int attach(struct xdp *x) {
  static const uint32_t ways[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
  for (unsigned i = 0; i < COUNT_OF(ways) && x->link_fd < 0 && x->link_fd != -EBUSY; i++) {
    union bpf_attr a = {.link_create = {.prog_fd = (uint32_t)x->program_fd,
                                        .target_ifindex = x->ifindex,
                                        .attach_type = BPF_XDP,
                                        .flags = ways[i]}};
    x->link_fd = bpf_call(BPF_LINK_CREATE, &a);
  }
  return x->link_fd < 0 ? x->link_fd : 0;
}

/* As many queues as the interface has: the first that it has not is no failure. */
static int make_sockets(struct xdp *x) {
  int error = 0;
  while (!error && x->n_queues < XDP_QUEUES_MAX) {
    uint32_t queue = x->n_queues;
    error = xsk_new(&x->queues[queue], x->ifindex, queue);
    if (error)
      break;
    x->n_queues++;
    uint32_t fd = (uint32_t)x->queues[queue]->fd;
    union bpf_attr a = {
        .map_fd = (uint32_t)x->queues_fd, .key = (uintptr_t)&queue, .value = (uintptr_t)&fd};
    error = bpf_call(BPF_MAP_UPDATE_ELEM, &a);
  }
  return error == -EINVAL && x->n_queues ? 0 : error;
}

static int map_ports(struct xdp *x) {
  void *p = mmap(NULL, sizeof(*x->ports) * PORTS, PROT_READ | PROT_WRITE, MAP_SHARED, x->ports_fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  x->ports = p;
  return 0;
}

static int find_interface(struct xdp *x) {
  struct ifreq r = {0};
  own_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  x->ifindex = if_nametoindex(x->options.interface);
  if (!x->ifindex || fd < 0 ||
      slice_copy(r.ifr_name, sizeof(r.ifr_name), slice_of(x->options.interface)) < 0)
    return -ENODEV;
  if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
    return -errno;
  memcpy(x->mac, r.ifr_hwaddr.sa_data, sizeof(x->mac));
  return r.ifr_hwaddr.sa_family == ARPHRD_ETHER ? 0 : -ENODEV;
}

static int make(struct xdp *x, const char **ret_text) {
  *ret_text = "media.xdp_interface";
  int error = find_interface(x);
  if (error)
    return error;
  *ret_text = "the maps of the XDP program";
  error = make_map(&x->ports_fd, BPF_MAP_TYPE_ARRAY, sizeof(*x->ports), PORTS, BPF_F_MMAPABLE);
  if (!error)
    error = make_map(&x->queues_fd, BPF_MAP_TYPE_XSKMAP, 4, XDP_QUEUES_MAX, 0);
  if (!error)
    error = map_ports(x);
  if (error)
    return error;
  *ret_text = "the XDP program";
  error = load_program(x);
  if (error)
    return error;
  *ret_text = "the AF_XDP sockets";
  error = make_sockets(x);
  if (error)
    return error;
  *ret_text = "the routes";
  error =
      neigh_new(&x->neigh, x->ifindex, x->options.addresses, x->options.n_addresses, x->options.workers);
  if (error)
    return error;
  *ret_text = "the XDP program on its interface";
  return attach(x);
}

int xdp_new(struct xdp **ret, const struct xdp_options *o, const char **ret_text) {
  own(xdp) x = calloc(1, sizeof(*x));
  if (!x)
    return -ENOMEM;
  x->options = *o;
  x->ports_fd = x->queues_fd = x->program_fd = x->link_fd = -1;
  int error = make(x, ret_text);
  x->options.interface = NULL; /* the caller's */
  if (error)
    return error;
  *ret = take(x);
  return 0;
}

struct xdp *xdp_free(struct xdp *x) {
  if (!x)
    return NULL;
  own_fd_close(&x->link_fd);
  for (unsigned i = 0; i < x->n_queues; i++)
    xsk_free(x->queues[i]);
  neigh_free(x->neigh);
  if (x->ports)
    munmap(x->ports, sizeof(*x->ports) * PORTS);
  own_fd_close(&x->program_fd);
  own_fd_close(&x->ports_fd);
  own_fd_close(&x->queues_fd);
  free(x);
  return NULL;
}

unsigned xdp_address(const struct xdp *x, const struct addr *a) {
  for (unsigned i = 0; i < x->options.n_addresses; i++)
    if (addr_eq_ip(&x->options.addresses[i], a))
      return i;
  return XDP_ADDRESSES_MAX;
}

void xdp_set_port(struct xdp *x, unsigned address, uint16_t port, uint8_t owner) {
  __atomic_store_n(&x->ports[htons(port)][address], owner, __ATOMIC_RELAXED);
}

void xdp_choose(struct media_options *o, struct loop *l) {
  const char *text = "memory";
  struct xdp_options x = {.interface = o->xdp_interface,
                          .n_addresses = o->n_addresses,
                          .workers = o->workers,
                          .dscp = (uint8_t)o->dscp};
  _Static_assert((int)MSET_ADDRS_MAX <= (int)XDP_ADDRESSES_MAX, "the map has room for each address");
  if (strcmp(o->backend, "af_xdp") != 0)
    return;
  for (uint32_t i = 0; i < o->n_addresses; i++)
    x.addresses[i] = o->addresses[i].bind;
  int error = xdp_new(&o->xdp, &x, &text);
  if (!error)
    error = neigh_watch(o->xdp->neigh, l);
  if (!error)
    return;
  log_warn(media, "no af_xdp on interface \"%s\": %s: %s; auto is taken", o->xdp_interface, text,
           strerror(-error));
  o->xdp = xdp_free(o->xdp);
  memcpy(o->backend, "auto", sizeof("auto"));
}
