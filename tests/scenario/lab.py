# SPDX-License-Identifier: Apache-2.0
"""The lab trunk (UDP, plain RTP) against a small SIP agent, with aiortc as the app."""
import threading
import time

from app import App
from group import Group
from house import check, wait_for
from sipua import Agent, Dialog, Rtp, audio_sdp, sdp_media

LAB = Group("lab")
BOB = "+15550100002"
DIAL = "+15550199100"


def agent(house, **more):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), **more)


def call_in(house, sip, bob, rtp):
    """A call from the trunk to bob, answered, tones heard both ways."""
    d = Dialog(sip, BOB).invite(audio_sdp(rtp.port))
    bob.answer(bob.incoming())
    ok = d.answer(200)
    check(ok.status == 200, "INVITE got " + ok.first)
    d.ack(ok)
    rtp.to(ok.body)
    bob.wait("call.connected")
    return d, ok


def call_out(house, sip, bob, rtp, **more):
    """A call from bob to the trunk, answered: (request, id)."""
    call = bob.place(DIAL)
    request = sip.request("INVITE")
    rtp.to(request.body)
    sip.reply(request, 180)
    bob.wait("call.ringing", call=call)
    sip.reply(request, 200, sdp=audio_sdp(rtp.port), **more)
    sip.request("ACK")
    bob.wait("call.answered", call=call)
    bob.wait("call.connected", call=call)
    return request, call


def in_dialog(sip, request, method, cseq, sdp="", tag="far"):
    """A request of the callee within the call that we took."""
    target = request.get("contact").strip("<>").split(">")[0]
    sip.send("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s%d%d\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\n"
             "To: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:far@%s:%d>\r\n"
             % (method, target, sip.shown, sip.port, method, cseq, time.monotonic_ns(), request.get("to"), tag, request.get("from"),
                request.get("call-id"), cseq, method, sip.shown, sip.port), sdp)


