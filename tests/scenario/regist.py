# SPDX-License-Identifier: Apache-2.0
"""Registrations both ways and digest both ways: registrars and carriers that challenge, PBXs that register and call,
who gets no credentials, who guesses."""
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from app import App
from border import Certs, tls_agent
from group import Group
from house import Failed, check, wait_for
from sipua import Agent, Dialog, StreamAgent, audio_sdp

here = os.path.dirname(os.path.abspath(__file__))
BOB, OUT = "+15550100002", "+15550199"
SECRET = "sesame and more"


class RegistGroup(Group):
    """Its secrets lie in a folder of their own, the gateway user's."""

    def settings(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        secrets = {"password": SECRET + "\n", "users": "# who may\npbx:%s\nhashed:pbx.sallyport.test:MD5:%s\n" %
                   (SECRET, md5("hashed:pbx.sallyport.test:" + SECRET))}
        for name, text in secrets.items():
            path = self.folder.name + "/" + name
            with open(path, "w") as out:
                out.write(text)
            os.chmod(path, 0o600)
            if os.geteuid() == 0:
                shutil.chown(path, "nobody")
        path = self.folder.name + "/sallyport.yaml.in"
        with open(path, "w") as out:
            out.write(open(here + "/regist.yaml.in").read().replace("@SECRETS@", self.folder.name))
        return {"template": path, "env": None}


REGIST = RegistGroup("regist")


# Digest --------------------------------------------------------------------------------------------


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


HASHES = {"MD5": md5, "SHA-256": sha256}


def params(value):
    return {k.lower(): a or b for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', value)}


def response(p, user, password, method, uri):
    h = HASHES[p.get("algorithm", "MD5")]
    a1, a2 = h("%s:%s:%s" % (user, p["realm"], password)), h("%s:%s" % (method, uri))
    if "nc" in p:
        return h("%s:%s:%s:%s:auth:%s" % (a1, p["nonce"], p["nc"], p["cnonce"], a2))
    return h("%s:%s:%s" % (a1, p["nonce"], a2))


def prove(challenge, user, method, uri, password=SECRET, nc=1):
    """An Authorization line for a challenge."""
    p = params(challenge)
    p.update(nc="%08x" % nc, cnonce="c0ffee")
    return ('Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, qop=auth, nc=%s, '
            'cnonce="c0ffee"\r\n' % (user, p["realm"], p["nonce"], uri, response(p, user, password, method, uri),
                                     p.get("algorithm", "MD5"), p["nc"]))


def is_proven(request, header="authorization"):
    """Did the gateway prove who it is?"""
    p = params(request.get(header))
    uri = request.first.split()[1]
    return bool(p) and p["username"] == "us" and p["uri"] == uri and p["response"] == response(p, "us", SECRET, request.method, uri)


def asks(nonce, realm="far.test", algorithm="SHA-256", more=""):
    return 'WWW-Authenticate: Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"%s\r\n' % (realm, nonce, algorithm, more)


# Peers ---------------------------------------------------------------------------------------------


def agent(house, last, **more):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host="127.0.0.%d" % last, **more)


def own_sdp(sip, **more):
    sdp = audio_sdp(4000, host=sip.host.strip("[]"), **more)
    return sdp.replace("IN IP4", "IN IP6") if ":" in sip.host else sdp


def reload(house, old, new):
    """Another configuration: one text for another."""
    path = house.dir + "/sallyport.yaml"
    text = open(path).read()
    check(text.count(old) == 1, "%d times: %s" % (text.count(old), old))
    with open(path, "w") as out:
        out.write(text.replace(old, new))
    before = house.log().count("configuration")
    os.kill(house.pid("sallyportd"), signal.SIGHUP)
    wait_for("the reload", lambda: house.log().count("configuration") > before, 8)


def shown(house, trunk):
    status, body = house.admin("/admin/v1/trunks")
    check(status == 200, "trunks: %d" % status)
    return next(t for t in json.loads(body)["trunks"] if t["name"] == trunk)


def again(house, state=[60]):
    """The trunk "line" registers anew: it asks for another time."""
    old = state[0]
    state[0] += 1
    reload(house, "expires_s: %d\n" % old, "expires_s: %d\n" % state[0])


def registers(sip, nonce="n1", more="", expires=None, algorithm="SHA-256", seconds=8):
    """A REGISTER, challenged, proven, taken; the proven one."""
    first = sip.request("REGISTER", seconds)
    while first.get("expires") == "0":  # the one before is taken back
        sip.reply(first, 200)
        first = sip.request("REGISTER", 8)
    sip.reply(first, 401, more=asks(nonce, algorithm=algorithm))
    proven = sip.request("REGISTER")
    check(is_proven(proven), "no proof: " + proven.text())
    check(proven.get("call-id") == first.get("call-id"), "another Call-ID")
    check(int(proven.get("cseq").split()[0]) == int(first.get("cseq").split()[0]) + 1, "CSeq: " + proven.get("cseq"))
    sip.reply(proven, 200, more=more, contact="%s;expires=%s" % (proven.get("contact"), expires or proven.get("expires")))
    return proven


# Our registration ----------------------------------------------------------------------------------


@REGIST.scenario("we register: challenged once, proven by SHA-256, calls both ways")
def line(house):
    with agent(house, 2) as sip, App(house.demo, "bob") as bob:
        again(house)
        proven = registers(sip)
        check(proven.first == "REGISTER sip:far.test SIP/2.0", proven.first)
        contact = proven.get("contact")
        check(contact.startswith("<sip:line7@"), "Contact: " + contact)
        state = shown(house, "line")["registration"]
        check(state["state"] == "registered" and state["last_status"] == 200 and "127.0.0.2" in state["registrar"], "%s" % state)
        check(55000 < state["until_ms"] - time.time() * 1000 < 3600000, "until: %s" % state)
        # a call in goes to our Contact; the number is that of To
        d = Dialog(sip, BOB)
        d.uri = d.target = contact.strip("<>")
        d.invite(audio_sdp(4000, host="127.0.0.2"))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        check(ok.status == 200, ok.text())
        d.ack(ok)
        bob.wait("call.connected", call=bob.client.call)
        check(d.bye().status == 200, "BYE")
        record = house.record(lambda r: r["id"] == bob.client.call)
        check("line" in [leg["peer"] for leg in record["legs"]], "record: %s" % record["legs"])
        # a call out goes to where the registration lives
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        check("@far.test" in request.first, request.first)
        sip.reply(request, 486)
        sip.request("ACK")
        bob.wait("call.ended", call=call)
    check("registered with sip:127.0.0.2" in house.log(), "not in the log")
    check(house.metric("sallyport_sip_registered") >= 1, "not counted")


@REGIST.scenario("MD5 is answered where nothing better is offered; a stale nonce is answered anew")
def md5_only(house):
    with agent(house, 2) as sip:
        again(house)
        first = sip.request("REGISTER")
        while first.get("expires") == "0":
            sip.reply(first, 200)
            first = sip.request("REGISTER")
        sip.reply(first, 401, more='WWW-Authenticate: Digest realm="far.test", nonce="old"\r\n')
        second = sip.request("REGISTER")
        check(is_proven(second) and "MD5" in second.get("authorization"), second.text())
        sip.reply(second, 401, more=asks("new", algorithm="MD5", more=", stale=true"))
        third = sip.request("REGISTER")
        check(is_proven(third) and 'nonce="new"' in third.get("authorization"), third.text())
        sip.reply(third, 200, contact=third.get("contact") + ";expires=60")


@REGIST.scenario("calls go by the Service-Route; ours is renewed before it ends")
def service_route(house):
    with agent(house, 2) as sip, App(house.demo, "bob") as bob:
        again(house)
        registers(sip, more="Service-Route: <sip:127.0.0.2:%d;lr;x=7>\r\n" % sip.port, expires=20)
        begin = time.monotonic()
        call = bob.place(OUT + "102")
        request = sip.request("INVITE")
        check(";x=7" in request.get("route"), "Route: " + request.get("route"))
        sip.reply(request, 486)
        sip.request("ACK")
        bob.wait("call.ended", call=call)
        again_in = sip.request("REGISTER", 20)
        check(9 < time.monotonic() - begin < 19, "renewed after %.1f s of 20" % (time.monotonic() - begin))
        sip.reply(again_in, 200, contact=again_in.get("contact") + ";expires=60")


@REGIST.scenario("the second registrar when the first is busy; calls follow; taken back when the trunk is disabled")
def second(house):
    with agent(house, 2) as sip, agent(house, 12) as other, App(house.demo, "bob") as bob:
        again(house)
        first = sip.request("REGISTER")
        while first.get("expires") == "0":
            sip.reply(first, 200)
            first = sip.request("REGISTER")
        sip.reply(first, 503, more="Retry-After: 60\r\n")
        registers(other)
        call = bob.place(OUT + "102")
        request = other.request("INVITE")
        other.reply(request, 486)
        other.request("ACK")
        bob.wait("call.ended", call=call)
        reload(house, "  - name: line\n", "  - name: line\n    enabled: false\n")
        last = other.request("REGISTER")
        check(last.get("expires") == "0", last.text())
        other.reply(last, 200)
        problem = bob.refused(lambda: bob.place(OUT + "102"))
        check(problem is not None, "a call to a trunk that is disabled")
        reload(house, "  - name: line\n    enabled: false\n", "  - name: line\n")
        registers(sip)


@REGIST.scenario("bulk numbers: bnc and Require: gin (RFC 6140)")
def bulk(house):
    with agent(house, 13) as sip:
        reload(house, "sip:pbx@far.test", "sip:pbx2@far.test")
        request = sip.request("REGISTER")
        check(re.match(r"<sip:[^@]+;bnc>$", request.get("contact")), "Contact: " + request.get("contact"))
        check(request.get("require") == "gin" and request.get("proxy-require") == "gin", request.text())
        sip.reply(request, 200, contact=request.get("contact") + ";expires=600")


@REGIST.scenario("registrars by name: the one that DNS does not know makes room for the next")
def named(house):
    with agent(house, 1) as sip:
        reload(house, "sip:named@far.test", "sip:named2@far.test")
        proven = registers(sip, seconds=20)
        check("named2@" in proven.get("contact"), proven.get("contact"))


@REGIST.scenario("over TLS: proof and calls by the connection that the registration lives on")
def secure(house):
    with Certs() as certs, App(house.demo, "bob") as bob:
        good = certs.make("registrar", "DNS:registrar.sallyport.test,IP:127.0.0.14")
        with tls_agent(house, 14, good, "registrar.sallyport.test") as sip:
            reload(house, "sip:tls@far.test", "sip:tls2@far.test")
            proven = registers(sip)
            one = sip.last
            check(re.match(r"<sip:tls2@line.sallyport.test:\d+;transport=tls>", proven.get("contact")), proven.get("contact"))
            call = bob.place(OUT + "114")
            request = sip.request("INVITE")
            check(sip.last is one, "over another connection")
            sip.reply(request, 486)
            sip.request("ACK")
            bob.wait("call.ended", call=call)


# Connections ----------------------------------------------------------------------------------------


def busy_call(sip, bob, number):
    """A call of ours that is answered 486: its INVITE."""
    call = bob.place(OUT + number)
    request = sip.request("INVITE")
    sip.reply(request, 486)
    sip.request("ACK")
    bob.wait("call.ended", call=call)
    return request


def pinged(sip, seconds=5):
    """The next bytes on the connection in use, but for an answer to two pongs in a row, which look like a ping."""
    sip.last.settimeout(seconds)
    data = sip.last.recv(100)
    return sip.last.recv(100) if data == b"\r\n" else data


@REGIST.scenario("RFC 5923: our calls go by the peer's own TLS connection where its Via said alias and its certificate proves the name")
def reused(house):
    with Certs() as certs, App(house.demo, "bob") as bob:
        for sans, via, is_reused in (("DNS:sbc.sallyport.test,IP:127.0.0.15", ";alias", True), ("DNS:sbc.sallyport.test,IP:127.0.0.15", "", False),
                                     ("DNS:sbc.sallyport.test", ";alias", None)):
            with tls_agent(house, 15, certs.make("sbc", sans), "sbc.sallyport.test") as sip:
                own = sip.connect()
                d = Dialog(sip, "pbx", host="mtls.sallyport.test")
                d.cseq = 1
                sip.send(d.head("OPTIONS").replace(";branch=", via + ";branch=", 1))
                check(d.answer(method="OPTIONS").status == 200, "OPTIONS")
                if is_reused is None:  # not proven: neither by this one nor by another
                    bob.wait("call.ended", call=bob.place(OUT + "115"))
                    check(sip.last is own, "an INVITE after all")
                    continue
                request = busy_call(sip, bob, "115")
                check((sip.last is own) == is_reused, "alias said: %r, by the peer's connection: %s" % (via, sip.last is own))
                check(";alias" in request.get("via"), request.get("via"))
                if not is_reused:
                    check(pinged(sip) == b"\r\n\r\n", "no ping over TLS")


@REGIST.scenario("RFC 5626: a connection of ours is pinged; one that stops answering is closed, the next call opens another")
def kept_alive(house):
    with StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.0.16") as sip, App(house.demo, "bob") as bob:
        busy_call(sip, bob, "116")
        first = sip.last
        for _ in range(2):
            check(pinged(sip) == b"\r\n\r\n", "no ping")
            first.sendall(b"\r\n")
        check(pinged(sip) == b"\r\n\r\n", "no third ping")
        begin = time.monotonic()
        check(pinged(sip, 15) == b"", "not closed")
        check(8 < time.monotonic() - begin < 13, "closed after %.1f s" % (time.monotonic() - begin))
        sip.streams.pop(first)
        sip.last = None
        busy_call(sip, bob, "116")
        check(sip.last is not first, "the same one")
    wait_for("the count", lambda: house.metric('sallyport_sip_keepalives_total{result="lost"}') == 1)


# Challenges of carriers ----------------------------------------------------------------------------


def challenged_call(house, sip, number):
    """A call out whose INVITE, re-INVITE and BYE are challenged, each with proof after that."""
    with App(house.demo, "bob") as bob:
        call = bob.place(OUT + number)
        bare = sip.request("INVITE")
        check(not bare.get("authorization"), "proof before it was asked for")
        sip.reply(bare, 401, more=asks("n1"))
        ack = sip.request("ACK")
        check(ack.get("via") == bare.get("via"), "the ACK of the 401: " + ack.text())
        request = sip.request("INVITE")
        check(is_proven(request), request.text())
        sip.reply(request, 200, sdp=own_sdp(sip))
        sip.request("ACK")
        bob.wait("call.connected", call=call)
        bob.done(bob.verb("hold"))
        again_in = sip.request("INVITE")
        sip.reply(again_in, 401, more=asks("n2"))
        sip.request("ACK")
        again_in = sip.request("INVITE")
        check(is_proven(again_in), "re-INVITE: " + again_in.text())
        sip.reply(again_in, 200, sdp=own_sdp(sip, direction="recvonly", version=2))
        sip.request("ACK")
        bob.hangup()
        bye = sip.request("BYE")
        sip.reply(bye, 407, more=asks("n3").replace("WWW-Authenticate", "Proxy-Authenticate"))
        bye = sip.request("BYE")
        check(is_proven(bye, "proxy-authorization"), "BYE: " + bye.text())
        sip.reply(bye, 200)


@REGIST.scenario("a carrier that challenges INVITE, re-INVITE and BYE, each once")
def challenged(house):
    with agent(house, 5) as sip:
        challenged_call(house, sip, "105")


@REGIST.scenario("credentials that are not taken: the call ends, nothing is repeated")
def not_taken(house):
    with agent(house, 5) as sip, App(house.demo, "bob") as bob:
        call = bob.place(OUT + "105")
        sip.reply(sip.request("INVITE"), 401, more=asks("n1"))
        sip.request("ACK")
        sip.reply(sip.request("INVITE"), 401, more=asks("n2"))
        sip.request("ACK")
        bob.wait("call.ended", call=call)
        sip.silence(1)


# Who gets none (A7) --------------------------------------------------------------------------------


def no_leak(house, sip, number, contact=None):
    """Challenges of another realm to INVITE, re-INVITE and BYE: nothing of ours is said."""
    with App(house.demo, "bob") as bob:
        call = bob.place(OUT + number)
        sip.reply(sip.request("INVITE"), 401, more=asks("n", realm="evil.test"))
        sip.request("ACK")
        bob.wait("call.ended", call=call)
        call = bob.place(OUT + number)
        sip.reply(sip.request("INVITE"), 200, sdp=own_sdp(sip), contact=contact)
        sip.request("ACK")
        bob.wait("call.connected", call=call)
        bob.done(bob.verb("hold"))
        sip.reply(sip.request("INVITE"), 407, more=asks("n", realm="evil.test").replace("WWW-Authenticate", "Proxy-Authenticate"))
        sip.request("ACK")
        bob.hangup()
        sip.reply(sip.request("BYE"), 401, more=asks("n", realm="evil.test"))
        while True:
            m = sip.receive(0.7)
            if m is None:
                break
            check(not m.get("authorization") and not m.get("proxy-authorization"), "leaked: " + m.text())
            check(m.method in ("ACK",) or m.is_answer, "something again: " + m.text())


@REGIST.scenario("no credentials for another realm, IPv4")
def leak4(house):
    with agent(house, 5) as sip:
        no_leak(house, sip, "105")


@REGIST.scenario("no credentials for another realm, IPv6")
def leak6(house):
    with Agent(house.port("lab_peer"), ("::1", house.port("lab")), host="::1") as sip:
        no_leak(house, sip, "120")


@REGIST.scenario("no credentials for another realm, TCP")
def leaktcp(house):
    with StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.0.6") as sip:
        no_leak(house, sip, "106")


@REGIST.scenario("no credentials for another realm, TLS")
def leaktls(house):
    with Certs() as certs:
        good = certs.make("carrier", "DNS:carrier.sallyport.test,IP:127.0.0.11")
        with tls_agent(house, 11, good, "carrier.sallyport.test") as sip:
            no_leak(house, sip, "111", "<sip:far@127.0.0.11:%d;transport=tls>" % sip.port)


@REGIST.scenario("no credentials on a trunk without any")
def none(house):
    with agent(house, 7) as sip, App(house.demo, "bob") as bob:
        call = bob.place(OUT + "107")
        sip.reply(sip.request("INVITE"), 401, more=asks("n"))
        ack = sip.request("ACK")
        check(not ack.get("authorization"), ack.text())
        bob.wait("call.ended", call=call)
        sip.silence(0.7)


# PBXs that register with us ------------------------------------------------------------------------


class Pbx:
    def __init__(self, sip, user="pbx", algorithm="SHA-256", host="pbx.sallyport.test", password=SECRET):
        self.sip, self.user, self.algorithm, self.host, self.password = sip, user, algorithm, host, password
        self.d = Dialog(sip, user, host=host)
        self.uri = "sip:" + host

    def send(self, more):
        self.d.cseq += 1
        self.d.to = "<sip:%s@%s>" % (self.user, self.host)
        self.sip.send(self.d.head("REGISTER", uri=self.uri, more=more))
        return self.d.answer(method="REGISTER")

    def register(self, more="Expires: 120\r\n"):
        first = self.send(more)
        check(first.status == 401, first.text())
        challenge = next((c for c in first.all("www-authenticate") if "algorithm=%s," % self.algorithm in c), None)
        check(challenge, "no challenge by %s: %s" % (self.algorithm, first.text()))
        return self.send(prove(challenge, self.user, "REGISTER", self.uri, self.password) + more)


@REGIST.scenario("a PBX registers with us, is called there, and calls with proof; a reload keeps it")
def pbx(house):
    with agent(house, 3, user="pbx") as sip, App(house.demo, "bob") as bob:
        problem = bob.refused(lambda: bob.place(OUT + "103"))
        check(problem is not None, "a call to a PBX that is not registered")
        ok = Pbx(sip).register()
        check(ok.status == 200 and "expires=120" in ok.get("contact"), ok.text())
        reload(house, "log_level: debug", "log_level: info")
        reload(house, "log_level: info", "log_level: debug")
        places = shown(house, "pbx")["registration"]["bindings"]
        check(len(places) == 1 and "pbx@127.0.0.3" in places[0]["contact"] and places[0]["source"].startswith("127.0.0.3:"), "%s" % places)
        call = bob.place(OUT + "103")
        request = sip.request("INVITE")
        check(request.first.startswith("INVITE sip:pbx@127.0.0.3:") and "+15550199103" in request.get("to"), request.first)
        sip.reply(request, 200, sdp=audio_sdp(4000, host="127.0.0.3"))
        sip.request("ACK")
        bob.wait("call.connected", call=call)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)
        # in: no call without proof
        d = Dialog(sip, BOB, host="pbx.sallyport.test").invite(audio_sdp(4000, host="127.0.0.3"))
        asked = d.answer(300)
        check(asked.status == 401 and len(asked.all("www-authenticate")) == 2, asked.text())
        d.ack(asked)
        check("SHA-256" in asked.all("www-authenticate")[0], "the stronger one first")
        d.to = "<%s>" % d.uri
        d.invite(audio_sdp(4000, host="127.0.0.3"), more=prove(asked.all("www-authenticate")[0], "pbx", "INVITE", d.uri))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        check(ok.status == 200, ok.text())
        d.ack(ok)
        check(d.bye().status == 200, "BYE")
        gone = Pbx(sip).register("Expires: 0\r\n")
        check(gone.status == 200 and not gone.get("contact"), gone.text())


