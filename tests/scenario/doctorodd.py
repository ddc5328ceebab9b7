# SPDX-License-Identifier: Apache-2.0
"""Trunk Doctor against carriers that are odd in one way each: it tells what harms, where it is, and nothing else. Two runs at a time, as many as
the doctor takes."""
import concurrent.futures
import os

from doctor import by_result, run
from group import Group
from house import check
from oddpeer import ODDITIES

here = os.path.dirname(os.path.abspath(__file__))
ODD = Group("doctor and odd peers", template=here + "/doctor.yaml.in")
ODD_LONG = Group("doctor and odd peers-long", template=here + "/doctor.yaml.in", long=True)
PLAIN, KEYED = [("open", "127.0.0.2"), ("must", "127.0.0.3")], ("bare", "127.0.0.11")  # trunks of doctor.yaml.in, and where they lead
FIRST = ("muddled", "plain_sound")  # in each run


def meet(house, name, trunk, host):
    kind, failed, _ = ODDITIES[name]
    with kind(host, house.port("lab_peer")):
        report = run(house, trunk, 240)
    found = by_result(report, "failed")
    if report["state"] != "done" or set(found) != set(failed):
        return "%s: expected %s, found %s" % (name, sorted(failed), found)
    return "; ".join("%s: %s is told as: %s" % (name, slug, found[slug]) for slug, words in failed.items() if words not in found[slug])


def together(*names):
    def scenario(house):
        places = list(PLAIN)
        jobs = [(name, *(KEYED if ODDITIES[name][2] == "keyed" else places.pop(0))) for name in names]
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            wrong = list(pool.map(lambda job: meet(house, *job), jobs))
        check(not any(wrong), "; ".join(w for w in wrong if w))
    return scenario


ODD.scenario("doubled packets, half the clock and digits of another type: all three are found; beside it plain RTP where SRTP was agreed")(together(*FIRST))
plain = [n for n, (_, _, where) in ODDITIES.items() if where == "plain" and n not in FIRST]
keyed = [n for n, (_, _, where) in ODDITIES.items() if where == "keyed" and n not in FIRST]
while plain or keyed:
    two = [names.pop(0) for names in ((keyed, plain) if keyed and plain else (plain, plain)) if names]
    ODD_LONG.scenario(" and ".join(two))(together(*two))
