/* SPDX-License-Identifier: Apache-2.0
 * Files that hold secrets must be readable by their owner only: see conf.h. */
#include "conf/conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Opened first and judged by the descriptor, so that what is judged is what would be read. */
int secret_check(const char *path, char *text, size_t text_bytes) {
  struct stat st;
  own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  text[0] = 0;
  if (fd < 0 || fstat(fd, &st) < 0)
    snprintf(text, text_bytes, "cannot be read: %s: \"%s\"", strerror(errno), path);
  else if (!S_ISREG(st.st_mode) || st.st_size == 0)
    snprintf(text, text_bytes, "expected a file with a secret in it: \"%s\"", path);
  else if (st.st_mode & 077)
    snprintf(text, text_bytes, "expected a mode such as 0600, got %04o: others can read \"%s\"",
             (unsigned)(st.st_mode & 07777), path);
  return text[0] ? -EINVAL : 0;
}
