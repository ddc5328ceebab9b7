# SPDX-License-Identifier: Apache-2.0
"""Scenarios of SIPp for dialogs, written as a list of steps: ("INVITE", {"sdp": "sendonly", "more": "Supported: timer"}),
("ACK", {}), (200, {"header": {"Session-Expires:": "90"}, "body": "a=recvonly"}), ("wait", 500). The caller is SIPp."""
import os
import subprocess

from house import check

HEAD = """%s %s SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:+15550123456@[local_ip]:[local_port]>;tag=[call_number]
%s
Call-ID: [call_id]
CSeq: %d %s
Contact: <sip:sipp@[local_ip]:[local_port]>
%sContent-Length: [len]
"""
SDP = """
v=0
o=sipp 1 %d IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=%s
"""


def requests(steps):
    """The steps as XML."""
    out, cseq, known, n = [], 0, False, 0
    for what, more in steps:
        if what == "wait":
            out.append('<pause milliseconds="%d"/>' % more)
        elif isinstance(what, int):
            actions = ""
            for name, value in more.get("header", {}).items():
                n += 1
                actions += '<ereg regexp="%s" search_in="hdr" header="%s" check_it="true" assign_to="%d"/>' % (value, name, n)
            if "body" in more:
                n += 1
                actions += '<ereg regexp="%s" search_in="body" check_it="true" assign_to="%d"/>' % (more["body"], n)
            for low in (100, 180, 183):
                out.append('<recv response="%d" optional="true"/>' % low)
            out.append('<recv response="%d" rrs="true" timeout="8000">%s</recv>' % (what, "<action>%s</action>" % actions if actions else ""))
            known = known or what < 300
        else:
            cseq += what != "ACK"
            lines = "".join(line + "\n" for line in more.get("more", ()))
            body = SDP % (cseq, more["sdp"]) if "sdp" in more else "\n"
            if "sdp" in more:
                lines += "Content-Type: application/sdp\n"
            to = "[last_To:]" if known or what == "ACK" else "To: <sip:[service]@[remote_ip]:[remote_port]>"
            uri = "[next_url]" if known else "sip:[service]@[remote_ip]:[remote_port]"
            resend = ' retrans="500"' if what != "ACK" else ""
            out.append("<send%s><![CDATA[\n%s%s\n]]></send>" % (resend, HEAD % (what, uri, to, cseq, what, lines), body))
    names = ",".join(str(i + 1) for i in range(n))
    return '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="steps">\n%s\n%s</scenario>\n' % (
        "\n".join(out), '<Reference variables="%s"/>\n' % names if n else "")


def run(house, name, host, number, steps):
    """Runs them from that address against the lab listener."""
    path = "%s/%s.xml" % (house.dir, name)
    errors = path + ".errors"
    with open(path, "w") as f:
        f.write(requests(steps))
    done = subprocess.run(
        ["sipp", "127.0.0.1:%d" % house.port("lab"), "-sf", path, "-i", host, "-p", str(house.port("lab_peer")), "-mi", host, "-mp",
         str(house.base + 64), "-m", "1", "-s", number, "-timeout", "25", "-timeout_error", "-trace_err", "-error_file", errors,
         "-nostdin"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40)
    said = open(errors, errors="replace").read()[-900:] if os.path.exists(errors) else ""
    check(done.returncode == 0, "sipp ended with %d: %s" % (done.returncode, said))
