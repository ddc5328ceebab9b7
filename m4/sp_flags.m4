# SPDX-License-Identifier: Apache-2.0
# Flags are probed one by one, so that an older or other compiler takes what it knows.

# SP_PROBE_CFLAG(VARIABLE, FLAG)
AC_DEFUN([SP_PROBE_CFLAG], [
  AC_MSG_CHECKING([whether $CC takes $2])
  sp_saved_CFLAGS="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
    [AC_MSG_RESULT([yes]); $1="$$1 $2"], [AC_MSG_RESULT([no])])
  CFLAGS="$sp_saved_CFLAGS"
])

# SP_PROBE_LDFLAG(VARIABLE, FLAG)
AC_DEFUN([SP_PROBE_LDFLAG], [
  AC_MSG_CHECKING([whether the linker takes $2])
  sp_saved_LDFLAGS="$LDFLAGS"
  LDFLAGS="$LDFLAGS $2"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
    [AC_MSG_RESULT([yes]); $1="$$1 $2"], [AC_MSG_RESULT([no])])
  LDFLAGS="$sp_saved_LDFLAGS"
])

AC_DEFUN([SP_WARNINGS], [
  SP_WARN_CFLAGS=""
  m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wvla -Wundef -Wstrict-prototypes
    -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition -Wpointer-arith
    -Wwrite-strings -Wformat=2 -Wformat-security -Wnull-dereference -Wduplicated-cond
    -Wduplicated-branches -Wlogical-op -Wjump-misses-init -Wimplicit-fallthrough=5
    -Wcast-align -Wredundant-decls -Wnested-externs -Winit-self -Wswitch-enum
    -Walloca -Warith-conversion -Wdate-time
    -Wtrampolines -Wvector-operation-performance -Wthread-safety
    -Wno-missing-field-initializers -Wno-format-nonliteral],
    [SP_PROBE_CFLAG([SP_WARN_CFLAGS], flag)])
  # clang counts alignment on every machine, and macros of sofia's headers cast char pointers up.
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#ifndef __clang__
#error "not clang"
#endif]], [[]])], [SP_WARN_CFLAGS="$SP_WARN_CFLAGS -Wno-cast-align"])
  # In instrumented code (sanitizers, coverage) the optimizer sees null pointers and unset variables
  # where there are none.
  AS_CASE(["x$with_sanitizer,$enable_fuzz,$enable_coverage"],
    [x,,|xno,no,no|x,no,no|x,no,|x,,no|xno,,|xno,no,|xno,,no], [],
    [m4_foreach_w([flag], [-Wno-null-dereference -Wno-maybe-uninitialized -Wno-stringop-overflow],
      [SP_PROBE_CFLAG([SP_WARN_CFLAGS], flag)])])
  AS_IF([test "x$enable_werror" = xyes], [SP_WARN_CFLAGS="$SP_WARN_CFLAGS -Werror"])
  AC_SUBST([SP_WARN_CFLAGS])
])

AC_DEFUN([SP_HARDENING], [
  SP_HARD_CFLAGS="" SP_HARD_LDFLAGS=""
  m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection -fcf-protection
    -fno-strict-aliasing -fno-common -fPIE], [SP_PROBE_CFLAG([SP_HARD_CFLAGS], flag)])
  AS_CASE(["x$with_sanitizer$enable_fuzz"],
    [x|xno], [SP_PROBE_CFLAG([SP_HARD_CFLAGS], [-D_FORTIFY_SOURCE=3])])
  m4_foreach_w([flag], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed],
    [SP_PROBE_LDFLAG([SP_HARD_LDFLAGS], m4_defn([flag]))])
  AC_SUBST([SP_HARD_CFLAGS])
  AC_SUBST([SP_HARD_LDFLAGS])
])

AC_DEFUN([SP_SANITIZER], [
  SP_SANITIZE_CFLAGS="" SP_SANITIZE_LDFLAGS=""
  AS_IF([test "x$with_sanitizer" != x && test "x$with_sanitizer" != xno], [
    SP_SANITIZE_CFLAGS="-fsanitize=$with_sanitizer -fno-omit-frame-pointer -g"
    AS_CASE(["$with_sanitizer"], [*undefined*],
      [SP_SANITIZE_CFLAGS="$SP_SANITIZE_CFLAGS -fno-sanitize-recover=all"])
    SP_SANITIZE_LDFLAGS="-fsanitize=$with_sanitizer"])
])
