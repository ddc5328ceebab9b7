# SPDX-License-Identifier: Apache-2.0
"""Secrets: keys that others may read refuse the start; nothing secret is in logs, records or metrics; no peer's
text breaks a line of the log; the programs run without privileges."""
import base64
import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time

from app import App
from attack import BUILD, ECHO, PEER2, AttackGroup, SecureCall, crypto_line, figure, lab_agent, sec_agent
from house import Failed, check
from sipua import Dialog, audio_sdp

G = AttackGroup("attack-secrets")
G.level = "debug"


@G.scenario("A19: a key that others may read, an unreadable one, a missing one refuse the start and say why")
def readable_keys(house):
    text = open(house.dir + "/sallyport.yaml").read()
    key = re.search(r"\n  key: (\S+)", text).group(1)
    with tempfile.TemporaryDirectory() as folder:
        copy = folder + "/gateway.key"
        shutil.copy(key, copy)
        os.chmod(copy, 0o600)
        config = folder + "/sallyport.yaml"
        open(config, "w").write(text.replace(key, copy))

        def verdict():
            got = subprocess.run([BUILD + "/sallyportd", "--config", config, "--check-config"], capture_output=True, text=True, timeout=10)
            started = subprocess.run(["timeout", "5", BUILD + "/sallyportd", "--config", config], capture_output=True, text=True,
                                     timeout=10) if got.returncode else None
            return got.returncode, started.returncode if started else None, got.stdout + got.stderr

        check(verdict()[0] == 0, "a good key was refused: %s" % (verdict(),))
        for mode in (0o644, 0o604, 0o640 | stat.S_IROTH, 0o602):
            os.chmod(copy, mode)
            code, started, said = verdict()
            check(code == 1 and started == 1 and "key" in said and copy in said, "mode %o: %s %s %s" % (mode, code, started, said))
        os.remove(copy)
        code, started, said = verdict()
        check(code == 1 and started == 1 and copy in said, "no key: %s %s" % (code, said))
        open(copy, "w").write("no key at all\n")
        os.chmod(copy, 0o600)
        code, started, said = verdict()
        check(started not in (0, 124), "a key that is none started: %s %s" % (code, said))


def everything(house):
    """All that the programs wrote: (name, bytes)."""
    for path in glob.glob(house.dir + "/*.log") + glob.glob(house.dir + "/state/records.db*") + glob.glob(house.dir + "/state/timelines.db*") + glob.glob("/var/tmp/sallyport-*/state/records.db*"):
        if not path.endswith("run.log"):  # what ./run shows its user
            yield path, open(path, "rb").read()
    for path in ("/admin/v1/records?limit=50", "/admin/v1/calls", "/metrics"):
        yield path, house.admin(path)[1].encode()
    for call in house.live_calls() + house.records():
        path = "/admin/v1/calls/%s/timeline" % call["id"]
        yield path, house.admin(path)[1].encode()


