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
from names import Dns, a, srv
from peermedia import Media, crypto_line, crypto_of
from sipua import Agent, Dialog, StreamAgent, audio_sdp

DIRECT = Group("direct", shared=False, programs=["baresip", "openssl"])
ALICE, BOB, TENANTS = "+15550100001", "+15550100002", "+15559990001"
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
        text = CONFIG.replace("TRUNKS", trunks.strip("\n")).replace("NAMES_PORT", str(names_port)).replace("DIR", self.dir)
        text = text.replace("ADDRESS", address).replace("ALICE", ALICE).replace("BOB", BOB)
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
def names(port, more=None):
    zone = {"sip.hub.test": [a(HUB)], "sip2.hub.test": [a(HUB2)], "sbc.contoso.test": [a(SBC)], "sbc1.base.test": [a(SBC)],
            "sbc2.base.test": [a(SBC)]}
    zone.update(more or {})
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


# One gateway, and SBCs or hubs of our own agent ------------------------------------------------------


class Standing(Gateway):
    """A gateway with the names and certificates that it needs around it."""

    def __init__(self, base, name, address, sans, trunks, user, trunk):
        self.certs = Certs()
        super().__init__(base, name, address, self.certs, sans, base + 4, trunks, user, trunk)

    def __enter__(self):
        self.names = names(self.base + 4)
        self.names.__enter__()
        try:
            return super().__enter__()
        except BaseException:
            self.names.__exit__(None, None, None)
            raise

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.names.__exit__(None, None, None)
            self.certs.__exit__()

    def agent(self, host, sans, name, peer, **more):
        """Our agent with a certificate of its own for those names, known as name."""
        path = "%s/%s" % (self.certs.dir, re.sub(r"\W", "-", sans))
        if not os.path.exists(path + ".pem"):
            self.certs.make(os.path.basename(path), sans, roots_of(self.certs))
        root = roots_of(self.certs) + ".pem"
        client, server = ssl.create_default_context(cafile=root), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=root)
        client.check_hostname = False
        server.verify_mode = ssl.CERT_REQUIRED
        for c in (client, server):
            c.load_cert_chain(path + ".pem", path + ".key")
        return StreamAgent(self.port("lab_peer"), (peer, self.port("tls")), host, name=name, client=client, server=server, **more)


class HubHouse(Standing):
    def __init__(self, base, name, **_):
        one = "one"
        trunks = hub_trunk(base + 4, ", max_calls_per_s: 100") + """
  - {name: adatum, kind: direct-routing, fqdn: sip.hub.test, listener: tls, peers: ["*.base.test"],
     target: "sip:sbc2.base.test:%d;transport=tls", options_interval_s: 5}
  - {name: tenant, base: adatum, fqdn: one.hub.test, peers: [sbc1.base.test], target: "sip:sbc1.base.test:%d;transport=tls",
     certificate: DIR/one.pem, key: DIR/one.key}
""" % (base + 4, base + 4)
        super().__init__(base, name, HUB, "DNS:sip.hub.test,DNS:sip2.hub.test", trunks, "alice", "contoso")
        path = self.certs.make(one, "DNS:one.hub.test", roots_of(self.certs))
        plan = open(self.dir + "/plan.yaml").read()
        self.put("plan.yaml", plan.replace("rules:", 'rules:\n  - {name: tenant, from: native, called: "%s", then: {trunk: tenant}}' % TENANTS))
        self.put("one.pem", open(path + ".pem").read())
        self.put("one.key", open(path + ".key").read())

    def sbc(self, name="sbc.contoso.test", sans=None):
        return self.agent(SBC, sans or "DNS:" + name, name, HUB)


ROWS = Group("direct hub", programs=["openssl", "baresip"], house=HubHouse)


def options(sip, contact=None, more=""):
    d = Dialog(sip, "x", host="sip.hub.test")
    d.cseq = 1
    text = d.head("OPTIONS", uri="sip:sip.hub.test:%d" % sip.peer[1], more=more)
    contact = "<sip:%s:%d;transport=tls>" % (sip.shown, sip.port) if contact is None else contact
    text = re.sub(r"Contact: [^\r]*\r\n", "Contact: %s\r\n" % contact if contact else "", text)
    sip.send(text)
    return d.answer(200, method="OPTIONS")


