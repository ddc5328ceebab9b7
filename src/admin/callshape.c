/* SPDX-License-Identifier: Apache-2.0
 * What answers about live calls, their timelines and digits hold. The rows are made by native/rows.c and
 * timeline.c; the scenario "api" holds each against these tables. Pure. */
#include "admin/verb.h"

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };

static SHAPE(call_media, {"rx_packets", SHAPE_INT, M, .help = "Received from the peer of the leg"},
             {"rx_lost", SHAPE_INT, M}, {"tx_packets", SHAPE_INT, M},
             {"wrong_source", SHAPE_INT, M, .help = "Dropped: they came from elsewhere"});
static SHAPE(call_leg, {"role", SHAPE_TEXT, M, .choices = "caller|callee"},
             {"door", SHAPE_TEXT, M, .help = "trunk, native, or gateway"},
             {"peer", SHAPE_TEXT, N, .help = "The trunk's name or the user's"},
             {"state", SHAPE_TEXT, M, .choices = "opening|trying|ringing|early|answered|live|ended"},
             {"address", SHAPE_TEXT, N, .help = "Where its signaling comes from"},
             {"held", SHAPE_BOOL, M, .help = "We hold it"},
             {"srtp", SHAPE_TEXT, M, .help = "The suite, or none"}, {"codec", SHAPE_TEXT, N},
             {"media", SHAPE_OBJECT, 0, .inner = &shape_call_media,
              .help = "Absent: no packets are counted (yet)"});
SHAPE(call, {"id", SHAPE_TEXT, M}, {"direction", SHAPE_TEXT, M, .choices = "in|out"},
      {"state", SHAPE_TEXT, M, .choices = "trying|ringing|live"}, {"from", SHAPE_TEXT, N},
      {"to", SHAPE_TEXT, N}, {"trunk", SHAPE_TEXT, N}, {"user", SHAPE_TEXT, N},
      {"started_at", SHAPE_TIME, N}, {"answered_at", SHAPE_TIME, N}, {"duration_ms", SHAPE_INT, N},
      {"codec", SHAPE_TEXT, N, .help = "Of the trunk's leg"},
      {"mos", SHAPE_NUMBER, N, .help = "Of the worst direction, 1 to 5; null: not known yet"},
      {"cause", SHAPE_TEXT, N, .help = "What is wrong with it, in one sentence"},
      {"answered", SHAPE_BOOL, M}, {"created_at", SHAPE_TIME, N, .help = "As started_at"},
      {"legs", SHAPE_LIST, M, .inner = &shape_call_leg});
SHAPE(calls, {"calls", SHAPE_LIST, M, .inner = &shape_call},
      {"cursor", SHAPE_TEXT, N, .help = "Null where these are all"});
SHAPE(call_gone, {"id", SHAPE_TEXT, M});

static SHAPE(timeline_data, {"local", SHAPE_TEXT, N, .help = "Our address"},
             {"transport", SHAPE_TEXT, N}, {"again", SHAPE_BOOL, M, .help = "A retransmission"});
static SHAPE(timeline_item, {"t_us", SHAPE_INT, M, .help = "Since started_at"},
             {"lane", SHAPE_TEXT, M, .help = "gateway, caller, media, callee, callee2 …"},
             {"dir", SHAPE_TEXT, N, .choices = "in|out"}, {"kind", SHAPE_TEXT, M},
             {"title", SHAPE_TEXT, N}, {"peer", SHAPE_TEXT, N},
             {"text", SHAPE_TEXT, N, .help = "The whole message, secrets cut out"},
             {"sdp", SHAPE_BOOL, M, .help = "There is a session description in text"},
             {"data", SHAPE_OBJECT, N, .inner = &shape_timeline_data});
static SHAPE(timeline_media, {"leg", SHAPE_TEXT, M}, {"direction", SHAPE_TEXT, M, .choices = "rx|tx"},
             {"step_ms", SHAPE_INT, M},
             {"points", SHAPE_LIST, M | SHAPE_OF_POINT,
              .help = "Each: second, packets, lost, jitter ms, level dB, failed authentications, "
                      "from a wrong source"});
static SHAPE(timeline_client, {"t_us", SHAPE_INT, M}, {"leg", SHAPE_TEXT, M},
             {"data", SHAPE_ANY, M, .help = "The client's own statistics"});
SHAPE(timeline, {"call", SHAPE_TEXT, M}, {"started_at", SHAPE_TIME, M},
      {"state", SHAPE_TEXT, M, .choices = "live|ended"},
      {"truncated", SHAPE_BOOL, M, .help = "Something of it is lost"}, {"config_version", SHAPE_TEXT, M},
      {"cause", SHAPE_TEXT, N}, {"lanes", SHAPE_LIST, M | SHAPE_OF_TEXT},
      {"items", SHAPE_LIST, M, .inner = &shape_timeline_item},
      {"media", SHAPE_LIST, M, .inner = &shape_timeline_media},
      {"client", SHAPE_LIST, M, .inner = &shape_timeline_client});

static SHAPE(digits_leg, {"role", SHAPE_TEXT, M}, {"digits", SHAPE_TEXT, M});
SHAPE(digits, {"legs", SHAPE_LIST, M, .inner = &shape_digits_leg});
