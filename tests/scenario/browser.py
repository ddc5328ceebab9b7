# SPDX-License-Identifier: Apache-2.0
"""Headless browsers as the app, with the gateway's own client library and page: Chromium, and one of another engine."""
import os
import re
import subprocess

from group import Group
from house import TOP, Failed, check
from lab import BOB, agent
from sipua import Dialog, Rtp, audio_sdp

BROWSER = Group("browser", programs=["chromium", "node", "baresip"])
FIREFOX_SINCE = 153  # older ones do not know all that the driver says to them (seen with 140)
MICROPHONE_HZ = 1004  # what it pretends to hear


class OtherEngine(Group):
    """Firefox ESR, where it is new enough to be driven."""

    def lacks(self):
        missing = super().lacks()
        if missing:
            return missing
        told = subprocess.run(["firefox-esr", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
        version = re.search(r"\d+", told)
        return "" if version and int(version[0]) >= FIREFOX_SINCE else "needs firefox-esr %d or later" % FIREFOX_SINCE


FIREFOX = OtherEngine("firefox", programs=["firefox-esr", "node", "baresip"])


def live(test):
    def scenario(house):
        done = subprocess.run(["node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", test],
                              capture_output=True, text=True, timeout=90, check=False)
        if done.returncode:
            raise Failed(done.stderr[-1500:])
    return scenario


FIREFOX.scenario("Firefox: a call out with digits, hold, an ICE restart, a fresh connection")(lambda house: other("engine", house))


def other(test, house):
    command = ["node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", test]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ, BROWSER="firefox"))
    check(done.returncode == 0, done.stderr[-1500:])


@FIREFOX.scenario("Firefox: a call in, its microphone is heard and it hears, ended by the trunk")
def called(house):
    command = ["node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", "receive"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ, BROWSER="firefox")) as phone:
        try:
            check(phone.stderr.readline() == "up\n", "the phone did not come up: " + (phone.stderr.read() if phone.poll() else ""))
            with agent(house) as sip, Rtp(700) as rtp:
                d = Dialog(sip, BOB).invite(audio_sdp(rtp.port))
                ok = d.answer(200)
                check(ok.status == 200, "INVITE got " + ok.first)
                d.ack(ok)
                rtp.to(ok.body)
                rtp.hears(MICROPHONE_HZ, 10)
                check(phone.stderr.readline() == "heard\n", "the phone hears nothing")
                d.bye()
            check(phone.wait(20) == 0, phone.stderr.read()[-1500:])
        finally:
            phone.kill()


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