def invite(sip, contact=None, more="", sdp="", to=ALICE, app=None):
    """Our INVITE and its answer: the refusal, or the 180 once the app has it."""
    d = Dialog(sip, to, host="sip.hub.test")
    d.cseq = 1
    text = d.head("INVITE", more=more)
    if contact:
        text = re.sub(r"Contact: [^\r]*\r\n", "Contact: %s\r\n" % contact, text)
    sip.send(text, sdp)
    d.invite_branch = d.branch
    if app:
        app.incoming()
    got = d.answer(180 if app else 300)
    if got.status >= 300:
        d.ack(got)
    return d, got


def refused(got, status, word):
    check(got.status == status and word in got.get("warning"), "%s, Warning: %s" % (got.first, got.get("warning")))


@ROWS.scenario("O-1 to O-4, C-16: the SBC starts; 200 on the same connection; then our OPTIONS to its Contact; then online")
def proof(house):
    t = house.trunk("contoso")
    check((t["overall"], t["options_sent"]) == ("unknown", 0), "before: %s" % t)
    with house.sbc() as sip:
        sip.silence(1.2)
        connection = sip.last or sip.connect()
        check(options(sip).status == 200, "OPTIONS")
        check(sip.last is connection, "answered elsewhere")
        ours = sip.request("OPTIONS")
        check(sip.last is not connection, "ours came on the SBC's own connection, not to its Contact")
        check(ours.first == "OPTIONS sip:sbc.contoso.test:%d SIP/2.0" % sip.port, ours.first)
        check(ours.get("contact") == "<sip:sip.hub.test:%d;transport=tls>" % house.port("tls"), "Contact: " + ours.get("contact"))
        check(ours.get("cseq").endswith(" OPTIONS") and "TLS sip.hub.test:" in ours.get("via") and "sip.hub.test" in ours.get("from"), ours.text())
        check(house.trunk("contoso")["overall"] == "unknown", "online before it answered")
        sip.reply(ours, 200)
        t = house.wait_trunk("contoso", 3, overall="online", options="active", tls="cert_expiring")
        check(t["peer_certificate_expiry_s"] > time.time() and t["certificate_expiry_s"] > time.time(), "ends: %s" % t)
        check(any("certificate ends in" in x["text"] for x in house.trunks()["alarms"]), "alarms")


@ROWS.scenario("C-10: an address in the Contact or the Record-Route is refused with 403, in OPTIONS and INVITE; OPTIONS need a Contact")
def literals(house):
    with house.sbc() as sip, Media() as media:
        sdp = secure_sdp(media)
        refused(options(sip, contact="<sip:127.0.3.10:%d;transport=tls>" % sip.port), 403, "names only")
        refused(options(sip, more="Record-Route: <sip:127.0.3.10;lr>\r\n"), 403, "names only")
        refused(options(sip, contact=""), 400, "Contact")
        refused(invite(sip, contact="<sip:+1@127.0.3.10:%d;transport=tls>" % sip.port, sdp=sdp)[1], 403, "names only")
        refused(invite(sip, more="Record-Route: <sip:127.0.3.10;lr>\r\n", sdp=sdp)[1], 403, "names only")


@ROWS.scenario("C-9, C-11: the Contact is the certificate's name; of several the first one counts")
def contacts(house):
    good, bad = "<sip:+1@sbc.contoso.test:%d;transport=tls>", "<sip:+1@other.contoso.test:%d;transport=tls>"
    with house.sbc() as sip, Media() as media, App(house.demo, "alice") as alice:
        sdp = secure_sdp(media)
        refused(invite(sip, contact=bad % sip.port, sdp=sdp)[1], 403, "other.contoso.test")
        refused(invite(sip, contact=(bad + ", " + good) % (sip.port, sip.port), sdp=sdp)[1], 403, "other.contoso.test")
        d, got = invite(sip, contact=(good + ", " + bad) % (sip.port, sip.port), sdp=sdp, app=alice)
        check(got.status == 180, got.text())
        d.cancel()
        check(d.answer(300).status == 487, "CANCEL")


