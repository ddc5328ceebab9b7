/* SPDX-License-Identifier: Apache-2.0
 * Whatever a peer writes into a header field or a body that src/trunk/headers reads itself. A multipart
 * body is preceded by a line with its boundary. */
#include "trunk/headers.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
static void terminated(const char *text, size_t bytes) {
  if (strnlen(text, bytes) >= bytes)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct slice all = slice_from(data, n), rest = all, boundary = slice_cut(&rest, '\n');
  char text[128], uuid[SESSION_ID_BYTES], digit, *word = slice_dup(all);
  uint32_t ms;
  if (header_number(text, sizeof text, all) == 0)
    terminated(text, sizeof text);
  if (header_session_read(all, uuid) && strlen(uuid) != SESSION_ID_BYTES - 1)
    abort();
  for (int relay = 0; relay < 2; relay++)
    if (header_digit(all, relay, &digit, &ms) == 0 && (!strchr("0123456789*#ABCD", digit) || ms > 10000))
      abort();
  struct slice part;
  (void)!header_multipart_sdp(rest, boundary, &part);
  if (part.n && (part.p < rest.p || part.p + part.n > rest.p + rest.n))
    abort();
  terminated(header_quote(text, sizeof text, all), sizeof text);
  terminated(header_party(text, sizeof text, word ? word : "", word ? word : "", "h", false),
             sizeof text);
  terminated(header_uri(text, sizeof text, word ? word : "", word ? word : "", 5060, NULL), sizeof text);
  terminated(header_warning(text, sizeof text, "h", "t", word ? word : ""), sizeof text);
  free(word);
  return 0;
}
