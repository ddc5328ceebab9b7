# SPDX-License-Identifier: Apache-2.0
"""The border: transports, certificates, direct routing, chains, hairpins, sources of media, time limits."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from app import App
from group import Group
from house import TOP, Failed, check, wait_for
from peermedia import Media, crypto_line, crypto_of, new_key
from peers import BOB, OUT, agent, both, call_in, call_out, here, reinvite, secured_in, take, trunk_leg
from sipua import Agent, Dialog, StreamAgent, audio_sdp, sdp_media

BORDER = Group("border", template=here + "/peers.yaml.in")
SUITE = "AES_CM_128_HMAC_SHA1_80"


# Certificates ------------------------------------------------------------------------------------


class Certs:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sp-certs-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def make(self, name, sans, root=None, expired=False, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), use="serverAuth,clientAuth"):
        root = root or TOP + "/certs/dev/ca"
        path = "%s/%s" % (self.dir, name)
        run = lambda *args: subprocess.run(args, check=True, capture_output=True)
        run("openssl", "req", "-new", "-newkey", *key, "-nodes", "-keyout", path + ".key", "-out", path + ".csr", "-subj", "/CN=peer")
        open(path + ".ext", "w").write(("subjectAltName=%s\n" % sans if sans else "") + "extendedKeyUsage=%s\n" % use)
        days = "-1" if expired else "30"
        run("openssl", "x509", "-req", "-in", path + ".csr", "-CA", root + ".pem", "-CAkey", root + ".key", "-CAcreateserial",
            "-CAserial", path + ".srl", "-days", days, "-out", path + ".pem", "-extfile", path + ".ext")
        return path

    def root(self):
        path = self.dir + "/other"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-keyout", path + ".key", "-out", path + ".pem", "-subj", "/CN=other root"], check=True, capture_output=True)
        return path

    @staticmethod
    def contexts(path):
        client = ssl.create_default_context(cafile=TOP + "/certs/dev/ca.pem")
        client.check_hostname = False
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TOP + "/certs/dev/ca.pem")
        server.verify_mode = ssl.CERT_REQUIRED
        for c in (client, server):
            if path:
                c.load_cert_chain(path + ".pem", path + ".key")
        return dict(client=client, server=server)


def tls_agent(house, last, path, name):
    return StreamAgent(house.port("lab_peer"), ("127.0.0.20", house.port("tls")), "127.0.0.%d" % last, name=name, **Certs.contexts(path))


def secure_pair(sip, bob, media, d):
    take(bob)
    ok = d.answer(200)
    check(ok.status == 200, ok.text())
    d.ack(ok)
    ours = crypto_of(ok.body)[0]
    media.secure(SUITE, media.key, ours[2], b"", ours[3])
    media.to(ok.body)
    bob.wait("call.connected", call=bob.client.call)
    return ok


def secure_sdp(media):
    media.key = new_key(SUITE)
    return media.sdp("RTP/SAVP", crypto_line(1, SUITE, media.key))


def secure_out(sip, bob, media, number, contact=None):
    call = bob.place(OUT + number)
    request = sip.request("INVITE")
    mine = next(o for o in crypto_of(request.body) if o[1] == SUITE)
    media.key = new_key(SUITE)
    media.secure(SUITE, media.key, mine[2], b"", mine[3])
    media.to(request.body)
    sip.reply(request, 200, sdp=media.sdp("RTP/SAVP", crypto_line(mine[0], SUITE, media.key)), contact=contact)
    sip.request("ACK")
    bob.wait("call.connected", call=call)
    return request


@BORDER.scenario("a trunk over TCP: calls both ways on one connection, a message in pieces, a long one")
def tcp(house):
    with StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.0.10") as sip, App(house.demo, "bob") as bob, \
            Media(host="127.0.0.10") as media:
        d = Dialog(sip, BOB)
        d.cseq = 1
        text = d.head("OPTIONS") + "Content-Length: 0\r\n\r\n"
        for at in range(0, len(text), 17):
            sip.send_bytes(text[at:at + 17].encode())
            time.sleep(0.005)
        check(d.answer(200, method="OPTIONS").status == 200, "OPTIONS in pieces")
        d, ok = call_in(sip, bob, media, more="X-Long: %s\r\n" % ("x" * 20000))
        check("transport=tcp" in ok.get("contact"), "Contact: " + ok.get("contact"))
        both(bob, media)
        bob.hangup()
        bye = sip.request("BYE")
        sip.reply(bye, 200)
        request, _ = call_out(sip, bob, media, "110")
        check("TCP" in request.get("via") and "transport=tcp" in request.get("contact"), request.text())
        both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@BORDER.scenario("a trunk's target by name")
def named(house):
    peer = Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab")), host="127.0.0.1")
    with App(house.demo, "bob") as bob, peer as sip, Media(host="127.0.0.1") as media:
        request, _ = call_out(sip, bob, media, "106")
        check("@localhost" in request.first, request.first)
        both(bob, media)
        bob.hangup()
        sip.reply(sip.request("BYE"), 200)


@BORDER.scenario("TLS: the peer is its certificate's name; calls both ways; strangers, other roots, expired ones are not served")
def tls(house):
    with Certs() as certs, App(house.demo, "bob") as bob:
        good = certs.make("carrier", "DNS:carrier.sallyport.test,IP:127.0.0.11")
        with tls_agent(house, 11, good, "carrier.sallyport.test") as sip, Media(host="127.0.0.11") as media:
            d = Dialog(sip, BOB).invite(secure_sdp(media))
            ok = secure_pair(sip, bob, media, d)
            check("sip:%s@gw.sallyport.test" % BOB in ok.get("contact"), ok.get("contact"))
            both(bob, media)
            d.bye()
            secure_out(sip, bob, media, "111", "<sip:far@127.0.0.11:%d;transport=tls>" % sip.port)
            both(bob, media)
            bob.hangup()
            sip.reply(sip.request("BYE"), 200)
        refused = {"other": certs.make("foreign", "DNS:carrier.sallyport.test,IP:127.0.0.11", root=certs.root()),
                   "expired": certs.make("old", "DNS:carrier.sallyport.test,IP:127.0.0.11", expired=True), "none": None}
        for kind, path in refused.items():
            with tls_agent(house, 11, path, "carrier.sallyport.test") as sip:
                try:
                    d = Dialog(sip, BOB)
                    d.cseq = 1
                    sip.send(d.head("OPTIONS"))
                    m = sip.receive(1.5)
                    check(m is None, "%s: was answered %s" % (kind, m and m.first))
                except OSError:
                    pass
        with tls_agent(house, 11, certs.make("stranger", "DNS:other.test"), "carrier.sallyport.test") as sip:
            d = Dialog(sip, BOB)
            d.cseq = 1
            sip.send(d.head("OPTIONS"))
            m = sip.receive(1.5)
            check(m is None, "a stranger by name was answered " + (m.first if m else ""))
        # and where we are the client
        bad = {"wrong": certs.make("wrong", "DNS:other.test"), "other": refused["other"], "expired": refused["expired"]}
        for kind, path in bad.items():
            contexts = Certs.contexts(path)
            contexts["server"].verify_mode = ssl.CERT_NONE
            with StreamAgent(house.port("lab_peer"), ("127.0.0.20", house.port("tls")), "127.0.0.11", **contexts) as sip:
                begin = time.monotonic()
                call = bob.place(OUT + "111")
                m = sip.receive(1.5)
                check(m is None, "%s: an INVITE went to it" % kind)
                end = bob.wait("call.ended", 5, call=call)["end"]
                check(end["reason"] in ("trunk_failure", "unreachable"), "%s: %s" % (kind, end))
                check(time.monotonic() - begin < 4, "took %.1f s" % (time.monotonic() - begin))


@BORDER.scenario("direct routing: OPTIONS first from them, then ours; names only; one Via; calls both ways")
def direct(house):
    with Certs() as certs, App(house.demo, "bob") as bob:
        good = certs.make("sbc", "DNS:localhost")
        with tls_agent(house, 1, good, "localhost") as sip, Media(host="127.0.0.1") as media:
            early = sip.receive(1.5)
            check(early is None, "before their first OPTIONS came " + (early.first if early else ""))
            d = Dialog(sip, "", host="direct.sallyport.test")
            d.cseq = 1
            text = d.head("OPTIONS")
            text = text.replace("Contact: <sip:+15550123456@", "Contact: <sip:")
            sip.send(text)
            ok = d.answer(200, method="OPTIONS")
            check(ok.status == 200 and "direct.sallyport.test" in ok.get("contact"), ok.text())
            ours = sip.request("OPTIONS", 4)
            check("direct.sallyport.test" in ours.get("contact") and "@" not in ours.get("contact"), "OPTIONS: " + ours.text())
            sip.reply(ours, 200)
            cases = (("an address in Contact", dict(), lambda t: t.replace("@localhost:", "@127.0.0.1:"), "contact_host"),
                     ("another name in Contact", dict(), lambda t: t.replace("@localhost:", "@other.test:"), "contact_host"),
                     ("two Vias", dict(vias=["SIP/2.0/TLS 192.0.2.7;branch=z9hG4bKa"]), lambda t: t, "third_party_proxy"),
                     ("a foreign Record-Route", dict(more="Record-Route: <sip:proxy.test;lr>\r\n"), lambda t: t, "third_party_proxy"))
            for what, more, change, rule in cases:
                d = Dialog(sip, BOB, host="direct.sallyport.test")
                head = d.head
                d.head = lambda m, **k: change(head(m, **k))
                d.invite(secure_sdp(media), **more)
                gone = d.answer(300)
                check(gone.status == 403 and gone.get("warning").startswith("399 "), "%s: %s" % (what, gone.text()))
                d.ack(gone)
                house.record(lambda r: r["end"] and r["end"]["rule"] == rule and r["legs"][0]["sip_call_id"] == d.call_id)
            d = Dialog(sip, BOB, host="direct.sallyport.test").invite(secure_sdp(media), more="Record-Route: <sip:localhost;lr>\r\n")
            ok = secure_pair(sip, bob, media, d)
            check("direct.sallyport.test" in ok.get("contact"), ok.get("contact"))
            both(bob, media)
            d.bye()
            request = secure_out(sip, bob, media, "112")
            check("@direct.sallyport.test" in request.get("from") and "@direct.sallyport.test" in request.get("contact"), request.text())
            both(bob, media)
            bob.hangup()
            sip.reply(sip.request("BYE"), 200)


# Chains ------------------------------------------------------------------------------------------


@BORDER.scenario("the chain of a request: an allowed proxy passes, everything else is named")
def chain_in(house):
    with App(house.demo, "bob") as bob, agent(house, 7) as sbc, agent(house, 8) as proxy:
        foreign = "Record-Route: <sip:192.0.2.1;lr>\r\n"
        cases = [  # (who sends, Vias below, header fields, status)
            (sbc, ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"], "", 403), (sbc, [], foreign, 403),
            (sbc, [], "Path: <sip:192.0.2.1;lr>\r\n", 403), (sbc, [], "Service-Route: <sip:192.0.2.1;lr>\r\n", 403),
            (proxy, ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"], "", 403),
            (sbc, ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa"], "", 403)]
        for who, vias, more, status in cases:
            d = Dialog(who, BOB).invite(audio_sdp(4000, host="127.0.0.7"), vias=vias, more=more)
            gone = d.answer(300)
            check(gone.status == status and "trunks[chain]" in gone.get("warning"), "%s %s: %s" % (vias, more, gone.text()))
            d.ack(gone)
        # the allowed one: it forwards what the SBC sent
        d = Dialog(proxy, BOB)
        head = d.head
        d.head = lambda m, **k: head(m, **k).replace("Contact: <sip:+15550123456@127.0.0.8", "Contact: <sip:+15550123456@127.0.0.7")
        via = "SIP/2.0/UDP 127.0.0.7:%d;branch=z9hG4bKsbc" % sbc.port
        d.invite(audio_sdp(4000, host="127.0.0.7"), vias=[via], more="Record-Route: <sip:127.0.0.8:%d;lr>\r\n" % proxy.port)
        take(bob)
        ok = d.answer(200)
        check(ok.status == 200, ok.text())
        check(len(ok.all("via")) == 2 and ok.get("record-route"), "Vias, Record-Route: " + ok.text())
        d.ack(ok)
        bob.hangup()
        bye = proxy.request("BYE")
        check("127.0.0.8" in bye.get("route") and "@127.0.0.7" in bye.first, "BYE: " + bye.text())
        proxy.reply(bye, 200)


@BORDER.scenario("the chain of an answer: a stranger's Record-Route or Contact ends in ACK and BYE; the proxy's is used")
def chain_out(house):
    with App(house.demo, "bob") as bob, agent(house, 7) as sbc, agent(house, 8) as proxy, Media(host="127.0.0.7") as media:
        for more, contact in (("Record-Route: <sip:192.0.2.1;lr>\r\n", None), ("", "<sip:x@192.0.2.1>")):
            call = bob.place(OUT + "107")
            request = sbc.request("INVITE")
            sbc.reply(request, 183, sdp=media.sdp(), more=more, contact=contact)
            sbc.reply(request, 200, sdp=media.sdp(), more=more, contact=contact)
            if "Record" in more:
                # The ACK and the BYE go by the route that the answer named: out of sight here.
                pass
            end = bob.wait("call.ended", call=call)["end"]
            check(end["reason"] == "policy", "end: %s" % end)
            record = house.record(lambda r: r["id"] == call)
            check(record["end"]["rule"] in ("third_party_proxy", "contact_host"), "record: %s" % record["end"])
            check("192.0.2.1" in record["end"]["detail"] and "trunks[chain]" in record["end"]["detail"], "record: %s" % record["end"])
        request, call = None, bob.place(OUT + "107")
        request = sbc.request("INVITE")
        media.to(request.body)
        sbc.reply(request, 200, sdp=media.sdp(), more="Record-Route: <sip:127.0.0.8:%d;lr>\r\n" % proxy.port)
        ack = proxy.request("ACK")
        check("127.0.0.8" in ack.get("route"), ack.text())
        bob.wait("call.connected", call=call)
        both(bob, media)
        bob.hangup()
        proxy.reply(proxy.request("BYE"), 200)


@BORDER.scenario("OPTIONS to a carrier tell its health")
def health(house):
    with agent(house, 7) as sbc:
        m = sbc.request("OPTIONS", 12)
        check(m.get("contact") and m.get("max-forwards"), m.text())
        sbc.reply(m, 200)


@BORDER.scenario("a hairpin is refused, by the pair of numbers and by Session-ID; a transfer to another user is none")
def hairpin(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 7) as sbc, Media(host="127.0.0.7") as media:
        call = bob.place(OUT + "107")
        request = sbc.request("INVITE")
        caller = request.get("from").partition("sip:")[2].partition("@")[0]
        sbc.user = caller
        d = Dialog(sbc, OUT[:-2] + "99107").invite(media.sdp())
        gone = d.answer(300)
        check(gone.status in (403, 482) and "399" in gone.get("warning"), "pair: " + gone.text())
        d.ack(gone)
        sbc.user = "+15550123456"
        d = Dialog(sbc, "+15550100001").invite(media.sdp(), more="Session-ID: %s\r\n" % request.get("session-id"))
        gone = d.answer(300)
        check(gone.status in (403, 482), "Session-ID: " + gone.text())
        d.ack(gone)
        bob.hangup()
        sbc.reply(request, 487)
        # a caller of the PSTN whom the SBC moves from bob to alice
        d, _ = call_in(sbc, bob, media)
        e = Dialog(sbc, "+15550100001").invite(media.sdp(), more="Session-ID: 0123456789abcdef0123456789abcdef;remote=%s\r\n" % (32 * "0"))
        take(alice)
        ok = e.answer(200)
        check(ok.status == 200, "transferred: " + ok.text())
        e.ack(ok)
        d.bye()
        e.bye()


# Who may send ------------------------------------------------------------------------------------


@BORDER.scenario("secured media from another port: auto follows it after 2 s of silence, off does not")
def symmetric(house):
    for last, follows in ((3, True), (9, False)):
        with App(house.demo, "bob") as bob, agent(house, last) as sip, Media(host="127.0.0.%d" % last) as media:
            silent = media._pair()
            key = new_key(SUITE)
            d = Dialog(sip, BOB).invite(media.sdp("RTP/SAVP", crypto_line(1, SUITE, key), port=silent[0].getsockname()[1]))
            take(bob)
            ok = d.answer(200)
            d.ack(ok)
            ours = crypto_of(ok.body)[0]
            media.secure(SUITE, key, ours[2], b"", ours[3])
            media.to(ok.body)
            bob.wait("call.connected", call=bob.client.call)
            bob.hears(900)
            if follows:
                media.hears(700, 5)
            else:
                time.sleep(3)
                check(media.packets == 0, "%d packets to where nobody said" % media.packets)
            d.bye()
            for s in silent:
                s.close()


@BORDER.scenario("plain media: strangers are dropped and counted; another port of the same address is kept; once follows the first source")
def plain_sources(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, ok = call_in(sip, bob, media)
        both(bob, media)
        host, port, _ = sdp_media(ok.body)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.99", 0))
        for i in range(50):
            stranger.sendto(b"\x80\x00" + bytes([0, i]) + bytes(8) + bytes(160), (host, port))
        both(bob, media)
        d.bye()
        leg, _ = trunk_leg(house, bob.client.call)
        check(leg["rx"].get("wrong_source", leg["rx"].get("dropped", 50)) >= 50, "record: %s" % leg)
        stranger.close()
    with App(house.demo, "bob") as bob, agent(house, 4) as sip, Media(host="127.0.0.44") as media:
        d, ok = call_in(sip, bob, media, media.sdp(host="127.0.0.4", port=9))
        both(bob, media)
        d.bye()


# Time --------------------------------------------------------------------------------------------


@BORDER.scenario("answer_timeout_s: CANCEL, no_answer")
def answer_timeout(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip:
        call = bob.place(OUT + "105")
        request = sip.request("INVITE")
        sip.reply(request, 180)
        begin = time.monotonic()
        cancel = sip.request("CANCEL", 8)
        check(3 < time.monotonic() - begin < 6.5, "after %.1f s" % (time.monotonic() - begin))
        sip.reply(cancel, 200)
        sip.reply(request, 487)
        sip.request("ACK")
        end = bob.wait("call.ended", call=call)["end"]
        check(end["reason"] == "no_answer", "end: %s" % end)


@BORDER.scenario("media_timeout_s: a peer that falls silent ends the call; a held one may be silent")
def media_timeout(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip, Media(host="127.0.0.5") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        ok = reinvite(d, media.sdp(version=2, direction="inactive"))
        check(sdp_media(ok.body)[2] == "inactive", ok.body)
        media.muted = True
        time.sleep(7)
        check(bob.snapshot()["state"] != "ended", "a held call was ended")
        media.muted = False
        reinvite(d, media.sdp(version=3))
        both(bob, media)
        media.muted = True
        end = bob.wait("call.ended", 9, call=bob.client.call)["end"]
        check(end["reason"] in ("media_timeout", "media_failure"), "end: %s" % end)
        sip.reply(sip.request("BYE"), 200)


@BORDER.scenario("an app whose media never come up: the trunk's call ends with media_failure within 12 s")
def no_media(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp())
        event = bob.wait("call.incoming")
        bob.client.call = event["call"]

        async def deaf():
            from aiortc_client import Media as AppMedia
            m = AppMedia(700)
            text = await m.answer(event["offer"])
            await m.close()
            return await bob.client.verb("answer", {"answer": text})
        bob.run(deaf())
        ok = d.answer(200)
        d.ack(ok)
        media.to(ok.body)
        begin = time.monotonic()
        end = bob.wait("call.ended", 14, call=event["call"])["end"]
        check(end["reason"] == "media_failure" and time.monotonic() - begin > 6, "end: %s" % end)
        sip.reply(sip.request("BYE"), 200)


@BORDER.scenario("long header fields, many of them, over UDP; the call goes on")
def long_headers(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media, more="".join("X-%d: %s\r\n" % (i, "y" * 200) for i in range(100)) + "Subject: %s\r\n" % ("s" * 20000))
        both(bob, media)
        sip.user = "u" * 3000
        e = Dialog(sip, BOB + "0" * 3000)
        e.invite(media.sdp(), more="Session-ID: %s\r\n" % ("f" * 5000))
        gone = e.answer(300)
        check(gone.status in (400, 404, 414, 484), gone.text()[:300])
        e.ack(gone)
        both(bob, media)
        d.bye()


@BORDER.scenario("the record's figures: packets, losses and jitter each way, digits, suites")
def figures(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, _, _ = secured_in(sip, bob, media, "AEAD_AES_256_GCM")
        both(bob, media)
        with media.quiet():
            media.seq += 20  # twenty that never come
        media.send_digit = "3"
        bob.wait("dtmf.received", call=bob.client.call)
        bob.done(bob.verb("dtmf", {"digits": "77"}))
        both(bob, media)
        d.bye()
        leg, record = trunk_leg(house, bob.client.call)
        native = next(leg for leg in record["legs"] if leg["kind"] == "native")
        check(leg["srtp"] == "AEAD_AES_256_GCM" and "AES" in native["srtp"], "suites: %s %s" % (leg["srtp"], native["srtp"]))
        check(leg["rx"]["lost"] == 20, "lost: %s" % leg)
        check(0 < leg["rx"]["jitter_ms"] < 30 and leg["dtmf_in"] == 1 and leg["dtmf_out"] == 2, "trunk leg: %s" % leg)
        check(abs(leg["tx"]["packets"] - media.packets) < 10, "sent %s, heard %d" % (leg["tx"], media.packets))
        check(native["tx"]["packets"] > 50 and native["rx"]["lost"] <= 2, "native: %s" % native)


def drop(sip):
    for s in list(sip.streams):
        s.close()
    sip.streams.clear()
    sip.last = None
    time.sleep(0.3)


@BORDER.scenario("a connection that is lost within a call is made anew: BYE, the answer to an INVITE, the next call")
def lost_connection(house):
    with Certs() as certs, App(house.demo, "bob") as bob:
        path = certs.make("carrier", "DNS:carrier.sallyport.test,IP:127.0.0.11")
        with tls_agent(house, 11, path, "carrier.sallyport.test") as sip, Media(host="127.0.0.11") as media:
            contact = "<sip:far@127.0.0.11:%d;transport=tls>" % sip.port
            for _ in range(2):
                secure_out(sip, bob, media, "111", contact)
                both(bob, media)
                drop(sip)
                both(bob, media)
                bob.hangup()
                sip.reply(sip.request("BYE"), 200)
        with StreamAgent(house.port("lab_peer"), ("127.0.0.1", house.port("tls")), "127.0.0.10") as sip, Media(host="127.0.0.10") as media:
            d = Dialog(sip, BOB).invite(media.sdp())
            event = bob.wait("call.incoming")
            bob.client.call = event["call"]
            bob.verb("ringing")
            d.answer(180)
            drop(sip)
            bob.answer(event)
            ok = d.answer(200)
            check(ok.status == 200, ok.text())
            d.ack(ok)
            media.to(ok.body)
            bob.wait("call.connected", call=event["call"])
            both(bob, media)
            drop(sip)
            bob.hangup()
            sip.reply(sip.request("BYE"), 200)
