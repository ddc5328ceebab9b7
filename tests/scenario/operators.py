# SPDX-License-Identifier: Apache-2.0
"""What operators rely on: metrics, tokens, reload, records after the end, both programs' standing with the system."""
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

from app import App
from group import Group
from house import TOP, House, check, wait_for
from sipua import Agent, Dialog, audio_sdp

sys.path.insert(0, TOP + "/tests/lib")
import prometheus  # noqa: E402

OPERATORS = Group("operators", shared=False, programs=["baresip"])
BOB = "+15550100002"
PROGRAM = os.environ.get("SALLYPORT_BUILD", TOP + "/build") + "/sallyportd"
PLAN = open(TOP + "/dialplans/demo.yaml").read()


class Own(House):
    """A gateway whose dialplan is a file of its own."""

    def __enter__(self):
        self.plan = self.dir + "/plan.yaml"
        self.write(PLAN)
        with open(TOP + "/tests/demo/sallyport.yaml.in") as f:
            text = f.read().replace("@TOP@/dialplans/demo.yaml", self.plan)
        self.env["SALLYPORT_TEMPLATE"] = self.dir + "/template.yaml"
        with open(self.env["SALLYPORT_TEMPLATE"], "w") as f:
            f.write(self.write_template(text))
        return super().__enter__()

    def write_template(self, text):
        return text

    def write(self, text):
        with open(self.plan, "w") as f:
            f.write(text)

    def reload(self, says):
        n = self.log().count(says)
        os.kill(self.pid("sallyportd"), signal.SIGHUP)
        wait_for(says, lambda: self.log().count(says) > n)

    def lab(self):
        return Agent(self.port("lab_peer"), ("127.0.0.1", self.port("lab")))

    def ask(self, method, path, token, body=None, admin=False):
        """Status and document of the operators' or the service door."""
        if admin:
            door = http.client.HTTPConnection("127.0.0.1", self.port("admin"), timeout=5)
        else:
            trust = ssl.create_default_context(cafile=self.demo["ca"])
            door = http.client.HTTPSConnection("localhost", self.port("service"), timeout=5, context=trust)
        head = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        door.request(method, path, json.dumps(body) if body is not None else None, head)
        answer = door.getresponse()
        text = answer.read()
        door.close()
        return answer.status, json.loads(text) if text else None


def status_of(pid):
    return dict(line.rstrip("\n").split(":\t", 1) for line in open("/proc/%d/status" % pid) if ":\t" in line)


@OPERATORS.scenario("both programs run without privileges; the service manager is told of start and end")
def standing(base):
    house = Own(base, "standing")
    path = house.dir + "/notify"
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(path)
    os.chmod(path, 0o777)
    told.settimeout(10)
    house.env["NOTIFY_SOCKET"] = path
    with house:
        check([told.recv(64) for _ in range(2)] == [b"READY=1"] * 2, "READY=1 of both")
        for program in ("media", "sallyportd"):
            s = status_of(house.pid(program))
            check("0" not in s["Uid"].split() and "0" not in s["Gid"].split() and not s["Groups"].strip(), "%s: %s" % (program, s))
            check(int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0, "%s has capabilities" % program)
            check(s["NoNewPrivs"].strip() == "1" and s["Seccomp"].strip() == "2", "%s is not jailed" % program)
    check([told.recv(64) for _ in range(2)] == [b"STOPPING=1"] * 2, "STOPPING=1 of both")
    told.close()


@OPERATORS.scenario("SIGTERM in a call: BYE to the carrier, the record is closed with server_shutdown")
def goodbye(base):
    with Own(base, "goodbye") as house, App(house.demo, "bob") as bob, house.lab() as sip:
        d = Dialog(sip, BOB).invite(audio_sdp(4000))
        bob.answer(bob.incoming())
        d.ack(d.answer(200))
        wait_for("the answer in the record", lambda: any(r["answered_at"] for r in house.records()))
        old = house.kill("sallyportd", signal.SIGTERM)
        bye = sip.request("BYE")
        check("server_shutdown" in bye.get("reason") or "Q.850" in bye.get("reason"), "Reason: " + bye.get("reason"))
        sip.reply(bye, 200)
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != old and house.is_ready(), 20)
        check(house.record(lambda r: True)["end"]["reason"] == "server_shutdown", "the record")


