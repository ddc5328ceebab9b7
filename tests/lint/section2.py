#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/scenario/section2.md: every row of the direct-routing contract is there, and so is every test that it names."""
import glob
import os
import re
import sys

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROWS = {"C": 16, "O": 10, "I": 29, "X": 5, "M": 16, "L": 9}


def main():
    scenarios = "".join(open(p).read() for p in glob.glob(top + "/tests/scenario/*.py"))
    faults, seen = [], {}
    for line in open(top + "/tests/scenario/section2.md"):
        cells = re.match(r"\| ([COIXML]-\d+) \| [^|]+ \| (.+) \|$", line)
        if not cells:
            continue
        row, tests = cells.groups()
        seen[row] = tests
        if re.match(r"(context|open)\b", tests):
            continue
        for test in tests.split(" · "):
            place = re.match(r's "(.+)"$|u (check_\w+) (\w+)$', test)
            if not place:
                faults.append("%s: not a place of a test: %s" % (row, test))
            elif place.group(1) and place.group(1) not in scenarios:
                faults.append("%s: no scenario has the words %s" % (row, place.group(1)))
            elif place.group(2):
                path = "%s/tests/unit/%s.c" % (top, place.group(2))
                text = open(path).read() if os.path.exists(path) else ""
                if not re.search(r"Test\(\w+, %s\b" % place.group(3), text):
                    faults.append("%s: %s has no test %s" % (row, place.group(2), place.group(3)))
    faults += ["%s-%d: the row is missing" % (k, i) for k, n in ROWS.items() for i in range(1, n + 1) if "%s-%d" % (k, i) not in seen]
    for fault in faults:
        print("section2.md: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
