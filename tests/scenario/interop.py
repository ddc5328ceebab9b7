# SPDX-License-Identifier: Apache-2.0
"""Peers that nobody here wrote, at the trunk door with other keys and codecs than the demonstration's: baresip with
DTLS-SRTP, G.722 and Opus. The app is aiortc; what each hears is judged by its tone."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import wave

import numpy

import tone
from app import App
from group import Group
from house import TOP, Carrier, check, wait_for

LISTENERS = """  - name: dtls
    transport: udp
    address: "127.0.0.3:@PORT_LAB@"
  - name: wide
    transport: udp
    address: "127.0.0.4:@PORT_LAB@"
  - name: lin
    transport: udp
    address: "127.0.0.5:@PORT_LAB@"
"""
TRUNKS = """  - name: dtls
    listener: dtls
    target: "sip:127.0.0.3:@PORT_LAB_PEER@"
    peers: [127.0.0.3]
    key_exchange: dtls
    media_sources: [127.0.0.0/8]   # it sends from another address than its SDP says
  - name: wide
    listener: wide
    target: "sip:127.0.0.4:@PORT_LAB_PEER@"
    peers: [127.0.0.4]
    codecs: [opus, G722, PCMU]
  - name: lin
    listener: lin
    target: "sip:127.0.0.1:@PORT_SERVICE@"   # UDP, where the service door has TCP
    peers: [127.0.0.1]
    codecs: [PCMA]
"""
PLAN = r"""rules:
  - name: to bob
    from: trunk
    called: "+15550100002"
    then: {user: bob}
  - name: dtls
    from: native
    called: {regex: '\+155501993\d\d'}
    then: {trunk: dtls}
  - name: carrier
    from: native
    called: {regex: '\+155501990\d\d'}
    then: {trunk: demo}
  - name: wide
    from: native
    called: {regex: '\+155501994\d\d'}
    then: {trunk: wide}
  - name: lin
    from: native
    called: {regex: '\+155501995\d\d'}
    then: {trunk: lin}
"""
BOB = "+15550100002"


def own_address():
    """An address of this machine that is not loopback, "" if there is none: webrtcbin's checks leave by their interface."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("198.51.100.1", 9))  # nothing is sent
            found = s.getsockname()[0]
        return "" if found.startswith("127.") else found
    except OSError:
        return ""


class InteropGroup(Group):
    def settings(self):
        text = open(TOP + "/tests/demo/sallyport.yaml.in").read()
        if own_address():
            mark = "    - address: @ADDRESS@\n"
            check(text.count(mark) == 1, "the demonstration's template has another form")
            text = text.replace(mark, mark + "    - address: %s\n      side: apps\n" % own_address())
        for mark, more in (("\ntrunks:", "\n" + LISTENERS + "\ntrunks:"), ("\nrelays:", "\n" + TRUNKS + "\nrelays:")):
            check(text.count(mark) == 1, "the demonstration's template has another form")
            text = text.replace(mark, more)
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        for name, content in (("plan.yaml", PLAN), ("sallyport.yaml.in", text.replace("@TOP@/dialplans/demo.yaml", self.folder.name + "/plan.yaml"))):
            with open(os.path.join(self.folder.name, name), "w") as out:
                out.write(content)
        return {"template": self.folder.name + "/sallyport.yaml.in", "env": None}


INTEROP = InteropGroup("interop", programs=["baresip"])
INTEROP_LONG = InteropGroup("interop-long", programs=["baresip"], long=True)
LONG_S = 600


