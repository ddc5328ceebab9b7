# SPDX-License-Identifier: Apache-2.0
"""A small SIP user agent over UDP, for what SIPp cannot say: any header, any order, and what came back."""
import random
import select
import socket
import struct
import threading
import time

import tone
from house import Failed, check


class Message:
    def __init__(self, data):
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.first, self.headers = lines[0], []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.append((name.strip().lower(), value.strip()))
        self.is_answer = self.first.startswith("SIP/2.0 ")
        self.status = int(self.first.split()[1]) if self.is_answer else 0
        self.method = self.get("cseq").split()[-1] if self.is_answer else self.first.split()[0]

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def get(self, name):
        return next(iter(self.all(name)), "")

    def text(self):
        return self.first + " | " + " | ".join("%s: %s" % h for h in self.headers)


def audio_sdp(port, host="127.0.0.1", profile="RTP/AVP", more="", direction="sendrecv", version=1):
    return ("v=0\r\no=- 4711 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s 0 8 101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
            "%sa=%s\r\n" % (version, host, host, port, profile, more, direction))


def sdp_media(sdp):
    """(host, port, direction) of the first audio line."""
    host, port, direction = "", 0, "sendrecv"
    for line in sdp.split("\r\n"):
        if line.startswith(("c=IN IP4 ", "c=IN IP6 ")):
            host = line[9:]
        elif line.startswith("m=audio ") and not port:
            port = int(line.split()[1])
        elif line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
            direction = line[2:]
    return host, port, direction


class Agent:
    """One socket; the caller asks for what should come next. Retransmissions are told apart and left out."""

    def __init__(self, port, peer, host="127.0.0.1", user="+15550123456"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.host = "[%s]" % host if ":" in host else host
        self.port, self.peer, self.user = self.socket.getsockname()[1], peer, user
        self.transport, self.shown, self.params = "UDP", self.host, ""
        self.seen = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text, body="", to=None):
        if body:
            text += "Content-Type: application/sdp\r\n"
        self.socket.sendto((text + "Content-Length: %d\r\n\r\n%s" % (len(body.encode()), body)).encode(), to or self.peer)

    def receive(self, seconds):
        """The next message, or None."""
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            return None
        data, self.source = self.socket.recvfrom(65536)
        return Message(data)

    def wait(self, what, fits, seconds=8):
        end = time.monotonic() + seconds
        seen = []
        while time.monotonic() < end:
            m = self.receive(end - time.monotonic())
            if m is None:
                break
            key = (m.first, m.get("via"), m.get("cseq"), m.get("to"))
            if key in self.seen:
                continue
            if fits(m):
                self.seen.add(key)
                return m
            seen.append(m.first)
        raise Failed("no %s within %s s; seen: %s" % (what, seconds, seen))

    def request(self, method, seconds=8):
        return self.wait(method, lambda m: not m.is_answer and m.method == method, seconds)

    def silence(self, seconds=1.5):
        m = self.receive(seconds)
        check(m is None, "an answer where silence was due: %s" % (m.first if m else ""))

    def reply(self, request, status, reason="", sdp="", more="", contact=None, tag="far"):
        head = "SIP/2.0 %d %s\r\n" % (status, reason or "Reason")
        for name in ("via", "record-route"):
            for value in request.all(name):
                head += "%s: %s\r\n" % (name.title(), value)
        to = request.get("to")
        if status != 100 and ";tag=" not in to:
            to += ";tag=" + tag
        head += "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n" % (request.get("from"), to, request.get("call-id"), request.get("cseq"))
        if contact is None:
            contact = "<sip:far@%s:%d%s>" % (self.shown, self.port, self.params)
        if contact and 100 < status < 300:
            head += "Contact: %s\r\n" % contact
        self.send(head + more, sdp)


