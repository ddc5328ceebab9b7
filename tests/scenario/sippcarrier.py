# SPDX-License-Identifier: Apache-2.0
"""A carrier of SIPp for Trunk Doctor, whole or with planted defects: one scenario that serves whatever comes in a dialog, written
from blocks of which a defect changes one. SIPp echoes RTP; reports come from a thread beside it, since SIPp sends none."""
import os
import socket
import struct
import subprocess
import threading
import time

from house import Failed, wait_for

LAST = "[last_Via:]\n[last_From:]\n[last_To:]%s\n[last_Call-ID:]\n[last_CSeq:]\n"
FIRST = "Via:[$via]\nFrom:[$from]\nTo:[$to]%s\n[last_Call-ID:]\nCSeq:[$cseq]\n"
TAG = ";tag=[call_number]"
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO\n"
CONTACT = "Contact: <sip:far@[local_ip]:[local_port]>\n" + ALLOW
SDP = """
v=0
o=sipp 1 [$ver] IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP [$pt] [$te]
a=rtpmap:[$te] telephone-event/8000
a=fmtp:[$te] 0-15
a=ptime:[$ptime]
a=[$direction]
"""
TIMER = "Supported: timer\nSession-Expires: [$se];refresher=uac\n"


class Script:
    """The steps of a scenario; labels are names."""

    def __init__(self, defects):
        self.defects, self.out, self.labels, self.flags = set(defects), [], {}, []

    def has(self, *defects):
        return bool(self.defects.intersection(defects))

    def id_of(self, name):
        return self.labels.setdefault(name, len(self.labels) + 1)

    def label(self, name):
        self.out.append('<label id="%d"/>' % self.id_of(name))

    def go(self, name):
        self.out.append('<nop next="%d"/>' % self.id_of(name))

    def go_if(self, variable, value, name):
        """To that label, if the text is that."""
        n = len(self.flags)
        self.flags += ["cmp%d" % n, "eq%d" % n]
        self.act('<strcmp assign_to="cmp%d" variable="%s" value="%s"/>' % (n, variable, value),
                 '<test assign_to="eq%d" variable="cmp%d" compare="equal" value="0"/>' % (n, n))
        self.out.append('<nop next="%d" test="eq%d"/>' % (self.id_of(name), n))

    def act(self, *actions):
        self.out.append("<nop><action>%s</action></nop>" % "".join(actions))

    def recv(self, method, name, optional=True, actions=()):
        self.out.append('<recv request="%s"%s next="%d"><action>%s</action></recv>' % (
            method, ' optional="true"' if optional else "", self.id_of(name), "".join(actions)))

    def wait_for(self, method, name, ms, otherwise):
        self.out.append('<recv request="%s" next="%d" timeout="%d" ontimeout="%d"/>' % (method, self.id_of(name), ms, self.id_of(otherwise)))

    def say(self, line, head=LAST, more="", sdp="", tag=TAG):
        if sdp and "Content-Type" not in more:
            more += "Content-Type: application/sdp\n"
        self.out.append('<send><![CDATA[\nSIP/2.0 %s\n%s%sContent-Length: [len]\n%s\n]]></send>' % (line, head % tag, more, sdp or "\n"))

    def text(self):
        return '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="carrier">\n%s\n<Reference variables="%s"/>\n</scenario>\n' % (
            "\n".join(self.out), ",".join(READ + self.flags))


READ = ["via", "from", "to", "cseq", "again", "unknown", "short", "rel", "se", "m", "skip", "pt", "te", "ptime", "offered", "direction", "ver"]


def ereg(where, regexp, to):
    """What matches; an alternative at the text's end makes it match always, else an older value would stay."""
    place = 'search_in="msg"' if where == "msg" else 'search_in="hdr" header="%s:"' % where
    return '<ereg regexp="%s" %s assign_to="%s"/>' % (regexp, place, to)


def assign(variable, value):
    return '<assignstr assign_to="%s" value="%s"/>' % (variable, value)


OFFER = (
    ereg("CSeq", "[0-9]+", "ver"), ereg("msg", "m=audio|$", "offered"), ereg("msg", "a=sendonly|a=recvonly|a=inactive|$", "direction"),
    ereg("msg", "m=audio [0-9]+ RTP/AVP ([0-9]+ )*(0|8)", "m,skip,pt"), ereg("msg", "a=rtpmap:([0-9]+) telephone-event/8000", "m,te"),
    ereg("msg", "a=ptime:([0-9]+)", "m,ptime"))
