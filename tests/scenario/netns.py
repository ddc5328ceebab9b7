# SPDX-License-Identifier: Apache-2.0
"""Three network namespaces: a carrier, a gateway with an address toward each, a browser. All that goes over both
wires is kept, and searched for what belongs to the other side (S14 to S16). Needs root."""
import concurrent.futures
import contextlib
import ctypes
import os
import re
import socket
import struct
import subprocess
import threading
import time

import tone
from app import App
from group import Group
from house import Carrier, Failed, House, check, wait_for

here = os.path.dirname(os.path.abspath(__file__))
NETNS = Group("netns", shared=False, programs=["ip", "nft", "baresip"], root=True)
CARRIER, TOWARD_CARRIER, TOWARD_BROWSER, BROWSER = "10.77.1.2", "10.77.1.1", "10.77.2.1", "10.77.2.2"
APP_HZ, CARRIER_HZ = 700, 1004
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def aside(fn, *args):
    """What fn returns or raises, run in a thread of its own, since it moves into a namespace."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(fn, *args).result()


def enter(name):
    """Moves the calling thread into a namespace."""
    with open("/run/netns/" + name) as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + name)


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    check(done.returncode == 0, "ip %s: %s" % (" ".join(words), done.stderr))


@contextlib.contextmanager
def networks():
    """The three namespaces, by names of our own."""
    names = {n: "sp%d%s" % (os.getpid(), n) for n in ("carrier", "gateway", "browser")}
    made = []
    try:
        for name in names.values():
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        for side, near, far in (("carrier", TOWARD_CARRIER, CARRIER), ("browser", TOWARD_BROWSER, BROWSER)):
            ip("-n", names["gateway"], "link", "add", "to" + side, "type", "veth", "peer", "name", "eth0", "netns", names[side])
            ip("-n", names["gateway"], "addr", "add", near + "/24", "dev", "to" + side)
            ip("-n", names["gateway"], "link", "set", "to" + side, "up")
            ip("-n", names[side], "addr", "add", far + "/24", "dev", "eth0")
            ip("-n", names[side], "link", "set", "eth0", "up")
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


class Wire:
    """All frames of one interface of the gateway."""

    def __init__(self, interface):
        self.frames = []
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.socket.settimeout(0.1)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stop.is_set():
            try:
                self.frames.append(self.socket.recv(65536))
            except OSError:
                pass

    def close(self):
        self.stop.set()
        self.thread.join(2)
        self.socket.close()

    def packets(self):
        """(source, destination, UDP payload) of each datagram."""
        for f in self.frames:
            if f[12:14] == b"\x08\x00" and f[23] == 17:
                at = 14 + 4 * (f[14] & 15)
                yield socket.inet_ntoa(f[26:30]), socket.inet_ntoa(f[30:34]), f[at + 8:]

    def addresses(self):
        found = set()
        for f in self.frames:
            if f[12:14] == b"\x08\x00":
                found |= {socket.inet_ntoa(f[26:30]), socket.inet_ntoa(f[30:34])}
        return found

    def media(self):
        """{(source, SSRC): [payloads]} of RTP and {SSRC} of RTP and RTCP."""
        flows, ssrcs = {}, set()
        for source, _, p in self.packets():
            if len(p) < 12 or p[0] >> 6 != 2:
                continue
            if 64 <= (p[1] & 0x7F) <= 95:
                ssrcs.add(struct.unpack("!I", p[4:8])[0])
                continue
            ssrc = struct.unpack("!I", p[8:12])[0]
            ssrcs.add(ssrc)
            flows.setdefault((source, ssrc), []).append(p[12 + 4 * (p[0] & 15):])
        return flows, ssrcs


def tokens_of_sdp(texts):
    """What in session descriptions belongs to one side alone."""
    found = set()
    for text in texts:
        for pattern in (r"inline:([A-Za-z0-9+/=]{20,})", r"a=ice-ufrag:(\S+?)(?:\\r|\s|$)", r"a=ice-pwd:(\S+?)(?:\\r|\s|$)",
                        r"a=fingerprint:\S+ ([0-9A-Fa-f:]{40,})", r"a=ssrc:(\d+)", r"cname:(\S+?)(?:\\r|\s|$)",
                        r"a=candidate:\S+ \d \S+ \d+ (\S+) ", r"c=IN IP4 (\S+?)(?:\\r|\s|$)"):
            found |= set(re.findall(pattern, text))
    return {t for t in found if len(t) > 5 and t not in ("0.0.0.0", "127.0.0.1")}


def no_tone(wire, name):
    flows, _ = wire.media()
    check(len(flows) >= 2, "the wire of the %s carries %d media flows" % (name, len(flows)))
    for (source, ssrc), payloads in flows.items():
        check(len(payloads) > 50, "few packets from %s" % source)
        for read in (tone.of_ulaw, tone.of_alaw):
            sound = read(b"".join(p[:160] for p in payloads[:200]))
            for hz in (APP_HZ, CARRIER_HZ):
                got = tone.share(sound, 8000, hz)
                check(got < 0.05, "media of %s (SSRC %x), read as G.711, shows %d Hz: %.2f" % (source, ssrc, hz, got))


def nothing_of(tokens, texts, what):
    for token in tokens:
        for text in texts:
            if token.lower() in text.lower():
                raise Failed("%s: \"%s\" in: %s" % (what, token, text[:400]))


def searches(house, alice, wires, ssrcs_of_app):
    """The searches of acceptance 4, each with a control that it can find something."""
    sip = [re.sub(r"\x1b\[[0-9;]*m", "", open(house.dir + "/carrier/log", errors="replace").read())]
    http = alice.client.bodies
    of_trunk = tokens_of_sdp(sip) | {CARRIER, TOWARD_CARRIER}
    of_app = tokens_of_sdp(http) | {BROWSER, TOWARD_BROWSER}
    check(len([t for t in of_trunk if len(t) >= 40]) >= 2, "keys were not found in the SIP trace: %s" % of_trunk)
    check(len(of_app) >= 8, "few tokens in the app's descriptions: %s" % of_app)
    check(CARRIER in sip[0] and BROWSER in " ".join(http), "the controls")
    nothing_of(of_trunk, http, "of the trunk, told to the app")
    nothing_of(of_app, sip, "of the app, told to the trunk")
    for wire, tokens, name in ((wires["browser"], of_trunk, "browser"), (wires["carrier"], of_app, "carrier")):
        raw = b"".join(wire.frames)
        for token in tokens:
            check(token.encode() not in raw, "\"%s\" in clear on the wire of the %s" % (token, name))
    check(not wires["browser"].addresses() & {CARRIER, TOWARD_CARRIER}, "carrier's addresses on the browser's wire")
    check(not wires["carrier"].addresses() & {BROWSER, TOWARD_BROWSER}, "browser's addresses on the carrier's wire")
    carrier_flows, carrier_ssrcs = wires["carrier"].media()
    browser_flows, browser_ssrcs = wires["browser"].media()
    check(ssrcs_of_app & browser_ssrcs, "the control: the app's SSRC on its own wire")
    check(not carrier_ssrcs & browser_ssrcs, "an SSRC on both wires")
    on_carrier = {p for flow in carrier_flows.values() for p in flow}
    check(not any(p in on_carrier for flow in browser_flows.values() for p in flow), "a payload on both wires")
    no_tone(wires["carrier"], "carrier")
    no_tone(wires["browser"], "browser")


def scenario(base, names):
    enter(names["gateway"])
    sound = tone.make(APP_HZ, -10, 8000, 0, 8000)
    check(tone.share(tone.of_ulaw(tone.to_ulaw(sound)), 8000, APP_HZ) > 0.9, "the control: a tone that is there")
    env = {"SALLYPORT_ADDRESS": TOWARD_BROWSER, "SALLYPORT_TRUNK_ADDRESS": TOWARD_CARRIER, "SALLYPORT_CARRIER": CARRIER,
           "SALLYPORT_CARRIER_PREFIX": "ip netns exec " + names["carrier"], "SALLYPORT_CARRIER_FLAGS": "-s"}
    with House(base, "netns", template=here + "/netns.yaml.in", env=env) as house:
        wires = {"carrier": Wire("tocarrier"), "browser": Wire("tobrowser")}
        try:
            with App(house.demo, "alice", enter=lambda: enter(names["browser"]), hz=APP_HZ) as alice, \
                    Carrier(house.port("ctrl"), CARRIER) as carrier:
                call = alice.place(house.demo["dial"]["tone"])
                alice.wait("call.connected", call=call)
                alice.hears(CARRIER_HZ)
                time.sleep(3)
                ours = {int(s) for s in re.findall(r"a=ssrc:(\d+)", alice.client.media.pc.localDescription.sdp)}
                alice.hangup()
                known = len(alice.client.events)
                carrier.dial("+15550100001", house.port("tls"), TOWARD_CARRIER)
                event = alice.wait("call.incoming", after=known)
                alice.client.call = event["call"]
                alice.answer(event)
                carrier.wait("CALL_ESTABLISHED")
                alice.hears(CARRIER_HZ)
                time.sleep(3)
                alice.hangup()
                for record in wait_for("a closed record", lambda: [r for r in house.records() if r["state"] != "live"]):
                    for leg in record["legs"]:
                        check("AES" in (leg["srtp"] or ""), "a leg without SRTP: %s" % leg)
                time.sleep(0.5)
                for wire in wires.values():
                    wire.close()
                searches(house, alice, wires, ours)
        finally:
            for wire in wires.values():
                wire.close()


def lossy(base, names):
    """One packet of ten from the app is lost on the way."""
    enter(names["gateway"])
    env = {"SALLYPORT_ADDRESS": TOWARD_BROWSER, "SALLYPORT_TRUNK_ADDRESS": TOWARD_CARRIER, "SALLYPORT_CARRIER": CARRIER,
           "SALLYPORT_CARRIER_PREFIX": "ip netns exec " + names["carrier"]}

    def nft(*words):
        ip("netns", "exec", names["browser"], "nft", *words)
    with House(base, "netns", template=here + "/netns.yaml.in", env=env) as house, \
            App(house.demo, "alice", enter=lambda: enter(names["browser"]), hz=APP_HZ) as alice:
        call = alice.place(house.demo["dial"]["tone"], features={"network": "wired"})
        alice.wait("call.connected", call=call)
        alice.hears(CARRIER_HZ)
        nft("add table inet loss")
        nft("add chain inet loss out { type filter hook output priority 0; }")
        nft("add rule inet loss out meta l4proto udp numgen random mod 10 0 drop")

        def told(kind):
            return [e for e in alice.client.events if e["event"] == kind]

        def up():
            return [e for e in told("media.quality") if e["direction"] == "up" and 0.03 < e["loss"] < 0.25]
        wait_for("loss told", lambda: len(up()) >= 2, 20)
        check(all(2.2 < e["mos"] < 4.3 for e in up()[1:]), up())
        restart = told("media.restart")
        check(len(restart) == 1 and restart[0]["reason"] == "loss", "restarts: %s" % restart)
        nft("delete table inet loss")
        check(alice.snapshot()["codec"] == "PCMU", alice.snapshot())
        alice.reload()
        alice.hears(CARRIER_HZ, 10)
        check(alice.snapshot()["codec"] == "opus", alice.snapshot())
        alice.hangup()
        record = house.record(lambda r: r["id"] == call)
        leg = next(leg for leg in record["legs"] if leg["kind"] == "native")
        check(leg["rx"]["lost"] > 20 and leg["rx"]["mos"] < 4.35, leg)


def in_networks(fn, *args):
    with networks() as names:
        aside(fn, *args, names)


@NETNS.scenario("nothing of one leg is seen on the other, no tone in secured media")
def apart(base):
    in_networks(scenario, base)


@NETNS.scenario("loss on the app's way is told, scored, and a new offer asked for once")
def loss(base):
    in_networks(lossy, base)
