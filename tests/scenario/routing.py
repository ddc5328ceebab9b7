# SPDX-License-Identifier: Apache-2.0
"""Plans: lists of trunks with failover, groups, forwards, announcements, tables, reload, sallyport route-test."""
import json
import os
import signal
import struct
import subprocess
import tempfile
import time
import wave

import tone
from app import App
from group import Group
from house import TOP, check, wait_for
from peermedia import Media
from peers import agent, take
from sipua import Dialog

here = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("SALLYPORT_BUILD", TOP + "/build")
BOB, ALICE, MOBILE = "+15550100002", "+15550100001", "+15550300002"


class RoutingGroup(Group):
    """The plan, its table and its sound in a folder of their own, where they can be changed."""

    def settings(self):
        self.keep = tempfile.TemporaryDirectory()
        self.folder = self.keep.name
        os.chmod(self.folder, 0o755)
        self.write("plan.yaml", open(here + "/routing.plan.yaml").read())
        self.write("costs.csv", "prefix,carrier,weight,cost\n+15556,one,1,20\n+15556,two,1,10\n+155567,one,1,5\n")
        self.write("routing.yaml.in", open(here + "/routing.yaml.in").read().replace("@PLANS@", self.folder))
        with wave.open(self.folder + "/closed.wav", "wb") as w:
            w.setnchannels(1)
            w.setsampwidth(2)
            w.setframerate(8000)
            w.writeframes(b"".join(struct.pack("<h", round(x)) for x in tone.make(700, -12, 8000, 0, 16000)))
        return {"template": self.folder + "/routing.yaml.in", "env": None}

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as out:
            out.write(text)

    def plan(self):
        return open(here + "/routing.plan.yaml").read()


ROUTING = RoutingGroup("routing")


def refuse(sip, status, more=""):
    request = sip.request("INVITE")
    sip.reply(request, status, more=more)
    sip.request("ACK")
    return request


def taken(sip, media, app, call):
    """The trunk takes the app's call; it is hung up again."""
    request = sip.request("INVITE")
    sip.reply(request, 200, sdp=media.sdp())
    sip.request("ACK")
    app.wait("call.connected", call=call)
    app.hangup()
    sip.reply(sip.request("BYE"), 200)
    app.wait("call.ended", call=call)
    return request


def ends(app, call, reason, sip=None):
    end = app.wait("call.ended", call=call)["end"]
    check(end["reason"] == reason and (sip is None or end.get("sip") == sip), str(end))