def tenant_of(house, sip, media, alice):
    """The trunk that a call of this SBC is of, as the log says it."""
    d, got = invite(sip, sdp=secure_sdp(media), app=alice)
    check(got.status == 180, got.text())
    d.cancel()
    d.ack(d.answer(300))
    return re.findall(r"placed by (\w+),", house.log())[-1]


@ROWS.scenario("C-7, I-3 to I-5: a wildcard stands for one label; tenants by the Contact's whole name, then by the parent domain")
def tenants(house):
    with Media() as media:
        for name, trunk in (("sbc1.base.test", "tenant"), ("sbc2.base.test", "adatum")):
            with house.sbc(name, "DNS:*.base.test") as sip, App(house.demo, "alice") as alice:
                got = tenant_of(house, sip, media, alice)
                check(got == trunk, "%s was taken for %s" % (name, got))
        with house.sbc("a.b.base.test", "DNS:*.base.test") as sip:
            refused(invite(sip, sdp=secure_sdp(media))[1], 403, "a.b.base.test")


@ROWS.scenario("O-9: OPTIONS of the base are the health of its tenants")
def base_health(house):
    with house.sbc("sbc2.base.test", "DNS:*.base.test") as sip:
        check(options(sip).status == 200, "OPTIONS")
        ours = sip.request("OPTIONS")
        sip.reply(ours, 200)
        for name in ("adatum", "tenant"):
            house.wait_trunk(name, 3, overall="online")
        check(house.trunk("tenant")["base"] == "adatum", "base")


@ROWS.scenario("C-12, I-5: the name that is asked for chooses the certificate; calls of a tenant show its name and certificate")
def sni(house):
    def subject(name):
        context = ssl.create_default_context(cafile=roots_of(house.certs) + ".pem")
        context.check_hostname = False
        context.load_cert_chain(*(house.certs.dir + "/one" + kind for kind in (".pem", ".key")))
        with socket.create_connection((HUB, house.port("tls")), 5) as plain, context.wrap_socket(plain, server_hostname=name) as s:
            return s.getpeercert()["subjectAltName"][0][1]
    check(subject("one.hub.test") == "one.hub.test", "one: " + subject("one.hub.test"))
    check(subject("sip.hub.test") == "sip.hub.test", "sip: " + subject("sip.hub.test"))
    check(subject("nobody.test") == "sip.hub.test", "the listener's for other names")
    with house.sbc("sbc1.base.test", "DNS:*.base.test") as sip, App(house.demo, "alice") as alice:
        alice.place(TENANTS)
        request = sip.request("INVITE")
        shown = sip.last.getpeercert()["subjectAltName"][0][1]
        check(shown == "one.hub.test", "the certificate of our connection is " + shown)
        check(all("one.hub.test" in request.get(name) for name in ("via", "from", "contact")), request.text())
        sip.reply(request, 486)
        sip.request("ACK")


@ROWS.scenario("Enabled=false drains: OPTIONS and calls get 503, the live call stays; and back")
def drain(house):
    with house.sbc() as sip, Media() as media, App(house.demo, "alice") as alice:
        sdp = secure_sdp(media)
        d = Dialog(sip, ALICE, host="sip.hub.test").invite(sdp)
        alice.answer(alice.incoming())
        ok = d.answer(200)
        d.ack(ok)
        live = alice.client.call
        house.change("{name: contoso,", "{name: contoso, enabled: false,")
        gone = options(sip)
        check(gone.status == 503 and gone.get("retry-after"), gone.text())
        refused(invite(sip, sdp=sdp)[1], 503, "enabled is false")
        problem = alice.refused(lambda: alice.place(BOB))
        check("drain" in str(problem) or "trunk" in str(problem) or problem.status in (503, 422), str(problem))
        check(any(c["id"] == live for c in house.live_calls()), "the live call is gone")
        house.change("{name: contoso, enabled: false,", "{name: contoso,")
        check(options(sip).status == 200, "not back")
        check(d.bye().status == 200, "BYE")


# We are the SBC --------------------------------------------------------------------------------------


class SbcHouse(Standing):
    def __init__(self, base, name, **_):
        super().__init__(base, name, SBC, "DNS:sbc.contoso.test", sbc_trunk(base + 4), "bob", "service")

    def hub(self, host, name):
        return self.agent(host, "DNS:" + name, name, SBC)


