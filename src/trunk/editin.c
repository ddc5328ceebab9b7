/* SPDX-License-Identifier: Apache-2.0
 * Edits of an INVITE that came: on sofia's message, before anything of it is read. */
#include "trunk/edits.h"
#include "trunk/inner.h"

#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_mclass.h>
#include <stdio.h>

/* The value of a header as text, on home; NULL: none. */
static char *value_of(su_home_t *home, const msg_header_t *h) {
  return sip_header_as_string(home, (const sip_header_t *)h);
}

static msg_header_t *first_of(msg_t *msg, sip_t *sip, const char *name, bool *ret_is_known) {
  const msg_mclass_t *mc = msg_mclass(msg);
  const msg_href_t *hr = msg_find_hclass(mc, name, NULL);
  *ret_is_known = hr && hr->hr_class && hr->hr_class->hc_name && *hr->hr_class->hc_name;
  if (!*ret_is_known)
    return (msg_header_t *)sip->sip_unknown;
  msg_header_t **at = msg_hclass_offset(mc, (msg_pub_t *)sip, hr->hr_class);
  return at ? *at : NULL;
}

static void header_set(msg_t *msg, sip_t *sip, const char *name, const char *value) {
  char line[EDIT_LINES_BYTES];
  int n = snprintf(line, sizeof line, "%s: %s", name, value);
  if (n > 0 && (size_t)n < sizeof line)
    (void)msg_header_add_str(msg, (msg_pub_t *)sip, line);
}

/* Removes what the edit takes; each that is rewritten is put again behind the others. */
static void edit_found(msg_t *msg, sip_t *sip, const struct conf_edit *e, const struct edit_words *w) {
  char value[EDIT_LINES_BYTES / 2];
  bool is_known;
  msg_header_t *next, *h = first_of(msg, sip, e->name, &is_known);
  for (unsigned n = 0; h && n < 64; h = next, n++) {
    const char *name = is_known ? e->name : ((sip_unknown_t *)h)->un_name;
    next = h->sh_next;
    char *text = is_known ? value_of(msg_home(msg), h) : (char *)((sip_unknown_t *)h)->un_value;
    if (!name || !text || !edit_takes(e, slice_of(name), slice_of(text)))
      continue;
    bool is_good =
        e->action == EDIT_REMOVE || edit_rewrite(value, sizeof value, e, slice_of(text), w) == 0;
    if (is_good)
      msg_header_remove(msg, (msg_pub_t *)sip, h);
    if (is_good && e->action == EDIT_REWRITE)
      header_set(msg, sip, e->name, value);
  }
}

void edits_take(msg_t *msg, sip_t *sip, const struct conf_trunk *t) {
  char called[ASK_NUMBER_BYTES] = "", caller[ASK_NUMBER_BYTES] = "", session[SESSION_ID_BYTES] = "";
  char value[EDIT_LINES_BYTES / 2];
  const char *id = header_unknown(sip, "Session-ID");
  struct edit_words w = {.called = called, .caller = caller, .trunk = t->name, .session_id = session};
  if (!t->headers.in.n)
    return;
  if (header_number(called, sizeof called, slice_of(sip->sip_request->rq_url->url_user)) < 0 ||
      header_number(caller, sizeof caller, slice_of(sip->sip_from->a_url->url_user)) < 0)
    caller[0] = 0;
  if (id)
    header_session_read(slice_of(id), session);
  for (uint32_t i = 0; i < t->headers.in.n; i++) {
    const struct conf_edit *e = &t->headers.in.edit[i];
    if (e->action != EDIT_ADD)
      edit_found(msg, sip, e, &w);
    else if (edit_value(value, sizeof value, e->value, &w) == 0)
      header_set(msg, sip, e->name, value);
  }
}
