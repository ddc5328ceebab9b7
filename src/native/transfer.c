/* SPDX-License-Identifier: Apache-2.0
 * The verbs transfer and redirect, and what their callers are told of them (native-signaling sections
 * 1 and 9): the call model does the work. */
#include "native/inner.h"

#include "wire/e164.h"

#include <stdio.h>

/* {tel} or {user} at that pointer; false when answered. */
static bool target_take(struct req *r, json_t *to, const char *pointer, struct slice *ret_tel,
                        struct slice *ret_user) {
  const char *tel = json_string_value(json_object_get(to, "tel")),
             *user = json_string_value(json_object_get(to, "user"));
  *ret_tel = slice_of(tel);
  *ret_user = slice_of(user);
  if (!json_is_object(to) || !tel == !user) {
    answer_field(r->n, r->to, pointer, "expected {tel} or {user}");
    return false;
  }
  if (tel && !e164_is_dialable(*ret_tel)) {
    answer_problem(r->n, r->to, WEB_PROBLEM_not_dialable,
                   "tel: expected + and 4 to 15 digits, or a dial string of 0-9 * #, at most 32");
    return false;
  }
  return true;
}

/* The leg of the call that was placed to consult. */
static struct leg *consult_leg(struct req *r) {
  const char *id = json_string_value(json_object_get(r->body, "consult_call"));
  struct nleg *nl = id ? nleg_find(r->user, slice_of(id), r->device) : NULL;
  struct leg *l = nl ? nleg_leg(nl) : NULL;
  if (!id)
    answer_field(r->n, r->to, "/consult_call", "missing: expected the id of the other call");
  else if (!nl)
    answer_field(r->n, r->to, "/consult_call", "no such call of this identity");
  else if (!l)
    answer_problem(r->n, r->to, WEB_PROBLEM_ended, "the other call has ended");
  return l;
}

static struct verdict blind(struct req *r, struct leg *l, uint64_t op, struct slice tel,
                            struct slice user) {
  json_t *numbers = req_numbers(r);
  struct transfer_order o = {.op = op,
                             .identity = slice_of(r->claims->identity),
                             .tenant = slice_of(r->claims->tenant),
                             .from = slice_of(json_string_value(json_array_get(numbers, 0))),
                             .to = tel,
                             .to_user = user};
  struct verdict v = call_transfer(l, &o);
  json_decref(numbers);
  return v;
}

void verb_transfer(struct req *r) {
  struct leg *l, *other = NULL;
  struct slice tel = {NULL, 0}, user = {NULL, 0};
  const char *mode = json_string_value(json_object_get(r->body, "mode"));
  struct nleg *nl = req_live_leg(r, &l);
  if (!nl)
    return;
  bool is_attended = mode && strcmp(mode, "attended") == 0;
  if (!is_attended && (!mode || strcmp(mode, "blind") != 0)) {
    answer_field(r->n, r->to, "/mode", "expected blind or attended");
    return;
  }
  if (is_attended && !(other = consult_leg(r)))
    return;
  if (!is_attended && !target_take(r, json_object_get(r->body, "target"), "/target", &tel, &user))
    return;
  req_move(r, nl, l);
  uint64_t op = nleg_op_begin(nl, "transfer");
  struct verdict v = !op           ? verdict_refuse(REFUSE_STATE, "16 operations are under way")
                     : is_attended ? call_transfer_join(l, other, op)
                                   : blind(r, l, op, tel, user);
  req_op_answer(r, nl, op, &v);
}

static bool redirect_take(struct req *r, struct redirect *ret) {
  json_t *targets = json_object_get(r->body, "targets"), *to;
  struct slice tel, user;
  char pointer[32];
  size_t i, n = json_array_size(targets);
  if (!json_is_array(targets) || !n || n > REDIRECT_MAX) {
    answer_field(r->n, r->to, "/targets", "expected 1 to 5 of {tel} or {user}");
    return false;
  }
  json_array_foreach(targets, i, to) {
    snprintf(pointer, sizeof(pointer), "/targets/%zu", i);
    if (!target_take(r, to, pointer, &tel, &user))
      return false;
    if (user.n && !conf_user_find(r->n->conf, user)) {
      answer_problem(r->n, r->to, WEB_PROBLEM_no_route, "no such user");
      return false;
    }
    ret->to[i].is_user = user.n != 0;
    slice_copy(ret->to[i].name, sizeof(ret->to[i].name), user.n ? user : tel);
    ret->n++;
  }
  return true;
}

void verb_redirect(struct req *r) {
  struct leg *l;
  struct redirect to = {.status = 302};
  struct nleg *nl = req_callee_leg(r, &l);
  if (!nl || !redirect_take(r, &to))
    return;
  struct verdict v = nl->answered ? verdict_refuse(REFUSE_STATE, "the call is answered: transfer it")
                                  : call_deflect(l->call, &to);
  if (verdict_is_pass(&v))
    answer_empty(r->n, r->to, 202);
  else
    answer_verdict(r->n, r->to, &v, NULL);
}

/* Told -------------------------------------------------------------------------------------------- */

static json_t *target_make(const char *target) {
  bool is_number = target[0] == '+' || strspn(target, "0123456789*#") == strlen(target);
  return json_pack("{s:s}", is_number ? "tel" : "user", target);
}

void transfer_event(struct nleg *nl, const struct transfer_news *news) {
  static const char *const names[] = {"call.transfer.progress", "call.transfer.succeeded",
                                      "call.transfer.failed"};
  json_t *e = json_pack("{s:o,s:i}", "target", target_make(news->target), "sip", news->sip);
  if (e && news->new_call[0])
    json_object_set_new(e, "new_call", json_string(news->new_call));
  nleg_event(nl, names[news->state], e);
}
