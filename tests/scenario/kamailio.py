# SPDX-License-Identifier: Apache-2.0
"""A real Kamailio in between: as the trunk's peer it is refused with the Warning (S19), as one of its proxies it
passes (S18)."""
import contextlib
import glob
import json
import os
import subprocess

from app import App
from group import Group
from house import Failed, check, wait_for
from sipua import Agent, Dialog, Rtp, audio_sdp

here = os.path.dirname(os.path.abspath(__file__))
KAMAILIO = Group("kamailio", template=here + "/kamailio.yaml.in", programs=["kamailio"])
BOB = "+15550100002"
AS_PEER, AS_PROXY, CALLER = "127.0.0.10", "127.0.0.11", "127.0.0.20"


@contextlib.contextmanager
def kamailio(house):
    port, conf = house.base + 7, house.dir + "/kamailio.cfg"
    modules = glob.glob("/usr/lib/*/kamailio/modules")[0]
    text = open(here + "/kamailio.cfg.in").read()
    for key, value in (("MODULES", modules), ("PORT", port), ("GATEWAY", house.port("lab"))):
        text = text.replace("@%s@" % key, str(value))
    with open(conf, "w") as f:
        f.write(text)
    with open(house.dir + "/kamailio.log", "w") as log:
        proc = subprocess.Popen(["kamailio", "-DD", "-E", "-f", conf, "-Y", house.dir, "-m", "32", "-M", "4"], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)
    try:
        with Agent(0, (AS_PEER, port), host=CALLER) as probe:
            def up():
                if proc.poll() is not None:
                    raise Failed("kamailio: " + open(house.dir + "/kamailio.log").read()[-1500:])
                d = Dialog(probe, BOB, host="127.0.0.1")
                d.cseq = 1
                probe.send(d.head("OPTIONS"))
                return probe.receive(0.3)
            wait_for("kamailio's start", up, 15)
        yield port
    finally:
        proc.terminate()
        try:
            proc.wait(5)
        except subprocess.TimeoutExpired:
            proc.kill()


def media_ports(house):
    """UDP sockets in the range of trunks' media."""
    low, high = house.base + 10, house.base + 59
    found = set()
    for line in open("/proc/net/udp").readlines()[1:]:
        port = int(line.split()[1].split(":")[1], 16)
        if low <= port <= high:
            found.add(port)
    return found


@KAMAILIO.scenario("as the trunk's peer: 403, Warning 399, nothing allocated, a record")
def refused(house):
    with kamailio(house) as port, App(house.demo, "bob") as bob, Agent(0, (AS_PEER, port), host=CALLER) as sip:
        d = Dialog(sip, BOB, host="127.0.0.1").invite(audio_sdp(4000, host=CALLER))
        gone = d.answer(300)
        d.ack(gone)
        check(gone.status == 403, gone.text())
        warning = gone.get("warning")
        check(warning.startswith("399 ") and AS_PEER in warning and "proxies" in warning and "strict" in warning, "Warning: " + warning)
        check(not json.loads(house.admin("/admin/v1/calls")[1])["calls"], "a call was made")
        check(not media_ports(house), "media ports: %s" % media_ports(house))
        check(not bob.seen("call.incoming"), "bob's phone rang")
        record = house.record(lambda r: r["end"]["rule"] == "third_party_proxy")
        check(record["state"] == "refused" and AS_PEER in record["end"]["detail"], "record: %s" % record)
        check(house.metric('sallyport_refusals_total{rule="third_party_proxy"') >= 1, "not counted")


@KAMAILIO.scenario("as one of the trunk's proxies: the call passes, the dialog goes through it")
def passes(house):
    with kamailio(house) as port, App(house.demo, "bob") as bob, Agent(0, (AS_PROXY, port), host=CALLER) as sip, \
            Rtp(900, host=CALLER) as rtp:
        d = Dialog(sip, BOB, host="127.0.0.1").invite(audio_sdp(rtp.port, host=CALLER))
        bob.answer(bob.incoming())
        ok = d.answer(200)
        check(ok.status == 200 and AS_PROXY in ok.get("record-route"), ok.text())
        route = "Route: %s\r\n" % ok.get("record-route")
        sip.send(d.head("ACK", more=route))
        rtp.to(ok.body)
        bob.wait("call.connected")
        check(len(media_ports(house)) >= 1, "the control: no media port while a call stands")
        bob.hears(900)
        rtp.hears(700)
        d.cseq += 1
        sip.send(d.head("BYE", more=route))
        check(d.answer(method="BYE").status == 200, "BYE")
        bob.wait("call.ended")
        # and the other way round: our BYE takes the route set
        d = Dialog(sip, BOB, host="127.0.0.1").invite(audio_sdp(rtp.port, host=CALLER))
        known = len(bob.client.events)
        event = bob.wait("call.incoming", after=known - 1)
        bob.client.call = event["call"]
        bob.answer(event)
        ok = d.answer(200)
        sip.send(d.head("ACK", more=route))
        bob.wait("call.connected", call=event["call"])
        bob.hangup()
        bye = sip.request("BYE")
        check(len(bye.all("via")) == 2, "our BYE did not go through the proxy: " + bye.text())
        sip.reply(bye, 200)
