# SPDX-License-Identifier: Apache-2.0
"""Direct routing: two gateways of ours against each other, and an SBC or a hub written from the rows alone (section2.md)."""
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import ssl
import time

from app import App
from border import Certs, secure_sdp
from group import Group
from house import TOP, Failed, House, check, wait_for
from names import Dns, a
from peermedia import Media, crypto_line, crypto_of
from sipua import Dialog, StreamAgent

DIRECT = Group("direct", shared=False, programs=["baresip", "openssl"])
ALICE, BOB = "+15550100001", "+15550100002"
SUITE = "AES_CM_128_HMAC_SHA1_80"
HUB, HUB2, SBC, NAMES = "127.0.3.1", "127.0.3.2", "127.0.3.10", "127.0.3.53"

CONFIG = """
node: {user: @USER@, run_dir: @RUN@, state_dir: @STATE@, log_level: debug, resolvers: ["127.0.3.53:NAMES_PORT"]}
media:
  socket: @RUN@/media.sock
  native_port: @PORT_NATIVE@
  trunk_port_min: @PORT_RTP_MIN@
  trunk_port_max: @PORT_RTP_MAX@
  addresses: [{address: 127.0.0.1}]
service: {listen: "127.0.0.1:@PORT_SERVICE@", edge: "localhost:@PORT_SERVICE@", certificate: @CERTS@/gateway.pem,
          key: @CERTS@/gateway.key, token_key: @STATE@/token.key}
admin: {listen: "127.0.0.1:@PORT_ADMIN@", token_file: @STATE@/admin.token}
records: {file: @STATE@/records.db}
dialplan: DIR/plan.yaml
listeners:
  - {name: tls, transport: tls, address: "ADDRESS:@PORT_TLS@", certificate: DIR/own.pem, key: DIR/own.key, ca: DIR/roots.pem}
trunks:
TRUNKS
users:
  - {name: alice, numbers: ["ALICE"]}
  - {name: bob, numbers: ["BOB"]}
"""

PLAN = """
rules:
  - {name: own, called: "OWN", then: {user: USER}}
  - {name: out, from: native, called: {regex: '\\+1555\\d+'}, then: {trunk: TRUNK}}
"""


