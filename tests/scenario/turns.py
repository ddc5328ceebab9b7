# SPDX-License-Identifier: Apache-2.0
"""Who may say what when: holds of both sides, descriptions that do not change, relays, the order of things."""
import base64
import os
import random
import time

from app import App
from group import Group
from house import check, wait_for
from peermedia import Media
from peers import BOB, OUT, agent, both, call_in, call_out, here, reinvite, take
from sipua import Dialog, sdp_media

TURNS = Group("turns", template=here + "/peers.yaml.in")


def answer_hold(sip, d, media, direction, theirs, version):
    """Our re-INVITE must say direction; theirs is the answer."""
    m = sip.wait("re-INVITE", lambda m: m.method == "INVITE" and not m.is_answer)
    check(sdp_media(m.body)[2] == direction, "re-INVITE: %s" % m.body)
    sip.reply(m, 200, sdp=media.sdp(version=version, direction=theirs), tag=d.tag)
    sip.request("ACK")
    return m


@TURNS.scenario("both hold: the directions of RFC 3264 in every order")
def both_hold(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, ok = call_in(sip, bob, media)
        held = bob.verb("hold")
        first = answer_hold(sip, d, media, "sendonly", "recvonly", 2)
        check(sdp_media(first.body)[:2] == sdp_media(ok.body)[:2], "the address changed")
        bob.done(held)
        again = reinvite(d, media.sdp(version=3))  # a refresh meanwhile
        check(sdp_media(again.body)[2] == "sendonly", "sendrecv while we hold: " + again.body)
        again = reinvite(d, media.sdp(version=4, direction="sendonly"))
        check(sdp_media(again.body)[2] == "inactive", "sendonly while we hold: " + again.body)
        resumed = bob.verb("resume")
        answer_hold(sip, d, media, "sendrecv", "sendonly", 5)
        bob.done(resumed)
        check(bob.snapshot()["state"] == "remote_hold", "state: %s" % bob.snapshot()["state"])
        again = reinvite(d, media.sdp(version=6))
        check(sdp_media(again.body)[2] == "sendrecv", again.body)
        both(bob, media)
        d.bye()


@TURNS.scenario("a refresh with the same description has the same answer, byte for byte; changes raise the version by one")
def refresh(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, ok = call_in(sip, bob, media)
        for _ in range(2):
            check(reinvite(d, media.sdp()).body == ok.body, "another answer")
        held = reinvite(d, media.sdp(version=2, direction="sendonly"))
        origins = [next(line for line in b.split("\r\n") if line.startswith("o=")).split() for b in (ok.body, held.body)]
        check(origins[0][1] == origins[1][1] and int(origins[1][2]) == int(origins[0][2]) + 1, "origins: %s" % origins)
        d.bye()


@TURNS.scenario("an app whose only candidates are foreign relays: third_party_relay; with others beside it is left out")
def relays(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        async def place(change):
            from aiortc_client import Media as AppMedia
            bob.client.media = AppMedia(700)
            offer = await bob.client.media.offer()
            offer["sdp"] = change(offer["sdp"])
            answer = await bob.client.ask("POST", "/calls", {"to": {"tel": OUT + "102"}, "offer": offer})
            bob.client.call = answer["id"]
            await bob.client.media.take_answer(answer["answer"])

        def relayed(sdp):
            return "".join(line.replace("typ host", "typ relay raddr 0.0.0.0 rport 0") if line.startswith("a=candidate") else line
                           for line in sdp.splitlines(True))

        def beside(sdp):
            lines = sdp.splitlines(True)
            at = next(i for i, line in enumerate(lines) if line.startswith("a=candidate"))
            lines.insert(at, "a=candidate:99 1 udp 41885439 192.0.2.77 3478 typ relay raddr 0.0.0.0 rport 0\r\n")
            return "".join(lines)
        problem = bob.refused(lambda: bob.run(place(relayed)))
        check(problem.status == 422 and "third_party_relay" in problem.code, str(problem))
        house.record(lambda r: r["end"] and r["end"]["rule"] == "third_party_relay")
        bob.run(place(beside))
        request = sip.request("INVITE")
        check("192.0.2.77" not in request.text() + request.body, "the relay crossed the bridge")
        media.to(request.body)
        sip.reply(request, 200, sdp=media.sdp())
        sip.request("ACK")
        bob.wait("call.connected", call=bob.client.call)
        both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@TURNS.scenario("what crosses: the INVITE is lost and comes again, the 200 too; one call, one answer")
def repeats(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB)
        d.cseq = 1
        head = d.head("INVITE")
        d.invite_branch = d.branch
        for _ in range(3):
            sip.send(head, media.sdp())
        take(bob)
        ok = d.answer(200)
        sip.send(head, media.sdp())
        time.sleep(0.7)
        repeated = []
        while True:
            m = sip.receive(0.05)
            if m is None:
                break
            repeated.append(m)
        check(any(m.status == 200 and m.body == ok.body for m in repeated), "the 200 does not come again: %s" % [m.first for m in repeated])
        d.ack(ok)
        d.ack(ok)
        media.to(ok.body)
        both(bob, media)
        check(len(house.live_calls()) == 1, "calls: %s" % house.live_calls())
        d.bye()


@TURNS.scenario("an INVITE that nobody answers with more than 100: the trunk's silence ends in time, the CANCEL waits for a provisional")
def silence(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip:
        call = bob.place(OUT + "105")
        request = sip.request("INVITE")
        bob.hangup()
        time.sleep(0.8)
        seen = []
        while True:
            m = sip.receive(0.05)
            if m is None:
                break
            seen.append(m.method)
        check("CANCEL" not in seen, "CANCEL before a provisional")
        sip.reply(request, 180)
        sip.reply(sip.request("CANCEL"), 200)
        sip.reply(request, 487)
        sip.request("ACK")
        check(bob.wait("call.ended", call=call)["end"]["reason"] == "canceled", "end")


@TURNS.scenario("CANCEL while the 200 waits for the app's media: 487; without it the 200 goes at latest after 1.5 s")
def held_answer(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        for cancels in (True, False):
            d = Dialog(sip, BOB).invite(media.sdp())
            event = bob.wait("call.incoming")
            bob.client.call = event["call"]

            async def deaf():
                from aiortc_client import Media as AppMedia
                m = AppMedia(700)
                text = await m.answer(event["offer"])
                text["sdp"] = text["sdp"].replace("a=ice-pwd:", "a=ice-pwd:x")
                await bob.client.verb("answer", {"answer": text})
                await m.close()
            begin = time.monotonic()
            bob.run(deaf())
            if cancels:
                d.cancel()
                gone = d.answer(300)
                check(gone.status == 487, gone.text())
                d.ack(gone)
                check(bob.wait("call.ended", call=event["call"])["end"]["reason"] == "canceled", "end")
            else:
                ok = d.answer(200)
                check(1.0 < time.monotonic() - begin < 2.5, "the 200 came after %.1f s" % (time.monotonic() - begin))
                d.ack(ok)
                d.bye()
                bob.wait("call.ended", call=event["call"])
            bob.client.events.clear()


@TURNS.scenario("messages of RFC 4475 and rubbish to the running program: it answers OPTIONS after each")
def torture(house):
    corpus = os.path.join(here, "..", "fuzz", "corpus")
    files = [os.path.join(at, f) for at, _, names in os.walk(corpus) for f in names if any(k in at for k in ("sip", "badline", "desc"))]
    with agent(house, 2) as sip:
        random.seed(1)
        for path in files[:200]:
            data = open(path, "rb").read()[:60000]
            sip.socket.sendto(data, sip.peer)
            cut = random.randrange(1 + len(data))
            sip.socket.sendto(data[:cut] + base64.b64encode(os.urandom(9)) + data[cut:], sip.peer)
        for sdp in (b"", b"\0" * 100, b"v=0\r\n" * 5000, b"m=audio 5000 UDP/TLS/RTP/SAVPF 111 [\r\n"):
            sip.send(Dialog(sip, BOB).head("INVITE"), sdp.decode())
        time.sleep(0.3)
        begin = time.monotonic()
        d = Dialog(sip, BOB)
        d.cseq = 1
        sip.send(d.head("OPTIONS"))
        check(d.answer(200, method="OPTIONS").status == 200, "OPTIONS")
        check(time.monotonic() - begin < 0.5, "took %.1f s" % (time.monotonic() - begin))
    wait_for("ready", house.is_ready, 2)
