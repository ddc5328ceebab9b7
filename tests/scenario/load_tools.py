# SPDX-License-Identifier: Apache-2.0
"""The tools of the benches stay fit: five calls of the load generator for two seconds lose nothing, and
all that comes verifies, through the media process and through the bare relay."""
import os
import sys

from group import Group
from house import TOP, check

os.environ.setdefault("BUILDDIR", os.environ.get("SALLYPORT_BUILD", TOP + "/build"))
sys.path.insert(0, TOP + "/tests/load")

G = Group("load tools", shared=False, programs=["taskset"])


def five_calls(name, *more):
    import bench_media
    import benchline
    bench_media.OURS_MORE = list(more)
    have = sorted(os.sched_getaffinity(0))
    with benchline.workshop() as where:
        found = bench_media.step(name, where, (have[0], have[-1]), 5, window=2)
    check(found["lost"] == 0 and found["bad_auth"] == 0 and found["bad_payload"] == 0, found)
    check(found["sent"] >= 900 and found["checked"] == 1, found)


@G.scenario("five calls through the media process")
def ours(_):
    five_calls("ours")


@G.scenario("five calls through the media process that reads by epoll")
def ours_by_epoll(_):
    five_calls("ours", "--backend", "epoll")


@G.scenario("five calls through the bare relay")
def relay(_):
    five_calls("relay")
