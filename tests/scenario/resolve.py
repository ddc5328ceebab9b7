# SPDX-License-Identifier: Apache-2.0
"""Where calls to a trunk go: names by a DNS server of the test's own, targets that are dead, silent, busy or good."""
import contextlib
import os
import re
import socket
import struct
import threading
import time

from app import App
from border import Certs
from names import Dns, a, aaaa, naptr, srv
from group import Group
from house import check
from sipua import Agent, StreamAgent, audio_sdp

here = os.path.dirname(os.path.abspath(__file__))
RESOLVE = Group("resolve", template=here + "/resolve.yaml.in")
PLAN = re.findall(r"name: (\w+), called: \"(\+15550200\d+)\"", open(here + "/resolve.plan.yaml").read())
NUMBER = dict(PLAN)


def zone(house):
    """A service of three targets under each trunk's name: 127.0.1.1, .2, .3, in this order."""
    port, z = house.port("lab_peer"), {}
    for trunk, _ in PLAN:
        host, proto = trunk + ".test", "_tcp" if trunk.startswith("tcp") else "_udp"
        z[host] = []
        z["_sip.%s.%s" % (proto, host)] = [srv(i, 1, port, "t%d.%s" % (i, host)) for i in (1, 2, 3)]
        for i in (1, 2, 3):
            z["t%d.%s" % (i, host)] = [a("127.0.1.%d" % i)]
    return z


@contextlib.contextmanager
def dns(house):
    with Dns("127.0.1.53", house.port("lab_peer"), zone(house)) as server:
        yield server


def target(house, i, stream=False):
    if stream:
        return StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.1.%d" % i)
    return Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), "127.0.1.%d" % i)


def answered(sip, request, app, call):
    sip.reply(request, 200, sdp=audio_sdp(sip.port + 10, sip.host))
    sip.request("ACK")
    app.wait("call.answered", call=call)
    app.hangup()
    sip.reply(sip.request("BYE"), 200)


def failed(app, call, seconds=15):
    return app.wait("call.ended", seconds, call=call)["end"]


@RESOLVE.scenario("targets: the first of a service's three takes the call")
def first(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 2) as two:
        call = bob.place(NUMBER["first"])
        request = one.request("INVITE")
        check(request.first.startswith("INVITE sip:+15550200001@first.test"), "the name does not stand in it: " + request.first)
        answered(one, request, bob, call)
        two.silence(0.1)


@RESOLVE.scenario("targets: one that refuses costs less than a second, and nothing the next time")
def refused(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 2) as two:
        for _ in range(2):
            begin = time.monotonic()
            call = bob.place(NUMBER["refused"])
            request = two.request("INVITE")
            took = time.monotonic() - begin
            print("# a target that refuses, or refused before: the next one has the INVITE after %.0f ms" % (took * 1000))
            check(took < 1, "it took %.1f s" % took)
            answered(two, request, bob, call)


@RESOLVE.scenario("targets: one that is silent costs two seconds, once; what it says too late is canceled")
def silent(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 2) as two:
        begin = time.monotonic()
        call = bob.place(NUMBER["silent"])
        unheard = one.request("INVITE")
        request = two.request("INVITE", 4)
        took = time.monotonic() - begin
        print("# a target that is silent: the next one has the INVITE after %.0f ms" % (took * 1000))
        check(1.8 < took < 3, "the next target after %.1f s" % took)
        one.reply(unheard, 180)
        one.reply(one.request("CANCEL"), 200)
        one.reply(unheard, 487)
        answered(two, request, bob, call)
        begin = time.monotonic()
        call = bob.place(NUMBER["silent"])
        request = two.request("INVITE")
        check(time.monotonic() - begin < 1, "the silent one was tried first again")
        answered(two, request, bob, call)


@RESOLVE.scenario("targets: 503 with Retry-After is left alone for that time, the call goes on at once")
def busy(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 2) as two:
        call = bob.place(NUMBER["busy"])
        begin = time.monotonic()
        one.reply(one.request("INVITE"), 503, more="Retry-After: 4\r\n")
        answered(two, two.request("INVITE"), bob, call)
        while one.receive(0.1):
            pass
        call = bob.place(NUMBER["busy"])
        answered(two, two.request("INVITE"), bob, call)
        one.silence(0.1)
        time.sleep(max(0, begin + 4.5 - time.monotonic()))
        call = bob.place(NUMBER["busy"])
        answered(one, one.request("INVITE"), bob, call)


