# SPDX-License-Identifier: Apache-2.0
"""GStreamer's webrtcbin in place of aiortc's peer connection: says a tone in Opus or PCMU, keeps the last second of what it
hears, sends digits as telephone-events. For aiortc_client.Client(..., media=GstMedia)."""
import asyncio
import threading
import time

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

import tone  # noqa: E402

Gst.init(None)
CODECS = {
    "opus": "opusenc ! rtpopuspay pt=96 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=96",
    "PCMU": "audioresample ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay ! application/x-rtp,media=audio,encoding-name=PCMU,payload=0",
}
DECODERS = {"OPUS": "rtpopusdepay ! opusdec", "PCMU": "rtppcmudepay ! mulawdec", "PCMA": "rtppcmadepay ! alawdec"}


class GstMedia:
    codec = "opus"

    def __init__(self, hz):
        self.samples, self.rate, self.packets = numpy.zeros(0, dtype=numpy.int16), 48000, 0
        self.pipe = Gst.parse_launch(
            "webrtcbin name=peer bundle-policy=max-bundle audiotestsrc is-live=true wave=sine freq=%d volume=0.3 ! audioconvert ! "
            "audio/x-raw,rate=48000,channels=1 ! %s ! peer." % (hz, CODECS[self.codec]))
        self.peer = self.pipe.get_by_name("peer")
        self.peer.connect("pad-added", self.on_pad)
        self.negotiated = threading.Event()
        self.peer.connect("on-negotiation-needed", lambda _: self.negotiated.set())
        self.pipe.set_state(Gst.State.PLAYING)

    # What it hears -------------------------------------------------------------------------------------

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        name = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        sink = Gst.parse_bin_from_description(
            DECODERS[name.upper()] + " ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! appsink name=ear emit-signals=true sync=false", True)
        sink.get_by_name("ear").connect("new-sample", self.on_sample)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_sample(self, ear):
        buffer = ear.emit("pull-sample").get_buffer()
        heard = numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), dtype="<i2")
        self.packets += 1
        self.samples = numpy.concatenate([self.samples, heard])[-self.rate:]
        return Gst.FlowReturn.OK

    def heard(self):
        return tone.measure(self.samples, self.rate)

    def forget(self):
        self.samples = self.samples[:0]

    # Offer and answer ----------------------------------------------------------------------------------

    def ask(self, signal, name):
        promise = Gst.Promise.new()
        self.peer.emit(signal, None, promise)
        promise.wait()
        self.reply = promise, promise.get_reply()  # it owns the description
        return self.reply[1].get_value(name)

    def local(self, description):
        """With all candidates: the gateway takes them trickled, too, but this is the shorter way."""
        promise = Gst.Promise.new()
        self.peer.emit("set-local-description", description, promise)
        promise.wait()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = self.peer.get_property("local-description")
            if found and self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
                return found.sdp.as_text()
            time.sleep(0.02)
        raise TimeoutError("webrtcbin gathers no candidates")

    def remote(self, kind, text):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        promise = Gst.Promise.new()
        self.peer.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, sdp), promise)
        promise.wait()

    async def run(self, fn, *args):
        return await asyncio.get_running_loop().run_in_executor(None, fn, *args)

    async def offer(self):
        def make():
            self.negotiated.wait(5)
            return self.local(self.ask("create-offer", "offer"))
        return {"type": "offer", "sdp": await self.run(make)}

    async def take_answer(self, answer):
        await self.run(self.remote, GstWebRTC.WebRTCSDPType.ANSWER, answer["sdp"])

    async def answer(self, offer):
        def make():
            self.remote(GstWebRTC.WebRTCSDPType.OFFER, offer["sdp"])
            return self.local(self.ask("create-answer", "answer"))
        return {"type": "answer", "sdp": await self.run(make)}

    async def connected(self, seconds=10):
        end = time.monotonic() + seconds
        while self.peer.get_property("connection-state") != GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            if time.monotonic() > end:
                raise TimeoutError("media are not up")
            await asyncio.sleep(0.02)

    async def close(self):
        await self.run(self.pipe.set_state, Gst.State.NULL)


class GstMediaPcmu(GstMedia):
    codec = "PCMU"