GUEST = Group("direct sbc", programs=["openssl", "baresip"], house=SbcHouse)


def hub_answers(hub, request, media):
    mine = next(o for o in crypto_of(request.body) if o[1] == SUITE)
    secure_sdp(media)
    media.secure(SUITE, media.key, mine[2], b"", mine[3])
    media.to(request.body)
    hub.reply(request, 200, sdp=media.sdp("RTP/SAVP", crypto_line(mine[0], SUITE, media.key)))
    hub.request("ACK")


@GUEST.scenario("C-1, O-1, O-4: we start, toward each of the hub's names, in the exact shape; the hub's own OPTIONS are answered")
def guest_options(house):
    with house.hub(HUB, "sip.hub.test") as one, house.hub(HUB2, "sip2.hub.test") as two:
        for hub, name in ((one, "sip.hub.test"), (two, "sip2.hub.test")):
            m = hub.request("OPTIONS")
            check(m.first == "OPTIONS sip:%s:%d SIP/2.0" % (name, hub.port), m.first)
            check(m.get("contact") == "<sip:sbc.contoso.test:%d;transport=tls>" % house.port("tls"), "Contact: " + m.get("contact"))
            check("sbc.contoso.test" in m.get("via") and "sbc.contoso.test" in m.get("from"), m.text())
            hub.reply(m, 200)
        t = house.wait_trunk("service", 3, overall="online")
        check([x["state"] for x in t["targets"]] == ["up", "up"], "targets: %s" % t["targets"])
        d = Dialog(one, "x", host="sbc.contoso.test")
        d.cseq = 1
        one.send(d.head("OPTIONS", uri="sip:sbc.contoso.test:%d;transport=tls" % house.port("tls")))
        check(d.answer(200, method="OPTIONS").status == 200, "the hub's OPTIONS")


@GUEST.scenario("I-18, C-13: a busy data centre is left, its connection closed, the next name takes the call")
def guest_busy(house):
    with house.hub(HUB, "sip.hub.test") as one, house.hub(HUB2, "sip2.hub.test") as two, Media() as media, App(house.demo, "bob") as bob:
        for hub in (one, two):
            hub.reply(hub.request("OPTIONS"), 200)
        call = bob.place(ALICE)
        request = one.request("INVITE")
        check("@sip.hub.test" in request.first, request.first)
        busy = one.last
        one.reply(request, 503, more="Retry-After: 1\r\n")
        request = two.request("INVITE")
        check("@sip2.hub.test" in request.first, "the other name: " + request.first)
        hub_answers(two, request, media)
        bob.wait("call.connected", call=call)

        def closed():
            one.receive(0.1)
            return busy not in one.streams
        wait_for("the end of the busy one's connection", closed, 5)
        bob.hangup()
        two.reply(two.request("BYE"), 200)


@GUEST.scenario("C-1, I-21: a data centre that is gone costs no call: the next name takes it")
def guest_dead(house):
    with house.hub(HUB2, "sip2.hub.test") as two, Media() as media, App(house.demo, "bob") as bob:
        call = bob.place(ALICE)
        hub_answers(two, two.request("INVITE"), media)
        bob.wait("call.connected", call=call)
        bob.hangup()
        two.reply(two.request("BYE"), 200)


# Renewal ---------------------------------------------------------------------------------------------

RENEWAL = Group("renewal", programs=["openssl", "baresip"], house=HubHouse)


def serial(house):
    context = ssl.create_default_context(cafile=roots_of(house.certs) + ".pem")
    context.check_hostname = False
    context.load_cert_chain(*(house.certs.dir + "/one" + kind for kind in (".pem", ".key")))
    with socket.create_connection((HUB, house.port("tls")), 5) as plain, context.wrap_socket(plain, server_hostname="sip.hub.test") as s:
        return s.getpeercert()["serialNumber"]


