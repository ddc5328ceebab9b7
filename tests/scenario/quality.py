# SPDX-License-Identifier: Apache-2.0
"""How well legs are heard: VoIP metrics with a carrier that takes them, one-way audio, scores in the record."""
import struct
import time

from app import App
from group import Group
from house import check, wait_for
from peermedia import Media
from peers import agent, both, call_in, here, secured_in, trunk_leg

QUALITY = Group("quality", template=here + "/peers.yaml.in")
XR = "a=rtcp-xr:voip-metrics\r\n"


def metrics(media):
    """The last VoIP metrics block that came, as {name: value}; None."""
    for packet in reversed(media.reports().get(207, [])):
        at = 8
        while at + 4 <= len(packet):
            n = 4 * (struct.unpack("!H", packet[at + 2:at + 4])[0] + 1)
            if packet[at] == 7 and n == 36:
                ssrc, loss, discard, burst, gap = struct.unpack("!I4B", packet[at + 4:at + 12])
                return {"ssrc": ssrc, "loss": loss, "discard": discard, "burst": burst, "gap": gap, "r": packet[at + 24],
                        "mos": packet[at + 26], "gmin": packet[at + 23]}
            at += n
    return None


@QUALITY.scenario("VoIP metrics: offered and taken by agreement, sent over SRTCP with the loss that was")
def extended(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, ok, _ = secured_in(sip, bob, media, "AES_CM_128_HMAC_SHA1_80", after=XR)
        check("a=rtcp-xr:voip-metrics" in ok.body, "answer: " + ok.body)
        both(bob, media)
        with media.quiet():
            media.seq += 10  # a fifth of a second that never comes
        time.sleep(2)
        wait_for("metrics with the loss", lambda: (metrics(media) or {"loss": 0})["loss"] > 0, 15)
        told = metrics(media)
        check(told["ssrc"] == media.ssrc and told["gmin"] == 16 and told["burst"] > 200 and told["gap"] == 0, told)
        check(15 < told["r"] <= 93 and 11 < told["mos"] <= 44, told)
        media._send(struct.pack("!BBHI", 0x81, 206, 2, media.ssrc) + struct.pack("!I", 1), True)  # a lone PLI: reduced size
        both(bob, media)
        d.bye()


@QUALITY.scenario("no VoIP metrics for who did not ask")
def plain(house):
    with App(house.demo, "bob") as bob, agent(house, 3) as sip, Media(host="127.0.0.3") as media:
        d, ok, _ = secured_in(sip, bob, media, "AES_CM_128_HMAC_SHA1_80")
        check("rtcp-xr" not in ok.body, "answer: " + ok.body)
        wait_for("a report", lambda: media.reports().get(200), 10)
        check(207 not in media.reports(), "XR came")
        d.bye()


@QUALITY.scenario("one-way audio is told within 5 s, in the record, not while held; scores of each way")
def one_way(house):
    def count():
        return house.metric("sallyport_oneway_audio_total")

    def dead(at):
        return [e for e in bob.client.events[at:] if e["event"] == "media.quality" and e["loss"] == 1]
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        before = count()
        d, _ = call_in(sip, bob, media)
        both(bob, media)
        time.sleep(6)
        check(not dead(0) and count() == before, "told without cause: %s" % dead(0))
        at, media.muted, muted = len(bob.client.events), True, time.monotonic()
        wait_for("one-way audio told", lambda: dead(at), 6)
        took = time.monotonic() - muted
        check(took <= 5.2 and dead(at)[0]["direction"] == "down" and dead(at)[0]["mos"] == 1, (took, dead(at)))
        check(count() == before + 1, count())
        time.sleep(1)
        media.muted = False
        both(bob, media)
        bob.done(bob.verb("hold"))
        at, media.muted = len(bob.client.events), True
        time.sleep(6)
        check(not dead(at) and count() == before + 1, "told while held")
        media.muted = False
        bob.done(bob.verb("resume"))
        both(bob, media)
        d.bye()
        leg, record = trunk_leg(house, bob.client.call)
        native = next(leg for leg in record["legs"] if leg["kind"] == "native")
        check(3000 < leg["silent_ms"] < 9000 and native["silent_ms"] == 0, (leg, native))
        check(leg["rx"]["mos"] and 1 < leg["rx"]["mos"] <= 4.45 and leg["mos"] <= leg["rx"]["mos"], leg)
        check(1 < native["rx"]["mos"] <= 4.45, native)  # a busy machine is late for its own jitter buffer
