# SPDX-License-Identifier: Apache-2.0
"""RTCP of carriers that do it their own way: none at all, parts of it alone, at another address."""
import struct
import time

from app import App
from group import Group
from house import check, wait_for
from peermedia import Media
from peers import agent, both, call_in, here, reinvite, trunk_leg

RTCP = Group("rtcp", template=here + "/peers.yaml.in")


@RTCP.scenario("a peer without RTCP that does not say so: the call stays, its figures are what we see ourselves")
def silent(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        media.reporting = False
        own, media.rtcp = media.rtcp, media._pair()[0]
        own.close()  # the port is closed: our reports come back as errors
        d, _ = call_in(sip, bob, media, media.sdp())
        both(bob, media)
        time.sleep(6)
        both(bob, media)
        d.bye()
        leg, record = trunk_leg(house, bob.client.call)
        check(leg["rx"]["packets"] > 200 and leg["rx"]["lost"] == 0 and leg["rtt_ms"] is None, "record: %s" % leg)
        check(record["end"]["reason"] == "completed", "end: %s" % record["end"])


@RTCP.scenario("b=RS:0 and b=RR:0: none is sent and none is taken, until a re-INVITE without them")
def none(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media:
        d, _ = call_in(sip, bob, media, media.sdp(more="b=RS:0\r\nb=RR:0\r\n"))
        both(bob, media)
        time.sleep(6)
        check(not media.rtcps, "RTCP that was not wanted: %s" % media.rtcps[:1])
        reinvite(d, media.sdp(version=2))
        wait_for("RTCP of ours", lambda: {200, 202} <= set(media.reports()), 12)
        both(bob, media)
        d.bye()


@RTCP.scenario("reduced size: lone RR, NACK, PLI, XR, SDES and BYE; the RR counts, nothing ends, broken ones are passed over")
def lone(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2", mux=True) as media:
        media.reporting = False
        d, ok = call_in(sip, bob, media, media.sdp(more="a=rtcp-rsize\r\n"))
        both(bob, media)
        wait_for("an SR of ours", lambda: 200 in media.reports(), 12)
        sr = media.reports()[200][-1]
        source, middle = struct.unpack("!I", sr[4:8])[0], struct.unpack("!I", sr[10:14])[0]
        came = time.monotonic()
        mine = struct.pack("!I", media.ssrc)
        block = struct.pack("!IIIIII", source, 0x05000007, 1000, 40, middle, round((time.monotonic() - came) * 65536))
        nack, pli = struct.pack("!BBH", 0x81, 205, 3) + mine + struct.pack("!IHH", source, 7, 0), struct.pack("!BBH", 0x81, 206, 2) + mine + struct.pack("!I", source)
        rr = struct.pack("!BBH", 0x81, 201, 7) + mine + block
        xr = struct.pack("!BBH", 0x80, 207, 4) + mine + struct.pack("!BBH", 4, 0, 2) + bytes(8)
        bye = struct.pack("!BBH", 0x81, 203, 1) + mine
        sdes = struct.pack("!BBH", 0x81, 202, 3) + mine + b"\x01\x02me\0\0\0\0"
        broken = (rr[:20], b"\x81\xc9\xff\xff" + mine, b"\x80\xc8\0\0", rr[:3], bytes([0xA1]) + rr[1:-1] + b"\xff", b"\xdf" + rr[1:], b"\x9f" + rr[1:])
        media.throw_rtcp(rr, nack, pli, xr, sdes, bye, *broken)
        time.sleep(1)
        both(bob, media)
        d.bye()
        leg, record = trunk_leg(house, bob.client.call)
        check(record["end"]["reason"] == "completed" and leg["tx"]["lost"] == 7, "record: %s" % leg)
        check(leg["rtt_ms"] is not None and leg["rtt_ms"] < 2000, "round trip: %s" % leg)


@RTCP.scenario("a=rtcp with an address of its own: reports go there, media does not; back to the next port by a re-INVITE")
def elsewhere(house):
    with App(house.demo, "bob") as bob, agent(house, 2) as sip, Media(host="127.0.0.2") as media, Media(host="127.0.0.5") as other:
        where = "a=rtcp:%d IN IP4 127.0.0.5\r\n" % other.rtcp.getsockname()[1]
        d, _ = call_in(sip, bob, media, media.sdp(more=where))
        both(bob, media)
        wait_for("RTCP at the other address", lambda: 200 in other.reports(), 12)
        check(not media.rtcps and not other.packets, "RTCP at the old place %d, media at the new %d" % (len(media.rtcps), other.packets))
        reinvite(d, media.sdp(version=2))
        wait_for("RTCP at the next port", lambda: 200 in media.reports(), 12)
        both(bob, media)
        d.bye()
