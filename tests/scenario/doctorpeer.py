# SPDX-License-Identifier: Apache-2.0
"""A carrier with an echo number that answers by itself, whole or with one planted defect, for Trunk Doctor."""
import email.utils
import random
import select
import socket
import struct
import threading
import time

from sipua import Message

ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO\r\n"
UNKNOWN, BUSY = "404", "486"  # the numbers that end so are nobody's, are busy


def media_of(sdp):
    """(host, port, direction, payload types, ptime, event type, names by payload type)"""
    host, port, direction, pts, ptime, names = "", 0, "sendrecv", [], 20, {0: "PCMU", 8: "PCMA", 9: "G722"}
    for line in sdp.split("\r\n"):
        if line.startswith("c=IN IP"):
            host = line.split()[2]
        elif line.startswith("m=audio "):
            port, pts = int(line.split()[1]), [int(x) for x in line.split()[3:]]
        elif line.startswith("a=ptime:"):
            ptime = int(line[8:])
        elif line.startswith("a=rtpmap:"):
            pt, _, name = line[9:].partition(" ")
            names[int(pt)] = name
        elif line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
            direction = line[2:]
    event = next((pt for pt in pts if names.get(pt, "").lower().startswith("telephone-event/8000")), None)
    return host, port, direction, pts, ptime, event, names


class Call:
    """The media of one call: a tone of one law, what comes of digits goes back."""

    def __init__(self, peer, host):
        self.peer, self.host = peer, host
        while True:
            port = random.randrange(20000, 30000, 2)
            try:
                self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12")
                self.rtp.bind((host, port))
                self.rtcp.bind((host, port + 1))
                break
            except OSError:
                continue
        self.port, self.to, self.event, self.version = port, None, None, 0
        self.pt, self.ptime, self.flowing = 0, 20, False
        self.ssrc, self.seq, self.ts, self.sent = random.getrandbits(32), random.getrandbits(15), random.getrandbits(31), 0
        self.since_ack, self.contact = 0, ""
        self.next, self.next_report, self.waits, self.request, self.theirs, self.since = 0, 0, False, None, 0, 0

    def close(self):
        self.rtp.close()
        self.rtcp.close()

    def answer(self, sdp):
        """Our description to theirs ("": we offer), or None: nothing in common."""
        flip = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
        host, port, direction, pts, ptime, event, names = media_of(sdp) if sdp else (None, 1, "sendrecv", [0, 8, 101], 20, 101, {})
        mine = [pt for pt in pts if pt in (0, 8, 9)]
        if "codec" in self.peer.defects:
            mine = [0]
        if not mine:
            return None
        self.version += 1
        if sdp:
            self.take(host, port, direction, mine[0], ptime, event)
        held = host in ("0.0.0.0", "::")
        types = [str(mine[0])] + ([str(event)] if event and "dtmf" not in self.peer.defects else [])
        text = "v=0\r\no=- 1 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\n" % (
            self.version, self.host, self.host, self.port if port else 0, " ".join(types))
        if len(types) > 1:
            text += "a=rtpmap:%s telephone-event/8000\r\na=fmtp:%s 0-15\r\n" % (types[1], types[1])
        return text + "a=ptime:%d\r\na=%s\r\n" % (self.ptime, "inactive" if held else flip[direction])

    def take(self, host, port, direction, pt, ptime, event):
        self.pt, self.ptime, self.event = pt, ptime, event
        self.flowing = direction in ("sendrecv", "recvonly") and port and host not in ("0.0.0.0", "::")
        if self.flowing:
            self.to = (host, port)

    def packet(self, payload, pt, marker=0, ts=None):
        self.seq = (self.seq + 1) & 0xffff
        return struct.pack("!BBHII", 0x80, pt | marker << 7, self.seq, (self.ts if ts is None else ts) & 0xffffffff, self.ssrc) + payload

    def beat(self, now):
        """What is due: a packet, a report."""
        if not self.to or not self.flowing or "oneway" in self.peer.defects:
            return
        self.since = self.since or now
        if "dead_air" in self.peer.defects and now < self.since + 2:
            return
        if now >= self.next:
            due = self.next + self.ptime / 1000
            self.ts += 8 * self.ptime + (int(8000 * max(0, now - 0.2 - due)) if self.next else 0)  # time that was missed on a slow machine counts
            self.next = max(due, now - 0.2)
            sound = b"\xd5\x55" * 4 * self.ptime
            if "holes" in self.peer.defects:  # noise and digital silence by turns, PCMU
                sound = b"\xff" * 8 * self.ptime if self.sent // 40 % 2 else b"\xf7\x77" * 4 * self.ptime
            is_noise = "noise" in self.peer.defects and self.sent % 5 == 4
            data = self.packet(b"\x40", 13) if is_noise else self.packet(
                sound, 3 if "payload" in self.peer.defects else self.pt)
            self.sent += 1
            if "jitter" in self.peer.defects:  # many at once, then a pause
                self.next += 0.96 if self.sent % 48 == 0 else -0.02
            if "loss" not in self.peer.defects or self.sent % 10:
                self.send(data)
        if now >= self.next_report and "rtcp" not in self.peer.defects:
            self.next_report = now + 1.5
            sr = struct.pack("!BBHIIIIII", 0x80, 200, 6, self.ssrc, 0x83aa7e80 + int(time.time()), 0, self.ts & 0xffffffff, self.sent, self.sent * 160)
            cname = b"\x01\x04far1" + b"\x00\x00"
            self.report(sr + struct.pack("!BBHI", 0x81, 202, 3, self.ssrc) + cname)

    def send(self, data):
        self.rtp.sendto(data, self.to)

    def report(self, data):
        self.rtcp.sendto(data, (self.to[0], self.to[1] + 1))

    def opened(self, data):
        return data

    def hear(self):
        data = self.opened(self.rtp.recv(2048))
        if len(data) < 12 or self.event is None or data[1] & 127 != self.event:
            return
        if "digits" not in self.peer.defects and "dtmf" not in self.peer.defects and self.flowing:
            if data[1] & 128:
                self.theirs = (self.ts + 160) & 0xffffffff
            self.send(self.packet(data[12:], self.event, data[1] >> 7, self.theirs))