@OPERATORS.scenario("metrics are well-formed, and no peer can add a row")
def metrics(base):
    with Own(base, "metrics") as house, house.lab() as sip:
        def rows():
            text = house.admin("/metrics")[1]
            bad = prometheus.faults(text)
            check(not bad, "\n".join(bad))
            return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}
        before = rows()
        for i in range(12):
            d = Dialog(sip, "+1555019%04d" % i).invite(audio_sdp(4000), more="X-Odd-%d: 1\r\n" % i)
            d.ack(d.answer(300))
        for i in range(12):
            house.ask("GET", "/v1/calls/c_%d" % i, "t%d" % i)
            house.ask("GET", "/%d" % i, "t", admin=True)
        check(rows() == before, "new rows: %s" % (rows() - before))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(5):
                stranger.sendto(bytes([0x80, 0]) + bytes(20), ("127.0.0.1", house.port("native")))
        wait_for("what the media process dropped", lambda: house.metric('sallyport_media_dropped_total{reason="no_session"}') == 5)
        check(house.metric("sallyport_calls_refused_total") == 12, "12 attempts were refused")
        backends = [house.metric('sallyport_media_backend_info{backend="%s"}' % name) for name in ("io_uring", "epoll", "af_xdp")]
        check(sorted(backends) == [0, 0, 1], "one backend is in use: %s" % backends)
        check(house.metric("sallyport_media_load_verdict") == 0, "twelve refused calls are no load")


@OPERATORS.scenario("a token is minted, works, is revoked, and stays so after kill -9; a second instance does not start")
def tokens(base):
    with Own(base, "tokens") as house:
        second = subprocess.run([PROGRAM, "--config", house.dir + "/sallyport.yaml"], capture_output=True, text=True, timeout=10,
                                check=False)
        check(second.returncode == 1 and "another sallyportd" in second.stderr, "a second one: %s" % second.stderr)
        boss = house.demo["admin"]["token"]
        for bad in ("", "x", boss[:-1], house.demo["users"]["bob"]["token"]):
            check(house.ask("POST", "/admin/v1/tokens", bad, {"identity": "bob"}, True)[0] == 401, "token %r" % bad)
        check(house.ask("GET", "/v1/me", boss)[0] == 401, "the operators' token is none of the service door")
        wish = {"identity": "bob", "numbers": [BOB], "scopes": ["call.place"], "ttl_s": 600}
        status, made = house.ask("POST", "/admin/v1/tokens", boss, wish, True)
        check(status == 201, "mint: %d %s" % (status, made))
        status, me = house.ask("GET", "/v1/me", made["token"])
        check(status == 200 and me["identity"] == "bob" and me["numbers"] == [BOB], "me: %d %s" % (status, me))
        check(house.ask("DELETE", "/admin/v1/tokens/" + made["jti"], boss, None, True)[0] == 204, "revoke")
        check(house.ask("GET", "/v1/me", made["token"])[0] == 401, "it still works")
        old = house.kill("sallyportd")
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != old and house.is_ready(), 20)
        check(house.ask("GET", "/v1/me", made["token"])[0] == 401, "it works again after the restart")
        check(house.ask("GET", "/v1/me", house.demo["users"]["bob"]["token"])[0] == 200, "another's token")


