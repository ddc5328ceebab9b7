# SPDX-License-Identifier: Apache-2.0
"""Trunk Doctor against carriers with planted defects: it finds each, and no other."""
import contextlib
import http.client
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import command
import direct
from border import Certs
from doctorpeer import Peer
from group import Group
from house import TOP, House, check, wait_for
from sippcarrier import Carrier

here = os.path.dirname(os.path.abspath(__file__))
DOCTOR = Group("doctor", template=here + "/doctor.yaml.in")
LONG = Group("doctor-long", template=here + "/doctor.yaml.in", long=True)


def ask(house, method, path, role="admin"):
    door = http.client.HTTPConnection("127.0.0.1", house.port("admin"), timeout=5)
    door.request(method, "/admin/v1" + path, None, {"Authorization": "Bearer " + house.demo["admin"]["token"]})
    answer = door.getresponse()
    data = answer.read()
    door.close()
    return answer, data


def run(house, trunk, seconds=110):
    """A whole run: its report."""
    answer, data = ask(house, "POST", "/trunks/%s/doctor" % trunk)
    check(answer.status == 202, "start: %d %s" % (answer.status, data))
    return ended(house, json.loads(data)["id"], seconds)


def ended(house, run_id, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        report = json.loads(ask(house, "GET", "/doctor/" + run_id)[1])
        if report["state"] != "running":
            return report
        time.sleep(0.3)
    raise AssertionError("the run does not end: %s" % [c for c in report["checks"] if c["result"] == "running"][:2])


def by_result(report, result):
    return {c["id"]: c["seen"] for c in report["checks"] if c["result"] == result}


def budget(report, peer):
    """One call at a time, with a pause between two, as many as the report tells."""
    lost = "mtu" in peer.defects  # the long one does not arrive
    check(report["calls"] == len(peer.begun) + lost <= 60, "calls: %d told, %d came" % (report["calls"], len(peer.begun)))
    check(peer.most <= 1, "%d calls at a time" % peer.most)
    gaps = [b - a for a, b in zip(peer.begun, peer.begun[1:])]
    check(min(gaps, default=1) > 0.1, "calls %d ms apart" % (1000 * min(gaps, default=1)))


def expect(house, defects, failed, trunk="open", host="127.0.0.2"):
    with Peer(host, house.port("lab_peer"), *defects) as peer:
        report = run(house, trunk)
        budget(report, peer)
    check(report["state"] == "done", "state: " + report["state"])
    found = by_result(report, "failed")
    check(set(found) == set(failed), "expected %s, found %s" % (sorted(failed), found))
    return report


@DOCTOR.scenario("a carrier without fault: nothing fails, most of it passes")
def whole(house):
    report = expect(house, [], [])
    passed = by_result(report, "passed")
    check(len(report["checks"]) >= 60 and len(passed) >= 35, "passed %d: %s; skipped %s; not offered %s" % (
        len(passed), sorted(passed), by_result(report, "skipped"), by_result(report, "not_offered")))
    for wanted in ("rtp_in", "dtmf_echo", "hold_sendonly", "prack", "update", "cancel", "late_offer", "session_min", "ptime40",
                   "codec_pcma", "session_id", "number_unknown", "bye_out", "mtu"):
        check(wanted in passed, "%s: %s" % (wanted, [c for c in report["checks"] if c["id"] == wanted]))
    overview = json.loads(ask(house, "GET", "/overview")[1])
    row = next(t for t in json.loads(ask(house, "GET", "/trunks")[1])["trunks"] if t["name"] == "open")
    check(overview["today"]["calls"] == 0 and overview["calls"]["live"] == 0, "in the figures: %s" % overview["today"])
    check(not row.get("figures", {}).get("seizures") and row["calls"] == 0, "in the trunk's figures: %s" % row)
    check(not json.loads(ask(house, "GET", "/records")[1])["records"], "in the records")
    page = ask(house, "GET", "/doctor/%s?format=html" % report["id"])[1].decode()
    check("Carrier &lt;b&gt;" in page and "<b>" not in page and "<script" not in page, "a peer's text is not escaped")


# Each alone takes half a minute: several that do not touch one another at once, and the single ones in the long run.
@DOCTOR.scenario("planted: PRACK, UPDATE, reports and the code for a wrong number are at fault, all four are found, nothing else")
def four(house):
    expect(house, ["prack", "update", "rtcp", "unknown"], ["prack", "update", "rtcp", "failover"])


@DOCTOR.scenario("planted: hold, the session timer, INFO, its clock and the first second of sound are at fault, all five are found, nothing else")
def five(house):
    expect(house, ["hold", "timer", "info", "clock", "dead_air"], ["hold_sendonly", "session_min", "dtmf_info", "clock", "dead_air"])


def planted(defect, failed, words, where=None):
    @(where or LONG).scenario("planted: " + words)
    def one(house):
        expect(house, [defect], failed)


planted("prack", ["prack"], "PRACK is not answered")
planted("hold", ["hold_sendonly"], "hold by sendonly is refused")
planted("dtmf", ["dtmf_offered"], "no telephone-event", DOCTOR)
planted("digits", ["dtmf_echo"], "digits do not come through")
planted("oneway", ["rtp_in"], "no sound comes", DOCTOR)
planted("bye", ["bye_out"], "BYE is not answered")
planted("codec", ["codec_pcma", "codec_g722", "codec_opus"], "one codec, whatever was offered", DOCTOR)
planted("update", ["update"], "UPDATE gets 500")
planted("rtcp", ["rtcp"], "no reports")
planted("clock", ["clock"], "its Date is ten minutes late")
planted("info", ["dtmf_info"], "INFO is not answered")
planted("dead_air", ["dead_air"], "two seconds of silence after the answer")
planted("payload", ["rtp_in"], "a payload type that was not agreed")
planted("loss", ["loss"], "one packet in ten is lost", DOCTOR)
planted("unknown", ["failover"], "a wrong number gets 503")
planted("timer", ["session_min"], "a session timer of a minute")
planted("mtu", ["mtu"], "long INVITEs do not arrive")
planted("cancel", ["cancel"], "CANCEL does not end the call")
LONG.scenario("planted: noise and silence take turns")(lambda house: expect(house, ["holes"], ["silence"], "heard", "127.0.0.12"))
planted("hangup", ["answered"], "it hangs up after two seconds")
planted("noise", [], "comfort noise though it is not in the answer: harmless, it was offered")
planted("jitter", ["jitter"], "packets come unevenly")
planted("strange", ["strange"], "silence to an unknown method")


@DOCTOR.scenario("one run a trunk, stopped by DELETE; without a number no call is made")
def limits(house):
    with Peer("127.0.0.2", house.port("lab_peer")), Peer("127.0.0.4", house.port("lab_peer")) as quiet:
        answer, data = ask(house, "POST", "/trunks/open/doctor")
        check(answer.status == 202, "start: %d" % answer.status)
        check(ask(house, "POST", "/trunks/open/doctor")[0].status == 409, "a second run of the trunk was begun")
        check(ask(house, "POST", "/trunks/nobody/doctor")[0].status == 404, "a trunk that is none was tested")
        report = run(house, "none", 30)
        check("INVITE" not in quiet.methods, "a call without a number")
        check(by_result(report, "skipped")["answered"] == "no test number is set", "answered: not skipped")
        first = json.loads(data)["id"]
        check(ask(house, "DELETE", "/doctor/" + first)[0].status == 204, "it was not stopped")
        check(json.loads(ask(house, "GET", "/doctor/" + first)[1])["state"] == "canceled", "not canceled")
        runs = json.loads(ask(house, "GET", "/doctor")[1])["runs"]
        check({r["id"] for r in runs} >= {first, report["id"]}, "the list: %s" % runs)


# SIPp as the carrier: right, and with its own defects -------------------------------------------------

SIPP = Group("doctor and sipp", template=here + "/doctor.yaml.in", programs=["sipp"])
SIPP_LONG = Group("doctor and sipp-long", template=here + "/doctor.yaml.in", programs=["sipp"], long=True)


def sipp_expect(house, defects, failed):
    with Carrier(house, "127.0.0.2", house.port("lab_peer"), *defects) as carrier:
        report = run(house, "open")
        found = by_result(report, "failed")
        check(report["state"] == "done" and set(found) == set(failed), "%s: expected %s, found %s; SIPp: %s" % (
            defects, sorted(failed), found, carrier.said()))
    return report


@SIPP.scenario("SIPp without a defect: nothing fails")
def sipp_whole(house):
    report = sipp_expect(house, [], [])
    passed = by_result(report, "passed")
    for wanted in ("rtp_in", "dtmf_echo", "hold_sendonly", "prack", "update_offer", "cancel", "late_offer", "session_min", "codec_pcma", "bye_out",
                   "dtmf_info", "dtmf_inband", "busy", "reason", "strange_in_call", "dead_air", "to_tag", "route", "contact"):
        check(wanted in passed, "%s: %s" % (wanted, [c for c in report["checks"] if c["id"] == wanted]))


# Those that do not touch one another at once; each alone in the long run: (defects, checks that fail)
SIPP_TOGETHER = (
    ("SIPp: 180 without 100rel, BYE without an answer, a 200 without its offer, 503 for a wrong number",
     {"prack_ignored": ["prack"], "bye": ["bye_out"], "late_bare": ["late_offer"], "unknown_503": ["failover"]}),
    ("SIPp: OPTIONS get 500, UPDATE too, no telephone-event, a longer timer, busy as 480, a wrong cause, only hold by 0.0.0.0, an unknown method ends the call",
     {"options_500": ["options_out"], "update_500": ["update"], "no_event": ["dtmf_offered"], "expires_more": ["session_timer"], "busy_480": ["busy"],
      "reason": ["reason"], "hold_zero_only": ["hold_sendonly", "hold_inactive"], "strange_kills": ["strange_in_call"]}))
SIPP_ALONE = {
    "options_silent": ["options_out"], "options_405": [], "strange": ["strange"], "update": ["update"], "reinvite": ["hold_sendonly", "hold_inactive"],
    "late_refused": [], "prack": ["prack"], "timer": ["session_min"], "cancel": ["cancel"], "no_tag": ["to_tag"], "cseq": ["answered"],
    "contact_zero": ["contact"], "contact_transport": ["contact"], "record_route": ["route"], "m_lines": ["answer_fits"], "rtcp": ["rtcp"],
    "strange_within": ["strange_in_call"], "no_reason": [], "bare_183": [],
    "branch": ["answered"], "contact_private": ["contact"], "contact_dead": ["contact"], "no_contact": ["contact"], "bye_late": ["bye_out"],
    "bye_481": ["bye_out"], "no_180": [], "prack_481": ["prack"], "no_rseq": ["prack"], "stale": ["sdp_version"],
    "hold_ignored": ["hold_sendonly", "hold_inactive"], "codec_clock": ["answer_fits"], "event_clock": ["dtmf_offered"], "events_11": [],
    "ptime_60": [], "no_update": [], "options_404": [], "options_403": ["options_out"], "options_486": [], "update_bare": ["update_offer"],
    "reinvite_bare": ["hold_sendonly", "hold_inactive"], "reinvite_silent": ["hold_sendonly"], "expires_low": ["session_timer"],
    "answer_bare": ["answer_fits"], "content_type": ["answer_fits"], "first_late": ["trying"], "unknown_200": ["number_unknown"],
    "far": ["round_trip"], "lost_there": ["rtp_out"], "port_0": ["answer_fits"], "inactive": ["rtp_in"], "sdp_private": ["rtp_in"],
    "allow_short": ["allow"], "info_481": ["dtmf_info"], "cancel_answered": ["cancel"]}
NOT_OFFERED = {"no_180": "progress", "options_404": "options_out", "ptime_60": "ptime20", "options_405": "options_out", "late_refused": "late_offer", "no_reason": "reason", "bare_183": "early_media"}


def applied(house, report):
    """The report in print; what it proposes as a diff, then in force, then taken back."""
    text = command.run(house, "doctor", "report", report["id"])
    check(text.startswith("TRUNK DOCTOR: open\n") and "FAILED\n" in text and "  -> to do" in text, text[:400])
    check(max(len(line) for line in text.splitlines()) <= 80, "lines too long")
    check(report["profile"]["patch"].get("dtmf") == "inband", "patch: %s" % report["profile"])
    diff = command.run(house, "doctor", "diff", report["id"])
    check("\n+    dtmf: inband\n" in diff or "\n+      dtmf: inband\n" in diff, "diff: %s" % diff)
    more = json.loads(command.run(house, "doctor", "diff", report["id"], "--json"))
    check(len(more["changes"]) == len(report["profile"]["patch"]) and not more["errors"], "changes: %s" % more["changes"])
    settings = json.loads(ask(house, "GET", "/trunks/open")[1])["settings"]
    check("dtmf" not in settings, "the diff has changed it: %s" % settings)
    done = json.loads(command.run(house, "doctor", "apply", report["id"], "--json"))
    check(done["confirm_by"], "not on probation: %s" % done)
    settings = json.loads(ask(house, "GET", "/trunks/open")[1])["settings"]
    check(settings["dtmf"] == "inband", "not applied: %s" % settings)
    check(json.loads(ask(house, "GET", "/doctor/" + report["id"])[1])["state"] == "done", "the report is gone with the change")
    command.run(house, "config", "cancel")
    check("dtmf" not in json.loads(ask(house, "GET", "/trunks/open")[1])["settings"], "not canceled")
    done = json.loads(command.run(house, "doctor", "apply", report["id"], "--confirm", "0", "--comment", "for good", "--json"))
    newest = json.loads(ask(house, "GET", "/config/history")[1])["history"][0]
    check(not done["confirm_by"] and newest["n"] == done["n"] and newest["comment"] == "for good", "%s, %s" % (done, newest))
    command.run(house, "config", "rollback", str(done["n"] - 1))
    check("dtmf" not in json.loads(ask(house, "GET", "/trunks/open")[1])["settings"], "not taken back")


def sipp_together(words, defects):
    @SIPP.scenario(words + ": all found, nothing else")
    def all_of(house):
        report = sipp_expect(house, list(defects), [c for checks in defects.values() for c in checks])
        if "no_event" in defects:
            applied(house, report)


def sipp_alone(defect, failed, where=SIPP_LONG):
    @where.scenario("SIPp: " + defect)
    def one(house):
        report = sipp_expect(house, [defect], failed)
        if defect in NOT_OFFERED:
            check(NOT_OFFERED[defect] in by_result(report, "not_offered"), "%s is not told as not offered" % defect)


for words_of, together in SIPP_TOGETHER:
    sipp_together(words_of, together)
    for name, checks_of in together.items():
        sipp_alone(name, checks_of)
for name, checks_of in SIPP_ALONE.items():
    sipp_alone(name, checks_of, SIPP if name in ("record_route", "m_lines") else SIPP_LONG)


@DOCTOR.scenario("a run stopped in a call hangs it up; a host that is down, a name that leads nowhere: one failure each")
def stopped(house):
    with Peer("127.0.0.2", house.port("lab_peer")) as peer:
        run_id = json.loads(ask(house, "POST", "/trunks/open/doctor")[1])["id"]
        wait_for("a test call that stands", lambda: "ACK" in peer.methods, 15)
        row = next(t for t in json.loads(ask(house, "GET", "/trunks")[1])["trunks"] if t["name"] == "open")
        check(row["calls"] == 0 and not json.loads(ask(house, "GET", "/calls")[1])["calls"], "a test call counts: %s" % row)
        answer, data = ask(house, "POST", "/trunks/sos/doctor")
        check(answer.status == 409 and b"emergency" in data, "an emergency number: %s" % data)
        check(ask(house, "POST", "/trunks/down/doctor")[0].status == 202, "a second run on another trunk")
        check(ask(house, "POST", "/trunks/none/doctor")[0].status == 409, "a third run at a time")
        check(ask(house, "DELETE", "/doctor/" + run_id)[0].status == 204, "it was not stopped")
        wait_for("its BYE", lambda: "BYE" in peer.methods and not peer.calls, 5)
        n = len(peer.methods)
        report = json.loads(ask(house, "GET", "/doctor/" + run_id)[1])
        check(report["state"] == "canceled" and not by_result(report, "running"), "state: %s" % report["state"])
        down = ended(house, json.loads(ask(house, "GET", "/doctor")[1])["runs"][0]["id"], 40)
        check(set(by_result(down, "failed")) == {"connect"}, "down: %s" % by_result(down, "failed"))
        lost = run(house, "lost", 40)
        check(set(by_result(lost, "failed")) == {"resolve"}, "lost: %s" % by_result(lost, "failed"))
        check(len(peer.methods) == n, "something was sent after the end: %s" % peer.methods[n:])


@DOCTOR.scenario("a restart in the midst of a run: it is told as cut short, reports of before are still there, five of a trunk")
def kept(house):
    with Peer("127.0.0.4", house.port("lab_peer")):
        run(house, "none", 30)
    before = [r["id"] for r in json.loads(ask(house, "GET", "/doctor")[1])["runs"]]
    shown = json.loads(ask(house, "GET", "/doctor/" + before[0])[1])
    with Peer("127.0.0.2", house.port("lab_peer")) as peer:
        run_id = json.loads(ask(house, "POST", "/trunks/open/doctor")[1])["id"]
        wait_for("a test call that stands", lambda: "ACK" in peer.methods, 15)
        wait_for("its begin on the disk", lambda: written(house, run_id), 10)
        dead = house.kill("sallyportd")
        wait_for("its successor", lambda: house.pid("sallyportd") != dead and answers(house), 20)
        runs = json.loads(ask(house, "GET", "/doctor")[1])["runs"]
        check([r["id"] for r in runs if r["trunk"] != "open"] == [i for i in before if i in {r["id"] for r in runs if r["trunk"] != "open"}]
              and len([r for r in runs if r["trunk"] == "open"]) <= 5, "the list: %s" % runs)
        report = json.loads(ask(house, "GET", "/doctor/" + run_id)[1])
        check(report["state"] == "canceled" and "cut short" in report["detail"] and not by_result(report, "running"), "%s" % report)
        check(b"cut short" in ask(house, "GET", "/doctor/" + run_id + "?format=html")[1], "its page does not say it")
        check(json.loads(ask(house, "GET", "/doctor/" + before[0])[1]) == shown, "another report than before")
        check(ask(house, "DELETE", "/doctor/" + run_id)[0].status == 204, "it cannot be forgotten")
        check(ask(house, "GET", "/doctor/" + run_id)[0].status == 404, "it is not forgotten")


def written(house, run_id):
    with contextlib.closing(sqlite3.connect("file:%s/state/operators.db?mode=ro" % house.dir, uri=True)) as db:
        return db.execute("SELECT 1 FROM reports WHERE id=?", (run_id,)).fetchone()


def answers(house):
    try:
        return ask(house, "GET", "/doctor")[0].status == 200
    except OSError:
        return False


class Demo(House):
    """The demonstration, whose trunk to baresip (TLS both ways, SRTP) has a number for tests."""

    def __enter__(self):
        with open(TOP + "/tests/demo/sallyport.yaml.in") as f:
            text = f.read()
        self.env["SALLYPORT_TEMPLATE"] = self.dir + "/template.yaml"
        with open(self.env["SALLYPORT_TEMPLATE"], "w") as f:
            f.write(text.replace("  - name: demo\n", "  - name: demo\n    doctor: {number: \"+15550199002\", caller: \"+15550100001\"}\n", 1))
        return super().__enter__()


BARESIP = Group("doctor and baresip", programs=["baresip"], house=Demo)


@BARESIP.scenario("baresip over TLS with SRTP: its certificate, its suites, its codecs; nothing else is wrong")
def baresip(house):
    report = run(house, "demo")
    found, passed = by_result(report, "failed"), by_result(report, "passed")
    check(not found, "failed: %s" % found)
    for wanted in ("tls_version", "tls_chain", "tls_name", "tls_expiry", "rtp_in", "suite_sha80", "hold_sendonly", "bye_out"):
        check(wanted in passed, "%s: %s" % (wanted, [c for c in report["checks"] if c["id"] == wanted]))


# Certificates --------------------------------------------------------------------------------------


class Shower:
    """A TLS server that shows a certificate and says nothing."""

    def __init__(self, path, root, port, asks=True, change=lambda context: None, wrap=True):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=root)
        self.context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
        change(self.context)
        self.context.load_cert_chain(path + ".pem", path + ".key")
        self.wrap = wrap  # a function of the socket in place of the handshake
        self.listener, self.open = socket.create_server((direct.SBC, port)), []
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # else the thread's accept() keeps the port
        for s in [self.listener] + self.open:
            s.close()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            try:
                s.settimeout(3)
                self.open.append(self.context.wrap_socket(s, server_side=True) if self.wrap is True else self.wrap(s))
            except OSError:
                s.close()