@RENEWAL.scenario("C-14: a new certificate is taken by itself, a wrong key is refused and told; connections of the old one end")
def renewal(house):
    with house.sbc() as sip:
        check(options(sip).status == 200, "OPTIONS")
        old, first = sip.last, serial(house)
        path = house.certs.make("second", "DNS:sip.hub.test", roots_of(house.certs))
        house.put("own.pem", open(path + ".pem").read())
        wait_for("the refusal of a certificate without its key", lambda: "stay as they were" in house.log(), 30)
        check(serial(house) == first, "the certificate without its key was taken")
        check(any("refused" in a["text"] for a in house.trunks()["alarms"]), "no alarm")
        house.put("own.key", open(path + ".key").read())
        wait_for("the new certificate", lambda: serial(house) != first, 30, 0.5)
        check(not any("refused" in a["text"] for a in house.trunks()["alarms"]), "the alarm stays")

        def closed():
            m = sip.receive(0.2)
            if m and m.method == "OPTIONS" and not m.is_answer:
                sip.reply(m, 200)
            return old not in sip.streams
        wait_for("the end of the old connection", closed, 60)
        check(options(sip).status == 200, "OPTIONS on a new connection")


# The samples of docs/trunks, each started and called -------------------------------------------------

SAMPLES = Group("samples", shared=False, programs=["openssl", "baresip"])
CARRIER = "127.0.3.20"


class Sample(Gateway):
    """docs/trunks/NAME.yaml with the test's addresses and ports in place of the documentation's."""

    def __init__(self, base, sample, certs, sans, trunk, at):
        super().__init__(base, "sample-" + sample, at, certs, sans, base + 4, "", "alice", trunk)
        text = open("%s/docs/trunks/%s.yaml" % (TOP, sample)).read()
        head, _, tail = open(self.dir + "/template.yaml").read().partition("listeners:")
        text = re.sub(r'"192\.0\.2\.10:506[01]"', '"%s:@PORT_TLS@"' % at, text)
        text = re.sub(r":506[01]\b", ":%d" % (base + 4), text)
        text = text.replace("198.51.100.0/24", "127.0.3.0/24").replace("198.51.100.20", CARRIER).replace("198.51.100.21", "127.0.3.21")
        text = re.sub(r"(sip\d?\.hub\.example)([],])", r"'\1:%d'\2" % (base + 4), text) if "hubs:" in text else text
        text = re.sub(r"\b(hub|sbc)\.(pem|key)\b", self.dir + r"/own.\2", text).replace("roots.pem", self.dir + "/roots.pem")
        self.put("carrier.key", "secret\n")
        text = text.replace("carrier.password", self.dir + "/carrier.key")
        self.put("template.yaml", head + text + "users:" + tail.partition("users:")[2])


def sample_zone(base):
    port = base + 4
    hosts = {"sip.carrier.example": CARRIER, "proxy.carrier.example": "127.0.3.21", "sbc.contoso.example": SBC, "sip.hub.example": HUB,
             "sip2.hub.example": HUB2, "sip3.hub.example": HUB2}
    zone = {name: [a(ip)] for name, ip in hosts.items()}
    zone["_sip._udp.sip.carrier.example"] = [srv(1, 1, port, "sip.carrier.example")]
    return zone


def sample_calls(house, sip, sdp, answer):
    """A call out and one in."""
    with App(house.demo, "alice") as alice:
        call = alice.place(BOB)
        request = sip.request("INVITE")
        answer(request)
        sip.request("ACK")
        alice.wait("call.connected", call=call)
        alice.hangup()
        sip.reply(sip.request("BYE"), 200)
    with App(house.demo, "alice") as alice:
        d = Dialog(sip, ALICE).invite(sdp)
        alice.answer(alice.incoming())
        ok = d.answer(200)
        check(ok.status == 200, ok.text())
        d.ack(ok)
        check(d.bye().status == 200, "BYE")


def carrier_sample(sample, make, before=None):
    def scenario(base):
        with Certs() as certs, names(base + 4, sample_zone(base)):
            house = Sample(base, sample, certs, "DNS:gw.customer.example", "carrier", HUB)
            with make(house) as sip, house, Media(host=CARRIER) as media:  # the carrier is there first: we register at once
                if before:
                    before(house, sip)
                sample_calls(house, sip, media.sdp(), lambda request: sip.reply(request, 200, sdp=media.sdp()))
    return scenario


def udp_carrier(house):
    return Agent(house.port("lab_peer"), (HUB, house.port("tls")), CARRIER)


