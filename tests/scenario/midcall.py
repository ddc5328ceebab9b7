# SPDX-License-Identifier: Apache-2.0
"""Confirmed dialogs between two trunks: session timers, holds, glare, what crosses, route sets."""
import os
import socket
import struct
import time
import wave

import sippsteps
import tone
from group import Group
from house import check, wait_for
from sipua import Agent, Dialog, Rtp, StreamAgent, audio_sdp, sdp_media

here = os.path.dirname(os.path.abspath(__file__))
MIDCALL = Group("midcall", template=here + "/midcall.yaml.in")
TIMERS = Group("session timers", template=here + "/midcall.yaml.in")
TIMER, QUIET, INACTIVE, SOURCE, CHAIN, PROXY, MOVED, STREAM, MUSIC, OWN_MUSIC = 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"
KNOWS = "Supported: timer\r\n"


def agent(house, last):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host="127.0.0.%d" % last)


def sdp(sip, direction="sendrecv", version=1, port=6000):
    return audio_sdp(port, host=sip.host, direction=direction, version=version)


class Callee:
    """A call that we took: requests of ours within it."""

    def __init__(self, sip, request, tag="far"):
        self.sip, self.tag, self.cseq = sip, tag, 100
        self.head = (request.get("to"), request.get("from"), request.get("call-id"))
        self.contact = "<sip:far@%s:%d>" % (sip.shown, sip.port)
        self.target = request.get("contact").strip("<>").split(">")[0]

    def say(self, method, body="", more="", cseq=None, branch=None):
        if method != "ACK":
            self.cseq += 1
        s, (to, frm, call) = self.sip, self.head
        s.send("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\n"
               "Call-ID: %s\r\nCSeq: %d %s\r\nContact: %s\r\n%s"
               % (method, self.target, s.shown, s.port, branch or "z9hG4bK%s%d%d" % (method, self.cseq, time.monotonic_ns()), to, self.tag,
                  frm, call, cseq or self.cseq, method, self.contact, more), body)

    def ask(self, method, body="", more=""):
        self.say(method, body, more)
        answer = self.sip.wait("answer to " + method, lambda m: m.is_answer and m.method == method and m.status >= 200)
        if method == "INVITE":
            self.say("ACK")
        return answer


def request(d, method, body="", more=""):
    """A request of the caller within its call."""
    d.cseq += 1
    d.agent.send(d.head(method, more=more), body)
    answer = d.answer(method=method)
    if method == "INVITE":
        d.invite_branch = d.branch
        d.ack(answer)
    return answer


def call_echo(sip, **more):
    d = Dialog(sip, "600").invite(sdp(sip), **more)
    ok = d.answer()
    check(ok.status == 200, ok.text())
    d.ack(ok)
    return d, ok


def call_through(a, b, last, more="", answer_more=""):
    """From a to b: (a's dialog, a's 200, b's call, what b was asked)."""
    d = Dialog(a, "+155501991%02d" % last).invite(sdp(a), more=more)
    asked = b.request("INVITE")
    b.reply(asked, 200, sdp=sdp(b), more=answer_more)
    b.request("ACK")
    ok = d.answer()
    check(ok.status == 200, ok.text())
    d.ack(ok)
    return d, ok, Callee(b, asked), asked


def end(d, b=None):
    check(d.bye().status == 200, "BYE")
    if b:
        b.reply(b.request("BYE"), 200)


# Session timers ---------------------------------------------------------------------------------------


@TIMERS.scenario("we ask, agree, and refresh by UPDATE at half of the time")
def we_refresh(house):
    with agent(house, QUIET) as a, agent(house, TIMER) as b:
        d, _, _, asked = call_through(a, b, TIMER, answer_more=UPDATES + "Require: timer\r\nSession-Expires: 12;refresher=uac\r\n")
        check(asked.get("session-expires") == "12" and "timer" in asked.get("supported"), "INVITE: " + asked.text())
        check(asked.get("min-se") == "10", "Min-SE: " + asked.text())
        for _ in range(2):
            begin = time.monotonic()
            update = b.request("UPDATE")
            check(4 < time.monotonic() - begin < 8, "after %.1f s" % (time.monotonic() - begin))
            check(not update.body and update.get("session-expires") == "12;refresher=uac", update.text())
            b.reply(update, 200, more="Session-Expires: 12;refresher=uac\r\n")
        end(d, b)


