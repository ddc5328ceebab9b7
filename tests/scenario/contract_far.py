# SPDX-License-Identifier: Apache-2.0
"""The telephone side: a small SIP user agent over UDP in asyncio that does as each check tells it."""
import asyncio
import math
import random
import struct
import time

from contract_client import Missed, need, power_at


def ulaw_encode(s):
    sign = 0x80 if s < 0 else 0
    s = min(abs(s) + 132, 32767)
    e = max(0, s.bit_length() - 8)
    return ~(sign | e << 4 | (s >> (e + 3)) & 15) & 0xFF


def ulaw_decode(b):
    b = ~b & 0xFF
    s = (((b & 15) << 3) + 132 << (b >> 4 & 7)) - 132
    return -s if b & 0x80 else s


ULAW = [ulaw_decode(b) for b in range(256)]


class Message:
    def __init__(self, data):
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        self.headers = [(n.strip().lower(), v.strip()) for n, _, v in (x.partition(":") for x in lines)]
        self.status = int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0
        self.method = self.get("cseq").split()[-1] if self.status else self.first.split()[0]

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def get(self, name):
        return next(iter(self.all(name)), "")

    def user(self, name):
        value = self.first.split()[1] if name == "uri" else self.get(name)
        return value.partition("sip:")[2].partition("@")[0]


class Rtp(asyncio.DatagramProtocol):
    """Plain RTP of one call: PCMU, a tone that can be switched, what was heard, telephone-events both ways."""

    def __init__(self, hz):
        self.hz, self.on, self.peer, self.heard, self.packets, self.digits = hz, False, None, [], 0, []
        self.seq, self.at, self.ssrc, self.events = random.getrandbits(15), 0, random.getrandbits(32), set()
        self.queue = []

    async def open(self):
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self.transport.get_extra_info("sockname")[1]
        self.task = asyncio.ensure_future(self._say())
        return self

    def datagram_received(self, data, addr):
        if len(data) < 12 or 72 <= data[1] & 0x7F <= 76:
            return
        self.packets += 1
        kind, at = data[1] & 0x7F, data[4:8]
        if kind == 0:
            self.heard = (self.heard + [ULAW[b] for b in data[12:]])[-1600:]
        elif kind == 101 and data[13] & 0x80 and at not in self.events:
            self.events.add(at)
            self.digits.append(("0123456789*#ABCD"[data[12]], struct.unpack("!H", data[14:16])[0] / 8))

    def _send(self, kind, at, payload):
        if self.peer:
            self.transport.sendto(struct.pack("!BBHII", 0x80, kind, self.seq & 0xFFFF, at, self.ssrc) + payload, self.peer)
        self.seq += 1

    def _event(self):
        digit, left = self.queue[0]
        n = 10 - left
        end = 0x80 if left <= 3 else 0
        mark = 0x80 if n == 0 else 0
        self._send(101 | mark, self.event_at, struct.pack("!BBH", "0123456789*#".index(digit), end | 10, min(7, n + 1) * 160))
        self.queue[0] = (digit, left - 1)
        if left == 1:
            self.queue.pop(0)

    def digit(self, d):
        self.event_at = self.at
        self.queue.append((d, 10))

    async def _say(self):
        begin = time.monotonic()
        while True:
            await asyncio.sleep(max(0, begin + self.at / 8000 - time.monotonic()))
            if self.queue:
                self._event()
            elif self.on:
                tone = bytes(ulaw_encode(int(9000 * math.sin(2 * math.pi * self.hz * (self.at + i) / 8000))) for i in range(160))
                self._send(0, self.at, tone)
            self.at += 160

    async def hears(self, hz, seconds=6):
        end = time.monotonic() + seconds
        self.heard = []
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            if power_at(self.heard, hz) > 0.5:
                return
        raise Missed("the telephone did not hear %d Hz (share %.2f of %d samples)" % (hz, power_at(self.heard, hz), len(self.heard)))

    async def silent(self, hz, seconds=4):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.heard = []
            await asyncio.sleep(0.4)
            if power_at(self.heard, hz) < 0.2:
                return
        raise Missed("the telephone still hears %d Hz" % hz)

    def close(self):
        self.task.cancel()
        self.transport.close()