@RESOLVE.scenario("targets: busy, not found, declined and a 100 with nothing more are no reason for another target")
def final(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 2) as two:
        for status in (486, 404, 603):
            call = bob.place(NUMBER["final"])
            one.reply(one.request("INVITE"), status)
            failed(bob, call)
            one.request("ACK")
        call = bob.place(NUMBER["final"])
        request = one.request("INVITE")
        one.reply(request, 100)
        two.silence(3)
        one.reply(request, 480)
        failed(bob, call)


@RESOLVE.scenario("DNS: NAPTR chooses the transport that the listener has")
def by_naptr(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 3) as three:
        server.zone["naptr.test"] = [naptr(1, 1, "SIPS+D2T", "_sips._tcp.naptr.test"), naptr(2, 1, "SIP+D2U", "_own._udp.naptr.test")]
        server.zone["_own._udp.naptr.test"] = [srv(1, 1, house.port("lab_peer"), "t3.naptr.test")]
        call = bob.place(NUMBER["naptr"])
        answered(three, three.request("INVITE"), bob, call)


@RESOLVE.scenario("DNS: silence about one trunk's name holds up no other trunk, and ends that call in bounded time")
def never(house):
    with dns(house) as server, App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, target(house, 1) as one:
        server.silent.update(n for n in server.zone if n.endswith("never.test"))
        begin = time.monotonic()
        lost = alice.place(NUMBER["never"])
        for _ in range(3):
            asked = time.monotonic()
            call = bob.place(NUMBER["first"])
            request = one.request("INVITE")
            check(time.monotonic() - asked < 1, "a call elsewhere took %.1f s" % (time.monotonic() - asked))
            answered(one, request, bob, call)
        end = failed(alice, lost)
        check(time.monotonic() - begin < 5, "the call without an address took %.1f s" % (time.monotonic() - begin))
        check(end["reason"] == "trunk_failure", "end: %s" % end)


@RESOLVE.scenario("DNS: records beside the answer are nobody's address")
def poison(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 9) as thief:
        port = house.port("lab_peer")
        lies = [("t1.parked.test", a("127.0.1.9")), ("_sip._udp.parked.test", srv(0, 1, port, "t1.poison.test")), ("parked.test", a("127.0.1.9"))]
        for asked in ("poison.test", "_sip._udp.poison.test", "t1.poison.test"):
            server.beside[asked] = lies
        call = bob.place(NUMBER["poison"])
        answered(one, one.request("INVITE"), bob, call)
        call = bob.place(NUMBER["parked"])
        answered(one, one.request("INVITE"), bob, call)
        thief.silence(0.1)


@RESOLVE.scenario("DNS: two hundred records, by TCP: sixteen are tried, the call ends, the gateway goes on")
def huge(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 1) as one:
        server.zone["_sip._udp.huge.test"] = [srv(1, 1, 9 + i, "h%d.huge.test" % i) for i in range(200)]
        for i in range(200):
            server.zone["h%d.huge.test" % i] = [a("127.0.1.%d" % (100 + i % 100))]
        call = bob.place(NUMBER["huge"])
        end = failed(bob, call)
        check(end["reason"] == "trunk_failure", "end: %s" % end)
        check(sum(n.startswith("h") and n.endswith(".huge.test") for n in server.asked) <= 16, "asked: %d names" % len(server.asked))
        call = bob.place(NUMBER["first"])
        answered(one, one.request("INVITE"), bob, call)


@RESOLVE.scenario("DNS: a time to live of 0 does not mean a question for each call")
def zero(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 1) as one:
        for asked in list(server.zone):
            server.ttl[asked] = 0
        for _ in range(4):
            call = bob.place(NUMBER["zero"])
            answered(one, one.request("INVITE"), bob, call)
        check(server.asked["_sip._udp.zero.test"] <= 2, "asked: %s" % server.asked)


@RESOLVE.scenario("DNS: a name that moves takes its calls along once its time is over")
def moved(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 1) as one, target(house, 2) as two:
        for asked in list(server.zone):
            server.ttl[asked] = 5
        call = bob.place(NUMBER["moved"])
        answered(one, one.request("INVITE"), bob, call)
        server.zone["t1.moved.test"] = [a("127.0.1.2")]
        time.sleep(5.2)
        call = bob.place(NUMBER["moved"])
        answered(two, two.request("INVITE"), bob, call)
        one.silence(0.1)


@RESOLVE.scenario("targets over TCP: a refused connection costs less than a second")
def tcp_refused(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 2, True) as two:
        begin = time.monotonic()
        call = bob.place(NUMBER["tcprefused"])
        request = two.request("INVITE")
        check(time.monotonic() - begin < 1, "it took %.1f s" % (time.monotonic() - begin))
        answered(two, request, bob, call)


