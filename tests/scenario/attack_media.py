# SPDX-License-Identifier: Apache-2.0
"""Attacks on media: ClientHellos of strangers and with borrowed addresses, RTP at every port, bad tags, replays,
STUN without and with credentials, corrupted packets, while calls go on."""
import os
import random
import re
import socket
import struct
import time

from aioice import stun

from app import App
from attack import (BOB, ECHO, PEER2, STRANGER, AttackGroup, SecureCall, Spray, client_hello, cpu_s, figure, lab_agent,
                    may_spoof, noise, percentile, quiet, rtp_packet, sec_agent)
from house import Failed, check, wait_for
from sipua import Dialog, Rtp, audio_sdp

G = AttackGroup("attack-media")


def set_up(app, attack=None):
    """One native call to the echo; seconds until its media are up."""
    begin = time.monotonic()
    app.run(place(app.client, attack))
    spent = time.monotonic() - begin
    app.hangup()
    app.run(app.client.media.close())
    app.client.media = None
    return spent


async def place(client, attack):
    from aiortc_client import Media
    client.media = Media(client.hz)
    offer = await client.media.offer()
    if attack:
        attack(offer["sdp"])
    answer = await client.ask("POST", "/calls", {"to": {"tel": "600"}, "offer": offer})
    client.call = answer["id"]
    await client.media.take_answer(answer["answer"])
    await client.media.connected(10)


def native(house):
    return "127.0.0.1:%d" % house.port("native")


@G.scenario("A1: ClientHellos of strangers while calls are set up: all come up, nobody is answered")
def hello_strangers(house):
    rate = 4000
    with App(house.demo, "bob") as bob:
        before = [set_up(bob) for _ in range(4)]
        with Spray(client_hello(), native(house), rate, 9, "--from", STRANGER + ":0", "--random", "17:28") as spray:
            begin, during = time.monotonic(), []
            while len(during) < 12 or time.monotonic() < begin + 2:
                during.append(set_up(bob))
    check(spray.answers == 0, "strangers got %d answers" % spray.answers)
    figure("A1: %d set-ups under %d ClientHello/s of strangers (%d sent, 0 answered): median %.0f ms, worst %.0f ms; before: "
           "median %.0f ms, worst %.0f ms" % (len(during), rate, spray.sent, percentile(during, 0.5) * 1e3, max(during) * 1e3,
                                             percentile(before, 0.5) * 1e3, max(before) * 1e3))


@G.scenario("A1b: ClientHellos with the peer's own address, bad ones and good ones: all calls come up")
def hello_spoofed(house):
    if not may_spoof():
        figure("A1b: skipped: no raw socket")
        return
    for good in (False, True):
        spoofed(house, good, 10)


def spoofed(house, good, n):
    sprays, times, failed, rate = [], [], 0, 2000

    def attack(sdp):
        for where in set(re.findall(r"a=candidate:\S+ 1 udp \d+ ([\d.]+ \d+) ", sdp)):
            spray = Spray(client_hello(good), native(house), rate, 0.3, "--spoof", where.replace(" ", ":"), "--random", "27:28")
            sprays.append(spray.__enter__())
        check(sprays, "no address in the offer: " + sdp)

    with App(house.demo, "bob") as bob:
        for _ in range(n):
            try:
                times.append(set_up(bob, attack))
            except (TimeoutError, Failed):
                failed += 1
                bob.run(bob.client.media.close())
            while sprays:
                sprays.pop().__exit__(None)
    times.append(0) if not times else None
    figure("A1b: %d of %d set-ups under %d %s ClientHello/s with the peer's address: median %.0f ms, worst %.0f ms"
           % (n - failed, n, rate, "acceptable" if good else "unacceptable", percentile(times, 0.5) * 1e3, max(times) * 1e3))
    check(not failed, "%d of %d calls did not come up" % (failed, n))


