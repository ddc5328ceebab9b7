# SPDX-License-Identifier: Apache-2.0
"""The operators' console in Chromium against the gateway with real calls, whose SIP is full of script, quotes,
control characters and what turns text around. SALLYPORT_WRITE_DOCS=1 writes docs/console/*.png."""
import json
import os
import subprocess
import time

from app import App
from group import Group
from house import TOP, Failed, check, wait_for
from lab import BOB, agent, call_in
from sipua import Dialog, Rtp, audio_sdp

CONSOLE = Group("console", programs=["chromium", "node"])
with open(TOP + "/tests/browser/nasty.json", encoding="utf-8") as f:
    NASTY = json.load(f)


def quoted(text):
    """A quoted-string of RFC 3261 that means this text; what no quoted-string can hold is left out."""
    return "".join("\\" + c if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in text if c not in "\r\n\0")


def word(text):
    """What of a text a Call-ID may hold."""
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in "-.!%*_+`'~()<>:\\\"/[]?{}"))[:80]


class NastyDialog(Dialog):
    def __init__(self, sip, to, text):
        super().__init__(sip, to)
        self.text, self.call_id = text, "%s%s" % (word(text), self.call_id)

    def head(self, method, **more):
        plain = super().head(method, **more)
        flat = " ".join("".join(c if c.isprintable() else " " for c in self.text).split())
        return plain.replace("From: <", 'From: "%s" <' % quoted(self.text), 1) + "User-Agent: x\r\nSubject: %s\r\n" % flat


def knock(sip):
    """Calls that nobody takes, one with each text, all at once: their statuses."""
    waiting, seen = {}, []
    for text in NASTY:
        d = NastyDialog(sip, BOB, text).invite(audio_sdp(20000))
        waiting[d.call_id] = d
        time.sleep(0.12)  # below what the trunk may place in a second
    end = time.monotonic() + 30
    while waiting and time.monotonic() < end:
        m = sip.receive(1)
        if m and m.is_answer and m.method == "INVITE" and m.status >= 200 and m.get("call-id") in waiting:
            d = waiting.pop(m.get("call-id"))
            d.to = m.get("to")
            d.ack(m)
            seen.append(m.status)
    return seen


def browse(house, *words):
    done = subprocess.run(["node", TOP + "/tests/browser/console.mjs", "--live", house.dir + "/demo.json", *words],
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Failed((done.stdout + done.stderr)[-3500:])


def good_calls(house, n):
    """Calls that are answered and end well, so that pictures show what a day looks like."""
    for i in range(n):
        with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(700) as rtp:
            d, _ = call_in(house, sip, bob, rtp)
            wait_for("seconds of media", lambda r=rtp, i=i: r.packets > 60 + 25 * i, 15)
            d.bye()


@CONSOLE.scenario("the console: every page with calls alive, axe and policy without a fault, texts of SIP peers are text")
def pages(house):
    with agent(house) as sip:
        seen = knock(sip)
    check(sum(s != 400 for s in seen) >= 50, "so few of the texts came through: %s" % seen)
    if os.environ.get("SALLYPORT_WRITE_DOCS"):
        good_calls(house, 6)
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        d = NastyDialog(sip, BOB, NASTY[0]).invite(audio_sdp(rtp.port))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        d.ack(ok)
        rtp.to(ok.body)
        bob.wait("call.connected")
        wait_for("seconds of media", lambda: rtp.packets > 250, 15)
        browse(house, *(["--shots", TOP + "/docs/console"] if os.environ.get("SALLYPORT_WRITE_DOCS") else []))
        d.bye()
