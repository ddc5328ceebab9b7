/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of guard share: the object, compiled rules of peers and proxies, the rooms' entries.
 * Inside guard. */
#pragma once
#include "base/map.h"
#include "conf/host.h"
#include "guard/caps.h"
#include "guard/guard.h"

enum {
  GUARD_RULES_MAX = 2 * CONF_LIST_MAX,
  GUARD_NOTES_MAX = 8192,
  GUARD_STATES_MAX = 2 * CONF_TRUNKS_MAX
};

enum role { ROLE_STRANGER, ROLE_PEER, ROLE_PROXY };

struct peer_rules { /* one trunk's peers and proxies, compiled */
  uint32_t n;
  struct {
    struct host_rule host;
    uint8_t role; /* role is ROLE_PEER or ROLE_PROXY. */
  } rule[GUARD_RULES_MAX];
  bool has_names; /* has_names: known by certificate name on TLS */
};

struct trunk_state { /* lives on over a reload, by name */
  char name[CONF_NAME_BYTES];
  uint32_t live;
  struct bucket bucket;
};

struct note { /* an INVITE that we sent */
  char trunk[CONF_NAME_BYTES];
  char caller[ASK_NUMBER_BYTES], called[ASK_NUMBER_BYTES];
  char session_id[33];
  uint64_t at_us;
  bool used;
};

struct guard {
  const struct conf *conf;
  struct peer_rules *rules; /* rules has one for each trunk of conf, in its order. */
  struct trunk_state states[GUARD_STATES_MAX];
  uint32_t n_states, live;
  struct note *notes; /* notes is a ring of GUARD_NOTES_MAX, the oldest overwritten. */
  uint32_t next_note;
  struct map *by_session, *by_pair;
  struct bans *bans;
  struct caps *caps;
  struct counts counts;
  bool is_rehearsal;
};

/* ban.c */
struct bans *bans_new(void); /* NULL without memory */
struct bans *bans_free(struct bans *b);
/* peer.c */
void peer_rules_compile(struct peer_rules *ret, const struct conf_trunk *t);
/* The role of a host as written; PROXY where it is both. default_port stands in for an absent one. */
enum role peer_role(const struct peer_rules *p, struct slice host, uint16_t default_port);
const struct peer_rules *guard_rules(const struct guard *g, const struct conf_trunk *t);
struct trunk_state *guard_state(struct guard *g, const struct conf_trunk *t);
/* chain.c */
const char *guard_file_name(const struct guard *g); /* of the configuration, without folders */
struct verdict chain_check(const struct guard *g, const struct ask *ask);
struct verdict chain_answer_check(const struct guard *g, const struct conf_trunk *t,
                                  const struct ask_hosts *record_routes, struct slice contact_host,
                                  const struct ask_hosts *subjects);
/* hairpin.c */
struct verdict loop_check(const struct guard *g, const struct ask *ask);
struct verdict hairpin_check(const struct guard *g, const struct ask *ask, uint64_t now_us);
