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
REFERS = "Allow: INVITE, ACK, BYE, CANCEL, REFER, NOTIFY\r\n"


def from_trunk(sip, app, media, called=BOB):
    """A call of a trunk's that the app took."""
    d = Dialog(sip, called).invite(media.sdp())
    take(app)
    ok = d.answer(200)
    d.ack(ok)
    media.to(ok.body)
    app.wait("call.connected", call=app.client.call)
    return d, app.client.call


def to_trunk(sip, app, media, number, more=""):
    call = app.place(number)
    request = sip.request("INVITE")
    media.to(request.body)
    sip.reply(request, 200, sdp=media.sdp(), more=more)
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


def refer(sip, d, to, more="", by=None):
    """REFER within the call; the answer."""
    d.cseq += 1
    by = "Referred-By: %s\r\n" % by if by else ""
    sip.send(d.head("REFER", more="Refer-To: %s\r\n%s%s" % (to, by, more)))
    return d.answer(200, method="REFER")


def notified(sip, status, last):
    """The next NOTIFY says that; it is taken."""
    request = sip.request("NOTIFY")
    check(request.get("event").split(";")[0] == "refer", request.text())
    state = request.get("subscription-state")
    check(state.startswith("terminated" if last else "active"), state)
    check(request.get("content-type").startswith("message/sipfrag"), request.text())
    check(request.body.startswith("SIP/2.0 %d " % status), request.body)
    sip.reply(request, 200)
    return request