INVITE = (
    assign("pt", ""), assign("te", "101"), assign("ptime", "20"), ereg("Via", ".*", "via"), ereg("From", ".*", "from"), ereg("CSeq", ".*", "cseq"),
    ereg("To", ".*", "to"), ereg("To", ";tag=|$", "again"), ereg("msg", "404@|486@|$", "unknown"),
    ereg("msg", "Session-Expires: *[1-8]?[0-9][^0-9]|$", "short"), ereg("msg", "Require: 100rel|$", "rel"),
    ereg("msg", "Session-Expires: *([0-9]+)", "m,se")) + OFFER


def idle(s):
    s.label("idle")
    for method in ("OPTIONS", "DOCTOR", "CANCEL", "BYE", "UPDATE", "INFO", "PRACK"):
        s.recv(method, method, actions=INVITE[:1] + INVITE[1:3] + (INVITE[11],) + OFFER if method == "UPDATE" else (ereg("To", ";tag=|$", "again"),))
    s.recv("ACK", "idle")
    s.recv("INVITE", "INVITE", False, INVITE)


def requests(s):
    """What stands alone: one request, one response."""
    s.label("OPTIONS")
    refusal = next((d[8:] for d in s.defects if d in ("options_403", "options_404", "options_486")), None)
    if refusal:
        s.say("%s Words" % refusal)
    elif s.has("options_500"):
        s.say("500 Broken")
    elif s.has("options_405"):
        s.say("405 Method Not Allowed", more="Allow: INVITE, ACK, BYE, CANCEL\n")
    elif not s.has("options_silent"):
        s.say("200 OK", more=("Allow: INVITE, ACK\n" if s.has("allow_short") else ALLOW) + "Accept: application/sdp\n")
    s.go("idle")
    s.label("DOCTOR")
    s.go_if("again", ";tag=", "DOCTOR within")
    if not s.has("strange"):
        s.say("501 Not Implemented")
    s.go("idle")
    s.label("DOCTOR within")
    if s.has("strange_kills"):
        s.say("481 Gone", tag="")
        s.go("dead")
    if not s.has("strange_within"):
        s.say("501 Not Implemented", tag="")
    s.go("idle")
    s.label("UPDATE")
    if not s.has("update"):
        s.go_if("offered", "m=audio", "UPDATE with an offer")
        s.say("500 Broken" if s.has("update_500") else "200 OK", more=CONTACT + TIMER, tag="")
    s.go("idle")
    s.label("UPDATE with an offer")
    described(s, "UPDATE answer")
    s.say("200 OK", more=CONTACT + TIMER, sdp="" if s.has("update_bare") else described_as(s), tag="")
    s.go("idle")
    for method in ("INFO", "PRACK"):
        s.label(method)
        s.say("481 Gone" if s.has("info_481") and method == "INFO" else "200 OK", tag="")
        s.go("idle")
    s.label("CANCEL")
    s.say("481 No Such Call", tag="")
    s.go("idle")
    s.label("BYE")
    if s.has("bye_late"):
        s.out.append('<pause milliseconds="3000"/>')
    if not s.has("bye"):
        s.say("481 Gone" if s.has("bye_481") else "200 OK", tag="")
    s.go("idle")
    s.label("dead")
    s.recv("ACK", "dead")
    for method in ("UPDATE", "INVITE"):
        s.recv(method, "dead answer")
    s.recv("BYE", "dead answer", False)
    s.label("dead answer")
    s.say("481 Gone", tag="")
    s.go("dead")


def described_as(s):
    """A description with what is wrong with all of this carrier's."""
    sdp = SDP
    if s.has("stale"):
        sdp = sdp.replace("[$ver]", "1", 1)
    if s.has("ptime_60"):
        sdp = sdp.replace("[$ptime]", "60", 1)
    if s.has("events_11"):
        sdp = sdp.replace("0-15", "0-11", 1)
    if s.has("event_clock"):
        sdp = sdp.replace("telephone-event/8000", "telephone-event/16000", 1)
    if s.has("codec_clock"):
        sdp = sdp.replace("a=rtpmap", "a=rtpmap:0 PCMU/16000\na=rtpmap:8 PCMA/16000\na=rtpmap", 1)
    return sdp