@REGIST.scenario("several bindings are tried by their q: the silent one, the one that is away, then the one that answers")
def bindings(house):
    with agent(house, 3, user="pbx") as sip, App(house.demo, "bob") as bob:
        contact = "sip:%%s@127.0.0.3:%d" % sip.port
        more = ("Contact: <%s>;q=0.2\r\nContact: <%s>;q=0.7\r\nContact: <%s>;q=0.95\r\nExpires: 120\r\n"
                % (contact % "last", contact % "away", contact % "silent"))
        ok = Pbx(sip).register(more)
        check(ok.status == 200, ok.text())
        places = [b["contact"].split(":")[1].split("@")[0] for b in shown(house, "pbx")["registration"]["bindings"]]
        check(places[0] == "pbx" and places[1:] == ["silent", "away", "last"], "%s" % places)
        call = bob.place(OUT + "103")
        for user, status in (("pbx", 480), ("silent", None), ("away", 410), ("last", 200)):
            request = sip.request("INVITE")
            check(request.first.startswith("INVITE sip:%s@127.0.0.3:" % user), "%s: %s" % (user, request.first))
            if status:
                sip.reply(request, status, sdp=audio_sdp(4000, host="127.0.0.3") if status == 200 else "", tag=user)
                sip.request("ACK")
        bob.wait("call.connected", call=call)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)
        call = bob.place(OUT + "103")
        request = sip.request("INVITE")
        sip.reply(request, 486)
        sip.request("ACK")
        bob.wait("call.ended", call=call)  # busy is the last word
        Pbx(sip).register("".join("Contact: <%s>\r\n" % (contact % u) for u in ("last", "away", "silent")) + "Expires: 0\r\n")


