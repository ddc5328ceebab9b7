#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages against the house: links lead somewhere, rooms and paths that pages name are there, docs/architecture.md
leaves out no area, table or library, docs/limits.md has the source's values and names tests that exist. Prints each
fault; exit status 1 if there is one."""
import glob
import os
import re
import sys

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PAGES = ["README.md", *sorted(glob.glob("docs/**/*.md", recursive=True))]
AREAS = sorted(os.path.basename(d) for d in glob.glob("src/*") if os.path.isdir(d))
ROOM = re.compile(r"`((?:%s)/[a-z_0-9]+)`" % "|".join(AREAS))
PLACE = re.compile(r"`((?:src|tests|docs|dialplans)/[\w/.-]+)`")


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"(?m)^#+ (.*)$", text)}


def links(page):
    """(as it is written, file, anchor) of each link that is not to elsewhere."""
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if not re.match(r"https?:|mailto:", link):
            name, _, anchor = link.partition("#")
            yield link, os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page, anchor


def page_faults(page):
    for link, path, anchor in links(page):
        if not os.path.exists(path):
            yield "%s leads nowhere" % link
        elif anchor and path.endswith(".md") and anchor not in anchors(read(path)):
            yield "%s: no such heading" % link
    text = read(page)
    for room in ROOM.findall(text):
        if not glob.glob("src/%s.*" % room) and not os.path.isdir("src/" + room):
            yield "no room %s" % room
    for place in PLACE.findall(text):
        if not os.path.exists(place) and not glob.glob(place + ".*"):
            yield "no %s" % place


def architecture_faults(page="docs/architecture.md"):
    text = read(page)
    floors = text.split("## Floors")[1].split("```")[1]
    for area in AREAS:
        if not re.search(r"\b%s\b" % area, floors):
            yield "Floors leaves out %s" % area
    for table in sorted(glob.glob("src/*/*.def")):
        if "`%s`" % table[4:] not in text:
            yield "Tables leaves out %s" % table[4:]
    for area in ("call", "trunk"):
        for rows in re.findall(r"\| room of `%s` \|.*\n\|[-|]+\n((?:\|.*\n)+)" % area, text):
            for room in re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\|([^|]*)\|", rows))):
                if not glob.glob("src/%s/%s.*" % (area, room)):
                    yield "no room %s/%s" % (area, room)


def limit_faults(page="docs/limits.md"):
    source = "".join(read(p) for p in glob.glob("src/*/*.[ch]"))
    settings = read("src/conf/fields.def")
    words = "".join(read(p) for p in glob.glob("tests/scenario/*.py"))
    for name, value in re.findall(r"`([A-Z][A-Z_0-9]+)` ([\d]+)", read(page)):
        told = re.findall(r"\b%s\b(?: = | )(\d+)" % name, source)
        if value not in told:
            yield "%s is %s, not %s" % (name, " or ".join(told) or "not there", value)
    for name in re.findall(r"`([a-z_]+)`", "".join(re.findall(r"(?m)^\|[^|]*\|([^|]*)\|", read(page)))):
        if '"%s"' % name not in settings and "(%s," % name not in settings:
            yield "no setting %s" % name
    for row in re.findall(r"(?m)^\|(?:[^|]*\|){3} (.+) \|$", read(page))[0:]:
        for test in row.split(" · ") if row not in ("test", "---") else []:
            unit = re.match(r"u (check_\w+) (\w+)$", test)
            if unit and not re.search(r"Test\(\w+, %s\b" % unit[2], read("tests/unit/%s.c" % unit[1])):
                yield "%s has no test %s" % (unit[1], unit[2])
            elif not unit and not (test.startswith("s ") and test[2:] in words):
                yield "no test: %s" % test


def faults():
    linked = {path for page in PAGES for _, path, _ in links(page)} | {"README.md"}
    for page in PAGES:
        yield from ("%s: %s" % (page, fault) for fault in page_faults(page))
        if page not in linked:
            yield "%s: no page leads to it" % page
    yield from ("docs/architecture.md: " + fault for fault in architecture_faults())
    yield from ("docs/limits.md: " + fault for fault in limit_faults())


bad = list(faults())
print("\n".join(bad) or "the pages tell what is there")
sys.exit(1 if bad else 0)
