# SPDX-License-Identifier: Apache-2.0
"""Who calls, who diverted, who vouches: trunks of every trust, through the gateway and out again."""
import atexit
import os
import shutil
import tempfile
import time

from app import App
from group import Group
from house import check
from sipua import Agent, Dialog, audio_sdp
from sti import Authority, Server

here = os.path.dirname(os.path.abspath(__file__))
STI = tempfile.mkdtemp(prefix="sp-sti-")
os.chmod(STI, 0o755)
atexit.register(shutil.rmtree, STI, True)
with open(STI + "/identity.yaml.in", "w") as out:
    out.write(open(here + "/identity.yaml.in").read().replace("@STI@", STI))
AUTHORITY = Authority(STI)
G = Group("identity", template=STI + "/identity.yaml.in")
BOB = "+15550100002"
PAI = "P-Asserted-Identity: \"Al\" <sip:+15550123777@c.test>\r\n"
CALLER = "+15550123456"


def agent(house, last, **more):
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host="127.0.0.%d" % last, **more)


def drop(d):
    d.cancel()
    answer = d.answer(300)
    d.ack(answer)
    return answer


def rings(bob, sip, more="", user=CALLER, display=""):
    """The call.incoming that such an INVITE makes; the call is taken back."""
    sip.user = user
    d = Dialog(sip, BOB)
    head = d.head
    d.head = lambda *a, **k: head(*a, **k).replace("From: <", "From: %s<" % display)
    d.invite(audio_sdp(40000), more=more)
    event = bob.wait("call.incoming")
    drop(d)
    bob.wait("call.ended", call=event["call"])
    bob.client.events.clear()
    return event


def refused(sip, more="", user=CALLER, seconds=8):
    sip.user = user
    d = Dialog(sip, BOB).invite(audio_sdp(40000), more=more)
    answer = d.answer(300, seconds)
    d.ack(answer)
    return answer


def through(sip, to, number, more="", user=CALLER):
    """The INVITE that goes out to the other trunk for one that comes in."""
    sip.user = user
    d = Dialog(sip, number).invite(audio_sdp(40000), more=more)
    request = to.request("INVITE")
    to.reply(request, 486)
    d.ack(d.answer(300))
    to.request("ACK")
    return request


