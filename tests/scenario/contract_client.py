# SPDX-License-Identifier: Apache-2.0
"""A client of native signaling version 1, written from its page alone: REST, event streams, WebRTC by aiortc."""
import asyncio
import fractions
import json
import math
import re
import secrets
import struct
import time

import aioice.ice
import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame, AudioResampler

# The gateway under test stands on loopback, whatever other addresses the machine has or lacks.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


class Missed(Exception):
    """What the gateway should have done and did not."""


def need(good, text):
    if not good:
        raise Missed(text)


def contract(text, when="together", slow=False, only_long=False):
    """Marks a check; slow ones mostly wait, "alone" ones disturb others, "last" ones end the gateway."""
    def mark(fn):
        fn.contract, fn.when, fn.slow, fn.only_long = text, when, slow, only_long
        return fn
    return mark


class Reply:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.body = None
        if raw and "json" in headers.get("Content-Type", ""):
            self.body = json.loads(raw)

    @property
    def code(self):
        return (self.body or {}).get("code") if isinstance(self.body, dict) else None

    def __str__(self):
        return "%d %s" % (self.status, self.raw[:300].decode("utf-8", "replace"))


def check_problem(r):
    """Section 11: the shape of each refusal."""
    b = r.body
    need(r.headers.get("Content-Type", "").split(";")[0] == "application/problem+json", "problem's media type: %s" % r)
    need(isinstance(b, dict) and b.get("status") == r.status, "problem's status: %s" % r)
    need(isinstance(b.get("title"), str) and isinstance(b.get("detail"), str), "problem without title or detail: %s" % r)
    need(b.get("type") == "urn:sallyport:problem:" + str(b.get("code")), "problem's type: %s" % r)
    if r.status in (429, 503):
        need(int(r.headers.get("Retry-After", "-1")) >= 0, "no Retry-After: %s" % r)
    if r.status == 401:
        need(r.headers.get("WWW-Authenticate", "").startswith("Bearer"), "no WWW-Authenticate: %s" % r)
    if r.status == 405:
        need(r.headers.get("Allow"), "no Allow: %s" % r)
    for e in b.get("errors", []):
        need(e.get("pointer", "").startswith("/") and e.get("reason"), "errors: %s" % r)


class Api:
    """One identity: its token, its requests."""

    def __init__(self, base, ssl, identity, token, numbers=()):
        self.base, self.ssl, self.identity, self.token, self.numbers = base, ssl, identity, token, list(numbers)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl, limit=0, force_close=False))
        self.streams, self.phones = [], []

    async def close(self):
        for s in self.streams:
            s.close()
        for p in self.phones:
            await p.close()
        await self.session.close()

    async def ask(self, method, path, body=None, device=None, token=True, raw=None, type_=None, **headers):
        head = {k.replace("_", "-"): v for k, v in headers.items()}
        if token:
            head["Authorization"] = "Bearer " + (self.token if token is True else token)
        if device:
            head["Sallyport-Device"] = device
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
            head.setdefault("Content-Type", "application/json")
        if type_:
            head["Content-Type"] = type_
        url = path if path.startswith("http") else self.base + path
        async with self.session.request(method, url, data=data, headers=head, allow_redirects=False,
                                        skip_auto_headers=("Content-Type", "User-Agent"),
                                        timeout=aiohttp.ClientTimeout(total=15)) as r:
            reply = Reply(r.status, r.headers, await r.read())
        if reply.status >= 400 and method != "HEAD":
            check_problem(reply)
        return reply

    async def get(self, path, **more):
        return await self.ask("GET", path, **more)

    async def post(self, path, body=None, **more):
        return await self.ask("POST", path, body, **more)

    async def want(self, status, method, path, body=None, code=None, **more):
        r = await self.ask(method, path, body, **more)
        need(r.status == status, "%s %s: %d was due, not %s" % (method, path, status, r))
        need(code is None or r.code == code, "%s %s: code %s was due, not %s" % (method, path, code, r))
        return r

    async def stream(self, device=None, **more):
        s = Stream(self, device, **more)
        self.streams.append(s)
        await s.open()
        return s

    async def place(self, to, sdp=None, status=201, code=None, device=None, headers=None, **members):
        """POST /v1/calls with that offer, or one that no media will follow."""
        body = {"to": to if isinstance(to, dict) else {"tel": to}, "offer": {"type": "offer", "sdp": sdp or plain_offer()}}
        body.update(members)
        return await self.want(status, "POST", "/v1/calls", body, code=code, device=device, **(headers or {}))

    async def call(self, to, **more):
        """The id of a call placed."""
        return (await self.place(to, **more)).body["id"]

    async def show(self, call, **more):
        return (await self.want(200, "GET", "/v1/calls/" + call, **more)).body

    def phone(self, hz=700):
        p = Phone(hz)
        self.phones.append(p)
        return p