@TIMERS.scenario("a peer without UPDATE gets the same description once more")
def refresh_by_reinvite(house):
    with agent(house, QUIET) as a, agent(house, TIMER) as b:
        d, _, _, asked = call_through(a, b, TIMER, answer_more="Allow: INVITE, ACK, BYE\r\nSession-Expires: 12;refresher=uac\r\n")
        bodies = []
        for _ in range(2):
            again = b.request("INVITE")
            b.reply(again, 200, sdp=sdp(b), more="Session-Expires: 12;refresher=uac\r\n")
            b.request("ACK")
            bodies.append(again.body)
        check(bodies[0] == bodies[1], "the description changed: " + bodies[0] + bodies[1])
        check(bodies[0].split("\r\n")[1] == asked.body.split("\r\n")[1], "its o= line changed: " + bodies[0])
        end(d, b)


@TIMERS.scenario("a peer that does not refresh as agreed gets BYE")
def peer_silent(house):
    with agent(house, TIMER) as a:
        d, ok = call_echo(a, more=KNOWS + "Session-Expires: 12;refresher=uac\r\n")
        check(ok.get("session-expires") == "12;refresher=uac" and ok.get("require") == "timer", ok.text())
        begin = time.monotonic()
        bye = a.request("BYE", 12)
        check(6 < time.monotonic() - begin < 10, "after %.1f s, not 8" % (time.monotonic() - begin))
        check("cause=102" in bye.get("reason"), bye.text())
        a.reply(bye, 200)
    wait_for("the count", lambda: house.metric("sallyport_sip_expired_total") == 1)


@TIMERS.scenario("a peer that refreshes goes on; the answer repeats what is agreed")
def peer_refreshes(house):
    with agent(house, TIMER) as a:
        d, _ = call_echo(a, more=KNOWS + "Session-Expires: 12;refresher=uac\r\n")
        for _ in range(2):
            time.sleep(5.5)
            ok = request(d, "UPDATE", more=KNOWS + "Session-Expires: 12;refresher=uac\r\n")
            check(ok.status == 200 and ok.get("session-expires") == "12;refresher=uac", ok.text())
        end(d)


@TIMERS.scenario("too short is 422 with Min-SE, and the record names the rule")
def too_short(house):
    with agent(house, TIMER) as a:
        d = Dialog(a, "600").invite(sdp(a), more=KNOWS + "Session-Expires: 5\r\n")
        gone = d.answer()
        d.ack(gone)
        check(gone.status == 422 and gone.get("min-se") == "10", gone.text())
        check("at least 10" in gone.get("warning"), gone.get("warning"))
    house.record(lambda r: r["end"] and r["end"]["rule"] == "session_timer")


@TIMERS.scenario("a 422 to ours is obeyed, in the same call")
def obeys(house):
    with agent(house, QUIET) as a, agent(house, TIMER) as b:
        d = Dialog(a, "+15550199102").invite(sdp(a))
        first = b.request("INVITE")
        b.reply(first, 422, more="Min-SE: 20\r\n")
        b.request("ACK")
        again = b.request("INVITE")
        check(again.get("session-expires") == "20" and again.get("min-se") == "20", again.text())
        check(again.get("call-id") == first.get("call-id") and again.body == first.body, "another call: " + again.text())
        b.reply(again, 200, sdp=sdp(b), more="Session-Expires: 20;refresher=uas\r\n")
        b.request("ACK")
        ok = d.answer()
        d.ack(ok)
        check(ok.status == 200, ok.text())
        end(d, b)


@TIMERS.scenario("off: nothing of it is said, and what is required of it is refused")
def off(house):
    with agent(house, TIMER) as a, agent(house, QUIET) as b:
        d, _, _, asked = call_through(a, b, QUIET, answer_more="Session-Expires: 12;refresher=uac\r\n")
        check(not asked.get("session-expires") and "timer" not in asked.get("supported"), asked.text())
        end(d, b)
        d = Dialog(b, "600").invite(sdp(b), more="Require: timer\r\nSession-Expires: 600\r\n")
        gone = d.answer()
        d.ack(gone)
        check(gone.status == 420 and gone.get("unsupported") == "timer", gone.text())


