#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A WebRTC client that is not ours (aiortc: ICE, DTLS, SRTP of another make) against the media process
alone: its 440 Hz comes back as an echo, the tone that is asked for arrives, digits arrive.
Usage: media_echo.py BUILD-DIR. Prints ok/not ok lines; exit status 1 if any is not."""
import asyncio
import fractions
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
failed = 0


def check(ok, what):
    global failed
    failed += not ok
    print("%s media_echo: %s" % ("ok" if ok else "not ok", what), flush=True)


class Sine(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz, self.at, self.begin = hz, 0, None

    async def recv(self):
        loop = asyncio.get_event_loop()
        self.begin = self.begin or loop.time()
        await asyncio.sleep(max(0, self.begin + self.at / 8000 - loop.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=160)
        data = [int(8000 * math.sin(2 * math.pi * self.hz * (self.at + i) / 8000)) for i in range(160)]
        frame.planes[0].update(struct.pack("<160h", *data))
        frame.pts, frame.sample_rate, frame.time_base = self.at, 8000, fractions.Fraction(1, 8000)
        self.at += 160
        return frame


def share(samples, hz, rate):
    """The share of the power at hz (Goertzel)."""
    total = sum(s * s for s in samples) / len(samples)
    if total < 100:
        return 0
    w = 2 * math.pi * hz / rate
    re = sum(s * math.cos(w * i) for i, s in enumerate(samples))
    im = sum(s * math.sin(w * i) for i, s in enumerate(samples))
    return 2 * (re * re + im * im) / len(samples) ** 2 / total


async def listen(track, seconds):
    samples, rate = [], 8000
    try:
        until = asyncio.get_event_loop().time() + seconds
        while asyncio.get_event_loop().time() < until:
            frame = await asyncio.wait_for(track.recv(), 5)
            rate = frame.sample_rate
            data = bytes(frame.planes[0])[: frame.samples * 2 * len(frame.layout.channels)]
            samples += struct.unpack("<%dh" % (len(data) // 2), data)[:: len(frame.layout.channels)]
    except (asyncio.TimeoutError, MediaStreamError):
        pass
    return samples, rate


async def call(socket, tone, hz):
    heard = asyncio.get_event_loop().create_future()
    pc = RTCPeerConnection()
    pc.on("track", lambda t: heard.done() or heard.set_result(t))
    pc.addTrack(Sine(440))
    await pc.setLocalDescription(await pc.createOffer())
    with tempfile.NamedTemporaryFile("w", suffix=".sdp") as f:
        f.write(pc.localDescription.sdp)
        f.flush()
        echo = await asyncio.create_subprocess_exec(
            os.path.join(BUILD, "tests/load/mset_echo"), socket, f.name, *([str(tone)] if tone else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        sdp = (await asyncio.wait_for(echo.stdout.readuntil(b"END\r\n"), 10)).decode()
        sdp = sdp[sdp.index("v=0"): -len("END\r\n")]
    await pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    track = await asyncio.wait_for(heard, 10)
    await listen(track, 1.5)  # set-up and the first packets
    samples, rate = await listen(track, 2)
    await pc.close()
    out, _ = await asyncio.wait_for(echo.communicate(b""), 10)
    text = out.decode()
    name = "tone %d" % tone if tone else "echo"
    check("ice=2 dtls=2 suite=A" in text, "%s: ICE and DTLS are up (%s)" % (name, text.split("\n")[0:3]))
    window = samples[-rate:]
    check(len(window) == rate and share(window, hz, rate) > 0.9, "%s: %d Hz heard" % (name, hz))
    check("ENDED" in text and "lost=0" in text, "%s: %s" % (name, text.strip().split("\n")[-1]))


async def main():
    folder = tempfile.mkdtemp(prefix="sallyport-echo-")
    socket = os.path.join(folder, "media")
    low = 22000 + os.getpid() % 100 * 40
    media = subprocess.Popen([os.path.join(BUILD, "sallyport-media"), "--socket", socket, "--address", "127.0.0.1",
                              "--trunk-ports", "%d-%d" % (low, low + 39), "--native-port", "0"])
    try:
        for _ in range(50):
            if os.path.exists(socket):
                break
            await asyncio.sleep(0.1)
        await call(socket, 0, 440)
        await call(socket, 4, 1004)
    finally:
        media.terminate()
        check(media.wait(10) == 0, "the media process ends cleanly")
        shutil.rmtree(folder, ignore_errors=True)


asyncio.run(main())
sys.exit(1 if failed else 0)
