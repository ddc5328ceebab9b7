# SPDX-License-Identifier: Apache-2.0
"""Native relays: a browser behind a firewall that passes one TCP port, and what the relay refuses. The gateway's host
has two addresses toward the browser: signaling at one, coturn at the other, both with TLS at 443; the carrier is in a
network of its own. Needs root."""
import calendar
import contextlib
import glob
import json
import os
import signal
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
from netns import APP_HZ, BROWSER, CARRIER, CARRIER_HZ, TOWARD_BROWSER, TOWARD_CARRIER, aside, enter, here, ip, networks
from turnclient import CONNECT, NO_ANSWER, RELAYED, Turn, password_of

RELAY_GROUP = Group("relay", shared=False, programs=["ip", "nft", "baresip", "chromium", "node", "turnserver"], root=True)
RELAY = "10.77.2.3"
PER_USER = 4
PHONE_HZ = 1004  # the headless phone's own tone
SECTION = """
relays:
  - name: demo
    host: "@RELAY@"
    address: "@RELAY@"
    port: @PORT_RELAY@
    tls_port: @PORT_RELAY_TLS@
    port_min: @PORT_RELAY_MIN@
    port_max: @PORT_RELAY_MAX@
    secret_file: @STATE@/relay.secret
    certificate: @CERTS@/@RELAY_CERT@.pem
    key: @CERTS@/@RELAY_CERT@.key
    allocations_per_user: %d
""" % PER_USER


@contextlib.contextmanager
def field(base):
    """The gateway with its relay between two networks; the calling thread stays in the gateway's."""
    from house import House
    with networks() as names, tempfile.NamedTemporaryFile("w", suffix=".yaml.in") as template:
        template.write(open(here + "/netns.yaml.in").read() + SECTION)
        template.flush()
        ip("-n", names["gateway"], "addr", "add", RELAY + "/24", "dev", "tobrowser")
        enter(names["gateway"])
        env = {"SALLYPORT_ADDRESS": TOWARD_BROWSER, "SALLYPORT_TRUNK_ADDRESS": TOWARD_CARRIER, "SALLYPORT_CARRIER": CARRIER,
               "SALLYPORT_CARRIER_PREFIX": "ip netns exec " + names["carrier"], "SALLYPORT_RELAY_ADDRESS": RELAY,
               "SALLYPORT_PORT_SERVICE": "443", "SALLYPORT_PORT_RELAY": "3478", "SALLYPORT_PORT_RELAY_TLS": "443"}
        with House(base, "relay", template=template.name, env=env) as house:
            yield names, house


def apart(test):
    def run(base):
        with field(base) as (names, house):
            test(names, house)
    return lambda base: aside(run, base)


def inside(name, fn):
    """The result of fn, run in that namespace."""
    def body():
        enter(name)
        return fn()
    return aside(body)


@contextlib.contextmanager
def firewall(name, passed):
    """Nothing leaves or enters the browser's host but TCP to those (address, port); the rest is counted."""
    rules = "".join("    ip daddr %s tcp dport %d accept\n" % p for p in passed)
    back = "".join("    ip saddr %s tcp sport %d accept\n" % p for p in passed)
    text = """table inet wall {
  counter tried { }
  chain out { type filter hook output priority 0; policy drop;
    oif lo accept
%s    meta l4proto udp counter name tried
  }
  chain in { type filter hook input priority 0; policy drop;
    iif lo accept
%s  }
}
""" % (rules, back)
    command = ["ip", "netns", "exec", name, "nft"]
    done = subprocess.run(command + ["-f", "-"], input=text, capture_output=True, text=True, check=False)
    check(done.returncode == 0, "nft: " + done.stderr)

    def dropped():
        listed = json.loads(subprocess.run(command + ["-j", "list", "counter", "inet", "wall", "tried"], capture_output=True, check=True).stdout)
        return next(o["counter"]["packets"] for o in listed["nftables"] if "counter" in o)
    try:
        yield dropped
    finally:
        subprocess.run(command + ["delete", "table", "inet", "wall"], check=False)