class Peer:
    """Answers everything that comes to its socket, from a thread."""
    CALL = Call

    def __init__(self, host, port, *defects, socket_of=None):
        self.host, self.defects, self.calls, self.due = host, set(defects), {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.port, self.stop = port, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.answered, self.methods = {}, []
        self.begun, self.most = [], 0  # when calls began; the most of them at a time

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(2)
        self.socket.close()

    def run(self):
        while not self.stop.is_set():
            sockets = {c.rtp: c for c in self.calls.values()}
            ready = select.select([self.socket] + list(sockets), [], [], 0.004)[0]
            for s in ready:
                if s is self.socket:
                    self.read()
                elif s in sockets and sockets[s].rtp.fileno() >= 0:
                    sockets[s].hear()
            now = time.monotonic()
            for at, fn in [d for d in self.due if d[0] <= now]:
                fn()
            self.due = [d for d in self.due if d[0] > now]
            for c in list(self.calls.values()):
                c.beat(now)

    def read(self):
        data, self.source = self.socket.recvfrom(65536)
        if len(data) > 1300 and "mtu" in self.defects:
            return
        m = Message(data)
        if m.is_answer:
            self.heard(m)
            return
        key = (m.get("via"), m.get("cseq"))
        if m.method != "ACK" and key in self.answered:
            if self.answered[key]:
                self.socket.sendto(self.answered[key], self.source)
            return
        self.methods.append(m.method)
        getattr(self, "on_" + m.method.lower(), self.on_strange)(m)

    def say(self, request, status, more="", sdp="", source=None):
        head = "SIP/2.0 %d Words\r\n" % status
        for name in ("via", "record-route"):
            for value in request.all(name):
                head += "%s: %s\r\n" % (name.title(), value)
        to = request.get("to")
        if status != 100 and ";tag=" not in to:
            to += ";tag=far"
        theirs = request.get("session-id").split(";")[0]
        head += "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nServer: Carrier <b>\"1\"\r\n" % (
            request.get("from"), to, request.get("call-id"), request.get("cseq"))
        if theirs:
            head += "Session-ID: %s;remote=%s\r\n" % ("ab" * 16, theirs)
        if 100 < status < 300:
            head += "Contact: <sip:far@%s:%d>\r\n%s" % (self.host, self.port, ALLOW)
        if sdp:
            more += "Content-Type: application/sdp\r\n"
        head, sdp = self.odd(request, status, head + more, sdp)
        if head is None:
            return
        data = ("%sContent-Length: %d\r\n\r\n%s" % (head, len(sdp), sdp)).encode(errors="surrogateescape")
        self.answered[(request.get("via"), request.get("cseq"))] = data
        self.socket.sendto(data, source or self.source)

    def heard(self, m):
        """An answer to a request of ours."""

    def odd(self, request, status, head, sdp):
        """What it says, changed; head None: nothing."""
        return head, sdp

    def on_options(self, m):
        when = time.time() - (600 if "clock" in self.defects else 0)
        self.say(m, 200, "Accept: application/sdp\r\nDate: %s\r\n" % email.utils.formatdate(when, usegmt=True))

    def on_strange(self, m):
        if "strange" not in self.defects:
            self.say(m, 501)

    def on_ack(self, m):
        call = self.calls.get(m.get("call-id"))
        if call and m.body:
            call.answer(m.body)
        if call and "hangup" in self.defects and not call.since_ack:
            call.since_ack = time.monotonic()
            bye = "BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKbye%d\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 9 BYE\r\n" % (
                call.contact, self.host, self.port, random.getrandbits(31), m.get("to"), m.get("from"), m.get("call-id"))
            self.due.append((time.monotonic() + 2, lambda: self.hang_up(m.get("call-id"), bye, self.source)))

    def hang_up(self, call_id, bye, to):
        call = self.calls.pop(call_id, None)
        if call:
            call.close()
            self.socket.sendto((bye + "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(), to)

    def timer(self, m):
        """None: too short; else the header lines of the answer."""
        text = m.get("session-expires").split(";")[0]
        if text and int(text) < 90 and "timer" not in self.defects:
            return None
        return "Supported: timer\r\nSession-Expires: %s;refresher=uac\r\n" % text if text else ""

    def on_invite(self, m):
        if ";tag=" in m.get("to"):
            self.again(m)
            return
        number = m.first.split()[1].split("@")[0]
        self.begun.append(time.monotonic())
        if number.endswith(UNKNOWN):
            self.say(m, 404 if "unknown" not in self.defects else 503)
            return
        if number.endswith(BUSY):
            self.say(m, 486, "Reason: Q.850;cause=17\r\n")
            return
        timer = self.timer(m)
        if timer is None:
            self.say(m, 422, "Min-SE: 90\r\n")
            return
        call = self.CALL(self, self.host)
        call.contact = m.get("contact").partition("<")[2].partition(">")[0]
        sdp = call.answer(m.body)
        if sdp is None:
            call.close()
            self.say(m, 488)
            return
        self.say(m, 100)
        self.calls[m.get("call-id")], call.request = call, m
        self.most = max(self.most, len(self.calls))
        call.last, call.waits = (200, timer, sdp), "100rel" in m.get("require")
        self.say(m, 180, "Require: 100rel\r\nRSeq: 1\r\n" if call.waits else "")
        source = self.source
        if not call.waits or "prack" in self.defects:
            self.due.append((time.monotonic() + 0.15, lambda: self.answer(call, source)))

    def answer(self, call, source):
        if call.request:
            self.say(call.request, *call.last, source=source)
            call.request = None

    def on_prack(self, m):
        if "prack" in self.defects:
            return
        self.say(m, 200)
        call = self.calls.get(m.get("call-id"))
        if call:
            self.answer(call, self.source)

    def again(self, m):
        call = self.calls.get(m.get("call-id"))
        if not call:
            self.say(m, 481)
        elif "hold" in self.defects and "a=sendonly" in m.body:
            self.say(m, 488)
        else:
            self.say(m, 200, self.timer(m) or "", call.answer(m.body))

    def on_update(self, m):
        call = self.calls.get(m.get("call-id"))
        if "update" in self.defects:
            self.say(m, 500)
        else:
            self.say(m, 200, self.timer(m) or "", call.answer(m.body) if m.body and call else "")

    def on_cancel(self, m):
        call = self.calls.pop(m.get("call-id"), None)
        self.say(m, 200)
        if call:
            call.close()
        if call and call.request and "cancel" not in self.defects:
            self.say(call.request, 487)
        if call:
            call.request = None

    def on_bye(self, m):
        call = self.calls.pop(m.get("call-id"), None)
        if call:
            call.close()
        if "bye" not in self.defects:
            self.say(m, 200)

    def on_info(self, m):
        if "info" not in self.defects:
            self.say(m, 200)
