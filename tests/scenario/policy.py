# SPDX-License-Identifier: Apache-2.0
"""What the border refuses: strangers, unsecured media, foreign proxies, too much."""
import os
import signal
import time

from app import App
from group import Group
from house import check, wait_for
from sipua import Agent, Dialog, Rtp, audio_sdp

here = os.path.dirname(os.path.abspath(__file__))
POLICY = Group("policy", template=here + "/policy.yaml.in")
BOB = "+15550100002"
CRYPTO = "a=crypto:%d %s inline:%s\r\n"
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # an example of RFC 4568


def agent(house, host):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host=host)


def refused(house, sip, status, rule, sdp, **more):
    d = Dialog(sip, BOB).invite(sdp, **more)
    gone = d.answer(300)
    d.ack(gone)
    check(gone.status == status, "%s: %s" % (rule, gone.text()))
    record = house.record(lambda r: r["end"] and r["end"]["rule"] == rule)
    check(record["state"] == "refused", "record: %s" % record)
    return gone


@POLICY.scenario("a stranger gets no answer, and is counted")
def stranger(house):
    with agent(house, "127.0.0.9") as sip:
        before = house.metric("sallyport_")
        for method in ("OPTIONS", "INVITE", "REGISTER", "BYE"):
            d = Dialog(sip, BOB)
            d.cseq = 1
            sip.send(d.head(method), audio_sdp(4000) if method == "INVITE" else "")
        sip.socket.sendto(b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + 12 * b"x", sip.peer)
        sip.socket.sendto(b"rubbish\r\n\r\n", sip.peer)
        sip.silence(2)
        check(house.metric("sallyport_") > before, "nothing was counted")
    check(not house.records(), "a stranger made a record")


@POLICY.scenario("RTP/AVP on a secured trunk: 488 with a Warning that says what is due")
def unsecured(house):
    with agent(house, "127.0.0.2") as sip:
        gone = refused(house, sip, 488, "srtp_required", audio_sdp(4000, host="127.0.0.2"))
        warning = gone.get("warning")
        check(warning.startswith("399 ") and "SAVP" in warning, "Warning: " + warning)
        check("cause=88" in gone.get("reason"), "Reason: " + gone.get("reason"))


@POLICY.scenario("SDES by each suite, its tag and ours; the first usable line is taken")
def suites(house):
    with App(house.demo, "bob") as bob, agent(house, "127.0.0.2") as sip:
        for suite, key in (("AES_CM_128_HMAC_SHA1_80", KEY), ("AES_CM_128_HMAC_SHA1_32", KEY + "|2^20|1:4"),
                           ("AEAD_AES_128_GCM", "A" * 38 + "=="),
                           ("AEAD_AES_256_GCM", "A" * 59 + "=")):
            lines = CRYPTO % (0, "NULL_NULL", KEY) + CRYPTO % (7, suite, key)
            d = Dialog(sip, BOB).invite(audio_sdp(4000, host="127.0.0.2", profile="RTP/SAVP", more=lines))
            bob.answer(bob.newest())
            ok = d.answer(200)
            check(ok.status == 200, "%s: %s" % (suite, ok.first))
            check("a=crypto:7 " + suite in ok.body and ok.body.count("a=crypto:") == 1, ok.body)
            d.ack(ok)
            # a downgrade within the call leaves it as it was
            d.invite(audio_sdp(4000, host="127.0.0.2", version=2))
            gone = d.answer(200)
            check(gone.status == 488, "downgrade: " + gone.first)
            d.ack(gone)
            check(bob.snapshot()["state"] != "ended", "the downgrade ended the call")
            d.bye()
            bob.wait("call.ended", call=bob.client.call)


@POLICY.scenario("a proxy that nobody allowed: 403, the Warning names it and the line")
def proxy(house):
    with agent(house, "127.0.0.3") as sip:
        gone = refused(house, sip, 403, "third_party_proxy", audio_sdp(4000), vias=["SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKx"])
        warning = gone.get("warning")
        check(warning.startswith("399 ") and "198.51.100.9" in warning and "few" in warning, "Warning: " + warning)
        refused(house, sip, 403, "third_party_proxy", audio_sdp(4000), more="Record-Route: <sip:198.51.100.9;lr>\r\n")


@POLICY.scenario("media of IPv6 where the gateway has none: 488 that says so")
def family(house):
    with agent(house, "127.0.0.3") as sip:
        sdp = audio_sdp(4000).replace("IP4 127.0.0.1", "IP6 ::1")
        check("media.addresses" in refused(house, sip, 488, "sdp", sdp).get("warning"), "Warning")


@POLICY.scenario("too many hops: 483")
def hops(house):
    with agent(house, "127.0.0.3") as sip:
        refused(house, sip, 483, "max_forwards", audio_sdp(4000), forwards=0)