@direct.DIRECT.scenario("Trunk Doctor: a certificate that is out of date, of another name, of a stranger; ours refused")
def certificates(base):
    with Certs() as certs, direct.names(base + 4):
        trunk = direct.hub_trunk(base + 5, ", options: false")
        hub = direct.Gateway(base, "hub", direct.HUB, certs, "DNS:sip.hub.test", base + 4, trunk, "alice", "contoso")
        root = direct.roots_of(certs)
        shutil.copy(root + ".pem", certs.dir + "/known.pem")
        shutil.copy(root + ".key", certs.dir + "/known.key")
        known = certs.dir + "/known"
        stranger = certs.root()  # takes its place under the old name
        with hub:
            for name, sans, by, expired, trusts, failed in (
                    ("old", "DNS:sbc.contoso.test", known, True, known, {"tls_expiry"}),
                    ("other", "DNS:sbc.adatum.test", known, False, known, {"tls_name"}),
                    ("strange", "DNS:sbc.contoso.test", stranger, False, known, {"tls_chain"}),
                    ("strict", "DNS:sbc.contoso.test", known, False, stranger, {"tls_client"})):
                path = certs.make(name, sans, by, expired)
                with Shower(path, trusts + ".pem", base + 5):
                    report = run(hub, "contoso", 40)
                found = by_result(report, "failed")
                check(set(found) == failed, "%s: found %s" % (name, found))


