/* SPDX-License-Identifier: Apache-2.0
 * Privileges: see jail.h. The filter denies by list: what a gateway never calls. */
#include "base/jail.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int user_ids(const char *user, uid_t *ret_uid, gid_t *ret_gid) {
  const struct passwd *pw = getpwnam(user);
  if (!pw)
    return -ENOENT;
  *ret_uid = pw->pw_uid;
  *ret_gid = pw->pw_gid;
  return 0;
}

static int files_give(const char *dir, uid_t uid, gid_t gid) {
  DIR *d = opendir(dir);
  if (!d)
    return -errno;
  int r = fchown(dirfd(d), uid, gid) < 0 ? -errno : 0;
  for (struct dirent *e; r == 0 && (e = readdir(d));) {
    struct stat st;
    if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)) &&
        fchownat(dirfd(d), e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
      r = -errno;
  }
  closedir(d);
  return r;
}

int jail_give(const char *dir, const char *user) {
  uid_t uid;
  gid_t gid;
  if (mkdir(dir, 0750) < 0 && errno != EEXIST)
    return -errno;
  if (geteuid() != 0)
    return 0;
  int r = user_ids(user, &uid, &gid);
  if (r < 0)
    return r;
  r = files_give(dir, uid, gid);
  /* Again: while threads of ours still are root, a database makes its logs with the owner that it has
   * itself. What came before it was given away in the first turn is here now. */
  return r < 0 ? r : files_give(dir, uid, gid);
}

/* Rings do what the filter cannot see: none is made any more, and who has none uses none. */
static int deny_rings(scmp_filter_ctx ctx, enum jail_need need) {
  static const int calls[] = {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
                              SCMP_SYS(io_uring_register)};
  int r = 0;
  for (size_t i = 0; r == 0 && i < (need == JAIL_URING ? 1 : COUNT_OF(calls)); i++)
    r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
  return r;
}

static int filter(enum jail_need need) {
  static const int denied[] = {SCMP_SYS(execve),
                               SCMP_SYS(execveat),
                               SCMP_SYS(ptrace),
                               SCMP_SYS(process_vm_readv),
                               SCMP_SYS(process_vm_writev),
                               SCMP_SYS(mount),
                               SCMP_SYS(umount2),
                               SCMP_SYS(pivot_root),
                               SCMP_SYS(chroot),
                               SCMP_SYS(init_module),
                               SCMP_SYS(finit_module),
                               SCMP_SYS(delete_module),
                               SCMP_SYS(kexec_load),
                               SCMP_SYS(bpf),
                               SCMP_SYS(keyctl),
                               SCMP_SYS(add_key),
                               SCMP_SYS(request_key),
                               SCMP_SYS(perf_event_open),
                               SCMP_SYS(setns),
                               SCMP_SYS(unshare),
                               SCMP_SYS(swapon),
                               SCMP_SYS(reboot),
                               SCMP_SYS(settimeofday),
                               SCMP_SYS(clock_settime),
                               SCMP_SYS(userfaultfd)};
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
  int r = ctx ? 0 : -ENOMEM;
  for (size_t i = 0; r == 0 && i < COUNT_OF(denied); i++)
    r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
  if (r == 0)
    r = deny_rings(ctx, need);
  if (r == 0) {
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    r = seccomp_load(ctx);
  }
  if (ctx)
    seccomp_release(ctx);
  return r;
}

int jail_enter(const char *user, enum jail_need need) {
  uid_t uid;
  gid_t gid;
  if (geteuid() == 0) {
    int r = user_ids(user, &uid, &gid);
    if (r < 0)
      return r;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
      return -errno;
  }
  struct rlimit none = {0, 0};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
    return -errno;
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  (void)filter, (void)need; /* LeakSanitizer stops its own process by ptrace at the end */
  return 0;
#else
  return filter(need);
#endif
}

void jail_files(void) {
  struct rlimit l;
  if (getrlimit(RLIMIT_NOFILE, &l) < 0)
    return;
  l.rlim_cur = l.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &l);
}
