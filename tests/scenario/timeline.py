# SPDX-License-Identifier: Apache-2.0
"""Timelines: a call's messages of both legs, its decisions and media on one clock; refused attempts too; what is secret is
in none of it; pcap by tshark, HEPv3 by a collector of our own, digits by role."""
import base64
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import border
from app import App
from attack import ECHO, AttackGroup, figure, lab_agent
from group import Group
from house import check, wait_for
from peermedia import Media, crypto_of
from peers import both, here
from sipua import Agent, Dialog, Rtp, StreamAgent, audio_sdp

G = AttackGroup("timeline")


def timeline(house, call):
    status, body = house.admin("/admin/v1/calls/%s/timeline" % call)
    return json.loads(body) if status == 200 else None


def ended(house, call):
    """On the disk, with what came after the end."""
    return wait_for("the timeline of %s" % call, lambda: (lambda t: t if t and t["state"] == "ended" and
                                                          any(i["title"].startswith("200 OK (BYE") for i in t["items"]) else None)(timeline(house, call)), 12, 0.5)


def titles(t, **where):
    return [i["title"] for i in t["items"] if all(i[k] == v for k, v in where.items())]


def ssl_text(key):
    """As an a=crypto line says it."""
    return base64.b64encode(key).decode().rstrip("=")


def talk(house, seconds=0.6, more=""):
    """A carrier's call through the gateway and back out to its echo; its record."""
    with lab_agent(house) as sip, Rtp() as media:
        d = Dialog(sip, ECHO)
        d.invite(audio_sdp(media.port), more=more)
        answer = d.answer(200)
        d.ack(answer)
        media.to(answer.body)
        time.sleep(seconds)
        check(d.bye().status == 200, "BYE")
    return d, house.record(lambda r: d.call_id in json.dumps(r))


def info(sip, uri, frm, invite):
    """A digit by INFO, within the dialog that the gateway began."""
    body = "Signal=9\r\nDuration=160\r\n"
    head = ("INFO %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKinfo\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
            "CSeq: 7 INFO\r\nContent-Type: application/dtmf-relay\r\nContent-Length: %d\r\n\r\n" %
            (uri, sip.port, frm, invite.get("from"), invite.get("call-id"), len(body)))
    sip.socket.sendto((head + body).encode(), sip.peer)
    sip.wait("200 to INFO", lambda m: m.is_answer and "INFO" in m.get("cseq"))


def echoed(house, sip, media):
    """A call of the lab that the gateway answers itself: its dialog, its id, the 200."""
    d = Dialog(sip, ECHO)
    d.invite(audio_sdp(media.port))
    answer = d.answer(200)
    d.ack(answer)
    media.to(answer.body)
    call = wait_for("the live call", lambda: house.live_calls() and house.live_calls()[0]["id"])
    return d, call, answer


@G.scenario("a carrier's call: its messages, rules, states, media, in order, live and after")
def carrier_call(house):
    with lab_agent(house) as sip, Rtp() as media:
        d, call, _ = echoed(house, sip, media)
        live = wait_for("its timeline", lambda: timeline(house, call))
        check(live["state"] == "live" and "INVITE" in titles(live, lane="caller", dir="in"), live)
        time.sleep(0.5)
        check(d.bye().status == 200, "BYE")
    t = ended(house, call)
    caller = titles(t, lane="caller", kind="sip")
    for want in ("INVITE", "100 Trying (INVITE)", "200 OK (INVITE)", "ACK", "BYE", "200 OK (BYE)"):
        check(want in caller, "%s not in %s" % (want, caller))
    check(titles(t)[0] == "INVITE", titles(t))
    times = [i["t_us"] for i in t["items"]]
    check(times == sorted(times), times)
    rules = titles(t, kind="rule")
    check(any("dialplan rule" in r and "line" in r for r in rules) and any("configuration version" in r for r in rules), rules)
    check(any("audio arrives" in x for x in titles(t, kind="media")), titles(t, kind="media"))
    check(any(x.startswith("agreed: PCM") for x in titles(t, kind="offer")), titles(t, kind="offer"))
    check(any("live" in x for x in titles(t, kind="state")), titles(t, kind="state"))
    first = t["items"][0]
    check(first["text"].startswith("INVITE sip:") and first["sdp"] and "m=audio" in first["text"], first)
    check(first["peer"].endswith(":%d" % sip.port) and first["data"]["local"].endswith(":%d" % house.port("lab")), first)
    figure("timeline of a call of %d items" % len(t["items"]))