@G.scenario("A2: RTP at every port: a plain leg hears its own peer only, strangers get nothing")
def rtp_spray(house):
    ports = "127.0.0.1:%d-%d" % (house.base + 8, house.base + 59)
    with App(house.demo, "bob", device="a2") as bob, lab_agent(house) as sip, Rtp(900) as rtp:
        d = Dialog(sip, BOB).invite(audio_sdp(rtp.port))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        d.ack(ok)
        rtp.to(ok.body)
        bob.wait("call.connected")
        bob.hears(900)
        gateway = (rtp.peer[0], rtp.peer[1])
        others = []
        for host, what in ((STRANGER, "a stranger"), ("127.0.0.1", "another port of the peer's address")):
            heard = bob.client.media.packets
            with Spray(rtp_packet(noise()), ports, 4000, 2.5, "--from", host + ":0", "--count", 2) as spray:
                time.sleep(1.2)
                bob.client.media.forget()
                time.sleep(1.0)
                hz, level = bob.client.media.heard()
            check(spray.answers == 0, "%s got %d packets" % (what, spray.answers))
            check(abs(hz - 900) < 8 and abs(level + 10) < 4, "bob hears %.0f Hz at %.1f dBFS under %s's spray" % (hz, level, what))
            others.append("%s: %d sent, bob got %d frames" % (what, spray.sent, bob.client.media.packets - heard))
        rtp.hears(700)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((STRANGER, 0))
        for number in (200, 201, 203):  # RTCP by a stranger: nothing either
            sender.sendto(struct.pack("!BBHI", 0x81, number, 1, 0x5eed5eed), gateway)
        check(quiet(sender), "a stranger got an answer to RTCP")
        check(len(rtp.ssrcs) == 1, "the trunk heard %d sources" % len(rtp.ssrcs))
        check(d.bye().status == 200, "BYE")
        figure("A2: " + "; ".join(others))
    record = house.record(lambda r: r["id"] == bob.client.call)
    leg = next(leg for leg in record["legs"] if leg["kind"] == "trunk")
    check(leg["rx"]["packets"] <= rtp_sent(record), "more packets were taken than the peer sent: %s" % leg["rx"])


def rtp_sent(record):
    return record["duration_ms"] / 20 + 100


@G.scenario("A2: SRTP and RTP at the ports of a secured leg: nothing passes, nobody is answered")
def srtp_spray(house):
    with sec_agent(house) as sip, SecureCall(house, sip) as call:
        call.talk(0.5)
        to = "%s:%d" % call.peer
        with Spray(rtp_packet(noise()) + bytes(10), to, 4000, 2, "--from", STRANGER + ":0", "--count", 2, "--random", "8:4") as spray:
            call.talk(2)
        lost = call.settle()
        check(spray.answers == 0, "strangers got %d packets" % spray.answers)
        check(call.doubles == 0 and call.bad == 0 and lost <= 2, "lost %d, doubles %d, bad %d" % (lost, call.doubles, call.bad))