@REGIST.scenario("our OPTIONS are challenged, answered with credentials, and the trunk is up")
def options(house):
    with agent(house, 14) as sip:
        for _ in range(2):
            first = sip.request("OPTIONS", 12)
            check(not first.get("authorization"), first.text())
            sip.reply(first, 401, more=asks("o1"))
            proven = sip.request("OPTIONS")
            check(is_proven(proven), proven.text())
            sip.reply(proven, 200)
        wait_for("up", lambda: shown(house, "probed")["state"] == "up")


@REGIST.scenario("a user whose hash alone we have, by MD5; a registration that is too brief: 423")
def hashed(house):
    with agent(house, 3, user="hashed") as sip:
        brief = Pbx(sip, "hashed", "MD5").register("Expires: 10\r\n")
        check(brief.status == 423 and brief.get("min-expires") == "60", brief.text())
        ok = Pbx(sip, "hashed", "MD5").register()
        check(ok.status == 200, ok.text())


@REGIST.scenario("a PBX behind TCP is called over its own connection")
def stream(house):
    with StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.0.8") as sip, App(house.demo, "bob") as bob:
        sip.user = "pbx"
        own = sip.connect()
        ok = Pbx(sip, host="127.0.0.1").register()
        check(ok.status == 200, ok.text())
        call = bob.place(OUT + "108")
        request = sip.request("INVITE")
        check(sip.last is own, "over another connection")
        sip.reply(request, 486)
        sip.request("ACK")
        bob.wait("call.ended", call=call)


