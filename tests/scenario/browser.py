# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium as the app, with the gateway's own client library and page."""
import subprocess

from group import Group
from house import TOP, Failed, check

BROWSER = Group("browser", programs=["chromium", "node", "baresip"])


def live(test):
    def scenario(house):
        done = subprocess.run(["node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", test],
                              capture_output=True, text=True, timeout=90, check=False)
        if done.returncode:
            raise Failed(done.stderr[-1500:])
    return scenario


BROWSER.scenario("./run call's two calls: tones, digits, SRTP on both legs, both ways")(
    lambda house: run_call(house))
BROWSER.scenario("ICE restart in mid-call")(live("ice-restart"))
BROWSER.scenario("a fresh peer connection in mid-call")(live("fresh-connection"))
BROWSER.scenario("hold and resume")(live("hold"))
BROWSER.scenario("plays_nothing: a page that may not play says so by its own statistics, and it is the call's cause")(live("mute"))
BROWSER.scenario("the page: token link, dial, reload without losing the call, hang up")(live("page"))


def run_call(house):
    done = subprocess.run(["node", TOP + "/tests/demo/call.mjs", "--run", house.dir, "--ctrl", str(house.port("ctrl"))],
                          capture_output=True, text=True, timeout=150, check=False)
    check(done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:])
    for record in house.records():  # browsers take digits' timestamps, which stand still, for jitter: that is not taken over
        for leg in record["legs"]:
            check(leg["kind"] != "native" or leg["tx"]["jitter_ms"] < 30, "jitter toward the browser: %s" % leg)
