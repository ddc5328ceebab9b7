/* SPDX-License-Identifier: Apache-2.0
 * Giving up privileges after start: the user of the configuration, no new privileges, no core files,
 * no way to run another program or to look into another process (libseccomp). */
#pragma once
#include "base/own.h"

/* If root: makes dir (0750) where absent and gives it, with the files directly in it, to that user.
 * 0 or -errno (-ENOENT: no such user). Not root: makes dir only. */
int jail_give(const char *dir, const char *user) must_check;
/* JAIL_URING: rings of io_uring that were made before may be used; no new one is. */
enum jail_need { JAIL_NOTHING, JAIL_URING };
/* All threads of the process, for good. Not root: keeps the user, does the rest. 0 or -errno. */
int jail_enter(const char *user, enum jail_need need) must_check;
/* Raises the limit of open files to the hard one. Before jail_enter. */
void jail_files(void);