class Call:
    """One dialog, either way."""

    def __init__(self, far, invite=None):
        self.far, self.invite, self.tag, self.cseq = far, invite, "far%x" % random.getrandbits(40), random.getrandbits(12)
        self.messages, self.news, self.directions = [], asyncio.Condition(), []
        self.rtp, self.version, self.answered, self.holding = None, 1, False, False
        if invite:
            self.id, self.remote = invite.get("call-id"), invite.get("from")
            self.local = invite.get("to") + ";tag=" + self.tag
            self.target = invite.get("contact").partition("<")[2].partition(">")[0]
            self.offer = invite.body

    async def media(self, hz=1300, on=True):
        self.rtp = self.rtp or await Rtp(hz).open()
        self.rtp.on = on
        self._follow(self.offer)
        return self.rtp

    def _follow(self, sdp):
        host, port = "", 0
        for line in sdp.replace("\r", "").split("\n"):
            if line.startswith("c=IN IP4 "):
                host = line[9:]
            elif line.startswith("m=audio "):
                port = int(line.split()[1])
        if self.rtp and port:
            self.rtp.peer = (host, port)

    def sdp(self, direction="sendrecv"):
        self.version += 1
        return ("v=0\r\no=far 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n"
                "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=%s\r\n" %
                (self.version, self.rtp.port, direction))

    def reply(self, request, status, body="", more=""):
        text = "SIP/2.0 %d Said\r\n" % status
        text += "".join("Via: %s\r\n" % v for v in request.all("via")) + "".join("Record-Route: %s\r\n" % v for v in request.all("record-route"))
        to = request.get("to")
        if "tag=" not in to and status != 100:
            to += ";tag=" + self.tag
        text += "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n" % (request.get("from"), to, request.get("call-id"), request.get("cseq"))
        if 100 < status < 300:
            text += "Contact: <sip:far@127.0.0.1:%d>\r\n" % self.far.port
        self.far.send(text + more, body)

    def ring(self):
        self.reply(self.invite, 180)

    async def progress(self, **more):
        await self.media(**more)
        self.reply(self.invite, 183, self.sdp())

    async def answer(self, **more):
        await self.media(**more)
        self.answered = True
        self.reply(self.invite, 200, self.sdp())
        await self.wait("ACK")

    def refuse(self, status, more=""):
        self.reply(self.invite, status, more=more)

    def request(self, method, body="", more=""):
        self.cseq += 1
        self.branch = "z9hG4bK%x" % random.getrandbits(60)
        self.far.send("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
                      "Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:far@127.0.0.1:%d>\r\n%s" %
                      (method, self.target, self.far.port, self.branch, self.local, self.remote, self.id, self.cseq, method,
                       self.far.port, more), body)

    def bye(self):
        self.request("BYE")

    async def reinvite(self, direction):
        self.holding = direction in ("sendonly", "inactive")
        self.request("INVITE", self.sdp(direction))
        number = str(self.cseq)
        ok = await self.wait("INVITE", lambda m: m.status >= 200 and m.get("cseq").split()[0] == number)
        self.far.send("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%x\r\nMax-Forwards: 70\r\nFrom: %s\r\n"
                      "To: %s\r\nCall-ID: %s\r\nCSeq: %s ACK\r\n" % (self.target, self.far.port, random.getrandbits(60), self.local,
                                                                  self.remote, self.id, number))
        return ok

    async def take(self, m):
        """One message of the dialog: what is due at once is done here."""
        if m.method == "INVITE" and not m.status and self.invite is not m:
            for line in m.body.replace("\r", "").split("\n"):
                if line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
                    self.directions.append(line[2:])
            self._follow(m.body)
            mirror = {"sendonly": "recvonly", "recvonly": "sendonly"}
            if self.holding:
                mirror = {"sendonly": "inactive", "sendrecv": "sendonly", "recvonly": "sendonly"}
            last = self.directions[-1] if self.directions else "sendrecv"
            self.reply(m, 200, self.sdp(mirror.get(last, last)))
        elif m.method in ("BYE", "OPTIONS", "INFO", "UPDATE") and not m.status:
            self.reply(m, 200)
        elif m.method == "CANCEL" and not m.status:
            self.reply(m, 200)
            if not self.answered:
                self.reply(self.invite, 487)
        async with self.news:
            self.messages.append(m)
            self.news.notify_all()

    async def wait(self, method, where=None, seconds=8):
        def found():
            return [m for m in self.messages if m.method == method and (where(m) if where else not m.status)]

        end = time.monotonic() + seconds
        async with self.news:
            while not found():
                left = end - time.monotonic()
                if left <= 0:
                    raise Missed("no %s came to the telephone; there came %s" % (method, [x.first for x in self.messages]))
                try:
                    await asyncio.wait_for(self.news.wait(), left)
                except asyncio.TimeoutError:
                    pass
            return found()[-1]

    async def answer_to_us(self, low=200, seconds=8):
        return await self.wait("INVITE", lambda m: m.status >= low, seconds)

    def ack(self, ok):
        branch = self.branch if ok.status >= 300 else "z9hG4bK%x" % random.getrandbits(60)
        self.remote = ok.get("to")
        if ok.status < 300:
            self.target = ok.get("contact").partition("<")[2].partition(">")[0]
            self._follow(ok.body)
        self.far.send("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
                      "Call-ID: %s\r\nCSeq: %d ACK\r\n" % (self.target, self.far.port, branch, self.local, self.remote, self.id, self.cseq))

    def cancel(self):
        self.far.send("CANCEL %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
                      "Call-ID: %s\r\nCSeq: %d CANCEL\r\n" % (self.target, self.far.port, self.branch, self.local, self.remote, self.id, self.cseq))


