# SPDX-License-Identifier: Apache-2.0
"""Carriers of every kind: their media, holds, re-INVITEs, suites, transports, chains."""
import os
import struct
import time

from app import App
from group import Group
from house import check, wait_for
from peermedia import SUITES, Media, crypto_line, crypto_of, new_key
from sipua import Agent, Dialog, sdp_media

here = os.path.dirname(os.path.abspath(__file__))
PEERS = Group("peers", template=here + "/peers.yaml.in")
BOB = "+15550100002"
OUT = "+15550199"


def agent(house, last, **more):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host="127.0.0.%d" % last, **more)


def take(bob):
    """Answers the newest call that rings."""
    bob.answer(bob.newest())


def call_in(sip, bob, media, sdp=None, **more):
    d = Dialog(sip, BOB).invite(media.sdp() if sdp is None else sdp, **more)
    take(bob)
    ok = d.answer(200)
    check(ok.status == 200, "INVITE got " + ok.text())
    d.ack(ok)
    if ok.body and sdp != "":
        media.to(ok.body)
    bob.wait("call.connected", call=bob.client.call)
    d.version = 1
    return d, ok


def call_out(sip, bob, media, number, answer=None, more=""):
    call = bob.place(OUT + number)
    request = sip.request("INVITE")
    media.to(request.body)
    sip.reply(request, 180)
    sip.reply(request, 200, sdp=media.sdp(more=more) if answer is None else answer)
    sip.request("ACK")
    bob.wait("call.connected", call=call)
    return request, call


def reinvite(d, sdp, status=200):
    d.invite(sdp)
    ok = d.answer(200)
    check(ok.status == status, "re-INVITE: " + ok.text())
    d.ack(ok)
    return ok


def both(bob, media, to_peer=700):
    bob.client.media.forget()
    media.forget()
    bob.hears(media.hz)
    media.hears(to_peer)


def secured_in(sip, bob, media, suite, tag=1, before="", after="", params="|2^31", tx_mki=b""):
    key = new_key(suite)
    sdp = media.sdp("RTP/SAVP", before + crypto_line(tag, suite, key, params) + after)
    d = Dialog(sip, BOB).invite(sdp)
    take(bob)
    ok = d.answer(200)
    check(ok.status == 200, "INVITE got " + ok.text())
    ours = crypto_of(ok.body)
    check(len(ours) == 1 and ours[0][:2] == (tag, suite), "answer: " + ok.body)
    media.secure(suite, key, ours[0][2], tx_mki, ours[0][3])
    media.to(ok.body)
    d.ack(ok)
    bob.wait("call.connected", call=bob.client.call)
    return d, ok, key


def trunk_leg(house, call):
    record = house.record(lambda r: r["id"] == call)
    return next(leg for leg in record["legs"] if leg["kind"] == "trunk"), record


# Media -------------------------------------------------------------------------------------------


def suite_scenario(suite):
    def scenario(house):
        with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
            mki = (4).to_bytes(3, "big")
            d, ok, _ = secured_in(sip, bob, media, suite, tag=0, before="a=crypto:9 F8_128_HMAC_SHA1_80 inline:xyz\r\n",
                                  params="|2^20|4:3", tx_mki=mki)
            both(bob, media)
            media.send_digit = "5"
            check(bob.wait("dtmf.received", call=bob.client.call)["digit"] == "5", "digit")
            wait_for("RTCP of ours", lambda: 200 in media.reports() or 201 in media.reports(), 8)
            check(media.bad == 0, "%d packets did not verify" % media.bad)
            d.bye()
            leg, _ = trunk_leg(house, bob.client.call)
            check(leg["srtp"] == suite and leg["rx"]["packets"] > 20 and leg["tx"]["packets"] > 20, "record: %s" % leg)
            # the other way
            bob.client.events.clear()
            call = bob.place(OUT + "103")
            request = sip.request("INVITE")
            offered = crypto_of(request.body)
            check(len({k for _, _, k, _ in offered}) == 4, "four keys: " + request.body)
            mine = next(o for o in offered if o[1] == suite)
            key = new_key(suite)
            media.new_source()
            media.secure(suite, key, mine[2], (1).to_bytes(1, "big"), mine[3])
            media.to(request.body)
            sip.reply(request, 200, sdp=media.sdp("RTP/SAVP", crypto_line(mine[0], suite, key, "|1:1")))
            sip.request("ACK")
            bob.wait("call.connected", call=call)
            both(bob, media)
            bob.hangup()
            sip.reply(sip.request("BYE"), 200)
    return scenario


