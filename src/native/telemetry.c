/* SPDX-License-Identifier: Apache-2.0
 * The client's statistics cut down to what a record holds: see telemetry.h. */
#include "native/telemetry.h"

#include "base/slice.h"

#include <stdlib.h>

static const char *const kept[] = {"type",
                                   "packetsReceived",
                                   "packetsLost",
                                   "packetsDiscarded",
                                   "jitter",
                                   "jitterBufferDelay",
                                   "jitterBufferEmittedCount",
                                   "concealedSamples",
                                   "totalSamplesReceived",
                                   "bytesReceived",
                                   "packetsSent",
                                   "bytesSent",
                                   "roundTripTime",
                                   "fractionLost",
                                   "audioLevel",
                                   "currentRoundTripTime",
                                   "availableOutgoingBitrate",
                                   "state",
                                   "mimeType",
                                   "candidateType",
                                   "protocol",
                                   "networkType",
                                   "srtpCipher",
                                   "tlsVersion",
                                   "dtlsState",
                                   "iceState",
                                   "selectedCandidatePairChanges"};

static json_t *row_cut(const json_t *row) {
  json_t *cut = json_object();
  for (size_t i = 0; i < COUNT_OF(kept); i++) {
    json_t *v = json_object_get(row, kept[i]);
    if (json_is_number(v) || (json_is_string(v) && json_string_length(v) <= 48))
      json_object_set(cut, kept[i], v);
  }
  return cut;
}

static char *fitting(const json_t *doc, size_t bytes) {
  char *text = json_dumps(doc, JSON_COMPACT);
  if (text && strlen(text) < bytes)
    return text;
  free(text);
  return NULL;
}

char *telemetry_text(const json_t *body, size_t bytes) {
  char *text = fitting(body, bytes);
  json_t *rows = json_array(), *doc = json_pack("{s:o,s:b}", "stats", rows, "cut", 1), *row;
  size_t i;
  json_array_foreach(json_object_get(body, "stats"), i, row) if (json_object_size(row) && i < 32)
      json_array_append_new(rows, row_cut(row));
  while (!text && doc) {
    text = fitting(doc, bytes);
    if (text || json_array_remove(rows, json_array_size(rows) - 1) < 0)
      break;
  }
  json_decref(doc);
  return text;
}

static const char *word(const json_t *row, const char *name) {
  const char *s = json_string_value(json_object_get(row, name));
  return s ? s : "";
}

static double number(const json_t *row, const char *name) {
  double v = json_number_value(json_object_get(row, name));
  return v > 0 && v < 1e12 ? v : 0; /* a client may say anything */
}

static const json_t *row_of(const json_t *rows, const char *id) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) if (id[0] && strcmp(word(row, "id"), id) == 0) return row;
  return NULL;
}

static void add_media(const json_t *row, struct client_told *ret) {
  const char *type = word(row, "type"), *kind = word(row, "kind");
  if (strcmp(kind, "video") == 0)
    return;
  if (strcmp(type, "media-source") == 0) {
    ret->has_mic = json_object_get(row, "audioLevel") && json_object_get(row, "totalAudioEnergy");
    ret->mic_level = number(row, "audioLevel");
    ret->mic_energy = number(row, "totalAudioEnergy");
  } else if (strcmp(type, "inbound-rtp") == 0) {
    ret->has_play = json_object_get(row, "totalSamplesReceived") != NULL;
    ret->received = (uint64_t)number(row, "packetsReceived");
    ret->played = (uint64_t)number(row, "totalSamplesReceived");
    double made = number(row, "concealedSamples") - number(row, "silentConcealedSamples");
    made = made < (double)ret->played ? made : (double)ret->played;
    ret->concealed = made > 0 ? (uint64_t)made : 0;
  }
}

static bool is_selected(const json_t *row, const char *selected) {
  if (strcmp(word(row, "type"), "candidate-pair") != 0)
    return false;
  return selected[0] ? strcmp(word(row, "id"), selected) == 0
                     : json_is_true(json_object_get(row, "nominated")) &&
                           strcmp(word(row, "state"), "succeeded") == 0;
}

void telemetry_figures(const json_t *body, struct client_told *ret) {
  const json_t *rows = json_object_get(body, "stats"), *local;
  size_t i;
  json_t *row;
  *ret = (struct client_told){.is_muted = json_is_true(json_object_get(body, "muted"))};
  json_array_foreach(rows, i, row) {
    add_media(row, ret);
    if (!is_selected(row, word(body, "selected_pair")))
      continue;
    double rtt_s = number(row, "currentRoundTripTime");
    ret->rtt_ms = rtt_s < 60 ? (uint32_t)(rtt_s * 1000) : 0;
    local = row_of(rows, word(row, "localCandidateId"));
    ret->is_relayed = local && strcmp(word(local, "candidateType"), "relay") == 0;
  }
}