class StreamAgent(Agent):
    """The same over TCP, or TLS by contexts (as client, as server): one listening socket, any number of connections."""

    def __init__(self, port, peer, host, user="+15550123456", client=None, server=None, name=None):
        self.listener = socket.create_server((host, port))
        self.host, self.port, self.peer, self.user = host, port, peer, user
        self.transport = "TLS" if client or server else "TCP"
        self.params, self.shown = ";transport=" + self.transport.lower(), name or host
        self.client, self.server, self.seen, self.streams, self.last = client, server, set(), {}, None

    def __exit__(self, *_):
        for s in [self.listener] + list(self.streams):
            s.close()

    def connect(self):
        s = socket.create_connection(self.peer, 5, (self.host, 0))
        if self.client:
            s = self.client.wrap_socket(s)
        self.streams[s] = b""
        self.last = s
        return s

    def send_bytes(self, data):
        try:
            (self.last or self.connect()).sendall(data)
        except OSError:
            self.streams.pop(self.last, None)
            self.connect().sendall(data)

    def send(self, text, body="", to=None):
        if body:
            text += "Content-Type: application/sdp\r\n"
        self.send_bytes((text + "Content-Length: %d\r\n\r\n%s" % (len(body.encode()), body)).encode())

    def _whole(self):
        for s, data in self.streams.items():
            data = data.lstrip(b"\r\n")
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                continue
            n = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
            if len(rest) >= n:
                self.streams[s], self.last = rest[n:], s
                return Message(head + end + rest[:n])
        return None

    def receive(self, seconds):
        end = time.monotonic() + seconds
        while True:
            m = self._whole()
            if m or time.monotonic() > end:
                return m
            for s in select.select([self.listener] + list(self.streams), [], [], max(0, end - time.monotonic()))[0]:
                self._read(s)

    def _read(self, s):
        try:
            if s is self.listener:
                s, _ = s.accept()
                s.settimeout(5)
                s = self.server.wrap_socket(s, server_side=True) if self.server else s
                self.streams[s] = b""
                return
            data = s.recv(65536)
        except OSError:
            data = b""
        if data:
            self.streams[s] += data
        elif s is not self.listener:
            self.streams.pop(s, None)
            self.last = None if self.last is s else self.last
            s.close()


class Dialog:
    """The caller's side of a call that we start."""

    def __init__(self, agent, to, host=None):
        self.agent, self.cseq = agent, 0
        self.call_id, self.tag = "%x@test" % random.getrandbits(60), "%x" % random.getrandbits(32)
        there = "[%s]" % agent.peer[0] if ":" in agent.peer[0] else agent.peer[0]
        self.uri = "sip:%s@%s:%d" % (to, host or there, agent.peer[1])
        self.target, self.to = self.uri, "<%s>" % self.uri

    def head(self, method, uri=None, branch=None, vias=(), more="", forwards=70):
        a = self.agent
        self.branch = branch or "z9hG4bK%x" % random.getrandbits(60)
        via = ["SIP/2.0/%s %s:%d;branch=%s" % (a.transport, a.shown, a.port, self.branch)] + list(vias)
        return ("%s %s SIP/2.0\r\n%sMax-Forwards: %d\r\nFrom: <sip:%s@%s>;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"
                "Contact: <sip:%s@%s:%d%s>\r\n%s" %
                (method, uri or self.target, "".join("Via: %s\r\n" % v for v in via), forwards, a.user, a.host, self.tag,
                 self.to, self.call_id, self.cseq, method, a.user, a.shown, a.port, a.params, more))

    def invite(self, sdp, **more):
        self.cseq += 1
        self.agent.send(self.head("INVITE", **more), sdp)
        self.invite_branch = self.branch
        return self

    def answer(self, low=200, seconds=8, method="INVITE"):
        """The next answer of at least that status to our last request; a 2xx fills in the dialog."""
        m = self.agent.wait("answer to " + method, lambda m: m.is_answer and m.method == method and m.status >= low
                            and m.get("call-id") == self.call_id, seconds)
        if m.status >= 200:
            self.to = m.get("to")
            if m.status < 300 and method == "INVITE":
                self.target = m.get("contact").strip("<>").split(">")[0]
        return m

    def ack(self, answer, sdp=""):
        if answer.status < 300:
            self.agent.send(self.head("ACK"), sdp)
        else:
            self.agent.send(self.head("ACK", uri=self.uri, branch=self.invite_branch))

    def bye(self, more=""):
        self.cseq += 1
        self.agent.send(self.head("BYE", more=more))
        return self.answer(method="BYE")

    def cancel(self):
        self.agent.send(self.head("CANCEL", uri=self.uri, branch=self.invite_branch))