@RESOLVE.scenario("targets over TCP: a connection that is reset under the INVITE costs less than a second")
def tcp_reset(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 2, True) as two, \
            socket.create_server(("127.0.1.1", house.port("lab_peer"))) as rude:
        call = bob.place(NUMBER["tcpreset"])
        stream, _ = rude.accept()
        stream.settimeout(5)
        check(stream.recv(65536).startswith(b"INVITE"), "no INVITE")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        begin = time.monotonic()
        rude.close()
        stream.close()
        request = two.request("INVITE")
        print("# a connection that is reset: the next target has the INVITE after %.0f ms" % ((time.monotonic() - begin) * 1000))
        check(time.monotonic() - begin < 1, "it took %.1f s" % (time.monotonic() - begin))
        answered(two, request, bob, call)


@RESOLVE.scenario("targets over TCP: a peer that takes the connection and says nothing costs two seconds")
def tcp_silent(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1, True), target(house, 2, True) as two:
        begin = time.monotonic()
        call = bob.place(NUMBER["tcpsilent"])
        request = two.request("INVITE", 4)
        check(1.8 < time.monotonic() - begin < 3, "it took %.1f s" % (time.monotonic() - begin))
        answered(two, request, bob, call)


@RESOLVE.scenario("targets: a trunk of several URIs: the next one takes what no address of the one before it takes")
def several(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 2) as two:
        begin = time.monotonic()
        call = bob.place(NUMBER["several"])
        request = two.request("INVITE")
        check(time.monotonic() - begin < 1, "it took %.1f s" % (time.monotonic() - begin))
        check("several.test" in request.first, "the second URI is meant: " + request.first)
        answered(two, request, bob, call)


@RESOLVE.scenario("targets over TCP: calls and their requests share one connection")
def tcp_reuse(house):
    with dns(house), App(house.demo, "bob") as bob, target(house, 1, True) as one:
        for _ in range(3):
            call = bob.place(NUMBER["tcpreuse"])
            answered(one, one.request("INVITE"), bob, call)
        check(len(one.streams) == 1, "%d connections" % len(one.streams))


@RESOLVE.scenario("targets over IPv6: AAAA of a service, from the listener that has that family")
def six(house):
    with dns(house) as server, App(house.demo, "bob") as bob, \
            Agent(house.port("lab_peer"), ("::1", house.port("lab")), "::1") as sip:
        for i in (1, 2, 3):
            server.zone["t%d.six.test" % i] = [a("127.0.1.1"), aaaa("::1")]
        call = bob.place(NUMBER["six"])
        request = sip.request("INVITE")
        sip.reply(request, 200, sdp=audio_sdp(sip.port + 10, "127.0.0.1"))
        sip.request("ACK")
        bob.wait("call.answered", call=call)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@RESOLVE.scenario("targets over TLS: a certificate for where SRV leads, and not for the trunk's name, is passed by at once")
def tls_name(house):
    def tls(i, path):
        return StreamAgent(house.port("lab_peer"), ("127.0.0.20", house.port("tls")), "127.0.1.%d" % i, name="secure.test",
                           **Certs.contexts(path))

    with dns(house) as server, Certs() as certs, App(house.demo, "bob") as bob, tls(1, certs.make("led", "DNS:t1.secure.test")) as one, \
            tls(2, certs.make("meant", "DNS:secure.test")) as two:
        port = house.port("lab_peer")
        server.zone["secure.test"] = [a("127.0.1.2")]
        server.zone["_sips._tcp.secure.test"] = [srv(i, 1, port, "t%d.secure.test" % i) for i in (1, 2)]
        heard = []
        thread = threading.Thread(target=lambda: heard.append(one.receive(3)))
        thread.start()
        begin = time.monotonic()
        call = bob.place(NUMBER["secure"])
        request = two.request("INVITE")
        took = time.monotonic() - begin
        check(took < 1.5, "it took %.1f s" % took)
        check("secure.test" in request.first, request.first)
        answered(two, request, bob, call)
        thread.join()
        check(heard == [None], "the wrong one was told: %s" % (heard[0].first if heard[0] else ""))


@RESOLVE.scenario("DNS: the name in an answer's Contact is asked of the same servers")
def contact(house):
    with dns(house) as server, App(house.demo, "bob") as bob, target(house, 1) as one:
        server.zone["contact.test"] = [a("127.0.1.1")]
        call = bob.place(NUMBER["parked"])
        request = one.request("INVITE")
        one.reply(request, 200, sdp=audio_sdp(one.port + 10, one.host), contact="<sip:far@contact.test:%d>" % one.port)
        one.request("ACK")
        bob.wait("call.answered", call=call)
        bob.hangup()
        one.reply(one.request("BYE"), 200)
        check(server.asked.get("contact.test"), "nobody asked")