def sound_of(path, before_end=None):
    """A second of what the carrier heard: in the middle, or one that ends so long before the end."""
    with wave.open(path) as w:
        rate, channels, n = w.getframerate(), w.getnchannels(), w.getnframes()
        samples = numpy.frombuffer(w.readframes(n), dtype=numpy.int16)[::channels]
    at = len(samples) // 2 if before_end is None else int(len(samples) - rate * (before_end + 0.5))
    return tone.measure(samples[at - rate // 2:at + rate // 2], rate)


def newest_sound(house, known):
    files = lambda: set(glob.glob(house.dir + "/carrier/sound/dump-*-dec.wav"))  # noqa: E731
    if known is None:
        return files()

    def whole():
        """Its header says how long it is once the carrier closed it."""
        for path in files() - known:
            try:
                with wave.open(path) as w:
                    if w.getnframes() > w.getframerate():
                        return path
            except (wave.Error, EOFError):
                pass
        return None
    return wait_for("the carrier's sound", whole, 10)


def browser_call(names, house, action, *more):
    """One call of Chromium in its namespace: (process, its report when it is done)."""
    command = ["ip", "netns", "exec", names["browser"], "node", TOP + "/tests/browser/call.mjs", "--demo", house.dir + "/demo.json",
               "--action", action, "--seconds", "6", "--tone", str(APP_HZ), "--timeout", "40", *more]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def report():
        out, err = child.communicate(timeout=120)
        check(out, "the browser: " + err[-800:])
        return json.loads(out)
    return child, report


def right(house, report, known, pair):
    """known: the carrier's files before the call."""
    check(report["ok"], "the browser: %s" % report.get("error"))
    carrier_file = newest_sound(house, known)
    check(report["pair"] == pair, "the pair is %s instead of %s" % (report["pair"], pair))
    heard = report["heard"]
    check(heard and abs(heard["frequency_hz"] - CARRIER_HZ) < 5 and heard["purity"] > 0.9, "the browser heard %s" % heard)
    hz, level = sound_of(carrier_file)
    check(abs(hz - APP_HZ) < 5 and level > -20, "the carrier heard %d Hz, %.1f dBFS" % (hz, level))
    check("AES" in report["srtp"], "no SRTP")
    record = house.record(lambda r: r["id"] == report["call"])
    for leg in record["legs"]:
        check("AES" in (leg["srtp"] or "") and leg["rx"]["lost"] <= leg["rx"]["packets"] / 50, "leg: %s" % leg)


def clean(house):
    """No secret and no password in what the programs said."""
    secret = open(house.dir + "/state/relay.secret").read().strip()
    for program in ("sallyportd", "media", "relay"):
        said = house.log(program)
        check(said and secret not in said, "the secret is in the log of " + program)


@RELAY_GROUP.scenario("Chromium behind a firewall that passes only TCP 443: a call each way, TURN over TLS")
@apart
def only_443(names, house):
    with firewall(names["browser"], [(TOWARD_BROWSER, 443), (RELAY, 443)]) as dropped, \
            Carrier(house.port("ctrl"), CARRIER) as carrier:
        known = newest_sound(house, None)
        _, report = browser_call(names, house, "place", "--to", house.demo["dial"]["tone"], "--digits", "159#")
        placed = report()
        right(house, placed, known, "relay/tls → host")
        wait_for("digits at the carrier", lambda: carrier.digits() == "159#", 3)
        known = newest_sound(house, None)
        child, report = browser_call(names, house, "receive")
        while child.stderr.readline().strip() not in ("ready", ""):
            pass
        carrier.dial("+15550100001", house.port("tls"), TOWARD_CARRIER)
        right(house, report(), known, "relay/tls → host")
        check(dropped() > 0, "the control: the firewall dropped no UDP")
    clean(house)


@RELAY_GROUP.scenario("Chromium behind a firewall without UDP: TURN over TCP 3478; a browser held to relays takes UDP")
@apart
def only_tcp(names, house):
    with firewall(names["browser"], [(TOWARD_BROWSER, 443), (RELAY, 3478)]) as dropped:
        known = newest_sound(house, None)
        _, report = browser_call(names, house, "place", "--to", house.demo["dial"]["tone"])
        right(house, report(), known, "relay/tcp → host")
        check(dropped() > 0, "the control: the firewall dropped no UDP")
    known = newest_sound(house, None)
    _, report = browser_call(names, house, "place", "--to", house.demo["dial"]["tone"], "--policy", "relay")
    right(house, report(), known, "relay/udp → host")


@RELAY_GROUP.scenario("UDP is shut in mid-call: the same call goes on by TURN over TLS")
@apart
def shut(names, house):
    command = ["ip", "netns", "exec", names["browser"], "node", TOP + "/tests/browser/live.mjs", "--demo", house.dir + "/demo.json", "udp-shut"]
    known = newest_sound(house, None)
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = child.stderr.readline().strip()
        check(said == "up", "the browser: " + said + child.stderr.read() if said != "up" else "")
        with firewall(names["browser"], [(TOWARD_BROWSER, 443), (RELAY, 443)]):
            begin = time.monotonic()
            _, said = child.communicate(timeout=90)
            check(child.returncode == 0, "the browser, %.0f s later: %s" % (time.monotonic() - begin, said))
    finally:
        child.kill()
    hz, _ = sound_of(newest_sound(house, known), 1.5)
    check(abs(hz - PHONE_HZ) < 5, "the carrier heard %d Hz in the end" % hz)
    wait_for("one closed record", lambda: len([r for r in house.records() if r["state"] != "live"]) == 1)


def credentials(house, names, body=None, user="alice"):
    with App(house.demo, user, enter=lambda: enter(names["browser"])) as alice:
        return alice.run(alice.client.ask("POST", "/relay-credentials", body or {}))


def shape(answer, seconds):
    check(len(answer["iceServers"]) == 1, "servers: %s" % answer)
    server = answer["iceServers"][0]
    check(server["urls"] == ["turn:%s:3478?transport=udp" % RELAY, "turn:%s:3478?transport=tcp" % RELAY, "turns:%s:443?transport=tcp" % RELAY],
          "urls: %s" % server["urls"])
    expiry, _, pseudonym = server["username"].partition(":")
    left = calendar.timegm(time.strptime(answer["expires_at"][:19], "%Y-%m-%dT%H:%M:%S"))
    check(abs(int(expiry) - left) <= 1 and abs(left - time.time() - seconds) < 5, "expiry: %s" % answer)
    check(pseudonym and "alice" not in pseudonym, "the identity is in the username")
    return server


def refusals(server, secret, other):
    """What the relay answers a client of its own: run in the browser's network."""
    relay, user, word = (RELAY, 3478), server["username"], server["credential"]
    name = user.partition(":")[2]
    old = "%d:%s" % (time.time() - 5, name)
    later = "%d:%s" % (time.time() + 86400, name)
    got = {"none": Turn(relay, "", "").ask(8, peer=(TOWARD_BROWSER, 9))}
    for what, (u, p) in {"wrong": (user, word[::-1]), "expired": (old, password_of(secret, old)), "other time": (later, word),
                         "rotated": (user, password_of("0123456789abcdef0123", user))}.items():
        with Turn(relay, u, p) as t:
            got[what] = t.allocate()
    with Turn(relay, user, word) as t:
        got["good"] = t.allocate()
        got["relayed"] = RELAYED in t.answer
        got["media"] = t.permit(TOWARD_BROWSER)
        for host in ("127.0.0.1", "0.0.0.0", "169.254.169.254", TOWARD_CARRIER, CARRIER, RELAY, BROWSER, "224.0.0.1", "255.255.255.255",
                     "192.0.2.1", "::1", "::ffff:127.0.0.1", "::ffff:10.77.1.2", "fe80::1", "ff02::1"):
            got["to " + host] = t.permit(host)
            got["bind " + host] = t.bind(host, 5060)
        got["connect"] = t.ask(CONNECT, peer=(TOWARD_BROWSER, 443))
    with Turn(relay, user, word) as t:
        got["tcp"] = t.allocate(transport=6)
    with Turn(relay, user, word) as t:
        got["ipv6"] = t.allocate(family=2)
        got["mapped"] = t.permit("::ffff:10.77.1.2")
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Turn(relay, other["username"], other["credential"])).allocate() for _ in range(PER_USER + 1)]
    got["many"] = many
    return got