def described(s, then):
    """The offer's direction turned round."""
    if s.has("hold_ignored"):
        s.act(assign("direction", "sendrecv"))
        s.go(then)
    for there, here in (("a=sendonly", "recvonly"), ("a=recvonly", "sendonly"), ("a=inactive", "inactive")):
        s.go_if("direction", there, then + here)
    s.act(assign("direction", "sendrecv"))
    s.go(then)
    for here in ("recvonly", "sendonly", "inactive"):
        s.label(then + here)
        s.act(assign("direction", here))
        s.go(then)
    s.label(then)


def again(s):
    s.label("re-INVITE")
    if s.has("hold", "hold_zero_only"):
        for direction in ("a=sendonly", "a=inactive"):
            s.go_if("direction", direction, "refuse")
    if s.has("reinvite"):
        s.go("refuse")
    if s.has("reinvite_silent"):
        s.go("idle")
    s.go_if("offered", "", "re-INVITE late")
    described(s, "re-INVITE answer")
    s.say("200 OK", more=CONTACT + TIMER, sdp="" if s.has("reinvite_bare") else described_as(s), tag="")
    s.go("idle")
    s.label("re-INVITE late")
    s.act(assign("pt", "0"), assign("direction", "sendrecv"))
    s.say("200 OK", more=CONTACT + TIMER, sdp=described_as(s), tag="")
    s.go("idle")
    s.label("refuse")
    s.say("488 Not Acceptable Here", tag="")
    s.go("idle")


def number(s):
    """Numbers that nobody has, and the one that is busy."""
    s.label("404")
    reason = "" if s.has("no_reason") else 'Reason: Q.850;cause=%d\n'
    if s.has("unknown_200"):
        s.go("late")
    s.say("503 Service Unavailable" if s.has("unknown_503") else "404 Not Found", more=reason and reason % (16 if s.has("reason") else 1))
    s.go("idle")
    s.label("486")
    s.say("480 Temporarily Unavailable" if s.has("busy_480") else "486 Busy Here",
          more="" if s.has("busy_480") else reason and reason % 17)
    s.go("idle")


def invite(s):
    s.label("INVITE")
    s.go_if("again", ";tag=", "re-INVITE")
    s.go_if("unknown", "404@", "404")
    s.go_if("unknown", "486@", "486")
    if not s.has("timer"):
        s.go_if("short", "", "long enough")
        s.say("422 Session Interval Too Small", more="Min-SE: 90\n")
        s.go("idle")
        s.label("long enough")
    s.go_if("offered", "", "late")
    s.go_if("pt", "", "refuse first")
    s.go("ring")
    s.label("refuse first")
    s.say("488 Not Acceptable Here")
    s.go("idle")
    s.label("late")
    if s.has("late_refused"):
        s.go("refuse first")
    s.act(assign("pt", "0"))
    s.label("ring")
    s.act(assign("direction", "sendrecv"))
    s.go_if("rel", "", "plain")
    if not s.has("prack_ignored"):
        s.say("180 Ringing", more=CONTACT + "Require: 100rel\n" + ("" if s.has("no_rseq") else "RSeq: 1\n"))
        s.wait_for("PRACK", "PRACK came", 3000, "idle")
        s.label("PRACK came")
        if not s.has("prack"):
            s.say("481 Gone" if s.has("prack_481") else "200 OK", tag="")
        s.go("answer")
    s.label("plain")
    if s.has("first_late"):
        s.out.append('<pause milliseconds="3000"/>')
    if s.has("no_180"):
        s.go("answer")
    s.say("183 Session Progress" if s.has("bare_183") else "180 Ringing", more=CONTACT)
    s.wait_for("CANCEL", "canceled", 200, "answer")
    s.label("canceled")
    s.say("200 OK", tag=TAG)
    if s.has("cancel_answered"):
        s.out.append('<pause milliseconds="2000"/>')
        s.go("answer")
    if not s.has("cancel"):
        s.say("487 Request Terminated", FIRST)
    s.go("idle")


