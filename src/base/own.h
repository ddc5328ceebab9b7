/* SPDX-License-Identifier: Apache-2.0
 * Cleanup at the end of a scope: own(call) c = NULL; … *ret_call = take(c); return 0;
 * A type takes part by OWN_DEFINE(name) after the declaration of name_free(), which takes NULL
 * and half-built objects and returns NULL. Floor 0: includes nothing of ours. */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define maybe_unused __attribute__((unused))

#define own(name) __attribute__((cleanup(name##_freep))) struct name *
#define OWN_DEFINE(name) \
  static inline maybe_unused void name##_freep(struct name **p) { \
    if (*p) \
      name##_free(*p); \
  }

/* Moves the value out of an owning variable. */
#define take(p) \
  __extension__({ \
    __typeof__(p) take_ = (p); \
    (p) = NULL; \
    take_; \
  })

static inline maybe_unused void own_mem_free(void *p) { free(*(void **)p); }
#define own_mem __attribute__((cleanup(own_mem_free)))

static inline maybe_unused void own_fd_close(int *fd) {
  if (*fd >= 0)
    close(*fd);
}
#define own_fd __attribute__((cleanup(own_fd_close))) int
static inline maybe_unused int take_fd(int *fd) {
  int v = *fd;
  *fd = -1;
  return v;
}

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