@RELAY_GROUP.scenario("the relay refuses expired and forged credentials, every peer but our media, TCP, and more than a user's share")
@apart
def attacks(names, house):
    server = shape(credentials(house, names, {"ttl_s": 600}), 600)
    again = credentials(house, names)["iceServers"][0]
    check(again["username"].split(":")[1] == server["username"].split(":")[1], "the pseudonym changes: no share could be counted")
    other = credentials(house, names, user="bob")["iceServers"][0]
    check(other["username"].split(":")[1] != server["username"].split(":")[1], "two users, one pseudonym")
    secret = open(house.dir + "/state/relay.secret").read().strip()
    got = inside(names["browser"], lambda: refusals(server, secret, other))
    check(got["good"] == 0 and got["relayed"] and got["media"] == 0, "the control, good credentials: %s" % got)
    for what in ("none", "wrong", "expired", "other time", "rotated"):
        check(got[what] in (401, NO_ANSWER) or (what == "none" and got[what] == 437), "%s: %s" % (what, got))
    for what, code in got.items():
        if what.startswith(("to ", "bind ")):
            check(code in (403, 400, 443, NO_ANSWER), "%s: %s" % (what, code))
    check(got["connect"] != 0 and got["tcp"] != 0 and got["mapped"] != 0, "TCP or IPv6: %s" % got)
    check(got["many"][:PER_USER] == [0] * PER_USER and got["many"][-1] == 486, "the share of a user: %s" % got["many"])
    nothing_passes(names, house, server)
    clean(house)