class Rtp:
    """Plain RTP, PCMU: says a tone from a thread, keeps the last second of what it hears, and telephone-events."""

    def __init__(self, hz=900, dbfs=-10, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(0.005)
        self.port = self.socket.getsockname()[1]
        self.hz, self.dbfs, self.peer = hz, dbfs, None
        self.heard_bytes, self.packets, self.ssrcs, self.digits, self.events = b"", 0, set(), "", set()
        self.send_digit = None
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(2)
        self.socket.close()

    def to(self, sdp):
        host, port, _ = sdp_media(sdp)
        self.peer = (host, port)

    def _run(self):
        ssrc, seq, at, begin = random.getrandbits(32), random.getrandbits(15), 0, time.monotonic()
        while not self.stop.is_set():
            while self.peer and begin + at / 8000 < time.monotonic():
                payload, kind = tone.to_ulaw(tone.make(self.hz, self.dbfs, 8000, at, 160)), 0
                self._send(struct.pack("!BBHII", 0x80, kind, seq & 0xFFFF, at, ssrc) + payload)
                seq, at = seq + 1, at + 160
                if self.send_digit is not None:
                    seq = self._event(ssrc, seq, at)
            if not self.peer:
                begin, at = time.monotonic(), 0
            self._hear()

    def _event(self, ssrc, seq, at):
        digit, self.send_digit = "0123456789*#".index(self.send_digit), None
        for i in range(8):
            end, marker = i >= 5, 0x80 if i == 0 else 0
            spent = min(800, 160 * (i + 1))
            self._send(struct.pack("!BBHII", 0x80, 101 | marker, seq & 0xFFFF, at, ssrc) +
                       struct.pack("!BBH", digit, (0x80 if end else 0) | 10, spent))
            seq += 1
            time.sleep(0.02 if not end else 0.001)
        return seq

    def _send(self, packet):
        try:
            self.socket.sendto(packet, self.peer)
        except OSError:
            pass

    def _hear(self):
        try:
            packet, _ = self.socket.recvfrom(2048)
        except OSError:
            return
        if len(packet) < 12 or packet[0] >> 6 != 2 or 72 <= (packet[1] & 0x7F) <= 76:
            return
        kind, at = packet[1] & 0x7F, struct.unpack("!I", packet[4:8])[0]
        with self.lock:
            self.packets += 1
            self.ssrcs.add(packet[8:12])
            if kind == 0:
                self.heard_bytes = (self.heard_bytes + packet[12:])[-8000:]
            elif kind == 101 and packet[13] & 0x80 and at not in self.events:
                self.events.add(at)
                self.digits += "0123456789*#ABCD"[packet[12]]

    def forget(self):
        with self.lock:
            self.heard_bytes = b""

    def hears(self, hz, seconds=6):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            with self.lock:
                sound = self.heard_bytes
            got, level = tone.measure(tone.of_ulaw(sound), 8000)
            if len(sound) >= 4000 and abs(got - hz) < 8:
                return level
        raise Failed("heard %.0f Hz at %.1f dBFS (%d packets), not %d Hz" % (got, level, self.packets, hz))

    def is_silent(self, seconds=4):
        """Packets keep coming, but nothing is in them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.forget()
            before = self.packets
            time.sleep(0.6)
            with self.lock:
                got = tone.measure(tone.of_ulaw(self.heard_bytes), 8000)[1]
            if got < -60:
                return self.packets - before
        raise Failed("still hears something at %.1f dBFS" % got)
