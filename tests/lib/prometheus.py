# SPDX-License-Identifier: Apache-2.0
"""Checks text of the Prometheus exposition format 0.0.4, as promtool would: faults(text) is a list."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,(?!\})|(?=\})))+)\})?'
                    r" ([-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|Inf|NaN))")
KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}


def _head(line, kinds, helps, closed, bad):
    word, name, rest = (line[2:].split(" ", 2) + ["", ""])[:3]
    if not NAME.fullmatch(name):
        bad.append("no name: " + line)
    seen = helps if word == "HELP" else kinds
    if name in seen:
        bad.append("%s of %s stands twice" % (word, name))
    if name in closed:
        bad.append("%s after the samples of %s" % (word, name))
    if word == "TYPE" and rest not in KINDS:
        bad.append("unknown type: " + line)
    seen[name] = rest


def _family(sample, kinds):
    """A histogram's samples are its buckets, their sum and their count."""
    bare = re.sub(r"_(bucket|sum|count)$", "", sample)
    return bare if kinds.get(bare) == "histogram" else sample


def faults(text):
    bad, kinds, helps, closed, series, last = [], {}, {}, set(), set(), None
    if text and not text.endswith("\n"):
        bad.append("the last line does not end")
    for line in text.split("\n")[:-1]:
        if line.startswith(("# HELP ", "# TYPE ")):
            _head(line, kinds, helps, closed, bad)
            continue
        if line.startswith("#") or not line:
            continue
        found = SAMPLE.fullmatch(line)
        if not found:
            bad.append("no sample: " + line)
            continue
        sample, labels, value = found.groups()
        name = _family(sample, kinds)
        if name not in kinds:
            bad.append("no TYPE before " + name)
        if name != last and name in closed:
            bad.append("the samples of %s do not stand together" % name)
        if (sample, labels) in series:
            bad.append("stands twice: " + line)
        if kinds.get(name) == "counter" and (not name.endswith("_total") or value.startswith("-")):
            bad.append("a counter ends in _total and never falls below 0: " + line)
        closed.add(name)
        series.add((sample, labels))
        last = name
    return bad