# Holds ------------------------------------------------------------------------------------------------


def held_forms(sip):
    """(name, description, the answer's direction, is the port 0?)"""
    plain = sdp(sip)
    session = plain.replace("a=sendrecv\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n")
    return [("sendonly", sdp(sip, "sendonly"), "recvonly", False),
            ("inactive", sdp(sip, "inactive"), "inactive", False),
            ("recvonly", sdp(sip, "recvonly"), "sendonly", False),
            ("c=0.0.0.0", plain.replace("c=IN IP4 " + sip.host, "c=IN IP4 0.0.0.0"), "recvonly", False),
            ("c=0.0.0.0 and sendonly", sdp(sip, "sendonly").replace("c=IN IP4 " + sip.host, "c=IN IP4 0.0.0.0"), "recvonly", False),
            ("c=0.0.0.0 and inactive", sdp(sip, "inactive").replace("c=IN IP4 " + sip.host, "c=IN IP4 0.0.0.0"), "inactive", False),
            ("port 0", sdp(sip, port=0), "sendrecv", True),
            ("sendonly for the session", session, "recvonly", False)]


def all_forms(sip, ask, resumed):
    for name, form, due, is_off in held_forms(sip):
        ok = ask("INVITE", form)
        host, port, direction = sdp_media(ok.body)
        check(ok.status == 200, "%s: %s" % (name, ok.text()))
        check(direction == due and (port == 0) == is_off, "%s is answered %s, port %d" % (name, direction, port))
        twice = ask("INVITE", form)
        check(twice.body == ok.body, "%s twice: %s" % (name, twice.body))
        back = ask("INVITE", sdp(sip))
        host, port, direction = sdp_media(back.body)
        check(back.status == 200 and direction == "sendrecv" and port, "resume after %s: %s" % (name, back.body))
        resumed(name)


@MIDCALL.scenario("every form of hold by a caller, twice, and its resume with the same o= line")
def holds_in(house):
    with agent(house, QUIET) as a:
        d, _ = call_echo(a)
        all_forms(a, lambda m, s: request(d, m, s), lambda name: None)
        ok = request(d, "UPDATE", sdp(a, "sendonly"))
        check(ok.status == 200 and sdp_media(ok.body)[2] == "recvonly", "by UPDATE: " + ok.text())
        late = Dialog.invite(d, "").answer()
        check(sdp_media(late.body)[2] == "sendrecv", "an offerless re-INVITE gets all: " + late.body)
        d.ack(late, sdp(a))
        end(d)


@MIDCALL.scenario("every form of hold by a callee; the far side is told by re-INVITE each time")
def holds_out(house):
    with agent(house, INACTIVE) as a, agent(house, QUIET) as b:
        d, _, call, _ = call_through(a, b, QUIET)
        for name, form, due, is_off in held_forms(b):
            if name == "recvonly":
                continue  # it says nothing of holding
            ok = call.ask("INVITE", form)
            check(ok.status == 200 and sdp_media(ok.body)[2] == due, "%s: %s" % (name, ok.text()))
            told = a.request("INVITE")
            check(sdp_media(told.body)[2] == "inactive", "%s is told as %s" % (name, told.body))
            a.reply(told, 200, sdp=sdp(a, "inactive"))
            a.request("ACK")
            call.ask("INVITE", sdp(b))
            told = a.request("INVITE")
            check(sdp_media(told.body)[2] == "sendrecv", "resume after %s is told as %s" % (name, told.body))
            a.reply(told, 200, sdp=sdp(a))
            a.request("ACK")
        end(d, b)


