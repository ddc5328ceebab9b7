# SPDX-License-Identifier: Apache-2.0
"""SIPp against the lab trunk, with aiortc as the app."""
import os
import subprocess

from app import App
from group import Group
from house import Failed, check, wait_for

here = os.path.dirname(os.path.abspath(__file__))
SIPP = Group("sipp", programs=["sipp"])
BOB = "+15550100002"


class Sipp:
    """One SIPp, in the background; ends well or says why not."""

    def __init__(self, house, scenario, *more):
        self.port = house.port("lab_peer")
        self.errors = "%s/sipp-%s.errors" % (house.dir, scenario)
        self.proc = subprocess.Popen(
            ["sipp", "127.0.0.1:%d" % house.port("lab"), "-sf", "%s/sipp/%s.xml" % (here, scenario), "-i", "127.0.0.1", "-p",
             str(house.port("lab_peer")), "-mi", "127.0.0.1", "-mp", str(house.base + 64), "-m", "1", "-s", BOB, "-timeout", "25",
             "-timeout_error", "-trace_err", "-error_file", self.errors, "-nostdin", *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self):
        try:
            wait_for("SIPp's port", self._listens, 8)
        except Failed:
            self.__exit__()
            raise
        return self

    def _listens(self):
        return any(line.split()[1].endswith(":%04X" % self.port) for line in open("/proc/net/udp").readlines()[1:])

    def end(self):
        status = self.proc.wait(30)
        said = open(self.errors, errors="replace").read()[-800:] if os.path.exists(self.errors) else ""
        check(status == 0, "sipp ended with %d: %s" % (status, said))

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


@SIPP.scenario("OPTIONS")
def options(house):
    with Sipp(house, "options") as sipp:
        sipp.end()


@SIPP.scenario("SIPp calls in, holds, resumes, hangs up")
def calls_in(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uac") as sipp:
        bob.answer(bob.incoming())
        check(bob.wait("call.held")["by"] == "remote", "held")
        check(bob.wait("call.resumed")["by"] == "remote", "resumed")
        check(bob.wait("call.ended")["end"]["reason"] == "completed", "end")
        sipp.end()
    leg = next(leg for leg in house.record(lambda r: r["id"] == bob.client.call)["legs"] if leg["kind"] == "trunk")
    check(leg["codec"].upper().startswith("PCMA"), "codec: %s" % leg["codec"])


@SIPP.scenario("SIPp calls in and cancels")
def cancels(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uac_cancel") as sipp:
        bob.incoming()
        check(bob.wait("call.ended")["end"]["reason"] == "canceled", "end")
        sipp.end()


@SIPP.scenario("a call to SIPp, which answers")
def answers(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uas") as sipp:
        call = bob.place(house.demo["dial"]["lab"])
        bob.wait("call.ringing", call=call)
        bob.wait("call.answered", call=call)
        bob.wait("call.connected", call=call)
        bob.hangup()
        sipp.end()


@SIPP.scenario("a call to SIPp, which is busy")
def busy(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uas_busy") as sipp:
        call = bob.place(house.demo["dial"]["lab"])
        end = bob.wait("call.ended", call=call)["end"]
        check((end["reason"], end["q850"]) == ("busy", 17), "end: %s" % end)
        sipp.end()


@SIPP.scenario("SIPp calls in with Require: 100rel and acknowledges our 180")
def reliable_in(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uac_prack") as sipp:
        event = bob.incoming()
        bob.verb("ringing")
        bob.answer(event)
        sipp.end()


@SIPP.scenario("a call to SIPp, which answers early and reliably")
def reliable_out(house):
    with App(house.demo, "bob") as bob, Sipp(house, "uas_prack") as sipp:
        call = bob.place(house.demo["dial"]["lab"])
        bob.wait("call.ringing", call=call)
        bob.wait("call.connected", call=call)
        bob.hangup()
        sipp.end()