@REGIST.scenario("a replayed proof is stale; a wrong one is 403, in the record with its rule; ten of them ban the source")
def guessed(house):
    with agent(house, 4, user="pbx") as sip:
        def ask(proof=""):
            d = Dialog(sip, BOB).invite(audio_sdp(4000, host="127.0.0.4"), more=proof)
            answer = d.answer(300)
            d.ack(answer)
            return d, answer
        d, asked = ask()
        proof = prove(asked.get("www-authenticate"), "pbx", "INVITE", d.uri, password="guess 0")
        refused = ask(proof)[1]
        check(refused.status == 403 and "Authorization" in refused.get("warning"), refused.text())
        record = house.record(lambda r: r["end"]["rule"] == "digest")
        check("pbx" in record["end"]["detail"], "record: %s" % record)
        check(SECRET not in house.log() and "guess 0" not in house.log(), "a secret in the log")
        for i in range(9):
            d, asked = ask()
            check(ask(prove(asked.get("www-authenticate"), "pbx", "INVITE", d.uri, password="guess %d" % i))[1].status == 403, "guess")
        Dialog(sip, BOB).invite(audio_sdp(4000, host="127.0.0.4"))
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            m = sip.receive(0.5)
            check(m is None or m.get("cseq") != "1 INVITE" or m.status == 403, "an answer to who is banned: " + (m.first if m else ""))
    check("is banned" in house.log(), "not in the log")
    with agent(house, 3, user="pbx") as sip:
        check(Pbx(sip).register().status == 200, "another source is not banned")


