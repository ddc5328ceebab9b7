# SPDX-License-Identifier: Apache-2.0
"""Chromium with two networks loses the one that its call goes over: media goes on over the other, without a word of
signaling (RFC 8445: the nomination selects). Needs root."""
import contextlib
import json
import subprocess

from group import Group
from house import TOP, Carrier, Failed, House, check
from netns import CARRIER, TOWARD_BROWSER, TOWARD_CARRIER, aside, enter, here, ip, networks

ROAM = Group("roam", shared=False, programs=["ip", "baresip", "chromium", "node"], root=True)
SECOND_NEAR, SECOND = "10.77.3.1", "10.77.3.2"


@contextlib.contextmanager
def two_networks():
    """The browser's host has a second way to the gateway; what has its address leaves by it."""
    with networks() as names:
        ip("-n", names["gateway"], "link", "add", "tosecond", "type", "veth", "peer", "name", "eth1", "netns", names["browser"])
        ip("-n", names["gateway"], "addr", "add", SECOND_NEAR + "/24", "dev", "tosecond")
        ip("-n", names["gateway"], "link", "set", "tosecond", "up")
        ip("-n", names["browser"], "addr", "add", SECOND + "/24", "dev", "eth1")
        ip("-n", names["browser"], "link", "set", "eth1", "up")
        ip("-n", names["browser"], "route", "add", "default", "via", SECOND_NEAR, "dev", "eth1", "table", "3")
        ip("-n", names["browser"], "rule", "add", "from", SECOND, "table", "3")
        ip("-n", names["browser"], "route", "add", "default", "via", SECOND_NEAR, "dev", "eth1", "metric", "100")
        yield names


def call_and_roam(names, house):
    command = ["ip", "netns", "exec", names["browser"], "node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", "roam"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise Failed(done.stderr[-1500:])
    told = json.loads(done.stdout.strip().splitlines()[-1])
    check(told["from"] != told["to"], "the browser stayed: %s" % told)
    record = house.record(lambda r: r["id"] == told["call"])
    leg = next(leg for leg in record["legs"] if leg["kind"] == "native")
    check(leg["rx"].get("auth_failures", 0) == 0, "keys did not go on: %s" % leg)


def scenario(base):
    with two_networks() as names:
        enter(names["gateway"])
        env = {"SALLYPORT_ADDRESS": TOWARD_BROWSER, "SALLYPORT_TRUNK_ADDRESS": TOWARD_CARRIER, "SALLYPORT_CARRIER": CARRIER,
               "SALLYPORT_CARRIER_PREFIX": "ip netns exec " + names["carrier"], "SALLYPORT_CARRIER_FLAGS": "-s"}
        with House(base, "roam", template=here + "/netns.yaml.in", env=env) as house, Carrier(house.port("ctrl"), CARRIER):
            call_and_roam(names, house)


@ROAM.scenario("Chromium's call goes on when the network goes that it went over")
def roam(base):
    aside(scenario, base)
