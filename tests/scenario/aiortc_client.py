#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of native signaling version 1, written from its contract alone: aiohttp for REST and events, aiortc
for media. Also a command: aiortc_client.py --demo build/run/demo.json --user alice place +15550199002 [seconds]
"""
import argparse
import asyncio
import fractions
import json
import ssl
import sys
import time

import aiohttp
import aioice.ice
import numpy
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

import tone

# A machine that has no address but loopback's still has that one.
_addresses = aioice.ice.get_host_addresses
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: _addresses(use_ipv4, use_ipv6) or ["127.0.0.1"]

RATE = 8000
FRAME = 160


class Problem(Exception):
    def __init__(self, status, body):
        super().__init__("%d %s" % (status, json.dumps(body)))
        self.status, self.body, self.code = status, body, body.get("code")


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz, dbfs=-10):
        super().__init__()
        self.hz, self.dbfs, self.at, self.begin = hz, dbfs, 0, None

    async def recv(self):
        self.begin = self.begin or time.monotonic()
        await asyncio.sleep(max(0, self.begin + self.at / RATE - time.monotonic()))
        frame = AudioFrame.from_ndarray(tone.make(self.hz, self.dbfs, RATE, self.at, FRAME).reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.at, fractions.Fraction(1, RATE)
        self.at += FRAME
        return frame


class Media:
    """One peer connection: says a tone, keeps the last second of what it hears."""

    def __init__(self, hz):
        self.pc = RTCPeerConnection()
        self.pc.addTrack(Tone(hz))
        self.samples, self.rate, self.packets = numpy.zeros(0, dtype=numpy.int16), RATE, 0
        self.task = None
        self.pc.on("track", self._track)

    def _track(self, track):
        self.task = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track):
        while True:
            try:
                frame = await track.recv()
            except Exception:  # aiortc tells the end of a track so
                return
            samples = frame.to_ndarray().reshape(-1)[:: len(frame.layout.channels)]
            self.rate, self.packets = frame.sample_rate, self.packets + 1
            self.samples = numpy.concatenate([self.samples, samples])[-self.rate:]

    def heard(self):
        return tone.measure(self.samples, self.rate)

    def forget(self):
        self.samples = self.samples[:0]

    async def offer(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return {"type": "offer", "sdp": self.pc.localDescription.sdp}

    async def take_answer(self, answer):
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def answer(self, offer):
        await self.pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return {"type": "answer", "sdp": self.pc.localDescription.sdp}

    async def connected(self, seconds=10):
        end = time.monotonic() + seconds
        while self.pc.connectionState != "connected":
            if time.monotonic() > end:
                raise TimeoutError("media are not up: " + self.pc.connectionState)
            await asyncio.sleep(0.02)

    async def close(self):
        await self.pc.close()
        if self.task:
            self.task.cancel()


class Client:
    def __init__(self, demo, user, device="aiortc", hz=700, media=Media):
        self.media_of = media
        self.base, self.token = demo["base"] + "/v1", demo["users"][user]["token"]
        self.ssl = ssl.create_default_context(cafile=demo["ca"])
        self.device, self.hz, self.events, self.last_id, self.news = device, hz, [], None, asyncio.Event()
        self.bodies = []  # all that went over HTTP, both ways
        self.http = self.stream = self.media = self.call = self.etag = None

    async def __aenter__(self):
        self.http = aiohttp.ClientSession(headers={"Authorization": "Bearer " + self.token})
        await self.listen()
        return self

    async def __aexit__(self, *_):
        if self.media:
            await self.media.close()
        await self.deafen()
        await self.http.close()

    async def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.device:
            headers["Sallyport-Device"] = self.device
        async with self.http.request(method, self.base + path, json=body, headers=headers, ssl=self.ssl) as answer:
            text = await answer.text()
            self.bodies += [json.dumps(body), str(dict(answer.headers)), text]
            if answer.status >= 400:
                raise Problem(answer.status, json.loads(text) if text.startswith("{") else {"text": text})
            self.etag = answer.headers.get("ETag", self.etag)
            return json.loads(text) if text else {}

    # Events ----------------------------------------------------------------------------------------

    async def listen(self):
        self.stream = asyncio.ensure_future(self._read())
        await self.wait("system.hello")

    async def deafen(self):
        if self.stream:
            self.stream.cancel()
            await asyncio.gather(self.stream, return_exceptions=True)

    async def _read(self):
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        query = "?device=" + self.device if self.device else ""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.http.get(self.base + "/events" + query, headers=headers, ssl=self.ssl, timeout=timeout) as answer:
            if answer.status != 200:
                raise Problem(answer.status, {"text": await answer.text()})
            event = {}
            async for line in answer.content:
                line = line.decode().rstrip("\r\n")
                self.bodies.append(line)
                if line.startswith("id:"):
                    self.last_id = line[3:].strip()
                elif line.startswith("event:"):
                    event["event"] = line[6:].strip()
                elif line.startswith("data:"):
                    event.update(json.loads(line[5:]))
                elif not line and event:
                    self.events.append(event)
                    self.news.set()
                    event = {}

    async def wait(self, kind, seconds=10, call=None, after=0):
        end = time.monotonic() + seconds
        while True:
            for event in self.events[after:]:
                if event["event"] == kind and (call is None or event.get("call") == call):
                    return event
            if self.stream.done():
                raise self.stream.exception() or ConnectionError("the event stream ended")
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), max(0.01, end - time.monotonic()))
            except asyncio.TimeoutError:
                seen = " ".join(e["event"] for e in self.events[after:])
                raise TimeoutError("no %s within %s s; seen: %s" % (kind, seconds, seen)) from None

    def seen(self, kind):
        return [e for e in self.events if e["event"] == kind and e.get("call") in (None, self.call)]

    # Calls -----------------------------------------------------------------------------------------

    async def place(self, to, **more):
        self.media = self.media_of(self.hz)
        answer = await self.ask("POST", "/calls", {"to": {"tel": to}, "offer": await self.media.offer(), **more})
        self.call = answer["id"]
        await self.media.take_answer(answer["answer"])
        return self.call

    async def incoming(self, seconds=10):
        event = await self.wait("call.incoming", seconds)
        self.call, self.etag = event["call"], event["etag"]
        await self.verb("ringing")
        return event

    async def answer(self, event, **more):
        self.media = self.media_of(self.hz)
        return await self.verb("answer", {"answer": await self.media.answer(event["offer"]), **more})

    async def verb(self, name, body=None):
        return await self.ask("POST", "/calls/%s/%s" % (self.call, name), body if body is not None else {})

    async def done(self, operation, seconds=10):
        """Waits for an operation's end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in self.events:
                if event.get("operation_id") == operation["operation_id"]:
                    if event["event"] == "operation.succeeded":
                        return
                    raise Problem(0, event)
            await asyncio.sleep(0.05)
        raise TimeoutError("operation %s has no end" % operation["operation_id"])

    async def snapshot(self):
        return await self.ask("GET", "/calls/" + self.call)

    async def hangup(self):
        await self.ask("DELETE", "/calls/" + self.call)
        return await self.wait("call.ended", call=self.call)

    async def reload(self):
        """What a reloaded page does: everything is lost but the token; the live call is taken up again."""
        old, self.media, self.call = self.media, self.media_of(self.hz), None
        live = (await self.ask("GET", "/calls?state=live"))["calls"]
        self.call = live[0]["id"]
        answer = await self.verb("renegotiate", {"offer": await self.media.offer()})
        await self.media.take_answer(answer["answer"])
        await self.media.connected()
        await old.close()

    async def hears(self, hz, seconds=6):
        """Until the wanted tone is heard; returns the level."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got, level = self.media.heard()
            if abs(got - hz) < 8 and len(self.media.samples) >= self.media.rate * 0.5:
                return level
            await asyncio.sleep(0.1)
        raise TimeoutError("heard %.0f Hz at %.1f dBFS (%d frames), not %d Hz" % (*self.media.heard(), self.media.packets, hz))


async def main():
    parser = argparse.ArgumentParser(description="Places or takes one call and says what it heard.")
    parser.add_argument("--demo", default="build/run/demo.json")
    parser.add_argument("--user", default="alice")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("action", choices=["place", "receive"])
    parser.add_argument("number", nargs="?")
    args = parser.parse_args()
    async with Client(json.load(open(args.demo)), args.user) as client:
        if args.action == "place":
            await client.place(args.number)
            await client.wait("call.answered", 30)
        else:
            await client.answer(await client.incoming(60))
        await client.wait("call.connected", 15)
        await asyncio.sleep(args.seconds)
        hz, level = client.media.heard()
        end = await client.hangup()
        print(json.dumps({"call": client.call, "heard_hz": round(hz, 1), "level_dbfs": round(level, 1), "end": end["end"]}))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
