/* SPDX-License-Identifier: Apache-2.0
 * Records as JSON: see show.h. */
#include "admin/show.h"

#include "trace/trace.h"

#include <inttypes.h>
#include <stdio.h>

/* A peer's bytes that are no UTF-8 are shown escaped. */
static json_t *text_or_null(const char *text) {
  char safe[1200];
  if (!text[0])
    return json_null();
  json_t *j = json_string(text);
  return j ? j : json_string(slice_escape(safe, sizeof(safe), slice_of(text)));
}

static json_t *number_or_null(uint64_t v) { return v ? json_integer((json_int_t)v) : json_null(); }

static json_t *span_or_null(uint64_t from_ms, uint64_t to_ms) {
  return from_ms && to_ms >= from_ms ? json_integer((json_int_t)(to_ms - from_ms)) : json_null();
}

static json_t *stored_json(const char *text) {
  json_error_t e;
  json_t *j = text[0] ? json_loads(text, 0, &e) : NULL;
  return j ? j : json_null();
}

static json_t *mos_or_null(uint16_t x100) { return x100 ? json_real(x100 / 100.0) : json_null(); }

static json_t *show_flow(const struct record_flow *f) {
  return json_pack("{s:I, s:I, s:I, s:f, s:o, s:I}", "packets", (json_int_t)f->packets, "bytes",
                   (json_int_t)f->bytes, "lost", (json_int_t)f->lost, "jitter_ms", f->jitter_us / 1000.0,
                   "mos", mos_or_null(f->mos_x100), "auth_failures", (json_int_t)f->auth_failures);
}

static json_t *show_leg(const char *role, const struct record_leg *l) {
  json_t *j =
      json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "role", role, "kind",
                record_leg_kind_text(l->kind), "peer", text_or_null(l->peer), "sip_call_id",
                text_or_null(l->sip_call_id), "remote_addr", text_or_null(l->remote_addr), "media_addr",
                text_or_null(l->media_addr), "local_user", text_or_null(l->local_user), "remote_user",
                text_or_null(l->remote_user), "device", text_or_null(l->device));
  json_t *media = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:i}", "codec",
                            text_or_null(l->codec), "srtp", text_or_null(l->suite), "dtls",
                            text_or_null(l->dtls), "rx", show_flow(&l->rx), "tx", show_flow(&l->tx),
                            "rtt_ms", l->rtt_us ? json_real(l->rtt_us / 1000.0) : json_null(), "mos",
                            mos_or_null(l->mos_x100), "silent_ms", (json_int_t)l->silent_ms, "dtmf_in",
                            (int)l->dtmf_in, "dtmf_out", (int)l->dtmf_out);
  json_object_update(j, media);
  json_decref(media);
  return j;
}

static json_t *show_end(const struct record *r) {
  if (r->state == RECORD_LIVE)
    return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "reason", text_or_null(r->reason), "by",
                   text_or_null(r->end_by), "sip", number_or_null(r->sip_status), "q850",
                   number_or_null(r->q850), "rule", text_or_null(r->rule), "detail",
                   text_or_null(r->detail));
}

static void show_times(json_t *j, const struct record *r) {
  json_object_set_new(j, "started_at", web_time(r->started_ms));
  json_object_set_new(j, "ringing_at", web_time(r->ringing_ms));
  json_object_set_new(j, "early_at", web_time(r->early_ms));
  json_object_set_new(j, "answered_at", web_time(r->answered_ms));
  json_object_set_new(j, "ended_at", web_time(r->ended_ms));
  uint64_t rang_ms = record_rang_ms(r);
  json_object_set_new(j, "pdd_ms", span_or_null(r->started_ms, rang_ms));
  json_object_set_new(j, "ring_ms",
                      span_or_null(r->ringing_ms || r->early_ms ? rang_ms : 0,
                                   r->answered_ms ? r->answered_ms : r->ended_ms));
  json_object_set_new(j, "setup_ms", span_or_null(r->started_ms, r->answered_ms));
  json_object_set_new(j, "duration_ms", span_or_null(r->answered_ms, r->ended_ms));
}

json_t *show_record(const struct record *r) {
  char version[20], billing[RECORD_BILLING_BYTES]; /* version is as the log shows it. */
  json_t *j =
      json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "id", r->id, "call",
                text_or_null(r->call_id), "direction", record_direction_text(r->direction), "state",
                record_state_text(r->state), "from", text_or_null(r->from), "to", text_or_null(r->to),
                "identity", text_or_null(r->identity), "tenant", text_or_null(r->tenant));
  if (!j)
    return json_object();
  show_times(j, r);
  json_object_set_new(j, "session_id",
                      json_pack("{s:o, s:o}", "local", text_or_null(r->session_id_local), "remote",
                                text_or_null(r->session_id_remote)));
  record_billing_id(r, billing);
  json_object_set_new(j, "billing_id", text_or_null(billing));
  json_object_set_new(j, "end", show_end(r));
  json_object_set_new(
      j, "legs", json_pack("[o, o]", show_leg("caller", &r->caller), show_leg("callee", &r->callee)));
  json_object_set_new(j, "verified", text_or_null(r->verified));
  json_object_set_new(j, "attempts", stored_json(r->attempts));
  json_object_set_new(j, "cause", text_or_null(r->cause_id));
  json_object_set_new(j, "cause_text", text_or_null(r->cause_text));
  json_object_set_new(j, "cause_advice", text_or_null(why_advice(why_of(r->cause_id))));
  json_object_set_new(j, "interim", json_integer(r->interim));
  json_object_set_new(j, "repeats", json_integer(r->repeats));
  json_object_set_new(j, "telemetry", stored_json(r->telemetry));
  json_object_set_new(j, "metadata", stored_json(r->metadata));
  snprintf(version, sizeof(version), "%016" PRIx64, r->config_version);
  json_object_set_new(j, "config_version", json_string(version));
  return j;
}