@POLICY.scenario("one call more than the trunk may have: 503 with Retry-After")
def many(house):
    with App(house.demo, "bob") as bob, agent(house, "127.0.0.3") as sip, Rtp(host="127.0.0.3") as rtp:
        d = Dialog(sip, BOB).invite(audio_sdp(rtp.port, host="127.0.0.3"))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        d.ack(ok)
        gone = refused(house, sip, 503, "trunk_calls", audio_sdp(4000))
        check(int(gone.get("retry-after") or 0) > 0, "no Retry-After")
        d.bye()


@POLICY.scenario("more calls a second than the trunk may start: 503 with Retry-After")
def fast(house):
    with agent(house, "127.0.0.4") as sip:
        dialogs = [Dialog(sip, BOB + "9").invite(audio_sdp(4000)) for _ in range(6)]
        got = [d.answer(300) for d in dialogs]
        for d, gone in zip(dialogs, got):
            d.ack(gone)
        check([g.status for g in got].count(503) >= 3, "answers: %s" % [g.status for g in got])
        check(next(g for g in got if g.status == 503).get("retry-after"), "no Retry-After")


@POLICY.scenario("a trunk that is switched off: 503")
def disabled(house):
    with agent(house, "127.0.0.5") as sip:
        refused(house, sip, 503, "trunk_disabled", audio_sdp(4000))


@POLICY.scenario("a number that leads nowhere: 404")
def nowhere(house):
    with agent(house, "127.0.0.3") as sip:
        d = Dialog(sip, "+15550100099").invite(audio_sdp(4000))
        gone = d.answer(300)
        d.ack(gone)
        check(gone.status == 404, gone.first)


@POLICY.scenario("a trunk that cannot be reached: the call ends, soon")
def unreachable(house):
    with App(house.demo, "bob") as bob:
        call = bob.place(house.demo["dial"]["tone"])
        end = bob.wait("call.ended", 40, call=call)["end"]
        check(end["reason"] in ("trunk_failure", "timeout", "unreachable"), "end: %s" % end)


@POLICY.scenario("a cap on a destination: the second call in an hour gets 503, its rule and setting")
def capped(house):
    with agent(house, "127.0.0.3") as sip:
        d = Dialog(sip, "+15550100001").invite(audio_sdp(4000))
        gone = d.answer(300)
        d.ack(gone)
        check(gone.status == 480, "the first: " + gone.text())
        d = Dialog(sip, "+15550100001").invite(audio_sdp(4000))
        gone = d.answer(300)
        d.ack(gone)
        check(gone.status == 503 and "caps[alices].calls_per_hour: 1" in gone.get("warning"), "the second: " + gone.text())
        check(int(gone.get("retry-after")) > 3500, "Retry-After: " + gone.get("retry-after"))
    house.record(lambda r: r["end"] and r["end"]["rule"] == "cap")


def alices(sip):
    d = Dialog(sip, "+15550100001").invite(audio_sdp(4000))
    gone = d.answer(300)
    d.ack(gone)
    return gone


RESTARTS = Group("caps over restarts", template=here + "/policy.yaml.in")


@RESTARTS.scenario("what a cap has counted outlives SIGTERM at once, and a kill after ten seconds")
def cap_kept(house):
    with agent(house, "127.0.0.3") as sip:
        for sign, wait_s, caller in ((signal.SIGTERM, 0, "+15550123456"), (signal.SIGKILL, 11, "+15550123499")):
            sip.user = caller
            first = alices(sip)
            check(first.status == 480, "the first: " + first.text())
            time.sleep(wait_s)
            dead = house.kill("sallyportd", sign)
            wait_for("another sallyportd", lambda: house.pid("sallyportd") != dead and house.is_ready(), 20)
            gone = alices(sip)
            check(gone.status == 503 and "caps[alices].calls_per_hour: 1" in gone.get("warning"), "after signal %d: %s" % (sign, gone.text()))


@POLICY.scenario("requests that waited too long: new calls get 503 with what to give way by, until it is over")
def overloaded(house):
    pid = house.pid("sallyportd")
    with agent(house, "127.0.0.2") as sip:
        os.kill(pid, signal.SIGSTOP)
        try:
            waiting = [Dialog(sip, "+15550199999").invite(audio_sdp(4000), branch="z9hG4bKov%d;oc" % i) for i in range(40)]
            time.sleep(0.3)
        finally:
            os.kill(pid, signal.SIGCONT)
        answers = []
        for d in waiting:
            answers.append(d.answer(300))
            d.ack(answers[-1])
        shed = [a for a in answers if a.status == 503]
        check(len(shed) >= 20, "of 40: %s" % [a.status for a in answers])
        check(all(5 <= int(a.get("retry-after")) <= 35 and "requests wait" in a.get("warning") for a in shed), shed[0].text())
        check("oc=" in shed[-1].text() and "oc-algo" in shed[-1].text(), "no feedback: " + shed[-1].text())
        for _ in range(15):
            time.sleep(0.3)
            d = Dialog(sip, "+15550199999").invite(audio_sdp(4000))
            last = d.answer(300)
            d.ack(last)
            if last.status != 503:
                break
        check(last.status != 503, "it never ended: " + last.text())
