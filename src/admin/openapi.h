/* SPDX-License-Identifier: Apache-2.0
 * The OpenAPI document: see openapi.c. */
#pragma once
#include <jansson.h>

json_t *openapi_make(void); /* new reference */