class Event:
    def __init__(self, name, id_, data, at):
        self.name, self.id, self.data, self.at = name, id_, data, at

    def __repr__(self):
        return "%s#%s %s" % (self.name, self.id, json.dumps(self.data)[:160])


class Stream:
    """One event stream, read by the letter of the HTML standard's event stream format."""

    def __init__(self, api, device=None, ticket=None, last=None, query_last=None, auth=True, header_device=None):
        self.api, self.device = api, device
        self.events, self.comments, self.retry, self.ended = [], [], None, False
        self.news = asyncio.Condition()
        query = []
        if device:
            query.append("device=" + device)
        if ticket:
            query.append("ticket=" + ticket)
        if query_last is not None:
            query.append("last_event_id=%s" % query_last)
        self.url = api.base + "/v1/events" + ("?" + "&".join(query) if query else "")
        self.headers = {"Accept": "text/event-stream"}
        if auth and not ticket:
            self.headers["Authorization"] = "Bearer " + api.token
        if last is not None:
            self.headers["Last-Event-ID"] = str(last)
        if header_device:
            self.headers["Sallyport-Device"] = header_device
        self.task, self.reply, self.first = None, None, None

    async def open(self):
        got = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run(got))
        self.reply = await asyncio.wait_for(got, 10)
        if self.reply.status == 200:
            need(self.reply.headers["Content-Type"].split(";")[0] == "text/event-stream", "stream's media type")
            await self.wait("system.hello")
        return self

    async def _run(self, got):
        try:
            async with self.api.session.get(self.url, headers=self.headers, timeout=aiohttp.ClientTimeout(total=None),
                                            skip_auto_headers=("User-Agent",)) as r:
                if r.status != 200:
                    reply = Reply(r.status, r.headers, await r.read())
                    check_problem(reply)
                    got.set_result(reply)
                    return
                got.set_result(Reply(200, r.headers, b""))
                await self._read(r)
        except (aiohttp.ClientError, ConnectionError) as e:
            if not got.done():
                got.set_exception(e)
        finally:
            self.ended = True
            async with self.news:
                self.news.notify_all()

    async def _read(self, r):
        name, id_, data, rest = "", None, [], b""
        async for chunk in r.content.iter_any():
            rest += chunk
            *lines, rest = rest.split(b"\n")
            for line in lines:
                line = line.decode("utf-8")
                if self.first is None:
                    self.first = line
                field, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if line == "":
                    if data:
                        await self._dispatch(Event(name, id_, json.loads("\n".join(data)), time.monotonic()))
                    name, id_, data = "", None, []
                elif field == "":
                    self.comments.append(time.monotonic())
                elif field == "event":
                    name = value
                elif field == "id":
                    id_ = value
                elif field == "data":
                    data.append(value)
                elif field == "retry":
                    self.retry = int(value)

    async def _dispatch(self, event):
        check_event(event)
        async with self.news:
            self.events.append(event)
            self.news.notify_all()

    def all(self, name=None, call=None):
        return [e for e in self.events if name in (None, e.name) and call in (None, e.data.get("call"))]

    def last_id(self):
        return max([int(e.id) for e in self.events if e.id], default=None)

    async def wait(self, name, call=None, seconds=8, nth=1, where=None):
        """The nth event of that name."""
        def found():
            return [e for e in self.all(name, call) if where is None or where(e)]

        end = time.monotonic() + seconds
        async with self.news:
            while len(found()) < nth:
                left = end - time.monotonic()
                if left <= 0 or (self.ended and len(found()) < nth):
                    raise Missed("no %s on the stream of %s/%s; there came %s" % (name, self.api.identity, self.device, self.events[-12:]))
                try:
                    await asyncio.wait_for(self.news.wait(), left)
                except asyncio.TimeoutError:
                    pass
            return found()[nth - 1]

    async def quiet(self, name, call=None, seconds=0.5):
        await asyncio.sleep(seconds)
        need(not self.all(name, call), "%s must not be on the stream of %s/%s" % (name, self.api.identity, self.device))

    async def gone(self, seconds=5):
        end = time.monotonic() + seconds
        while not self.ended and time.monotonic() < end:
            await asyncio.sleep(0.02)
        need(self.ended, "the stream of %s/%s did not end" % (self.api.identity, self.device))

    def close(self):
        if self.task:
            self.task.cancel()