@ROUTING.scenario("503 before anything rang: the next trunk takes it at once; the app sees one call")
def failover(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.3") as media:
        call = bob.place("+15550200001")
        refuse(one, 503)
        began = time.monotonic()
        request = taken(two, media, bob, call)
        check(time.monotonic() - began < 6 and "+15550200001@" in request.first, request.first)
        record = house.record(lambda r: r["id"] == call and r["end"])
        check([(a["trunk"], a["sip"]) for a in record["attempts"]] == [("one", 503), ("two", 200)], str(record["attempts"]))


@ROUTING.scenario("486, 600, 603, 404 are last words: no other trunk hears of it")
def finals(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two:
        for status, reason in ((486, "busy"), (600, "busy"), (603, "declined"), (404, "not_found")):
            call = bob.place("+15550200002")
            refuse(one, status)
            ends(bob, call, reason)
        two.silence(1)


@ROUTING.scenario("503 after a 180: the call is over, it is not dialled again")
def progress(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two:
        call = bob.place("+15550200003")
        request = one.request("INVITE")
        one.reply(request, 180)
        bob.wait("call.ringing", call=call)
        one.reply(request, 503)
        one.request("ACK")
        ends(bob, call, "congestion")
        two.silence(1)


@ROUTING.scenario("nobody listens there: the next trunk at once")
def unreachable(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two, Media(900, "127.0.0.3") as media:
        call = bob.place("+15550200004")
        began = time.monotonic()
        taken(two, media, bob, call)
        check(time.monotonic() - began < 6, "it took %.1f s" % (time.monotonic() - began))


@ROUTING.scenario("a trunk that is silent: the next one within its time")
def silent(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.3") as media:
        call = bob.place("+15550200005")
        one.request("INVITE")
        began = time.monotonic()
        taken(two, media, bob, call)
        check(1 < time.monotonic() - began < 7, "it took %.1f s" % (time.monotonic() - began))


@ROUTING.scenario("the cheapest carrier of the longest prefix")
def table(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two:
        for number, sip in (("+15556600000", two), ("+15556700000", one)):
            call = bob.place(number)
            refuse(sip, 486)
            ends(bob, call, "busy")
        call = bob.place("+15556600000")
        refuse(two, 503)
        refuse(one, 486)
        ends(bob, call, "busy")


@ROUTING.scenario("a national number goes out as +E.164")
def national(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as two:
        for dialled, want in (("030123456", "+4930123456"), ("0015550200", "+15550200")):
            call = bob.place(dialled)
            request = refuse(two, 486)
            check("sip:%s@" % want in request.first, request.first)
            ends(bob, call, "busy")


@ROUTING.scenario("a trunk that is full is passed over; an emergency call goes all the same")
def emergency(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 3) as two, agent(house, 4) as three, \
            Media(900, "127.0.0.4") as media:
        call = alice.place("+15550400001")
        request = three.request("INVITE")
        three.reply(request, 200, sdp=media.sdp())
        three.request("ACK")
        alice.wait("call.connected", call=call)
        other = bob.place("+15550300009")
        refuse(two, 486)
        ends(bob, other, "busy")
        other = bob.place("112")
        request = refuse(three, 486)
        check("sip:77112@" in request.first, request.first)
        ends(bob, other, "busy")
        alice.hangup()
        three.reply(three.request("BYE"), 200)


@ROUTING.scenario("numbers as the trunk writes them, in all four directions")
def numbers(house):
    with App(house.demo, "alice") as alice, agent(house, 4, user="0301234567") as three, Media(900, "127.0.0.4") as media:
        call = alice.place("+15550400001")
        request = refuse(three, 486)
        check("sip:770015550400001@" in request.first, request.first)
        check("sip:x5550100001@" in request.get("from"), request.get("from"))
        ends(alice, call, "busy")
        d = Dialog(three, "7715550100001").invite(media.sdp())
        event = alice.incoming()
        check(event["from"]["tel"] == "+49301234567", str(event["from"]))
        d.cancel()
        gone = d.answer(300)
        d.ack(gone)
        record = house.record(lambda r: r["id"] == event["call"])
        check((record["from"], record["to"]) == ("+49301234567", ALICE), str(record))
    r = route_test(house, "7715550100001", "--trunk", "three")
    check("rule 20 \"alice\"" in r.stdout and ALICE + ":" in r.stdout, r.stdout + r.stderr)


@ROUTING.scenario("a ported number: the plan is asked for its routing number, the carrier gets number and parameters")
def ported(house):
    with agent(house, 4) as three, agent(house, 3) as two, Media(900, "127.0.0.4") as media:
        d = Dialog(three, "+14255550123;npdi;rn=+1-206-555-0100;cic=+10288").invite(media.sdp())
        request = refuse(two, 486)
        check("sip:+14255550123;npdi;rn=+12065550100;cic=+10288@" in request.first, request.first)
        gone = d.answer(300)
        check(gone.status == 486, gone.first)
        d.ack(gone)


@ROUTING.scenario("busy: 181 to the caller's trunk, forwarded, History-Info and Diversion say who was called and why")
def forward_busy(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1, \
            Media(1300, "127.0.0.3") as m2:
        d = Dialog(one, BOB).invite(m1.sdp())
        bob.incoming()
        bob.verb("reject", {"reason": "busy"})
        check(d.answer(181).status == 181, "a 181 is due")
        request = two.request("INVITE")
        check("sip:%s@" % MOBILE in request.first, request.first)
        history, diversion = " ".join(request.all("history-info")), request.get("diversion")
        check(BOB in history and "486" in history and MOBILE in history, "History-Info: " + history)
        check(BOB in diversion and "user-busy" in diversion, "Diversion: " + diversion)
        m2.to(request.body)
        two.reply(request, 200, sdp=m2.sdp())
        two.request("ACK")
        ok = d.answer(200)
        d.ack(ok)
        m1.to(ok.body)
        m1.hears(1300)
        m2.hears(900)
        d.bye()
        two.reply(two.request("BYE"), 200)
        check(bob.wait("call.ended")["end"]["reason"] == "busy", "the device's own end")


@ROUTING.scenario("voicemail: the Request-URI says whose mailbox and why (RFC 4458); the next trunk's 181 is passed on")
def voicemail(house):
    with agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1, Media(1300, "127.0.0.3") as m2:
        d = Dialog(one, "+15550100029").invite(m1.sdp())
        check(d.answer(181).status == 181, "our own 181")
        request = two.request("INVITE")
        uri = request.first.split()[1]
        check(uri.startswith("sip:%s@" % MOBILE) and ";target=sip:+15550100029%40" in uri and uri.endswith(";cause=408"), uri)
        check("target=" not in request.get("to") and "cause" not in request.get("to"), request.get("to"))
        one.seen.clear()  # it looks like the first one
        two.reply(request, 181)
        check(d.answer(181).status == 181, "theirs is passed on")
        two.reply(request, 200, sdp=m2.sdp())
        two.request("ACK")
        ok = d.answer(200)
        d.ack(ok)
        d.bye()
        two.reply(two.request("BYE"), 200)


@ROUTING.scenario("no answer within the step's time: forwarded with 408 in the history, the device stops ringing")
def forward_no_answer(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, BOB).invite(m1.sdp())
        began = time.monotonic()
        bob.incoming()
        request = two.request("INVITE", 10)
        check(3 < time.monotonic() - began < 8, "after %.1f s" % (time.monotonic() - began))
        check("408" in " ".join(request.all("history-info")), request.text())
        check("no-answer" in request.get("diversion"), request.text())
        check(bob.wait("call.ended")["end"]["reason"] == "no_answer", "the device's own end")
        two.reply(request, 486)
        two.request("ACK")
        gone = d.answer(300)
        check(gone.status == 486, gone.first)
        d.ack(gone)


@ROUTING.scenario("nobody is connected: forwarded after the wait for a device")
def forward_unreachable(house):
    with agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, BOB).invite(m1.sdp())
        request = two.request("INVITE", 12)
        check("sip:%s@" % MOBILE in request.first, request.first)
        two.reply(request, 603)
        two.request("ACK")
        gone = d.answer(300)
        check(gone.status == 603, gone.first)
        d.ack(gone)


@ROUTING.scenario("a decline is no busy: the plan does not name it, so nothing is forwarded")
def declined(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, BOB).invite(m1.sdp())
        bob.incoming()
        bob.verb("reject", {"reason": "decline"})
        gone = d.answer(300)
        check(gone.status == 603, gone.first)
        d.ack(gone)
        two.silence(1)


@ROUTING.scenario("forwarded at once, and a ring of forwards ends as a loop")
def forward_always(house):
    with agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100012").invite(m1.sdp())
        request = refuse(two, 486)
        check("302" in " ".join(request.all("history-info")), request.text())
        gone = d.answer(300)
        check(gone.status == 486, gone.first)
        d.ack(gone)
        d = Dialog(one, "+15550100013").invite(m1.sdp())
        gone = d.answer(300)
        check(gone.status == 482, gone.first)
        d.ack(gone)
        house.record(lambda r: r["end"] and r["end"].get("rule") == "loop")


@ROUTING.scenario("a group rings at once, the first answer wins")
def group_at_once(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100010").invite(m1.sdp())
        alice.incoming()
        take(bob)
        ok = d.answer(200)
        d.ack(ok)
        m1.to(ok.body)
        bob.wait("call.connected", call=bob.client.call)
        check(alice.wait("call.answered_elsewhere"), "alice")
        bob.hears(900)
        d.bye()
        bob.wait("call.ended", call=bob.client.call)
        record = house.record(lambda r: r["id"] == bob.client.call)
        check(record["identity"] == "bob", "whose call it is: %s" % record["identity"])


@ROUTING.scenario("one declines, the other of the group goes on ringing and takes it")
def group_decline(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100010").invite(m1.sdp())
        bob.incoming()
        alice.incoming()
        alice.verb("reject", {"reason": "decline"})
        time.sleep(0.5)
        take(bob)
        ok = d.answer(200)
        check(ok.status == 200, ok.first)
        d.ack(ok)
        d.bye()
        bob.wait("call.ended", call=bob.client.call)


@ROUTING.scenario("one more rings after two seconds, the first goes on")
def group_next_after(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100011").invite(m1.sdp())
        alice.incoming()
        began = time.monotonic()
        bob.incoming()
        check(1 < time.monotonic() - began < 4, "after %.1f s" % (time.monotonic() - began))
        take(alice)
        ok = d.answer(200)
        d.ack(ok)
        check(bob.wait("call.answered_elsewhere"), "bob")
        d.bye()
        alice.wait("call.ended", call=alice.client.call)


@ROUTING.scenario("an announcement as early media, then the refusal")
def announced(house):
    with agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100015").invite(m1.sdp())
        early = d.answer(183)
        check(early.status == 183 and early.body, early.text())
        m1.to(early.body)
        m1.hears(700)
        gone = d.answer(300)
        check(gone.status == 480, gone.first)
        d.ack(gone)


@ROUTING.scenario("an announcement after an answer, then goodbye")
def announced_answered(house):
    with agent(house, 2) as one, Media(900, "127.0.0.2") as m1:
        d = Dialog(one, "+15550100016").invite(m1.sdp())
        ok = d.answer(200)
        d.ack(ok)
        m1.to(ok.body)
        m1.hears(700)
        one.reply(one.request("BYE"), 200)


@ROUTING.scenario("a hidden caller is refused with 433; an exploding pattern with 500, and the rule is named")
def refusals(house):
    with agent(house, 2, user="anonymous") as one:
        d = Dialog(one, ALICE).invite(Media(900, "127.0.0.2").sdp())
        gone = d.answer(300)
        check(gone.status == 433 and "say who you are" in gone.get("warning"), gone.text())
        d.ack(gone)
    with agent(house, 2) as one:
        d = Dialog(one, "1" * 40 + "23").invite(Media(900, "127.0.0.2").sdp())
        gone = d.answer(300)
        check(gone.status == 500 and "by an exploding pattern" in gone.get("warning"), gone.text())
        d.ack(gone)


def reload_plan(house, text, word):
    seen = house.log().count(word)
    ROUTING.write("plan.yaml", text)
    os.kill(house.pid("sallyportd"), signal.SIGHUP)
    wait_for(word, lambda: house.log().count(word) > seen, 10)


@ROUTING.scenario("a plan with an error leaves the old one in force and names the line; a good one is in force for the next call")
def reload(house):
    plan = ROUTING.plan()
    with App(house.demo, "bob") as bob, agent(house, 2) as one, agent(house, 3) as two, Media(900, "127.0.0.2") as media:
        call = bob.place("+15550200009")
        request = one.request("INVITE")
        one.reply(request, 200, sdp=media.sdp())
        one.request("ACK")
        bob.wait("call.connected", call=call)
        try:
            reload_plan(house, plan.replace("{trunk: three}", "{trunk: nowhere}", 1), 'there is no trunk "nowhere"')
            check("plan.yaml:7:" in house.log(), "the line of the error")
            with App(house.demo, "alice") as alice:
                other = alice.place("+15550200010")
                refuse(one, 486)
                ends(alice, other, "busy")
                reload_plan(house, plan.replace("{name: one, priority: 1}", "{name: one, priority: 3}"), "configuration reloaded")
                other = alice.place("+15550200011")
                refuse(two, 486)
                ends(alice, other, "busy")
        finally:
            reload_plan(house, plan, "configuration reloaded")
        media.to(request.body)
        bob.hears(900)
        bob.hangup()
        one.reply(one.request("BYE"), 200)


def route_test(house, *words):
    return subprocess.run([BUILD + "/sallyport", "route-test", *words, "--config", house.dir + "/sallyport.yaml"],
                          capture_output=True, text=True, timeout=20)


@ROUTING.scenario("sallyport route-test: the rules one by one, forwards followed, exit status, JSON")
def explained(house):
    r = route_test(house, BOB, "--trunk", "one")
    check(r.returncode == 0 and "no hidden callers\" (line 31): anonymous is another" in r.stdout, r.stdout + r.stderr)
    check("bob, then his mobile\" (line 36): fits" in r.stdout, r.stdout)
    check("forwarded to %s:" % MOBILE in r.stdout and "trunk two" in r.stdout, r.stdout)
    r = route_test(house, "+15556700000", "--user", "alice", "--json")
    first = json.loads(r.stdout)[0]
    check(first["rule"] == "by cost" and first["steps"] == ["trunk one by prefix 155567"], r.stdout)
    r = route_test(house, "+1999", "--user", "alice")
    check(r.returncode == 1 and "no rule fits" in r.stdout, r.stdout)
    check(route_test(house, "+1999", "--trunk", "none").returncode == 2, "a trunk that is not there")