def answer(s):
    s.label("answer")
    head, contact, sdp, timer, route = FIRST, CONTACT, described_as(s), TIMER, ""
    if s.has("branch"):
        head = head.replace("Via:[$via]", "Via: SIP/2.0/UDP 127.0.0.1:[remote_port];branch=z9hG4bKanother")
    if s.has("contact_private"):
        contact = contact.replace("[local_ip]:[local_port]", "10.11.12.13:5060")
    if s.has("contact_dead"):
        contact = contact.replace("[local_port]", "9")
    if s.has("no_contact"):
        contact = ALLOW
    if s.has("no_update"):
        contact = contact.replace(", UPDATE", "")
    if s.has("expires_low"):
        timer = timer.replace("[$se]", "60")
    if s.has("answer_bare"):
        sdp = ""
    if s.has("port_0"):
        sdp = sdp.replace("[media_port]", "0", 1)
    if s.has("inactive"):
        sdp = sdp.replace("[$direction]", "inactive", 1)
    if s.has("sdp_private"):
        sdp = sdp.replace("[media_ip]", "10.11.12.13", 1)
    if s.has("content_type"):
        route = "Content-Type: application/sdpx\n"
    if s.has("no_tag"):
        tag = ""
    else:
        tag = TAG
    if s.has("cseq"):
        head = head.replace("CSeq:[$cseq]", "CSeq: 4711 INVITE")
    if s.has("contact_zero"):
        contact = contact.replace("[local_ip]", "0.0.0.0")
    if s.has("contact_transport"):
        contact = contact.replace("]>", "];transport=tls>")
    if s.has("record_route"):
        route = "Record-Route: <tel:+15550100>\n"
    if s.has("m_lines"):
        sdp = sdp + "m=audio [media_port] RTP/AVP 0\n"
    if s.has("no_event"):
        sdp = sdp.replace(" [$te]\n", "\n", 1).replace("a=rtpmap:[$te] telephone-event/8000\na=fmtp:[$te] 0-15\n", "")
    if s.has("expires_more"):
        timer = timer.replace("[$se]", "7200")
    if s.has("late_bare"):
        s.go_if("offered", "", "answer bare")
    s.say("200 OK", head, contact + route + timer, sdp, tag)
    s.go("idle")
    s.label("answer bare")
    s.say("200 OK", head, contact + route + timer, "", tag)
    s.go("idle")


def scenario(defects):
    s = Script(defects)
    for part in (idle, requests, invite, answer, again, number):
        part(s)
    return s.text()


class Reports(threading.Thread):
    """Receiver reports for who sends us reports, as a peer that hears all."""

    def __init__(self, host, port, defects):
        super().__init__(daemon=True)
        self.delay_s, self.lost = 0.6 if "far" in defects else 0, 60 if "lost_there" in defects else 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.settimeout(0.2)
        self.is_over = False

    def run(self):
        while not self.is_over:
            try:
                data, source = self.socket.recvfrom(2048)
            except OSError:
                continue
            if len(data) >= 28 and data[1] == 200:
                theirs, middle = data[4:8], data[10:14]
                block = theirs + struct.pack("!IIII", self.lost << 24 | self.lost, 0, 0, int.from_bytes(middle, "big")) + struct.pack("!I", 0)
                report = struct.pack("!BBH", 0x81, 201, 7) + b"far1" + block
                time.sleep(self.delay_s)
                self.socket.sendto(report + struct.pack("!BBH", 0x81, 202, 3) + b"far1\x01\x04far1\x00\x00", source)


class Carrier:
    """SIPp at that address, until the end."""

    def __init__(self, house, host, port, *defects, media=64):
        self.path, self.port = "%s/carrier-%s.xml" % (house.dir, "-".join(defects) or "whole"), port
        with open(self.path, "w") as f:
            f.write(scenario(defects))
        self.reports = None if "rtcp" in defects else Reports(host, house.base + media + 1, defects)
        self.proc = subprocess.Popen(
            ["sipp", "-sf", self.path, "-i", host, "-p", str(port), "-mi", host, "-mp", str(house.base + media), "-rtp_echo", "-nd", "-nostdin",
             "-trace_err", "-error_file", self.path + ".errors"] + os.environ.get("SIPP_MORE", "").split(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self):
        if self.reports:
            self.reports.start()
        try:
            wait_for("SIPp's port", self.listens, 8)
        except Failed:
            self.__exit__()
            raise
        return self

    def listens(self):
        return self.proc.poll() is not None or any(line.split()[1].endswith(":%04X" % self.port) for line in open("/proc/net/udp").readlines()[1:])

    def said(self):
        return open(self.path + ".errors", errors="replace").read()[-1500:] if os.path.exists(self.path + ".errors") else ""

    def __exit__(self, *_):
        if self.reports:
            self.reports.is_over = True
            self.reports.join(1)
            self.reports.socket.close()
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
