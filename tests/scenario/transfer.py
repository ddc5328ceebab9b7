# SPDX-License-Identifier: Apache-2.0
"""Transfers, replacements, redirects and reasons: by our users and by their trunks."""
import os

from app import App
from group import Group
from house import check
from peermedia import Media
from peers import BOB, agent, take
from sipua import Dialog, sdp_media

here = os.path.dirname(os.path.abspath(__file__))
TRANSFER = Group("transfer", template=here + "/transfer.yaml.in")
ONE, TWO, THREE = "+15550200001", "+15550300001", "+15550400001"
ALICE = "+15550100001"


def from_trunk(sip, app, media, called=BOB):
    """A call of a trunk's that the app took."""
    d = Dialog(sip, called).invite(media.sdp())
    take(app)
    ok = d.answer(200)
    d.ack(ok)
    media.to(ok.body)
    app.wait("call.connected", call=app.client.call)
    return d, app.client.call


def to_trunk(sip, app, media, number):
    call = app.place(number)
    request = sip.request("INVITE")
    media.to(request.body)
    sip.reply(request, 200, sdp=media.sdp())
    sip.request("ACK")
    app.wait("call.connected", call=call)
    return request, call


def taken(sip, media, ring=True):
    """The trunk takes the next call."""
    request = sip.request("INVITE")
    media.to(request.body)
    if ring:
        sip.reply(request, 180)
    sip.reply(request, 200, sdp=media.sdp())
    sip.request("ACK")
    return request


def hears(a, b):
    a.forget()
    b.forget()
    a.hears(b.hz)
    b.hears(a.hz)


@TRANSFER.scenario("blind, by a user: the target rings, answers, both parties hear each other, the user is out")
def blind(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d, call = from_trunk(one, bob, m1)
        op = bob.verb("transfer", {"mode": "blind", "target": {"tel": TWO}})
        request = two.request("INVITE")
        check(TWO in request.first, request.first)
        two.reply(request, 180)
        event = bob.wait("call.transfer.progress", call=call)
        check(event["target"] == {"tel": TWO} and event["sip"] == 180, str(event))
        m2.to(request.body)
        two.reply(request, 200, sdp=m2.sdp())
        two.request("ACK")
        event = bob.wait("call.transfer.succeeded", call=call)
        bob.done(op)
        end = bob.wait("call.ended", call=call)["end"]
        check(end["reason"] == "transferred", str(end))
        hears(m1, m2)
        d.bye()
        two.reply(two.request("BYE"), 200)
        old = house.record(lambda r: r["id"] == call)
        check(old["end"]["reason"] == "transferred", str(old))
        new = house.record(lambda r: r["id"] == event["new_call"])
        check(new["end"]["reason"] == "completed" and new["to"] == TWO, str(new))


@TRANSFER.scenario("blind, held first: resumed for the target; busy there: the party comes back and is held again")
def blind_fails(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        _, call = to_trunk(one, bob, m1, ONE)
        bob.done(bob.verb("hold"))
        held = one.request("INVITE")
        check(sdp_media(held.body)[2] == "sendonly", held.body)
        one.reply(held, 200, sdp=m1.sdp(direction="recvonly", version=2))
        one.request("ACK")
        bob.verb("transfer", {"mode": "blind", "target": {"tel": TWO}})
        resumed = one.request("INVITE")
        check(sdp_media(resumed.body)[2] == "sendrecv", resumed.body)
        one.reply(resumed, 200, sdp=m1.sdp(version=3))
        one.request("ACK")
        two.reply(two.request("INVITE"), 486)
        event = bob.wait("call.transfer.failed", call=call)
        check(event["sip"] == 486, str(event))
        failed = bob.wait("operation.failed")
        check(failed["verb"] == "transfer", str(failed))
        held = one.request("INVITE")
        check(sdp_media(held.body)[2] == "sendonly", held.body)
        one.reply(held, 200, sdp=m1.sdp(direction="recvonly", version=4))
        one.request("ACK")
        bob.done(bob.verb("resume"))
        resumed = one.request("INVITE")
        one.reply(resumed, 200, sdp=m1.sdp(version=5))
        one.request("ACK")
        bob.hears(900)
        bob.hangup()
        one.reply(one.request("BYE"), 200)


@TRANSFER.scenario("blind, to another user of ours")
def blind_to_user(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d, call = from_trunk(one, bob, m1)
        bob.verb("transfer", {"mode": "blind", "target": {"user": "alice"}})
        event = alice.incoming()
        check(event["from"].get("tel") == one.user, str(event["from"]))
        alice.answer(event)
        bob.wait("call.ended", call=call)
        alice.wait("call.connected")
        alice.hears(900)
        m1.hears(alice.client.media.hz if hasattr(alice.client.media, "hz") else 700)
        d.bye()
        alice.wait("call.ended")


@TRANSFER.scenario("attended, by a user: the party and who was consulted are joined")
def attended(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d, call = from_trunk(one, bob, m1)
        with App(house.demo, "bob", device="second") as second:
            _, consult = to_trunk(two, second, m2, TWO)
            op = bob.verb("transfer", {"mode": "attended", "consult_call": consult})
            bob.done(op)
            for one_call in (call, consult):
                end = (bob if one_call == call else second).wait("call.ended", call=one_call)["end"]
                check(end["reason"] == "transferred", str(end))
            hears(m1, m2)
            d.bye()
            two.reply(two.request("BYE"), 200)


@TRANSFER.scenario("refused: a trunk with transfer: refuse, targets that do not exist, wrong members")
def refused(house):
    with App(house.demo, "bob") as bob, agent(house, 4) as three, Media(900, "127.0.0.4") as m3:
        _, call = to_trunk(three, bob, m3, THREE)
        for body, status, code in (({"mode": "blind", "target": {"tel": TWO}}, 403, "policy"),
                                   ({"mode": "kind", "target": {"tel": TWO}}, 400, "field"),
                                   ({"mode": "blind"}, 400, "field"),
                                   ({"mode": "blind", "target": {"tel": "12a"}}, 422, "not_dialable"),
                                   ({"mode": "attended"}, 400, "field"),
                                   ({"mode": "attended", "consult_call": call}, 409, "wrong_state")):
            problem = bob.refused(lambda: bob.verb("transfer", body))
            check(problem.status == status and problem.code.startswith(code), "%s: %s" % (body, problem))
        bob.hangup()
        three.reply(three.request("BYE"), 200)