@TRANSFER.scenario("REFER of a trunk that may: 202, NOTIFY 100, 180, 200, the user talks to the target, the trunk is out")
def refer_blind(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d, call = from_trunk(one, bob, m1)
        d.target = "sip:%s@127.0.0.1:%d" % (BOB, house.port("lab"))
        got = refer(one, d, "<sip:%s@127.0.0.1>" % TWO)
        check(got.status == 202 and got.get("contact"), got.text())
        notified(one, 100, False)
        request = two.request("INVITE")
        check(TWO in request.first and "referred-by" not in dict(request.headers), request.text())
        two.reply(request, 180)
        notified(one, 180, False)
        m2.to(request.body)
        two.reply(request, 200, sdp=m2.sdp())
        two.request("ACK")
        notified(one, 200, True)
        one.reply(one.request("BYE"), 200)
        event = bob.wait("call.updated")
        check(event["call"]["id"] == call and event["call"]["to"] == {"tel": TWO}, str(event))
        bob.hears(1300)
        m2.hears(700)
        bob.hangup()
        two.reply(two.request("BYE"), 200)


@TRANSFER.scenario("REFER: the target is busy: NOTIFY 486, the call goes on; norefersub: no NOTIFY at all")
def refer_fails(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d, call = from_trunk(one, bob, m1)
        got = refer(one, d, "<sip:%s@127.0.0.1>" % TWO)
        check(got.status == 202, got.text())
        notified(one, 100, False)
        request = two.request("INVITE")
        second = refer(one, d, "<sip:%s@127.0.0.1>" % THREE)
        check(second.status == 491, second.text())
        two.reply(request, 486)
        two.request("ACK")
        notified(one, 486, True)
        bob.client.media.forget()
        bob.hears(900)
        got = refer(one, d, "<sip:%s@127.0.0.1>" % TWO, "Refer-Sub: false\r\nRequire: norefersub\r\n")
        check(got.status == 202 and got.get("refer-sub") == "false", got.text())
        two.reply(two.request("INVITE"), 603)
        two.request("ACK")
        one.silence(1)
        bob.hears(900)
        d.bye()
        bob.wait("call.ended", call=call)


@TRANSFER.scenario("REFER, and BYE at once: the user hears it ring and gets the target all the same")
def refer_and_bye(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d, call = from_trunk(one, bob, m1)
        check(refer(one, d, "<sip:%s@127.0.0.1>" % TWO).status == 202, "REFER")
        notified(one, 100, False)
        d.bye()
        request = two.request("INVITE")
        two.reply(request, 180)
        bob.client.media.forget()
        m2.to(request.body)
        two.reply(request, 200, sdp=m2.sdp())
        two.request("ACK")
        bob.hears(1300)
        two.send(in_call(two, request, "BYE", 1))
        two.wait("200", lambda m: m.is_answer and m.method == "BYE")
        bob.wait("call.ended", call=call)


def in_call(sip, request, method, cseq, more=""):
    """A request of the callee's within the call that this INVITE began."""
    target = request.get("contact").strip("<>").split(">")[0]
    return ("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\nFrom: %s;tag=far\r\nTo: %s\r\n"
            "Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:far@%s:%d>\r\n%s" %
            (method, target, sip.host, sip.port, method, cseq, request.get("to"), request.get("from"), request.get("call-id"), cseq,
             method, sip.host, sip.port, more))


@TRANSFER.scenario("REFER that is refused: by the trunk's setting, foreign targets, other methods, malformed, outside of a call")
def refer_refused(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d, call = from_trunk(one, bob, m1)
        for to, status, word in (("<sip:eve@elsewhere.example>", 403, "name of ours"),
                                 ("<sip:elsewhere.example;x-m=1>", 403, "host"),
                                 ("<sip:%s@127.0.0.1;method=BYE>" % TWO, 403, "method"),
                                 ("<http://elsewhere.example/>", 416, "sip"),
                                 ("<sip:%s@127.0.0.1?Replaces=none%%3Bto-tag%%3Da%%3Bfrom-tag%%3Db>" % TWO, 403, "Replaces"),
                                 ("<sip:+19990000000@127.0.0.1>", 404, "dialplan")):
            got = refer(one, d, to)
            check(got.status == status and word in got.get("warning"), "%s: %s" % (to, got.text()))
        got = refer(one, d, "<sip:%s@127.0.0.1>" % TWO, "Require: tdialog\r\n")
        check(got.status == 420, got.text())
        d.bye()
        bob.wait("call.ended", call=call)
        stray = Dialog(one, BOB)
        stray.cseq = 1
        one.send(stray.head("REFER", more="Refer-To: <sip:%s@127.0.0.1>\r\n" % TWO))
        check(stray.answer(200, method="REFER").status in (403, 405), "out of a dialog")
        bob.client.events.clear()
        d, call = from_trunk(two, bob, m1)
        got = refer(two, d, "<sip:%s@127.0.0.1>" % ONE)
        check(got.status == 403 and "accept_refer" in got.get("warning"), got.text())
        d.bye()


@TRANSFER.scenario("REFER attended: Replaces names the other call of the same trunk: the two users are joined")
def refer_attended(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.2") as m2:
        first, call = from_trunk(one, bob, m1)
        second, other = from_trunk(one, alice, m2, ALICE)
        tag = second.to.split("tag=")[1].split(";")[0]
        got = refer(one, first, "<sip:%s@127.0.0.1?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>" %
                    (ALICE, second.call_id.replace("@", "%40"), tag, second.tag))
        check(got.status == 202, got.text())
        notified(one, 200, True)
        for _ in range(2):
            one.reply(one.request("BYE"), 200)
        bob.client.media.forget()
        alice.client.media.forget()
        bob.hears(700)
        alice.hears(700)
        bob.hangup()
        alice.wait("call.ended", call=other)


@TRANSFER.scenario("REFER to the hub's own URI without a user: the words come back to it as they were, 400 characters of them")
def refer_hub(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.2") as m2:
        d, call = from_trunk(one, bob, m1)
        uri = "sip:127.0.0.2:%d;x-m=%s;x-t=tenant" % (one.port, "8:orgid:" + "a" * 400)
        by = "<sip:transferor@127.0.0.2;x-m=8:orgid:b;x-t=t>;x-ti=%s" % ("c" * 300)
        got = refer(one, d, "<%s>" % uri, by=by)
        check(got.status == 202, got.text())
        notified(one, 100, False)
        request = one.request("INVITE")
        check(request.first == "INVITE %s SIP/2.0" % uri, request.first)
        check("x-ti=" + "c" * 300 in request.get("referred-by") and "x-m=8:orgid:b" in request.get("referred-by"), request.text())
        m2.to(request.body)
        one.reply(request, 200, sdp=m2.sdp())
        one.request("ACK")
        notified(one, 200, True)
        one.reply(one.request("BYE"), 200)
        bob.hears(1300)
        bob.hangup()
        one.reply(one.request("BYE"), 200)


def replaces(d):
    return "%s;to-tag=%s;from-tag=%s" % (d.call_id, d.to.split("tag=")[1].split(";")[0], d.tag)


@TRANSFER.scenario("INVITE with Replaces where the trunk may: it takes the call's place, the old dialog gets BYE")
def replaced(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.2") as m2:
        d, call = from_trunk(one, bob, m1)
        new = Dialog(one, BOB).invite(m2.sdp(), more="Require: replaces\r\nReplaces: %s\r\n" % replaces(d))
        ok = new.answer(200)
        check(ok.status == 200, ok.text())
        check("replaces" in ",".join(ok.all("supported")) and "REFER" in ok.get("allow"), ok.text())
        m2.to(ok.body)
        bye = one.request("BYE")
        check(bye.get("call-id") == d.call_id, bye.text())
        one.reply(bye, 200)
        new.ack(ok)
        bob.client.media.forget()
        bob.hears(1300)
        m2.hears(700)
        bob.hangup()
        bye = one.request("BYE")
        check(bye.get("call-id") == new.call_id, bye.text())
        one.reply(bye, 200)
        record = house.record(lambda r: r["end"]["reason"] == "replaced")
        check(record["direction"] == "in", str(record))


@TRANSFER.scenario("INVITE with Replaces that is refused: by role, of no call, of another trunk's, early-only, twice")
def replaced_not(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d, call = from_trunk(one, bob, m1)
        far, other = from_trunk(two, alice, m2, ALICE)
        for sip, value, status in ((two, replaces(far), 403), (one, "nobody@test;to-tag=a;from-tag=b", 481),
                                   (one, replaces(far), 481), (one, replaces(d) + ";early-only", 486),
                                   (one, "nobody@test;to-tag=a", 400)):
            new = Dialog(sip, BOB).invite(m1.sdp(), more="Replaces: %s\r\n" % value)
            got = new.answer(200)
            check(got.status == status, "%s: %s" % (value, got.text()))
            new.ack(got)
        alice.client.events.clear()
        ringing = Dialog(one, ALICE).invite(m1.sdp())  # a call that rings here is its caller's to give up (RFC 3891, 3)
        alice.incoming()
        early = ringing.answer(180)
        new = Dialog(one, BOB).invite(m1.sdp(), more="Replaces: %s;to-tag=%s;from-tag=%s\r\n" % (
            ringing.call_id, early.get("to").split("tag=")[1].split(";")[0], ringing.tag))
        got = new.answer(200)
        check(got.status == 481, got.text())
        new.ack(got)
        ringing.cancel()
        ringing.ack(ringing.answer(300))
        new = Dialog(two, BOB).invite(m1.sdp(), more="Require: replaces\r\n")
        got = new.answer(200)
        check(got.status == 420 and got.get("unsupported") == "replaces", got.text())
        new.ack(got)
        d.bye()
        far.bye()


def notify(sip, request, cseq, status, state="active", event="refer", kind="message/sipfrag"):
    """A NOTIFY of the callee's; the answer."""
    body = "SIP/2.0 %d Word\r\n" % status
    head = in_call(sip, request, "NOTIFY", cseq, "Event: %s\r\nSubscription-State: %s\r\nContent-Type: %s\r\n" % (event, state, kind))
    sip.socket.sendto((head + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode(), sip.peer)
    return sip.wait("answer to NOTIFY", lambda m: m.is_answer and m.get("cseq") == "%d NOTIFY" % cseq)


@TRANSFER.scenario("transfer: refer: REFER to the trunk, its NOTIFYs are told, 200 ends our call; BYE after 202 does, too")
def refer_out(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(1300, "127.0.0.3") as m2:
        for ends_by_bye in (False, True):
            request, call = to_trunk(two, bob, m2, TWO, REFERS)
            op = bob.verb("transfer", {"mode": "blind", "target": {"tel": "+15550300009"}})
            asked = two.request("REFER")
            check(asked.get("refer-to").startswith("<sip:+15550300009@127.0.0.3"), asked.text())
            check("+15550100002" in asked.get("referred-by"), asked.text())
            two.reply(asked, 202)
            check(notify(two, request, 1, 100).status == 200, "NOTIFY 100")
            check(notify(two, request, 2, 180).status == 200, "NOTIFY 180")
            check(bob.wait("call.transfer.progress", call=call)["sip"] == 180, "progress")
            if ends_by_bye:
                two.send(in_call(two, request, "BYE", 3))
            else:
                check(notify(two, request, 3, 200, "terminated;reason=noresource").status == 200, "NOTIFY 200")
            bob.wait("call.transfer.succeeded", call=call)
            bob.done(op)
            check(bob.wait("call.ended", call=call)["end"]["reason"] == "transferred", "end")
            if not ends_by_bye:
                two.reply(two.request("BYE"), 200)
            else:
                two.wait("200", lambda m: m.is_answer and m.method == "BYE" and m.status == 200)


@TRANSFER.scenario("transfer: refer that fails: refused, or the target is busy: told, and the call goes on; stray NOTIFYs: 481, 489, 415")
def refer_out_fails(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(1300, "127.0.0.3") as m2:
        request, call = to_trunk(two, bob, m2, TWO, REFERS)
        check(notify(two, request, 1, 200).status == 481, "no subscription")
        check(notify(two, request, 2, 200, event="presence").status == 489, "another event")
        body = {"mode": "blind", "target": {"tel": "+15550300009"}}
        bob.verb("transfer", body)
        two.reply(two.request("REFER"), 603)
        check(bob.wait("call.transfer.failed", call=call)["sip"] == 603, "603")
        bob.client.events.clear()
        bob.verb("transfer", body)
        problem = bob.refused(lambda: bob.verb("transfer", body))
        check(problem.status == 409, str(problem))
        two.reply(two.request("REFER"), 202)
        check(notify(two, request, 3, 180, kind="text/plain").status == 415, "another type")
        check(notify(two, request, 4, 486, "terminated;reason=noresource").status == 200, "NOTIFY 486")
        check(bob.wait("call.transfer.failed", call=call)["sip"] == 486, "486")
        check(notify(two, request, 5, 486).status == 481, "its last word was said")
        bob.client.media.forget()
        bob.hears(1300)
        bob.hangup()
        two.reply(two.request("BYE"), 200)


@TRANSFER.scenario("transfer: refer to a peer whose Allow has no REFER: by a call of ours")
def refer_out_not(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(900, "127.0.0.3") as m1, Media(1300, "127.0.0.3") as m2:
        request, call = to_trunk(two, bob, m1, TWO)
        bob.verb("transfer", {"mode": "blind", "target": {"tel": "+15550300009"}})
        second = taken(two, m2)
        check("+15550300009" in second.first, second.first)
        bob.wait("call.transfer.succeeded", call=call)
        hears(m1, m2)
        two.send(in_call(two, request, "BYE", 1))
        bye = two.request("BYE")
        check(bye.get("call-id") == second.get("call-id"), bye.text())
        two.reply(bye, 200)


@TRANSFER.scenario("3xx of a trunk that is followed: contacts in the order of q, through the plan; the first busy, the next answers")
def redirected(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, agent(house, 4) as three, \
            Media(1300, "127.0.0.3") as m2:
        call = bob.place(ONE)
        request = one.request("INVITE")
        one.reply(request, 300, more="Contact: <sip:%s@there.example>;q=0.5, <sip:%s@there.example>;q=0.9, <mailto:x@y>\r\n" % (TWO, THREE))
        one.request("ACK")
        request = three.request("INVITE")
        check(THREE in request.first, request.first)
        three.reply(request, 486)
        three.request("ACK")
        taken(two, m2)
        bob.wait("call.connected", call=call)
        bob.hears(1300)
        bob.hangup()
        two.reply(two.request("BYE"), 200)
        record = house.record(lambda r: r["id"] == call)
        check(record["end"]["reason"] == "completed", str(record))


@TRANSFER.scenario("3xx that is not followed: refused by the trunk's setting, without a number, in a circle, too often")
def redirected_not(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, agent(house, 4) as three:
        for sip, number, contact, words in ((three, THREE, TWO, "redirects: refuse"), (one, ONE, "eve", "contacts"),
                                            (one, ONE, ONE, "already"), (one, ONE, "+19990000000", "")):
            call = bob.place(number)
            sip.reply(sip.request("INVITE"), 302, more="Contact: <sip:%s@there.example>\r\n" % contact)
            sip.request("ACK")
            end = bob.wait("call.ended", call=call)["end"]
            check(words in end["detail"] and end["reason"] != "completed", "%s: %s" % (contact, end))
        call = bob.place(ONE)
        for n in range(4):
            request = one.request("INVITE")
            one.reply(request, 302, more="Contact: <sip:+155502000%02d@there.example>\r\n" % (n + 10))
            one.request("ACK")
        end = bob.wait("call.ended", call=call)["end"]
        check("forwards" in end["detail"], str(end))


@TRANSFER.scenario("redirects: same_trunk: the contact is called by the trunk that named it, whatever the plan says")
def redirected_there(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(1300, "127.0.0.3") as m2:
        call = bob.place(TWO)
        two.reply(two.request("INVITE"), 302, more="Contact: <sip:%s@there.example>\r\n" % THREE)
        two.request("ACK")
        request = taken(two, m2)
        check(THREE in request.first, request.first)
        bob.wait("call.connected", call=call)
        bob.hangup()
        two.reply(two.request("BYE"), 200)


@TRANSFER.scenario("redirect, by a user whose device rings: a number, another user, the next when the first is busy")
def redirect_verb(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, agent(house, 3) as two, \
            Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d = Dialog(one, BOB).invite(m1.sdp())
        call = bob.incoming()["call"]
        for body, status in (({}, 400), ({"targets": []}, 400), ({"targets": [{"tel": "x"}]}, 422), ({"targets": [{"user": "nobody"}]}, 422)):
            problem = bob.refused(lambda: bob.verb("redirect", body))
            check(problem.status == status, "%s: %s" % (body, problem))
        bob.verb("redirect", {"targets": [{"tel": TWO}]})
        check(bob.wait("call.ended", call=call)["end"]["reason"] == "transferred", "end")
        taken(two, m2)
        ok = d.answer(200)
        d.ack(ok)
        m1.to(ok.body)
        hears(m1, m2)
        d.bye()
        two.reply(two.request("BYE"), 200)
        bob.client.events.clear()
        d = Dialog(one, BOB).invite(m1.sdp())
        call = bob.incoming()["call"]
        bob.verb("redirect", {"targets": [{"tel": TWO}, {"user": "alice"}]})
        two.reply(two.request("INVITE"), 486)
        two.request("ACK")
        alice.answer(alice.incoming())
        ok = d.answer(200)
        d.ack(ok)
        m1.to(ok.body)
        alice.hears(900)
        problem = alice.refused(lambda: alice.verb("redirect", {"targets": [{"tel": TWO}]}))
        check(problem.status == 409, str(problem))
        d.bye()


@TRANSFER.scenario("redirect, where the caller's trunk is set to it: 302 with the numbers")
def redirect_302(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(1300, "127.0.0.3") as m2:
        d = Dialog(two, BOB).invite(m2.sdp())
        call = bob.incoming()["call"]
        bob.verb("redirect", {"targets": [{"tel": ONE}, {"tel": THREE}]})
        got = d.answer(300)
        contact = ",".join(got.all("contact"))
        check(got.status == 302 and ONE in contact and THREE in contact and contact.index(ONE) < contact.index(THREE), got.text())
        d.ack(got)
        check(bob.wait("call.ended", call=call)["end"]["reason"] == "transferred", "end")


@TRANSFER.scenario("reasons of a trunk: statuses, Q.850 in answers and goodbyes, several values; texts are ours")
def reasons(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        for status, reason, word, q850 in ((603, None, "declined", None), (607, None, "declined", None), (608, None, "rejected", None),
                                           (480, "Q.850;cause=17", "busy", 17), (503, "Q.850;cause=47;text=\"<b>x\"", "congestion", 47),
                                           (480, "SIP;cause=486, Q.850;cause=19", "no_answer", 19), (500, "Q.850;cause=999", "trunk_failure", None)):
            call = bob.place(ONE)
            one.reply(one.request("INVITE"), status, more="Reason: %s\r\n" % reason if reason else "")
            one.request("ACK")
            end = bob.wait("call.ended", call=call)["end"]
            check((end["reason"], end["sip"], end["q850"], end["by"]) == (word, status, q850, "remote"), "%s %s: %s" % (status, reason, end))
            check("<b>" not in str(end), str(end))
        for reason, word, text in (("Q.850;cause=38", "trunk_failure", "Network out of order"), ("Q.850;cause=16", "completed", "Normal call clearing"),
                                   ("Preemption;cause=1, SIP;cause=503", "trunk_failure", "")):
            request, call = to_trunk(one, bob, m1, ONE)
            one.send(in_call(one, request, "BYE", 1, "Reason: %s\r\n" % reason))
            one.wait("200", lambda m: m.is_answer and m.method == "BYE")
            end = bob.wait("call.ended", call=call)["end"]
            check((end["reason"], end["text"]) == (word, text), "%s: %s" % (reason, end))
            record = house.record(lambda r: r["id"] == call)
            check(record["end"]["reason"] == word, str(record["end"]))


@TRANSFER.scenario("reasons of ours: a caller who was answered elsewhere, a busy user, a device that lost the race")
def reasons_out(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, BOB).invite(m1.sdp())
        bob.incoming()
        bob.verb("reject", {"reason": "busy"})
        got = d.answer(300)
        check(got.status == 486 and "Q.850;cause=17" in got.get("reason"), got.text())
        d.ack(got)
        d = Dialog(one, ALICE).invite(m1.sdp())
        call = alice.incoming()["call"]
        one.send(d.head("CANCEL", uri=d.uri, branch=d.invite_branch, more="Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"))
        d.answer(200, method="CANCEL")
        got = d.answer(300)
        check(got.status == 487, got.text())
        d.ack(got)
        alice.wait("call.answered_elsewhere", call=call)
        d, call = from_trunk(one, bob, m1)
        bob.hangup()
        bye = one.request("BYE")
        check("Q.850;cause=16" in bye.get("reason"), bye.text())
        one.reply(bye, 200)