@G.scenario("over TCP the messages are whole too, with the connection's addresses; refused here, for it has no SRTP")
def tcp_call(house):
    with StreamAgent(0, ("127.0.0.2", house.port("lab")), "127.0.0.2") as sip:
        sip.port = sip.listener.getsockname()[1]
        d = Dialog(sip, ECHO, host="127.0.0.2")
        d.invite(audio_sdp(40000, host="127.0.0.2"))
        d.ack(d.answer(300))
        r = house.record(lambda r: d.call_id in json.dumps(r))
    t = wait_for("its timeline", lambda: timeline(house, r["id"]))
    first = t["items"][0]
    check(first["data"]["transport"] == "tcp" and first["peer"].startswith("127.0.0.2:") and "m=audio" in first["text"], first)
    check(titles(t, kind="sip")[:1] == ["INVITE"] and any("(INVITE)" in x for x in titles(t, kind="sip", dir="out")), titles(t))
    check(t["cause"], "no sentence says why")


@G.scenario("a refused attempt has its timeline: the INVITE, the rule, the answer")
def refused(house):
    with lab_agent(house) as sip:
        d = Dialog(sip, "+19995550100")
        d.invite(audio_sdp(40000))
        answer = d.answer(300)
        d.ack(answer)
        r = house.record(lambda r: d.call_id in json.dumps(r))
    t = wait_for("its timeline", lambda: timeline(house, r["id"]))
    check(titles(t, kind="sip")[0] == "INVITE" and any(x.startswith(str(answer.status)) for x in titles(t, kind="sip")), titles(t))
    check(any("refused by rule" in x for x in titles(t, kind="rule")), titles(t))
    check(house.admin("/admin/v1/calls/c_nothing/timeline")[0] == 404, "a timeline of nothing")


@G.scenario("an app's call to a carrier: requests, answers, events, ICE, DTLS, SIP; no token, password or digit in it; digits by their own door")
def app_call(house):
    with App(house.demo, "alice", device="line") as app, Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab"))) as sip, Rtp() as media:
        app.place("+15550199100")
        invite = sip.request("INVITE")
        media.to(invite.body)
        sip.reply(invite, 180, "Ringing")
        sip.reply(invite, 200, "OK", audio_sdp(media.port))
        sip.request("ACK")
        app.run(app.client.media.connected())
        secrets = [re.search(r"a=ice-pwd:(\S+)", x.sdp).group(1) for x in (app.client.media.pc.remoteDescription, app.client.media.pc.localDescription)]
        secrets.append(house.demo["users"]["alice"]["token"].rsplit(".", 1)[1])
        app.run(app.client.ask("POST", "/calls/%s/dtmf" % app.client.call, {"digits": "82649"}))
        time.sleep(1)
        to, contact = invite.get("to") + ";tag=far", re.search(r"<(sip:[^>]+)>", invite.get("contact")).group(1)
        info(sip, contact, to, invite)
        app.hangup()
        sip.reply(sip.request("BYE"), 200, "OK")
    call = app.client.call
    house.record(lambda r: r["id"] == call)
    t = ended(house, call)
    said = json.dumps(t)
    native = titles(t, kind="native")
    check(native[0] == "POST /v1/calls" and "201" in native and any(x.endswith("/dtmf") for x in native), native)
    check("call.connected" in titles(t, kind="event"), titles(t, kind="event"))
    check(any("ICE" in x for x in titles(t, kind="ice")) and any("DTLS" in x for x in titles(t, kind="dtls")), titles(t))
    callee = titles(t, lane="callee", kind="sip")
    for want in ("INVITE", "180 Ringing (INVITE)", "200 OK (INVITE)", "ACK", "INFO", "BYE", "200 OK (BYE)"):
        check(want in callee, "%s not in %s" % (want, callee))
    check("Signal=(cut)" in said and "Signal=9" not in said, "the INFO's digit")
    check("a=fingerprint" in said and "a=ice-pwd:(cut)" in said, "no description in it")
    for s in secrets + ["82649"]:
        check(s not in said, "a secret is in the timeline: %s" % s[:6])
    digits = {x["role"]: x["digits"] for x in json.loads(house.admin("/admin/v1/calls/%s/digits" % call)[1])["legs"]}
    rows = json.loads(house.admin("/admin/v1/audit")[1])["audit"]
    check(any(r["verb"] == "digits" and call in r["what"] for r in rows), "who saw the digits is not in the audit: %s" % rows[:3])
    check(digits.get("caller") == "82649" and digits.get("callee") == "9", digits)
    for name in ("timelines.db", "timelines.db-wal", "records.db-wal"):
        raw = open(house.dir + "/state/" + name, "rb").read() if os.path.exists(house.dir + "/state/" + name) else b""
        for s in secrets:
            check(s.encode() not in raw, "a secret is in %s" % name)


