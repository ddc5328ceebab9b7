# SPDX-License-Identifier: Apache-2.0
"""Peers that nobody here wrote, at the trunk door with other keys and codecs than the demonstration's: baresip with
DTLS-SRTP, G.722 and Opus. The app is aiortc; what each hears is judged by its tone."""
import os
import shutil
import subprocess
import tempfile
import time

from app import App
from group import Group
from house import TOP, Carrier, check, wait_for

LISTENERS = """  - name: dtls
    transport: udp
    address: "127.0.0.3:@PORT_LAB@"
  - name: wide
    transport: udp
    address: "127.0.0.4:@PORT_LAB@"
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
  - name: wide
    from: native
    called: {regex: '\+155501994\d\d'}
    then: {trunk: wide}
"""
BOB = "+15550100002"


class InteropGroup(Group):
    def settings(self):
        text = open(TOP + "/tests/demo/sallyport.yaml.in").read()
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
