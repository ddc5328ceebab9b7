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