def options_answered(house, seconds):
    """Asks the SIP door each 20 ms: was anything answered?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.02)
        me, end, n = "127.0.0.1:%d" % s.getsockname()[1], time.monotonic() + seconds, 0
        while time.monotonic() < end:
            n += 1
            s.sendto(("OPTIONS sip:127.0.0.1:%d SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKban%d\r\nMax-Forwards: 70\r\n"
                      "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ban%d@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n"
                      "Content-Length: 0\r\n\r\n" % (house.port("lab"), me, n, n)).encode(), ("127.0.0.1", house.port("lab")))
            try:
                if s.recv(4096).startswith(b"SIP/2.0 "):
                    return True
            except OSError:  # silence, or nobody there
                time.sleep(0.01)
        return False


@OPERATORS.scenario("a ban and an alarm's acknowledgement outlive kill -9: not one packet of the banned source is answered")
def outlived(base):
    with Own(base, "outlived") as house:
        boss = house.demo["admin"]["token"]
        check(options_answered(house, 5), "no answer before the ban")
        status, body = house.ask("POST", "/admin/v1/bans", boss, {"addr": "127.0.0.1", "ttl_s": 600, "why": "scans"}, True)
        check(status == 201, "ban: %d %s" % (status, body))
        with App(house.demo, "alice") as alice:
            alice.place(house.demo["dial"]["tone"])
            alice.hears(1004)
            alice.hangup()
        before = wait_for("today", lambda: (lambda o: o["today"] if o["today"]["acd_s"] else None)(
            house.ask("GET", "/admin/v1/overview", boss, None, True)[1]))
        check(before["calls"] == 1 and before["asr"] == 100 and before["pdd_ms"] is not None, "today: %s" % before)
        house.kill("media")
        alarm = wait_for("an alarm", lambda: next((a for a in house.ask("GET", "/admin/v1/alarms", boss, None, True)[1]["alarms"]
                                                    if a["kind"] == "media_lost"), None))
        check(house.ask("POST", "/admin/v1/alarms/%s/ack" % alarm["id"], boss, {}, True)[0] == 200, "ack")
        wait_for("the media process", house.is_ready, 20)
        old = house.kill("sallyportd")
        check(not options_answered(house, 1), "answered as it starts")
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != old and house.is_ready(), 20)
        check(not options_answered(house, 0.5), "answered after the restart")
        bans = house.ask("GET", "/admin/v1/bans", boss, None, True)[1]["bans"]
        check([(b["addr"], b["why"]) for b in bans] == [("127.0.0.1", "scans")] and bans[0]["hits"] > 0, "bans: %s" % bans)
        today = wait_for("the same day", lambda: (lambda o: o["today"] if o["today"]["calls"] else None)(
            house.ask("GET", "/admin/v1/overview", boss, None, True)[1]))
        check({**today, "acd_s": 0, "pdd_ms": 0} == {**before, "acd_s": 0, "pdd_ms": 0} and abs(today["acd_s"] - before["acd_s"]) < 0.2,
              "today: %s, before: %s" % (today, before))
        again = [a for a in house.ask("GET", "/admin/v1/alarms", boss, None, True)[1]["alarms"] if a["id"] == alarm["id"]]
        check(again and again[0]["acked_by"] and again[0]["raised_at"] == alarm["raised_at"], "alarms: %s" % again)
        row = wait_for("a trunk's status", lambda: house.ask("GET", "/admin/v1/trunks/lab", boss, None, True)[1]["status"])
        check(row["name"] == "lab" and row["targets"], "status: %s" % row)
        check(house.ask("DELETE", "/admin/v1/bans/127.0.0.1", boss, None, True)[0] == 204, "lift it")
        check(options_answered(house, 5), "no answer after it was lifted")


def call_lab(sip, number):
    d = Dialog(sip, number).invite(audio_sdp(4000))
    gone = d.answer(300)
    d.ack(gone)
    return gone


@OPERATORS.scenario("SIGHUP: a new rule is in force, its own status is answered; one with errors leaves the old ones")
def reload(base):
    with Own(base, "reload") as house, house.lab() as sip:
        number = "+15550100055"
        check(call_lab(sip, number).status == 404, "before")
        rule = "rules:\n  - name: not today\n    called: \"%s\"\n    then: {refuse: %d}\n"
        house.write(PLAN.replace("rules:\n", rule % (number, 603)))
        house.reload("configuration reloaded")
        gone = call_lab(sip, number)
        check(gone.status == 603 and "cause=21" in gone.get("reason"), gone.text())
        record = house.record(lambda r: r["end"]["sip"] == 603)
        check(record["end"]["q850"] == 21 and record["end"]["rule"] == "dialplan" and "not today" in record["end"]["detail"],
              "record: %s" % record["end"])
        with App(house.demo, "alice") as alice:
            problem = alice.refused(lambda: alice.place(number))
            check(problem.status == 403 and problem.body["code"] == "policy:dialplan" and "603" in problem.body["detail"],
                  "problem: %s" % problem.body)
        house.write(PLAN.replace("rules:\n", rule % (number, 70000)))
        house.reload("reload refused")
        check("plan.yaml:" in house.log() and "400" in house.log(), "the errors are not in the log")
        check(call_lab(sip, number).status == 603, "after a reload with errors")
        versions = {r["config_version"] for r in house.records()}
        check(all(len(v) == 16 and v in house.log() for v in versions), "versions: %s" % versions)


@OPERATORS.scenario("telemetry that comes after the end is in the record; a browser's whole report is cut to fit")
def telemetry(base):
    with Own(base, "telemetry") as house, App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.connected", call=call)
        alice.hangup()
        house.record(lambda r: r["id"] == call)
        path, token = "/v1/calls/%s/telemetry" % call, house.demo["users"]["alice"]["token"]
        row = {"type": "inbound-rtp", "packetsReceived": 500, "packetsLost": 3, "jitter": 0.004}
        wide = dict(row, **{"other%d" % i: i for i in range(60)})
        check(house.ask("POST", path, token, {"stats": [wide] * 12})[0] == 410, "late, and told so")
        got = wait_for("the record's telemetry", lambda: house.records()[0]["telemetry"])
        check(got["cut"] is True and got["stats"][0] == row, "telemetry: %s" % got)
        app, far = house.records()[0]["legs"]
        check(app["kind"] == "native" and far["kind"] == "trunk" and far["sip_call_id"], "legs: %s %s" % (app, far))
        for leg in (app, far):
            check(leg["remote_addr"].startswith("127.0.0.1:") and leg["codec"] == ("opus" if leg is app else "PCMU") and leg["srtp"] and leg["media_addr"],
                  "leg: %s" % leg)
        check(house.ask("POST", path, house.demo["users"]["bob"]["token"], {"stats": []})[0] == 404, "another's call")
        check(house.records()[0]["end"]["reason"] == "completed", "the end: %s" % house.records()[0]["end"])


@OPERATORS.scenario("a media process that hangs (SIGSTOP): its calls end media_failure, and it is taken up again")
def hanging(base):
    with Own(base, "hanging") as house, App(house.demo, "alice") as alice:
        call = alice.place(house.demo["dial"]["tone"])
        alice.wait("call.connected", call=call)
        os.kill(house.pid("media"), signal.SIGSTOP)
        try:
            end = alice.wait("call.ended", 20, call=call)["end"]
            check(end["reason"] == "media_failure", "end: %s" % end)
            wait_for("/readyz says no", lambda: not house.is_ready(), 3)
        finally:
            os.kill(house.pid("media"), signal.SIGCONT)
        wait_for("/readyz says yes", house.is_ready, 15)
        alice.place(house.demo["dial"]["tone"])
        alice.hears(1004)
        alice.hangup()


def ptrace(request, pid):
    return ctypes.CDLL(None, use_errno=True).ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None)


@OPERATORS.scenario("a call thread that stands still: /healthz and /readyz say so, the web threads answer on")
def still(base):
    with Own(base, "still") as house:
        pid = house.pid("sallyportd")  # the first thread is the call thread
        if ptrace(0x4206, pid) != 0:  # PTRACE_SEIZE
            print("skipped: no other process's thread may be stopped here")
            return
        try:
            check(house.admin("/healthz")[0] == 200, "before")
            check(ptrace(0x4207, pid) == 0, "PTRACE_INTERRUPT")
            os.waitpid(pid, 0x40000000)  # __WALL
            wait_for("/healthz says no", lambda: house.admin("/healthz")[0] == 503, 10, 0.2)
            check(house.admin("/readyz")[0] == 503 and "stands still" in house.admin("/readyz")[1], "/readyz")
        finally:
            ptrace(17, pid)  # PTRACE_DETACH
        wait_for("/healthz says yes", lambda: house.admin("/healthz")[0] == 200 and house.is_ready(), 5)


@OPERATORS.scenario("a key that others can read, or that is gone, refuses the start and --check-config")
def keys(base):
    with Own(base, "keys") as house:
        with open(house.dir + "/sallyport.yaml") as f:
            text = f.read()
    key = house.dir + "/own.key"
    os.makedirs(house.dir, exist_ok=True)
    file = house.dir + "/bad.yaml"
    os.makedirs(house.dir + "/state", exist_ok=True)  # the relay's secret is whole: the key is what is wrong
    with open(os.open(house.dir + "/state/relay.secret", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write("5a" * 32 + "\n")
    with open(file, "w") as f:
        text = re.sub(r"/\S*/gateway\.key", key, text).replace(house.dir + "/certs/", TOP + "/certs/dev/")
        f.write(text.replace(house.plan, TOP + "/dialplans/demo.yaml"))
    for mode, says in ((None, "No such file"), (0o644, "others can read"), (0o640, "others can read")):
        if mode is not None:
            with open(key, "w") as f:
                f.write("x")
            os.chmod(key, mode)
        for more in (["--check-config"], []):
            done = subprocess.run([PROGRAM, "--config", file] + more, capture_output=True, text=True, timeout=10, check=False)
            check(done.returncode == 1 and says in done.stderr and "service.key" in done.stderr and "bad.yaml:" in done.stderr,
                  "%s %s: %d %s" % (mode, more, done.returncode, done.stderr))
    os.chmod(key, 0o600)  # readable by its owner only, but no key; then a key, but of no certificate here
    for content, says in ((b"x", "no private key"), (subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], capture_output=True,
            check=True).stdout, "is not the key of")):
        with open(key, "wb") as f:
            f.write(content)
        done = subprocess.run([PROGRAM, "--config", file, "--check-config"], capture_output=True, text=True, timeout=10, check=False)
        check(done.returncode == 1 and says in done.stderr and "service" in done.stderr and "listeners[public]" in done.stderr,
              "%s: %d %s" % (says, done.returncode, done.stderr))


@OPERATORS.scenario("a reload of what nothing changed in, and a commit: no alarm of certificates, whoever read them first")
def certificates_again(base):
    with Own(base, "again") as house:
        boss = house.demo["admin"]["token"]
        house.reload("configuration reloaded")
        status, now = house.ask("GET", "/admin/v1/config", boss, None, True)
        check(status == 200, "config: %d" % status)
        text = now["text"].replace("log_level: debug", "log_level: info")
        check(text != now["text"], "nothing to change in %s" % now["text"][:300])
        door = http.client.HTTPConnection("127.0.0.1", house.port("admin"), timeout=10)
        door.request("POST", "/admin/v1/config/commit", json.dumps({"text": text}),
                     {"Authorization": "Bearer " + boss, "Content-Type": "application/json", "If-Match": "*"})
        answer = door.getresponse()
        body = answer.read().decode()
        check(answer.status == 200, "commit: %d %s" % (answer.status, body[:400]))
        alarms = house.ask("GET", "/admin/v1/trunks", boss, None, True)[1]["alarms"]
        check(not [a for a in alarms if "refused" in a["text"]], "alarms: %s" % alarms)
        check("Permission denied" not in house.log(), "the log: %s" % [line for line in house.log().split("\n") if "denied" in line])


@OPERATORS.scenario("a support bundle holds no secret and no number: canaries in files, headers, passwords, tokens, comments")
def bundle(base):
    import io
    import tarfile
    with Own(base, "bundle") as house, house.lab() as sip:
        boss, canary = house.demo["admin"]["token"], "cAnArY"
        with open(house.dir + "/state/push.secret", "w") as f:
            f.write(canary + "-push-secret-of-24-bytes\n")
        os.chmod(house.dir + "/state/push.secret", 0o600)
        if os.geteuid() == 0:
            shutil.chown(house.dir + "/state/push.secret", "nobody")
        with open(house.dir + "/sallyport.yaml", encoding="utf-8") as f:
            text = f.read()
        text = text.replace("records:\n", "# the old password was %s-note\nrecords:  # %s-tail\n  push: {url: \"https://u:%s-url@127.0.0.1:1/?key=%s-key\", "
                            "secret_file: %s/state/push.secret}\n" % (canary, canary, canary, canary, house.dir))
        with open(house.dir + "/sallyport.yaml", "w", encoding="utf-8") as f:
            f.write(text)
        house.reload("configuration reloaded")
        house.ask("POST", "/admin/v1/login", "x", {"user": "root", "password": canary + "-login-password"}, True)
        check(house.ask("GET", "/admin/v1/calls", canary + "-bearer", None, True)[0] == 401, "a wrong token")
        check(house.ask("GET", "/v1/me", "eyJhbGciOiJFUzI1NiJ9." + canary + ".x")[0] == 401, "a wrong token of the service")
        d = Dialog(sip, "+15550100077").invite(audio_sdp(4000), more=(
            'Authorization: Digest username="a", realm="r", nonce="n", uri="sip:x", response="%s"\r\nX-Key: %s\r\n' % (canary, canary)))
        d.ack(d.answer(300))
        status, body = house.ask("POST", "/admin/v1/users", boss, {"name": "ann", "role": "viewer", "password": canary + "-of-ann-123"}, True)
        check(status == 201, "user: %d %s" % (status, body))
        status, made = house.ask("POST", "/admin/v1/api-tokens", boss, {"name": "t", "role": "viewer"}, True)
        check(status == 201, "token: %d %s" % (status, made))
        door = http.client.HTTPConnection("127.0.0.1", house.port("admin"), timeout=10)
        door.request("GET", "/admin/v1/system/bundle", headers={"Authorization": "Bearer " + boss})
        answer = door.getresponse()
        raw = answer.read()
        check(answer.status == 200, "bundle: %d" % answer.status)
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
            files = {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers()}
        everything = "\n".join(files.values())
        check(len(raw) < len(everything) / 2, "%d bytes of %d: not packed" % (len(raw), len(everything)))
        check("x.url@" not in everything and "xxxx@127.0.0.1:1" in files["sallyport/sallyport.yaml"], "the configuration")
        check("configuration reloaded" in files["sallyport/log.txt"], "the log: %s" % files["sallyport/log.txt"][-300:])
        state, secrets = house.dir + "/state/", [canary, boss, made["token"], "50100077", "5550100077"]
        for name in ("admin.token", "relay.secret", "token.key", "timeline.key"):
            with open(state + name, "rb") as f:
                secrets += [line for line in f.read().decode("latin-1").split("\n") if len(line) > 15 and "-----" not in line]
        for name, content in files.items():
            for secret in secrets:
                check(secret not in content, "%s holds %s" % (name, secret[:12]))
