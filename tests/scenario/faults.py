# SPDX-License-Identifier: Apache-2.0
"""Each cause of trace/why.def by injecting its fault: the record says why, in one sentence."""
import asyncio
import json
import re
import select
import struct
import time

import aiortc_client
from app import App
from border import Certs, tls_agent
from group import Group
from house import check, wait_for
from names import Dns
from peermedia import Media, Secret, crypto_line, new_key
from peers import agent, both, call_in, call_out, here, reinvite, secured_in
from sipua import Dialog

FAULTS = Group("faults", template=here + "/faults.yaml.in")
SOUND = Group("faults of sound", template=here + "/faults.yaml.in")
BOB = "+15550100002"
OUT = "+15550199"


class Dumb(aiortc_client.Media):
    """Its microphone gives nothing at all."""

    def __init__(self, hz):
        super().__init__(hz)
        self.pc.getSenders()[0].track.recv = lambda: asyncio.sleep(3600)


class Blind(aiortc_client.Media):
    """It never learns where the gateway is: its checks go elsewhere."""

    async def answer(self, offer):
        return await super().answer({**offer, "sdp": re.sub(r"(a=candidate:\S+ 1 \S+ \d+ \S+) \d+", r"\1 9", offer["sdp"])})


class Keyless(aiortc_client.Media):
    """Its checks work; it does no DTLS."""

    async def answer(self, offer):
        async def nothing(*_):
            await asyncio.sleep(3600)
        await self.pc.setRemoteDescription(aiortc_client.RTCSessionDescription(offer["sdp"], "offer"))
        for t in self.pc.getTransceivers():
            t.sender.transport.start = nothing
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return {"type": "answer", "sdp": self.pc.localDescription.sdp}


class Other(aiortc_client.Media):
    """Its description has another's fingerprints."""

    async def answer(self, offer):
        answer = await super().answer(offer)
        flip = lambda m: m.group(1) + ("00" if m.group(2) != "00" else "01")
        return {**answer, "sdp": re.sub(r"(a=fingerprint:\S+ )(..)", flip, answer["sdp"])}


def why(house, call, slug, *parts, seconds=10):
    """The closed record's cause is that one, and its sentence has these parts."""
    record = house.record(lambda r: r["call"] == call or r["id"] == call, seconds)
    told = (record["cause"], record["cause_text"])
    check(record["cause"] == slug, "cause %s: %s (%s)" % (told[0], told[1], record["end"]))
    for part in parts:
        check(part in (record["cause_text"] or ""), "sentence: %s, not %s" % (told[1], part))
    return record


def good(house, call):
    record = house.record(lambda r: r["id"] == call)
    check(record["cause"] is None and record["cause_text"] is None, "%s: %s" % (record["cause"], record["cause_text"]))


def ended(d, bob, seconds):
    time.sleep(seconds)
    d.bye()
    return bob.client.call


def timeline(house, call):
    status, body = house.admin("/admin/v1/calls/%s/timeline" % call)
    check(status == 200, "timeline: %d %s" % (status, body))
    return json.loads(body)


def live_row(house, call):
    return next(c for c in house.live_calls() if c["id"] == call)


def newest(house, known):
    """The record of the attempt that follows those."""
    return house.record(lambda r: r["id"] not in known)


def known(house):
    return {r["id"] for r in house.records()}


# Good ones ----------------------------------------------------------------------------------------


# First of all: each try is twice as far from the one before, half a minute, a minute, two, four.
@FAULTS.scenario("registration_lost: the registrar does not answer")
def registration_lost(house):
    with App(house.demo, "bob") as bob:
        seen = known(house)
        bob.refused(lambda: bob.place(OUT + "112"))
        record = newest(house, seen)
        why(house, record["id"], "unregistered", "the carrier could not be asked: trunk registered is not registered: its registrar does not answer")
        with agent(house, 38) as sip:
            request = sip.request("REGISTER", 70)
            sip.reply(request, 403)
            seen = known(house)
            bob.refused(lambda: bob.place(OUT + "112"))
            why(house, newest(house, seen)["id"], "unregistered", "trunk registered is not registered: its registrar answered 403")


