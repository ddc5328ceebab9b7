/* SPDX-License-Identifier: Apache-2.0
 * Diversions of a call: History-Info or Diversion of an INVITE into struct history, and that into the
 * fields that a trunk wants. RFC 7044, 5806, 7544. */
#include "trunk/history.h"

#include <stdio.h>

/* The values of all fields of a name as one list. False: longer than any that could be served. */
static bool joined(const sip_t *sip, const char *name, struct text *t) {
  size_t n;
  for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next)
    if (u->un_name && u->un_value && !strcasecmp(u->un_name, name)) {
      text_add(t, "%s", t->n ? ", " : "");
      text_add_slice(t, slice_of(u->un_value));
    }
  return text_end(t, &n) == 0;
}

static bool wants_privacy(const sip_t *sip) {
  const msg_param_t *v = sip->sip_privacy ? (const msg_param_t *)sip->sip_privacy->priv_values : NULL;
  for (; v && *v; v++)
    if (!strcasecmp(*v, "history") || !strcasecmp(*v, "header") || !strcasecmp(*v, "session"))
      return true;
  return false;
}

/* One form of it; true if it tells something. */
static bool form_take(struct history *ret, const sip_t *sip, const char *name,
                      int (*read)(struct history *, struct slice)) {
  char list[HISTORY_TEXT_BYTES];
  struct text t;
  *ret = (struct history){0};
  text_init(&t, list, sizeof list);
  if (!joined(sip, name, &t))
    return ret->is_over = true;
  return read(ret, slice_of(list)) == 0 && (ret->n || ret->is_over);
}

void history_take(struct history *ret, const struct conf_trunk *t, const sip_t *sip) {
  if (!form_take(ret, sip, "History-Info", history_read_info) &&
      !form_take(ret, sip, "Diversion", history_read_diversion))
    return;
  if (!t || !t->trust_identity)
    *ret = (struct history){.is_over = ret->is_over};
  for (uint32_t i = 0; i < ret->n && wants_privacy(sip); i++)
    ret->entry[i].is_private = true;
}

static int line_add(char *dst, size_t bytes, const char *name, struct text *value) {
  size_t n, used = strlen(dst);
  if (text_end(value, &n) < 0 || !n || used + n + strlen(name) + 5 > bytes)
    return -ENOSPC;
  return sprintf(dst + used, "%s: %s\r\n", name, value->p);
}

/* A hidden caller's history goes to those only whom we trust with it. */
char *history_lines(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                    const struct call *c) {
  char list[HISTORY_TEXT_BYTES];
  struct text text;
  int e = 0;
  dst[0] = 0;
  if (!c->history.n || (c->anonymous && !t->trust_identity))
    return dst;
  text_init(&text, list, sizeof list);
  if (t->forward_history == HISTORY_INFO || t->forward_history == HISTORY_BOTH) {
    history_write_info(&c->history, &text, dialog_host(d), c->to, t->trust_identity);
    e = line_add(dst, bytes, "History-Info", &text);
  }
  text_init(&text, list, sizeof list);
  if (e >= 0 && (t->forward_history == HISTORY_DIVERSION || t->forward_history == HISTORY_BOTH)) {
    history_write_diversion(&c->history, &text, dialog_host(d), t->trust_identity);
    e = line_add(dst, bytes, "Diversion", &text); /* all private: none */
  }
  return dst;
}