class Baresip:
    """with Baresip(house, "127.0.0.3", "mediaenc=dtls_srtp;audio_codecs=PCMA", numbers): …; .control is its Carrier"""

    def __init__(self, house, host, account, echo, tone):
        self.folder, self.host = tempfile.mkdtemp(prefix="sp-baresip-"), host
        self.ports = house.port("lab"), house.port("lab_peer"), house.port("lab_peer") + 40
        modules = next(m for m in ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules") if os.path.isdir(m))
        at, rest = "@%s;transport=udp" % host, ";regint=0;" + account
        with open(self.folder + "/config", "w") as out:
            out.write("\n".join(["poll_method epoll", "sip_listen %s:%d" % (host, self.ports[1]), "call_max_calls 8", "audio_buffer 20-160",
                                 "ausrc_srate 48000", "auplay_srate 48000", "ausrc_channels 2", "auplay_channels 2", "rtcp_mux yes",
                                 "rtp_ports %d-%d" % (self.ports[1] + 2000, self.ports[1] + 2060), "jitter_buffer_delay 2-10", "net_interface " + host,
                                 "dns_server 127.0.0.1:9", "module_path " + modules] +
                                ["module %s.so" % m for m in ("g711", "g722", "opus", "ausine", "aubridge", "srtp", "dtls_srtp")] +
                                ["module_app account.so", "module_app menu.so", "module_app ctrl_tcp.so", "ctrl_tcp_listen %s:%d" % (host, self.ports[2]), ""]))
        with open(self.folder + "/accounts", "w") as out:
            out.write("<sip:%s%s>%s;answermode=auto;audio_source=aubridge,echo;audio_player=aubridge,echo\n" % (echo, at, rest))
            out.write("<sip:%s%s>%s;answermode=auto;audio_source=ausine,1004;audio_player=aubridge,sink\n" % (tone, at, rest))
        self.tone = tone

    def __enter__(self):
        self.log = open(self.folder + "/log", "w")
        self.process = subprocess.Popen(["baresip", "-f", self.folder], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.control = wait_for("baresip", self.connect, 10)
        return self

    def connect(self):
        try:
            return Carrier(self.ports[2], self.host)
        except OSError:
            return None

    def dial(self, number):
        self.control.say("uafind", "sip:%s@%s" % (self.tone, self.host))
        self.control.say("dial", "sip:%s@%s:%d" % (number, self.host, self.ports[0]))

    def __exit__(self, failure, *_):
        self.control.socket.close()
        self.process.terminate()
        self.process.wait(5)
        self.log.close()
        if not failure:
            shutil.rmtree(self.folder)


class Linphone:
    """linphonec on every address, sound from and to files, commands by its prompt. It only answers: when it calls without a
    sound card it waits for its own ringing tone for ever."""

    CONFIG = """[sip]
sip_port=%(sip)d
sip_tcp_port=0
sip_tls_port=0
media_encryption=srtp
media_encryption_mandatory=1
guess_hostname=0
use_ipv6=0
use_info=0
use_rfc2833=1
[rtp]
audio_rtp_port=%(rtp)d-%(rtp_last)d
[sound]
echocancellation=0
[net]
firewall_policy=0
[video]
enabled=0
capture=0
display=0
[misc]
log_collection=0
"""

    def __init__(self, house, seconds=40):
        self.folder, self.port = tempfile.mkdtemp(prefix="sp-linphone-"), house.port("service")
        os.makedirs(self.folder + "/.local/share/linphone")  # without its database it opens no port
        with open(self.folder + "/rc", "w") as out:
            out.write(self.CONFIG % {"sip": self.port, "rtp": self.port + 50, "rtp_last": self.port + 58})
        write_wav(self.folder + "/say.wav", tone.make(1004, -10, 8000, 0, 8000 * seconds), 8000)

    def __enter__(self):
        self.log = open(self.folder + "/log", "w")
        self.process = subprocess.Popen(["linphonec", "-c", self.folder + "/rc", "-d", "0"], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
                                        env=dict(os.environ, HOME=self.folder), text=True)
        self.say("soundcard use files")
        self.say("ipv6 disable")
        self.say("autoanswer enable")
        self.said("Auto answer")
        return self

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def output(self):
        return open(self.folder + "/log", errors="replace").read()

    def said(self, text, seconds=10):
        wait_for("linphone's %s" % text, lambda: text in self.output(), seconds, 0.2)

    def sound(self):
        self.say("record %s/heard.wav" % self.folder)
        self.say("play %s/say.wav" % self.folder)

    def heard(self):
        """Frequency and level of the last second that it recorded."""
        with open(self.folder + "/heard.wav", "rb") as f:
            raw = f.read()
        rate = int.from_bytes(raw[24:28], "little")
        samples = numpy.frombuffer(raw[44:44 + (len(raw) - 44) // 2 * 2], dtype="<i2")[-rate:]
        return tone.measure(samples, rate)

    def __exit__(self, failure, *_):
        try:
            self.say("quit")
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait(5)
        self.log.close()
        if not failure:
            shutil.rmtree(self.folder)


def write_wav(path, samples, rate):
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())


def outward(house, peer, echo, tone, codec, suite):
    """App → peer: its tone, then our own sound back; hold and resume; digits; what the record says."""
    with App(house.demo, "alice") as alice:
        call = alice.place(tone)
        alice.wait("call.connected", call=call)
        alice.hears(1004)
        alice.done(alice.verb("dtmf", {"digits": "159#"}))
        wait_for("digits at the peer", lambda: peer.control.digits().endswith("159#"), 5)
        alice.done(alice.verb("hold"))
        alice.done(alice.verb("resume"))
        alice.client.media.forget()
        alice.hears(1004)
        alice.hangup()
        record = house.record(lambda r: r["id"] == call)
        leg = next(leg for leg in record["legs"] if leg["kind"] == "trunk")
        check(leg["codec"] == codec and suite in leg["srtp"], "the trunk's leg: %s" % leg)
        call = alice.place(echo)
        alice.wait("call.connected", call=call)
        alice.hears(700)
        alice.hangup()


def gst_media():
    """GStreamer's peer connection, or None where it is not installed or cannot reach us."""
    if not own_address():
        return None
    try:
        import gst_media as found
        return found
    except (ImportError, ValueError):
        return None


def inward(house, peer):
    with App(house.demo, "bob") as bob:
        peer.dial(BOB)
        bob.answer(bob.incoming())
        bob.hears(1004)
        time.sleep(0.2)
        bob.hangup()


@INTEROP.scenario("baresip with DTLS-SRTP: tones both ways, digits, hold; it calls in")
def dtls(house):
    with Baresip(house, "127.0.0.3", "mediaenc=dtls_srtp;audio_codecs=PCMA", "+15550199301", "+15550199302") as peer:
        outward(house, peer, "+15550199301", "+15550199302", "PCMA", "AES")
        inward(house, peer)


@INTEROP.scenario("baresip with Opus and SDES: the app's Opus passes as it is")
def opus(house):
    with Baresip(house, "127.0.0.4", "mediaenc=srtp-mand;audio_codecs=opus/48000/2", "+15550199401", "+15550199402") as peer:
        outward(house, peer, "+15550199401", "+15550199402", "opus", "AES")
        inward(house, peer)


@INTEROP.scenario("baresip with G.722 and SDES: transcoded to the app's Opus")
def g722(house):
    with Baresip(house, "127.0.0.4", "mediaenc=srtp-mand;audio_codecs=G722/16000/1", "+15550199401", "+15550199402") as peer:
        outward(house, peer, "+15550199401", "+15550199402", "G722", "AES")
        inward(house, peer)


@INTEROP.scenario("linphone with SDES: tones both ways, digits both ways, holds of both sides")
def linphone(house):
    if not shutil.which("linphonec"):
        print("# linphonec is not installed: left out")
        return
    with Linphone(house) as peer, App(house.demo, "alice") as alice:
        call = alice.place("+15550199501")
        alice.wait("call.connected", call=call)
        peer.sound()
        alice.hears(1004)
        alice.done(alice.verb("dtmf", {"digits": "159"}))
        peer.said("Receiving tone 9")
        peer.say("7")
        check(alice.wait("dtmf.received", call=call)["digit"] == "7", "a digit of linphone")
        alice.done(alice.verb("hold"))
        alice.done(alice.verb("resume"))
        alice.client.media.forget()
        alice.hears(1004)
        peer.say("pause")
        alice.wait("call.held", call=call)
        peer.say("resume")
        alice.wait("call.resumed", call=call)
        alice.client.media.forget()
        alice.hears(1004)
        alice.hangup()
        record = house.record(lambda r: r["id"] == call)
        check(all("AES" in leg["srtp"] for leg in record["legs"]), "the record: %s" % record["legs"])
        peer.said("ended")
        hz, level = peer.heard()  # its file is whole when the call is over
        check(abs(hz - 700) < 5 and level > -25, "linphone heard %.0f Hz at %.1f dBFS" % (hz, level))


def webrtcbin(house, media, codec):
    """An app on GStreamer's webrtcbin and the demonstration's carrier: each hears the other; hold and resume."""
    with App(house.demo, "alice", media=media) as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.connected", call=call)
        alice.hears(1004)
        alice.done(alice.verb("hold"))
        alice.done(alice.verb("resume"))
        alice.client.media.forget()
        alice.hears(1004)
        alice.done(alice.verb("dtmf", {"digits": "42"}))
        alice.hangup()
        record = house.record(lambda r: r["id"] == call)
        leg = next(leg for leg in record["legs"] if leg["kind"] == "native")
        check(leg["codec"] == codec and leg["rx"]["packets"] > 50, "the app's leg: %s" % leg)
        call = alice.place(house.demo["dial"]["echo"])
        alice.wait("call.connected", call=call)
        alice.hears(700)
        alice.hangup()


@INTEROP.scenario("GStreamer's webrtcbin with Opus, written from the contract: tones both ways, hold and resume, digits")
def webrtcbin_opus(house):
    found = gst_media()
    if not found:
        print("# GStreamer's webrtcbin is not installed, or the machine has loopback only: left out")
        return
    webrtcbin(house, found.GstMedia, "opus")


@INTEROP.scenario("GStreamer's webrtcbin with PCMU")
def webrtcbin_pcmu(house):
    found = gst_media()
    if found:
        webrtcbin(house, found.GstMediaPcmu, "PCMU")


def chromium_begin(house, number):
    """Headless Chromium in a call for as long; None where it is not installed."""
    if not (shutil.which("chromium") and shutil.which("node")):
        return None
    return subprocess.Popen(["node", TOP + "/tests/browser/call.mjs", "--demo", house.dir + "/demo.json", "--to", number, "--seconds",
                             str(LONG_S), "--timeout", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def chromium_end(process):
    told, said = process.communicate(timeout=120)
    check(process.returncode == 0, "Chromium's call: %s %s" % (told[-1500:], said[-1500:]))
    heard = json.loads(told)["heard"]
    check(abs(heard["frequency_hz"] - 1004) < 8 and heard["purity"] > 0.8, "Chromium heard %s" % heard)


@INTEROP_LONG.scenario("ten minutes with baresip (SDES and DTLS), linphone, aiortc, webrtcbin and Chromium at once: nothing drops")
def ten_minutes(house):
    found, numbers = gst_media(), [house.demo["dial"]["tone"], "+15550199302"] + (["+15550199501"] if shutil.which("linphonec") else [])
    with contextlib.ExitStack() as stack:
        stack.enter_context(Baresip(house, "127.0.0.3", "mediaenc=dtls_srtp;audio_codecs=PCMA", "+15550199301", "+15550199302"))
        peer = stack.enter_context(Linphone(house, LONG_S + 60)) if len(numbers) > 2 else None
        apps = [(stack.enter_context(App(house.demo, "alice", device="long%d" % i)), n) for i, n in enumerate(numbers)]
        if found:
            apps.append((stack.enter_context(App(house.demo, "bob", device="gst", media=found.GstMedia)), numbers[0]))
        for app, number in apps:
            app.wait("call.connected", call=app.place(number))
        browser = chromium_begin(house, numbers[0])
        if peer:
            peer.sound()
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            time.sleep(min(30, max(0, end - time.monotonic())))
            for app, number in apps:
                app.client.media.forget()
                app.hears(1004)
                check(not app.seen("call.ended"), "the call to %s ended: %s" % (number, app.seen("call.ended")))
        if browser:
            chromium_end(browser)
        calls = {app.client.call for app, _ in apps}
        for app, _ in apps:
            app.hangup()
        for call in calls:
            for leg in house.record(lambda r: r["id"] == call)["legs"]:
                check(leg["rx"]["packets"] > 49 * LONG_S * 0.9 and leg["rx"]["lost"] < leg["rx"]["packets"] / 200, "a leg of ten minutes: %s" % leg)
