#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Symbols of the built programs against their libraries': a global one of ours that a library exports too
replaces the library's own without a word. Only those named here do so on purpose (docs/architecture.md),
and they must be visible to the libraries. And two areas of one program may not give a symbol the same name: of
archives the linker takes the first. Usage: symbols.py BUILD"""
import collections
import glob
import re
import subprocess
import sys

MEANT = {
    "sallyportd": {
        # trunk/sofia_tls.c, in place of sofia's TLS
        "tls_connect", "tls_events", "tls_free", "tls_get_socket", "tls_init_master", "tls_init_secondary", "tls_pending",
        "tls_read", "tls_read_buffer", "tls_want_read", "tls_want_write", "tls_write", "tls_version",
        # trunk/sofia_hooks.c, trunk/sofia_send.c: before sofia's own, which they call on
        "tport_accept", "tport_by_name", "tport_recv_dgram", "tport_recv_stun_dgram", "tport_tcp_init_secondary",
        "tport_tcreate", "tport_tsend", "tport_zap_secondary", "nta_msg_ackbye",
    },
    "sallyport-media": set(),
    "sallyport": set(),
}


def out(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def defined(path, dynamic):
    lines = out("nm", "--defined-only", *(["-D"] if dynamic else []), path).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if re.search(r" [A-TV-Zu] ", line)}


def faults(build, program):
    path = "%s/%s" % (build, program)
    # data of a library that our code refers to is copied into the program: the same object
    copied = set(re.findall(r"R_\w+_COPY\s+\w+\s+([\w$]+)", out("readelf", "-rW", path)))
    libraries = re.findall(r"=> (/\S+)", out("ldd", path))
    theirs = {symbol: lib for lib in libraries for symbol in defined(lib, True)}
    both = {s for s in defined(path, False) - copied if s in theirs and not s.startswith("_")}
    meant = MEANT[program]
    for s in sorted(both - meant):
        yield "%s: %s is also %s's" % (program, s, theirs[s])
    for s in sorted(meant - both):
        yield "%s: %s shall stand in place of a library's, and does not" % (program, s)
    for s in sorted((meant & both) - defined(path, True)):
        yield "%s: %s is not visible to the libraries" % (program, s)


def twins(build, program, archives):
    """Symbols of several archives of which the program has members. One of a single archive tells that it has it."""
    mine = defined("%s/%s" % (build, program), False)
    homes = collections.defaultdict(set)
    for archive in archives:
        for line in out("nm", "-g", "--defined-only", archive).splitlines():
            if re.search(r" [BDRT] ", line):
                homes[line.split()[-1]].add(archive)
    here = {a for s, where in homes.items() if len(where) == 1 and s in mine for a in where}
    for s, where in sorted(homes.items()):
        if len(where & here) > 1 and s in mine:
            yield "%s: %s is in %s" % (program, s, " and ".join(sorted(a.rsplit("/", 1)[-1] for a in where & here)))


if __name__ == "__main__":
    bad = [fault for program in MEANT for fault in faults(sys.argv[1], program)]
    bad += [twin for program in MEANT for twin in twins(sys.argv[1], program, sorted(glob.glob(sys.argv[1] + "/lib*.a")))]
    print("\n".join(bad) or "no symbol collides")
    sys.exit(1 if bad else 0)
