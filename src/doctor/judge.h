/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of judgements share. Inside doctor. */
#pragma once
#include "doctor/check.h"

#define PASS(r, ...) finding_set(r, FINDING_PASSED, "", __VA_ARGS__)
#define PASS_BUT(r, advice, ...) finding_set(r, FINDING_PASSED, advice, __VA_ARGS__)
#define FAIL(r, advice, ...) finding_set(r, FINDING_FAILED, advice, __VA_ARGS__)
#define ABSENT(r, advice, ...) finding_set(r, FINDING_NOT_OFFERED, advice, __VA_ARGS__)
#define SKIP(r, ...) finding_set(r, FINDING_SKIPPED, "", __VA_ARGS__)

/* Was the call made, and did the number answer? False: *r says why it cannot be judged. */
bool call_is_there(const struct doctor_facts *f, enum test_call which, struct finding *r);
/* Was it made? Also where it was refused. */
bool call_is_placed(const struct doctor_facts *f, enum test_call which, struct finding *r);
/* The first call's answer cannot stand, or its Contact leads nowhere: that is told once. */
bool call_is_misfit(const struct doctor_facts *f);
bool contact_is_bad(const struct doctor_facts *f);
/* Its sound had come, and ended before the talk did. */
bool sound_has_stopped(const struct call_facts *c);
/* A request within the call: answered with 2xx, or refused, or silence; not asked is skipped. */
void said_judge(const struct doctor_facts *f, const struct said *s, const char *what, const char *advice,
                struct finding *r);