def bad_tags(house, words, name, rate):
    with sec_agent(house) as sip, SecureCall(house, sip) as call:
        call.talk(0.5)
        to, media = "%s:%d" % call.peer, house.pid("media")
        template = rtp_packet(b"\x55" * 170, call.ssrc, call.seq, call.at)
        if words[0] == "--spoof":
            words = ["--spoof", "%s:%d" % (PEER2, call.port)]
        before, spent = call.sent, cpu_s(media)
        with Spray(template, to, rate, 3, *words, "--count", 2, "--random", "12:20") as spray:
            call.talk(3)
        spent = cpu_s(media) - spent
        lost = call.settle()
        sent = call.sent - before
        figure("A3: %s: %d bad tags, %d good packets, %d lost; %.2f µs CPU of the media process a packet"
               % (name, spray.sent, sent, lost, spent * 1e6 / (spray.sent + sent)))
        check(spray.answers == 0, "the attacker got %d packets" % spray.answers)
        check(lost <= sent * 0.02, "%d of %d good packets lost" % (lost, sent))  # on a machine with much else to do
        check(call.doubles == 0 and call.bad == 0, "doubles %d, bad %d" % (call.doubles, call.bad))
    record, leg = call.leg()
    check(record["end"]["reason"] == "completed", "the call ended by itself: %s" % record["end"])
    check(leg["rx"]["auth_failures"] > spray.sent // 4, "auth failures: %s of %d" % (leg["rx"], spray.sent))


@G.scenario("A3: a flood of bad tags on a live secured call: it stays, nothing is lost, errors are counted")
def bad_tag_flood(house):
    bad_tags(house, ["--from", STRANGER + ":0"], "of strangers", 10000)
    if may_spoof():
        bad_tags(house, ["--spoof"], "with the peer's address and SSRC", 10000)


@G.scenario("A4: replays are dropped, RTCP BYE of anybody ends nothing")
def replay(house):
    kept = []
    with sec_agent(house) as sip, SecureCall(house, sip) as call:
        call.talk(3, lambda c: (kept.append(c.raw), c.throw(c.raw), c.throw(random.choice(kept))))
        for packet in kept:
            call.throw(packet)
        lost = call.settle()
        check(lost == 0 and call.doubles == 0, "lost %d, %d replays came back" % (lost, call.doubles))
        bye = struct.pack("!BBHI", 0x80, 201, 1, call.ssrc) + struct.pack("!BBHI", 0x81, 203, 1, call.ssrc)
        for _ in range(20):
            call.throw(bye)                       # not protected
            call.throw(call.tx.protect_rtcp(bye))  # by the peer itself
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((STRANGER, 0))
        sender.sendto(bye, call.peer)
        call.talk(0.5)
        check(call.settle() == 0, "packets are lost after RTCP BYE")
        check(not [c for c in house.live_calls() if c.get("state") == "ended"] and house.live_calls(), "the call ended by RTCP BYE")
    record, leg = call.leg()
    check(record["end"]["by"] in ("remote", "caller"), "end: %s" % record["end"])
    figure("A4: %d replays, 0 passed; %d packets of the call, lost %s" % (3 * len(kept), call.sent, leg["rx"]["lost"]))


def binding(ufrags, pwd, nominate=True, form=None):
    m = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    if ufrags:
        m.attributes["USERNAME"] = ufrags
    m.attributes["PRIORITY"] = 2130706431
    m.attributes["ICE-CONTROLLING"] = 1 << 60
    if nominate:
        m.attributes["USE-CANDIDATE"] = None
    if pwd:
        m.add_message_integrity(pwd.encode())
    return bytes(m)


@G.scenario("A5: Binding requests without credentials are silence; nominations are limited and need them")
def stun_requests(house):
    answers = {}
    with App(house.demo, "bob") as bob:
        bob.place("600")
        bob.run(bob.client.media.connected())
        sdp = bob.client.media.pc.remoteDescription.sdp
        mine = bob.client.media.pc.localDescription.sdp
        ufrag, pwd = (re.search(r"a=ice-%s:(\S+)" % n, sdp).group(1) for n in ("ufrag", "pwd"))
        other = re.search(r"a=ice-ufrag:(\S+)", mine).group(1)
        names = "%s:%s" % (ufrag, other)
        to = ("127.0.0.1", house.port("native"))
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((STRANGER, 0))
        for what, message in (("no integrity", binding(names, None)), ("no name", binding(None, pwd)),
                              ("nothing", binding(None, None)), ("wrong password", binding(names, "x" * 24)),
                              ("wrong name", binding("AAAA:" + other, pwd)), ("wrong far name", binding(ufrag + ":zzzz", pwd)),
                              ("cut short", binding(names, pwd)[:40]), ("huge attribute", b"\0\1\xff\xfc!\x12\xa4B" + bytes(1400)),
                              ("an indication", b"\0\x11" + binding(names, pwd)[2:]), ("a response", b"\1\1" + binding(names, pwd)[2:])):
            for _ in range(5):
                s.sendto(message, to)
            check(quiet(s), "an answer to a Binding request with " + what)
        check(bob.seen("call.ended") == [], "the call ended")
        # With the right credentials from elsewhere: answered (not longer than asked), and nominated often.
        flip = binding(names, pwd)
        s.sendto(flip, to)
        s.settimeout(2)
        answer = s.recv(2048)
        check(len(answer) <= len(flip), "an answer of %d bytes to %d" % (len(answer), len(flip)))
        t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        t.bind((STRANGER, 0))
        begin = time.monotonic()
        while time.monotonic() < begin + 2:
            for sock in (s, t):
                sock.sendto(binding(names, pwd), to)
            time.sleep(0.004)
        for name, sock in (("s", s), ("t", t)):
            sock.settimeout(0.2)
            end = time.monotonic() + 0.3  # media go on coming to the last one
            try:
                while time.monotonic() < end:
                    kind = sock.recv(2048)[0]
                    answers[kind >> 6 == 2] = answers.get(kind >> 6 == 2, 0) + 1
            except (TimeoutError, socket.timeout):
                pass
        # The app nominates its own pair again: it is heard again.
        bob.run(again(bob.client))
        bob.hears(700, 12)
        bob.hangup()
    figure("A5: nominations back and forth for 2 s: %d answers, %d media packets to the last nominated" % (answers.get(False, 0), answers.get(True, 0)))


async def again(client):
    """aioice checks consent every few seconds, without USE-CANDIDATE: nominate by hand."""
    for transceiver in client.media.pc.getTransceivers():
        ice = transceiver.sender.transport.transport._connection
        for pair in ice._nominated.values():
            request = ice.build_request(pair, nominate=True)
            await pair.protocol.request(request, pair.remote_addr, integrity_key=ice.remote_password.encode())


@G.scenario("A20: corrupted RTP, SRTP, RTCP, odd lengths for seconds: the call stays, sound is back within 100 ms")
def corruptor(house):
    def corrupt(call):
        for _ in range(2):  # 100 a second
            p = bytearray(random.choice((call.raw, call.tx.protect_rtcp(struct.pack("!BBHI", 0x80, 201, 1, call.ssrc)))))
            for _ in range(random.randint(1, 6)):
                p[random.randrange(len(p))] = random.getrandbits(8)
            if random.random() < 0.3:
                p = p[: random.randrange(len(p))]
            if random.random() < 0.1:
                p += os.urandom(random.choice((1, 700, 1600, 9000, 60000)))
            call.throw(bytes(p))

    with sec_agent(house) as sip, SecureCall(house, sip) as call:
        call.talk(0.5)
        call.talk(5, corrupt)
        with call.lock:
            before = call.received
        begin = time.monotonic_ns() // 1000
        call.throw(call.make())
        wait_for("sound after the corruption", lambda: call.received > before, 1, 0.002)
        back_ms = (call.last_us - begin) / 1000
        lost = call.settle()
        check(back_ms < 100, "sound came back after %.0f ms" % back_ms)
        check(lost == 0, "%d of %d good packets lost" % (lost, call.sent))
        check(call.doubles == 0, "doubles %d" % call.doubles)
    figure("A20: 500 corrupted packets on a secured call: %d of %d good ones lost, sound back after %.1f ms" % (lost, call.sent, back_ms))
    corrupt_plain(house)


def corrupt_plain(house):
    with lab_agent(house) as sip:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
        d = Dialog(sip, ECHO).invite(audio_sdp(s.getsockname()[1]))
        ok = d.answer(200)
        check(ok.status == 200, ok.text())
        d.ack(ok)
        from sipua import sdp_media
        to = sdp_media(ok.body)[:2]
        for n in range(500):
            p = bytearray(rtp_packet(noise(), 0x1234, n, n * 160, random.choice((0, 8, 101, 13, 72))))
            for _ in range(random.randint(0, 6)):
                p[random.randrange(len(p))] = random.getrandbits(8)
            if n % 3 == 0:
                p = p[: random.randrange(len(p))]
            if n % 50 == 0:
                p += os.urandom(20000)
            s.sendto(bytes(p), to)
            time.sleep(0.004)
        s.settimeout(0.02)
        try:
            while s.recv(4096):
                pass
        except (TimeoutError, socket.timeout):
            pass
        got = 0
        for n in range(600, 650):
            s.sendto(rtp_packet(b"\x55" * 160, 0x7777, n, n * 160), to)
            time.sleep(0.02)
            try:
                got += b"\x55" * 160 in s.recv(4096)
            except (TimeoutError, socket.timeout):
                pass
        check(got >= 40, "after corrupted plain RTP %d of 50 packets came back" % got)
        check(d.bye().status == 200, "BYE")


@G.scenario("what was dropped is counted by its reason")
def counted(house):
    house.kill("media", 15)
    lines = wait_for("the media process's last words", lambda: re.findall(r"dropped since the start:.*", house.log("media")), 8)
    drops = {}
    for name, value in re.findall(r"(\w+)=(\d+)", " ".join(lines)):
        drops[name] = drops.get(name, 0) + int(value)
    figure("dropped: %s" % drops)
    for reason in ("dtls_stranger", "no_session", "wrong_source", "auth", "replay", "ice_integrity", "ice_user", "ice_rate"):
        check(drops.get(reason, 0) > 0, "nothing was counted for " + reason)
