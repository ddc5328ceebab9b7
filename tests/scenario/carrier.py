# SPDX-License-Identifier: Apache-2.0
"""The demonstration carrier (baresip: TLS, mandatory SRTP) with aiortc as the app, and configuration refusals."""
import time

from app import App
from group import Group
from house import Carrier, check, wait_for

CARRIER = Group("carrier", programs=["baresip"])


def leg_of(record, kind):
    return next(leg for leg in record["legs"] if leg["kind"] == kind)


def secured(house, call):
    record = house.record(lambda r: r["id"] == call)
    for kind in ("trunk", "native"):
        leg = leg_of(record, kind)
        check("AES" in (leg["srtp"] or ""), "%s leg: srtp %s" % (kind, leg["srtp"]))
        check(leg["rx"]["packets"] > 20 and leg["tx"]["packets"] > 20, "%s leg: %s" % (kind, leg))
    return record


@CARRIER.scenario("a call to the tone: heard, digits arrive, both legs secured")
def tone(house):
    with App(house.demo, "alice") as alice, Carrier(house.port("ctrl")) as carrier:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.answered", call=call)
        alice.wait("call.connected", call=call)
        alice.hears(1004)
        alice.done(alice.verb("dtmf", {"digits": "19*#"}))
        wait_for("digits at the carrier", lambda: carrier.digits() == "19*#", 4)
        alice.hangup()
    record = secured(house, call)
    check(record["session_id"]["local"], "no Session-ID")


@CARRIER.scenario("a call to the echo: the app hears itself")
def echo(house):
    with App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["echo"])
        alice.wait("call.connected", 15, call=call)
        alice.hears(700, 8)
        alice.hangup()
    secured(house, call)


@CARRIER.scenario("600, the gateway's own echo")
def own_echo(house):
    with App(house.demo, "alice") as alice:
        call = alice.place("600")
        alice.wait("call.connected", call=call)
        alice.hears(700)
        alice.hangup()


@CARRIER.scenario("the carrier calls in; it hangs up")
def calls_in(house):
    with App(house.demo, "alice") as alice, Carrier(house.port("ctrl")) as carrier:
        carrier.dial(house.demo["users"]["alice"]["numbers"][0], house.port("tls"))
        event = alice.incoming()
        check(event["from"].get("tel") == "+15550188001", "from: %s" % event["from"])
        alice.answer(event)
        carrier.wait("CALL_ESTABLISHED")
        alice.wait("call.connected")
        alice.hears(1004)
        for digit in "80":
            carrier.say("sndcode", digit)
            time.sleep(0.3)
        wait_for("digits at the app", lambda: "".join(e["digit"] for e in alice.seen("dtmf.received")) == "80", 4)
        carrier.say("hangup")
        end = alice.wait("call.ended")["end"]
        check((end["reason"], end["by"]) == ("completed", "remote"), "end: %s" % end)
        call = alice.client.call
    secured(house, call)


@CARRIER.scenario("a warm answer: media up first, then the 200")
def warm(house):
    with App(house.demo, "alice") as alice, Carrier(house.port("ctrl")) as carrier:
        carrier.dial(house.demo["users"]["alice"]["numbers"][0], house.port("tls"))
        event = alice.incoming()
        alice.answer(event, provisional=True, early_media=False)
        alice.run(alice.client.media.connected())
        carrier.read(0.3)
        check(not any(e["type"] == "CALL_ESTABLISHED" for e in carrier.events), "answered too early")
        alice.verb("answer")
        carrier.wait("CALL_ESTABLISHED")
        alice.hears(1004)
        alice.hangup()


@CARRIER.scenario("two devices ring: one answers, the other hears answered_elsewhere")
def two_devices(house):
    with App(house.demo, "alice", device="desk") as desk, App(house.demo, "alice", device="car") as car, \
            Carrier(house.port("ctrl")) as carrier:
        carrier.dial(house.demo["users"]["alice"]["numbers"][0], house.port("tls"))
        a, b = desk.incoming(), car.incoming()
        check(a["call"] == b["call"] and a["offer"]["sdp"] != b["offer"]["sdp"], "the devices do not have offers of their own")
        desk.answer(a)
        car.wait("call.answered_elsewhere", call=b["call"])
        problem = car.refused(lambda: car.answer(b))
        check((problem.status, problem.code) == (409, "answered_elsewhere"), str(problem))
        desk.wait("call.connected")
        desk.hears(1004)
        desk.hangup()


@CARRIER.scenario("a reloaded page takes its call up")
def reload(house):
    with App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.connected", call=call)
        alice.hears(1004)
        alice.deafen()
        alice.run(alice.client.listen())
        alice.reload()
        check(alice.client.call == call, "another call")
        alice.hears(1004)
        check(alice.snapshot()["state"] == "connected", "state")
        alice.hangup()
    secured(house, call)


@CARRIER.scenario("hold and resume: silence, then the tone again")
def hold(house):
    with App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.connected", call=call)
        alice.hears(1004)
        alice.done(alice.verb("hold"))
        check(alice.snapshot()["state"] == "local_hold", "state")
        time.sleep(1.2)
        before, (hz, level) = alice.client.media.packets, alice.client.media.heard()
        check(level < -60, "the holder hears %.0f Hz at %.1f dBFS" % (hz, level))
        time.sleep(0.5)
        check(alice.client.media.packets > before, "no packets while held")
        alice.done(alice.verb("resume"))
        alice.client.media.forget()
        alice.hears(1004)
        alice.hangup()


@CARRIER.scenario("Idempotency-Key: the same request twice is one call")
def idempotent(house):
    with App(house.demo, "alice") as alice:
        async def twice():
            from aiortc_client import Media
            alice.client.media = media = Media(700)
            body = {"to": {"tel": house.demo["dial"]["tone"]}, "offer": await media.offer()}
            key = {"Idempotency-Key": "once-%d" % time.time_ns()}
            first = await alice.client.ask("POST", "/calls", body, key)
            second = await alice.client.ask("POST", "/calls", body, key)
            alice.client.call = first["id"]
            return first, second
        first, second = alice.run(twice())
        check(first["id"] == second["id"], "two calls")
        check(len(house.live_calls()) == 1, "live: %s" % house.live_calls())
        alice.hangup()


@CARRIER.scenario("doors of operators: no token, no records; metrics count")
def operators(house):
    import http.client
    door = http.client.HTTPConnection("127.0.0.1", house.port("admin"), timeout=5)
    door.request("GET", "/admin/v1/records")
    check(door.getresponse().status == 401, "records without a token")
    check("sallyport_" in house.admin("/metrics")[1], "no metrics")
    wait_for("records", house.records)
