#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a room shows and nobody takes: a symbol that an object exports, and that no other object and no test names,
is dead or should be static. Wants a build. Usage: exports.py BUILD"""
import collections
import glob
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True  # this folder goes into the tarball as it is
import symbols  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# forward declarations of constant tables in their own room: C knows no static one of them
OWN = re.compile(r"^(shape|suite)_|^main$")


def nm(build):
    """Of each object of src: (object, letter, symbol)."""
    objects = sorted(glob.glob(build + "/src/**/*.o", recursive=True))
    path = ""
    for line in subprocess.run(["nm", "-A", *objects], capture_output=True, text=True, check=True).stdout.splitlines():
        path, rest = line.split(":", 1)
        *_, letter, symbol = rest.split()
        yield path, letter, symbol


def unused(build):
    homes, users = collections.defaultdict(set), collections.defaultdict(set)
    for path, letter, symbol in nm(build):
        (homes if letter in "BDRTV" else users)[symbol].add(path)
    tests = "".join(open(p, errors="replace").read() for p in glob.glob(TOP + "/tests/**/*.[ch]", recursive=True))
    named = set(re.findall(r"\w+", tests)) | {s for meant in symbols.MEANT.values() for s in meant}
    for symbol, where in sorted(homes.items()):
        if not users[symbol] - where and symbol not in named and not OWN.match(symbol):
            yield "%s: %s is used by nobody else" % (sorted(where)[0], symbol)


if __name__ == "__main__":
    bad = list(unused(sys.argv[1]))
    print("\n".join(bad) or "all that is shown is taken")
    sys.exit(1 if bad else 0)
