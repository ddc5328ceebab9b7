# SPDX-License-Identifier: Apache-2.0
"""One of the two programs is killed in mid-call."""
import signal
import time

import aiohttp

from app import App
from group import Group
from house import check, wait_for

DEATHS = Group("deaths", programs=["baresip"])


def standing(house, alice):
    call = alice.place(house.demo["dial"]["tone"])
    alice.wait("call.connected", call=call)
    alice.hears(1004)
    return call


@DEATHS.scenario("kill -9 of the media process: calls end media_failure, it comes back, the next call works")
def media(house):
    with App(house.demo, "alice") as alice:
        call = standing(house, alice)
        dead = house.kill("media")
        end = alice.wait("call.ended", call=call)["end"]
        check(end["reason"] == "media_failure", "end: %s" % end)
        check(house.record(lambda r: r["id"] == call)["end"]["reason"] == "media_failure", "the record")
        wait_for("another media process", lambda: house.pid("media") != dead and house.is_ready(), 15)
        call = standing(house, alice)
        check(alice.hangup()["end"]["reason"] == "completed", "the next call")


@DEATHS.scenario("kill -9 of sallyportd a second after the answer: the record is there after the restart")
def signaling(house):
    with App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.answered", call=call)
        time.sleep(1)
        dead = house.kill("sallyportd")
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != dead and house.is_ready(), 15)
        alice.hears(1004)  # packets go on without the signaling that set them up
        record = house.record(lambda r: r["id"] == call)
        check(record["answered_at"], "the record has no answer")
        check(record["end"]["reason"] == "gateway_restart", "end: %s" % record["end"])
        check(record["cause"] == "restart" and "started again" in record["cause_text"], record["cause_text"])
    with App(house.demo, "alice") as alice:  # the token is still good, and calls work
        standing(house, alice)
        alice.hangup()


@DEATHS.scenario("SIGTERM of sallyportd: the app hears server_shutdown, the stream ends")
def shutdown(house):
    with App(house.demo, "alice") as alice:
        call = standing(house, alice)
        old = house.kill("sallyportd", signal.SIGTERM)
        try:
            alice.wait("call.ended", call=call)
        except (ConnectionError, aiohttp.ClientError):
            pass  # the stream may end before it is read
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != old and house.is_ready(), 20)
        record = house.record(lambda r: r["id"] == call)
        check(record["end"]["reason"] == "server_shutdown", "end: %s" % record["end"])
