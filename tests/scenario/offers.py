# SPDX-License-Identifier: Apache-2.0
"""Offers, answers and streams that carriers send and nobody wished for."""
import struct
import time

from app import App
from group import Group
from house import check, wait_for
from lab import in_dialog
from peermedia import Media, crypto_line, crypto_of, new_key
from peers import BOB, OUT, agent, both, call_in, call_out, here, reinvite, secured_in, take, trunk_leg
from sipua import Dialog, sdp_media

OFFERS = Group("offers", template=here + "/peers.yaml.in")
SUITE = "AES_CM_128_HMAC_SHA1_80"


@OFFERS.scenario("the callee holds and resumes a call of ours, in re-INVITEs and UPDATEs")
def callee_holds(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        request, _ = call_out(sip, bob, media, "102")
        cseq = 1
        for method in ("INVITE", "UPDATE"):
            for more, theirs in ((dict(direction="sendonly"), "recvonly"), (dict(), "sendrecv"), (dict(direction="inactive"), "inactive"),
                                 (dict(), "sendrecv"), (dict(host="0.0.0.0"), "recvonly"), (dict(), "sendrecv")):
                cseq += 1
                in_dialog(sip, request, method, cseq, media.sdp(version=cseq, **more))
                ok = sip.wait("answer", lambda m: m.is_answer and m.status >= 200 and m.get("cseq") == "%d %s" % (cseq, method))
                check(ok.status == 200 and sdp_media(ok.body)[2] == theirs, "%s %s: %s" % (method, more, ok.text() + ok.body))
                if method == "INVITE":
                    in_dialog(sip, request, "ACK", cseq)
            both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@OFFERS.scenario("forks with keys of their own: early media of each is heard, the 200's tag decides")
def forked_keys(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(900, "127.0.0.3") as one, Media(1300, "127.0.0.3") as two:
        call = bob.place(OUT + "103")
        request = sip.request("INVITE")
        offered = crypto_of(request.body)
        keys = []
        for media, tag, suite in ((one, "a", offered[0][1]), (two, "b", offered[2][1])):
            mine = next(o for o in offered if o[1] == suite)
            keys.append(new_key(suite))
            media.secure(suite, keys[-1], mine[2], b"", mine[3])
            media.to(request.body)
            media.answer = media.sdp("RTP/SAVP", crypto_line(mine[0], suite, keys[-1]))
            sip.reply(request, 183, sdp=media.answer, tag=tag)
            bob.client.media.forget()
            bob.hears(media.hz)
            media.muted = True
        one.muted = False
        two.muted = True
        sip.reply(request, 200, sdp=one.answer, tag="a")
        check("tag=a" in sip.request("ACK").get("to"), "ACK")
        bob.wait("call.connected", call=call)
        both(bob, one)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@OFFERS.scenario("answers that take the security away, or name what was not offered: ACK and BYE, policy")
def bad_answers(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        key = new_key(SUITE)
        for what, make in (("RTP/AVP", lambda o: media.sdp()),
                           ("a tag of nobody", lambda o: media.sdp("RTP/SAVP", crypto_line(77, SUITE, key))),
                           ("another suite for the tag", lambda o: media.sdp("RTP/SAVP", crypto_line(o[0][0], SUITE, key))),
                           ("no key", lambda o: media.sdp("RTP/SAVP")),
                           ("no codec of ours", lambda o: media.sdp("RTP/SAVP", crypto_line(o[2][0], SUITE, key), codecs="18")),
                           ("port 0", lambda o: media.sdp("RTP/SAVP", crypto_line(o[2][0], SUITE, key), port=0))):
            call = bob.place(OUT + "103")
            request = sip.request("INVITE")
            answer = make(crypto_of(request.body))
            sip.reply(request, 183, sdp=answer)
            sip.reply(request, 200, sdp=answer)
            sip.request("ACK")
            sip.reply(sip.request("BYE"), 200)
            end = bob.wait("call.ended", call=call)["end"]
            check(end["reason"] != "completed", "%s: %s" % (what, end))


@OFFERS.scenario("a late offer on a secured trunk: keys in our 200, theirs in the ACK; an ACK without security ends it")
def late_secured(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        for good in (True, False):
            d = Dialog(sip, BOB).invite("")
            take(bob)
            ok = d.answer(200)
            offered = crypto_of(ok.body)
            check("RTP/SAVP" in ok.body and len(offered) == 4, "offer: " + ok.body)
            mine = next(o for o in offered if o[1] == SUITE)
            key = new_key(SUITE)
            media.new_source()
            media.secure(SUITE, key, mine[2])
            media.to(ok.body)
            d.ack(ok, media.sdp("RTP/SAVP", crypto_line(mine[0], SUITE, key)) if good else media.sdp())
            if good:
                both(bob, media)
                d.bye()
                bob.wait("call.ended", call=bob.client.call)
            else:
                sip.reply(sip.request("BYE"), 200)
                bob.wait("call.ended", call=bob.client.call)


@OFFERS.scenario("a secured call is held by port 0 in a line of any profile, and no resume takes its security away")
def off_secured(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        key = new_key(SUITE)
        secured = media.sdp("RTP/SAVP", crypto_line(1, SUITE, key))
        d = Dialog(sip, BOB).invite(secured)
        take(bob)
        ok = d.answer(200)
        d.ack(ok)
        media.secure(SUITE, key, crypto_of(ok.body)[0][2])
        media.to(ok.body)
        both(bob, media)
        for proto in ("RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVP"):
            n = len(bob.client.events)
            d.invite(media.sdp(port=0).replace("RTP/AVP", proto))
            held = d.answer()
            d.ack(held)
            check(held.status == 200 and "m=audio 0 %s " % proto in held.body, held.text())
            bob.run(bob.client.wait("call.held", after=n))
            d.invite(media.sdp())
            gone = d.answer()
            d.ack(gone)
            check(gone.status == 488, "a resume without security: " + gone.text())
            d.invite(secured)
            back = d.answer()
            d.ack(back)
            check(back.status == 200 and crypto_of(back.body)[0][2] == crypto_of(ok.body)[0][2], back.text())
            both(bob, media)
        d.bye()
        bob.wait("call.ended", call=bob.client.call)


@OFFERS.scenario("forms of a request: tel URIs, compact names, folded lines, numbers with separators and parameters")
def forms(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        changes = (lambda t: t.replace("INVITE sip:%s@127.0.0.1:%d" % (BOB, sip.peer[1]), "INVITE tel:" + BOB),
                   lambda t: t.replace("INVITE sip:" + BOB, "INVITE sip:+1-555-010-0002;npdi;rn=+15550100009"),
                   lambda t: t.replace("From: <sip:+15550123456@127.0.0.2>", "f: <tel:+1(555)012-3456>").replace("Call-ID:", "i:")
                   .replace("Via:", "v:").replace("Contact:", "m:").replace("To:", "t :"),
                   lambda t: t.replace("Max-Forwards: 70", "Max-Forwards:\r\n 70\r\nSubject: one\r\n\ttwo"))
        for n, change in enumerate(changes):
            d = Dialog(sip, BOB)
            head = d.head
            d.head = lambda m, **k: change(head(m, **k)) if m == "INVITE" else head(m, **k)
            d.invite(media.sdp())
            event = bob.wait("call.incoming", call=None, seconds=5)
            check(event["from"].get("tel") == "+15550123456", "%d: %s" % (n, event["from"]))
            bob.client.call = event["call"]
            bob.verb("reject", {"reason": "busy"})
            gone = d.answer(300)
            check(gone.status == 486, gone.text())
            d.ack(gone)
            bob.wait("call.ended", call=event["call"])
            bob.client.events.clear()


@OFFERS.scenario("CANCEL after the 200 changes nothing; a re-INVITE before the answer gets 500")
def late_cancel(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp())
        branch = d.branch
        take(bob)
        ok = d.answer(200)
        sip.send(d.head("CANCEL", uri=d.uri, branch=branch))
        got = d.answer(200, method="CANCEL")
        check(got.status in (200, 481), got.text())
        d.ack(ok)
        media.to(ok.body)
        bob.wait("call.connected", call=bob.client.call)
        both(bob, media)
        d.bye()
        bob.client.events.clear()
        d = Dialog(sip, BOB).invite(media.sdp())
        event = bob.wait("call.incoming")
        bob.client.call = event["call"]
        bob.verb("ringing")
        ringing = d.answer(180)
        first, d.to = d.invite_branch, ringing.get("to")
        d.invite(media.sdp(version=2))
        gone = d.answer(300)
        check(gone.status == 500 and gone.get("retry-after"), gone.text())
        d.ack(gone)
        d.cseq -= 1
        d.invite_branch = first
        d.to = "<%s>" % d.uri
        d.cancel()
        check(d.answer(300).status == 487, "487")
        bob.wait("call.ended", call=event["call"])


@OFFERS.scenario("streams: the number wraps, the source changes and comes back, other law by payload type, comfort noise, a digit without marker")
def streams(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        media.seq = 65500
        d, _, _ = secured_in(sip, bob, media, SUITE)
        both(bob, media)
        wait_for("the wrap", lambda: media.seq > 65560, 5)
        both(bob, media)
        with media.quiet():
            old = (media.ssrc, media.seq, media.ts)
            media.new_source()
        both(bob, media)
        with media.quiet():
            media.ssrc, media.seq, media.ts = old[0], old[1] + 200, old[2] + 32000
        both(bob, media)
        media.muted = True
        time.sleep(0.1)
        for i in range(3):
            media._put(13, media.ts, b"\x40")
        for i in range(6):  # no marker, then the end three times
            media._put(101, media.ts, struct.pack("!BBH", 2, (0x80 if i > 2 else 0) | 10, 160 * min(i + 1, 4)))
        media.muted = False
        check(bob.wait("dtmf.received", call=bob.client.call)["digit"] == "2", "digit")
        both(bob, media)
        check(len(bob.seen("dtmf.received")) == 1, "digits: %s" % bob.seen("dtmf.received"))
        check(media.bad == 0, "%d unverified" % media.bad)
        d.bye()


@OFFERS.scenario("the law changes: by the peer alone where both were agreed, and in a re-INVITE")
def laws(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        answer = media.sdp(codecs="0 8 101", more="a=rtpmap:8 PCMA/8000\r\n")
        request, _ = call_out(sip, bob, media, "102", answer)
        both(bob, media)
        media.law, media.pt = "a", 8  # it only sends so; what it hears stays PCMU
        bob.client.media.forget()
        bob.hears(900)
        in_dialog(sip, request, "INVITE", 5, media.sdp(version=2))
        ok = sip.wait("200", lambda m: m.is_answer and m.status == 200 and m.get("cseq") == "5 INVITE")
        in_dialog(sip, request, "ACK", 5)
        check(" 8 101" in ok.body, ok.body)
        both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@OFFERS.scenario("a hybrid offer (SDES beside DTLS in one line) is answered by SDES")
def hybrid(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        key = new_key(SUITE)
        finger = "a=setup:actpass\r\na=fingerprint:sha-256 " + ":".join("%02X" % i for i in range(32)) + "\r\n"
        for profile in ("RTP/SAVP", "UDP/TLS/RTP/SAVP"):
            media.new_source()
            d = Dialog(sip, BOB).invite(media.sdp(profile, crypto_line(1, SUITE, key) + finger))
            take(bob)
            ok = d.answer(200)
            check(ok.status == 200, profile + ": " + ok.text())
            check(profile + " " in ok.body and "fingerprint" not in ok.body and "setup" not in ok.body, ok.body)
            d.ack(ok)
            ours = crypto_of(ok.body)[0]
            media.secure(SUITE, key, ours[2])
            media.to(ok.body)
            both(bob, media)
            d.bye()
            bob.wait("call.ended", call=bob.client.call)


@OFFERS.scenario("the record of a call that moved keeps its figures")
def kept_figures(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        before = media.packets
        media.move()
        ok = reinvite(d, media.sdp(version=2))
        media.to(ok.body)
        both(bob, media)
        d.bye()
        leg, _ = trunk_leg(house, bob.client.call)
        check(leg["rx"]["lost"] == 0 and before > 20 and abs(leg["tx"]["packets"] - media.packets) < 12, "record: %s, heard %d" % (leg, media.packets))


@OFFERS.scenario("the address family changes within a call: 488, and the call goes on; in an answer: ACK and BYE")
def families(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        gone = reinvite(d, media.sdp(version=2, host="::1"), 488)
        check("family" in gone.get("warning"), gone.text())
        both(bob, media)
        d.bye()
        bob.wait("call.ended", call=bob.client.call)
        call = bob.place(OUT + "102")
        sip.reply(sip.request("INVITE"), 200, sdp=media.sdp(host="::1"))
        sip.request("ACK")
        sip.reply(sip.request("BYE"), 200)
        bob.wait("call.ended", call=call)


@OFFERS.scenario("responses that are none (700, 099) are not heard; what cannot be read in a 182 changes nothing")
def odd_responses(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip:
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        for status in (700, 99, 1000):
            sip.reply(request, status)
        sip.reply(request, 181)
        sip.reply(request, 182, sdp="garbage")
        sip.silence(0.7)
        check(bob.snapshot()["state"] != "ended", "the call ended")
        sip.reply(request, 486)
        sip.request("ACK")
        check(bob.wait("call.ended", call=call)["end"]["sip"] == 486, "end")


@OFFERS.scenario("an INVITE that expires gets 487; one that was answered in time goes on")
def expires(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp(), more="Expires: 2\r\n")
        event, begin = bob.wait("call.incoming"), time.monotonic()
        gone = d.answer(300)
        check(gone.status == 487 and time.monotonic() - begin > 1, gone.text())
        d.ack(gone)
        check(bob.wait("call.ended", call=event["call"])["end"]["reason"] == "canceled", "end")
        bob.client.events.clear()
        d, _ = call_in(sip, bob, media, more="Expires: 2\r\n")
        time.sleep(2.5)
        both(bob, media)
        d.bye()
