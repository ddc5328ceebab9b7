/* SPDX-License-Identifier: Apache-2.0
 * Q.850 causes: see q850.h. */
#include "wire/q850.h"

#include "wire/line.h"

/* Where RFC 3398 has no row for a cause, the status is that of its class's default cause. */
static const struct {
  int cause, status;
  const char *text;
} causes[] = {
    {1, 404, "Unallocated number"},
    {2, 404, "No route to transit network"},
    {3, 404, "No route to destination"},
    {4, 480, "Send special information tone"},
    {5, 404, "Misdialled trunk prefix"},
    {6, 480, "Channel unacceptable"},
    {7, 480, "Call awarded in an established channel"},
    {8, 480, "Preemption"},
    {9, 480, "Preemption, circuit reserved for reuse"},
    {14, 480, "Query on release"},
    {16, 480, "Normal call clearing"},
    {17, 486, "User busy"},
    {18, 408, "No user responding"},
    {19, 480, "No answer from user"},
    {20, 480, "Subscriber absent"},
    {21, 403, "Call rejected"},
    {22, 410, "Number changed"},
    {23, 410, "Redirection to new destination"},
    {24, 433, "Rejected as anonymous"},
    {25, 483, "Exchange routing error"},
    {26, 404, "Non-selected user clearing"},
    {27, 502, "Destination out of order"},
    {28, 484, "Invalid number format"},
    {29, 501, "Facility rejected"},
    {30, 480, "Response to status enquiry"},
    {31, 480, "Normal, unspecified"},
    {34, 503, "No circuit available"},
    {38, 503, "Network out of order"},
    {39, 503, "Permanent connection out of service"},
    {40, 503, "Permanent connection operational"},
    {41, 503, "Temporary failure"},
    {42, 503, "Switching equipment congestion"},
    {43, 503, "Access information discarded"},
    {44, 503, "Requested circuit not available"},
    {46, 503, "Precedence call blocked"},
    {47, 503, "Resource unavailable"},
    {49, 503, "Quality of service not available"},
    {50, 503, "Requested facility not subscribed"},
    {53, 403, "Outgoing calls barred"},
    {55, 403, "Incoming calls barred"},
    {57, 403, "Bearer capability not authorized"},
    {58, 503, "Bearer capability not available"},
    {62, 503, "Inconsistent access information"},
    {63, 503, "Service or option not available"},
    {65, 488, "Bearer capability not implemented"},
    {66, 501, "Channel type not implemented"},
    {69, 501, "Requested facility not implemented"},
    {70, 488, "Only restricted digital information"},
    {79, 501, "Service or option not implemented"},
    {81, 400, "Invalid call reference"},
    {82, 400, "Channel does not exist"},
    {83, 400, "No such suspended call"},
    {84, 400, "Call identity in use"},
    {85, 400, "No call suspended"},
    {86, 400, "Call was cleared"},
    {87, 403, "User not member of closed user group"},
    {88, 503, "Incompatible destination"},
    {90, 403, "Closed user group does not exist"},
    {91, 404, "Invalid transit network"},
    {95, 400, "Invalid message"},
    {96, 500, "Mandatory element missing"},
    {97, 501, "Message type not implemented"},
    {98, 500, "Message not compatible or not implemented"},
    {99, 500, "Parameter not implemented"},
    {100, 500, "Invalid element contents"},
    {101, 481, "Message not compatible with call state"},
    {102, 504, "Recovery on timer expiry"},
    {103, 500, "Parameter not implemented, passed on"},
    {110, 500, "Unrecognized parameter, discarded"},
    {111, 500, "Protocol error"},
    {127, 500, "Interworking"},
};

static const struct {
  int status, cause;
} statuses[] = {
    {400, 41},  {401, 21},  {402, 21},  {403, 21},  {404, 1},  {405, 63},  {406, 79},  {407, 21},
    {408, 102}, {410, 22},  {413, 127}, {414, 127}, {415, 79}, {416, 127}, {420, 127}, {421, 127},
    {423, 127}, {433, 24},  {480, 18},  {481, 41},  {482, 25}, {483, 25},  {484, 28},  {485, 1},
    {486, 17},  {487, 16},  {488, 88},  {500, 41},  {501, 79}, {502, 38},  {503, 41},  {504, 102},
    {505, 127}, {513, 127}, {600, 17},  {603, 21},  {604, 1},  {606, 88},  {607, 21},  {608, 21},
};

static const int class_default[8] = {480, 480, 503, 503, 501, 400, 500, 500};

int q850_of_status(int status) {
  if (status < 400)
    return 16;
  for (size_t i = 0; i < COUNT_OF(statuses); i++)
    if (statuses[i].status == status)
      return statuses[i].cause;
  return 127;
}

int q850_to_status(int cause) {
  for (size_t i = 0; i < COUNT_OF(causes); i++)
    if (causes[i].cause == cause)
      return causes[i].status;
  if (cause < 1 || cause > 127)
    return 500;
  return class_default[(cause >> 4) & 7]; /* Q.850's classes are its bits 5 to 7 */
}

const char *q850_text(int cause) {
  for (size_t i = 0; i < COUNT_OF(causes); i++)
    if (causes[i].cause == cause)
      return causes[i].text;
  return "";
}

/* The next parameter, up to a ; that stands outside quotes. */
static struct slice param_cut(struct slice *s) {
  bool quoted = false;
  for (size_t i = 0; i < s->n; i++) {
    if (s->p[i] == '\\' && quoted)
      i++;
    else if (s->p[i] == '"')
      quoted = !quoted;
    else if (s->p[i] == ';' && !quoted) {
      struct slice head = slice_from(s->p, i);
      *s = slice_from(s->p + i + 1, s->n - i - 1);
      return head;
    }
  }
  struct slice head = *s;
  *s = (struct slice){NULL, 0};
  return head;
}

int q850_parse(struct slice reason, int *ret_cause) {
  uint64_t cause;
  struct slice protocol = slice_trim(param_cut(&reason));
  if (!line_is_token(protocol, 32))
    return -EINVAL;
  while (reason.p) {
    struct slice value = param_cut(&reason), name = slice_trim(slice_cut(&value, '='));
    if (!slice_ieq(name, SLICE("cause")))
      continue;
    if (slice_u64(slice_trim(value), 127, &cause) < 0 || cause == 0)
      return slice_ieq(protocol, SLICE("Q.850")) ? -EINVAL : -ENOENT;
    *ret_cause = (int)cause;
    return slice_ieq(protocol, SLICE("Q.850")) ? 0 : -ENOENT;
  }
  return -ENOENT;
}
