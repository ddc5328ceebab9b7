# SPDX-License-Identifier: Apache-2.0
"""Everything until the 200 is acknowledged: reliable provisionals, early dialogs, early media, ringback, late offers."""
import os
import time

from app import App
from group import Group
from house import Failed, check
from peermedia import Media, crypto_line, crypto_of, new_key
from peers import agent
from sipua import Dialog

here = os.path.dirname(os.path.abspath(__file__))
EARLY = Group("early", template=here + "/early.yaml.in")
BOB = "+15550100002"
OUT = "+15550199"
REL = "Supported: 100rel\r\n"


def ring(bob, sip, number):
    call = bob.place(OUT + number)
    return call, sip.request("INVITE")


def reliable(sip, request, status, rseq, tag="far", sdp="", more="", **how):
    """A reliable provisional of ours and the PRACK that it gets."""
    sip.reply(request, status, sdp=sdp, tag=tag, more="Require: 100rel\r\nRSeq: %d\r\n%s" % (rseq, more), **how)
    prack = sip.request("PRACK")
    rack = "%d %s" % (rseq, request.get("cseq"))
    check(prack.get("rack") == rack, "RAck: %s, not %s" % (prack.get("rack"), rack))
    check(prack.get("to").endswith(";tag=" + tag), "PRACK's To: " + prack.get("to"))
    return prack


def up(bob, call, sip):
    sip.request("ACK")
    bob.wait("call.connected", call=call)


def both(bob, media):
    bob.client.media.forget()
    media.forget()
    bob.hears(media.hz)
    media.hears(700)


def over(bob, sip):
    bob.hangup()
    sip.reply(sip.request("BYE"), 200)


def rings(media, seconds=7):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
        hz, level, n = media.sound()
        if n >= 2000 and (abs(hz - 440) < 12 or abs(hz - 480) < 12):
            return
    raise Failed("no ringback: %.0f Hz at %.1f dBFS" % (hz, level))


def prack(d, answer, sdp=""):
    """Acknowledges a reliable provisional that came; the answer to it."""
    d.to, d.target = answer.get("to"), answer.get("contact").strip("<>").split(">")[0]
    invite = d.cseq
    d.cseq += 1
    d.agent.send(d.head("PRACK", more="RAck: %s %d INVITE\r\n" % (answer.get("rseq"), invite)), sdp)
    return d.answer(200, method="PRACK")


def ack(d, ok, invite, sdp=""):
    d.cseq, now = invite, d.cseq
    d.ack(ok, sdp)
    d.cseq = now


# Calls in ----------------------------------------------------------------------------------------


@EARLY.scenario("a call in with 100rel: 180 with RSeq, PRACK, 200, media")
def rel_in(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp(), more=REL)
        event = bob.newest()
        bob.verb("ringing")
        ringing = d.answer(180)
        check("100rel" in ringing.get("require") and int(ringing.get("rseq")) > 0, "180: " + ringing.text())
        ok = prack(d, ringing)
        check(ok.status == 200, "PRACK got " + ok.text())
        again = prack(d, ringing)
        check(again.status == 481, "a second PRACK got " + again.text())
        bob.answer(event)
        ok = d.answer(200)
        check(ok.status == 200 and ok.body, "INVITE got " + ok.text())
        ack(d, ok, 1)
        media.to(ok.body)
        bob.wait("call.connected", call=bob.client.call)
        both(bob, media)
        d.bye()


@EARLY.scenario("early media of an app: 183 reliably, the 200 waits for its PRACK and says nothing more")
def rel_app_early(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp(), more="Require: 100rel\r\n")
        bob.answer(bob.newest(), provisional=True, early_media=True)
        progress = d.answer(181)
        if progress.status == 180:
            check(prack(d, progress).status == 200, "PRACK of the 180")
            progress = d.answer(183)
        check(progress.status == 183 and progress.body and progress.get("rseq"), "183: " + progress.text())
        media.to(progress.body)
        bob.verb("answer")
        sip.silence(0.4)
        ok = prack(d, progress)
        check(ok.status == 200, "PRACK got " + ok.text())
        ok = d.answer(200)
        check(ok.status == 200 and not ok.body, "200: " + ok.text())
        ack(d, ok, 1)
        bob.wait("call.connected", call=bob.client.call)
        both(bob, media)
        d.bye()


