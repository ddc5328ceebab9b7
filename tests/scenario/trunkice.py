# SPDX-License-Identifier: Apache-2.0
"""ICE on a trunk: baresip with its own ICE as the carrier, both agents full, ours lite, and ours behind a firewall that
leaves only a relay (coturn). Needs root."""
import contextlib
import os
import struct
import subprocess
import tempfile
import time

from app import App
from group import Group
from house import Carrier, House, check, wait_for
from netns import APP_HZ, CARRIER, CARRIER_HZ, TOWARD_BROWSER, TOWARD_CARRIER, Wire, aside, enter, here, ip, networks

TRUNKICE = Group("trunkice", shared=False, programs=["ip", "nft", "baresip", "turnserver"], root=True)
RELAY, RELAY_PORT = "10.77.1.3", 3478
BINDING, SUCCESS, USE_CANDIDATE, CONTROLLING = 0x0001, 0x0101, 0x0025, 0x802A
TURN = """  turn: {server: "%s:%d", username: gate, password_file: %s}
"""


def template(ice, turn):
    """The gateway of netns.yaml.in with that ICE on its trunk. One suite: baresip with ICE answers the first line before it
    has read which suite that is."""
    text = open(here + "/netns.yaml.in").read()
    text = text.replace("    fqdn: gw.sallyport.test\n", "    fqdn: gw.sallyport.test\n    ice: %s\n    suites: [AES_CM_128_HMAC_SHA1_80]\n" % ice)
    return text.replace("media:\n", "media:\n" + turn, 1)


@contextlib.contextmanager
def field(base, ice, turn=""):
    with networks() as names, tempfile.NamedTemporaryFile("w", suffix=".yaml.in") as f:
        f.write(template(ice, turn))
        f.flush()
        enter(names["gateway"])
        ip("addr", "add", RELAY + "/24", "dev", "tocarrier")
        env = {"SALLYPORT_ADDRESS": TOWARD_BROWSER, "SALLYPORT_TRUNK_ADDRESS": TOWARD_CARRIER, "SALLYPORT_CARRIER": CARRIER,
               "SALLYPORT_CARRIER_PREFIX": "ip netns exec " + names["carrier"], "SALLYPORT_CARRIER_FLAGS": "-s",
               "SALLYPORT_CARRIER_MUX": "yes", "SALLYPORT_CARRIER_MODULE": "ice.so", "SALLYPORT_CARRIER_ACCOUNT": ";medianat=ice"}
        wire = Wire("tocarrier")
        try:
            with House(base, "trunkice", template=f.name, env=env) as house:
                yield names, house, wire
        finally:
            wire.close()


def apart(test):
    return lambda base: aside(test, base)


def checks(wire):
    """{(source, kind): (how many, attributes seen)} of STUN Bindings on the wire."""
    found = {}
    for source, _, p in wire.packets():
        if len(p) < 20 or p[4:8] != b"\x21\x12\xa4\x42":
            continue
        kind, attrs, at = struct.unpack("!H", p[:2])[0], set(), 20
        while at + 4 <= len(p):
            attr, n = struct.unpack("!HH", p[at:at + 4])
            attrs.add(attr)
            at += 4 + (n + 3) // 4 * 4
        many, seen = found.get((source, kind), (0, set()))
        found[(source, kind)] = (many + 1, seen | attrs)
    return found


def rtp_sources(wire):
    return {source for source, _ in wire.media()[0]}


def call_out(house, names):
    with App(house.demo, "alice", enter=lambda: enter(names["browser"]), hz=APP_HZ) as alice:
        call = alice.place(house.demo["dial"]["echo"])
        alice.wait("call.connected", 15, call=call)
        alice.hears(APP_HZ, 10)
        time.sleep(1)
        alice.hangup()
    record = house.record(lambda r: r["id"] == call)
    for leg in record["legs"]:
        check("AES" in (leg["srtp"] or "") and leg["rx"]["packets"] > 20, "leg: %s" % leg)