def nothing_passes(names, house, server):
    """A packet through the relay reaches the media's address, and the carrier's network never."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind((TOWARD_BROWSER, 0))
        media.settimeout(1)
        victim = inside(names["carrier"], lambda: bound(CARRIER))

        def spray():
            with Turn((RELAY, 3478), server["username"], server["credential"]) as t:
                t.allocate()
                t.permit(TOWARD_BROWSER)
                t.send(b"to the media", *media.getsockname())
                t.send(b"to the carrier", *victim.getsockname())
                time.sleep(0.5)
            return True
        inside(names["browser"], spray)
        data, source = media.recvfrom(100)
        check(data == b"to the media" and source[0] == RELAY, "the control: %s from %s" % (data, source))
        victim.settimeout(0.5)
        try:
            check(False, "the carrier got %s" % victim.recv(100))
        except (TimeoutError, socket.timeout):
            pass
        victim.close()


def bound(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 0))
    return s


# On this machine alone, as ./run starts it ------------------------------------------------------------

AT_HOME = Group("relay at home", programs=["baresip", "turnserver"])


def home_credentials(house):
    with App(house.demo, "alice") as alice:
        return alice.run(alice.client.ask("POST", "/relay-credentials", {}))["iceServers"][0]


def allocates(house, server):
    with Turn(("127.0.0.1", house.port("relay")), server["username"], server["credential"]) as t:
        return t.allocate()


@AT_HOME.scenario("kill -9 of the relay: it comes back, credentials of before still work")
def death(house):
    server = home_credentials(house)
    check(allocates(house, server) == 0, "no allocation")
    dead = house.pid("relay")
    os.kill(dead, signal.SIGKILL)
    wait_for("another relay", lambda: house.pid("relay") != dead and allocates(house, server) == 0, 15)


@AT_HOME.scenario("another secret by a reload; one that cannot be used leaves the old one in force")
def rotation(house):
    file = house.dir + "/state/relay.secret"
    old, new = open(file).read().strip(), "a-new-secret-of-24-chars"

    def signed_by(secret):
        server = home_credentials(house)
        return server["credential"] == password_of(secret, server["username"])

    def reload_with(text, secret):
        with open(file, "w") as f:
            f.write(text)
        os.kill(house.pid("sallyportd"), signal.SIGHUP)
        wait_for("credentials by the secret", lambda: signed_by(secret), 5, 0.3)
    check(signed_by(old), "the control: credentials by the first secret")
    reload_with(new + "\n" + old + "\n", new)
    known = house.log().count("the secret stays as it was loaded")
    reload_with("short\n", new)
    wait_for("the warning", lambda: house.log().count("the secret stays as it was loaded") > known, 5)
    check(new not in house.log() and old not in house.log(), "a secret in the log")
    reload_with(old + "\n", old)
    check(allocates(house, home_credentials(house)) == 0, "the relay does not take it")