@G.scenario("an untrusted trunk asserts nothing; a trusted one is believed")
def trust(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as strict, agent(house, 3) as trusted:
        for more in (PAI, "p-asserted-identity :\r\n <sip:+15550123777@c.test>\r\n", "Remote-Party-ID: <sip:+15550123777@c.test>\r\n"):
            event = rings(bob, strict, more)
            check(event["from"] == {"tel": CALLER}, "from: %s" % event["from"])
        check(rings(bob, trusted, PAI)["from"] == {"tel": "+15550123777", "display": "Al"}, "PAI is not taken")
        event = rings(bob, trusted, "Remote-Party-ID: <sip:+15550123777@c.test>;screen=yes\r\n")
        check(event["from"] == {"tel": "+15550123777"}, "from: %s" % event["from"])


@G.scenario("Privacy: id, user, header hide, none does not; critical with an unknown value is 500")
def privacy(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip:
        for value in ("id", "user", "header", "header;id;critical", "ID"):
            event = rings(bob, sip, PAI + "Privacy: %s\r\n" % value, display='"Secret" ')
            check(event["from"] == {"anonymous": True} and "Secret" not in str(event["from"]), "%s: %s" % (value, event["from"]))
        check(rings(bob, sip, PAI + "Privacy: none\r\n", user="anonymous")["from"].get("tel") == "+15550123777", "none")
        check(rings(bob, sip, "Privacy: session\r\n")["from"] == {"tel": CALLER}, "session")
        answer = refused(sip, "Privacy: critical;x-more\r\n")
        check(answer.status == 500 and "Privacy" in answer.get("warning"), answer.text())


@G.scenario("numbers_allowed: others are 403, or become number_default; anonymous: refuse is 433")
def screening(house):
    with App(house.demo, "bob") as bob, agent(house, 4) as ranged, agent(house, 5) as shown:
        check(rings(bob, ranged)["from"] == {"tel": CALLER}, "in range")
        for user in ("+19005550199", "+1555012", "%2B1900", "bob"):
            answer = refused(ranged, user=user)
            check(answer.status == 403 and "numbers_allowed" in answer.get("warning"), answer.text())
        answer = refused(ranged, more="Privacy: id\r\n")
        check(answer.status == 433 and "anonymous" in answer.get("warning"), answer.text())
        house.record(lambda r: r["end"] and "anonymous" in (r["end"]["rule"] or ""))
        check(rings(bob, shown, user="+19005550199")["from"] == {"tel": "+15550123000"}, "default")
        check(rings(bob, shown)["from"] == {"tel": CALLER}, "in range of the other")


@G.scenario("through the gateway: asserted as the far trunk wants it, and nothing else of the fields goes on")
def through_trunks(house):
    with agent(house, 3) as sip, agent(house, 9) as far, agent(house, 10) as close, agent(house, 11) as plain:
        more = PAI + "X-Secret: 1\r\nP-Charging-Vector: a\r\n"
        request = through(sip, far, "+15550199109", more)
        check("+15550123777@" in request.get("p-asserted-identity") and not request.get("privacy"), request.text())
        check("c.test" not in request.text() and not request.get("x-secret"), "something went through: %s" % request.text())
        check(request.get("x-trunk") == "far/+15550199109" and not request.get("user-agent"), "edits: %s" % request.text())
        request = through(sip, close, "+15550199110", more + "Privacy: id\r\n")
        check(not request.get("p-asserted-identity") and "15550123777" not in request.text(), "a hidden caller shows: %s" % request.text())
        check("anonymous@anonymous.invalid" in request.get("from") and request.get("privacy") == "id", request.text())
        request = through(sip, close, "+15550199110", more)
        check('"' not in request.get("from"), "display: drop: %s" % request.get("from"))
        request = through(sip, plain, "+15550199111", more + "Privacy: id\r\n")
        check("privacy=full" in request.get("remote-party-id") and not request.get("p-asserted-identity"), request.text())


@G.scenario("edits of what comes in: Privacy removed, a national number made global")
def edits_in(house):
    with App(house.demo, "bob") as bob, agent(house, 6) as sip:
        event = rings(bob, sip, "Privacy: id\r\nP-Asserted-Identity: <sip:0301234567@c.test>\r\n")
        check(event["from"] == {"tel": "+49301234567"}, "from: %s" % event["from"])


@G.scenario("History-Info and Diversion in: diverted_from for the app, each into the other for a trunk; private ones stay")
def history(house):
    info = ("History-Info: <sip:+15550120001@c.test?Reason=SIP%3Bcause%3D486>;index=1, "
            "<sip:+15550120002@c.test;cause=486?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1.1;mp=1\r\n"
            "History-Info: <sip:+15550100002@c.test;cause=302>;index=1.1.1;mp=1.1\r\n")
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, agent(house, 2) as strict, agent(house, 9) as far, \
            agent(house, 11) as plain:
        event = rings(bob, sip, "Diversion: <sip:+15550120001@c.test>;reason=user-busy\r\n")
        check(event.get("diverted_from") == {"tel": "+15550120001"}, "diverted_from: %s" % event.get("diverted_from"))
        check("diverted_from" not in rings(bob, sip, info), "a private one shows")
        check("diverted_from" not in rings(bob, strict, "Diversion: <sip:+15550120001@c.test>\r\n"), "an untrusted one shows")
        request = through(sip, plain, "+15550199111", info)
        check(request.get("diversion") == "<sip:+15550120001@127.0.0.1;user=phone>;reason=user-busy;counter=1;privacy=off",
              "Diversion: %s" % request.get("diversion"))
        check(not request.get("history-info"), "History-Info goes to who wants Diversion")
        request = through(sip, far, "+15550199109", "Diversion: <tel:+15550120001>;reason=no-answer\r\n")
        check("<sip:+15550120001@127.0.0.1;user=phone?Reason=SIP%3Bcause%3D408" in request.get("history-info"), request.get("history-info"))
        check(";index=1.1;mp=1" in request.get("history-info") and "reason=no-answer" in request.get("diversion"), request.text())


@G.scenario("more diversions than ten are a loop: 482")
def loop(house):
    with agent(house, 2) as sip:
        answer = refused(sip, "Diversion: <sip:+15550120001@c.test>;counter=11\r\n")
        check(answer.status == 482 and "Diversion" in answer.get("warning"), answer.text())


@G.scenario("a call that the plan forwards: History-Info, Diversion and a new PASSporT of ours")
def forwarded(house):
    with agent(house, 3) as sip, agent(house, 9) as far:
        request = through(sip, far, "+15550199200")
        check("+15550199200@" in request.get("diversion") and "index=1.1" in request.get("history-info"), request.text())
        head, body = AUTHORITY.is_signed(request.get("identity"))
        check(head["ppt"] == "shaken" and body["attest"] == "C" and body["dest"] == {"tn": ["15550199109"]}, "%s %s" % (head, body))


def payload(to=BOB, attest="A", caller=CALLER, age=0):
    return {"attest": attest, "dest": {"tn": [to.strip("+")]}, "iat": int(time.time()) - age, "orig": {"tn": caller.strip("+")},
            "origid": "123e4567-e89b-12d3-a456-426655440000"}


def url(house, file="leaf.pem"):
    return "https://localhost:%d/%s" % (house.port("relay_tls"), file)


def identity(*args, **more):
    return "Identity: %s\r\n" % AUTHORITY.token(*args, **more)


@G.scenario("STIR: a good PASSporT is told (A, B, C), certificates are fetched once")
def verified(house):
    with App(house.demo, "bob") as bob, agent(house, 7) as sip, Server(STI, house.port("relay_tls")) as server:
        for attest in "ABC":
            event = rings(bob, sip, identity(payload(attest=attest), url(house)))
            check(event["verified"] == attest, "verified: %s" % event["verified"])
        check(server.asked == ["/leaf.pem"], "asked: %s" % server.asked)
        check(rings(bob, sip)["verified"] == "none", "without")
        call = rings(bob, sip, identity(payload(), url(house)))["call"]
        check(house.record(lambda r: r["call"] == call)["verified"] == "A", "record")
        check(rings(bob, sip, identity(payload(age=300), url(house)))["verified"] == "none", "old")
        few = dict(key=AUTHORITY.few[0])  # a certificate for ten numbers
        check(rings(bob, sip, identity(payload(), url(house, "few.pem"), **few))["verified"] == "none", "not one of the certificate's")
        own = "+15550120009"
        check(rings(bob, sip, identity(payload(caller=own), url(house, "few.pem"), **few), own)["verified"] == "A", "one of them")


@G.scenario("STIR required: 428 without, 403 stale, 436, 437, 438 as it is wrong, and the good one rings")
def required(house):
    with App(house.demo, "bob") as bob, agent(house, 8) as sip, Server(STI, house.port("relay_tls")) as server:
        good = identity(payload(), url(house))
        check(rings(bob, sip, good)["verified"] == "A", "good")
        other = identity(payload(), url(house), key=AUTHORITY.stranger[0])
        for status, more in ((428, ""), (403, identity(payload(age=120), url(house))), (403, identity(payload(age=-120), url(house))),
                             (436, identity(payload(), "https://127.0.0.1:22/leaf.pem")), (436, identity(payload(), url(house).replace("https", "http"))),
                             (436, identity(payload(), url(house, "none.pem"))), (436, identity(payload(), url(house, "moved"))),
                             (436, identity(payload(), url(house, "big"))),
                             (437, identity(payload(), url(house, "stranger.pem"), key=AUTHORITY.stranger[0])),
                             (437, identity(payload(), url(house, "server.pem"))),
                             (437, identity(payload(), url(house, "few.pem"), key=AUTHORITY.few[0])), (438, other), (438, good),
                             (438, identity(payload(to="+15550100003"), url(house))), (438, identity(payload(caller="+15550123457"), url(house))),
                             (438, identity(payload(), url(house), alg="none")), (438, "Identity: x.y.z;info=<%s>\r\n" % url(house)),
                             (438, "Identity: nonsense\r\n")):
            answer = refused(sip, more)
            check(answer.status == status and answer.get("warning"), "%d wanted for %s: %s" % (status, more[:60], answer.text()))
        asked = [a for a in server.asked[server.asked.index("/none.pem"):] if a != "/few.pem"]
        check(asked == ["/none.pem", "/moved", "/big", "/stranger.pem", "/server.pem"], "asked: %s" % asked)


@G.scenario("STIR: a certificate that takes too long: the call waits 2.5 s at most, others none")
def slow(house):
    with App(house.demo, "bob") as bob, agent(house, 7) as sip, Server(STI, house.port("relay_tls")):
        d = Dialog(sip, BOB)
        begin = time.monotonic()
        d.invite(audio_sdp(40000), more=identity(payload(), url(house, "slow")))
        check(rings(bob, sip, identity(payload(), url(house)))["verified"] in ("A", "none"), "another call")
        event = bob.wait("call.incoming")
        took = time.monotonic() - begin
        check(event["verified"] == "none" and 1.5 < took < 4, "%s after %.1f s" % (event["verified"], took))
        drop(d)


@G.scenario("STIR: the plan routes by who vouches: good to bob, bad refused, none not known")
def plans(house):
    number = "+15550199300"
    with App(house.demo, "bob") as bob, agent(house, 7) as sip, Server(STI, house.port("relay_tls")):
        d = Dialog(sip, number).invite(audio_sdp(40000), more=identity(payload(to=number, attest="B"), url(house)))
        event = bob.wait("call.incoming")
        check(event["verified"] == "B", "verified: %s" % event["verified"])
        drop(d)
        bob.wait("call.ended", call=event["call"])
        for status, more in ((603, identity(payload(to=number, age=500), url(house))), (404, "")):
            d = Dialog(sip, number).invite(audio_sdp(40000), more=more)
            answer = d.answer(300)
            d.ack(answer)
            check(answer.status == status, answer.text())


@G.scenario("STIR: calls to a trunk are signed by the operator's key; a withheld number and a name are not")
def signs(house):
    with App(house.demo, "bob") as bob, agent(house, 9) as far:
        call = bob.place("+15550199109")
        request = far.request("INVITE")
        head, body = AUTHORITY.is_signed(request.get("identity"))
        check(head == {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url(house)}, "head: %s" % head)
        check(body["attest"] == "A" and body["orig"] == {"tn": "15550100002"} and body["dest"] == {"tn": ["15550199109"]}, "body: %s" % body)
        check(abs(body["iat"] - time.time()) < 5 and len(body["origid"]) == 36, "body: %s" % body)
        check(request.get("identity").endswith(";info=<%s>;alg=ES256;ppt=shaken" % url(house)), request.get("identity"))
        far.reply(request, 486)
        far.request("ACK")
        bob.wait("call.ended", call=call)


@G.scenario("STIR: a good PASSporT goes on with the call; a forwarded one gets a div")
def diverts(house):
    with agent(house, 7) as sip, agent(house, 9) as far, Server(STI, house.port("relay_tls")):
        value = AUTHORITY.token(payload(to="+15550199109"), url(house))
        request = through(sip, far, "+15550199109", "Identity: %s\r\n" % value)
        check(request.all("identity") == [value], "identity: %s" % request.all("identity"))
        value = AUTHORITY.token(payload(to="+15550199200"), url(house))
        request = through(sip, far, "+15550199200", "Identity: %s\r\n" % value)
        check(len(request.all("identity")) == 2 and value in request.all("identity"), "identity: %s" % request.all("identity"))
        div = next(v for v in request.all("identity") if v != value)
        head, body = AUTHORITY.is_signed(div)
        check(head["ppt"] == "div" and body["div"] == {"tn": "15550199200"} and body["dest"] == {"tn": ["15550199109"]}
              and body["orig"] == {"tn": CALLER.strip("+")}, "%s %s" % (head, body))


@G.scenario("a caller's place (PIDF-LO) goes from trunk to trunk with pidf_lo, and nowhere else")
def place(house):
    xml = "<?xml version=\"1.0\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:a@b\"><tuple id=\"x\"/></presence>"
    body = ("--q\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--q\r\nContent-Type: application/pidf+xml\r\nContent-ID: <p@c.test>\r\n\r\n%s\r\n--q--\r\n"
            % (audio_sdp(40000), xml))
    more = "Geolocation: <cid:p@c.test>\r\nGeolocation-Routing: yes\r\n"

    def passes(sip, to, number):
        d = Dialog(sip, number)
        d.cseq += 1
        text = d.head("INVITE", more=more + "Content-Type: multipart/mixed;boundary=q\r\n")
        d.invite_branch = d.branch
        raw = (text + "Content-Length: %d\r\n\r\n" % len(body) + body).encode()
        sip.socket.sendto(raw, sip.peer)
        request = to.request("INVITE")
        to.reply(request, 486)
        d.ack(d.answer(300))
        to.request("ACK")
        return request

    with agent(house, 3) as trusted, agent(house, 2) as strict, agent(house, 9) as far, agent(house, 10) as close:
        request = passes(trusted, far, "+15550199109")
        cid = request.get("geolocation").strip("<>")
        check(cid.startswith("cid:") and request.get("geolocation-routing") == "yes", request.text())
        check(request.get("content-type").startswith("multipart/mixed") and xml in request.body and "<%s>" % cid[4:] in request.body
              and "m=audio" in request.body, request.body)
        for sip, to, number in ((strict, far, "+15550199109"), (trusted, close, "+15550199110")):
            request = passes(sip, to, number)
            check(request.get("content-type") == "application/sdp" and not request.get("geolocation") and "pidf" not in request.body, request.text())