def check_event(e):
    """Sections 2 and 9: what each event has."""
    need(e.data.get("v") == 1 and TIME.match(e.data.get("ts", "")), "event without v or ts: %s" % e)
    has_id = not e.name.startswith("system.") and e.name != "token.expiring"
    need((e.id is not None) == has_id, "event's id: %s" % e)
    need(e.id is None or (e.id.isdigit() and int(e.id) < 2 ** 53), "event's id: %s" % e)
    if e.name.split(".")[0] in ("call", "media", "dtmf", "operation"):
        is_snapshot = isinstance(e.data.get("call"), dict) and e.name == "call.updated"
        need(isinstance(e.data.get("call"), str) or is_snapshot, "event without call: %s" % e)


# Descriptions --------------------------------------------------------------------------------------

def candidate(kind="host", address="192.0.2.7", port=40000, proto="udp"):
    tail = "" if kind == "host" else " raddr 0.0.0.0 rport 0"
    return "candidate:1 1 %s 2122260223 %s %d typ %s%s" % (proto, address, port, kind, tail)


def plain_offer(ufrag=None, pwd=None, fingerprint=None, codecs=((0, "PCMU/8000"), (8, "PCMA/8000"), (101, "telephone-event/8000")),
                candidates=(), setup="actpass", media="m=audio 9 UDP/TLS/RTP/SAVPF", mux=True, more="", after="", direction="sendrecv"):
    """An offer as a browser makes it; nothing will come to it."""
    if fingerprint is None:
        fingerprint = "sha-256 " + ":".join("%02X" % b for b in secrets.token_bytes(32))
    ufrag = secrets.token_hex(4) if ufrag is None else ufrag
    pwd = secrets.token_hex(12) if pwd is None else pwd
    lines = ["v=0", "o=- %d 2 IN IP4 127.0.0.1" % secrets.randbits(60), "s=-", "t=0 0", "a=group:BUNDLE 0",
             media + "".join(" %d" % c[0] for c in codecs), "c=IN IP4 0.0.0.0", "a=mid:0", "a=" + direction]
    lines += ["a=rtcp-mux"] if mux else []
    lines += ["a=ice-ufrag:" + ufrag, "a=ice-pwd:" + pwd] if ufrag else []
    lines += ["a=fingerprint:" + fingerprint] if fingerprint else []
    lines += ["a=setup:" + setup] + ["a=rtpmap:%d %s" % c for c in codecs] + ["a=" + c for c in candidates]
    return "\r\n".join(lines) + "\r\n" + more + after


def plain_answer(offer, **more):
    """An answer to that offer, again without anything behind it."""
    mid = re.search(r"a=mid:(\S+)", offer).group(1)
    return plain_offer(setup="active", codecs=((0, "PCMU/8000"),), **more).replace("a=mid:0", "a=mid:" + mid).replace(
        "BUNDLE 0", "BUNDLE " + mid)


def ice_of(sdp):
    return re.search(r"a=ice-ufrag:(\S+)", sdp).group(1), re.search(r"a=ice-pwd:(\S+)", sdp).group(1)


