# SPDX-License-Identifier: Apache-2.0
"""Attacks on the trunk door: floods of unknown and known sources, spoofed identities, loops, slow and silent
TLS and TCP peers, while calls go on."""
import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

from app import App
from attack import (BOB, ECHO, LAB_OUT, LONG, PEER2, STRANGER, AttackGroup, Spray, cpu_s, echo_call, fds, figure, grew, lab_agent,
                    percentile, quiet, rss_kb, sec_agent, client_hello)
from house import TOP, Failed, check, wait_for
from sipua import Agent, Dialog, audio_sdp

G = AttackGroup("attack-sip")


def template(method, host, port, number=ECHO, body="", via="127.0.0.9:5060", more=""):
    """A request whose branch, Call-ID and tag are other ones in each datagram."""
    text = ("%s sip:%s@%s:%d SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK@@@@@@@@;rport\r\nMax-Forwards: 70\r\n"
            "From: <sip:+15550123456@%s>;tag=t@@@@@@@@\r\nTo: <sip:%s@%s>\r\nCall-ID: @@@@@@@@@attack\r\nCSeq: 1 %s\r\n"
            "Contact: <sip:x@%s>\r\n%s" % (method, number, host, port, via, via, number, host, method, via, more))
    if body:
        text += "Content-Type: application/sdp\r\n"
    return (text + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode()


def under(house, sprays, agents, seconds):
    """Complete calls, one after the other, while it sprays: (times to the 200, failures)."""
    times, failed = [], []
    for spray in sprays:
        spray.__enter__()
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        for agent, host in agents:
            try:
                times.append(echo_call(agent, host))
            except Failed as bad:
                failed.append(str(bad))
            time.sleep(0.03)
    for spray in sprays:
        spray.__exit__(None)
    return times, failed


def told(name, house, sprays, times, failed, before, rss, spent):
    pid = house.pid("sallyportd")
    sent = sum(s.sent for s in sprays)
    figure("%s: %d sprayed, %d answered; %d of %d calls good, median %.1f ms, p99 %.1f ms (before: %.1f ms); RSS %d -> %d KB; "
           "%.1f µs CPU a datagram" % (name, sent, sum(s.answers for s in sprays), len(times), len(times) + len(failed),
                                       percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3, before * 1e3, rss, rss_kb(pid),
                                       spent * 1e6 / sent))


@G.scenario("A6: floods of unknown sources: dropped before the parse, unanswered, calls go on")
def flood_unknown(house):
    pid, port = house.pid("sallyportd"), house.port("lab")
    to, sdp = "127.0.0.1:%d" % port, audio_sdp(40000)
    with lab_agent(house) as sip:
        before = [echo_call(sip) for _ in range(60)]
        rss, spent, denied = rss_kb(pid), cpu_s(pid), house.metric('sallyport_sip_refused_total{what="datagram"}')
        sprays = [Spray(template(m, "127.0.0.1", port, body=b), to, 4000, 5, "--from", STRANGER + ":0")
                  for m, b in (("OPTIONS", ""), ("REGISTER", ""), ("INVITE", sdp))]
        sprays.append(Spray(bytes(range(256)) * 2, to, 4000, 5, "--from", STRANGER + ":0", "--random", "0:256"))
        times, failed = under(house, sprays, [(sip, "127.0.0.1")], 5)
        spent = cpu_s(pid) - spent
        denied = house.metric('sallyport_sip_refused_total{what="datagram"}') - denied
    told("A6 unknown sources", house, sprays, times, failed, percentile(before, 0.5), rss, spent)
    figure("A6 unknown sources: %d datagrams counted as dropped unparsed" % denied)
    check(sum(s.answers for s in sprays) == 0, "strangers got answers")
    check(denied > 1000, "not counted: %d" % denied)
    check(len(failed) * 100 <= len(times) + len(failed), "calls failed: %s" % failed[:3])
    check(not grew(pid, rss, 8192), "RSS grew from %d to %d KB" % (rss, rss_kb(pid)))


SPOOFS = ["P-Asserted-Identity: <sip:+19005550199@evil.example>", "P-Asserted-Identity : <sip:+19005550199@evil.example>",
          "p-asserted-identity:\r\n <sip:+19005550199@evil.example>", "P-ASSERTED-IDENTITY: tel:+19005550199",
          "P-Preferred-Identity: <sip:+19005550199@evil.example>", "Remote-Party-ID: <sip:+19005550199@evil.example>;party=calling",
          "Diversion: <sip:+19005550199@evil.example>;reason=unconditional", "History-Info: <sip:+19005550199@evil.example>;index=1",
          "X-Sallyport-Identity: alice", "Referred-By: <sip:+19005550199@evil.example>", "Identity: x;info=<http://127.0.0.1/>"]


@G.scenario("A9: identities in headers change nothing that the app sees, and hidden callers stay hidden")
def spoofed_identity(house):
    with App(house.demo, "bob", device="spoofs") as bob, lab_agent(house) as sip:
        for more in SPOOFS:
            d = Dialog(sip, BOB)
            d.invite(audio_sdp(40000), more=more + "\r\n")
            n = len(bob.client.events)
            event = bob.run(bob.client.wait("call.incoming", 8, after=0 if not n else n - 1))
            text = str({k: v for k, v in event.items() if k != "offer"})
            check("9005550199" not in text and "evil" not in text and "127.0.0.1" not in text, "%s shows in %s" % (more, text))
            check("+15550123456" in text, "the caller does not show in %s" % text)
            d.cancel()
            d.ack(d.answer(300))
            bob.run(bob.client.wait("call.ended", 8, call=event["call"]))
            bob.client.events.clear()
        d = Dialog(sip, BOB)
        d.invite(audio_sdp(40000), more="Privacy: id\r\nP-Asserted-Identity: <sip:+15550123456@carrier.example>\r\n")
        event = bob.run(bob.client.wait("call.incoming", 8))
        check("5550123456" not in str({k: v for k, v in event.items() if k != "offer"}), "a hidden caller shows: %s" % event)
        d.cancel()
        d.ack(d.answer(300))
    figure("A9: %d spoofed headers, none shows" % len(SPOOFS))


@G.scenario("A11: Max-Forwards 0, our own Via, our own INVITE sent back: 482 or 483, nothing goes round")
def loops(house):
    with App(house.demo, "bob", device="loops") as bob, Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab"))) as sip:
        d = Dialog(sip, ECHO).invite(audio_sdp(40000), forwards=0)
        got = d.answer(300)
        check(got.status == 483, got.text())
        d.ack(got)
        own = "SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKown" % house.port("lab")
        d = Dialog(sip, ECHO).invite(audio_sdp(40000), vias=[own])
        got = d.answer(300)
        check(got.status in (403, 482), got.text())
        d.ack(got)
        # A call of ours, sent back to us as a proxy in a ring would do: round and round it must not go.
        bob.run(start(bob.client))
        invite = sip.request("INVITE")
        out_before = house.metric('sallyport_sip_invites_total{direction="out"}')
        head = "INVITE sip:%s@127.0.0.1:%d SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKring%d\r\n" % (
            ECHO, house.port("lab"), sip.port, time.monotonic_ns())
        for name, value in invite.headers:
            if name == "max-forwards":
                value = str(int(value) - 1)
            if name not in ("content-length", "content-type"):
                head += "%s: %s\r\n" % (name.title(), value)
        sip.send(head, invite.body)
        got = sip.wait("an answer to what came back", lambda m: m.is_answer and m.status >= 200 and "z9hG4bKring" in m.get("via"), 8)
        check(got.status in (482, 403), got.text())
        check(house.metric('sallyport_sip_invites_total{direction="out"}') == out_before, "it went round")
        sip.reply(invite, 486)
        bob.run(bob.client.wait("call.ended", 8))


async def start(client):
    from aiortc_client import Media
    client.media = Media(client.hz)
    answer = await client.ask("POST", "/calls", {"to": {"tel": LAB_OUT}, "offer": await client.media.offer()})
    client.call = answer["id"]


class Slow:
    """Connections of one address that do as they like, from a thread of its own."""

    def __init__(self, to, source, n, each):
        self.to, self.source, self.n, self.each = to, source, n, each
        self.open, self.refused, self.tried = [], 0, 0
        self.stop = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(5)
        for s in self.open:
            s.close()

    def _run(self):
        while not self.stop.is_set() and self.tried < 5000:
            self.open = [s for s in self.open if not self._ended(s)]
            for _ in range(min(50, self.n - len(self.open))):
                self._connect()
            for i, s in enumerate(self.open):
                try:
                    self.each(s, self.tried + i)
                except OSError:
                    pass
            time.sleep(0.05)

    def _ended(self, s):
        try:
            if select.select([s], [], [], 0)[0] and not s.recv(65536):
                s.close()
                return True
        except OSError:
            s.close()
            return True
        return False

    def _connect(self):
        self.tried += 1
        s = socket.socket()
        s.settimeout(0.5)
        try:
            s.bind((self.source, 0))
            s.connect(self.to)
            s.setblocking(False)
            self.open.append(s)
        except OSError:
            s.close()
            self.refused += 1


def tls_options(house):
    """OPTIONS over a new TLS connection as the carrier: (seconds, first line)."""
    begin = time.monotonic()
    context = ssl.create_default_context(cafile=TOP + "/certs/dev/ca.pem")
    context.load_cert_chain(TOP + "/certs/dev/carrier.pem", TOP + "/certs/dev/carrier.key")
    raw = socket.create_connection(("127.0.0.1", house.port("tls")), timeout=5)
    with context.wrap_socket(raw, server_hostname="gw.sallyport.test") as s:
        port = s.getsockname()[1]
        s.sendall(("OPTIONS sip:gw.sallyport.test:%d;transport=tls SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%d;branch=z9hG4bK%x\r\n"
                   "Max-Forwards: 70\r\nFrom: <sip:carrier.sallyport.test>;tag=1\r\nTo: <sip:gw.sallyport.test>\r\n"
                   "Call-ID: %x\r\nCSeq: 1 OPTIONS\r\nContact: <sip:carrier.sallyport.test>\r\nContent-Length: 0\r\n\r\n"
                   % (house.port("tls"), port, time.monotonic_ns(), time.monotonic_ns())).encode())
        s.settimeout(5)
        first = s.recv(4096).split(b"\r\n")[0].decode()
    return time.monotonic() - begin, first


HELLO = bytes.fromhex("160301004a01000046030300000000000000000000000000000000000000000000000000000000000000000000"
                      "04c02bc02f010000190000000e000c0000096c6f63616c686f7374000a00040002001d")


def silent(s, _):
    pass


def one_byte(s, turn):
    s.send(HELLO[turn % len(HELLO):turn % len(HELLO) + 1])


def bad_hello(s, _):
    s.send(HELLO)


@G.scenario("A13: silent, slow and bad TLS handshakes of strangers: calls and the carrier's connections go on")
def tls_peers(house):
    pid, to = house.pid("sallyportd"), ("127.0.0.1", house.port("tls"))
    # That listener's only known source by address is 127.0.0.1; by name anybody may come and is judged by his certificate.
    base, _ = tls_options(house)
    for name, each, source in (("silent", silent, STRANGER), ("a byte each 50 ms", one_byte, "127.0.0.10"),
                               ("hello and gone", bad_hello, "127.0.0.11")):
        rss, spent, open_fds, times = rss_kb(pid), cpu_s(pid), fds(pid), []
        with Slow(to, source, 200, each) as slow, lab_agent(house) as sip:
            begin = time.monotonic()
            calls = []
            while time.monotonic() < begin + (30 if LONG else 2.5):
                calls.append(echo_call(sip))
                spent_s, first = tls_options(house)
                check(first == "SIP/2.0 200 OK", "the carrier's OPTIONS got " + first)
                times.append(spent_s)
            peak = fds(pid)
        figure("A13 %s: %d connections tried, %d descriptors at most (%d before); %d carrier connections, worst %.0f ms (before %.0f "
               "ms); %d calls, worst %.0f ms; RSS %d -> %d KB; CPU %.2f s" % (
                   name, slow.tried, peak, open_fds, len(times), max(times) * 1e3, base * 1e3, len(calls), max(calls) * 1e3, rss, rss_kb(pid),
                   cpu_s(pid) - spent))
        check(peak - open_fds < 110, "%d descriptors more for one source" % (peak - open_fds))
        check(max(times) < 1 and max(calls) < 1, "worst %.2f s and %.2f s" % (max(times), max(calls)))
    # The deadline: a silent handshake is ended by it.
    s = socket.create_connection(to, timeout=8)
    begin = time.monotonic()
    check(s.recv(1) == b"", "data instead of an end")
    check(4 < time.monotonic() - begin < 7, "a silent handshake was ended after %.1f s" % (time.monotonic() - begin))
    wait_for("descriptors as before", lambda: fds(pid) <= open_fds + 8, 8)


class Hellos:
    """ClientHellos over connections of their own at a steady rate from many sources, in a process of its own; each is left after 50 ms.
    On a machine that has no time for that rate it goes on until it sent the least."""

    CODE = """
import collections, json, socket, struct, sys, time
port, rate, seconds, least, hello = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), bytes.fromhex(sys.argv[5])
sent, refused, open_, begin = 0, 0, collections.deque(), time.monotonic()
while (now := time.monotonic()) < begin + seconds or sent < least and now < begin + 5 * seconds:
    while open_ and (open_[0][0] < now - 0.05 or len(open_) > 800):
        open_.popleft()[1].close()
    if sent + refused >= (now - begin) * rate:
        time.sleep(0.001)
        continue
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.settimeout(0.2)
    try:
        s.bind(("127.0.1.%d" % (sent % 64 + 1), 0))
        s.connect(("127.0.0.1", port))
        s.send(hello)
        sent += 1
        open_.append((now, s))
    except OSError:
        refused += 1
        s.close()
print(json.dumps([sent, refused, time.monotonic() - begin]))
"""

    def __init__(self, port, rate, seconds, least):
        self.words = ["nice", sys.executable, "-c", self.CODE, str(port), str(rate), str(seconds), str(least), HELLO.hex()]

    def __enter__(self):
        self.proc = subprocess.Popen(self.words, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.sent, self.refused, self.seconds = json.loads(self.proc.communicate(timeout=60)[0])


@G.scenario("5,000 TLS ClientHellos a second on one listener: calls on the other trunks go on")
def hello_flood(house):
    pid = house.pid("sallyportd")
    with lab_agent(house) as sip, sec_agent(house) as sec:
        secured = audio_sdp(40000, host=PEER2, profile="RTP/SAVP", more="a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s\r\n" % ("A" * 40))
        before = [echo_call(sip) for _ in range(10)]
        rss, spent, times = rss_kb(pid), cpu_s(pid), []
        with Hellos(house.port("tls"), 5000, 4, 6000) as flood:
            while flood.proc.poll() is None:
                times += [echo_call(sip), echo_call(sec, PEER2, secured)]
                time.sleep(0.03)
    figure("%.0f ClientHellos a second, %d connections refused: %d calls beside, median %.1f ms, worst %.0f ms (before: %.1f ms); RSS %d -> %d KB; "
           "CPU %.2f s" % (flood.sent / flood.seconds, flood.refused, len(times), percentile(times, 0.5) * 1e3, max(times) * 1e3,
                           percentile(before, 0.5) * 1e3, rss, rss_kb(pid), cpu_s(pid) - spent))
    check(flood.sent >= 6000, "no flood: %d in %.0f s" % (flood.sent, flood.seconds))
    check(len(times) > 10 and max(times) < 1, "%d calls, the worst took %.2f s" % (len(times), max(times)))
    check(not grew(pid, rss, 40 * 1024), "RSS grew from %d to %d KB" % (rss, rss_kb(pid)))
    wait_for("TLS after it", lambda: tls_options(house)[1] == "SIP/2.0 200 OK", 8)


@G.scenario("A13: old TLS versions, renegotiation, a certificate of nobody's: refused")
def tls_versions(house):
    to = ("127.0.0.1", house.port("tls"))
    for what, change in (("no certificate", lambda c: None),
                         ("TLS 1.1", lambda c: (c.load_cert_chain(TOP + "/certs/dev/carrier.pem", TOP + "/certs/dev/carrier.key"),
                                                old(c)))):
        context = ssl.create_default_context(cafile=TOP + "/certs/dev/ca.pem")
        change(context)
        try:
            with context.wrap_socket(socket.create_connection(to, timeout=5), server_hostname="gw.sallyport.test") as s:
                s.sendall(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
                s.settimeout(3)
                got = s.recv(100)
                check(got == b"", "%s: got %r" % (what, got[:60]))
        except (ssl.SSLError, ConnectionError, BrokenPipeError):
            pass


def old(context):
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")


def drip(s, turn):
    s.send(b"OPTIONS sip:x SIP/2.0\r\nX-Slow: "[turn % 32:turn % 32 + 1])


def endless(s, turn):
    if turn % 20 == 0:
        s.send(b"INVITE sip:x@127.0.0.2 SIP/2.0\r\nContent-Length: 4000000000\r\n" + b"X: " + b"a" * 2000 + b"\r\n")


@G.scenario("A14: slow and endless requests over TCP: other connections are served, strangers are closed at once")
def tcp_peers(house):
    pid, to = house.pid("sallyportd"), (PEER2, house.port("lab"))
    stranger = socket.socket()
    stranger.bind((STRANGER, 0))
    stranger.settimeout(3)
    try:
        stranger.connect(to)
        check(stranger.recv(10) == b"", "a stranger got data")
    except (TimeoutError, socket.timeout) as stays:
        raise Failed("a stranger's connection stays") from stays
    except ConnectionError:
        pass
    check(house.metric('sallyport_sip_refused_total{what="connection"}') >= 1, "the stranger's connection was not counted")
    for name, each in (("a byte at a time", drip), ("endless headers", endless)):
        rss, times = rss_kb(pid), []
        with Slow(to, PEER2, 40, each) as slow:
            begin = time.monotonic()
            while time.monotonic() < begin + 2.5:
                times.append(tcp_options(house))
            rss_peak = rss_kb(pid)
        figure("A14 TCP, %s: %d connections tried, %d open; %d OPTIONS beside, worst %.1f ms; RSS %d -> %d KB"
               % (name, slow.tried, len(slow.open), len(times), max(times) * 1e3, rss, rss_peak))
        check(max(times) < 0.5, "OPTIONS took %.2f s" % max(times))
        check(not grew(pid, rss, 16384), "RSS grew from %d to %d KB" % (rss, rss_peak))
    with Slow(to, PEER2, 200, silent) as slow:
        wait_for("many connections", lambda: slow.tried > 400, 8)
        peak = fds(pid)
    check(peak < 200, "%d descriptors" % peak)
    wait_for("calls after it", lambda: tcp_options(house) < 1, 5)


def write_only(house):
    """A connection of a known peer that asks and asks, and reads nothing."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.bind((PEER2, 0))
    s.settimeout(3)
    s.connect((PEER2, house.port("lab")))
    s.setblocking(False)
    return s


@G.scenario("a peer that sends and never reads: its connections are its own matter, calls on the other trunks go on, memory is bounded")
def never_reads(house):
    pid = house.pid("sallyportd")
    request = template("OPTIONS", PEER2, house.port("lab"), via=PEER2 + ":5060").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
    with lab_agent(house) as sip:
        before = [echo_call(sip) for _ in range(10)]
        rss, sent, times, streams = rss_kb(pid), 0, [], [write_only(house) for _ in range(10)]
        begin = time.monotonic()
        rests = [b""] * len(streams)
        while time.monotonic() < begin + 5:
            for i, s in enumerate(streams):
                for _ in range(40):
                    rests[i] = rests[i] or request.replace(b"@@@@@@@@", b"%08x" % sent)
                    try:
                        rests[i] = rests[i][s.send(rests[i]):]
                        sent += not rests[i]
                    except OSError:
                        break
            times.append(echo_call(sip))
            time.sleep(0.02)
        peak = rss_kb(pid)
        for s in streams:
            s.close()
    figure("a peer that never reads: %d OPTIONS taken, %d calls beside, median %.1f ms, worst %.0f ms (before: %.1f ms); RSS %d -> %d KB"
           % (sent, len(times), percentile(times, 0.5) * 1e3, max(times) * 1e3, percentile(before, 0.5) * 1e3, rss, peak))
    check(sent > 1000, "only %d were taken" % sent)
    check(len(times) > 10 and max(times) < 1, "%d calls, the worst took %.2f s" % (len(times), max(times)))
    check(not grew(pid, rss, 64 * 1024), "RSS grew from %d to %d KB" % (rss, peak))
    wait_for("that trunk after it", lambda: tcp_options(house) < 1, 5)


def tcp_options(house):
    begin = time.monotonic()
    s = socket.socket()
    s.bind((PEER2, 0))
    s.settimeout(3)
    try:
        s.connect((PEER2, house.port("lab")))
        s.sendall(template("OPTIONS", PEER2, house.port("lab"), via=PEER2 + ":%d" % s.getsockname()[1]).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
                  .replace(b"@@@@@@@@", b"%08x" % (time.monotonic_ns() & 0xFFFFFFFF)))
        got = s.recv(4096)
        check(got.startswith(b"SIP/2.0 200 "), "OPTIONS over TCP got %r" % got[:80])
    except (TimeoutError, socket.timeout) as late:
        raise Failed("OPTIONS over TCP: no answer within 3 s") from late
    finally:
        s.close()
    return time.monotonic() - begin


BODIES = [
    ("sofia's endless loop", "m=audio 5000 UDP/TLS/RTP/SAVPF 111 [\r\n"),
    ("a bare bracket", "m=audio 40000 RTP/AVP 0\r\na=[\r\n"),
    ("a million codecs", "m=audio 40000 RTP/AVP" + " 0" * 20000 + "\r\n"),
    ("many lines", "m=audio 40000 RTP/AVP 0\r\n" + "a=x\r\n" * 6000),
    ("many media", "m=audio 40000 RTP/AVP 0\r\n" * 600),
    ("a long line", "m=audio 40000 RTP/AVP 0\r\na=" + "y" * 30000 + "\r\n"),
    ("port overflow", "m=audio 99999999999999 RTP/AVP 0\r\n"),
    ("a bad key", "m=audio 40000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n"),
    ("NUL", "m=audio 40000 RTP/AVP 0\r\na=x\0y\r\n"),
]


@G.scenario("bad SDP in an INVITE: a refusal within 100 ms, never a hang")
def bad_sdp(house):
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    worst, seen = 0, []
    with lab_agent(house) as sip:
        echo_call(sip)
        for name, body in BODIES:
            d = Dialog(sip, ECHO)
            begin = time.monotonic()
            d.invite(head + body)
            got = d.answer(200, 4)
            spent = time.monotonic() - begin
            worst = max(worst, spent)
            seen.append("%s: %d" % (name, got.status))
            if got.status < 300:  # what is only odd may be taken
                d.ack(got)
                d.bye()
            else:
                d.ack(got)
            check(got.status in (200, 400, 413, 488, 513), "%s: %s" % (name, got.text()))
            check(spent < 0.3, "%s took %.0f ms" % (name, spent * 1e3))
    figure("bad SDP: worst %.1f ms; %s" % (worst * 1e3, "; ".join(seen)))


@G.scenario("STUN, ClientHellos and binary on the SIP port: silence, counted")
def other_protocols(house):
    with lab_agent(house) as sip:
        before = house.metric("sallyport_sip_refused_total")
        for message in (b"\0\1\0\0!\x12\xa4B" + bytes(12), client_hello(), b"\xff" * 400, b"\0", b"", b"\r\n\r\n\0\0"):
            for _ in range(10):
                sip.socket.sendto(message, sip.peer)
        time.sleep(0.3)
        got = []
        while not quiet(sip.socket, 0.1):
            got.append(1)
        check(len(got) <= 10, "%d answers" % len(got))
        check(house.metric("sallyport_sip_refused_total") - before >= 20, "not counted")
        echo_call(sip)


@G.scenario("afterwards: no dialog is left, the program is well")
def afterwards(house):
    wait_for("all dialogs gone", lambda: house.metric("sallyport_sip_dialogs") == 0, 40, 0.5)
    check(house.is_ready() and not house.live_calls(), "the gateway is not well")


@G.scenario("A6: floods of a known peer: limited, memory bounded, calls of another trunk go on")
def flood_known(house):
    pid, port = house.pid("sallyportd"), house.port("lab")
    to, sdp = "127.0.0.1:%d" % port, audio_sdp(40000)
    seconds = 60 if LONG else 5
    with sec_agent(house) as sec:
        secured = audio_sdp(40000, host=PEER2, profile="RTP/SAVP",
                            more="a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s\r\n" % ("A" * 40))
        before = [echo_call(sec, PEER2, secured) for _ in range(10)]
        rss, spent = rss_kb(pid), cpu_s(pid)
        sprays = [Spray(template(m, "127.0.0.1", port, body=b, via="127.0.0.1:5060"), to, rate, seconds, "--from", "127.0.0.1:0")
                  for m, b, rate in (("OPTIONS", "", 300), ("REGISTER", "", 300), ("INVITE", sdp, 600), ("BYE", "", 300),
                                     ("ACK", "", 300), ("WIBBLE", "", 300))]
        sprays.append(Spray(bytes(range(256)) * 2, to, 300, seconds, "--from", "127.0.0.1:0", "--random", "0:256"))
        times, failed = [], []
        for spray in sprays:
            spray.__enter__()
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            try:
                times.append(echo_call(sec, PEER2, secured))
            except Failed as bad:
                failed.append(str(bad))
            time.sleep(0.03)
        for spray in sprays:
            spray.__exit__(None)
        spent = cpu_s(pid) - spent
        told("A6 known peer", house, sprays, times, failed, percentile(before, 0.5), rss, spent)
        check(len(failed) * 100 <= len(times) + len(failed), "%d of %d calls failed: %s" % (len(failed), len(times) + len(failed), failed[:3]))
        check(not grew(pid, rss, 40 * 1024), "RSS grew from %d to %d KB" % (rss, rss_kb(pid)))
        check(house.metric('sallyport_refusals_total{rule="trunk_rate"}') > 100, "the limit on calls a second did not act")