def old_version(context):
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1


def no_secrecy(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:AES256-SHA")


def weak(context):
    context.set_ciphers("DEFAULT:@SECLEVEL=0")


def plain_sip(s):
    s.recv(100)
    s.sendall(b"SIP/2.0 400 What\r\nContent-Length: 0\r\n\r\n")
    return s


NAME, RSA = "DNS:sbc.contoso.test", ("rsa:2048",)
# What is shown: (settings of the certificate, of the server, the check that fails with words of what is told)
SHOWN = {
    "TLS 1.1 only": ({"sans": NAME}, {"change": old_version}, {"tls_version": "handshake failed"}),
    "no cipher with forward secrecy": ({"sans": NAME, "key": RSA}, {"change": no_secrecy}, {"tls_version": "handshake failed"}),
    "a short key": ({"sans": NAME, "key": ("rsa:1024",)}, {"change": weak}, {"tls_chain": "key too weak"}),
    "for clients only": ({"sans": NAME, "use": "clientAuth"}, {}, {"tls_chain": "purpose"}),
    "no name but the common one": ({"sans": ""}, {}, {"tls_name": "no name at all"}),
    "an address in place of the name": ({"sans": "IP:127.0.0.1"}, {}, {"tls_name": ""}),
    "a wildcard of two labels": ({"sans": "DNS:*.test"}, {}, {"tls_name": "*.test"}),
    "no TLS on that port": ({"sans": NAME}, {"wrap": plain_sip}, {"tls_version": "wrong version number"}),
    "it hangs up in the handshake": ({"sans": NAME}, {"wrap": lambda s: s.recv(100) and s.close() or s}, {"tls_version": ""}),
    "it is silent in the handshake": ({"sans": NAME}, {"wrap": lambda s: s}, {"tls_version": "six seconds"}),
    "well, and then silent; ours is not asked for": ({"sans": NAME}, {"asks": False}, {"options_out": "no answer"}),
    "self-signed": (None, {}, {"tls_chain": "self"}),
}


def shown(base, kinds):
    with Certs() as certs, direct.names(base + 4):
        trunk = direct.hub_trunk(base + 5, ", options: false")
        with direct.Gateway(base, "hub", direct.HUB, certs, "DNS:sip.hub.test", base + 4, trunk, "alice", "contoso") as hub:
            root, wrong = direct.roots_of(certs), []
            for i, words in enumerate(kinds):
                made, served, failed = SHOWN[words]
                path = certs.make("shown%d" % i, root=root, **made) if made else signed_alone(certs)
                with Shower(path, root + ".pem", base + 5, **served):
                    found = by_result(run(hub, "contoso", 60), "failed")
                if set(found) != set(failed) or any(failed[k] not in found[k] for k in failed):
                    wrong.append("%s: expected %s, found %s" % (words, failed, found))
            check(not wrong, "; ".join(wrong))


def signed_alone(certs):
    path = certs.dir + "/alone"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", path + ".key",
                    "-out", path + ".pem", "-subj", "/CN=alone", "-addext", "subjectAltName=" + NAME], check=True, capture_output=True)
    return path