# Others' programs ----------------------------------------------------------------------------------

KAMAILIO = """
debug=1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
mpath="%s"
listen=udp:127.0.0.2:%d
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
request_route {
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("far.test", "%s", "0")) {
      www_challenge("far.test", "1");
      exit;
    }
    save("location");
    exit;
  }
  sl_send_reply("404", "Nothing here");
}
"""


@REGIST.scenario("Kamailio as the registrar: it challenges, we prove, it keeps our Contact")
def kamailio(house):
    if not shutil.which("kamailio"):
        return
    conf = house.dir + "/registrar.cfg"
    with open(conf, "w") as out:
        out.write(KAMAILIO % (glob.glob("/usr/lib/*/kamailio/modules")[0], house.port("lab_peer"), SECRET))
    with open(house.dir + "/registrar.log", "w") as log:
        proc = subprocess.Popen(["kamailio", "-DD", "-E", "-f", conf, "-Y", house.dir, "-m", "32", "-M", "4"], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)
    try:
        def listens():
            check(proc.poll() is None, "kamailio: " + open(house.dir + "/registrar.log").read()[-1500:])
            return any(line.split()[1].endswith(":%04X" % house.port("lab_peer")) for line in open("/proc/net/udp").readlines()[1:])
        wait_for("kamailio's start", listens, 15)
        before = house.log().count("trunk line is registered with sip:127.0.0.2")
        again(house)
        wait_for("our registration", lambda: house.log().count("trunk line is registered with sip:127.0.0.2") > before, 10)
    finally:
        proc.terminate()
        try:
            proc.wait(5)
        except subprocess.TimeoutExpired:
            proc.kill()