@MIDCALL.scenario("hold: tone is told as sendonly, hold: inactive as inactive")
def told_by_trunk(house):
    with agent(house, QUIET) as a, agent(house, INACTIVE) as b:
        d, _, call, _ = call_through(a, b, INACTIVE)
        request(d, "INVITE", sdp(a, "sendonly"))
        told = b.request("INVITE")
        check(sdp_media(told.body)[2] == "inactive", told.body)
        b.reply(told, 200, sdp=sdp(b, "inactive"))
        b.request("ACK")
        call.ask("INVITE", sdp(b, "sendonly"))  # both hold
        told = a.request("INVITE")
        check(sdp_media(told.body)[2] == "sendonly", told.body)
        a.reply(told, 200, sdp=sdp(a, "inactive"))
        a.request("ACK")
        ok = request(d, "INVITE", sdp(a, "sendonly", 2))
        check(sdp_media(ok.body)[2] == "inactive", "the holder's refresh: " + ok.text())
        request(d, "INVITE", sdp(a, version=3))
        told = b.request("INVITE")
        check(sdp_media(told.body)[2] == "sendrecv", told.body)
        b.reply(told, 200, sdp=sdp(b, "sendonly"))
        b.request("ACK")
        end(d, b)


def write_music(house, name, hz):
    with wave.open(house.dir + "/media/" + name, "wb") as w:
        w.setparams((1, 2, 8000, 0, "NONE", ""))
        w.writeframes(tone.make(hz, -12, 8000, 0, 16000).tobytes())


@MIDCALL.scenario("hold: music is heard, the trunk's own file or the house's, and stops; hold: inactive is silent")
def held_heard(house):
    write_music(house, "house.wav", 620)
    write_music(house, "own.wav", 1240)
    for last, direction, hz in ((MUSIC, "sendonly", 620), (OWN_MUSIC, "sendonly", 1240), (INACTIVE, "inactive", 0)):
        with agent(house, QUIET) as a, agent(house, last) as b, Rtp(hz=900, host=a.host) as said, Rtp(hz=410, host=b.host) as heard:
            d = Dialog(a, "+155501991%02d" % last).invite(sdp(a, port=said.port))
            asked = b.request("INVITE")
            b.reply(asked, 200, sdp=sdp(b, port=heard.port))
            b.request("ACK")
            ok = d.answer()
            d.ack(ok)
            said.to(ok.body)
            heard.to(asked.body)
            heard.hears(900)
            request(d, "INVITE", sdp(a, "sendonly", 2, said.port))
            told = b.request("INVITE")
            check(sdp_media(told.body)[2] == direction, told.body)
            b.reply(told, 200, sdp=sdp(b, "recvonly" if hz else "inactive", 2, heard.port))
            b.request("ACK")
            if hz:
                heard.hears(hz)
            else:
                time.sleep(0.3)
                before = heard.packets
                time.sleep(0.5)
                check(heard.packets == before, "%d packets to a peer held inactive" % (heard.packets - before))
            request(d, "INVITE", sdp(a, version=3, port=said.port))
            told = b.request("INVITE")
            b.reply(told, 200, sdp=sdp(b, version=3, port=heard.port))
            b.request("ACK")
            heard.hears(900)
            end(d, b)


# Glare, overlaps, rollback ----------------------------------------------------------------------------


@MIDCALL.scenario("glare: ours and theirs cross, 491 each way, ours again 2.1 to 4 s later")
def glare(house):
    with agent(house, QUIET) as a, agent(house, INACTIVE) as b:
        d, _, call, _ = call_through(a, b, INACTIVE)
        request(d, "INVITE", sdp(a, "sendonly"))
        told = b.request("INVITE")
        crossed = call.ask("INVITE", sdp(b))
        check(crossed.status == 491, crossed.text())
        begin = time.monotonic()
        b.reply(told, 491)
        b.request("ACK")
        again = b.request("INVITE")
        check(2 <= time.monotonic() - begin <= 4.5, "after %.1f s" % (time.monotonic() - begin))
        b.reply(again, 200, sdp=sdp(b, "inactive"))
        b.request("ACK")
        end(d, b)


@MIDCALL.scenario("a re-INVITE that is refused leaves the call; 481 ends it")
def refused(house):
    with agent(house, QUIET) as a, agent(house, INACTIVE) as b:
        for status, lives in ((488, True), (500, True), (503, True), (603, True), (481, False)):
            d, _, call, _ = call_through(a, b, INACTIVE)
            request(d, "INVITE", sdp(a, "sendonly"))
            b.reply(b.request("INVITE"), status)
            b.request("ACK")
            if lives:
                ok = call.ask("UPDATE", sdp(b))
                check(ok.status == 200, "%d: the call is gone: %s" % (status, ok.text()))
                end(d, b)
            else:
                a.reply(a.request("BYE"), 200)
                d.agent.seen.clear()


