/* SPDX-License-Identifier: Apache-2.0
 * A rig around the call model: doors, guard, routes and store are fakes that write down what they
 * were asked, the media process is the other end of a socket, time is virtual. What happened is text:
 * legs are letters (the caller A, callees B, C …), media sessions numbers in the order of OPEN. */
#pragma once
#include "call/inner.h"

struct rig {
  struct loop *loop;
  struct conf conf;
  struct conf_user users[4];
  struct calls *calls;
  /* media process */
  char path[64];
  int listen_fd, peer_fd, facts_fd;
  int fail_link;        /* fail_link: LINK is answered by this errno. */
  bool capped; /* capped: a cap refuses. capped_live counts those that hold one. */
  int capped_live;
  uint64_t talked_us;
  bool fail_open, mute; /* mute: it reads and answers nothing */
  uint64_t sessions[64];
  uint32_t n_sessions;
  struct mset_remote remote[64]; /* the last REMOTE of each session, by ordinal - 1 */
  /* what happened */
  char log[8192], media[8192];
  struct verdict verdict; /* of the last reoffered or operation */
  struct desc local;      /* of the last reoffered */
  bool reoffered;
  /* fakes' behaviour */
  struct route_decision route, forward; /* forward is the decision for calls that are led elsewhere. */
  struct route_decision verified;       /* verified is the decision once a signature was looked at. */
  int ranks[4];                         /* ranks of the trunks, in their order */
  bool verifies;                        /* verifies: trunks' calls wait for leg_verified. */
  const char *full;                     /* full is a trunk that guard takes no calls for. */
  struct verdict admit, admit_out;
  uint32_t devices, live; /* devices that the native door rings; calls counted by guard */
  uint32_t noted;         /* outbound calls that guard was told of */
  char next_letter;
  struct verdict ring;
  uint32_t n_records;
  struct record record[64];
};
extern struct rig rig;

void rig_start(void); /* media process connected */
void rig_stop(void);
void rig_turn(void);        /* until nothing happens */
void rig_pass(uint64_t ms); /* virtual time passes */
void rig_step_wall(int64_t ms); /* somebody sets the machine's clock */
void rig_media_lose(void);
void rig_media_listen(void);
struct leg *rig_place_native(const char *offer);  /* alice calls out; NULL when refused (rig.verdict) */
struct leg *rig_place_trunk(const char *offer);   /* NULL: late offer */
struct leg *rig_place_between(const char *offer); /* a trunk calls a trunk */
struct leg *rig_leg(char letter);                 /* NULL when gone */
struct desc rig_desc(const char *sdp);
/* As the media process. n is the session's ordinal. */
void rig_state(uint32_t n, uint32_t ice, uint32_t dtls);
void rig_flow(uint32_t n, bool on);
void rig_digit(uint32_t n, char digit);
void rig_quality(uint32_t n, bool up, double loss);
void rig_oneway(uint32_t n, bool on);
void rig_played(uint32_t n, int error); /* PLAY_DONE */
void rig_event(uint32_t n, enum mset_type type);
const char *rig_log(void);   /* what doors were told since the last time */
const char *rig_media(void); /* commands since the last time */

extern const char sdp_chromium[], sdp_chromium_moved[], sdp_chromium_reloaded[], sdp_chromium_hold[],
    sdp_device_answer[], sdp_trunk_srtp[], sdp_trunk_plain[], sdp_trunk_hold[], sdp_trunk_answer[],
    sdp_trunk_answer_fork[];