@REGIST.scenario("baresip, which knows MD5 alone, registers with us, and is called")
def baresip(house):
    if not shutil.which("baresip"):
        return
    folder = tempfile.mkdtemp(prefix="sp-baresip-")
    with open(folder + "/accounts", "w") as out:
        out.write("<sip:pbx@old.sallyport.test>;auth_user=pbx;auth_pass=\"%s\";outbound=\"sip:127.0.0.1:%d\";regint=60;answermode=manual\n"
                  % (SECRET, house.port("lab")))
    with open(folder + "/config", "w") as out:
        out.write("sip_listen 127.0.0.9:%d\nnet_interface 127.0.0.9\nmodule_path %s\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\n"
                  "module ausine.so\naudio_player aubridge,x\naudio_source ausine,440\nmodule aubridge.so\n"
                  % (house.port("lab_peer"), glob.glob("/usr/lib/*/baresip/modules")[0] if glob.glob("/usr/lib/*/baresip/modules")
                     else "/usr/lib/baresip/modules"))
    before = house.metric("sallyport_sip_bindings")
    with open(folder + "/log", "w") as log:
        proc = subprocess.Popen(["baresip", "-f", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        def registered():
            if proc.poll() is not None:
                raise Failed("baresip: " + open(folder + "/log").read()[-1500:])
            return "200 OK" in open(folder + "/log").read() or house.metric("sallyport_sip_bindings") > before
        wait_for("baresip's registration", registered, 12)
        with App(house.demo, "bob") as bob:
            call = bob.place(OUT + "109")
            bob.wait("call.ringing", 12, call=call)
            bob.hangup()
    finally:
        proc.terminate()
        try:
            proc.wait(5)
        except subprocess.TimeoutExpired:
            proc.kill()
        shutil.rmtree(folder, ignore_errors=True)
