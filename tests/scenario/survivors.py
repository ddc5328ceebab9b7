# SPDX-License-Identifier: Apache-2.0
"""One of three trunks dies at 100 calls a second: new calls go to the others, live ones do not notice."""
import contextlib
import json
import os
import signal
import subprocess
import time

from group import Group
from attack import BUILD
from house import check, wait_for

here = os.path.dirname(os.path.abspath(__file__))
SURVIVORS = Group("survivors", template=here + "/survivors.yaml.in", programs=["sipp"])
RATE, SECONDS, HOLD_MS = 100, 9, 3000


def listens(host, port):
    shown = "%02X%02X%02X%02X:%04X" % (*reversed([int(n) for n in host.split(".")]), port)
    return any(line.split()[1] == shown for line in open("/proc/net/udp").readlines()[1:])


@contextlib.contextmanager
def callees(house):
    """SIPp's own callee on each of the three trunks."""
    port, all_of_them = house.port("lab_peer"), []
    try:
        for i in (2, 3, 4):
            host = "127.0.2.%d" % i
            all_of_them.append(subprocess.Popen(
                ["sipp", "-sn", "uas", "-i", host, "-p", str(port), "-mi", host, "-mp", str(31000 + 100 * i), "-nostdin", "-rtp_echo"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
            wait_for("the callee at " + host, lambda at=host: listens(at, port), 8)
        yield all_of_them
    finally:
        for p in all_of_them:
            p.kill()
            p.wait()


def load(house):
    """The generator as the carrier; its calls are whole when their BYE was answered 200."""
    port = house.port("lab_peer")
    return subprocess.Popen(
        [os.path.join(BUILD, "tests/load/sipgen"), "--target", "127.0.0.1:%d" % house.port("lab"), "--uac", "127.0.2.1:%d" % port,
         "--uas", "127.0.2.9:%d" % port, "--native", "10", "--rate", str(RATE), "--seconds", str(SECONDS), "--hold", str(HOLD_MS),
         "--timeout", "12"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def run(house, harm, may_shed=0.0):
    """All calls, with harm done to the second trunk's callee when a third of them is under way."""
    with callees(house) as three:
        generator = load(house)
        time.sleep(SECONDS / 3)
        harm(three[1])
        told = generator.communicate(timeout=60)[0]
        figures = json.loads(told.splitlines()[-1])
    check(figures["offered"] == RATE * SECONDS, "offered: %s" % figures)
    shed = figures["codes"].get("503", 0)  # a machine that does other work, too, may make requests wait
    check(figures["completed"] + shed >= 0.999 * figures["offered"] and shed <= may_shed * figures["offered"], "of the calls: %s" % figures)


@SURVIVORS.scenario("one of three trunks is killed at 100 calls/s: every new call succeeds, no live one is touched")
def killed(house):
    run(house, lambda callee: callee.kill())


@SURVIVORS.scenario("one of three trunks falls silent at 100 calls/s: every new call succeeds after at most 2 s")
def silent(house):
    run(house, lambda callee: callee.send_signal(signal.SIGSTOP), may_shed=0.03)