def check_description(sdp, setup, offered=None):
    """Section 3: what the gateway's descriptions have."""
    need("a=ice-lite" in sdp, "no a=ice-lite")
    need("a=end-of-candidates" in sdp, "no a=end-of-candidates")
    need(re.search(r"a=candidate:.* typ host", sdp), "no host candidate")
    need("a=rtcp-mux" in sdp and "a=setup:" + setup in sdp, "rtcp-mux or setup:%s missing in %s" % (setup, sdp))
    need(re.search(r"a=fingerprint:sha-(256|384|512) ", sdp), "no fingerprint")
    need("a=group:BUNDLE" in sdp, "no BUNDLE group")
    line = re.search(r"^m=audio (\d+) (\S+) (.*)$", sdp.replace("\r", ""), re.M)
    need(line.group(2) == "UDP/TLS/RTP/SAVPF", "profile " + line.group(2))
    kinds = {int(n): k.lower() for n, k in re.findall(r"a=rtpmap:(\d+) (\S+)", sdp)}
    kinds = {0: "pcmu/8000", 8: "pcma/8000", 9: "g722/8000", **kinds}
    numbers = [int(n) for n in line.group(3).split()]
    need(not kinds[numbers[0]].startswith("telephone-event"), "telephone-event first")
    if offered:
        theirs = {int(n): k.lower() for n, k in re.findall(r"a=rtpmap:(\d+) (\S+)", offered)}
        for n in numbers:
            need(theirs.get(n, kinds[n]).split("/")[:2] == kinds[n].split("/")[:2], "payload type %d changed its meaning" % n)
    return numbers, kinds


# Media ---------------------------------------------------------------------------------------------

class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz, self.at, self.begin = hz, 0, None

    async def recv(self):
        self.begin = self.begin or time.monotonic()
        await asyncio.sleep(max(0, self.begin + self.at / 8000 - time.monotonic()))
        samples = [int(9000 * math.sin(2 * math.pi * self.hz * (self.at + i) / 8000)) for i in range(160)]
        frame = AudioFrame(format="s16", layout="mono", samples=160)
        frame.planes[0].update(struct.pack("<160h", *samples))
        frame.sample_rate, frame.pts, frame.time_base = 8000, self.at, fractions.Fraction(1, 8000)
        self.at += 160
        return frame


def power_at(samples, hz):
    """Share of the signal's power that is at that frequency (Goertzel); 0 for silence."""
    n = len(samples)
    total = sum(s * s for s in samples)
    if n < 800 or total / n < 2500:
        return 0.0
    w = 2 * math.pi * hz / 8000
    c, s1, s2 = 2 * math.cos(w), 0.0, 0.0
    for s in samples:
        s1, s2 = s + c * s1 - s2, s1
    return 2 * (s1 * s1 + s2 * s2 - c * s1 * s2) / (n * total)


class Phone:
    """One call's media: a peer connection at a time, a tone that it says, what it hears."""

    def __init__(self, hz=700):
        self.hz, self.pc, self.old, self.heard, self.packets, self.tasks = hz, None, [], [], 0, []

    def fresh(self):
        if self.pc:
            self.old.append(self.pc)
        pc = self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTrack(Tone(self.hz))

        @pc.on("track")
        def on_track(track):
            self.tasks.append(asyncio.ensure_future(self._listen(pc, track)))
        return pc

    async def _listen(self, pc, track):
        resampler = AudioResampler(format="s16", layout="mono", rate=8000)
        try:
            while True:
                frame = await track.recv()
                if pc is not self.pc:
                    continue
                self.packets += 1
                for part in resampler.resample(frame):
                    self.heard += struct.unpack("<%dh" % part.samples, bytes(part.planes[0])[:2 * part.samples])
                self.heard = self.heard[-4000:]
        except Exception:  # the track's end
            return

    async def offer(self):
        pc = self.fresh()
        await pc.setLocalDescription(await pc.createOffer())
        return pc.localDescription.sdp

    async def accept(self, answer):
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def answer(self, offer):
        pc = self.fresh()
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        return pc.localDescription.sdp

    async def up(self, seconds=8):
        end = time.monotonic() + seconds
        while self.pc.connectionState != "connected":
            if time.monotonic() > end:
                raise Missed("media did not come up: %s, ICE %s" % (self.pc.connectionState, self.pc.iceConnectionState))
            await asyncio.sleep(0.02)

    async def hears(self, hz, seconds=6):
        end = time.monotonic() + seconds
        self.heard = []
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            if power_at(self.heard[-1600:], hz) > 0.5:
                return
        raise Missed("did not hear %d Hz (share %.2f, %d samples)" % (hz, power_at(self.heard[-1600:], hz), len(self.heard)))

    async def silent(self, hz, seconds=4):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.heard = []
            await asyncio.sleep(0.4)
            if power_at(self.heard, hz) < 0.2:
                return
        raise Missed("still hears %d Hz" % hz)

    async def close(self):
        for t in self.tasks:
            t.cancel()
        for pc in self.old + ([self.pc] if self.pc else []):
            await pc.close()
