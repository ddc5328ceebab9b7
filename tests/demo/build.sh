# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Building for ./run: only what is out of date, quietly. build_what: make's targets (all).

build_need() {
  mkdir -p "$build" || return 1
  (
    exec 8>"$build/.lock"
    flock 8
    if [ ! -x "$top/configure" ]; then
      (cd "$top" && autoreconf -fi) >"$build/autoreconf.log" 2>&1 || { tail -20 "$build/autoreconf.log"; exit 1; }
    fi
    if [ ! -f "$build/Makefile" ]; then
      echo "configuring …"
      (cd "$build" && "$top/configure") >"$build/configure.log" 2>&1 || { tail -20 "$build/configure.log"; exit 1; }
    fi
    # shellcheck disable=SC2086
    make -C "$build" -q ${build_what:-all} >/dev/null 2>&1 || echo "building …"
    # shellcheck disable=SC2086
    make -C "$build" -j"$(nproc)" ${build_what:-all} >"$build/make.log" 2>&1 || { grep -E 'error|\*\*\*' "$build/make.log" | head -20; exit 1; }
  ) >&2
}

browser_need() { # playwright-core for the headless phone, once
  [ -d "$top/tests/browser/node_modules" ] ||
    (cd "$top/tests/browser" && npm ci --no-audit --no-fund --silent) >&2
}