@FAULTS.scenario("good: a call that works, and one whose caller hangs up while it rings, have no cause")
def no_fault(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        time.sleep(3)
        check(live_row(house, bob.client.call)["cause"] is None, "a good call that lives")
        good(house, ended(d, bob, 3))
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp())
        call = bob.incoming()["call"]
        d.answer(180)
        d.cancel()
        d.ack(d.answer(487))
        good(house, call)


# Where packets come from and go to -----------------------------------------------------------------


@SOUND.scenario("wrong_port: the carrier sends to the port of our reports")
def wrong_port(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.reporting = False
        d, _ = call_in(sip, bob, media)
        host, port = media.peer
        media.peer = (host, port + 1)
        why(house, ended(d, bob, 4), "wrong_port", "carrier (trunk plain) sends to port %d but our SDP said %d" % (port + 1, port))


@SOUND.scenario("wrong_port_other: the carrier sends to the port of another call")
def wrong_port_other(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as sip, \
            Media(host="127.0.0.2") as media, Media(host="127.0.0.2") as astray:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        other = Dialog(sip, "+15550100001").invite(astray.sdp())
        alice.answer(alice.incoming())
        ok = other.answer(200)
        other.ack(ok)
        alice.wait("call.connected", call=alice.client.call)
        astray.to(ok.body)
        said, astray.peer = astray.peer[1], media.peer
        time.sleep(4)
        other.bye()
        why(house, alice.client.call, "wrong_port", "sends to port %d but our SDP said %d" % (media.peer[1], said))
        d.bye()


@SOUND.scenario("wrong_port_free: the carrier sends to a port that nobody has")
def wrong_port_free(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.muted, media.reporting = True, False
        d, _ = call_in(sip, bob, media)
        host, said = media.peer
        media.peer, media.muted = (host, said + 2), False
        why(house, ended(d, bob, 6), "wrong_port", "carrier (trunk plain) sends to port %d but our SDP said %d" % (said + 2, said))


@SOUND.scenario("wrong_source: media come from an address that no description named")
def wrong_source(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.66") as media:
        d, _ = call_in(sip, bob, media, media.sdp(host="127.0.0.2", port=40000))
        why(house, ended(d, bob, 4), "wrong_source", "sends media from 127.0.0.66:%d but its SDP said 127.0.0.2:40000" % media.port)


@SOUND.scenario("payload_type: the carrier sends what was not negotiated")
def payload_type(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        media.pt = 18
        why(house, ended(d, bob, 4), "payload_type", "carrier (trunk plain) sends payload type 18")


# Keys -----------------------------------------------------------------------------------------------


@SOUND.scenario("srtp_key: another key than the description says, from the begin")
def srtp_key(house):
    suite = "AES_CM_128_HMAC_SHA1_80"
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        media.muted, media.reporting = True, False
        d, ok, key = secured_in(sip, bob, media, suite)
        media.secure(suite, new_key(suite), new_key(suite))
        media.muted = False
        why(house, ended(d, bob, 4), "srtp_key", "SRTP authentication of carrier (trunk secured) fails since the begin")


@SOUND.scenario("srtp_plain: its answer has keys, and it sends plain RTP")
def srtp_plain(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        media.muted, media.reporting = True, False
        d, ok, key = secured_in(sip, bob, media, "AES_CM_128_HMAC_SHA1_80")
        media.tx = None
        media.muted = False
        why(house, ended(d, bob, 4), "srtp_plain", "carrier (trunk secured) sends plain RTP though SRTP was agreed (")


@SOUND.scenario("srtp_since: another key from some second on, and no description says so")
def srtp_since(house):
    suite = "AES_CM_128_HMAC_SHA1_80"
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, ok, key = secured_in(sip, bob, media, suite)
        both(bob, media)
        time.sleep(1.5)
        media.tx = Secret(suite, new_key(suite), False)
        record = why(house, ended(d, bob, 2), "srtp_since", "SRTP authentication of carrier (trunk secured) fails since 0:0", "verified before)")
        check("since 0:00" not in record["cause_text"], record["cause_text"])


@SOUND.scenario("srtp_for_a_while: another key for some seconds, until a re-INVITE says so")
def srtp_for_a_while(house):
    suite = "AES_CM_128_HMAC_SHA1_80"
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, ok, key = secured_in(sip, bob, media, suite)
        both(bob, media)
        key = new_key(suite)
        media.tx = Secret(suite, key, False)
        time.sleep(5)
        reinvite(d, media.sdp("RTP/SAVP", crypto_line(1, suite, key), version=2))
        both(bob, media)
        why(house, ended(d, bob, 1), "srtp_for_a_while", "carrier (trunk secured) was not heard for ", "packets failed")


@SOUND.scenario("event_payload: digits come by a payload type that no description has")
def event_payload(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2", their_event_pt=97) as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        media.send_digit = "5"
        wait_for("the digit was sent", lambda: media.send_digit is None, 3)
        media.forget()
        both(bob, media)
        why(house, ended(d, bob, 1), "event_payload", "carrier (trunk plain) sends payload type 97 beside its sound")


@SOUND.scenario("srtp_reinvite: a re-INVITE brings a new key, and the carrier takes yet another one")
def srtp_reinvite(house):
    suite = "AES_CM_128_HMAC_SHA1_80"
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, ok, key = secured_in(sip, bob, media, suite)
        both(bob, media)
        reinvite(d, media.sdp("RTP/SAVP", crypto_line(1, suite, key), version=2))
        time.sleep(4)
        reinvite(d, media.sdp("RTP/SAVP", crypto_line(1, suite, new_key(suite)), version=3))
        media.tx = Secret(suite, new_key(suite), False)
        why(house, ended(d, bob, 4), "srtp_since_reinvite", "carrier (trunk secured) fails since re-INVITE 2")


# Nothing, or nothing any more ------------------------------------------------------------------------


@SOUND.scenario("no_media_carrier: the carrier never sends")
def no_media_carrier(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.muted, media.reporting = True, False
        d, _ = call_in(sip, bob, media)
        why(house, ended(d, bob, 5), "no_media", "no media came from carrier (trunk plain) in 5.")


@SOUND.scenario("no_media_app: the app never sends")
def no_media_app(house):
    with App(house.demo, "bob", media=Dumb) as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        why(house, ended(d, bob, 5), "no_media", "no media came from app (user bob) in 5.")


@SOUND.scenario("media_stopped: the carrier stops, and never comes back")
def media_stopped(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        time.sleep(2)
        media.muted = True
        why(house, ended(d, bob, 8), "media_stopped", "media of carrier (trunk plain) stopped at 0:0")


@SOUND.scenario("one_way: the carrier is not heard for a while")
def one_way(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        media.muted = True
        time.sleep(6)
        media.muted = False
        both(bob, media)
        why(house, ended(d, bob, 1), "one_way", "nothing came from carrier (trunk plain) for ", "while the other side was heard")


@SOUND.scenario("hears_nothing: the carrier's reports say that nothing of ours comes there any more")
def hears_nothing(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        media.reporting, highest = False, media.seqs[-1]
        for _ in range(10):
            media.throw_rtcp(struct.pack("!BBHI4sIIIII", 0x81, 201, 7, media.ssrc, next(iter(media.ssrcs)), 0, highest, 0, 0, 0))
            time.sleep(0.5)
        why(house, ended(d, bob, 0), "hears_nothing", "carrier (trunk plain) hears nothing of us since 0:0")


@SOUND.scenario("silent_microphone: packets come, and nobody is in them")
def silent_microphone(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        bob.client.media.pc.getSenders()[0].track.dbfs = -200
        why(house, ended(d, bob, 10), "silent", "microphone of app (user bob) silent since 0:0")


@SOUND.scenario("silent_carrier: the carrier's packets are silent from the begin")
def silent_carrier(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2", dbfs=-200) as media:
        d, _ = call_in(sip, bob, media)
        why(house, ended(d, bob, 7), "silent", "sound of carrier (trunk plain) silent since 0:00")


@SOUND.scenario("hold_mismatch: our resume is answered as if it were a hold")
def hold_mismatch(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        operation = bob.verb("hold")
        request = sip.request("INVITE")
        sip.reply(request, 200, sdp=media.sdp(direction="inactive", version=2))
        sip.request("ACK")
        bob.done(operation)
        operation = bob.verb("resume")
        request = sip.request("INVITE")
        media.muted = True
        sip.reply(request, 200, sdp=media.sdp(direction="inactive", version=3))
        sip.request("ACK")
        bob.done(operation)
        why(house, ended(d, bob, 5), "hold_mismatch", "carrier (trunk plain) says inactive in its last SDP")


@SOUND.scenario("late_media: the first packet comes long after the answer")
def late_media(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.muted, media.reporting = True, False
        d, _ = call_in(sip, bob, media)
        time.sleep(2.9)
        media.muted = False
        both(bob, media)
        why(house, ended(d, bob, 3), "late_media", "the first media of carrier (trunk plain) came ")


# How good -----------------------------------------------------------------------------------------------


@SOUND.scenario("loss: a fifth of the packets is lost")
def loss(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.lose = 5
        d, _ = call_in(sip, bob, media)
        record = why(house, ended(d, bob, 6), "loss", "of the packets from carrier (trunk plain) were lost")
        share = float(record["cause_text"].split()[0])
        check(17 < share < 23, record["cause_text"])


@SOUND.scenario("packet_time: the carrier sends 60 ms packets, and says nothing of it")
def packet_time(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2", ptime=60) as media:
        d, _ = call_in(sip, bob, media, media.sdp().replace("a=ptime:60\r\n", ""))
        why(house, ended(d, bob, 7), "packet_time", "carrier (trunk plain) sends 60 ms packets where 20 ms were agreed")


# What browsers tell of themselves --------------------------------------------------------------------------


def report(received=300, played=240000, concealed=0, level=0.2, energy=1.5, rtt_s=0.02, kind="host"):
    """A report in the words of a browser."""
    return {"selected_pair": "P1", "stats": [
        {"type": "media-source", "id": "S1", "kind": "audio", "audioLevel": level, "totalAudioEnergy": energy, "totalSamplesDuration": 6},
        {"type": "inbound-rtp", "id": "I1", "kind": "audio", "packetsReceived": received, "totalSamplesReceived": played, "concealedSamples": concealed,
         "silentConcealedSamples": 0},
        {"type": "candidate-pair", "id": "P1", "localCandidateId": "L1", "currentRoundTripTime": rtt_s, "state": "succeeded", "nominated": True},
        {"type": "local-candidate", "id": "L1", "candidateType": kind}]}


@SOUND.scenario("client_told: autoplay blocked, sound made up, a far relay, a dead microphone, by the browser's own statistics")
def client_told(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        call = bob.client.call

        def told(**what):
            bob.run(bob.client.ask("POST", "/calls/%s/telemetry" % call, report(**what)))
            return live_row(house, call)["cause"]
        check(told() is None, "a good report")
        told(level=0, energy=0)
        since = time.monotonic()
        wait_for("three seconds", lambda: time.monotonic() - since > 3, 5)
        for cause, what in (("app (user bob) plays nothing of what it receives (300 packets came there)", dict(played=0)),
                            ("app (user bob) had to make up 12 % of the sound that it played", dict(concealed=30000)),
                            ("app (user bob) is behind a TURN relay with 310 ms round trip", dict(kind="relay", rtt_s=0.31))):
            got = told(**what)
            check(got and got.startswith(cause), "%s, not %s" % (got, cause))
        check(told() is None and told(kind="relay") is None and told(rtt_s=0.31) is None, "half of it")
        told(level=0, energy=1.5)
        time.sleep(5.5)
        told(level=0, energy=1.5)
        why(house, ended(d, bob, 1), "microphone", "microphone of app (user bob) gives no sound since 0:0", "by the browser's own statistics")


@SOUND.scenario("jitter: packets come up to 240 ms late")
def jitter(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.shake_s = 0.24
        d, _ = call_in(sip, bob, media)
        why(house, ended(d, bob, 7), "jitter", "packets from carrier (trunk plain) came with ", " ms of jitter")


# ICE and DTLS --------------------------------------------------------------------------------------------


def never_up(house, media_of, slug, *parts):
    with App(house.demo, "bob", media=media_of) as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d = Dialog(sip, BOB).invite(media.sdp())
        bob.answer(bob.incoming())
        ok = d.answer(200)
        d.ack(ok)
        return why(house, bob.client.call, slug, *parts, seconds=20)


@SOUND.scenario("ice_failed: no check of the app ever comes")
def ice_failed(house):
    never_up(house, Blind, "ice_failed", "ICE with app (user bob) never connected within 1", "candidates reached us")


@SOUND.scenario("dtls_never: checks come, a handshake does not")
def dtls_never(house):
    never_up(house, Keyless, "dtls_never", "ICE with app (user bob) is connected, but it never finished a DTLS handshake within 1")


@SOUND.scenario("dtls_fingerprint: the certificate is not the described one")
def dtls_fingerprint(house):
    never_up(house, Other, "dtls_fingerprint", "DTLS with app (user bob) failed", "fingerprint")


# What a carrier answers ------------------------------------------------------------------------------------


def answered(house, bob, last, number, status, more=""):
    """An outgoing call that one trunk answers so."""
    with agent(house, last) as sip:
        call = bob.place(OUT + number)
        request = sip.request("INVITE")
        sip.reply(request, status, more=more)
        sip.request("ACK")
        return call


@FAULTS.scenario("codec_488, unauthorized, forbidden, number_unknown, trunk_busy: what the carrier answers")
def statuses(house):
    with App(house.demo, "bob") as bob:
        for status, slug, text in ((488, "codec_refused", "answered 488: it takes none of what we offered"),
                                   (401, "not_authorized", "answered 401: it does not take our credentials"),
                                   (403, "forbidden", "answered 403: it does not let this caller or number through"),
                                   (484, "number_unknown", "answered 484: the number is not known there"),
                                   (500, "trunk_busy", "answered 500: it has no room")):
            call = answered(house, bob, 2, "100", status)
            why(house, call, slug, "carrier (trunk plain) " + text)
        call = answered(house, bob, 2, "100", 480, "Reason: Q.850;cause=41\r\n")
        why(house, call, "status", "carrier (trunk plain) answered 480 (Q.850 cause 41)")
        call = answered(house, bob, 2, "100", 302, "Contact: <sip:1@127.0.0.99>\r\n")
        why(house, call, "status", "carrier (trunk plain) answered 302: trunk plain has redirects: refuse")
        good(house, answered(house, bob, 2, "100", 486))


@FAULTS.scenario("bad_answers: a 200 with another codec, without a description, without keys, with nonsense")
def bad_answers(house):
    plain = SDP.replace("18", "0").replace("G729", "PCMU")
    with App(house.demo, "bob") as bob:
        for last, number, who, sdp, text in ((2, "100", "plain", SDP, "the answer has no codec of the offer"),
                                             (2, "100", "plain", "", "an answer is due and there is none"),
                                             (2, "100", "plain", plain.replace("audio 40000", "audio 0"), "the answer refuses the audio"),
                                             (3, "101", "secured", plain.replace("127.0.0.2", "127.0.0.3"), "RTP/SAVP was offered"),
                                             (2, "100", "plain", "v=0\r\nhello\r\n", "SDP line 2")):
            with agent(house, last) as sip:
                call = bob.place(OUT + number)
                sip.reply(sip.request("INVITE"), 200, sdp=sdp)
                sip.request("ACK")
                why(house, call, "description", "carrier (trunk %s) answered with a description that cannot be served: %s" % (who, text))


@FAULTS.scenario("all_busy: both trunks of the route answer 503")
def all_busy(house):
    with App(house.demo, "bob") as bob, agent(house, 35) as one, agent(house, 36) as two:
        call = bob.place(OUT + "150")
        ready = select.select([one.socket, two.socket], [], [], 8)[0]  # which is first the plan's weights say
        for sip in (one, two) if ready == [one.socket] else (two, one):
            sip.reply(sip.request("INVITE"), 503)
            sip.request("ACK")
        why(house, call, "all_busy", "all 2 attempts were answered 503, the last one by carrier (trunk ")


# Who cannot be asked ------------------------------------------------------------------------------------------


@FAULTS.scenario("no_response: the carrier is silent")
def no_response(house):
    with App(house.demo, "bob") as bob, agent(house, 30):
        why(house, bob.place(OUT + "103"), "no_response",
            "no answer to INVITE from 127.0.0.30:%d of carrier (trunk silent) within 2." % house.port("lab_peer"), "(1 try)", seconds=15)


@FAULTS.scenario("connection_refused: nothing listens at the trunk's target")
def connection_refused(house):
    with App(house.demo, "bob") as bob:
        why(house, bob.place(OUT + "104"), "connection_refused",
            "127.0.0.31:%d of carrier (trunk closed) refused the connection" % house.port("lab_peer"))


def by_tls(house, last, number, slug, sans, *parts, **more):
    with Certs() as certs, App(house.demo, "bob") as bob:
        path = certs.make("peer", sans, **more)
        with tls_agent(house, last, path, "peer") as sip:
            call = bob.place(OUT + number)
            try:
                sip.receive(2)
            except OSError:
                pass
            why(house, call, slug, *parts)


@FAULTS.scenario("tls_name: the carrier's certificate is another name's")
def tls_name(house):
    by_tls(house, 32, "105", "tls_name", "DNS:elsewhere.test", "TLS with 127.0.0.32:%d of carrier (trunk othername) failed" %
           house.port("lab_peer"), "not for the name")


@FAULTS.scenario("tls_failed: the carrier's certificate has expired")
def tls_failed(house):
    by_tls(house, 33, "106", "tls", "IP:127.0.0.33", "TLS with 127.0.0.33:%d of carrier (trunk expired) failed: " %
           house.port("lab_peer"), "expired", expired=True)


@FAULTS.scenario("dns_dead and no_address: nobody tells the target's address; it has none")
def dns_dead(house):
    with App(house.demo, "bob") as bob:
        why(house, bob.place(OUT + "107"), "dns", "no DNS server tells the address of carrier (trunk unknown)", seconds=25)
        with Dns("127.0.2.53", house.port("lab_peer"), {"nowhere.test": []}):
            why(house, bob.place(OUT + "108"), "no_address", "the target of carrier (trunk nowhere) has no address in DNS", seconds=25)


@FAULTS.scenario("offline: no device of the called user is connected")
def offline(house):
    with agent(house, 2) as sip:
        seen = known(house)
        d = Dialog(sip, "+15550100003").invite(SDP.replace("18", "0").replace("G729", "PCMU"))
        d.ack(d.answer(300))
        why(house, newest(house, seen)["id"], "offline", "no device of app (user carol) is connected")


# What is refused -------------------------------------------------------------------------------------------------

SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 40000 RTP/AVP 18\r\n"
       "a=rtpmap:18 G729/8000\r\n")


def refused(house, last, slug, sdp, *parts):
    with App(house.demo, "bob"), agent(house, last) as sip:
        seen = known(house)
        d = Dialog(sip, BOB).invite(sdp)
        d.ack(d.answer(300))
        return why(house, newest(house, seen)["id"], slug, *parts)


@FAULTS.scenario("codec_mismatch_in: the carrier offers G.729 alone")
def codec_mismatch_in(house):
    refused(house, 2, "offer_codec", SDP, "refused with 488: the offer has no codec that we serve")


@FAULTS.scenario("srtp_required: the carrier offers no keys where the trunk demands them")
def srtp_required(house):
    refused(house, 3, "offer_srtp", SDP.replace("18", "0").replace("G729", "PCMU").replace("127.0.0.2", "127.0.0.3"),
            "the trunk requires SRTP and the offer is plain")


@FAULTS.scenario("refused: a description that cannot be served")
def refused_rule(house):
    refused(house, 2, "refused", SDP.replace("audio", "text"), "refused by rule no_audio: ")


@FAULTS.scenario("overload: the trunk has as many calls as it may have")
def overload(house):
    with App(house.demo, "bob") as bob, agent(house, 37) as sip, Media(host="127.0.0.37") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        seen = known(house)
        other = Dialog(sip, "+15550100001").invite(media.sdp())
        other.ack(other.answer(300))
        why(house, newest(house, seen)["id"], "overload", "(rule trunk_calls)")
        d.bye()


# What breaks down ----------------------------------------------------------------------------------------------------


@FAULTS.scenario("media_timeout: the carrier's media end, and media_timeout_s does the rest")
def media_timeout(house):
    with App(house.demo, "bob") as bob, agent(house, 5) as sip, Media(host="127.0.0.5") as media:
        call_in(sip, bob, media)
        both(bob, media)
        media.muted, media.reporting = True, False
        record = why(house, bob.client.call, "media_stopped", "media of carrier (trunk quick) stopped at 0:0", seconds=20)
        check(record["end"]["reason"] == "media_failure", record["end"])


@FAULTS.scenario("dialog_forgotten: the carrier answers 481 to our re-INVITE")
def dialog_forgotten(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call_in(sip, bob, media)
        both(bob, media)
        bob.verb("hold")
        sip.reply(sip.request("INVITE"), 481)
        why(house, bob.client.call, "dialog_forgotten", "carrier (trunk plain) answered 481 ")


@FAULTS.scenario("hung_up: the carrier hangs up, and its Reason says that it failed")
def hung_up(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        d.bye(more="Reason: Q.850;cause=38;text=\"Network out of order\"\r\n")
        why(house, bob.client.call, "hung_up", "carrier (trunk plain) hung up ", " into the call with cause 38 (trunk_failure)")
        d, _ = call_in(sip, bob, media)
        d.bye(more="Reason: Q.850;cause=16\r\n")
        good(house, bob.client.call)


@FAULTS.scenario("session_timer: no refresh comes from the carrier that promised them")
def session_timer(house):
    with App(house.demo, "bob") as bob, agent(house, 39) as sip, Media(host="127.0.0.39") as media:
        d = Dialog(sip, BOB).invite(media.sdp(), more="Supported: timer\r\nSession-Expires: 12;refresher=uac\r\n")
        bob.answer(bob.incoming())
        ok = d.answer(200)
        d.ack(ok)
        media.to(ok.body)
        why(house, bob.client.call, "session_timer", "the session timer of carrier (trunk timer) passed ", seconds=30)


@FAULTS.scenario("stream_lost: the app's event stream ends, and it does not come back")
def stream_lost(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call_in(sip, bob, media)
        both(bob, media)
        bob.deafen()
        why(house, bob.client.call, "stream_lost", "app (user bob) lost its event stream", seconds=25)


@FAULTS.scenario("ack_never, prack_never and consent_lost: the carrier never acknowledges our 200, or our 180; an app's network is gone")
def slow(house):
    with App(house.demo, "bob") as bob, App(house.demo, "alice") as alice, agent(house, 2) as sip, \
            Media(host="127.0.0.2") as media, Media(host="127.0.0.2") as other:
        Dialog(sip, BOB).invite(media.sdp(), more="Require: 100rel\r\nSupported: 100rel\r\n")
        unheard = bob.incoming()["call"]
        bob.client.events.clear()
        d = Dialog(sip, "+15550100001").invite(other.sdp())
        alice.answer(alice.incoming())
        ok = d.answer(200)
        d.ack(ok)
        other.to(ok.body)
        both(alice, other)
        alice.run(alice.client.media.pc.getSenders()[0].transport.transport.stop())
        d = Dialog(sip, BOB).invite(media.sdp())
        bob.answer(bob.incoming())
        media.to(d.answer(200).body)
        why(house, unheard, "no_prack", "carrier (trunk plain) demanded a reliable provisional response, and never acknowledged it", seconds=45)
        why(house, bob.client.call, "no_ack", "carrier (trunk plain) never acknowledged our 200", seconds=45)
        why(house, alice.client.call, "consent_lost", "app (user alice) was no longer reachable for media from 0:0", seconds=45)


@FAULTS.scenario("media_process_killed: the media process is killed")
def media_process_killed(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        call_in(sip, bob, media)
        both(bob, media)
        dead = house.kill("media")
        why(house, bob.client.call, "media_process", "the media process ended ", " into the call")
        wait_for("another media process", lambda: house.pid("media") != dead and house.is_ready(), 15)


@FAULTS.scenario("facts: each second of each direction is in the call's timeline, with what went wrong in it")
def facts(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        time.sleep(2.5)
        media.lose = 3
        time.sleep(3)
        live = timeline(house, bob.client.call)
        row = live_row(house, bob.client.call)
        check("were lost" in (row["cause"] or "") and 1 <= row["mos"] < 4.3, row)
        d.bye()
    # the cause is found when the media process has told what it counted
    kept = wait_for("the timeline with its cause", lambda: (lambda t: t if t["state"] == "ended" and t["cause"] else None)(timeline(house, bob.client.call)), 8, 0.3)
    check("were lost" in kept["cause"], kept["cause"])
    for t in (live, kept):
        lanes = {(m["leg"], m["direction"]): m["points"] for m in t["media"] if m["step_ms"] == 1000}
        check(set(lanes) == {(leg, way) for leg in ("caller", "callee") for way in ("rx", "tx")}, str(sorted(lanes)))
        for lane, points in lanes.items():
            check(len(points) >= 4 and all(b[0] > a[0] for a, b in zip(points, points[1:])), "%s: %s" % (lane, points))
        rx = lanes["caller", "rx"]
        check(any(40 <= p[1] <= 60 and p[2] == 0 and -20 < p[4] < -5 for p in rx), "good seconds: %s" % rx)
        check(any(20 <= p[1] <= 45 and p[2] >= 8 for p in rx), "seconds with loss: %s" % rx)


def causes_counted(house, slugs):
    for slug in slugs:
        check(house.metric('sallyport_cause_total{cause="%s"}' % slug) >= 1, slug)
    check(house.metric('sallyport_cause_total{cause="failed"}') == 0, "a call failed without a word")


@SOUND.scenario("metrics: each cause is counted by its fixed name")
def metrics_of_sound(house):
    causes_counted(house, ("wrong_port", "srtp_key", "no_media"))


@FAULTS.scenario("metrics: each cause is counted by its fixed name")
def metrics(house):
    causes_counted(house, ("dns", "media_process"))