def pcap_of(house, call):
    """The bytes, or None where there is no timeline."""
    url = house.demo["admin"]["url"] + "/admin/v1/calls/%s/pcap" % call
    got = subprocess.run(["curl", "-sf", "-H", "Authorization: Bearer " + house.demo["admin"]["token"], url], capture_output=True)
    return got.stdout if got.returncode == 0 else None


def tshark(pcap, *more):
    """What tshark prints of a pcap; an app's leg has no SIP that would tell it of the ports, hence the heuristic."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        f.write(pcap)
        f.flush()
        got = subprocess.run(["tshark", "-r", f.name, "--enable-heuristic", "rtp_udp"] + list(more), capture_output=True, text=True)
    check(got.returncode == 0, got.stderr)
    return got.stdout


def fields(pcap, what, *names, more=()):
    args = [a for n in names for a in ("-e", n)]
    return [x.split("\t") for x in tshark(pcap, *more, "-Y", what, "-T", "fields", *args).splitlines()]


@G.scenario("pcap: tshark reads the messages with their addresses, ports and times")
def pcap(house):
    d, record = talk(house)
    t = ended(house, record["id"])
    lines = fields(pcap_of(house, record["id"]), "sip", "sip.CSeq", "ip.src", "udp.srcport", "sip.Call-ID", "frame.time_epoch",
                   more=("-d", "udp.port==%d,sip" % house.port("lab")))
    check(len(lines) == len(titles(t, kind="sip")), "%d of %d" % (len(lines), len(titles(t, kind="sip"))))
    check(lines[0][0] == "1 INVITE" and lines[0][1] == "127.0.0.1" and any(x[3] == d.call_id for x in lines), lines[:3])
    check(abs(float(lines[0][4]) - time.time()) < 120, lines[0])


def ask(house, path, body):
    """POST as the operator of the file's token: (status, document)."""
    request = urllib.request.Request(house.demo["admin"]["url"] + path, json.dumps(body).encode(), method="POST", headers={
        "Authorization": "Bearer " + house.demo["admin"]["token"], "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


HEAD = ("rtp.ssrc", "rtp.seq", "rtp.p_type", "udp.srcport", "udp.dstport", "frame.cap_len", "frame.len")


@G.scenario("pcap has the headers of the media: the streams of both legs by tshark's own reckoning, no payload; the first ten, then all on demand")
def pcap_media(house):
    with App(house.demo, "alice") as app, Agent(house.port("lab_peer"), ("127.0.0.1", house.port("lab"))) as sip, Rtp() as media:
        app.place("+15550199100")
        invite = sip.request("INVITE")
        media.to(invite.body)
        sip.reply(invite, 200, "OK", audio_sdp(media.port))
        sip.request("ACK")
        app.run(app.client.media.connected())
        call, capture = app.client.call, "/admin/v1/calls/%s/capture" % app.client.call
        four = lambda n: lambda p=None: (lambda rows: rows if len({r[0] for r in rows}) == 4 and len(rows) >= n else None)(fields(pcap_of(house, call), "rtp", *HEAD))
        few = wait_for("headers of the four ways while it lives", four(40), 8, 0.3)
        check(len(few) <= 4 * 18, "more than the first ones: %d" % len(few))
        check(ask(house, capture, {"seconds": 61})[0] in (400, 422) and ask(house, capture, {})[0] in (400, 422), "61 s, or none")
        check(ask(house, "/admin/v1/calls/c_nothing/capture", {"seconds": 1})[0] == 404, "a capture of nothing")
        status, body = ask(house, capture, {"seconds": 1})
        check(status == 202 and body["call"] == call, (status, body))
        wait_for("all of a second", four(len(few) + 150), 8, 0.3)
        app.hangup()
        sip.reply(sip.request("BYE"), 200, "OK")
    t = ended(house, call)
    check(any("headers of all packets" in x for x in titles(t, kind="note")), titles(t, kind="note"))
    got = pcap_of(house, call)
    rows = fields(got, "rtp", *HEAD)
    check(all(int(r[5]) <= 28 + 48 and int(r[5]) < int(r[6]) for r in rows), "payload: %s" % rows[:3])
    ours = {r[0] for r in rows if r[4] == str(media.port)}
    theirs = {r[0] for r in rows if r[3] == str(media.port)}
    check(len(ours) == 1 and len(theirs) == 1 and ours != theirs and len({r[0] for r in rows}) == 4, {r[0] for r in rows})
    last = [int(r[1]) for r in rows if r[0] in theirs][-30:]
    check(all((b - a) % 65536 == 1 for a, b in zip(last, last[1:])), last)
    named = tshark(got, "-q", "-z", "rtp,streams")
    check(all("0x%08x" % int(r[0], 16) in named.lower() for r in rows), named)
    check(fields(got, "rtcp", "rtcp.pt"), "no report in it")
    clock = [float(x[0]) for x in fields(got, "frame", "frame.time_epoch")]
    check(clock == sorted(clock), "not by time")
    check(len(json.dumps(t)) < 100000 and '"packets"' not in json.dumps(t["items"]), "headers in the JSON")
    figure("%d headers of a call of some seconds: %d octets of pcap" % (len(rows), len(got)))


@G.scenario("a stranger's packets are in the pcap, and the timeline says why they were dropped")
def strangers(house):
    with lab_agent(house) as sip, Rtp() as media:
        d, call, answer = echoed(house, sip, media)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.9", 0))
        port = int(re.search(r"m=audio (\d+)", answer.body).group(1))
        for i in range(9):
            stranger.sendto(struct.pack(">BBHII", 0x80, 8, i, i * 160, 0x5eed5eed) + bytes(160), ("127.0.0.1", port))
        said = wait_for("the line", lambda: [x for x in titles(timeline(house, call), kind="media") if "wrong_source" in x], 8, 0.4)
        check(len(said) == 1 and "RTP from 127.0.0.9:%d" % stranger.getsockname()[1] in said[0], said)
        stranger.close()
        check(d.bye().status == 200, "BYE")
    ended(house, call)
    got = fields(pcap_of(house, call), "ip.src==127.0.0.9", "udp.dstport", "rtp.ssrc")
    check(len(got) == 4 and got[0][0] == str(port), "some of them, not all: %s" % got)


def chunks(frame):
    """HEPv3 by its paper: "HEP3", length of all, chunks of vendor, type, length, value."""
    check(frame[:4] == b"HEP3" and struct.unpack(">H", frame[4:6])[0] == len(frame), "no HEP3 frame")
    found, at = {}, 6
    while at < len(frame):
        vendor, kind, n = struct.unpack(">HHH", frame[at:at + 6])
        check(vendor == 0 and n >= 6, "chunk %d %d %d" % (vendor, kind, n))
        found[kind] = frame[at + 6:at + n]
        at += n
    return found


COLLECTOR = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
COLLECTOR.bind(("127.0.0.1", 0))
COLLECTOR.settimeout(3)


class HepGroup(AttackGroup):
    def settings(self):
        found = super().settings()
        text = open(found["template"]).read()
        more = "\nrecords:\n  hep: \"udp:127.0.0.1:%d\"\n  hep_id: 77\n" % COLLECTOR.getsockname()[1]
        open(found["template"], "w").write(text.replace("\nrecords:\n", more))
        return found


H = HepGroup("timeline-hep")

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
listen=udp:127.0.0.1:%d
loadpath "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://%s")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
request_route { xlog("L_ALERT", "READ|$rm|$si:$sp|$ci|\\n"); drop; }
reply_route { xlog("L_ALERT", "READ|$rs|$si:$sp|$ci|\\n"); drop; }
"""


def kamailio_reads(frames):
    """[what, source, Call-ID] of each frame by Kamailio's collector, an implementation that is not ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="sp-hep-") as dir:
        open(dir + "/version", "w").write("table_name(string) table_version(int) \nsip_capture:4\n")
        open(dir + "/cfg", "w").write(KAMAILIO % (port, dir))
        log = open(dir + "/log", "w")
        child = subprocess.Popen(["kamailio", "-f", dir + "/cfg", "-DD", "-E", "-P", dir + "/pid", "-Y", dir], stdout=log, stderr=log)
        lines = lambda: [x.split("READ|")[1].split("|")[:3] for x in open(dir + "/log").read().splitlines() if "READ|" in x]
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                for n, f in enumerate(frames, 1):
                    end = time.monotonic() + 6
                    while len(lines()) < n and time.monotonic() < end:  # again while it starts
                        out.sendto(f, ("127.0.0.1", port))
                        t = time.monotonic()
                        while len(lines()) < n and time.monotonic() < t + 0.5:
                            time.sleep(0.02)
            return lines()
        finally:
            child.terminate()
            child.wait(5)


@H.scenario("HEPv3: every message live, with addresses, time, capture id, and the Call-ID")
def hep(house):
    d, record = talk(house)
    t = ended(house, record["id"])
    got, frames = [], []
    try:
        while len(got) < len(titles(t, kind="sip")):
            frames.append(COLLECTOR.recv(65536))
            got.append(chunks(frames[-1]))
    except socket.timeout:
        pass
    check(len(got) == len(titles(t, kind="sip")), "%d of %d" % (len(got), len(titles(t, kind="sip"))))
    seen = kamailio_reads(frames)
    check(len(seen) == len(frames), "an independent decoder took %d of %d" % (len(seen), len(frames)))
    for line, c in zip(seen, got):
        what = c[15].decode().split(" ")[1 if c[15].startswith(b"SIP/2.0") else 0]
        check(line == [what, "127.0.0.1:%d" % struct.unpack(">H", c[7])[0], c[17].decode()], "%s of %s" % (line, c))
    first = got[0]
    check(first[1] == b"\x02" and first[2] == b"\x11" and first[11] == b"\x01", first)
    check(socket.inet_ntoa(first[3]) == "127.0.0.1" and struct.unpack(">H", first[8])[0] == house.port("lab"), first)
    check(struct.unpack(">I", first[12])[0] == 77 and first[17].decode() == d.call_id, first)
    check(first[15].startswith(b"INVITE ") and abs(struct.unpack(">I", first[9])[0] - time.time()) < 60, first)


T = Group("timeline-tls", template=here + "/peers.yaml.in")


@T.scenario("a trunk over TLS: both ends are readable, nothing that opens a call or an account is; not in the pcap, not on the disk")
def tls_call(house):
    proof = "0123456789abcdef5ec2e7c0ffee4711"
    more = "".join('%s: Digest username="far", realm="gw.example", nonce="n1", uri="sip:x", response="%s"\r\n' % (h, proof)
                   for h in ("Authorization", "Proxy-Authorization"))
    with border.Certs() as certs, App(house.demo, "bob") as bob, Media(host="127.0.0.11") as media, \
            border.tls_agent(house, 11, certs.make("carrier", "DNS:carrier.sallyport.test,IP:127.0.0.11"), "carrier.sallyport.test") as sip:
        d = Dialog(sip, border.BOB).invite(border.secure_sdp(media), more=more)
        ok = border.secure_pair(sip, bob, media, d)
        both(bob, media)
        call = bob.client.call
        secrets = [proof, bob.client.token.rsplit(".", 1)[1], ssl_text(media.key), ssl_text(crypto_of(ok.body)[0][2])]
        secrets += [re.search(r"a=ice-pwd:(\S+)", x.sdp).group(1) for x in (bob.client.media.pc.remoteDescription, bob.client.media.pc.localDescription)]
        check(d.bye().status == 200, "BYE")
    t = ended(house, call)
    first = next(i for i in t["items"] if i["kind"] == "sip")
    check(first["title"] == "INVITE" and first["data"]["transport"] == "tls" and "a=crypto:1 " in first["text"] and "username=\"far\"" in first["text"], first)
    check(set(titles(t, lane="caller", kind="sip")) >= {"INVITE", "200 OK (INVITE)", "ACK", "BYE", "200 OK (BYE)"}, titles(t, kind="sip"))
    check(any(x.endswith("/answer") for x in titles(t, kind="native")) and "a=fingerprint" in json.dumps(t), titles(t, kind="native"))
    packets = pcap_of(house, call)
    rows = fields(packets, "sip", "sip.CSeq", "ip.src", more=("-d", "udp.port==%d,sip" % house.port("tls")))
    check(len(rows) == len(titles(t, kind="sip")) and rows[0] == ["1 INVITE", "127.0.0.11"], rows)
    check(len({r[0] for r in fields(packets, "rtp", "rtp.ssrc")}) == 4, "the media of both legs, sealed as they are")
    for s in secrets:
        check(s not in json.dumps(t) and s.encode() not in packets, "a secret: %s…" % s[:6])
    for name in os.listdir(house.dir + "/state"):
        if name.startswith(("timelines.db", "records.db")):
            raw = open(house.dir + "/state/" + name, "rb").read()
            check(not any(s.encode() in raw for s in secrets), "a secret is in %s" % name)
