# SPDX-License-Identifier: Apache-2.0
"""A carrier's media: RTP with either law, any payload type and packet time, events, SRTP by libsrtp (MKI too), RTCP."""
import audioop
import base64
import contextlib
import os
import random
import select
import socket
import struct
import threading
import time
import warnings

import pylibsrtp

import tone
from house import Failed
from sipua import sdp_media

warnings.simplefilter("ignore", DeprecationWarning)
P = pylibsrtp.Policy
SUITES = {  # (policy, bytes of key and salt, bytes of tag in SRTP and SRTCP)
    "AES_CM_128_HMAC_SHA1_80": (P.SRTP_PROFILE_AES128_CM_SHA1_80, 30, 10, 10),
    "AES_CM_128_HMAC_SHA1_32": (P.SRTP_PROFILE_AES128_CM_SHA1_32, 30, 4, 10),
    "AEAD_AES_128_GCM": (P.SRTP_PROFILE_AEAD_AES_128_GCM, 28, 0, 0),
    "AEAD_AES_256_GCM": (P.SRTP_PROFILE_AEAD_AES_256_GCM, 44, 0, 0),
}


def new_key(suite):
    return os.urandom(SUITES[suite][1])


def crypto_line(tag, suite, key, more=""):
    return "a=crypto:%d %s inline:%s%s\r\n" % (tag, suite, base64.b64encode(key).decode(), more)


def crypto_of(sdp):
    """[(tag, suite, key, mki as bytes)] of a description."""
    found = []
    for line in sdp.split("\r\n"):
        if line.startswith("a=crypto:"):
            tag, suite, params = line[9:].split()[:3]
            text, *rest = params[7:].split("|")
            mki = next((r for r in rest if ":" in r), None)
            mki = int(mki.split(":")[0]).to_bytes(int(mki.split(":")[1]), "big") if mki else b""
            found.append((int(tag), suite, base64.b64decode(text + "=" * (-len(text) % 4)), mki))
    return found


class Secret:
    """One direction of SRTP."""

    def __init__(self, suite, key, inbound, mki=b""):
        kind = P.SSRC_ANY_INBOUND if inbound else P.SSRC_ANY_OUTBOUND
        profile, _, self.tag, self.rtcp_tag = SUITES[suite]
        self.mki = mki
        self.session = pylibsrtp.Session(policy=P(key=key, ssrc_type=kind, srtp_profile=profile))

    def seal(self, packet, rtcp=False):
        out = (self.session.protect_rtcp if rtcp else self.session.protect)(packet)
        at = len(out) - (self.rtcp_tag if rtcp else self.tag)
        return out[:at] + self.mki + out[at:]

    def open(self, packet, rtcp=False):
        at = len(packet) - (self.rtcp_tag if rtcp else self.tag)
        n = len(self.mki)
        if n and packet[at - n:at] != self.mki:
            raise pylibsrtp.Error("another MKI")
        packet = packet[:at - n] + packet[at:]
        return (self.session.unprotect_rtcp if rtcp else self.session.unprotect)(packet)