def register(house, sip):
    first = sip.request("REGISTER")
    sip.reply(first, 401, more='WWW-Authenticate: Digest realm="carrier.example", nonce="abc", algorithm=MD5, qop="auth"\r\n')
    second = sip.request("REGISTER")
    check('username="15550100000"' in second.get("authorization"), second.text())
    sip.reply(second, 200, contact=second.get("contact") + ";expires=3600")


def tcp_proxy(house):
    """The carrier's proxy: what passes through it has its Via on top, and its Record-Route."""
    return StreamAgent(house.port("lab_peer"), (HUB, house.port("tls")), "127.0.3.21")


SAMPLES.scenario("docs/trunks/static-carrier.yaml: called both ways")(carrier_sample("static-carrier", udp_carrier))
SAMPLES.scenario("docs/trunks/registering-carrier.yaml: registers by digest, called both ways")(
    carrier_sample("registering-carrier", udp_carrier, register))


@SAMPLES.scenario("docs/trunks/carrier-with-proxies.yaml: a call through the carrier's proxy; a stranger's proxy is refused")
def proxied(base):
    with Certs() as certs, names(base + 4, sample_zone(base)):
        with Sample(base, "carrier-with-proxies", certs, "DNS:gw.customer.example", "carrier", HUB) as house, tcp_proxy(house) as sip, \
                Media(host="127.0.3.21") as media, App(house.demo, "alice") as alice:
            at, contact = house.port("lab_peer"), "<sip:+1@%s:%d;transport=tcp>" % (CARRIER, house.port("lab_peer"))
            call = alice.place(BOB)
            request = sip.request("INVITE")
            more = "Record-Route: <sip:127.0.3.21:%d;transport=tcp;lr>\r\n" % at
            sip.reply(request, 200, sdp=media.sdp(), contact=contact, more=more)
            ack = sip.request("ACK")
            check("127.0.3.21" in ack.get("route") and CARRIER in ack.first, ack.text())
            alice.wait("call.connected", call=call)
            alice.hangup()
            sip.reply(sip.request("BYE"), 200)
            d = Dialog(sip, ALICE)
            d.cseq = 1
            text = d.head("INVITE", vias=["SIP/2.0/TCP %s:%d;branch=z9hG4bKb" % (CARRIER, at)], more=more.replace("127.0.3.21", "203.0.113.66"))
            sip.send(re.sub(r"Contact: [^\r]*", "Contact: " + contact, text), media.sdp())
            d.invite_branch = d.branch
            gone = d.answer(300)
            refused(gone, 403, "203.0.113.66")
            d.ack(gone)


def direct_agent(certs, house, host, name, peer):
    standing = type("S", (), {"certs": certs, "port": house.port})()
    return Standing.agent(standing, host, "DNS:" + name, name, peer)


def direct_sample(base, sample, sans, trunk, at, host, name):
    with Certs() as certs, names(base + 4, sample_zone(base)):
        with Sample(base, sample, certs, sans, trunk, at) as house, direct_agent(certs, house, host, name, at) as sip, Media() as media:
            sdp = secure_sdp(media)
            if trunk == "contoso":
                check(options(sip).status == 200, "OPTIONS")
            sip.reply(sip.request("OPTIONS"), 200)
            house.wait_trunk(trunk, 5, overall="online")

            def answer(request):
                mine = next(o for o in crypto_of(request.body) if o[1] == SUITE)
                sip.reply(request, 200, sdp=media.sdp("RTP/SAVP", crypto_line(mine[0], SUITE, media.key)))
                media.secure(SUITE, media.key, mine[2], b"", mine[3])
                media.to(request.body)
            sample_calls(house, sip, sdp, answer)


@SAMPLES.scenario("docs/trunks/direct-routing-hub.yaml: an SBC comes online, called both ways")
def sample_hub(base):
    direct_sample(base, "direct-routing-hub", "DNS:sip.hub.example", "contoso", HUB, SBC, "sbc.contoso.example")


@SAMPLES.scenario("docs/trunks/direct-routing-sbc.yaml: we come online at a hub, called both ways")
def sample_sbc(base):
    direct_sample(base, "direct-routing-sbc", "DNS:sbc.contoso.example", "service", SBC, HUB, "sip.hub.example")