class Far(asyncio.DatagramProtocol):
    def __init__(self, port):
        self.port, self.calls, self.news, self.mute, self.seen = port, {}, asyncio.Condition(), set(), set()
        self.fresh = []

    async def open(self, gateway_port):
        self.gateway = ("127.0.0.1", gateway_port)
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        return self

    def send(self, text, body=""):
        if body:
            text += "Content-Type: application/sdp\r\n"
        self.transport.sendto((text + "Content-Length: %d\r\n\r\n%s" % (len(body.encode()), body)).encode(), self.gateway)

    def datagram_received(self, data, addr):
        if data.strip():
            asyncio.ensure_future(self._take(Message(data)))

    async def _take(self, m):
        key = (m.first, m.get("via"), m.get("cseq"), m.get("to"))
        call = self.calls.get(m.get("call-id"))
        if key in self.seen or m.user("uri" if not m.status else "to") in self.mute:
            return
        self.seen.add(key)
        if call:
            await call.take(m)
        elif m.method == "INVITE" and not m.status:
            call = self.calls[m.get("call-id")] = Call(self, m)
            call.reply(m, 100)
            async with self.news:
                self.fresh.append(call)
                self.news.notify_all()
        elif m.method == "OPTIONS" and not m.status:
            Call(self, m).reply(m, 200)

    async def incoming(self, caller=None, called=None, seconds=8):
        """The next INVITE from that number (of the P-Asserted-Identity or From) or to that number."""
        def fits(c):
            who = (c.invite.get("p-asserted-identity") or c.invite.get("from"))
            return (caller is None or caller in who or caller in c.invite.get("from")) and (called is None or c.invite.user("uri") == called)

        end = time.monotonic() + seconds
        async with self.news:
            while True:
                for c in self.fresh:
                    if fits(c):
                        self.fresh.remove(c)
                        return c
                left = end - time.monotonic()
                if left <= 0:
                    raise Missed("no INVITE of %s came to the telephone" % (caller or called))
                try:
                    await asyncio.wait_for(self.news.wait(), left)
                except asyncio.TimeoutError:
                    pass

    async def dial(self, number, caller="+15550188001", more="", hz=1300):
        c = Call(self)
        c.id, c.offer = "%x@far" % random.getrandbits(60), ""
        c.local = "<sip:%s@127.0.0.1>;tag=%s" % (caller, c.tag)
        c.remote = "<sip:%s@127.0.0.1:%d>" % (number, self.gateway[1])
        c.target = "sip:%s@127.0.0.1:%d" % (number, self.gateway[1])
        self.calls[c.id] = c
        await c.media(hz=hz)
        c.request("INVITE", c.sdp(), more)
        return c

    def close(self):
        for c in self.calls.values():
            if c.rtp:
                c.rtp.close()
        self.transport.close()