class Media:
    """Says a tone from a thread, keeps the last second of what it hears."""

    def __init__(self, hz=900, host="127.0.0.1", law="u", pt=None, event_pt=101, their_event_pt=None, ptime=20, mux=False,
                 event_hz=8000, dbfs=-10):
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host, self.hz, self.law, self.ptime, self.mux = host, hz, law, ptime, mux
        self.pt = (0 if law == "u" else 8) if pt is None else pt
        self.event_pt, self.event_hz = event_pt, event_hz
        self.their_event_pt = event_pt if their_event_pt is None else their_event_pt
        self.rtp, self.rtcp = self._pair()
        self.port = self.rtp.getsockname()[1]
        self.rtcp_port = self.port if mux else self.rtcp.getsockname()[1]
        self.peer = self.rtcp_peer = self.tx = self.rx = None
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.new_source()
        self.heard, self.packets, self.ssrcs, self.sources, self.pts = b"", 0, set(), set(), set()
        self.digits, self.events, self.send_digit = "", set(), None
        self.rtcps, self.bad, self.other, self.lengths, self.seqs = [], 0, 0, set(), []
        self.muted, self.reporting = False, True
        self.dbfs, self.lose, self.shake_s, self.due = dbfs, 0, 0, []  # lose: each n-th packet; shake_s: late by up to so much
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _pair(self):
        for _ in range(200):
            port = random.randrange(20000, 30000, 2)
            pair = []
            try:
                for i in (0, 1):
                    s = socket.socket(self.family, socket.SOCK_DGRAM)
                    pair.append(s)
                    s.bind((self.host, port + i))
                return pair
            except OSError:
                for s in pair:
                    s.close()
        raise Failed("no pair of ports")

    def new_source(self):
        self.ssrc, self.seq, self.ts = random.getrandbits(32), random.getrandbits(16), random.getrandbits(32)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(2)
        self.rtp.close()
        self.rtcp.close()

    def move(self):
        """Other ports and another source, as after a re-INVITE to another media server."""
        old = (self.rtp, self.rtcp)
        self.rtp, self.rtcp = self._pair()
        self.port = self.rtp.getsockname()[1]
        self.rtcp_port = self.port if self.mux else self.rtcp.getsockname()[1]
        self.new_source()
        self.forget()
        for s in old:
            s.close()

    @contextlib.contextmanager
    def quiet(self):
        """Nothing is sent meanwhile."""
        self.muted = True
        time.sleep(0.1)
        yield
        self.muted = False

    def secure(self, suite, tx, rx, tx_mki=b"", rx_mki=b""):
        self.tx, self.rx = Secret(suite, tx, False, tx_mki), Secret(suite, rx, True, rx_mki)

    def to(self, sdp):
        host, port, _ = sdp_media(sdp)
        self.peer = (host, port)
        rtcp = next((int(l[7:].split()[0]) for l in sdp.split("\r\n") if l.startswith("a=rtcp:")), port + 1)
        self.rtcp_peer = (host, port if self.mux else rtcp)

    def sdp(self, profile="RTP/AVP", more="", direction="sendrecv", version=1, host=None, port=None, codecs=None):
        host = host or self.host
        ip = "IP6" if ":" in host else "IP4"
        rtpmap = {"u": "PCMU", "a": "PCMA"}[self.law]
        codecs = codecs or "%d %d" % (self.pt, self.event_pt)
        text = ("v=0\r\no=- 815 %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d %s %s\r\n"
                "a=rtpmap:%d %s/8000\r\na=rtpmap:%d telephone-event/%d\r\na=fmtp:%d 0-15\r\n"
                % (version, ip, host, ip, host, self.port if port is None else port, profile, codecs, self.pt, rtpmap,
                   self.event_pt, self.event_hz, self.event_pt))
        if self.mux:
            text += "a=rtcp-mux\r\n"
        if self.ptime != 20:
            text += "a=ptime:%d\r\n" % self.ptime
        return text + more + "a=%s\r\n" % direction

    def _run(self):
        begin, at = time.monotonic(), 0
        reported = time.monotonic()
        while not self.stop.is_set():
            frame = self.ptime * 8
            if not self.peer or self.muted:
                begin, at = time.monotonic() - at / 8000, at
            while self.peer and not self.muted and begin + at / 8000 < time.monotonic():
                pcm = tone.make(self.hz, self.dbfs, 8000, at, frame).tobytes()
                self._put(self.pt, self.ts, (audioop.lin2ulaw if self.law == "u" else audioop.lin2alaw)(pcm, 2))
                self.ts, at = (self.ts + frame) & 0xFFFFFFFF, at + frame
                if self.send_digit is not None:
                    self._event()
            if self.peer and self.reporting and time.monotonic() - reported > 0.5:
                reported = time.monotonic()
                self._report()
            self._late()
            self._hear()

    def _put(self, pt, ts, payload, marker=0):
        packet = struct.pack("!BBHII", 0x80, pt | marker, self.seq & 0xFFFF, ts, self.ssrc) + payload
        self.seq += 1
        if self.shake_s:
            self.due.append((time.monotonic() + random.uniform(0, self.shake_s), packet))
        elif not self.lose or self.seq % self.lose:
            self._send(packet)

    def _late(self):
        now = time.monotonic()
        for packet in [p for at, p in self.due if at <= now]:
            self._send(packet)
        self.due = [d for d in self.due if d[0] > now]

    def _event(self):
        digit, self.send_digit = "0123456789*#".index(self.send_digit), None
        ts, step = self.ts, self.event_hz // 50
        for i in range(8):
            end = i >= 5
            self._put(self.event_pt if self.their_event_pt is None else self.their_event_pt, ts,
                      struct.pack("!BBH", digit, (0x80 if end else 0) | 10, min(5 * step, step * (i + 1))), 0x80 if i == 0 else 0)
            time.sleep(0.001 if end else 0.02)

    def _report(self):
        sr = struct.pack("!BBHIIIIII", 0x80, 200, 6, self.ssrc, int(time.time()) + 2208988800 & 0xFFFFFFFF, 0, self.ts,
                         self.seq & 0xFFFF, 0)
        cname = b"carrier-cname"
        chunk = struct.pack("!I", self.ssrc) + bytes([1, len(cname)]) + cname
        chunk += b"\0" * (4 - len(chunk) % 4)
        self._send(sr + struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk, True)

    def throw_rtcp(self, *packets):
        for packet in packets:
            self._send(packet, True)

    def _send(self, packet, rtcp=False):
        if self.tx:
            packet = self.tx.seal(packet, rtcp)
        s = self.rtp if self.mux or not rtcp else self.rtcp
        try:
            s.sendto(packet, self.rtcp_peer if rtcp else self.peer)
        except OSError:
            pass

    def _hear(self):
        try:
            for s in select.select([self.rtp, self.rtcp], [], [], 0.005)[0]:
                packet, source = s.recvfrom(2048)
                self._take(packet, source)
        except (OSError, ValueError):
            pass

    def _take(self, packet, source):
        if len(packet) < 8 or packet[0] >> 6 != 2:
            self.other += 1
            return
        rtcp = 192 <= packet[1] <= 223
        if self.rx:
            try:
                packet = self.rx.open(packet, rtcp)
            except pylibsrtp.Error:
                self.bad += 1
                return
        with self.lock:
            if rtcp:
                self.rtcps.append(packet)
                return
            kind, seq, at = packet[1] & 0x7F, *struct.unpack("!HI", packet[2:8])
            self.packets += 1
            self.ssrcs.add(packet[8:12])
            self.sources.add(source[:2])
            self.pts.add(kind)
            self.lengths.add(len(packet) - 12)
            self.seqs.append(seq)
            if kind == self.pt:
                self.heard = (self.heard + packet[12:])[-8000:]
            elif kind == self.event_pt and packet[13] & 0x80 and at not in self.events:
                self.events.add(at)
                self.digits += "0123456789*#ABCD"[packet[12]]

    def forget(self):
        with self.lock:
            self.heard = b""

    def sound(self):
        with self.lock:
            heard = self.heard
        pcm = (audioop.ulaw2lin if self.law == "u" else audioop.alaw2lin)(heard, 2)
        import numpy
        return tone.measure(numpy.frombuffer(pcm, dtype=numpy.int16), 8000) + (len(heard),)

    def hears(self, hz, seconds=6):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            got, level, n = self.sound()
            if n >= 4000 and abs(got - hz) < 8:
                return level
        raise Failed("heard %.0f Hz at %.1f dBFS (%d packets, %d unverified, pts %s), not %d Hz"
                     % (got, level, self.packets, self.bad, self.pts, hz))

    def reports(self):
        """{(packet type, source): body} of what came by RTCP."""
        found = {}
        for packet in list(self.rtcps):
            while len(packet) >= 8:
                n = 4 * (struct.unpack("!H", packet[2:4])[0] + 1)
                found.setdefault(packet[1], []).append(packet[:n])
                packet = packet[n:]
        return found