@EARLY.scenario("a late offer with 100rel: our offer in the 183, the answer in its PRACK, none in 200 and ACK")
def rel_late(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite("", more=REL)
        bob.answer(bob.newest(), provisional=True, early_media=True)
        progress = d.answer(181)
        if progress.status == 180:
            prack(d, progress)
            progress = d.answer(183)
        check("m=audio" in progress.body, "183: " + progress.text())
        media.to(progress.body)
        ok = prack(d, progress, media.sdp())
        check(ok.status == 200, "PRACK got " + ok.text())
        bob.verb("answer")
        ok = d.answer(200)
        check(ok.status == 200 and not ok.body, "200: " + ok.text())
        ack(d, ok, 1)
        bob.wait("call.connected", call=bob.client.call)
        both(bob, media)
        d.bye()


@EARLY.scenario("an UPDATE before the 200 moves our peer's media")
def update_in(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media, \
            Media(hz=1100, host="127.0.0.2") as moved:
        d = Dialog(sip, BOB).invite(media.sdp(), more=REL)
        bob.answer(bob.newest(), provisional=True, early_media=True)
        progress = d.answer(181)
        if progress.status == 180:
            prack(d, progress)
            progress = d.answer(183)
        d.to, d.target = progress.get("to"), progress.get("contact").strip("<>").split(">")[0]
        prack(d, progress)
        d.cseq += 1
        sip.send(d.head("UPDATE"), moved.sdp(version=2))
        ok = d.answer(200, method="UPDATE")
        check(ok.status == 200 and "m=audio" in ok.body, "UPDATE got " + ok.text())
        moved.to(ok.body)
        bob.verb("answer")
        ack(d, d.answer(200), 1)
        bob.wait("call.connected", call=bob.client.call)
        both(bob, moved)
        d.bye()


def refused(house, last, status, word, sdp=True, more=""):
    with agent(house, last) as sip, Media(host="127.0.0.%d" % last) as media:
        d = Dialog(sip, BOB).invite(media.sdp() if sdp else "", more=more)
        answer = d.answer(200)
        check(answer.status == status, "%d was due: %s" % (status, answer.text()))
        check(word in answer.text(), "%s is not in %s" % (word, answer.text()))
        d.ack(answer)


@EARLY.scenario("prack: required refuses who has no 100rel (421), off whoever requires it (420)")
def rel_refused(house):
    refused(house, 3, 421, "trunks[must].prack")
    refused(house, 4, 420, "unsupported: 100rel", more="Require: 100rel\r\n")


@EARLY.scenario("late_offer: refuse answers an INVITE without SDP by 488 and says the rule")
def late_refused(house):
    refused(house, 4, 488, "trunks[none].late_offer", sdp=False)
    house.record(lambda r: "late_offer" in str(r))


@EARLY.scenario("a body of two parts; one that must be understood and is not gets 415")
def parts(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        for handling, status in (("optional", 200), ("required", 415)):
            d = Dialog(sip, BOB)
            d.cseq = 1
            body = ("--b\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling=%s\r\n\r\nx\r\n"
                    "--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b--\r\n" % (handling, media.sdp()))
            head = d.head("INVITE", more="Content-Type: multipart/mixed;boundary=b\r\n")
            d.invite_branch = d.branch
            sip.socket.sendto((head + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode(), sip.peer)
            if status == 200:
                bob.answer(bob.newest())
            answer = d.answer(200)
            check(answer.status == status, "handling=%s: %s" % (handling, answer.text()))
            d.ack(answer)
            if status == 200:
                d.bye()


# Calls out ---------------------------------------------------------------------------------------


@EARLY.scenario("183 with SDP, heard at once; the 200 has none")
def early_183(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call, request = ring(bob, sip, "102")
        media.to(request.body)
        sip.reply(request, 183, sdp=media.sdp())
        check(bob.wait("call.early_media", call=call)["active"], "early media")
        bob.hears(media.hz)
        sip.reply(request, 200)
        up(bob, call, sip)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("180 with SDP: ringing is told, and the sound is heard all the same")
def early_180(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call, request = ring(bob, sip, "102")
        media.to(request.body)
        sip.reply(request, 180, sdp=media.sdp())
        bob.wait("call.ringing", call=call)
        bob.wait("call.early_media", call=call)
        bob.hears(media.hz)
        sip.reply(request, 200, sdp=media.sdp())
        up(bob, call, sip)
        over(bob, sip)


@EARLY.scenario("18x without media, a 199, then the 200")
def no_early(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call, request = ring(bob, sip, "102")
        sip.reply(request, 183)
        sip.reply(request, 180, tag="one")
        bob.wait("call.ringing", call=call)
        sip.reply(request, 199, tag="one", more="Reason: SIP;cause=486\r\n")
        sip.reply(request, 200, sdp=media.sdp(), tag="two")
        media.to(request.body)
        up(bob, call, sip)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("two early dialogs with sounds of their own: who speaks is heard, the 200's is the one")
def two_forks(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as a, \
            Media(hz=1100, host="127.0.0.2") as b:
        call, request = ring(bob, sip, "102")
        sip.reply(request, 183, sdp=a.sdp(), tag="a")
        a.to(request.body)
        bob.hears(a.hz)
        a.peer = a.rtcp_peer = None
        sip.reply(request, 183, sdp=b.sdp(), tag="b")
        b.to(request.body)
        bob.client.media.forget()
        bob.hears(b.hz, 8)
        sip.reply(request, 200, sdp=a.sdp(), tag="a")
        a.to(request.body)
        up(bob, call, sip)
        bob.client.media.forget()
        both(bob, a)
        over(bob, sip)


@EARLY.scenario("a 200 of another fork after the winner's: ACK and BYE, the call goes on")
def late_fork(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call, request = ring(bob, sip, "102")
        media.to(request.body)
        sip.reply(request, 183, sdp=media.sdp(), tag="b")
        sip.reply(request, 200, sdp=media.sdp(), tag="a")
        up(bob, call, sip)
        sip.reply(request, 200, sdp=media.sdp(), tag="b")
        check(sip.request("ACK").get("to").endswith("tag=b"), "ACK of b")
        bye = sip.request("BYE")
        check(bye.get("to").endswith("tag=b"), "BYE of b: " + bye.text())
        sip.reply(bye, 200)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("an answer that changes its codec and port between 183 and 200")
def other_answer(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media, \
            Media(hz=1100, host="127.0.0.2", law="a") as other:
        call, request = ring(bob, sip, "102")
        media.to(request.body)
        sip.reply(request, 183, sdp=media.sdp())
        bob.hears(media.hz)
        media.peer = media.rtcp_peer = None
        sip.reply(request, 200, sdp=other.sdp(version=2))
        other.to(request.body)
        up(bob, call, sip)
        both(bob, other)
        over(bob, sip)


@EARLY.scenario("a callee's reliable 183: PRACK, no SDP in the 200, then what its 180 says later")
def rel_out(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        call, request = ring(bob, sip, "103")
        check("100rel" in request.get("require"), "Require: " + request.text())
        media.to(request.body)
        sip.reply(reliable(sip, request, 183, 41, sdp=media.sdp()), 200)
        bob.hears(media.hz)
        sip.reply(request, 183, sdp=media.sdp(), more="Require: 100rel\r\nRSeq: 41\r\n")  # a repetition
        sip.reply(request, 180, more="Require: 100rel\r\nRSeq: 43\r\n")  # one is missing
        sip.silence(0.5)
        sip.reply(reliable(sip, request, 180, 42), 200)
        bob.wait("call.ringing", call=call)
        sip.reply(request, 200)
        up(bob, call, sip)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("each fork's PRACK goes by its own tag, Contact and routes")
def rel_forks(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as a, Media(hz=1100, host="127.0.0.2") as b:
        call, request = ring(bob, sip, "102")
        check("100rel" in request.get("supported"), "Supported: " + request.text())
        sip.reply(reliable(sip, request, 183, 7, tag="a", sdp=a.sdp()), 200)
        at = "<sip:deep@127.0.0.2:%d;x=1>" % sip.port
        second = reliable(sip, request, 183, 900, tag="b", sdp=b.sdp(), contact=at)
        check(second.first.split()[1] == at.strip("<>"), "PRACK to " + second.first)
        sip.reply(second, 200)
        b.to(request.body)
        sip.reply(request, 200, tag="b", contact=at)
        up(bob, call, sip)
        both(bob, b)
        over(bob, sip)


@EARLY.scenario("a callee's UPDATE before its 200: 491 while our offer stands open, then it moves its media")
def update_out(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media, \
            Media(hz=1100, host="127.0.0.2") as moved:
        call, request = ring(bob, sip, "102")

        def update(cseq):
            contact = request.get("contact").strip("<>")
            sip.send("UPDATE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKup%d\r\nMax-Forwards: 70\r\nFrom: %s;tag=far\r\n"
                     "To: %s\r\nCall-ID: %s\r\nCSeq: %d UPDATE\r\nContact: <sip:far@%s:%d>\r\n"
                     % (contact, sip.host, sip.port, cseq, request.get("to"), request.get("from"), request.get("call-id"), cseq,
                        sip.host, sip.port), moved.sdp(version=2))
            return sip.wait("answer to UPDATE", lambda m: m.is_answer and m.method == "UPDATE" and "%d " % cseq in m.get("cseq"))
        sip.reply(request, 183, sdp=media.sdp())
        check(update(70).status == 491, "UPDATE before a reliable answer")
        sip.reply(reliable(sip, request, 183, 5, sdp=media.sdp()), 200)
        ok = update(71)
        check(ok.status == 200 and "m=audio" in ok.body, "UPDATE got " + ok.text())
        moved.to(ok.body)
        bob.hears(moved.hz)
        sip.reply(request, 200)
        up(bob, call, sip)
        both(bob, moved)
        over(bob, sip)


@EARLY.scenario("late_offer_out: the offer in the 200, our answer in the ACK")
def late_out(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip, Media(host="127.0.0.5") as media:
        call, request = ring(bob, sip, "105")
        check(not request.body and not request.get("content-type"), "INVITE: " + request.text())
        sip.reply(request, 180)
        bob.wait("call.ringing", call=call)
        sip.reply(request, 200, sdp=media.sdp())
        answer = sip.request("ACK")
        check("m=audio" in answer.body, "ACK: " + answer.text())
        media.to(answer.body)
        bob.wait("call.connected", call=call)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("late_offer_out: the offer in a reliable 183, our answer in its PRACK, early media")
def late_out_rel(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip, Media(host="127.0.0.5") as media:
        call, request = ring(bob, sip, "105")
        acknowledged = reliable(sip, request, 183, 3, sdp=media.sdp())
        check("m=audio" in acknowledged.body, "PRACK: " + acknowledged.text())
        sip.reply(acknowledged, 200)
        media.to(acknowledged.body)
        bob.hears(media.hz)
        sip.reply(request, 200)
        check(not sip.request("ACK").body, "ACK has a body")
        bob.wait("call.connected", call=call)
        both(bob, media)
        over(bob, sip)


@EARLY.scenario("late_offer_out with SRTP: a plain offer ends in ACK and BYE, a secured one is answered")
def late_out_srtp(house):
    with App(house.demo, "bob") as bob, agent(house, 7) as sip, Media(host="127.0.0.7") as media:
        call, request = ring(bob, sip, "107")
        sip.reply(request, 200, sdp=media.sdp())
        sip.request("ACK")
        sip.reply(sip.request("BYE"), 200)
        check("srtp" in str(bob.wait("call.ended", call=call)), "end: %s" % bob.wait("call.ended", call=call))
        call, request = ring(bob, sip, "107")
        key = new_key("AES_CM_128_HMAC_SHA1_80")
        sip.reply(request, 200, sdp=media.sdp("RTP/SAVP", crypto_line(1, "AES_CM_128_HMAC_SHA1_80", key)))
        answer = sip.request("ACK")
        ours = crypto_of(answer.body)
        check(len(ours) == 1, "ACK: " + answer.text())
        media.secure("AES_CM_128_HMAC_SHA1_80", key, ours[0][2])
        media.to(answer.body)
        bob.wait("call.connected", call=call)
        both(bob, media)
        over(bob, sip)


# Trunk to trunk: ringback --------------------------------------------------------------------------


@EARLY.scenario("ringback: our tone after a 183 and a 180 without sound, gone at the first packet, back at a later 180")
def ringback(house):
    with agent(house, 2) as far, agent(house, 4) as near, Media(host="127.0.0.2") as there, Media(host="127.0.0.4") as here_:
        d = Dialog(near, OUT + "102").invite(here_.sdp())
        request = far.request("INVITE")
        far.reply(request, 183, sdp=there.sdp())
        progress = d.answer(183)
        check("m=audio" in progress.body, "183: " + progress.text())
        here_.to(progress.body)
        far.reply(request, 180)
        check(d.answer(180).status == 180, "180 after 183")
        rings(here_)
        there.to(request.body)
        here_.forget()
        here_.hears(there.hz)
        there.peer = there.rtcp_peer = None
        time.sleep(2.5)
        here_.forget()
        time.sleep(1)
        check(here_.sound()[0] == 0, "silence alone does not ring")
        far.reply(request, 180)
        rings(here_)
        there.to(request.body)
        far.reply(request, 200, sdp=there.sdp())
        ok = d.answer(200)
        d.ack(ok)
        far.request("ACK")
        here_.forget()
        here_.hears(there.hz)
        d.bye()
        far.reply(far.request("BYE"), 200)


@EARLY.scenario("P-Early-Media: inactive keeps early media away, sendonly lets them through")
def pem(house):
    with agent(house, 6) as far, agent(house, 4) as near, Media(host="127.0.0.6") as there, Media(host="127.0.0.4") as here_:
        d = Dialog(near, OUT + "106").invite(here_.sdp())
        request = far.request("INVITE")
        check(request.get("p-early-media") == "supported", "INVITE: " + request.text())
        there.to(request.body)
        far.reply(request, 183, sdp=there.sdp(), more="P-Early-Media: inactive\r\n")
        here_.to(d.answer(183).body)
        time.sleep(1)
        check(here_.sound()[0] == 0, "barred early media were heard")
        far.reply(request, 183, more="P-Early-Media: sendonly\r\n")
        here_.hears(there.hz)
        d.cancel()
        far.reply(far.request("CANCEL"), 200)
        far.reply(request, 487)
        far.request("ACK")