@MIDCALL.scenario("a refused offer of the peer changes nothing: the next answer has the old version")
def rollback(house):
    with agent(house, QUIET) as a:
        d, ok = call_echo(a)
        gone = request(d, "INVITE", sdp(a).replace("m=audio 6000 RTP/AVP 0 8 101", "m=audio 6000 RTP/AVP 96").replace(
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n", "a=rtpmap:96 L16/44100\r\n"))
        check(gone.status == 488, gone.text())
        same = request(d, "INVITE", sdp(a))
        check(same.status == 200 and same.body == ok.body, "another answer: " + same.body)
        end(d)


@MIDCALL.scenario("RFC 6141: our offer is refused after a 183 with an answer in it: media and target stay, o= goes on by one; offers meanwhile get 491")
def rollback_late(house):
    with agent(house, QUIET) as a, agent(house, MUSIC) as b, Rtp(hz=900, host=a.host) as said, Rtp(host=b.host) as heard, Rtp(host=b.host) as other:
        d = Dialog(a, "+155501991%02d" % MUSIC).invite(sdp(a, port=said.port))
        asked = b.request("INVITE")
        b.reply(asked, 200, sdp=sdp(b, port=heard.port))
        b.request("ACK")
        ok = d.answer()
        d.ack(ok)
        said.to(ok.body)
        heard.to(asked.body)
        heard.hears(900)
        call = Callee(b, asked)
        request(d, "INVITE", sdp(a, "sendonly", 2, said.port))
        told = b.request("INVITE")
        check("100rel" not in told.get("supported"), told.text())
        b.reply(told, 183, sdp=sdp(b, "recvonly", 2, other.port), contact="<sip:far@127.0.0.1:9>")
        for method in ("UPDATE", "INVITE"):
            crossed = call.ask(method, sdp(b, version=2, port=other.port))
            check(crossed.status == 491, "%s while ours is open: %s" % (method, crossed.text()))
        check(call.ask("UPDATE").status == 200, "an UPDATE without an offer")
        b.reply(told, 488)
        b.request("ACK")
        request(d, "INVITE", sdp(a, version=3, port=said.port))
        again = b.request("INVITE")
        check(sdp_media(again.body)[2] == "sendrecv", again.body)
        b.reply(again, 488)
        b.request("ACK")
        heard.forget()
        heard.hears(900)
        check(other.packets == 0, "%d packets to where only the 183 said" % other.packets)
        ok = call.ask("UPDATE", sdp(b, version=3, port=other.port))
        check(ok.status == 200 and sdp_media(ok.body)[2] == "sendrecv", ok.text())
        check(ok.body.split("\r\n")[1].split()[:3] == [asked.body.split("\r\n")[1].split()[0], asked.body.split()[2], "2"], "o= line: " + ok.body)
        other.hears(900)
        end(d, b)


@MIDCALL.scenario("RFC 5407: BYE crosses our re-INVITE, and a BYE before the ACK ends the call once")
def crossing(house):
    with agent(house, QUIET) as a, agent(house, INACTIVE) as b:
        d, _, call, _ = call_through(a, b, INACTIVE)
        request(d, "INVITE", sdp(a, "sendonly"))
        told = b.request("INVITE")
        check(call.ask("BYE").status == 200, "BYE")
        b.reply(told, 481)
        b.request("ACK")
        a.reply(a.request("BYE"), 200)
        d = Dialog(a, "600").invite(sdp(a))
        d.answer()
        check(d.bye().status == 200, "BYE before the ACK")
        wait_for("the end", lambda: not house.live_calls(), 5)
    closed = wait_for("closed records", lambda: all(r["end"] for r in house.records()) and house.records()[:2])
    check(all(r["end"]["reason"] in ("completed", "canceled") for r in closed), "records: %s" % [r["end"] for r in closed])


@MIDCALL.scenario("RFC 5407: a lost ACK, and a re-INVITE before it")
def ack_lost(house):
    with agent(house, QUIET) as a:
        d = Dialog(a, "600").invite(sdp(a))
        ok = d.answer()
        first = d.cseq
        d.cseq += 1
        a.send(d.head("INVITE"), sdp(a, version=2))
        early = d.answer()
        check(early.status in (200, 500), "a re-INVITE before the ACK: " + early.text())
        last, d.cseq = d.cseq, first
        d.ack(ok)
        d.cseq = last
        if early.status == 200:
            d.ack(early)
        check(request(d, "UPDATE").status == 200, "the call is gone")
        end(d)


# Route sets, connections ------------------------------------------------------------------------------


@MIDCALL.scenario("a route set holds whatever the Contact says: ACK, re-INVITE and BYE go by the nearest Record-Route")
def route_set(house):
    with agent(house, INACTIVE) as a, agent(house, CHAIN) as b, agent(house, PROXY) as proxy:
        near = "<sip:127.0.0.7:%d;lr;r2=on>" % proxy.port
        d = Dialog(a, "+15550199106").invite(sdp(a))
        asked = b.request("INVITE")
        b.reply(asked, 200, sdp=sdp(b), more="Record-Route: <sip:127.0.0.7:5099;transport=tcp;lr;r2=on>, %s\r\n" % near)
        ack = proxy.request("ACK")
        check(ack.first.startswith("ACK sip:far@127.0.0.6:"), ack.first)
        routes = ", ".join(ack.all("route"))
        check(routes.startswith(near) and "transport=tcp" in routes, "Route: " + routes)
        d.ack(d.answer())
        request(d, "INVITE", sdp(a, "sendonly"))
        told = proxy.request("INVITE")
        check(", ".join(told.all("route")) == routes, told.text())
        proxy.reply(told, 200, sdp=sdp(b), contact="<sip:far@127.0.0.6:%d>" % b.port)
        proxy.request("ACK")
        d.bye()
        proxy.reply(proxy.request("BYE"), 200)


@MIDCALL.scenario("a strict router gets what it asks for")
def strict(house):
    with agent(house, QUIET) as a, agent(house, CHAIN) as b, agent(house, PROXY) as proxy:
        d = Dialog(a, "+15550199106").invite(sdp(a))
        asked = b.request("INVITE")
        b.reply(asked, 200, sdp=sdp(b), more="Record-Route: <sip:127.0.0.7:%d>\r\n" % proxy.port)
        ack = proxy.request("ACK")
        check(ack.first == "ACK sip:127.0.0.7:%d SIP/2.0" % proxy.port, ack.first)
        check(ack.get("route").startswith("<sip:far@127.0.0.6:"), ack.text())
        d.ack(d.answer())
        d.bye()
        proxy.reply(proxy.request("BYE"), 200)


@MIDCALL.scenario("a new Contact in a re-INVITE moves the target; one that is refused does not")
def target(house):
    with agent(house, QUIET) as a, agent(house, CHAIN) as b, agent(house, MOVED) as moved:
        d, _, call, _ = call_through(a, b, CHAIN)
        call.contact = "<sip:far@127.0.0.6:9>"
        check(call.ask("INVITE", sdp(b).replace("RTP/AVP 0 8 101", "RTP/AVP 18").replace("PCMU/8000", "x/8000").replace(
            "PCMA/8000", "y/8000")).status == 488, "no codec")
        request(d, "INVITE", sdp(a, "sendonly"))
        told = b.request("INVITE")
        b.reply(told, 200, sdp=sdp(b))
        b.request("ACK")
        call.contact = "<sip:far@%s:%d>" % (moved.host, moved.port)
        check(call.ask("UPDATE", sdp(b)).status == 200, "UPDATE")
        d.bye()
        bye = moved.request("BYE")
        moved.reply(bye, 200)


@MIDCALL.scenario("next_hop: source: a Contact that nobody reaches does no harm")
def source(house):
    with agent(house, QUIET) as a, agent(house, SOURCE) as b:
        d = Dialog(a, "+15550199105").invite(sdp(a))
        asked = b.request("INVITE")
        b.reply(asked, 200, sdp=sdp(b), contact="<sip:far@127.0.0.5:9>")
        ack = b.request("ACK")
        check(ack.first.startswith("ACK sip:far@127.0.0.5:9 "), ack.first)
        d.ack(d.answer())
        d.bye()
        b.reply(b.request("BYE"), 200)


@MIDCALL.scenario("a connection that is reset is replaced: re-INVITE and BYE go over new ones")
def reset(house):
    peer = ("127.0.0.1", house.port("tls"))
    with agent(house, QUIET) as a, StreamAgent(house.port("lab_peer"), peer, "127.0.0.9") as b:
        d = Dialog(a, "+15550199109").invite(sdp(a))
        asked = b.request("INVITE")
        b.reply(asked, 200, sdp=sdp(b))
        b.request("ACK")
        d.ack(d.answer())
        for direction in ("sendonly", "sendrecv"):
            drop(b)
            request(d, "INVITE", sdp(a, direction))
            told = b.request("INVITE", 4)
            b.reply(told, 200, sdp=sdp(b))
            b.request("ACK")
        drop(b)
        d.bye()
        b.reply(b.request("BYE", 4), 200)


def drop(sip):
    """Resets every connection of a stream agent."""
    for s in list(sip.streams):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    sip.streams.clear()
    sip.last = None


# The same by SIPp -------------------------------------------------------------------------------------

SIPPED = Group("midcall by sipp", template=here + "/midcall.yaml.in", programs=["sipp"])
CALL = [("INVITE", {"sdp": "sendrecv"}), (200, {"body": "m=audio"}), ("ACK", {})]
BYE = [("BYE", {}), (200, {})]


def steps(house, name, what, last=QUIET):
    sippsteps.run(house, name, "127.0.0.%d" % last, "600", what)


@SIPPED.scenario("SIPp: session timer asked for, agreed, refreshed by UPDATE and by re-INVITE")
def sipp_timer(house):
    asks = {"more": ["Supported: timer", "Session-Expires: 60;refresher=uac"]}
    says = {"header": {"Session-Expires:": "12;refresher=uac", "Require:": "timer"}}
    steps(house, "timer", [("INVITE", dict(asks, sdp="sendrecv")), (200, says), ("ACK", {}), ("wait", 300), ("UPDATE", asks),
                           (200, says), ("INVITE", dict(asks, sdp="sendrecv")), (200, says), ("ACK", {})] + BYE, TIMER)


@SIPPED.scenario("SIPp: a session timer that is too short, raised after the 422")
def sipp_422(house):
    steps(house, "short", [("INVITE", {"sdp": "sendrecv", "more": ["Supported: timer", "Session-Expires: 4"]}),
                           (422, {"header": {"Min-SE:": "10"}})], TIMER)


@SIPPED.scenario("SIPp: hold by each direction, and resume")
def sipp_holds(house):
    what = list(CALL)
    for ours, theirs in (("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv")):
        what += [("INVITE", {"sdp": ours}), (200, {"body": "a=" + theirs}), ("ACK", {}), ("wait", 100)]
    steps(house, "holds", what + BYE)


@SIPPED.scenario("SIPp: an offerless re-INVITE is offered everything, also while held")
def sipp_late(house):
    steps(house, "late", CALL + [("INVITE", {"sdp": "sendonly"}), (200, {"body": "a=recvonly"}), ("ACK", {}), ("INVITE", {}),
                                 (200, {"body": "a=sendrecv"}), ("ACK", {"sdp": "sendrecv"}), ("wait", 300)] + BYE)


@SIPPED.scenario("SIPp: an offerless re-INVITE whose ACK has no answer ends the call")
def sipp_no_answer(house):
    steps(house, "unanswered", CALL + [("INVITE", {}), (200, {"body": "a=sendrecv"}), ("ACK", {})])
    closed = house.record(lambda r: r["end"] and r["end"]["reason"] == "media_failure")
    check(closed["answered_at"], "record: %s" % closed)


@SIPPED.scenario("SIPp: offers by UPDATE, and what is refused in the call leaves it")
def sipp_update(house):
    steps(house, "update", CALL + [("UPDATE", {"sdp": "sendonly"}), (200, {"body": "a=recvonly"}), ("UPDATE", {"more": ["Require: nonsense"]}),
                                   (420, {"header": {"Unsupported:": "nonsense"}}), ("SUBSCRIBE", {}), (405, {}),
                                   ("UPDATE", {"sdp": "sendrecv"}), (200, {"body": "a=sendrecv"})] + BYE)


@SIPPED.scenario("SIPp: BYE before the ACK")
def sipp_bye(house):
    steps(house, "bye", CALL[:2] + BYE)