@LAB.scenario("a call in: tones both ways, own SSRC, digits both ways, BYE from the trunk, record")
def inbound(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        d, ok = call_in(house, sip, bob, rtp)
        check(ok.get("session-id"), "no Session-ID in the 200")
        bob.hears(900)
        rtp.hears(700)
        check(len(rtp.ssrcs) == 1, "more than one SSRC")
        rtp.send_digit = "7"
        check(bob.wait("dtmf.received")["digit"] == "7", "wrong digit")
        bob.done(bob.verb("dtmf", {"digits": "42#"}))
        wait_for("digits at the trunk", lambda: rtp.digits == "42#", 3)
        check(d.bye().status == 200, "BYE was not answered by 200")
        end = bob.wait("call.ended")["end"]
        check((end["reason"], end["by"]) == ("completed", "remote"), "end: %s" % end)
    record = house.record(lambda r: r["id"] == bob.client.call)
    check(record["direction"] == "in" and record["answered_at"], "record: %s" % record)
    trunk = next(leg for leg in record["legs"] if leg["kind"] == "trunk")
    check(trunk["rx"]["packets"] > 50 and trunk["codec"].upper().startswith("PCMU"), "trunk leg: %s" % trunk)


@LAB.scenario("a call out: ringing, early media, answer, BYE from the app")
def outbound(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        call = bob.place(DIAL)
        request = sip.request("INVITE")
        rtp.to(request.body)
        sip.reply(request, 183, "Session Progress", sdp=audio_sdp(rtp.port))
        check(bob.wait("call.early_media", call=call)["active"] is True, "no early media")
        bob.hears(900)
        sip.reply(request, 200, sdp=audio_sdp(rtp.port))
        sip.request("ACK")
        bob.wait("call.connected", call=call)
        rtp.hears(700)
        end = bob.hangup()["end"]
        check((end["reason"], end["by"]) == ("completed", "local"), "end: %s" % end)
        sip.reply(sip.request("BYE"), 200)


@LAB.scenario("busy: 486 becomes busy, ACK is sent")
def busy(house):
    with App(house.demo, "bob") as bob, agent(house) as sip:
        call = bob.place(DIAL)
        request = sip.request("INVITE")
        sip.reply(request, 486, "Busy Here", more="Reason: Q.850;cause=17\r\n")
        sip.request("ACK")
        end = bob.wait("call.ended", call=call)["end"]
        check((end["reason"], end["sip"], end["q850"]) == ("busy", 486, 17), "end: %s" % end)


@LAB.scenario("the app cancels: CANCEL, 487, ACK")
def app_cancels(house):
    with App(house.demo, "bob") as bob, agent(house) as sip:
        call = bob.place(DIAL)
        request = sip.request("INVITE")
        sip.reply(request, 180)
        bob.wait("call.ringing", call=call)
        end = bob.hangup()["end"]
        check(end["reason"] == "canceled", "end: %s" % end)
        sip.reply(sip.request("CANCEL"), 200)
        sip.reply(request, 487)
        sip.request("ACK")


@LAB.scenario("CANCEL crosses the 200: ACK and BYE")
def cancel_race(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp() as rtp:
        call = bob.place(DIAL)
        request = sip.request("INVITE")
        sip.reply(request, 180)
        bob.wait("call.ringing", call=call)
        bob.hangup()
        cancel = sip.request("CANCEL")
        sip.reply(request, 200, sdp=audio_sdp(rtp.port))
        sip.reply(cancel, 200)
        sip.request("ACK")
        sip.reply(sip.request("BYE"), 200)


@LAB.scenario("the trunk cancels: the app hears canceled, 487")
def trunk_cancels(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp() as rtp:
        d = Dialog(sip, BOB).invite(audio_sdp(rtp.port))
        bob.incoming()
        d.answer(180)
        d.cancel()
        check(d.answer(200, method="CANCEL").status == 200, "CANCEL")
        gone = d.answer(300)
        check(gone.status == 487, gone.first)
        d.ack(gone)
        check(bob.wait("call.ended")["end"]["reason"] == "canceled", "not canceled")


@LAB.scenario("the app rejects: 486")
def rejects(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp() as rtp:
        d = Dialog(sip, BOB).invite(audio_sdp(rtp.port))
        bob.incoming()
        bob.verb("reject", {"reason": "busy"})
        gone = d.answer(300)
        check(gone.status == 486, gone.first)
        d.ack(gone)


@LAB.scenario("nobody is there: 480 after the wait")
def nobody(house):
    with agent(house) as sip, Rtp() as rtp:
        begin = time.monotonic()
        d = Dialog(sip, "+15550100001").invite(audio_sdp(rtp.port))
        gone = d.answer(300, seconds=12)
        check(gone.status == 480, gone.first)
        check(time.monotonic() - begin > 3, "not waited for")
        d.ack(gone)


@LAB.scenario("hold and resume by the trunk, in re-INVITEs")
def trunk_holds(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        d, ok = call_in(house, sip, bob, rtp)
        bob.hears(900)
        for direction, theirs, event in (("sendonly", "recvonly", "call.held"), ("sendrecv", "sendrecv", "call.resumed"),
                                         ("inactive", "inactive", "call.held"), ("sendrecv", "sendrecv", "call.resumed")):
            n = len(bob.client.events)
            d.invite(audio_sdp(rtp.port, direction=direction, version=d.cseq + 2))
            ok = d.answer(200)
            check(ok.status == 200, ok.first)
            check(sdp_media(ok.body)[2] == theirs, "%s was answered by %s" % (direction, sdp_media(ok.body)[2]))
            d.ack(ok)
            check(bob.run(bob.client.wait(event, after=n))["by"] == "remote", event)
        bob.client.media.forget()
        bob.hears(900)
        rtp.hears(700)
        d.bye()


@LAB.scenario("hold and resume by the app: the trunk hears no app, then hears it again")
def app_holds(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        request, call = call_out(house, sip, bob, rtp)
        rtp.hears(700)

        def answer_reinvites():
            while not done.is_set():
                m = sip.receive(0.1)
                if m and not m.is_answer and m.method == "INVITE":
                    theirs = {"sendonly": "recvonly", "inactive": "inactive"}.get(sdp_media(m.body)[2], "sendrecv")
                    seen.append(sdp_media(m.body)[2])
                    sip.reply(m, 200, sdp=audio_sdp(rtp.port, direction=theirs, version=2 + len(seen)))
        done, seen = threading.Event(), []
        thread = threading.Thread(target=answer_reinvites)
        thread.start()
        try:
            bob.done(bob.verb("hold"))
            check(bob.wait("call.held")["by"] == "local", "held by whom")
            problem = bob.refused(lambda: bob.verb("hold"))
            check(problem.status == 409, "hold while held: %s" % problem)
            time.sleep(0.5)
            rtp.forget()
            time.sleep(0.8)
            with rtp.lock:
                import tone
                hz = tone.measure(tone.of_ulaw(rtp.heard_bytes), 8000)[0]
            check(abs(hz - 700) > 20, "the held trunk still hears the app")
            bob.done(bob.verb("resume"))
            rtp.hears(700)
            bob.client.media.forget()
            bob.hears(900)
            check(seen and seen[0] in ("sendonly", "inactive"), "re-INVITEs: %s" % seen)
        finally:
            done.set()
            thread.join()
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@LAB.scenario("late offer: the 200 has our full offer, the ACK the answer")
def late_offer(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        d = Dialog(sip, BOB).invite("")
        bob.answer(bob.incoming())
        ok = d.answer(200)
        check(ok.status == 200 and "m=audio" in ok.body, "200 without an offer: " + ok.first)
        check(sdp_media(ok.body)[2] == "sendrecv", "not the full capability")
        d.ack(ok, audio_sdp(rtp.port))
        rtp.to(ok.body)
        bob.hears(900)
        rtp.hears(700)
        d.bye()


@LAB.scenario("a 200 without SDP ends in ACK and BYE")
def ok_without_sdp(house):
    with App(house.demo, "bob") as bob, agent(house) as sip:
        call = bob.place(DIAL)
        request = sip.request("INVITE")
        sip.reply(request, 200)
        sip.request("ACK")
        sip.reply(sip.request("BYE"), 200)
        bob.wait("call.ended", call=call)


@LAB.scenario("a provisional after the final is ignored")
def late_provisional(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        request, call = call_out(house, sip, bob, rtp)
        for status in (180, 183, 100):
            sip.reply(request, status)
        sip.reply(request, 486)
        time.sleep(0.5)
        check(bob.snapshot()["state"] == "connected", "the call did not stay")
        bob.hears(900)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


def odd_contact(contact):
    def scenario(house):
        with App(house.demo, "bob") as bob, agent(house) as sip, Rtp() as rtp:
            call = bob.place(DIAL)
            request = sip.request("INVITE")
            sip.reply(request, 200, sdp=audio_sdp(rtp.port), contact=contact)
            end = bob.wait("call.ended", call=call)["end"]
            check(end["reason"] != "completed", "end: %s" % end)
        check(house.is_ready(), "the gateway is not well")
    return scenario


LAB.scenario("200 with Contact: * ends the call, not the program")(odd_contact("*"))
LAB.scenario("200 with Contact: <tel:123> ends the call, not the program")(odd_contact("<tel:123>"))


@LAB.scenario("the second 200 of a fork gets ACK and BYE")
def fork(house):
    with App(house.demo, "bob") as bob, agent(house) as sip, Rtp(900) as rtp:
        request, call = call_out(house, sip, bob, rtp)
        sip.reply(request, 200, sdp=audio_sdp(rtp.port), tag="other")
        sip.wait("ACK for the other", lambda m: m.method == "ACK" and "other" in m.get("to"))
        sip.reply(sip.wait("BYE for the other", lambda m: m.method == "BYE" and "other" in m.get("to")), 200)
        bob.hears(900)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@LAB.scenario("OPTIONS is answered, unknown methods and extensions are refused by name")
def options(house):
    with agent(house) as sip:
        for method, more, status, header in (("OPTIONS", "", 200, "allow"), ("WIBBLE", "", 501, "allow"), ("SUBSCRIBE", "", 405, "allow"),
                                             ("INVITE", "Require: wibble\r\n", 420, "unsupported")):
            d = Dialog(sip, BOB)
            d.cseq = 1
            sip.send(d.head(method, more=more))
            d.invite_branch = d.branch
            got = d.answer(200, method=method)
            check(got.status == status and got.get(header), "%s: %s" % (method, got.text()))
            if method == "INVITE":
                d.ack(got)


@LAB.scenario("a request of no dialog: 481; an SDP that hangs others: refused at once")
def odd_requests(house):
    with agent(house) as sip, Rtp() as rtp:
        d = Dialog(sip, BOB)
        d.cseq, d.to = 1, d.to + ";tag=nobody"
        sip.send(d.head("BYE"))
        check(d.answer(200, method="BYE").status == 481, "BYE of no dialog")
        d = Dialog(sip, BOB)
        begin = time.monotonic()
        d.invite("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 111 [\r\n")
        gone = d.answer(300)
        check(gone.status in (400, 488), gone.first)
        check(time.monotonic() - begin < 0.5, "took long")
        d.ack(gone)


@LAB.scenario("numbers: not dialable and foreign caller ids are problems at once, with a record")
def problems(house):
    with App(house.demo, "bob") as bob:
        problem = bob.refused(lambda: bob.place("99999"))
        check((problem.status, problem.code) in ((422, "not_dialable"), (422, "no_route")), str(problem))
        problem = bob.refused(lambda: bob.place(DIAL, **{"from": "+15550100001"}))
        check((problem.status, problem.code) == (403, "caller_id"), str(problem))
        record = house.record(lambda r: r["end"] and r["end"]["rule"] == "caller_id")
        check(record["state"] == "refused", "record: %s" % record)
