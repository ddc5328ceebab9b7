/* SPDX-License-Identifier: Apache-2.0
 * What answers about records and refusals hold: show.c and refusals.c make them. Pure. */
#include "admin/verb.h"

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };

static SHAPE(record_flow, {"packets", SHAPE_INT, M}, {"bytes", SHAPE_INT, M}, {"lost", SHAPE_INT, M},
             {"jitter_ms", SHAPE_NUMBER, M}, {"mos", SHAPE_NUMBER, N}, {"auth_failures", SHAPE_INT, M});
static SHAPE(record_leg, {"role", SHAPE_TEXT, M, .choices = "caller|callee"},
             {"kind", SHAPE_TEXT, M, .choices = "none|trunk|native"}, {"peer", SHAPE_TEXT, N},
             {"sip_call_id", SHAPE_TEXT, N}, {"remote_addr", SHAPE_TEXT, N},
             {"media_addr", SHAPE_TEXT, N}, {"local_user", SHAPE_TEXT, N},
             {"remote_user", SHAPE_TEXT, N}, {"device", SHAPE_TEXT, N}, {"codec", SHAPE_TEXT, N},
             {"srtp", SHAPE_TEXT, N}, {"dtls", SHAPE_TEXT, N},
             {"rx", SHAPE_OBJECT, M, .inner = &shape_record_flow},
             {"tx", SHAPE_OBJECT, M, .inner = &shape_record_flow}, {"rtt_ms", SHAPE_NUMBER, N},
             {"mos", SHAPE_NUMBER, N}, {"silent_ms", SHAPE_INT, M}, {"dtmf_in", SHAPE_INT, M},
             {"dtmf_out", SHAPE_INT, M});
static SHAPE(record_end, {"reason", SHAPE_TEXT, N}, {"by", SHAPE_TEXT, N}, {"sip", SHAPE_INT, N},
             {"q850", SHAPE_INT, N}, {"rule", SHAPE_TEXT, N}, {"detail", SHAPE_TEXT, N});
static SHAPE(record_session, {"local", SHAPE_TEXT, N}, {"remote", SHAPE_TEXT, N});
static SHAPE(record_attempt, {"trunk", SHAPE_TEXT, 0, .help = "Led to this trunk, or"},
             {"user", SHAPE_TEXT, 0, .help = "to this user"},
             {"began_ms", SHAPE_INT, M, .help = "Since 1970"},
             {"ms", SHAPE_INT, 0, .help = "How long; absent: it lives"}, {"reason", SHAPE_TEXT, 0},
             {"sip", SHAPE_INT, 0});
SHAPE(record, {"id", SHAPE_TEXT, M}, {"call", SHAPE_TEXT, N, .help = "Its id while it lived"},
      {"direction", SHAPE_TEXT, M, .choices = "in|out"},
      {"state", SHAPE_TEXT, M, .choices = "live|ended|refused"}, {"from", SHAPE_TEXT, N},
      {"to", SHAPE_TEXT, N}, {"identity", SHAPE_TEXT, N}, {"tenant", SHAPE_TEXT, N},
      {"started_at", SHAPE_TIME, N}, {"ringing_at", SHAPE_TIME, N},
      {"early_at", SHAPE_TIME, N, .help = "Media before the answer were heard"}, {"answered_at", SHAPE_TIME, N},
      {"ended_at", SHAPE_TIME, N}, {"pdd_ms", SHAPE_INT, N, .help = "Post-dial delay"},
      {"ring_ms", SHAPE_INT, N}, {"setup_ms", SHAPE_INT, N}, {"duration_ms", SHAPE_INT, N},
      {"session_id", SHAPE_OBJECT, M, .inner = &shape_record_session, .help = "RFC 7989"},
      {"billing_id", SHAPE_TEXT, N, .help = "That both sides of a dispute can match"},
      {"end", SHAPE_OBJECT, N, .inner = &shape_record_end},
      {"legs", SHAPE_LIST, M, .inner = &shape_record_leg, .help = "Caller, callee"},
      {"verified", SHAPE_TEXT, N, .help = "A, B, C: the attestation; V, failed, none"},
      {"attempts", SHAPE_LIST, N, .inner = &shape_record_attempt},
      {"cause", SHAPE_TEXT, N, .help = "Why it failed or sounded bad, a word for programs"},
      {"cause_text", SHAPE_TEXT, N, .help = "The same in one sentence"},
      {"cause_advice", SHAPE_TEXT, N, .help = "What to do about it"}, {"interim", SHAPE_INT, M},
      {"repeats", SHAPE_INT, M, .help = "Refusals alike that it stands for, beside itself"},
      {"telemetry", SHAPE_ANY, N, .help = "The client's own statistics"},
      {"metadata", SHAPE_ANY, N, .help = "What the application gave"},
      {"config_version", SHAPE_TEXT, M});
SHAPE(records, {"records", SHAPE_LIST, M, .inner = &shape_record}, {"cursor", SHAPE_TEXT, N});

static SHAPE(refusal, {"id", SHAPE_TEXT, M, .help = "Of the newest one's record"}, {"at", SHAPE_TIME, M},
             {"rule", SHAPE_TEXT, N}, {"status", SHAPE_INT, M}, {"trunk", SHAPE_TEXT, N},
             {"source", SHAPE_TEXT, N}, {"from", SHAPE_TEXT, N}, {"to", SHAPE_TEXT, N},
             {"detail", SHAPE_TEXT, N}, {"count", SHAPE_INT, M, .help = "How many alike in this page"});
SHAPE(refusals, {"refusals", SHAPE_LIST, M, .inner = &shape_refusal},
      {"looked", SHAPE_INT, M, .help = "How many stored ones were looked at for this page, 1000 at most"},
      {"oldest_at", SHAPE_TIME, N, .help = "The last of them"},
      {"cursor", SHAPE_TEXT, N, .help = "Where the next page goes on, also where no row fitted; null: that was all"});