def call_in(house, names):
    with App(house.demo, "alice", enter=lambda: enter(names["browser"]), hz=APP_HZ) as alice, \
            Carrier(house.port("ctrl"), CARRIER) as carrier:
        carrier.dial("+15550100001", house.port("tls"), TOWARD_CARRIER)
        event = alice.wait("call.incoming")
        alice.client.call = event["call"]
        alice.answer(event)
        carrier.wait("CALL_ESTABLISHED")
        alice.hears(CARRIER_HZ, 10)
        time.sleep(1)
        alice.hangup()


@TRUNKICE.scenario("two full agents: a call each way, checks and nomination by who offers")
@apart
def full(base):
    with field(base, "full") as (names, house, wire):
        call_out(house, names)
        seen = checks(wire)
        many, attrs = seen.get((TOWARD_CARRIER, BINDING), (0, set()))
        check(many and {USE_CANDIDATE, CONTROLLING} <= attrs, "our checks: %s" % seen)
        check((CARRIER, SUCCESS) in seen and (TOWARD_CARRIER, SUCCESS) in seen, "answers: %s" % seen)
        wire.frames.clear()
        call_in(house, names)
        seen = checks(wire)
        many, attrs = seen.get((CARRIER, BINDING), (0, set()))
        check(USE_CANDIDATE in attrs, "its nomination: %s" % seen)
        check(USE_CANDIDATE not in seen.get((TOWARD_CARRIER, BINDING), (0, set()))[1], "we were not to nominate: %s" % seen)
        check(rtp_sources(wire) >= {CARRIER, TOWARD_CARRIER}, "media: %s" % rtp_sources(wire))


@TRUNKICE.scenario("a lite agent of ours never asks, and answers")
@apart
def lite(base):
    with field(base, "lite") as (names, house, wire):
        for call in (call_out, call_in):
            wire.frames.clear()
            call(house, names)
            seen = checks(wire)
            check((CARRIER, BINDING) in seen and (TOWARD_CARRIER, SUCCESS) in seen, "checks: %s" % seen)
            check((TOWARD_CARRIER, BINDING) not in seen, "a lite agent asked: %s" % seen)
            check(rtp_sources(wire) >= {CARRIER, TOWARD_CARRIER}, "media: %s" % rtp_sources(wire))


@contextlib.contextmanager
def relay():
    """coturn at the second address toward the carrier, in the calling thread's namespace."""
    child = subprocess.Popen(["turnserver", "-n", "-L", RELAY, "-E", RELAY, "-p", str(RELAY_PORT), "-a", "-u", "gate:word of the gate", "-r", "sallyport.test",
                              "--no-tls", "--no-dtls", "--no-tcp", "--no-cli", "--no-stdout-log", "--log-file", "/dev/null", "--pidfile", "/dev/null",
                              "--userdb", "/nonexistent/turndb"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(10)


def no_direct_way(name):
    """The carrier's host lets no UDP through to or from the gateway's own address."""
    text = """table inet wall {
  chain out { type filter hook output priority 0; ip daddr %s meta l4proto udp drop; }
  chain in { type filter hook input priority 0; ip saddr %s meta l4proto udp drop; }
}
""" % (TOWARD_CARRIER, TOWARD_CARRIER)
    done = subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    check(done.returncode == 0, "nft: " + done.stderr)


@TRUNKICE.scenario("behind a firewall that passes only the relay: a call each way through coturn")
@apart
def relayed(base):
    with tempfile.NamedTemporaryFile("w") as password:
        password.write("word of the gate\n")
        password.flush()
        os.chmod(password.name, 0o600)
        with field(base, "full", TURN % (RELAY, RELAY_PORT, password.name)) as (names, house, wire), relay():
            no_direct_way(names["carrier"])
            time.sleep(0.5)
            for call in (call_out, call_in):
                wire.frames.clear()
                call(house, names)
                sources = rtp_sources(wire)
                check(RELAY in sources and CARRIER in sources, "media did not come by the relay: %s" % sources)
            wait_for("an end of all calls", lambda: not house.live_calls(), 5)
            for program in ("sallyportd", "media"):
                check("word of the gate" not in house.log(program), "the password is in the log of " + program)