def more_ports():
    """Another hundred ports beside those of the runner: (first, the lock that keeps them)."""
    for base in range(12000, 31000, 100):
        keep = open("/tmp/sallyport-ports-%d" % base, "w")
        try:
            fcntl.flock(keep, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return base, keep
        except OSError:
            keep.close()
    raise Failed("no free ports")


def roots_of(certs):
    if not os.path.exists(certs.dir + "/other.pem"):
        certs.root()
    return certs.dir + "/other"


class Gateway(House):
    def __init__(self, base, name, address, certs, sans, names_port, trunks, user, trunk):
        super().__init__(base, name)
        roots = roots_of(certs) + ".pem"
        path = certs.make(name, sans, roots_of(certs))
        for kind in (".pem", ".key"):
            self.put("own" + kind, open(path + kind).read())
        self.put("roots.pem", open(roots).read())
        number = {"alice": ALICE, "bob": BOB}[user]
        self.put("plan.yaml", PLAN.replace("OWN", number).replace("USER", user).replace("TRUNK", trunk))
        text = CONFIG.replace("NAMES_PORT", str(names_port)).replace("DIR", self.dir).replace("ADDRESS", address)
        text = text.replace("ALICE", ALICE).replace("BOB", BOB).replace("TRUNKS", trunks.strip("\n"))
        self.put("template.yaml", text)
        self.env["SALLYPORT_TEMPLATE"] = self.dir + "/template.yaml"

    def put(self, name, text):
        path = "%s/%s" % (self.dir, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", 0o600 if name.endswith(".key") else 0o644)
        if os.geteuid() == 0:
            import shutil
            shutil.chown(path + ".new", "nobody")
        os.rename(path + ".new", path)

    def trunks(self):
        status, body = self.admin("/admin/v1/trunks")
        check(status == 200, "trunks: %d %s" % (status, body))
        return json.loads(body)

    def trunk(self, name):
        return next(t for t in self.trunks()["trunks"] if t["name"] == name)

    def wait_trunk(self, name, seconds=10, **wanted):
        def fits():
            seen.append(self.trunk(name))
            return all(seen[-1][k] == v for k, v in wanted.items()) and seen[-1]
        seen = []
        try:
            return wait_for("", fits, seconds, 0.1)
        except Failed:
            raise Failed("trunk %s is not %s but %s" % (name, wanted, seen[-1])) from None

    def change(self, old, new):
        """The running configuration with one text replaced, and taken."""
        path = next(p for p in (self.dir + "/live/sallyport.yaml", self.dir + "/sallyport.yaml") if os.path.exists(p))
        text = open(path).read()
        check(old in text, "not in the configuration: " + old)
        with open(path, "w") as f:
            f.write(text.replace(old, new))
        n = self.log().count("configuration reloaded")
        os.kill(self.pid("sallyportd"), signal.SIGHUP)
        wait_for("the reload", lambda: self.log().count("configuration reloaded") > n)


@contextlib.contextmanager
def names(port):
    zone = {"sip.hub.test": [a(HUB)], "sip2.hub.test": [a(HUB2)], "sbc.contoso.test": [a(SBC)], "sbc1.base.test": [a(SBC)],
            "sbc2.base.test": [a(SBC)]}
    with Dns(NAMES, port, zone) as server:
        yield server


def hub_trunk(port, more=""):
    return """
  - {name: contoso, kind: direct-routing, fqdn: sip.hub.test, listener: tls, peers: [sbc.contoso.test],
     target: "sip:sbc.contoso.test:%d;transport=tls", options_interval_s: 5%s}
""" % (port, more)


def sbc_trunk(port):
    return """
  - {name: service, kind: direct-routing, role: sbc, fqdn: sbc.contoso.test, listener: tls,
     hubs: ["sip.hub.test:%d", "sip2.hub.test:%d"], peers: ["*.hub.test"], options_interval_s: 5, options_down: 2}
""" % (port, port)


def both_hear(one, other):
    for app in (one, other):
        app.hears(700)


def call(one, other, number):
    n = len(other.client.events)
    one.place(number)
    event = other.run(other.client.wait("call.incoming", after=n))
    other.client.call = event["call"]
    other.answer(event)
    one.wait("call.connected", call=one.client.call)
    both_hear(one, other)
    one.hangup()
    other.wait("call.ended", call=event["call"])


@DIRECT.scenario("two gateways, hub and SBC: online in the order of proof, calls both ways, demoted when silent, back by itself")
def both_roles(base):
    base2, keep = more_ports()
    with keep, Certs() as certs, names(base + 4):
        hub = Gateway(base, "hub", HUB, certs, "DNS:sip.hub.test,DNS:sip2.hub.test", base + 4, hub_trunk(base2 + 2), "alice", "contoso")
        sbc = Gateway(base2, "sbc", SBC, certs, "DNS:sbc.contoso.test", base + 4, sbc_trunk(base + 2), "bob", "service")
        with hub:
            t = hub.trunk("contoso")
            check((t["overall"], t["tls"], t["options"], t["options_sent"]) == ("unknown", "unknown", "unknown", 0), "at first: %s" % t)
            with sbc:
                t = hub.wait_trunk("contoso", overall="online", tls="cert_expiring", options="active")
                check(t["options_received"] >= 1 and t["options_answered"] >= 1, "counts: %s" % t)
                t = sbc.wait_trunk("service", overall="online")
                check(t["targets"][0]["state"] == "up", "targets: %s" % t["targets"])
                with App(hub.demo, "alice") as alice, App(sbc.demo, "bob") as bob:
                    call(alice, bob, BOB)
                    call(bob, alice, ALICE)
                record = hub.record(lambda r: r["direction"] == "out" or r["legs"])
                leg = next(x for x in record["legs"] if x["kind"] == "trunk")
                check("AES" in (leg["srtp"] or ""), "srtp: %s" % leg["srtp"])
                sbc.wait_trunk("service", 20, overall="online")
            hub.wait_trunk("contoso", 30, overall="inactive")
            again = Gateway(base2, "sbc2", SBC, certs, "DNS:sbc.contoso.test", base + 4, sbc_trunk(base + 2), "bob", "service")
            with again:
                hub.wait_trunk("contoso", 15, overall="online", options="active")