for _suite in SUITES:
    PEERS.scenario("SRTP both ways, MKI, by " + _suite)(suite_scenario(_suite))


@PEERS.scenario("of _32 before _80 the stronger one is taken; unusable lines are passed over")
def order(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        short, long = "AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80"
        d, _, _ = secured_in(sip, bob, media, long, tag=1,
                             before=crypto_line(0, short, new_key(short)) + crypto_line(3, long, new_key(long), " UNENCRYPTED_SRTP"))
        both(bob, media)
        d.bye()


@PEERS.scenario("RTCP: SR with SDES of our own on each leg, on its own port, and by rtcp-mux; a=rtcp is followed")
def rtcp(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip:
        for mux in (False, True):
            with Media(host="127.0.0.2", mux=mux) as media:
                other = media._pair()
                if not mux:
                    media.rtcp.close()
                    media.rtcp, other = other[0], other[1:]
                sdp = media.sdp(more="" if mux else "a=rtcp:%d\r\n" % media.rtcp.getsockname()[1])
                d, ok = call_in(sip, bob, media, sdp)
                check(("a=rtcp-mux" in ok.body) == mux, "rtcp-mux: " + ok.body)
                bob.hears(900)
                wait_for("SR and SDES", lambda: {200, 202} <= set(media.reports()), 12)
                found = media.reports()
                source = found[200][-1][4:8]
                check({source} == media.ssrcs, "SSRC of SR and RTP: %s %s" % (source, media.ssrcs))
                cname = found[202][-1][10:10 + found[202][-1][9]]
                check(b"carrier" not in cname and len(cname) > 4, "CNAME %s" % cname)
                check(source != struct.pack("!I", media.ssrc), "our SSRC is theirs")
                wait_for("a report block on their source", lambda: any(
                    len(p) >= 52 and p[28:32] == struct.pack("!I", media.ssrc) for p in media.reports()[200]), 12)
                if not mux:
                    check(media.rtcp_peer[1] != media.peer[1], "no RTCP port of our own")
                d.bye()
                for s in other:
                    s.close()
                bob.client.events.clear()


@PEERS.scenario("PCMA only, PCMU only, events by any payload type")
def codecs(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip:
        for more in (dict(law="a", event_pt=96), dict(law="u", event_pt=100), dict(law="a")):
            with Media(host="127.0.0.2", **more) as media:
                d, ok = call_in(sip, bob, media)
                both(bob, media)
                media.send_digit = "8"
                check(bob.wait("dtmf.received", call=bob.client.call)["digit"] == "8", "digit: %s" % more)
                bob.done(bob.verb("dtmf", {"digits": "31"}))
                wait_for("digits at the trunk", lambda: media.digits == "31", 3)
                check(media.pts == {media.pt, media.event_pt}, "payload types %s of %s" % (media.pts, more))
                d.bye()
                leg, _ = trunk_leg(house, bob.client.call)
                check(leg["codec"].upper().startswith("PCM" + more["law"].upper()), "record: %s" % leg)
                bob.client.events.clear()


@PEERS.scenario("the answer's number of events differs from the offer's: each side sends the other's")
def asymmetric(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2", event_pt=97, their_event_pt=101) as media:
        call_out(sip, bob, media, "102")
        both(bob, media)
        media.send_digit = "4"
        check(bob.wait("dtmf.received", call=bob.client.call)["digit"] == "4", "digit")
        bob.done(bob.verb("dtmf", {"digits": "9"}))
        wait_for("the digit at the trunk, by 97", lambda: media.digits == "9" and 97 in media.pts, 3)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@PEERS.scenario("from trunk to trunk: packets of 10, 30, 40, 60 ms go through as they are, the law is changed")
def ptimes(house):
    with agent(house, 2) as a, agent(house, 5) as b:
        for ptime in (10, 30, 40, 60):
            with Media(900, "127.0.0.2", ptime=ptime) as one, Media(1300, "127.0.0.5", law="a", ptime=20) as two:
                a.user = "+1555777%04d" % ptime
                d = Dialog(a, OUT + "105").invite(one.sdp())
                request = b.request("INVITE")
                two.to(request.body)
                b.reply(request, 200, sdp=two.sdp())
                b.request("ACK")
                ok = d.answer(200)
                d.ack(ok)
                one.to(ok.body)
                two.hears(900)
                one.hears(1300)
                check(two.lengths == {8 * ptime}, "packets of %s bytes for %d ms" % (two.lengths, ptime))
                one.send_digit = "6"
                wait_for("the digit", lambda: two.digits == "6", 3)
                d.bye()
                b.reply(b.request("BYE"), 200)


# Holds -------------------------------------------------------------------------------------------


@PEERS.scenario("every form of hold has its answer; resume brings the audio back")
def holds(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, ok = call_in(sip, bob, media)
        both(bob, media)
        version = 1
        forms = [(dict(direction="sendonly"), "recvonly", True), (dict(direction="inactive"), "inactive", True),
                 (dict(direction="recvonly"), "sendonly", False), (dict(host="0.0.0.0"), "recvonly", True),
                 (dict(host="0.0.0.0", direction="sendonly"), "recvonly", True),
                 (dict(host="0.0.0.0", direction="inactive"), "inactive", True), (dict(port=0), None, True)]
        for more, theirs, held in forms:
            n = len(bob.client.events)
            version += 1
            ok = reinvite(d, media.sdp(version=version, **more))
            host, port, direction = sdp_media(ok.body)
            if theirs:
                check(direction == theirs and port, "%s was answered by %s" % (more, ok.body))
            else:
                check("m=audio 0 " in ok.body, "port 0 was answered by " + ok.body)
            check(host != "0.0.0.0", "0.0.0.0 in our answer")
            if held:
                bob.run(bob.client.wait("call.held", after=n))
                time.sleep(0.3)
                before = media.packets
                time.sleep(0.4)
                check(media.packets == before, "%d packets to a peer that holds by %s" % (media.packets - before, more))
                n = len(bob.client.events)
            version += 1
            ok = reinvite(d, media.sdp(version=version))
            check(sdp_media(ok.body)[2] == "sendrecv" and sdp_media(ok.body)[1], "resume was answered by " + ok.body)
            if held:
                bob.run(bob.client.wait("call.resumed", after=n))
            both(bob, media)
        check(len(media.ssrcs) == 1, "our SSRC changed")
        d.bye()


@PEERS.scenario("a re-INVITE without SDP while held offers all that we can; its answer resumes")
def reinvite_empty(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        reinvite(d, media.sdp(version=2, direction="sendonly"))
        d.invite("")
        ok = d.answer(200)
        check(sdp_media(ok.body)[2] == "sendrecv" and " 0 8 9 101" in ok.body, "offer: " + ok.body)
        d.ack(ok, media.sdp(version=3))
        both(bob, media)
        d.bye()


@PEERS.scenario("UPDATE with and without SDP")
def update(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        for sdp, theirs in (("", None), (media.sdp(version=2, direction="sendonly"), "recvonly"), (media.sdp(version=3), "sendrecv")):
            d.cseq += 1
            sip.send(d.head("UPDATE"), sdp)
            ok = d.answer(200, method="UPDATE")
            check(ok.status == 200, ok.text())
            check(not ok.body if not theirs else sdp_media(ok.body)[2] == theirs, "answer: " + ok.body)
        both(bob, media)
        d.bye()


@PEERS.scenario("re-INVITE with other ports, address, source and keys: audio goes on both ways; a downgrade gets 488")
def moves(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        suite = "AES_CM_128_HMAC_SHA1_80"
        d, _, key = secured_in(sip, bob, media, suite)
        both(bob, media)
        # the downgrade: 488, and the old keys go on
        ok = reinvite(d, media.sdp(version=2), 488)
        check("399" in ok.get("warning"), "no Warning: " + ok.text())
        both(bob, media)
        # the same keys, other ports and source
        media.move()
        ok = reinvite(d, media.sdp("RTP/SAVP", crypto_line(1, suite, key), version=3))
        media.to(ok.body)
        ours = crypto_of(ok.body)[0][2]
        both(bob, media)
        # other keys, and another suite
        for n, suite in enumerate(("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_32")):
            key = new_key(suite)
            ok = reinvite(d, media.sdp("RTP/SAVP", crypto_line(n, suite, key), version=4 + n))
            ours = crypto_of(ok.body)[0]
            media.secure(suite, key, ours[2], b"", ours[3])
            both(bob, media)
        # another address
        media.host = "127.0.0.33"
        media.move()
        ok = reinvite(d, media.sdp("RTP/SAVP", crypto_line(1, suite, key), version=9))
        media.to(ok.body)
        check(crypto_of(ok.body)[0][2] == ours[2], "our key changed for nothing")
        both(bob, media)
        d.bye()


@PEERS.scenario("glare: 491 to an offer that crosses ours; ours comes again after their 491")
def glare(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        operation = bob.verb("hold")
        theirs = sip.request("INVITE")
        d.invite(media.sdp(version=2))
        gone = d.answer(200)
        check(gone.status == 491, gone.text())
        d.ack(gone)
        sip.reply(theirs, 491)
        sip.request("ACK")
        again = sip.wait("the re-INVITE again", lambda m: m.method == "INVITE" and not m.is_answer, 6)
        check(sdp_media(again.body)[2] in ("sendonly", "inactive"), "direction: " + again.body)
        sip.reply(again, 200, sdp=media.sdp(version=3, direction="recvonly"))
        sip.request("ACK")
        bob.done(operation)
        d.bye()


# Dialogs -----------------------------------------------------------------------------------------


@PEERS.scenario("183 with SDP, 180, then a 200 with another SDP; forks with tags of their own")
def early(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(900, "127.0.0.2") as one, Media(1300, "127.0.0.2", law="a") as two:
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        one.to(request.body)
        sip.reply(request, 183, sdp=one.sdp(), tag="a")
        bob.wait("call.early_media", call=call)
        bob.hears(900)
        sip.reply(request, 180, tag="b")
        bob.wait("call.ringing", call=call)
        one.peer = None
        sip.reply(request, 183, sdp=two.sdp(), tag="b")
        two.to(request.body)
        bob.client.media.forget()
        bob.hears(1300)
        sip.reply(request, 200, sdp=two.sdp(), tag="b")
        check("tag=b" in sip.request("ACK").get("to"), "ACK to another dialog")
        bob.wait("call.connected", call=call)
        both(bob, two)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@PEERS.scenario("the same To tag: the 200's SDP differs from the 183's")
def early_same(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(900, "127.0.0.2") as one, Media(1300, "127.0.0.2", law="a") as two:
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        one.to(request.body)
        sip.reply(request, 183, sdp=one.sdp())
        bob.hears(900)
        one.peer = None
        two.to(request.body)
        sip.reply(request, 200, sdp=two.sdp(version=2))
        sip.request("ACK")
        bob.wait("call.connected", call=call)
        both(bob, two)
        # a 200 that comes again gets its ACK again
        sip.reply(request, 200, sdp=two.sdp(version=2))
        ack = sip.receive(2)
        check(ack and ack.method == "ACK", "a repeated 200 was not acknowledged")
        bob.hears(1300)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@PEERS.scenario("BYE during a re-INVITE, BYE before the ACK")
def byes(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        bob.verb("hold")
        theirs = sip.request("INVITE")
        check(d.bye().status == 200, "BYE")
        sip.reply(theirs, 481)
        bob.wait("call.ended", call=bob.client.call)
        d = Dialog(sip, BOB).invite(media.sdp())
        take(bob)
        d.answer(200)
        check(d.bye().status == 200, "BYE before the ACK")
        bob.wait("call.ended", call=bob.client.call)
        time.sleep(0.7)
        check(not house.live_calls(), "a call lives")


@PEERS.scenario("INFO brings digits; unknown ones and other types are refused")
def info(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        for kind, body, status in (("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", 200), ("application/dtmf", "#", 200),
                                   ("application/dtmf-relay", "Signal=Z\r\n", 400), ("text/plain", "x", 415)):
            d.cseq += 1
            text = d.head("INFO") + "Content-Type: %s\r\n" % kind
            sip.socket.sendto((text + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode(), sip.peer)
            got = d.answer(200, method="INFO")
            check(got.status == status, "%s: %s" % (body, got.text()))
        wait_for("digits", lambda: "".join(e["digit"] for e in bob.seen("dtmf.received")) == "5#", 3)
        d.bye()


@PEERS.scenario("methods: what is not served gets 405 with Allow, within a call too; the rest as it should")
def methods(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        for method, status in (("REGISTER", 405), ("MESSAGE", 405), ("SUBSCRIBE", 405), ("REFER", 405), ("PUBLISH", 405),
                               ("PRACK", 481), ("INFO", 481), ("UPDATE", 481), ("NOTIFY", 481), ("OPTIONS", 200)):
            d = Dialog(sip, BOB)
            d.cseq = 1
            sip.send(d.head(method))
            got = d.answer(200, method=method)
            check(got.status == status and (status != 405 or "INVITE" in got.get("allow")), "%s: %s" % (method, got.text()))
        d, _ = call_in(sip, bob, media)
        for method, status in (("OPTIONS", 200), ("MESSAGE", 405), ("REFER", 403), ("SUBSCRIBE", 405), ("PRACK", 481), ("WIBBLE", 501)):
            d.cseq += 1
            sip.send(d.head(method))
            got = d.answer(200, method=method)
            check(got.status == status and (status != 405 or "INVITE" in got.get("allow")), "in a call: %s: %s" % (method, got.text()))
        d.invite(media.sdp(version=2), more="Require: wibble\r\n")
        gone = d.answer(200)
        check(gone.status == 420 and "wibble" in gone.get("unsupported"), "re-INVITE with Require: " + gone.text())
        d.ack(gone)
        both(bob, media)
        d.bye()


@PEERS.scenario("Session-ID: taken over, absent, and on what we send")
def session_id(house):
    theirs = "ab30317f1a784dc48ff824d0d3715d86"
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, ok = call_in(sip, bob, media, more="Session-Expires: 1800;refresher=uac\r\nSupported: timer\r\nSession-ID: %s;remote=00000000000000000000000000000000\r\n" % theirs)
        local, _, remote = ok.get("session-id").partition(";remote=")
        check(remote == theirs and len(local) == 32 and local != theirs, ok.get("session-id"))
        again = reinvite(d, media.sdp(version=2))
        check(again.get("session-id") == ok.get("session-id"), "re-INVITE: " + again.text())
        gone = reinvite(d, media.sdp(version=3, codecs="18"), 488)
        check(gone.get("session-id") == ok.get("session-id"), "488: " + gone.text())
        end = bob.hangup()
        bye = sip.request("BYE")
        check(bye.get("session-id") == ok.get("session-id"), "BYE: " + bye.get("session-id"))
        sip.reply(bye, 200)
        _, record = trunk_leg(house, bob.client.call)
        check(record["session_id"]["remote"] == theirs and record["session_id"]["local"] == local, str(record["session_id"]))
        request, call = call_out(sip, bob, media, "102")
        value = request.get("session-id")
        check(value.endswith(";remote=" + 32 * "0") and value[:32] != local, "INVITE: " + value)
        check("timer" in request.get("supported") and request.get("session-expires"), "no session timer is asked for: " + request.text())
        bob.hangup()
        bye = sip.request("BYE")
        check(bye.get("session-id") == value, "BYE: " + bye.get("session-id"))
        sip.reply(bye, 200)
        # told by their answers; on ACK, CANCEL and everything else of the dialog
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        full = request.get("session-id")[:32] + ";remote=" + theirs
        sip.reply(request, 180, more="Session-ID: %s;remote=%s\r\n" % (theirs, request.get("session-id")[:32]))
        bob.wait("call.ringing", call=call)
        bob.hangup()
        cancel = sip.request("CANCEL")
        check(cancel.get("session-id") == full, "CANCEL: " + cancel.text())
        sip.reply(cancel, 200)
        sip.reply(request, 200, sdp=media.sdp())
        for method in ("ACK", "BYE"):
            m = sip.request(method)
            check(m.get("session-id") == full, "%s: %s" % (method, m.text()))
        sip.reply(m, 200)
        check(end["end"]["reason"] == "completed", str(end))


@PEERS.scenario("more than one m-line: the first usable audio is taken, the others are refused in their places; T.38 gets 488")
def lines(house):
    video = "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    image = "m=image 5002 udptl t38\r\na=T38FaxVersion:0\r\n"
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        head, _, audio = media.sdp().partition("m=audio")
        d, ok = call_in(sip, bob, media, head + video + "m=audio" + audio + image + "m=audio 5004 RTP/SAVP 0\r\n")
        kinds = [line.split()[:2] for line in ok.body.split("\r\n") if line.startswith("m=")]
        check([k[0] for k in kinds] == ["m=video", "m=audio", "m=image", "m=audio"], "answer: " + ok.body)
        check([k[1] == "0" for k in kinds] == [True, False, True, True], "answer: " + ok.body)
        both(bob, media)
        for how in (image, "m=audio 0 RTP/AVP 0\r\n" + image):  # T.38 comes in either form
            gone = reinvite(d, head + how, 488)
            check("399" in gone.get("warning") and "T.38" in gone.get("warning"), gone.text())
            both(bob, media)
        d.bye()


@PEERS.scenario("names: quotes, escapes, UTF-8; an anonymous caller")
def names(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        for display, seen in (('"Zoë \\"Z\\" \\\\ Ça"', 'Zoë "Z" \\ Ça'), ("Plain Name", "Plain Name"), ('""', "")):
            d = Dialog(sip, BOB)
            head = d.head
            d.head = lambda *a, **k: head(*a, **k).replace("From: <", "From: %s <" % display)
            d.invite(media.sdp())
            event = bob.wait("call.incoming")
            check(event["from"].get("display", "") in (seen, None if not seen else seen), "from: %s" % event["from"])
            check(event["from"].get("tel") == "+15550123456", "from: %s" % event["from"])
            d.cancel()
            d.ack(d.answer(300))
            bob.wait("call.ended", call=event["call"])
            bob.client.events.clear()
        sip.user = "anonymous"
        d = Dialog(sip, BOB).invite(media.sdp(), more="Privacy: id\r\nP-Asserted-Identity: <sip:+15550123456@127.0.0.2>\r\n")
        event = bob.wait("call.incoming")
        check(event["from"].get("anonymous") and "15550123456" not in str(event["from"]), "from: %s" % event["from"])
        d.cancel()
        d.ack(d.answer(300))


# Transports --------------------------------------------------------------------------------------


@PEERS.scenario("a trunk of IPv6: signaling and media both ways")
def six(house):
    sip6 = Agent(house.port("lab_peer"), ("::1", house.port("lab")), host="::1")
    with App(house.demo, "bob") as bob, sip6 as sip, Media(host="::1") as media:
        d, ok = call_in(sip, bob, media)
        check("IN IP6 ::1" in ok.body, "answer: " + ok.body)
        both(bob, media)
        d.bye()
        bob.wait("call.ended", call=bob.client.call)
        request, _ = call_out(sip, bob, media, "120")
        check("c=IN IP6 ::1" in request.body, "offer: " + request.body)
        both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)