LONG_DIRECT = Group("doctor and handshakes-long", shared=False, programs=["openssl"], long=True)
LONG_DIRECT.scenario("Trunk Doctor: handshakes and certificates, each wrong in one way")(lambda base: shown(base, SHOWN))


@contextlib.contextmanager
def hub_and_sbc(base, settings):
    """(our hub, our SBC), the SBC with a number that echoes; settings: more of the hub's trunk."""
    base2, keep = direct.more_ports()
    with keep, Certs() as certs, direct.names(base + 4):
        trunk = direct.hub_trunk(base2 + 2, settings)
        hub = direct.Gateway(base, "hub", direct.HUB, certs, "DNS:sip.hub.test,DNS:sip2.hub.test", base + 4, trunk, "alice", "contoso")
        sbc = direct.Gateway(base2, "sbc", direct.SBC, certs, "DNS:sbc.contoso.test", base + 4, direct.sbc_trunk(base + 2), "bob", "service")
        plan = open(sbc.dir + "/plan.yaml").read()
        sbc.put("plan.yaml", plan.replace("rules:", 'rules:\n  - {name: echo, called: "+15550199600", then: echo}'))
        with hub, sbc:
            hub.wait_trunk("contoso", overall="online")
            yield hub, sbc


@direct.DIRECT.scenario("Trunk Doctor: our hub against our SBC: nothing fails")
def two_houses(base):
    with hub_and_sbc(base, ', doctor: {number: "+15550199600", caller: "+15550100001", echo: true, unknown: "+19990199404"}') as (hub, _):
        report = run(hub, "contoso")
        found, passed = by_result(report, "failed"), by_result(report, "passed")
        check(not found, "failed: %s" % found)
        for wanted in ("tls_client", "rtp_in", "dtmf_echo", "suite_gcm256", "suite_sha32", "update", "session_id"):
            check(wanted in passed, "%s: %s" % (wanted, [c for c in report["checks"] if c["id"] == wanted]))