@G.scenario("A19: SDES keys, ICE passwords, tokens: in no log, record, database or metric")
def leaks(house):
    secrets = {"admin token": house.demo["admin"]["token"]}
    for user, is_ in house.demo["users"].items():
        secrets["token of " + user] = is_["token"].rsplit(".", 1)[1]
    with sec_agent(house) as sip, SecureCall(house, sip) as call:
        call.talk(0.5)
        for name, key in (("the peer's SDES key", call.key), ("our SDES key", call.far_key)):
            secrets[name] = base64.b64encode(key).decode()
            secrets[name + " in hex"] = key.hex()
            secrets[name + " raw"] = key
        open_calls = list(everything(house))
    with sec_agent(house) as sip:  # refused: its key too is a secret
        key = os.urandom(30)
        secrets["the key of a refused call"] = base64.b64encode(key).decode()
        d = Dialog(sip, "+19995550100", host=PEER2).invite(audio_sdp(40000, host=PEER2, profile="RTP/SAVP", more=crypto_line(key)))
        d.ack(d.answer(300))
        key = os.urandom(30)
        secrets["the key of a malformed call"] = base64.b64encode(key).decode()
        d = Dialog(sip, ECHO, host=PEER2).invite(audio_sdp(40000, host=PEER2, profile="RTP/SAVP", more=crypto_line(key) + "a=[\r\nm=\r\n"))
        d.ack(d.answer(300))
    with App(house.demo, "alice", device="leaks") as app:
        app.place("600")
        app.run(app.client.media.connected())
        for name, sdp in (("our", app.client.media.pc.remoteDescription.sdp), ("the app's", app.client.media.pc.localDescription.sdp)):
            secrets[name + " ICE password"] = re.search(r"a=ice-pwd:(\S+)", sdp).group(1)
        try:
            app.run(app.client.ask("POST", "/calls", {"to": {"tel": "600"}, "offer": {"type": "offer", "sdp": "v=0\r\na=ice-pwd:verysecretpasswordofmine\r\n"}}))
        except Exception:  # refused, as it should be
            pass
        secrets["a refused offer's password"] = "verysecretpasswordofmine"
        app.hangup()
    house.record(lambda r: r["id"] == app.client.call)
    found = []
    for where, content in open_calls + list(everything(house)):
        for name, secret in secrets.items():
            if (secret if isinstance(secret, bytes) else secret.encode()) in content:
                found.append("%s is in %s" % (name, where))
    check(not found, "; ".join(found))
    shown = [where for where, content in everything(house) if call.dialog.call_id.encode() in content]
    timelines = [content for where, content in everything(house) if where.endswith("/timeline")]
    check(any(b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 (cut)" in t for t in timelines) and any(b"a=ice-pwd:(cut)" in t for t in timelines),
          "no timeline has the descriptions of which the keys are cut")
    check(any("records.db" in where for where in shown) and any("/admin" in where for where in shown), "looked elsewhere: %s" % shown)
    figure("A19: %d secrets looked for in %d places" % (len(secrets), len(list(everything(house)))))


FORGED = "2026-01-01T00:00:00.000Z sallyportd error app: FORGED"


@G.scenario("A19: line ends, escapes, markup in headers, bodies, JSON: each line of the log is one of ours")
def log_lines(house):
    with lab_agent(house) as sip:
        for more, user in (('From-X: "\r\n %s"\r\n' % FORGED, "x"), ("User-Agent: \x1b[2J\x1b]0;x\x07<script>alert(1)</script>\r\n", "x"),
                           ("Subject: a\tb\x0bc\x0c\r\n", "a%0d%0a" + FORGED.replace(" ", "%20")), ("", "<script>"), ("", "%00%1b[2J")):
            d = Dialog(sip, ECHO)
            d.uri = d.target = "sip:%s@127.0.0.1:%d" % (user, house.port("lab"))
            d.to = '"%s" <%s>' % ("x\\\n" + FORGED if not user else "a", d.uri)
            d.call_id = "%d\x1b[2J@<script>" % time.monotonic_ns()
            d.invite(audio_sdp(40000), more=more)
            try:
                d.ack(d.answer(200, 1.5))
            except Failed:
                pass  # dropped
        d = Dialog(sip, ECHO)
        d.invite("v=0\r\n%s\n\x1b[2J\r\n" % FORGED)
        d.ack(d.answer(300))
        sip.socket.sendto(b"INVITE sip:x SIP/2.0\r\n" + FORGED.encode() + b"\r\n\r\n", sip.peer)
        sip.socket.sendto(b"\n" + FORGED.encode() + b"\n", sip.peer)
    with App(house.demo, "alice", device="lines") as app:
        for body in ({"to": {"tel": "1\r\n" + FORGED}}, {"to": {"tel": "600"}, "from": "\n" + FORGED}, {"\r\n" + FORGED: 1, "to": {}},
                     {"to": {"tel": "600"}, "metadata": {"a\r\n" + FORGED: "\r\n" + FORGED}, "offer": {"type": "offer", "sdp": "\n" + FORGED}}):
            try:
                app.run(app.client.ask("POST", "/calls", body))
            except Exception:  # problems, as they should be
                pass
    time.sleep(0.5)
    line = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z sallyport(d|-media) (error|warn|info|debug) \w+: [^\x00-\x1f\x7f]*$")
    odd = [text for program in ("sallyportd", "media") for text in house.log(program).split("\n") if text and not line.match(text)]
    check(not odd, "lines of another form: %r" % odd[:5])
    check("error app: FORGED" not in "".join(t[:60] for t in house.log().split("\n")), "a forged line")
    status, body = house.admin("/admin/v1/records?limit=50")
    check(status == 200 and not re.search(r"[\x00-\x09\x0b-\x1f]", body), "the records show control characters")


@G.scenario("the programs run as nobody, without privileges, core files and new privileges")
def jail(house):
    for program in ("sallyportd", "media"):
        status_ = open("/proc/%d/status" % house.pid(program)).read()
        limits = open("/proc/%d/limits" % house.pid(program)).read()
        if os.geteuid() == 0:
            check(not re.search(r"^Uid:.*\b0\b", status_, re.M), program + " runs as root")
        check(re.search(r"^CapEff:\s+0+$", status_, re.M), program + " has capabilities")
        check(re.search(r"^NoNewPrivs:\s+1", status_, re.M), program + " may get new privileges")
        check(re.search(r"^Max core file size\s+0\s", limits, re.M), program + " may dump core")
    for path in glob.glob("%s/state/*" % house.dir) + glob.glob(house.dir + "/demo.json"):
        check(not os.stat(path).st_mode & 0o077 or path.endswith(("-shm", "-wal", ".db")), "%s may be read by others" % path)
